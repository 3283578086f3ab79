//! Disks and folders that may not be written, or hold no more.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{beside, fails, fold, with_registry};
use crate::support::{GIT_PORT, Run, TestEnv};

/// A user who owns nothing: `nobody`, as most systems number it.
const NOBODY: u32 = 65_534;

fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Says why a test is not run; fails where every test must be.
fn skip(why: &str) {
    let complete = std::env::var_os("GIT_PORT_TESTS_COMPLETE").is_some_and(|value| value == "1");
    assert!(!complete, "cannot be tested here: {why}");
    println!("skipped: {why}");
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs the program with these words.
type Runner<'a> = Box<dyn Fn(&str) -> Run + 'a>;

/// The program, run by somebody whom permissions bind: root is let in everywhere.
fn unprivileged(env: &TestEnv) -> Option<Runner<'_>> {
    let words = |words: &str| words.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    if !is_root() {
        return Some(Box::new(move |args| {
            let mut command = env.command(GIT_PORT, &env.root());
            Run::of(command.arg("--json").args(words(args)).output().unwrap())
        }));
    }
    let user = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()];
    let [uid, gid, groups] = &user;
    if !succeeds("setpriv", &[uid, gid, groups, "true"]) {
        skip("the tests run as root, and setpriv cannot make them anybody else");
        return None;
    }
    // The program and the home must be within his reach.
    let program = env.root().join("git-port");
    fs::copy(GIT_PORT, &program).unwrap();
    fs::set_permissions(env.root(), fs::Permissions::from_mode(0o755)).unwrap();
    Some(Box::new(move |args| {
        let mut command = env.command("setpriv", &env.root());
        command.args(&user).arg(&program).arg("--json").args(words(args));
        Run::of(command.output().unwrap())
    }))
}

/// Gives a folder and all that is in it to the unprivileged user.
fn hand_over(path: &Path) {
    if !is_root() {
        return;
    }
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            hand_over(&entry.unwrap().path());
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn lists(run: &Run, count: usize) {
    assert_eq!(run.status, 0, "{run:#?}");
    assert_eq!(run.object()["allocations"].as_array().map(Vec::len), Some(count), "{run:#?}");
}

#[test]
fn a_registry_that_may_not_be_read_is_denied() {
    let env = with_registry();
    let Some(run) = unprivileged(&env) else { return };
    hand_over(&env.home());
    let folder = env.registry().parent().unwrap().to_owned();
    for (path, mode) in [(env.registry(), 0o000), (folder.clone(), 0o000)] {
        let before = fs::metadata(&path).unwrap().permissions().mode();
        set_mode(&path, mode);
        for words in super::COMMANDS {
            let error = fails(&run(words), "denied", 128);
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("registry.db"), "{message}");
        }
        set_mode(&path, before);
    }
    lists(&run("list --all"), 1);
}

/// As in a sandbox that hides the home.
#[test]
fn a_worktree_knows_its_ports_where_the_registry_is_hidden() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let port: u16 = env.ok(&repo, "get").trim().parse().unwrap();
    let Some(run) = unprivileged(&env) else { return };
    hand_over(&env.root());
    let folder = env.registry().parent().unwrap().to_owned();
    for mode in [0o000, 0o555] {
        set_mode(&folder, mode);
        for words in ["-C shop get", "-C shop url"] {
            let answered = run(words);
            assert_eq!(answered.status, 0, "{answered:#?}");
            assert_eq!(answered.object()["allocations"][0]["port"], port);
        }
        let env = run("-C shop env");
        assert_eq!(
            (env.status, &env.object()["variables"]["PORT"]),
            (0, &Value::from(port.to_string())),
            "{env:?}"
        );
        let ran = run("-C shop run -- printenv PORT");
        assert_eq!((ran.status, ran.stdout.trim()), (0, port.to_string().as_str()), "{ran:#?}");
        fails(&run("-C shop allocate other"), "denied", 128);
        let told = run("-C shop doctor --fix");
        assert_eq!(told.status, 1, "{told:#?}");
        let findings = told.object()["findings"].as_array().unwrap().clone();
        let folder = findings.iter().find(|one| one["code"] == "state-folder").unwrap();
        assert_eq!((&folder["severity"], &folder["fixed"]), (&"error".into(), &false.into()), "{folder}");
        assert!(folder["hint"].as_str().unwrap().starts_with("chmod u+rwx"), "{folder}");
    }
    set_mode(&folder, 0o700);
    assert_eq!(run("-C shop doctor").status, 0);
}

