//! A copy of a worktree's folder, which git takes for the worktree itself.

use std::fs;
use std::path::PathBuf;

use super::lab::Lab;

fn copied() -> (Lab, PathBuf) {
    let mut lab = Lab::new();
    lab.populate();
    let copy = lab.env.root().join("work/beside");
    let _ = lab.run(&lab.env.root(), "cp -a work/topic work/beside");
    (lab, copy)
}

#[test]
fn a_copy_is_told_of_and_changes_nothing() {
    let (lab, copy) = copied();
    let place = |lab: &Lab| {
        let listed = lab.env.json(&lab.env.root(), "list --all");
        let found = listed["allocations"].as_array().unwrap().iter();
        let found = found.filter(|one| one["port"] == lab.tree_port);
        found.map(|one| one["worktree"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let copied = fs::read(copy.join(".git-port.env")).unwrap();
    for words in ["get", "list", "env", "allocate api"] {
        let run = lab.env.git_port(&copy, words.split(' ')).success();
        let warning =
            format!("warning: '{}' is a copy of the worktree '{}'", copy.display(), lab.tree.display());
        assert_eq!(run.stderr.matches(&warning).count(), 1, "{words}: {run:?}");
        assert_eq!(place(&lab), [lab.tree.to_str().unwrap()], "{words}");
    }
    assert_eq!(fs::read(copy.join(".git-port.env")).unwrap(), copied);
    assert!(fs::read_to_string(lab.tree.join(".git-port.env")).unwrap().contains("API_PORT="));
    // The original is told nothing.
    let run = lab.env.git_port(&lab.tree, ["get"]).success();
    assert_eq!((run.stdout, run.stderr.as_str()), (format!("{}\n", lab.tree_port), ""));
}

#[test]
fn a_copy_whose_original_is_gone_takes_its_place() {
    let (lab, copy) = copied();
    fs::remove_dir_all(&lab.tree).unwrap();
    let run = lab.env.git_port(&copy, ["list"]).success();
    assert!(!run.stderr.contains("is a copy"), "{run:?}");
    assert_eq!(lab.env.ok(&copy, "get"), format!("{}\n", lab.tree_port));
    let listed = lab.env.json(&copy, "list --worktree .");
    assert_eq!(listed["allocations"][0]["port"], lab.tree_port);
}

#[test]
fn a_copy_made_a_worktree_of_its_own_gets_ports_of_its_own() {
    let (lab, copy) = copied();
    fs::remove_dir_all(&copy).unwrap();
    lab.git("worktree add -q ../work/beside");
    let port: u16 = lab.env.ok(&copy, "get").trim().parse().unwrap();
    assert_ne!(port, lab.tree_port);
    assert!(lab.is_live(lab.tree_port));
}

#[test]
fn a_worktree_mounted_in_two_places_is_no_copy() {
    let mut lab = Lab::new();
    if !lab.isolate() {
        return crate::support::herd::ignored_for_want_of("mount namespace");
    }
    lab.populate();
    let other = lab.env.root().join("other-place");
    fs::create_dir(&other).unwrap();
    let _ = lab.run(&lab.env.root(), "mount --bind work/topic other-place");
    let mut command = lab.command(crate::support::GIT_PORT, &other);
    let run = crate::support::Run::of(command.arg("get").output().unwrap()).success();
    assert_eq!((run.stdout, run.stderr.as_str()), (format!("{}\n", lab.tree_port), ""));
}
