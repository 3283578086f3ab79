//! What was released wrongly, or made again, has its ports back; what merely has the same name has not.

use std::fs;
use std::path::Path;

use super::lab::Lab;

fn populated() -> Lab {
    let mut lab = Lab::new();
    lab.populate();
    lab
}

fn port(lab: &Lab, dir: &Path) -> u16 {
    lab.env.ok(dir, "get").trim().parse().unwrap()
}

fn clean_up(lab: &Lab) {
    let _ = lab.look(&lab.env.root(), "cleanup");
    assert!(!lab.is_live(lab.tree_port));
}

#[test]
fn a_branch_made_again_has_its_port_back() {
    let lab = populated();
    lab.git("worktree remove ../work/topic");
    clean_up(&lab);
    lab.git("worktree add -q ../work/another topic");
    assert_eq!(port(&lab, &lab.env.root().join("work/another")), lab.tree_port);
}

#[test]
fn a_branch_made_again_has_its_port_back_although_others_came_between() {
    let lab = populated();
    lab.git("worktree remove ../work/topic");
    clean_up(&lab);
    lab.git("worktree add -q ../work/another");
    assert_ne!(port(&lab, &lab.env.root().join("work/another")), lab.tree_port);
    lab.git("worktree add -q ../work/topic topic");
    assert_eq!(port(&lab, &lab.tree), lab.tree_port);
}

#[test]
fn a_worktree_moved_by_hand_and_released_has_its_port_back() {
    let lab = populated();
    let moved = lab.env.root().join("work/moved");
    fs::rename(&lab.tree, &moved).unwrap();
    clean_up(&lab);
    assert_eq!(port(&lab, &moved), lab.tree_port);
    lab.git("worktree repair ../work/moved");
    assert_eq!(port(&lab, &moved), lab.tree_port);
    assert!(lab.is_live(lab.tree_port));
}

#[test]
fn a_repository_moved_and_released_has_its_ports_back() {
    let lab = populated();
    let moved = lab.env.root().join("moved");
    fs::rename(lab.env.root().join("shop"), &moved).unwrap();
    let _ = lab.look(&lab.env.root(), "cleanup");
    assert!(!lab.is_live(lab.main_port));
    assert!(lab.is_live(lab.tree_port));
    // By its token: its folder's name, and so the project's, is another one.
    lab.env.git(&moved, ["config", "extensions.worktreeConfig", "false"]);
    fs::rename(&moved, lab.env.root().join("shop")).unwrap();
    assert_eq!(port(&lab, &lab.repo), lab.main_port);
}

#[test]
fn a_worktree_unmounted_for_long_keeps_its_port() {
    let mut lab = Lab::new();
    if !lab.isolate() {
        return crate::support::herd::ignored_for_want_of("mount namespace");
    }
    let _ = lab.run(&lab.env.root(), "mkdir disk");
    let _ = lab.run(&lab.env.root(), "mount --bind disk work");
    lab.populate();
    let _ = lab.run(&lab.env.root(), "umount work");
    for day in ["2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z"] {
        lab.env.variables.push(("GIT_PORT_TIME".to_owned(), day.to_owned()));
        let _ = lab.look(&lab.env.root(), "cleanup");
        assert!(lab.is_live(lab.tree_port));
    }
    let _ = lab.run(&lab.env.root(), "mount --bind disk work");
    let cleaned = lab.look(&lab.env.root(), "cleanup");
    assert_eq!(cleaned["kept"].as_array().unwrap().len(), 0, "{cleaned:#}");
    assert!(lab.is_live(lab.tree_port));
}

/// git uses the name of an administrative directory again at once.
#[test]
fn the_same_folder_with_another_branch_inherits_nothing_and_loses_nothing() {
    for look in ["list", "cleanup"] {
        let lab = populated();
        lab.git("worktree remove ../work/topic");
        lab.git("worktree add -q -b other ../work/topic");
        assert!(lab.admin().is_dir());
        for _ in 0..2 {
            let _ = lab.look(&lab.repo, look);
        }
        let other = port(&lab, &lab.tree);
        assert_ne!(other, lab.tree_port, "{look}");
        for _ in 0..2 {
            let _ = lab.look(&lab.env.root(), "cleanup");
        }
        assert!(lab.is_live(other), "{look}");
        assert!(!lab.is_live(lab.tree_port), "{look}: the old one is released");
        assert_eq!(port(&lab, &lab.tree), other, "{look}");
    }
}

#[test]
fn the_same_folder_with_the_same_branch_has_the_same_port() {
    let lab = populated();
    lab.git("worktree remove ../work/topic");
    lab.git("worktree add -q ../work/topic topic");
    let _ = lab.look(&lab.repo, "list");
    assert_eq!(port(&lab, &lab.tree), lab.tree_port);
    let _ = lab.look(&lab.env.root(), "cleanup");
    assert!(lab.is_live(lab.tree_port));
}

#[test]
fn a_worktree_that_lost_its_token_keeps_its_port() {
    for words in ["list", "get", "env"] {
        let lab = populated();
        let file = lab.admin().join("git-port-id");
        let token = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        lab.env.ok(&lab.tree, words);
        assert_eq!(fs::read(&file).unwrap(), token, "{words}");
        assert_eq!(port(&lab, &lab.tree), lab.tree_port, "{words}");
        let cleaned = lab.look(&lab.env.root(), "cleanup");
        assert_eq!(cleaned["kept"].as_array().unwrap().len(), 0, "{cleaned:#}");
    }
}
