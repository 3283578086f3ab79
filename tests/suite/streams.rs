//! Standard output that is full, closed, or read by a program: what holds for every command.

use std::io::Read;
use std::path::PathBuf;
use std::process::Stdio;

use crate::support::{GIT_PORT, Run, TestEnv};

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
