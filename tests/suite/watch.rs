//! `git port watch`: what it notices, how soon, and what it costs.

mod automatic;
mod cost;
mod service;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::server::Server;
use crate::support::watcher::Watcher;
use crate::support::{GIT_PORT, Run, TestEnv};

/// Never, as far as a test goes: what happens before that was noticed.
const NEVER: &str = "1h";

fn command(env: &TestEnv, grace: &str, rescan: &str) -> Command {
    let mut command = env.command(GIT_PORT, &env.root());
    command.args(["--json", "watch", "--grace", grace, "--rescan", rescan]);
    command
}

fn watch(env: &TestEnv, grace: &str, rescan: &str) -> Watcher {
    Watcher::start(command(env, grace, rescan))
}

/// Makes a worktree at `work/<name>` by plain git, and gives it a port.
fn worktree(env: &TestEnv, repo: &Path, name: &str) -> (PathBuf, u16) {
    let tree = env.root().join("work").join(name);
    env.git(repo, ["worktree", "add", "-q", tree.to_str().unwrap()]);
    let port = env.ok(&tree, "get").trim().parse().unwrap();
    (tree, port)
}

fn is_live(env: &TestEnv, port: u16) -> bool {
    let listed = env.json(&env.root(), "list --all");
    listed["allocations"].as_array().unwrap().iter().any(|one| one["port"] == port)
}

#[test]
fn a_deleted_worktree_is_released_within_seconds() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let (tree, port) = worktree(&env, &repo, "one");
    let mut watcher = watch(&env, "500ms", NEVER);
    let since = Instant::now();
    fs::remove_dir_all(&tree).unwrap();
    let told = watcher.wait_for("vanished", |_| true);
    let vanished = since.elapsed();
    assert_eq!(told["worktree"].as_str(), tree.to_str());
    let told = watcher.wait_for("released", |_| true);
    let released = since.elapsed();
    println!("vanished after {vanished:?}, released after {released:?}, with a grace of 500 ms");
    assert_eq!(told["allocations"][0]["port"], port);
    assert_eq!(told["allocations"][0]["state"], "released");
    assert!(released >= Duration::from_millis(500), "{released:?}");
    assert!(released < Duration::from_millis(500 + 2000) * slowness(), "{released:?}");
    assert!(!is_live(&env, port));
}

/// A machine that runs many tests at once is not as quick as it would be.
fn slowness() -> u32 {
    if std::env::var_os("GIT_PORT_TESTS_COMPLETE").is_some() { 1 } else { 4 }
}

#[test]
fn a_removal_by_git_is_released_within_seconds() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let ports: Vec<u16> = ["one", "two"].iter().map(|name| worktree(&env, &repo, name).1).collect();
    let mut watcher = watch(&env, "100ms", NEVER);
    for name in ["one", "two"] {
        env.git(&repo, ["worktree", "remove", &format!("../work/{name}")]);
    }
    for _ in &ports {
        watcher.wait_for("released", |_| true);
    }
    assert!(ports.iter().all(|port| !is_live(&env, *port)));
}

#[test]
fn a_move_within_the_grace_changes_nothing() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let (tree, port) = worktree(&env, &repo, "one");
    let away = env.root().join("work/away");
    let mut watcher = watch(&env, "3s", NEVER);
    fs::rename(&tree, &away).unwrap();
    watcher.wait_for("vanished", |_| true);
    fs::rename(&away, &tree).unwrap();
    watcher.wait_for("returned", |told| told["worktree"].as_str() == tree.to_str());
    // Long enough for a grace that was not called off.
    watcher.listen(Duration::from_millis(3500));
    assert_eq!(watcher.count("released"), 0, "{:#?}", watcher.told);
    assert!(is_live(&env, port));
}

#[test]
fn moves_by_git_and_repaired_ones_keep_the_port() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let (tree, port) = worktree(&env, &repo, "one");
    let mut watcher = watch(&env, "1s", "300ms");
    for number in 0..5 {
        let (from, to) =
            (if number % 2 == 0 { "one" } else { "away" }, if number % 2 == 0 { "away" } else { "one" });
        env.git(&repo, ["worktree", "move", &format!("../work/{from}"), &format!("../work/{to}")]);
    }
    fs::rename(env.root().join("work/away"), &tree).unwrap();
    env.git(&repo, ["worktree", "repair", tree.to_str().unwrap()]);
    watcher.listen(Duration::from_millis(1500));
    assert_eq!(watcher.count("released"), 0, "{:#?}", watcher.told);
    assert_eq!(env.ok(&tree, "get"), format!("{port}\n"));
}

