//! `git port run`: a program on its ports, as if it had been started without it.

mod killed;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::support::running::{AS_AT_A_PROMPT, Running, send, wait_for, with_stdin};
use crate::support::server::Server;
use crate::support::{GIT_PORT, TestEnv};

/// The words that run a server on `$PORT` until its standard input ends: this test binary, run again.
fn server_words() -> Vec<String> {
    let line = "GIT_PORT_TEST_SERVE=127.0.0.1:$PORT exec \"$@\"";
    let exe = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    let serve = ["--exact", "support::server::serve", "--ignored", "--nocapture"];
    ["--", "sh", "-c", line, "sh", &exe].into_iter().chain(serve).map(str::to_owned).collect()
}

/// Starts `git port run`, with standard input open, and with these words before those of the server.
fn serving(env: &TestEnv, dir: &Path, words: &[&str]) -> Running {
    let mut command = with_stdin(env.command(GIT_PORT, dir));
    command.arg("run").args(words).args(server_words());
    Running::spawn(env, command)
}

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn state(env: &TestEnv, dir: &Path) -> String {
    env.json(dir, "list --worktree")["allocations"][0]["state"].as_str().unwrap().to_owned()
}

#[test]
fn the_exit_status_is_the_programs_own() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    fs::write(repo.join("plain"), "no program\n").unwrap();
    for (words, status) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "exit 255"], 255),
        (&["sh", "-c", "kill -TERM $$"], 143),
        (&["sh", "-c", "kill -KILL $$"], 137),
        (&["no-such-program-anywhere"], 127),
        (&["./absent"], 127),
        (&["./plain"], 126),
        (&["."], 126),
    ] {
        let run = env.git_port(&repo, ["run", "--"].iter().chain(words)).exits_with(status);
        assert_eq!(run.stderr.is_empty(), !matches!(status, 126 | 127), "{run:?}");
        assert_eq!(state(&env, &repo), "allocated", "{words:?}");
    }
    let _ = env.git_port(&repo, ["run"]).exits_with(129);
    let _ = env.git_port(&env.root(), ["run", "--", "true"]).exits_with(128);
}

#[test]
fn signals_reach_the_program() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    for (name, signal) in [
        ("TERM", Signal::TERM),
        ("INT", Signal::INT),
        ("HUP", Signal::HUP),
        ("QUIT", Signal::QUIT),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
    ] {
        let line = format!("trap 'echo got {name}; exit 3' {name}; echo ready; while :; do sleep 0.05; done");
        let mut run = Running::start(&env, &repo, ["--", "sh", "-c", &line]);
        run.says("ready");
        run.signal(signal);
        assert_eq!(run.status(), 3, "{name}: {}", run.log());
        assert_eq!(run.log().matches("got").count(), 1, "{name}");
        wait_for("the rest to end", || (!run.has_left_something()).then_some(()));
    }
}

#[test]
fn what_a_program_leaves_behind_when_it_is_told_to_end_is_told_too() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    // As npm and its shell do: the one that is told ends, and does not tell.
    let line = "sh -c 'trap \"echo got; exit\" TERM; echo ready; while :; do sleep 0.05; done'; true";
    let mut run = Running::start(&env, &repo, ["--", "sh", "-c", line]);
    run.says("ready");
    run.signal(Signal::TERM);
    assert_eq!(run.status(), 143);
    wait_for("the rest to end", || (!run.has_left_something()).then_some(()));
    assert_eq!(run.log().matches("got").count(), 1, "{}", run.log());
    // What goes its own way is left alone, and so is what is left when nobody told the program to end.
    for line in ["setsid sleep 100 & echo pid $!; exec sleep 100", "sleep 100 & echo pid $!"] {
        let mut run = Running::start(&env, &repo, ["--", "sh", "-c", line]);
        let pid = wait_for("its number", || {
            let log = run.log();
            log.strip_prefix("pid ")?.strip_suffix('\n')?.parse::<u32>().ok()
        });
        if line.starts_with("setsid") {
            wait_for("a group of its own", || {
                let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap());
                (rustix::process::getpgid(pid).ok() == pid).then_some(())
            });
            run.signal(Signal::TERM);
        }
        let _ = run.status();
        let alive = killed::alive(pid);
        send(pid, Signal::KILL);
        assert!(alive, "{line}");
    }
}

#[test]
fn a_program_that_ignores_a_signal_goes_on() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let line = "trap '' TERM; echo ready; read word; echo \"read $word\"";
    let mut command = with_stdin(env.command(GIT_PORT, &repo));
    command.args(["run", "--", "sh", "-c", line]);
    let mut run = Running::spawn(&env, command);
    run.says("ready");
    run.signal(Signal::TERM);
    writeln!(run.stdin(), "on").unwrap();
    assert_eq!(run.status(), 0);
    assert!(run.log().contains("read on"), "{}", run.log());
}

