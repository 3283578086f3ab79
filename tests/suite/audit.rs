//! `git port audit`: the registry against the machine.

use std::fs;

use serde_json::json;

use crate::support::TestEnv;
use crate::support::server::Server;

#[test]
fn what_does_not_run_is_counted_and_is_no_conflict() {
    let env = TestEnv::new();
    let repo = env.repo("consilio");
    env.ok(&repo, "allocate web api websocket");
    let _server = Server::start(&repo, &format!("127.0.0.1:{}", env.port(0)));
    let audit = env.git_port(&repo, ["--json", "audit"]).success().object();
    assert_eq!(
        audit,
        json!({
            "version": 1, "allocated": 3, "in_use": 1, "not_running": 2, "unknown": 0,
            "conflicts": [], "orphaned": []
        })
    );
    let text = env.ok(&repo, "audit");
    assert!(text.contains("Allocated: 3\nIn use: 1\nNot running: 2\nConflicts: 0\nOrphaned: 0\n"), "{text}");
}

#[test]
fn a_foreign_process_is_a_conflict() {
    let env = TestEnv::new();
    let repo = env.repo("consilio");
    env.ok(&repo, "allocate web websocket");
    let port = env.port(1);
    let server = Server::start(&env.home(), &format!("127.0.0.1:{port}"));
    let audit = env.git_port(&repo, ["--json", "audit"]).exits_with(1).object();
    assert_eq!((&audit["in_use"], &audit["not_running"]), (&json!(1), &json!(1)));
    assert_eq!(audit["conflicts"].as_array().unwrap().len(), 1);
    let conflict = &audit["conflicts"][0];
    assert_eq!(conflict["port"], port);
    assert_eq!(conflict["expected"], "consilio/websocket");
    let actual = conflict["actual"].as_str().unwrap();
    let by = format!(" (pid {}) in {}", server.pid(), env.home().display());
    assert!(actual.ends_with(&by), "{actual}");
    let text = env.git_port(&repo, ["audit"]).exits_with(1).stdout;
    assert!(
        text.contains("EXPECTED") && text.contains("consilio/websocket") && text.contains(actual),
        "{text}"
    );
    // Other projects' ports are on the same machine, so it is the same from anywhere.
    env.git_port(&env.home(), ["audit"]).exits_with(1);
    server.stop();
    env.git_port(&repo, ["audit"]).success();
}

#[test]
fn a_worktree_that_is_gone_leaves_orphans_and_its_running_server_none() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create feature");
    let path = env.root().join("shop-feature");
    let server = Server::start(&path, &format!("127.0.0.1:{}", env.port(0)));
    fs::remove_dir_all(&path).unwrap();
    let audit = env.git_port(&repo, ["--json", "audit"]).success().object();
    assert_eq!((&audit["in_use"], &audit["orphaned"]), (&json!(1), &json!([])), "its server still runs");
    server.stop();
    let audit = env.git_port(&repo, ["--json", "audit"]).success();
    let object = audit.object();
    assert_eq!(object["orphaned"][0]["port"], env.port(0));
    assert_eq!(object["orphaned"][0]["state"], "orphaned");
    assert_eq!(object["not_running"], 1);
    let run = env.git_port(&repo, ["audit"]).success();
    assert!(run.stderr.contains("git port cleanup"), "{run:?}");
}

#[test]
fn nothing_allocated_is_nothing_wrong() {
    let env = TestEnv::new();
    let audit = env.git_port(&env.home(), ["--json", "audit"]).success().object();
    assert_eq!((&audit["allocated"], &audit["conflicts"]), (&json!(0), &json!([])));
}