#[test]
fn a_folder_that_may_not_be_written_is_still_read() {
    // With what was written last still in the log, and with the file alone.
    for folded in [false, true] {
        let env = with_registry();
        let Some(run) = unprivileged(&env) else { return };
        if folded {
            fold(&env.registry());
        }
        let folder = env.registry().parent().unwrap().to_owned();
        let names = || fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        assert_eq!(fs::metadata(beside(&env.registry(), "-wal")).is_ok_and(|log| log.len() > 0), !folded);
        // Whoever owns them (root, where the tests run as root), they are for reading.
        for path in names() {
            set_mode(&path, 0o444);
        }
        set_mode(&folder, 0o555);
        set_mode(folder.parent().unwrap(), 0o755);
        set_mode(folder.parent().unwrap().parent().unwrap(), 0o755);
        lists(&run("list --all"), 1);
        for words in &super::COMMANDS[1..] {
            fails(&run(words), "denied", 128);
        }
        lists(&run("list --all"), 1);
        set_mode(&folder, 0o755);
    }
}

#[test]
fn a_home_that_may_not_be_written_has_an_empty_registry() {
    let env = TestEnv::new();
    let Some(run) = unprivileged(&env) else { return };
    set_mode(&env.home(), 0o555);
    lists(&run("list --all"), 0);
    fails(&run("allocate web --project p"), "denied", 128);
    set_mode(&env.home(), 0o755);
}

#[test]
fn a_folder_of_another_user_is_not_written() {
    if !is_root() {
        return skip("only root can give a folder away");
    }
    let env = with_registry();
    chown(env.registry().parent().unwrap(), Some(NOBODY), Some(NOBODY)).unwrap();
    fails(&super::json(&env, "allocate api --project p"), "denied", 128);
}

/// Runs a script with a small disk of its own at `$disk`; its functions print what the program answers
/// to the file named first. Returns none where there can be no such disk.
fn on_a_small_disk(env: &TestEnv, script: &str) -> Option<()> {
    let namespace = if is_root() { vec!["-m"] } else { vec!["-m", "-r"] };
    let disk = env.root().join("disk");
    fs::create_dir(&disk).unwrap();
    let mount = "mount -t tmpfs -o size=320k,mode=700 tmpfs \"$disk\" || exit 77\n";
    let run = "run() { out=\"$1\"; shift; \"$program\" --registry \"$disk/state/registry.db\" --json \"$@\" \
        >\"$out\" 2>\"$out.err\"; echo $? >\"$out.status\"; }\n";
    let mut command = env.command("unshare", &env.root());
    command.env("disk", &disk).env("program", GIT_PORT).args(namespace);
    let ended = command.args(["sh", "-c", &[mount, run, script].concat()]).output();
    match ended {
        Ok(output) if output.status.success() => Some(()),
        Ok(output) if output.status.code() == Some(77) || !succeeds("unshare", &["-m", "true"]) => {
            skip(&format!("no disk can be mounted: {}", String::from_utf8_lossy(&output.stderr)));
            None
        }
        Ok(output) => panic!("{output:?}"),
        Err(error) => {
            skip(&format!("unshare cannot be run: {error}"));
            None
        }
    }
}