#[test]
fn what_is_ignored_on_behalf_of_a_program_stays_ignored() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let mut command = with_stdin(env.command("sh", &repo));
    command.args(["-c", "trap '' HUP; exec git-port run -- sh -c 'echo ready; read word; echo read $word'"]);
    let mut run = Running::spawn(&env, command);
    run.says("ready");
    run.signal(Signal::HUP);
    writeln!(run.stdin(), "on").unwrap();
    assert_eq!(run.status(), 0, "as under nohup");
}

/// Counts what it gets, each as it comes: a shell would take two of the same for one.
const COUNTER: &str = "
import os, signal, time
def got(number, frame):
    os.write(1, b'got %d\\n' % number)
for number in (signal.SIGINT, signal.SIGQUIT):
    signal.signal(number, got)
os.write(1, b'ready\\n')
end = time.monotonic() + 120
while time.monotonic() < end and not os.path.exists('enough'):
    time.sleep(0.05)
";

/// Starts a counter of signals on a terminal of its own; none where that cannot be done.
fn on_a_terminal(env: &TestEnv, repo: &Path) -> Option<Running> {
    let there = |words: [&str; 2]| Command::new(words[0]).arg(words[1]).output().is_ok();
    if !there(["script", "--version"]) || !there(["python3", "--version"]) {
        crate::support::herd::ignored_for_want_of("script or python3");
        return None;
    }
    fs::write(env.root().join("counter.py"), COUNTER).unwrap();
    let mut command = with_stdin(env.command("script", repo));
    let line = format!("echo $$ > ../pid; exec {} run -- python3 ../counter.py", AS_AT_A_PROMPT.join(" "));
    command.env("SHELL", "/bin/sh").args(["-qec", &line, "/dev/null"]);
    let mut run = Running::spawn(env, command);
    run.says("ready");
    Some(run)
}

#[test]
fn what_is_typed_at_a_terminal_reaches_the_program_once() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let Some(mut run) = on_a_terminal(&env, &repo) else { return };
    let mut keys = run.stdin();
    let mut expected = 0;
    for (key, got) in [(3, "got 2"), (3, "got 2"), (28, "got 3"), (3, "got 2")] {
        let before = run.log().matches(got).count();
        keys.write_all(&[key]).unwrap();
        wait_for("the signal", || (run.log().matches(got).count() > before).then_some(()));
        expected += 1;
    }
    fs::write(repo.join("enough"), "").unwrap();
    assert_eq!(run.status(), 0, "{}", run.log());
    assert_eq!(run.log().matches("got").count(), expected, "{}", run.log());
}

#[test]
fn what_another_process_sends_to_a_run_at_a_terminal_reaches_the_program() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let Some(mut run) = on_a_terminal(&env, &repo) else { return };
    let pid = fs::read_to_string(env.root().join("pid")).unwrap().trim().parse().unwrap();
    send(pid, Signal::INT);
    wait_for("the signal", || run.log().contains("got 2").then_some(()));
    fs::write(repo.join("enough"), "").unwrap();
    assert_eq!(run.status(), 0, "{}", run.log());
    assert_eq!(run.log().matches("got").count(), 1, "{}", run.log());
}

#[test]
fn the_ports_are_in_the_environment_and_beat_what_was_there() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    fs::write(repo.join(".git-port.toml"), "[services.web]\n[services.api]\nvariables = [\"MY_PORT\"]\n")
        .unwrap();
    let print = |words: &[&str]| {
        let mut command = env.command(GIT_PORT, &repo);
        command.env("PORT", "1").env("WEB_PORT", "2").env("MY_PORT", "3").env("OTHER", "kept");
        command.arg("run").args(words);
        command.args(["--", "sh", "-c", "echo $PORT $WEB_PORT $MY_PORT $OTHER $GIT_PORT_PROJECT"]);
        let run = crate::support::Run::of(command.output().unwrap()).success();
        assert_eq!(run.stderr, "");
        run.stdout
    };
    let (web, api) = (env.port(0), env.port(1));
    assert_eq!(print(&[]), format!("{web} {web} {api} kept shop\n"));
    assert_eq!(print(&["--service", "api"]), format!("{api} {web} {api} kept shop\n"));
    assert_eq!(print(&["--service", "web"]), format!("{web} {web} {api} kept shop\n"));
    let test = env.port(100);
    assert_eq!(print(&["--environment", "test"]), format!("{test} {test} {} kept shop\n", test + 1));
}

