//! The main job: a worktree that has its own port, from making it to removing it.

use crate::support::TestEnv;

#[test]
fn a_worktree_has_its_port_from_making_to_removing() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let port = env.port(0);
    let made = env.ok(&repo, "worktree create feature-api");
    let path = env.root().join("shop-feature-api");
    let lines: Vec<&str> = made.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines[0], "Worktree created!");
    assert_eq!(lines[1], "Branch: feature-api");
    assert_eq!(lines[2], format!("Path: {}", path.display()));
    assert_eq!(lines[3], format!("Allocated Port: {port}"));
    assert!(lines[4].starts_with(&format!("Use: PORT={port} ")));
    assert_eq!(env.ok(&path, "get"), format!("{port}\n"));
    assert!(env.git(&path, ["status", "--porcelain"]).is_empty(), "the worktree is clean");
    let removed = env.ok(&repo, "worktree remove feature-api");
    assert_eq!(removed, "Worktree removed: shop-feature-api\nReleased 1 port\n");
    assert!(!path.exists());
    assert_eq!(env.json(&repo, "list")["allocations"], serde_json::json!([]));
}