/// What the program answered to this file.
fn answer(env: &TestEnv, name: &str) -> Run {
    let text = |ending: &str| fs::read_to_string(env.root().join(format!("{name}{ending}"))).unwrap();
    Run { status: text(".status").trim().parse().unwrap(), stdout: text(""), stderr: text(".err") }
}

fn services(run: &Run) -> Vec<Value> {
    run.object()["allocations"].as_array().unwrap().iter().map(|one| one["service"].clone()).collect()
}

#[test]
fn a_full_disk_is_said_to_be_full_and_loses_nothing() {
    let env = TestEnv::new();
    // The log is let grow first: on a full disk, folding it is what makes room.
    let script = "
        run first allocate web --project p
        log=\"$disk/state/registry.db-wal\"
        n=0; while [ $n -lt 20 ]; do n=$((n+1)); run many allocate s$n --project p
          [ $n -lt 10 ] || [ $(stat -c %s \"$log\" || echo 0) -lt 60000 ] || break; done
        echo $n >before
        dd if=/dev/zero of=\"$disk/ballast\" bs=1k 2>/dev/null
        run released release web --project p
        long=$(head -c 3000 /dev/zero | tr '\\0' x)
        n=0; while [ $n -lt 70 ]; do n=$((n+1)); run full allocate t$n --project p --description $long
          [ $(cat full.status) = 0 ] || break; echo t$n >>acknowledged; done
        run listed list --all
        run last release s1 --project p
        rm \"$disk/ballast\"
        run after allocate after --project p
        run listed-after list --all";
    if on_a_small_disk(&env, script).is_none() {
        return;
    }
    let text = |name: &str| fs::read_to_string(env.root().join(name)).unwrap_or_default();
    let released = answer(&env, "released");
    assert_eq!(released.status, 0, "{released:#?}");
    let error = fails(&answer(&env, "full"), "unavailable", 6);
    assert!(error["message"].as_str().unwrap().contains("full"), "{error}");
    let kept = text("before").trim().parse::<usize>().unwrap() + text("acknowledged").lines().count();
    let listed = services(&answer(&env, "listed"));
    assert_eq!(listed.len(), kept, "what was acknowledged is there, and no more");
    assert!(text("acknowledged").lines().all(|service| listed.contains(&service.into())));
    // With nothing left to fold, there is no room even to release; but it says so.
    let last = answer(&env, "last");
    if last.status != 0 {
        fails(&last, "unavailable", 6);
    }
    assert_eq!(answer(&env, "after").status, 0);
    let kept = kept + 1 - usize::from(last.status == 0);
    assert_eq!(services(&answer(&env, "listed-after")).len(), kept);
}

#[test]
fn a_disk_without_room_for_a_registry_is_said_to_be_full() {
    let env = TestEnv::new();
    let script = "
        mkdir \"$disk/state\"
        dd if=/dev/zero of=\"$disk/ballast\" bs=1k 2>/dev/null
        run first allocate web --project p
        run listed list --all
        rm \"$disk/ballast\"
        run second allocate web --project p";
    if on_a_small_disk(&env, script).is_none() {
        return;
    }
    fails(&answer(&env, "first"), "unavailable", 6);
    assert_eq!(services(&answer(&env, "listed")), Vec::<Value>::new());
    assert_eq!(answer(&env, "second").status, 0);
}

#[test]
fn a_disk_that_became_read_only_is_still_read() {
    let env = TestEnv::new();
    let script = "
        run first allocate web --project p
        mount -o remount,ro \"$disk\" || exit 77
        run listed list --all
        run second allocate api --project p
        run released release web --project p
        mount -o remount,rw \"$disk\" || exit 77
        run third allocate api --project p";
    if on_a_small_disk(&env, script).is_none() {
        return;
    }
    assert_eq!(services(&answer(&env, "listed")), ["web"]);
    fails(&answer(&env, "second"), "denied", 128);
    fails(&answer(&env, "released"), "denied", 128);
    assert_eq!(answer(&env, "third").status, 0);
}
