//! Standard output that is full, closed, or read by a program: what holds for every command.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use crate::support::{GIT_PORT, Run, TestEnv, shape};

/// One line for each command that has an answer.
const ANSWERS: &[&str] = &[
    "allocate web",
    "get",
    "list",
    "check P",
    "stats",
    "stats dev",
    "summary",
    "update P --pin",
    "env",
    "url",
    "history",
    "range list",
    "reserve 65000",
    "unreserve 65000",
    "cleanup",
    "init --dry-run",
    "worktree list",
    "worktree path .",
    "completions bash",
    "completions zsh",
    "completions fish",
    "man",
    "--help",
    "--version",
    "list --help",
    "release web",
];

fn prepared() -> (TestEnv, PathBuf) {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    (env, repo)
}

fn words(env: &TestEnv, line: &str) -> Vec<String> {
    line.split(' ').map(|word| word.replace('P', &env.port(0).to_string())).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let (env, repo) = prepared();
    for line in ANSWERS {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = env.command(GIT_PORT, &repo).args(words(&env, line)).stdout(full).output().unwrap();
        let run = Run::of(output).exits_with(6);
        assert!(run.stderr.contains("error: cannot write the answer: "), "{line}: {run:?}");
        assert!(!run.stderr.contains("panicked"), "{line}: {run:?}");
    }
    for line in ["--json list", "--json list --nope", "--json get W"] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = env.command(GIT_PORT, &repo).args(words(&env, line)).stdout(full).output().unwrap();
        let run = Run::of(output);
        assert!(run.status > 0 && run.stderr.contains("error: cannot write the answer"), "{line}: {run:?}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (env, repo) = prepared();
    for line in ANSWERS.iter().chain(&["--json list", "--json list --nope"]) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = env.command(GIT_PORT, &repo).args(words(&env, line)).stdout(writer).output().unwrap();
        let run = Run::of(output);
        let negative = line.starts_with("check") || line.contains("--nope");
        assert_eq!(run.status == 0, !negative, "{line}: {run:?}");
        assert_eq!(run.stderr, "", "{line}");
    }
}

#[test]
fn standard_error_that_is_closed_changes_nothing() {
    let (env, repo) = prepared();
    for (line, status) in
        [("get W", 129), ("list --nope", 129), ("get nosuch --no-allocate", 1), ("list --all", 0)]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = env.command(GIT_PORT, &repo).args(words(&env, line)).stderr(writer).output().unwrap();
        let _ = Run::of(output).exits_with(status);
    }
}

#[test]
fn with_json_every_answer_is_one_object() {
    let (env, repo) = prepared();
    let no_objects = ["completions", "man", "--help", "--version", "list --help", "worktree path"];
    for line in ANSWERS.iter().filter(|line| !no_objects.iter().any(|no| line.starts_with(no))) {
        for words in [
            [vec!["--json".to_owned()], words(&env, line)].concat(),
            [words(&env, line), vec!["--json".to_owned()]].concat(),
        ] {
            let run = env.git_port(&repo, &words);
            if run.status != 0 && !line.starts_with("check") {
                assert_eq!(
                    run.object()["error"]["code"],
                    "not_found",
                    "{words:?}: only what is done already"
                );
            }
            assert_eq!(run.object()["version"], 1, "{words:?}");
            assert_eq!((run.stdout.lines().count(), &*run.stderr), (1, ""), "{words:?}: {run:?}");
        }
    }
}

#[test]
fn what_git_runs_and_what_a_user_runs_is_the_same() {
    let (env, repo) = prepared();
    assert_eq!(env.git(&repo, ["port", "get"]), env.ok(&repo, "get"));
    assert_eq!(env.git(&repo, ["port", "list"]), env.ok(&repo, "list"));
    let output = env.command("git", &repo).args(["port", "get", "W"]).output().unwrap();
    let _ = Run::of(output).exits_with(129);
}

#[test]
fn nothing_waits_for_input() {
    let (env, repo) = prepared();
    for line in ["get", "cleanup", "init", "release web", "release --worktree", "nope"] {
        let mut child = env
            .command(GIT_PORT, &repo)
            .args(words(&env, line))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Its end of the pipe stays open, so that whoever asked would wait for ever.
        let stdin = child.stdin.take();
        let mut answer = String::new();
        child.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
        child.wait().unwrap();
        drop(stdin);
    }
}

#[cfg(unix)]
#[test]
fn words_that_are_not_utf_8_are_refused_everywhere() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let (env, repo) = prepared();
    let books = env.books();
    let lines = [
        "allocate ?",
        "allocate web ?",
        "allocate web --port ?",
        "allocate web --project ?",
        "get ?",
        "get -e ?",
        "get --session ?",
        "list ?",
        "list -e ?",
        "list -p ?",
        "list --session ?",
        "list -s ?",
        "release ?",
        "release P ?",
        "check ?",
        "check P --protocol ?",
        "stats ?",
        "summary ?",
        "update ?",
        "update P --description ?",
        "update P --service ?",
        "cleanup --older-than ?",
        "env --format ?",
        "url ?",
        "history ?",
        "history -n ?",
        "range set ? 1-2",
        "range set x ?",
        "range unset ?",
        "reserve ?",
        "reserve 1 --reason ?",
        "unreserve ?",
        "completions ?",
        "init ?",
        "? list",
        "list --registry ?",
        "list --color ?",
        "list --?",
    ];
    for line in lines {
        let word = |word: String| match word.split_once('?') {
            Some((before, _)) => OsString::from_vec([before.as_bytes(), b"b\xffd"].concat()),
            None => OsString::from(word),
        };
        let words: Vec<OsString> = words(&env, line).into_iter().map(word).collect();
        let run = env.git_port(&repo, &words).exits_with(129);
        assert!(run.stdout.is_empty() && run.stderr.starts_with("error: "), "{line}: {run:?}");
        assert!(run.stderr.contains("b\\u{fffd}d"), "{line} does not name it: {run:?}");
        let run = env.git_port(&repo, words.into_iter().chain(["--json".into()])).exits_with(129);
        assert!(
            shape::error(&run.object(), "usage").contains("fffd") || run.stdout.contains("fffd"),
            "{line}: {run:?}"
        );
        assert_eq!(run.stderr, "", "{line}");
    }
    assert_eq!(env.books(), books);
}

