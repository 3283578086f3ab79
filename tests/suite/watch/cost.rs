//! What a watch costs while nothing happens, and after much has happened.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::{NEVER, watch};
use crate::support::TestEnv;
use crate::support::watcher::Watcher;

/// How many worktrees are watched.
const WORKTREES: usize = 200;

/// Makes this many worktrees as cheaply as git allows, with a port each.
fn many(env: &mut TestEnv, repo: &PathBuf, count: usize) -> Vec<PathBuf> {
    let ranges = format!("{}-{}", env.first, env.first + 199);
    env.variables.push(("GIT_PORT_RANGES_DEV".to_owned(), ranges));
    for (name, outside) in [("TEST", "60000-60001"), ("PRODUCTION", "60002-60003")] {
        env.variables.push((format!("GIT_PORT_RANGES_{name}"), outside.to_owned()));
    }
    let trees: Vec<PathBuf> = (0..count).map(|number| env.root().join(format!("work/w{number}"))).collect();
    let repository = git2::Repository::open(repo).unwrap();
    fs::create_dir_all(env.root().join("work")).unwrap();
    for (number, tree) in trees.iter().enumerate() {
        let _ = repository.worktree(&format!("w{number}"), tree, None).unwrap();
    }
    trees
}

fn cpu(watcher: &Watcher) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", watcher.pid())).unwrap();
    let fields: Vec<u64> =
        stat.rsplit(')').next().unwrap().split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    // User and system time, in hundredths of a second on every Linux there is.
    Duration::from_millis((fields[11] + fields[12]) * 10)
}

fn descriptors(watcher: &Watcher) -> usize {
    fs::read_dir(format!("/proc/{}/fd", watcher.pid())).unwrap().count()
}

/// Resident memory in kilobytes.
fn memory(watcher: &Watcher) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", watcher.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn two_hundred_worktrees_cost_nothing_while_nothing_happens() {
    let mut env = TestEnv::new();
    let repo = env.repo("shop");
    // Makes the repository known; the port of the main worktree is not needed, and there are just enough.
    env.ok(&repo, "get");
    env.ok(&repo, "release --worktree");
    many(&mut env, &repo, WORKTREES);
    let mut watcher = watch(&env, "3s", "1m");
    watcher.listen(Duration::from_secs(1));
    assert_eq!(watcher.count("allocated"), WORKTREES, "{:?}", watcher.told.last());
    let before = cpu(&watcher);
    watcher.listen(Duration::from_secs(5));
    let used = cpu(&watcher).saturating_sub(before);
    println!(
        "{WORKTREES} worktrees: {used:?} of CPU in 5 s, {} descriptors, {} kB",
        descriptors(&watcher),
        memory(&watcher)
    );
    assert!(used < Duration::from_millis(50), "{used:?}");
    assert!(descriptors(&watcher) < 30, "{}", descriptors(&watcher));
}

#[test]
fn much_that_happens_leaves_nothing_behind() {
    const WARM: usize = 10;
    // Each takes half a second of waiting.
    let rounds = if std::env::var_os("GIT_PORT_TESTS_COMPLETE").is_some() { 200 } else { 30 };
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "get");
    let mut watcher = watch(&env, "1ms", NEVER);
    let tree = env.root().join("work/one");
    let repository = git2::Repository::open(&repo).unwrap();
    fs::create_dir_all(env.root().join("work")).unwrap();
    let mut after_warming = None;
    for round in 0..rounds {
        if round == WARM {
            after_warming = Some((descriptors(&watcher), memory(&watcher)));
        }
        let branch = repository.find_reference("refs/heads/one").ok();
        let mut options = git2::WorktreeAddOptions::new();
        options.reference(branch.as_ref());
        let _ = repository.worktree("one", &tree, Some(&options)).unwrap();
        watcher.wait_for("allocated", |_| true);
        fs::remove_dir_all(&tree).unwrap();
        fs::remove_dir_all(repo.join(".git/worktrees")).unwrap();
        watcher.wait_for("released", |_| true);
    }
    let (descriptors_before, memory_before) = after_warming.unwrap();
    // One may just be open, to be closed in a moment; what leaks stays.
    let looks = (0..20).map(|_| {
        watcher.listen(Duration::from_millis(100));
        descriptors(&watcher)
    });
    let (descriptors, memory) = (looks.min().unwrap(), memory(&watcher));
    println!(
        "{rounds} rounds: descriptors {descriptors_before} → {descriptors}, kB {memory_before} → {memory}"
    );
    assert!(descriptors <= descriptors_before, "{descriptors_before} → {descriptors}");
    assert!(memory < memory_before + 4096, "{memory_before} → {memory} kB");
}
