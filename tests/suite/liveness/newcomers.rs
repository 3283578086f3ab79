//! Worktrees that appear without any hook: the next command finds them, and so does a watch.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lab::Lab;
use crate::support::watcher::Watcher;

/// The ways of making a worktree at `work/made`, with the branch it has then.
const WAYS: &[(&str, Make)] = &[
    ("add", |lab| lab.git("worktree add -q ../work/made")),
    ("add --no-checkout", |lab| lab.git("worktree add -q --no-checkout ../work/made")),
    ("add --orphan", |lab| lab.git("worktree add -q --orphan -b empty ../work/made")),
    ("add --detach", |lab| lab.git("worktree add -q --detach ../work/made")),
    ("libgit2", |lab| {
        let repository = git2::Repository::open(&lab.repo).unwrap();
        let _ = repository.worktree("made", &made(lab), None).unwrap();
    }),
];

type Make = fn(&Lab);

fn made(lab: &Lab) -> PathBuf {
    lab.env.root().join("work/made")
}

fn populated() -> Lab {
    let mut lab = Lab::new();
    lab.populate();
    lab
}

fn ports(lab: &Lab, tree: &Path) -> Vec<u64> {
    let listed = lab.env.json(&lab.env.root(), "list --all");
    let listed = listed["allocations"].as_array().unwrap().iter();
    let own = listed.filter(|one| one["worktree"].as_str() == tree.to_str());
    own.map(|one| one["port"].as_u64().unwrap()).collect()
}

#[test]
fn the_next_command_finds_them() {
    for (name, make) in WAYS {
        let lab = populated();
        make(&lab);
        assert_eq!(ports(&lab, &made(&lab)).len(), 0, "{name}");
        lab.env.ok(&lab.repo, "list");
        assert_eq!(ports(&lab, &made(&lab)).len(), 1, "{name}");
        assert!(made(&lab).join(".git-port.env").exists(), "{name}");
    }
}

#[test]
fn a_watch_finds_them() {
    for (name, make) in WAYS {
        let lab = populated();
        // Only what the system says of folders is left to go by.
        let mut watcher = watch(&lab, "1h");
        make(&lab);
        let told = watcher.wait_for("allocated", |_| true);
        assert_eq!(told["worktree"].as_str(), made(&lab).to_str(), "{name}");
        assert_eq!(ports(&lab, &made(&lab)).len(), 1, "{name}");
    }
}

#[test]
fn a_worktree_in_the_making_is_left_alone() {
    let lab = populated();
    lab.git("worktree add -q --lock --reason initializing ../work/made");
    let mut watcher = watch(&lab, "200ms");
    for words in ["list", "cleanup", "stats"] {
        lab.env.ok(&lab.repo, words);
    }
    watcher.listen(Duration::from_millis(700));
    assert_eq!(watcher.count("allocated"), 0, "{:#?}", watcher.told);
    assert!(ports(&lab, &made(&lab)).is_empty());
    assert!(!lab.admin().with_file_name("made").join("git-port-id").exists());
    // It is made: git takes its lock away.
    fs::remove_file(lab.admin().with_file_name("made").join("locked")).unwrap();
    watcher.wait_for("allocated", |told| told["worktree"].as_str() == made(&lab).to_str());
}

#[test]
fn a_half_made_one_is_left_alone() {
    let lab = populated();
    let admin = lab.admin().with_file_name("made");
    fs::create_dir(&admin).unwrap();
    let mut watcher = watch(&lab, "200ms");
    for contents in [None, Some(""), Some("/nowhere/at/all/.git\n")] {
        if let Some(contents) = contents {
            fs::write(admin.join("gitdir"), contents).unwrap();
        }
        lab.env.ok(&lab.repo, "list");
        watcher.listen(Duration::from_millis(300));
    }
    assert_eq!(watcher.told.len(), 1, "{:#?}", watcher.told);
    assert!(!admin.join("git-port-id").exists());
}

/// git writes `HEAD` last, and in between syncs it, which takes seconds on a busy disk.
#[test]
fn one_without_a_head_is_left_alone() {
    let lab = populated();
    lab.git("worktree add -q --detach ../work/made");
    let admin = lab.admin().with_file_name("made");
    let head = fs::read(admin.join("HEAD")).unwrap();
    fs::rename(admin.join("HEAD"), admin.join("HEAD.lock")).unwrap();
    let mut watcher = watch(&lab, "200ms");
    lab.env.ok(&lab.repo, "list");
    fs::write(admin.join("HEAD"), "").unwrap();
    lab.env.ok(&lab.repo, "cleanup");
    watcher.listen(Duration::from_millis(300));
    assert_eq!(watcher.told.len(), 1, "{:#?}", watcher.told);
    assert!(!admin.join("git-port-id").exists());
    fs::write(admin.join("HEAD"), head).unwrap();
    watcher.wait_for("allocated", |told| told["worktree"].as_str() == made(&lab).to_str());
}

/// A cleanup in a loop must not take anything from worktrees that are just being made.
#[test]
fn what_is_being_made_is_never_released() {
    let lab = populated();
    let makers: Vec<_> = (0..12)
        .map(|number| {
            let tree = format!("../work/w{number}");
            let mut git = lab.env.command("git", &lab.repo);
            git.args(["worktree", "add", "-q", "--detach", &tree]).stderr(std::process::Stdio::null());
            git.spawn().unwrap()
        })
        .collect();
    for mut maker in makers {
        while maker.try_wait().unwrap().is_none() {
            let cleaned = lab.look(&lab.repo, "cleanup");
            assert_eq!(cleaned["released"].as_array().unwrap().len(), 0, "{cleaned:#}");
            lab.env.ok(&lab.repo, "list");
        }
    }
    lab.env.ok(&lab.repo, "list");
    let history = lab.env.ok(&lab.repo, "history");
    assert!(!history.contains("released"), "{history}");
}

fn watch(lab: &Lab, rescan: &str) -> Watcher {
    let mut command = lab.command(crate::support::GIT_PORT, &lab.env.root());
    command.args(["--json", "watch", "--grace", "200ms", "--rescan", rescan]);
    Watcher::start(command)
}