#[test]
fn quiet_leaves_the_answer_and_the_error() {
    let (env, repo) = prepared();
    let run = env.git_port(&repo, ["-q", "release", "nosuch"]).exits_with(1);
    assert_eq!(run.stderr, "error: 'nosuch' has no allocation\n", "no hints");
    let run = env.git_port(&repo, ["get", "--quiet"]).success();
    assert_eq!((run.stdout, run.stderr), (format!("{}\n", env.port(0)), String::new()));
    let run = env.git_port(&repo, ["list", "-q", "-e", "test"]).success();
    assert_eq!((&*run.stdout, &*run.stderr), ("", ""));
}

#[test]
fn a_folder_that_is_gone_is_no_panic() {
    let (env, _) = prepared();
    let gone = env.root().join("gone");
    std::fs::create_dir(&gone).unwrap();
    let script =
        "rmdir ../gone; git-port get; echo \"$?\"; git-port allocate web --project x >/dev/null; echo \"$?\"";
    let run = Run::of(env.command("sh", &gone).args(["-c", script]).output().unwrap());
    assert_eq!(run.stdout, "128\n0\n", "{run:?}");
    assert!(!run.stderr.contains("panicked"), "{run:?}");
}

#[test]
fn a_registry_that_cannot_be_used_is_told() {
    let (env, repo) = prepared();
    let file = env.root().join("not-a-registry");
    std::fs::write(&file, "a text\n".repeat(1000)).unwrap();
    let writing = ["allocate api", "cleanup", "reserve 65000"];
    let all = ["list", "allocate api", "stats", "cleanup", "release web", "history", "check 65000"];
    for (registry, lines, code, named) in [
        (file.clone(), &all[..], "registry_damaged", "not-a-registry"),
        (env.root(), &all, "denied", "cannot open the registry"),
        (file.join("below"), &writing, "denied", "not-a-registry"),
    ] {
        let registry = registry.display().to_string();
        for line in lines {
            let words = ["--json", "--registry", &registry].into_iter().chain(line.split(' '));
            let run = env.git_port(&repo, words).exits_with(128);
            let object = run.object();
            assert!(shape::error(&object, code).contains(named), "{line}: {object}");
            assert_eq!(object["error"]["hints"].as_array().unwrap().len(), 1, "{line}: {object}");
        }
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a text\n".repeat(1000), "it is left as it was");
}

/// What a command prints on a terminal of so many columns.
fn on_a_terminal(env: &TestEnv, dir: &std::path::Path, columns: usize, words: &str) -> Vec<String> {
    let mut command = env.command("script", dir);
    let line = format!("stty rows 24 cols {columns}; git-port {words}");
    command.env("SHELL", "/bin/sh").env("TERM", "dumb").args(["-qec", &line, "/dev/null"]);
    let run = Run::of(command.output().unwrap()).success();
    run.stdout.lines().map(|line| line.trim_end_matches('\r').to_owned()).collect()
}

#[test]
fn what_takes_long_is_told_while_it_goes_on() {
    let (mut env, repo) = prepared();
    env.ok(&repo, "worktree create quick");
    env.ok(&repo, "worktree create slow");
    let quick = env.git_port(&repo, ["worktree", "remove", "quick"]).success();
    assert!(!quick.stderr.contains("removing the files"), "{quick:?}");
    // A git that has many files to remove.
    let bin = env.root().join("bin");
    fs::create_dir(&bin).unwrap();
    let path = std::env::var("PATH").unwrap();
    let script =
        format!("#!/bin/sh\ncase \"$*\" in *remove*) sleep 2;; esac\nPATH='{path}' exec git \"$@\"\n");
    fs::write(bin.join("git"), script).unwrap();
    fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    env.set("PATH", format!("{}:{path}", bin.display()));
    let slow = env.git_port(&repo, ["worktree", "remove", "slow"]).success();
    assert!(slow.stderr.contains("removing the files of '"), "{slow:?}");
    assert!(slow.stdout.starts_with("Worktree removed"), "{slow:?}");
}

#[test]
fn a_table_fits_the_terminal() {
    if std::process::Command::new("script").arg("--version").output().is_err() {
        return crate::support::herd::ignored_for_want_of("script");
    }
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let branch = "a-branch-with-a-name/that-goes-on-and-on-for-longer-than-anybody-would-read";
    env.ok(&repo, &format!("worktree create {branch}"));
    for words in ["list", "history", "worktree list", "stats", "summary", "range list", "cleanup --dry-run"] {
        let narrow = on_a_terminal(&env, &repo, 80, words);
        assert!(narrow.iter().all(|line| line.chars().count() <= 80), "{words}: {narrow:#?}");
    }
    let cut = on_a_terminal(&env, &repo, 80, "list").join("\n");
    assert!(cut.contains('…') && cut.contains(&env.port(0).to_string()), "{cut}");
    // All of it on a wide one, for who asks, and through a pipe.
    for whole in [
        on_a_terminal(&env, &repo, 300, "list").join("\n"),
        on_a_terminal(&env, &repo, 80, "list --verbose").join("\n"),
        env.ok(&repo, "list"),
    ] {
        assert!(whole.contains(branch) && !whole.contains('…'), "{whole}");
    }
}
