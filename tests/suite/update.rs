//! `git port update`

use serde_json::{Value, json};

use crate::support::{TestEnv, shape};

#[test]
fn each_field_is_changed_and_emptied() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let port = env.port(0).to_string();
    for (option, field) in [
        ("--description", "description"),
        ("--type", "service_type"),
        ("--public-hostname", "public_hostname"),
    ] {
        let run = env.git_port(&repo, ["--json", "update", &port, option, "new"]).success();
        let answer = run.object();
        let allocations = shape::lists(&answer, &["allocations", "warnings"]);
        shape::has(&allocations[0], shape::ALLOCATION);
        assert_eq!(allocations[0][field], "new");
        assert_eq!(env.one(&repo, "list")[field], "new");
        let run = env.git_port(&repo, ["update", option, "", &port]).success();
        assert_eq!(run.stdout, format!("Port {port} updated\n"));
        assert_eq!(env.one(&repo, "list")[field], Value::Null);
    }
}

#[test]
fn a_service_is_renamed() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web api");
    let one = env.one(&repo, &format!("update {} --service backend", env.port(1)));
    assert_eq!((&one["service"], &one["variable"]), (&json!("backend"), &json!("BACKEND_PORT")));
    assert_eq!(env.ok(&repo, "get backend"), format!("{}\n", env.port(1)));
    assert!(env.ok(&repo, "env").contains(&format!("BACKEND_PORT='{}'", env.port(1))));
}

#[test]
fn a_pin_keeps_a_port_from_a_cleanup() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create gone");
    let port = env.port(0);
    assert_eq!(env.one(&repo, &format!("update {port} --pin"))["pinned"], true);
    std::fs::remove_dir_all(env.root().join("shop-gone")).unwrap();
    let answer = env.json(&repo, "cleanup");
    assert_eq!(answer["released"], json!([]));
    assert!(answer["kept"][0]["reason"].as_str().unwrap().contains("pinned"), "{answer}");
    assert_eq!(env.one(&repo, &format!("update --unpin {port}"))["pinned"], false);
    assert_eq!(env.json(&repo, "cleanup")["released"][0]["port"], port);
}

#[test]
fn by_protocol() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    env.ok(&repo, "allocate dns --protocol udp");
    let one = env.one(&repo, &format!("update {} --protocol udp --description names", env.port(0)));
    assert_eq!((&one["service"], &one["description"]), (&json!("dns"), &json!("names")));
}

#[test]
fn nothing_new_is_no_event() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web --description x");
    env.ok(&repo, &format!("update {} --description x --service web --unpin", env.port(0)));
    assert_eq!(env.json(&repo, "history")["events"].as_array().unwrap().len(), 1);
    env.ok(&repo, &format!("update {} --description y --pin", env.port(0)));
    let event = env.json(&repo, "history")["events"][0].clone();
    assert_eq!((&event["event"], &event["reason"]), (&json!("updated"), &json!("description, pinned")));
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web api");
    env.ok(&repo, "release api");
    env.ok(&repo, "allocate db");
    let (web, api) = (env.port(0).to_string(), env.port(1).to_string());
    shape::refuses(
        &env,
        &repo,
        &[
            (&["update"], 129, "usage", "<port>"),
            (&["update", &web], 129, "usage", "nothing is named to change"),
            (&["update", "web", "--pin"], 129, "usage", "'web'"),
            (&["update", "0", "--pin"], 129, "usage", "'0'"),
            (&["update", &web, "--pin", "--unpin"], 129, "usage", "--unpin"),
            (&["update", &web, "--service", "W"], 129, "usage", "'W'"),
            (&["update", &web, "--service", "a\u{1b}"], 129, "usage", "'a\u{1b}'"),
            (&["update", &web, "--protocol", "x", "--pin"], 129, "usage", "'x'"),
            (&["update", &web, "--description"], 129, "usage", "--description"),
            (&["update", &web, "--public-hostname", "evil/x"], 129, "usage", "'evil/x'"),
            (&["update", &web, "--port", "1"], 129, "usage", "'--port'"),
            (&["update", &web, "--protocol", "udp", "--pin"], 1, "not_found", &web),
            (&["update", &api, "--pin"], 1, "not_found", &api),
            (&["update", &web, "--service", "db"], 4, "conflict", "'db'"),
        ],
    );
}
