//! `git port release`

use serde_json::json;

use crate::support::{TestEnv, shape};

#[test]
fn the_object_has_what_was_released() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let answer = env.json(&repo, "release web");
    let released = shape::lists(&answer, &["released", "warnings"]);
    assert_eq!(released.len(), 1);
    shape::has(&released[0], shape::ALLOCATION);
    assert_eq!((&released[0]["status"], &released[0]["state"]), (&json!("released"), &json!("released")));
    assert!(released[0]["released_at"].is_string());
}

#[test]
fn by_port_by_service_and_several_at_once() {
    for line in
        ["release P web", "release web P", "rm P web", "release web --environment dev P", "-q release P web"]
    {
        let env = TestEnv::new();
        let repo = env.repo("shop");
        env.ok(&repo, "allocate api web db");
        let port = env.port(0);
        let text = env.ok(&repo, &line.replace('P', &port.to_string()));
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        let expected = [port, port + 1].map(|port| format!("Port {port} released successfully"));
        assert_eq!(lines, expected, "{line}");
        assert_eq!(env.listed(&repo, ""), [u64::from(env.port(2))]);
    }
}

#[test]
fn a_port_named_twice_is_released_once() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let answer = env.json(&repo, &format!("release {0} {0} web", env.port(0)));
    assert_eq!(answer["released"].as_array().unwrap().len(), 1);
    assert_eq!(env.json(&repo, "history")["events"].as_array().unwrap().len(), 2);
}

#[test]
fn all_of_a_worktree() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create topic --service web --service api");
    let topic = env.root().join("shop-topic");
    env.ok(&repo, "allocate web");
    for (dir, line, left) in
        [(&topic, "release --worktree".to_owned(), 1), (&repo, "release -w".to_owned(), 0)]
    {
        env.ok(dir, &line);
        assert_eq!(env.listed(&repo, "").len(), left, "{line}");
    }
    env.ok(&topic, "allocate web api");
    env.ok(&env.root(), "release --worktree shop-topic");
    assert_eq!(env.listed(&repo, ""), [0; 0], "by a path from outside");
    assert!(topic.join("README").exists(), "the worktree itself stays");
}

#[test]
fn the_folder_may_be_gone() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create topic");
    std::fs::remove_dir_all(env.root().join("shop-topic")).unwrap();
    env.ok(&repo, "release --worktree ../shop-topic");
    assert_eq!(env.listed(&repo, ""), [0; 0]);
}

#[test]
fn a_service_is_the_worktrees_own() {
    let env = TestEnv::new();
    let (shop, other) = (env.repo("shop"), env.repo("other"));
    env.ok(&shop, "allocate web");
    env.ok(&other, "allocate web");
    env.ok(&other, "allocate edge production");
    env.ok(&other, "release web");
    assert_eq!(env.listed(&shop, ""), [u64::from(env.port(0))]);
    env.ok(&other, "release edge");
    env.ok(&shop, "allocate api --project outside");
    env.git_port(&shop, ["release", "api"]).exits_with(1);
    env.ok(&env.root(), "release api --project outside");
    assert_eq!(env.listed(&shop, "--all"), [u64::from(env.port(0))]);
}

#[test]
fn one_environment_or_protocol_only() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    env.ok(&repo, "allocate web test");
    env.ok(&repo, "allocate web --protocol udp");
    env.ok(&repo, "release web -e test");
    assert_eq!(env.listed(&repo, "-e test"), [0; 0]);
    env.ok(&repo, &format!("release {} --protocol udp", env.port(0)));
    assert_eq!(env.one(&repo, "list")["protocol"], "tcp");
}

#[test]
fn what_is_refused_changes_nothing() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let (taken, free) = (env.port(0).to_string(), env.port(1).to_string());
    shape::refuses(
        &env,
        &repo,
        &[
            (&["release"], 129, "usage", "nothing is named"),
            (&["release", "0"], 129, "usage", "'0'"),
            (&["release", "65536"], 129, "usage", "'65536'"),
            (&["release", "8x"], 129, "usage", "'8x'"),
            (&["release", "Web"], 129, "usage", "'Web'"),
            (&["release", ""], 129, "usage", "''"),
            (&["release", "w\u{1b}"], 129, "usage", "'w\u{1b}'"),
            (&["release", "web", "--project", "a b"], 129, "usage", "'a b'"),
            (&["release", "web", "--protocol", "icmp"], 129, "usage", "'icmp'"),
            (&["release", "web", "-e", "D"], 129, "usage", "'D'"),
            (&["release", &free], 1, "not_found", &free),
            (&["release", "api"], 1, "not_found", "'api'"),
            (&["release", "web", &free], 1, "not_found", &free),
            (&["release", &taken, "api"], 1, "not_found", "'api'"),
            (&["release", "web", "-e", "test"], 1, "not_found", "'web'"),
            (&["release", "web", "--project", "other"], 1, "not_found", "'web'"),
            (&["release", "--worktree=nowhere"], 1, "not_found", "'nowhere'"),
        ],
    );
    shape::refuses(
        &env,
        &env.root(),
        &[(&["release", "web"], 128, "not_a_repository", "not a git repository")],
    );
}
