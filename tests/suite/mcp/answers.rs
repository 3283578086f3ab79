//! What the tools answer: the same as the commands, and nothing that an agent must not do.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::{Session, text};
use crate::support::TestEnv;
use crate::support::server::Server;

const REVISION: &str = "2025-11-25";

/// A registry that holds still.
fn env() -> TestEnv {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_TIME", "2026-01-01T00:00:00Z");
    env
}

/// Says whether the object has all that the other has, whatever else it has.
fn holds(object: &Value, other: &Value) -> bool {
    other.as_object().unwrap().iter().all(|(key, value)| object[key] == *value)
}

#[test]
fn a_tool_answers_as_the_command_does() {
    let env = env();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web api");
    let port = env.port(1);
    let here = text(&repo);
    let mut session = Session::open(&env, &env.root(), REVISION);
    for (tool, arguments, words) in [
        ("get-port", json!({ "worktree": here, "service": "web" }), "get web"),
        ("get-port", json!({ "project": "shop", "service": "web" }), "get shop/web"),
        ("list-ports", json!({ "worktree": here }), "list --worktree"),
        ("list-ports", json!({ "worktree": here, "scope": "project" }), "list"),
        ("list-ports", json!({ "scope": "all" }), "list --all"),
        ("audit-ports", json!({}), "audit"),
        ("check-port", json!({ "ports": [port, 65000] }), &format!("check {port} 65000")),
        ("cleanup-ports", json!({}), "cleanup --dry-run"),
        ("allocate-port", json!({ "worktree": here, "services": ["web"] }), "allocate web"),
    ] {
        let mut by_command = env.json(&repo, words);
        let by_tool = session.ok(tool, &arguments);
        if tool == "cleanup-ports" {
            by_command.as_object_mut().unwrap().remove("warnings");
        }
        assert!(holds(&by_tool, &by_command), "{tool}: {by_tool}\n{words}: {by_command}");
    }
    let summary = session.ok("port-summary", &json!({ "worktree": here }));
    assert_eq!((&summary["project"], &summary["allocated"]), (&json!("shop"), &json!(2)));
    assert_eq!(summary["ranges"], env.json(&repo, "stats")["ranges"]);
    assert!(summary.to_string().len() < 1024, "{summary}");
}

#[test]
fn a_worktree_comes_and_goes() {
    let env = env();
    let repo = env.repo("shop");
    let mut session = Session::open(&env, &env.root(), REVISION);
    let created = session.ok(
        "create-worktree",
        &json!({ "worktree": text(&repo), "branch": "feature/x", "services": ["web"], "session": "s-1" }),
    );
    assert_eq!(created["allocations"][0]["session"], "s-1", "{created}");
    let top = created["worktree"]["path"].as_str().unwrap().to_owned();
    assert!(created["use"].as_str().unwrap().starts_with("PORT="));
    let here = json!({ "worktree": top });
    assert_eq!(session.ok("get-port", &here)["allocations"][0]["port"], created["allocations"][0]["port"]);

    let planned = session.ok("remove-worktree", &here);
    assert_eq!(planned["dry_run"], true, "{planned}");
    assert_eq!(planned["released"].as_array().unwrap().len(), 1);
    assert!(std::path::Path::new(&top).is_dir(), "it was only a preview");
    fs::write(std::path::Path::new(&top).join("new"), "work").unwrap();
    let confirmed = json!({ "worktree": top, "confirm": true });
    assert_eq!(
        session.error("remove-worktree", &confirmed)["code"],
        "worktree",
        "git refuses, and nobody forces"
    );
    fs::remove_file(std::path::Path::new(&top).join("new")).unwrap();
    let removed = session.ok("remove-worktree", &confirmed);
    assert_eq!((&removed["dry_run"], &removed["released"][0]["state"]), (&json!(false), &json!("released")));
    assert!(!std::path::Path::new(&top).exists());
    assert_eq!(session.error("get-port", &here)["code"], "not_found");
    // Not by naming a folder in it, or the main one.
    fs::create_dir(repo.join("src")).unwrap();
    let inside = json!({ "worktree": text(&repo.join("src")), "confirm": true });
    assert_eq!(session.error("remove-worktree", &inside)["code"], "worktree");
    let main = json!({ "worktree": text(&repo), "confirm": true });
    assert_eq!(session.error("remove-worktree", &main)["code"], "worktree");
    assert!(repo.join("README").is_file());
}

