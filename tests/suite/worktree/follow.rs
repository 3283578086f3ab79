//! What becomes of ports when git moves, repairs, locks or prunes worktrees, or a person moves folders.

use std::fs;

use super::{live, port_of};
use crate::support::{Run, TestEnv};

#[test]
fn ports_follow_a_worktree_that_moves() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create x");
    let (old, new) = (env.root().join("shop-x"), env.root().join("elsewhere"));
    let port = port_of(&env, &old);
    env.ok(&repo, "worktree move ../shop-x ../elsewhere");
    assert!(!old.exists());
    let listed = env.json(&repo, "list");
    assert_eq!(listed["allocations"][0]["worktree"], new.to_str().unwrap());
    assert_eq!(port_of(&env, &new), port);
    let variables = fs::read_to_string(new.join(".git-port.env")).unwrap();
    assert!(
        variables.contains(new.to_str().unwrap()) && !variables.contains(old.to_str().unwrap()),
        "{variables}"
    );
    // By hand, and repaired.
    fs::rename(&new, &old).unwrap();
    env.ok(&repo, &format!("worktree repair {}", old.display()));
    assert_eq!(port_of(&env, &old), port);
    assert_eq!(env.json(&repo, "list")["allocations"][0]["worktree"], old.to_str().unwrap());
    assert_eq!(live(&env, &repo), 1);
}

#[test]
fn ports_follow_a_repository_that_moves() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create x");
    env.ok(&repo, "worktree create y");
    let (tree, moved) = (env.root().join("shop-x"), env.root().join("moved"));
    let port = port_of(&env, &tree);
    fs::rename(&repo, &moved).unwrap();
    env.ok(&moved, "worktree repair");
    assert_eq!(port_of(&env, &tree), port);
    // Also when git alone removes it.
    env.git(&moved, ["worktree", "remove", "../shop-y"]);
    assert_eq!(env.json(&moved, "worktree prune")["allocations"][0]["branch"], "y");
    let removed = env.ok(&moved, "worktree remove x");
    assert!(removed.contains("Released 1 port\n"), "{removed}");
}

#[test]
fn a_copied_repository_leaves_the_originals_ports_alone() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create x");
    let copy = env.root().join("copy");
    let _ =
        Run::of(env.command("cp", &env.root()).arg("-a").arg(&repo).arg(&copy).output().unwrap()).success();
    env.ok(&copy, "worktree lock ../shop-x");
    env.ok(&copy, "worktree unlock ../shop-x");
    fs::rename(env.root().join("shop-x"), env.root().join("away")).unwrap();
    env.ok(&copy, "worktree prune --expire now");
    fs::rename(env.root().join("away"), env.root().join("shop-x")).unwrap();
    assert_eq!(port_of(&env, &env.root().join("shop-x")), u64::from(env.port(0)));
}

#[test]
fn a_lock_protects_and_prune_releases() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create x");
    env.ok(&repo, "worktree create y");
    env.ok(&repo, "worktree lock --reason disk ../shop-x");
    assert_eq!(env.json(&repo, "worktree list")["worktrees"][1]["locked"], true);
    for name in ["x", "y"] {
        fs::remove_dir_all(env.root().join(format!("shop-{name}"))).unwrap();
    }
    let dry = env.git_port(&repo, ["worktree", "prune", "-n"]).success();
    assert!(!dry.stderr.contains("Released"), "{dry:?}");
    assert_eq!(live(&env, &repo), 2);
    let run = env.git_port(&repo, ["worktree", "prune"]).success();
    assert!(run.stderr.contains(&format!("Released Port: {} (shop-y)\n", env.port(1))), "{run:?}");
    assert_eq!(live(&env, &repo), 1);
    env.ok(&repo, "worktree unlock ../shop-x");
    env.ok(&repo, "worktree prune");
    assert_eq!(live(&env, &repo), 0);
}

#[test]
fn a_missing_worktree_can_be_removed_by_its_name() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create x");
    fs::remove_dir_all(env.root().join("shop-x")).unwrap();
    let said = env.ok(&repo, "worktree remove x");
    assert!(said.contains("Released 1 port\n"), "{said}");
}