/// git removes its folder `worktrees` with the last linked worktree, and the watch on it dies.
#[test]
fn the_folder_of_worktrees_may_vanish_and_come_back() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "get");
    let mut watcher = watch(&env, "100ms", NEVER);
    let tree = env.root().join("work/one");
    for round in 0..3 {
        env.git(&repo, ["worktree", "add", "-q", "-B", "one", tree.to_str().unwrap()]);
        let told = watcher.wait_for("allocated", |_| true);
        assert_eq!(told["worktree"].as_str(), tree.to_str(), "{round}");
        env.git(&repo, ["worktree", "remove", tree.to_str().unwrap()]);
        watcher.wait_for("released", |_| true);
        assert!(!repo.join(".git/worktrees").exists());
    }
}

#[test]
fn a_repository_that_is_new_to_git_port_is_noticed_in_time() {
    let env = TestEnv::new();
    let mut watcher = watch(&env, "100ms", "300ms");
    let repo = env.repo("shop");
    let (tree, _) = worktree(&env, &repo, "one");
    watcher.listen(Duration::from_secs(1));
    fs::remove_dir_all(&tree).unwrap();
    watcher.wait_for("released", |_| true);
}

#[test]
fn it_stops_when_it_is_asked_to() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let env = TestEnv::new();
        env.ok(&env.repo("shop"), "get");
        let (status, took, told) = watch(&env, "3s", NEVER).stop(signal);
        println!("{signal:?}: over after {took:?}");
        assert_eq!(status, Some(0), "{signal:?}");
        assert!(took < Duration::from_secs(1) * slowness(), "{signal:?}: {took:?}");
        let events: Vec<&str> = told.iter().map(|told| told["event"].as_str().unwrap()).collect();
        assert_eq!(events, ["started", "stopped"], "{signal:?}");
    }
}

#[test]
fn people_read_one_line_for_each_event() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let (tree, port) = worktree(&env, &repo, "one");
    let mut command = env.command(GIT_PORT, &env.root());
    let mut child = command
        .args(["watch", "--grace", "100ms", "--rescan", "100ms"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    fs::remove_dir_all(&tree).unwrap();
    let until = Instant::now() + crate::support::watcher::LONG;
    while is_live(&env, port) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(100));
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    let run = Run::of(wait(&mut child)).success();
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{run:?}");
    assert!(lines[1].starts_with("vanished ") || lines[0].starts_with("vanished "), "{run:?}");
    assert!(run.stdout.contains(&format!("released {port} of shop/shop-one\n")), "{run:?}");
    assert_eq!(lines[3], "stopped");
}

fn wait(child: &mut std::process::Child) -> std::process::Output {
    use std::io::Read;
    let mut stdout = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    std::process::Output { status: child.wait().unwrap(), stdout, stderr: Vec::new() }
}

#[test]
fn a_registry_that_is_held_or_gone_for_a_while_is_told_once() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let (tree, port) = worktree(&env, &repo, "one");
    let mut watcher = watch(&env, "100ms", "200ms");
    // A folder in its place; what it held is put aside.
    let aside = env.root().join("aside");
    let folder = env.registry().parent().unwrap().to_owned();
    fs::rename(&folder, &aside).unwrap();
    fs::create_dir_all(env.registry()).unwrap();
    watcher.wait_for("trouble", |_| true);
    fs::remove_dir_all(&tree).unwrap();
    watcher.listen(Duration::from_millis(1500));
    assert!(watcher.count("trouble") <= 2, "{:#?}", watcher.told);
    assert_eq!(watcher.count("released"), 0);
    fs::remove_dir_all(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    watcher.wait_for("released", |told| told["allocations"][0]["port"] == port);
    let (status, ..) = watcher.stop(Signal::TERM);
    assert_eq!(status, Some(0));
}