#[test]
fn what_destroys_is_a_preview_and_never_takes_a_neighbours() {
    let env = env();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web api");
    let other = env.json(&repo, "worktree create topic");
    let theirs = other["allocations"][0]["port"].as_u64().unwrap();
    let web = env.one(&repo, "get web")["port"].as_u64().unwrap();
    let api = env.one(&repo, "get api")["port"].as_u64().unwrap();
    let here = text(&repo);
    let mut session = Session::open(&env, &env.root(), REVISION);
    let books = env.books();

    let planned = session.ok("release-port", &json!({ "worktree": here, "services": ["web"] }));
    assert_eq!((&planned["dry_run"], planned["released"].as_array().unwrap().len()), (&json!(true), 1));
    assert!(planned["warnings"][0].as_str().unwrap().contains("confirm"), "{planned}");
    for (code, arguments) in [
        ("conflict", json!({ "worktree": here, "ports": [theirs], "confirm": true })),
        ("conflict", json!({ "project": "shop", "ports": [web], "confirm": true })),
        ("not_found", json!({ "worktree": here, "services": ["nope"], "confirm": true })),
        ("usage", json!({ "worktree": here, "confirm": true })),
        ("usage", json!({ "ports": [web], "confirm": true })),
    ] {
        assert_eq!(session.error("release-port", &arguments)["code"], code, "{arguments}");
    }
    let update = json!({ "worktree": here, "port": theirs, "description": "mine now" });
    assert_eq!(session.error("update-port", &update)["code"], "conflict");
    assert_eq!(session.ok("cleanup-ports", &json!({}))["dry_run"], true);
    assert_eq!(env.books(), books, "nothing was changed");

    // A server that runs needs its port.
    let server = Server::start(&repo, &format!("[::]:{web}"));
    let asked = json!({ "worktree": here, "services": ["web"], "confirm": true });
    let refused = session.error("release-port", &asked);
    assert!(refused["message"].as_str().unwrap().contains("listens on"), "{refused}");
    server.stop();
    let done = session.ok("release-port", &asked);
    assert_eq!((&done["dry_run"], &done["released"][0]["port"]), (&json!(false), &json!(web)));
    let updated = session.ok(
        "update-port",
        &json!({ "worktree": here, "port": api, "description": "the API", "pinned": true }),
    );
    assert_eq!(
        (&updated["allocations"][0]["description"], &updated["allocations"][0]["pinned"]),
        (&json!("the API"), &json!(true))
    );
    let all = session.ok("release-port", &json!({ "worktree": here, "all": true, "confirm": true }));
    assert_eq!(all["released"].as_array().unwrap().len(), 1);
    assert_eq!(env.listed(&repo, "--all"), [theirs], "the neighbour has its own");
}

#[test]
fn a_project_without_a_worktree_has_its_services_too() {
    let env = env();
    let mut session = Session::open(&env, &env.root(), REVISION);
    let asked = json!({ "project": "consilio", "service": "api" });
    let none = json!({ "project": "consilio", "service": "api", "allocate": false });
    assert_eq!(session.error("get-port", &none)["code"], "not_found");
    let first = session.ok("get-port", &asked)["allocations"][0].clone();
    assert_eq!((&first["project"], &first["worktree"]), (&json!("consilio"), &Value::Null));
    assert_eq!(session.ok("get-port", &asked)["allocations"][0]["port"], first["port"]);
    let released =
        session.ok("release-port", &json!({ "project": "consilio", "services": ["api"], "confirm": true }));
    assert_eq!(released["released"][0]["port"], first["port"]);
}

#[test]
fn long_lists_come_in_pages() {
    let env = env();
    let repo = env.repo("shop");
    let names: Vec<String> = (0..60).map(|number| format!("s{number}")).collect();
    env.ok(&repo, &format!("allocate {}", names.join(" ")));
    let mut session = Session::open(&env, &env.root(), REVISION);
    let mut seen = BTreeSet::new();
    let mut arguments = json!({ "worktree": text(&repo), "limit": 25 });
    let mut sizes = Vec::new();
    loop {
        let page = session.ok("list-ports", &arguments);
        assert_eq!(page["total"], 60);
        let ports = page["allocations"].as_array().unwrap();
        sizes.push(ports.len());
        seen.extend(ports.iter().map(|one| one["port"].as_u64().unwrap()));
        if page["next_cursor"].is_null() {
            break;
        }
        arguments["cursor"] = page["next_cursor"].clone();
    }
    assert_eq!((sizes, seen.len()), (vec![25, 25, 10], 60));
    assert_eq!(
        session.ok("list-ports", &json!({ "scope": "all" }))["allocations"].as_array().unwrap().len(),
        50
    );
    let wrong = json!({ "scope": "all", "cursor": "x" });
    assert_eq!(session.error("list-ports", &wrong)["code"], "usage");
}

#[test]
fn a_looping_agent_is_told_to_stop() {
    let env = env();
    let repo = env.repo("shop");
    let mut session = Session::open(&env, &env.root(), REVISION);
    let call = json!({ "name": "get-port", "arguments": { "worktree": text(&repo) } });
    let asked: Vec<u64> = (0..200).map(|_| session.send("tools/call", &call)).collect();
    let stopped = asked
        .into_iter()
        .map(|id| session.answer(id)["result"].clone())
        .filter(|result| result["isError"] == true)
        .map(|result| result["content"][0]["text"].as_str().unwrap().to_owned())
        .collect::<Vec<_>>();
    assert!(!stopped.is_empty() && stopped.len() <= 80, "{}", stopped.len());
    assert!(stopped[0].contains("\"busy\"") && stopped[0].contains("stop"), "{}", stopped[0]);
}

#[test]
fn a_damaged_registry_is_mended_between_two_calls() {
    let env = env();
    let repo = env.repo("shop");
    let here = json!({ "worktree": text(&repo) });
    let mut session = Session::open(&env, &env.root(), REVISION);
    let port = session.ok("get-port", &here)["allocations"][0]["port"].clone();
    fs::write(env.registry(), b"this is no registry").unwrap();
    for name in ["registry.db-wal", "registry.db-shm"] {
        let _ = fs::remove_file(env.registry().with_file_name(name));
    }
    let again = session.ok("get-port", &here);
    assert_eq!(again["allocations"][0]["port"], port, "{again}");
    assert!(again["warnings"].to_string().contains("damaged"), "whoever asks is told: {again}");
}
