//! What is left behind when nobody could tidy up.

use std::path::Path;

use rusqlite::Connection;
use rustix::process::Signal;

use super::{server_words, serving, state};
use crate::support::running::{Running, send, wait_for, with_stdin};
use crate::support::{GIT_PORT, TestEnv};

/// What is recorded of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    allocation: i64,
    host: String,
    pid: u32,
    started: i64,
    boot: String,
}

fn registry(env: &TestEnv) -> Connection {
    Connection::open(env.registry()).unwrap()
}

fn rows(env: &TestEnv) -> Vec<Row> {
    let registry = registry(env);
    let mut statement = registry
        .prepare("SELECT allocation, host, pid, started, boot FROM runs ORDER BY allocation")
        .unwrap();
    let rows = statement.query_map([], |row| {
        Ok(Row {
            allocation: row.get(0)?,
            host: row.get(1)?,
            pid: row.get(2)?,
            started: row.get(3)?,
            boot: row.get(4)?,
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn statuses(env: &TestEnv) -> Vec<String> {
    let registry = registry(env);
    let mut statement = registry.prepare("SELECT status FROM allocations ORDER BY id").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Starts a server in the worktree and waits until it listens and is recorded.
fn server(env: &TestEnv, dir: &Path, words: &[&str]) -> (Running, u32) {
    let before = rows(env);
    let mut run = serving(env, dir, words);
    run.says("listening");
    let new = || rows(env).into_iter().find(|row| !before.contains(row));
    let pid = wait_for("the record", new).pid;
    (run, pid)
}

pub(super) fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

#[track_caller]
fn is_gone(pid: u32) {
    wait_for("its end", || (!alive(pid)).then_some(()));
}

#[test]
fn a_run_that_ends_leaves_no_record() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let (mut run, _) = server(&env, &repo, &[]);
    assert_eq!(state(&env, &repo), "active");
    assert_eq!(statuses(&env), ["active"]);
    run.signal(Signal::TERM);
    assert_eq!(run.status(), 143);
    assert_eq!((rows(&env), statuses(&env)), (Vec::new(), vec!["allocated".to_owned()]));
    assert_eq!(state(&env, &repo), "allocated");
}

#[test]
fn a_server_that_is_killed_is_told_by_its_run() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let (mut run, pid) = server(&env, &repo, &[]);
    send(pid, Signal::KILL);
    assert_eq!(run.status(), 137);
    assert_eq!(state(&env, &repo), "allocated");
    assert_eq!((rows(&env), statuses(&env)), (Vec::new(), vec!["allocated".to_owned()]));
}

#[test]
fn a_server_outlives_its_run_and_is_still_known() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    // Not in the worktree: only its record says whose it is.
    let mut command = with_stdin(env.command(GIT_PORT, &repo));
    let words = server_words();
    command.args(["run", "--", "sh", "-c", "cd / && exec \"$@\"", "sh"]).args(&words[1..]);
    let mut run = Running::spawn(&env, command);
    run.says("listening");
    let server = wait_for("the record", || rows(&env).pop()).pid;
    run.signal(Signal::KILL);
    assert_eq!(run.status(), 137);
    assert!(alive(server));
    assert_eq!(state(&env, &repo), "active");
    // What is started beside it neither takes its record away nor is refused.
    env.ok(&repo, "run -- true");
    assert_eq!(rows(&env)[0].pid, server);
    assert_eq!(state(&env, &repo), "active");
    send(server, Signal::KILL);
    is_gone(server);
    assert_eq!(state(&env, &repo), "allocated");
    env.ok(&repo, "run -- true");
    assert_eq!((rows(&env), statuses(&env)), (Vec::new(), vec!["allocated".to_owned()]));
}

#[test]
fn both_killed_leave_what_the_next_run_or_cleanup_puts_right() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web api");
    for (run_first, put_right) in
        [(true, "run -- true"), (true, "cleanup"), (false, "run --service api -- true"), (false, "cleanup")]
    {
        let (mut run, server) = server(&env, &repo, &[]);
        if run_first {
            run.signal(Signal::KILL);
            assert_eq!(run.status(), 137);
            send(server, Signal::KILL);
        } else {
            // Stopped, so that it cannot notice the end of its program.
            run.signal(Signal::STOP);
            send(server, Signal::KILL);
            is_gone(server);
            assert_eq!(state(&env, &repo), "allocated", "its server has ended");
            run.signal(Signal::KILL);
            assert_eq!(run.status(), 137);
        }
        is_gone(server);
        assert_eq!(state(&env, &repo), "allocated");
        assert_eq!(rows(&env).len(), 1, "nobody was there to drop it");
        env.ok(&repo, put_right);
        assert_eq!(rows(&env), Vec::new(), "{put_right}");
        assert_eq!(statuses(&env), ["allocated", "allocated"], "{put_right}");
    }
}

#[test]
fn the_end_of_what_ran_beside_a_server_does_not_end_its_record() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let (mut run, server) = server(&env, &repo, &[]);
    env.ok(&repo, "run -- true");
    assert_eq!(rows(&env)[0].pid, server);
    assert_eq!(statuses(&env), ["active"]);
    run.signal(Signal::TERM);
    let _ = run.status();
    assert_eq!((rows(&env), statuses(&env)), (Vec::new(), vec!["allocated".to_owned()]));
}

#[test]
fn a_number_that_was_used_again_is_not_the_program() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let mut run = Running::start(&env, &repo, ["--", "sleep", "600"]);
    let row = wait_for("the record", || rows(&env).pop());
    assert_eq!(state(&env, &repo), "active", "it runs, though it listens nowhere");
    let other = Running::spawn(&env, {
        let mut command = env.command("sleep", &env.home());
        command.arg("600");
        command
    });
    run.signal(Signal::TERM);
    assert_eq!(run.status(), 143);
    let insert = |pid: u32, started: i64, boot: &str| {
        registry(&env)
            .execute(
                "INSERT OR REPLACE INTO runs (allocation, host, pid, started, boot, command, at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, 'sleep 600', 0)",
                (row.allocation, &row.host, pid, started, boot),
            )
            .unwrap();
    };
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", other.pid())).unwrap();
    // `starttime` is the 22nd field; the name in brackets is the second.
    let started: i64 = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap();
    insert(other.pid(), started, &row.boot);
    assert_eq!(state(&env, &repo), "active", "this row is of that very process");
    for (started, boot) in [(started - 1, row.boot.as_str()), (started, "another boot")] {
        insert(other.pid(), started, boot);
        assert_eq!(state(&env, &repo), "allocated", "{started} {boot}");
        env.ok(&repo, "run -- true");
        assert_eq!(rows(&env), Vec::new());
    }
}