#[test]
fn what_is_served_although_it_is_gone_is_told_once_and_released_when_that_ends() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let (tree, port) = worktree(&env, &repo, "one");
    let server = Server::start(&env.root(), &format!("127.0.0.1:{port}"));
    let mut watcher = watch(&env, "100ms", "200ms");
    env.git(&repo, ["worktree", "remove", tree.to_str().unwrap()]);
    watcher.wait_for("vanished", |_| true);
    watcher.listen(Duration::from_secs(1));
    assert_eq!(watcher.told.len(), 2, "{:#?}", watcher.told);
    assert!(is_live(&env, port));
    server.stop();
    watcher.wait_for("released", |_| true);
    assert!(!is_live(&env, port));
}

#[test]
fn a_registry_that_somebody_writes_to_for_long_is_waited_for() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let (tree, port) = worktree(&env, &repo, "one");
    let mut watcher = watch(&env, "100ms", "200ms");
    let holder = rusqlite::Connection::open(env.registry()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    fs::remove_dir_all(&tree).unwrap();
    watcher.wait_for("trouble", |_| true);
    assert_eq!(watcher.count("released"), 0);
    holder.execute_batch("ROLLBACK").unwrap();
    watcher.wait_for("released", |told| told["allocations"][0]["port"] == port);
    assert_eq!(watcher.count("vanished"), 1, "{:#?}", watcher.told);
}

/// Without a single watch, it looks from time to time.
#[test]
fn where_the_system_refuses_to_watch_it_says_so_once_and_looks() {
    for limit in ["max_inotify_watches", "max_inotify_instances"] {
        let env = TestEnv::new();
        let repo = env.repo("shop");
        let (_, first) = worktree(&env, &repo, "one");
        let (tree, port) = worktree(&env, &env.repo("other"), "two");
        let script = format!("echo 0 >/proc/sys/user/{limit} && exec \"$@\"");
        let isolated = |words: &[&str]| {
            let mut command = env.command("unshare", &env.root());
            command.args(["--user", "--map-root-user", "sh", "-c", &script, "sh"]).args(words);
            command
        };
        if !isolated(&["true"]).output().is_ok_and(|output| output.status.success()) {
            return crate::support::herd::ignored_for_want_of("user namespace");
        }
        let words = [GIT_PORT, "--json", "watch", "--grace", "100ms", "--rescan", "200ms"];
        let mut watcher = Watcher::start(isolated(&words));
        fs::remove_dir_all(&tree).unwrap();
        watcher.wait_for("released", |told| told["allocations"][0]["port"] == port);
        watcher.listen(Duration::from_millis(700));
        let troubles: Vec<_> = watcher.told.iter().filter(|told| told["event"] == "trouble").collect();
        assert_eq!(troubles.len(), 1, "{limit}: {troubles:#?}");
        let message = troubles[0]["message"].as_str().unwrap();
        println!("{limit}: {message}");
        assert!(message.starts_with("cannot watch '") && message.contains("looking every"), "{message}");
        assert!(is_live(&env, first));
    }
}

/// What the clock says releases nothing: the grace is measured by another one.
#[test]
fn a_clock_that_jumps_releases_nothing() {
    for time in ["1999-01-01T00:00:00Z", "2099-01-01T00:00:00Z"] {
        let mut env = TestEnv::new();
        let repo = env.repo("shop");
        let (tree, port) = worktree(&env, &repo, "one");
        let (locked, locked_port) = worktree(&env, &repo, "two");
        env.git(&repo, ["worktree", "lock", "../work/two"]);
        fs::remove_dir_all(&locked).unwrap();
        env.variables.push(("GIT_PORT_TIME".to_owned(), time.to_owned()));
        let mut watcher = watch(&env, "1h", "100ms");
        watcher.listen(Duration::from_millis(500));
        // Gone, but not for an hour, whatever the clock says.
        fs::remove_dir_all(&tree).unwrap();
        watcher.wait_for("vanished", |_| true);
        watcher.listen(Duration::from_millis(500));
        assert!(is_live(&env, port) && is_live(&env, locked_port), "{time}: {:#?}", watcher.told);
    }
}