#[test]
fn a_program_is_not_started_on_a_port_that_somebody_else_has() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let foreign = Server::start(&env.home(), &format!("127.0.0.1:{}", env.port(0)));
    let run = env.git_port(&repo, ["run", "--", "touch", "started"]).exits_with(4);
    assert!(run.stderr.contains(&format!("port {} of shop/web", env.port(0))), "{run:?}");
    assert!(run.stderr.contains(&format!("(pid {})", foreign.pid())), "{run:?}");
    assert!(run.stderr.contains("git port allocate web --new"), "{run:?}");
    assert!(!repo.join("started").exists());
    let object = env.git_port(&repo, ["--json", "run", "--", "touch", "started"]).exits_with(4).object();
    assert_eq!(object["error"]["code"], "conflict");
    foreign.stop();
    // What another process of the worktree serves may be just what the program is to talk to.
    let _ours = Server::start(&repo, &format!("127.0.0.1:{}", env.port(0)));
    env.ok(&repo, "run -- touch started");
    assert!(repo.join("started").exists());
}

#[test]
fn a_program_runs_where_the_registry_cannot_be_opened() {
    let mut env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let folder = env.root().join("folder");
    fs::create_dir(&folder).unwrap();
    env.variables.push(("GIT_PORT_REGISTRY".to_owned(), folder.to_str().unwrap().to_owned()));
    let run =
        env.git_port(&repo, ["run", "--", "sh", "-c", "echo $PORT $WEB_PORT; sleep 1; exit 7"]).exits_with(7);
    assert_eq!(run.stdout, format!("{0} {0}\n", env.port(0)));
    assert!(run.stderr.starts_with("warning: it runs, but that is not recorded: "), "{run:?}");
}

#[test]
fn the_browser_is_opened_when_it_listens_and_not_before() {
    let mut env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let (bin, opened) = (env.root().join("bin"), env.root().join("opened"));
    script(&bin.join("xdg-open"), &format!("#!/bin/sh\necho \"$1\" >> '{}'\n", opened.display()));
    let git_port = Path::new(GIT_PORT).parent().unwrap().display();
    let path = format!("{}:{git_port}:{}", bin.display(), std::env::var("PATH").unwrap());
    env.variables.push(("PATH".to_owned(), path));
    // It waits for a word before it listens, so that there is a time when it runs and does not.
    let mut command = with_stdin(env.command(GIT_PORT, &repo));
    let line = "echo ready; read word; GIT_PORT_TEST_SERVE=127.0.0.1:$PORT exec \"$@\"";
    let exe = std::env::current_exe().unwrap();
    command.args(["-v", "run", "--open", "--", "sh", "-c", line, "sh"]).arg(exe);
    command.args(["--exact", "support::server::serve", "--ignored", "--nocapture"]);
    let mut run = Running::spawn(&env, command);
    run.says("ready");
    let listed = env.json(&repo, "list");
    let web = &listed["allocations"][0];
    assert_eq!((&web["state"], &web["status"]), (&"active".into(), &"active".into()), "{listed}");
    assert!(web["process"]["pid"].is_u64(), "{listed}");
    assert!(!opened.exists());
    let mut keys = run.stdin();
    writeln!(keys, "go").unwrap();
    run.says("listening on http://");
    let url =
        wait_for("the browser", || fs::read_to_string(&opened).ok().filter(|text| text.ends_with('\n')));
    assert_eq!(url, env.ok(&repo, "url"));
    let zombies = || {
        let all = Command::new("ps").args(["-A", "-o", "ppid=,stat="]).output().unwrap();
        let ours = format!("{} ", run.pid());
        let all = String::from_utf8_lossy(&all.stdout).into_owned();
        all.lines().filter(|line| line.trim_start().starts_with(&ours) && line.contains('Z')).count()
    };
    wait_for("nothing to wait for", || (zombies() == 0).then_some(()));
    drop(keys);
    assert_eq!(run.status(), 0, "{}", run.log());
    assert_eq!(fs::read_to_string(&opened).unwrap().lines().count(), 1);
    assert_eq!(state(&env, &repo), "allocated");
}

#[test]
fn hostile_words_do_not_act_on_the_terminal() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    script(&repo.join("vite"), "#!/bin/sh\nexit 0\n");
    let hostile = "a\u{1b}]0;x\u{7}\u{202e}";
    let run = env.git_port(&repo, ["run", "--", "./vite", hostile]).success();
    let port = env.port(0);
    let shown = format!("+ ./vite a\\u{{1b}}]0;x\\u{{7}}\\u{{202e}} --port {port} --strictPort\n");
    assert_eq!(run.stderr, shown);
    let run = env.git_port(&repo, ["run", "--", &format!("./{hostile}")]).exits_with(127);
    assert!(run.stderr.contains("a\\u{1b}]0;x\\u{7}\\u{202e}"), "{run:?}");
    assert!(!run.stderr.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{run:?}");
    let quiet = env.git_port(&repo, ["-q", "run", "--", "./vite", hostile]).success();
    assert_eq!(quiet.stderr, "");
}
