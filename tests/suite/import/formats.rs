//! Each foreign format, from a sample that follows its own documentation.

use std::fs;

use serde_json::{Value, json};

use super::{built_in, import, rows, sample};
use crate::support::TestEnv;

fn imported(env: &TestEnv, name: &str, words: &str) -> Value {
    let file = sample(name);
    let words = ["--json", "import", file.to_str().unwrap()].into_iter().chain(words.split_whitespace());
    env.git_port(&env.root(), words).success().object()
}

#[test]
fn scars_table_from_pg_dump() {
    let env = built_in();
    let repo = env.repo("scar");
    env.ok(&repo, "worktree create feature-api --no-ports");
    let worktree = env.root().join("scar-feature-api");
    let dump = fs::read_to_string(sample("scar.sql")).unwrap();
    let dump = dump.replace("@WORKTREE@", worktree.to_str().unwrap());
    import(&env, &env.root(), "dump.sql", &dump, "--project scar").success();

    let list = env.json(&env.root(), "list --all --released");
    let of = |port: u64| {
        let list = list["allocations"].as_array().unwrap();
        list.iter().find(|one| one["port"] == port).unwrap_or_else(|| panic!("{list:?}")).clone()
    };
    let active = of(8124);
    assert_eq!(active["service"], "scar-feature-api");
    assert_eq!(active["worktree"], worktree.to_str().unwrap(), "it is the worktree that exists");
    assert_eq!((&active["branch"], &active["primary"]), (&json!("feature-api"), &json!(true)));
    assert_eq!(active["status"], "active");
    assert_eq!(active["session"], "c0ffee00-0000-4000-8000-000000000001");
    assert_eq!(active["description"], "Development server for feature-api");
    assert_eq!(active["allocated_at"], "2025-12-19T15:45:00.123Z", "a time without a zone is in UTC");
    assert_eq!(active["last_checked_at"], "2025-12-20T08:00:00Z");
    assert_eq!(env.one(&worktree, "get --no-allocate")["port"], 8124);

    let released = of(8003);
    assert_eq!(
        (&released["status"], &released["released_at"]),
        (&json!("released"), &json!("2025-12-02T10:00:00Z"))
    );
    assert_eq!(released["description"], "A tab\tand a \\ in it");
    let production = of(9000);
    assert_eq!((&production["environment"], &production["worktree"]), (&json!("production"), &Value::Null));
    let gone = of(7001);
    assert_eq!(gone["worktree"], "/nowhere/scar-issue-6", "what is gone is a label");
    assert_eq!(list["allocations"].as_array().unwrap().len(), 4);
}

#[test]
fn scars_table_from_inserts_csv_and_json() {
    let env = built_in();
    let object = imported(&env, "scar-inserts.sql", "--project scar");
    let added = ["443 scar/nginx production", "8001 scar/api-server dev", "8002 scar/frontend dev"];
    let mut found = rows(&object, "added");
    found.sort();
    assert_eq!(found, added);
    let text = "It's a test,\non two lines; INSERT INTO x VALUES (1)";
    let described = object["added"].as_array().unwrap().iter().any(|one| one["description"] == text);
    assert!(described, "{object}");

    for (name, words) in
        [("scar.csv", ""), ("scar.json", ""), ("scar.csv", "--format scar"), ("scar.json", "--format scar")]
    {
        let env = built_in();
        let object = imported(&env, name, &format!("--project scar {words}"));
        let one = &object["added"][0];
        assert_eq!((&one["port"], &one["service"]), (&json!(8001), &json!("api-server")), "{name}");
        assert_eq!(
            (&one["session"], &one["allocated_at"]),
            (&json!("c0ffee00"), &json!("2025-12-19T15:45:00Z"))
        );
    }
}

#[test]
fn localdbs_registry() {
    let env = built_in();
    let object = imported(&env, "port-registry.json", "");
    assert_eq!(rows(&object, "out_of_range"), ["3001 My-App/studio dev", "3000 app1/studio dev"]);
    assert_eq!(object["out_of_range"][1]["allocated_at"], "2023-02-03T13:48:20Z");
}

#[test]
fn portools_ledger_and_its_list() {
    for version in 1..=4 {
        let env = built_in();
        let text = fs::read_to_string(sample("portool-registry.json")).unwrap();
        let text = text.replace("\"version\": 4", &format!("\"version\": {version}"));
        import(&env, &env.root(), "registry.json", &text, "").success();
        let one = env.one(&env.root(), "list --all");
        assert_eq!(
            (&one["port"], &one["project"], &one["branch"]),
            (&json!(3000), &json!("myapp"), &json!("main"))
        );
        assert_eq!((&one["pinned"], &one["worktree"]), (&json!(true), &json!("/home/user/dev/myapp")));
        assert_eq!(one["allocated_at"], "2026-07-15T01:00:00Z");
        let reserved = env.json(&env.root(), "range list");
        let reserved = reserved["reserved"].as_array().unwrap();
        let has =
            |start: u64, end: u64| reserved.iter().any(|one| one["start"] == start && one["end"] == end);
        assert!(has(3001, 3004) && has(5000, 5009), "{reserved:?}");
    }
    let env = built_in();
    let object = imported(&env, "portool-ls.json", "");
    assert_eq!(rows(&object, "out_of_range"), ["3001 myapp/api dev", "3000 myapp/web dev"]);
    let text = fs::read_to_string(sample("portool-registry.json"))
        .unwrap()
        .replace("\"version\": 4", "\"version\": 5");
    let _ = import(&env, &env.root(), "registry.json", &text, "").exits_with(129);
}

#[test]
fn compose_files() {
    let env = built_in();
    let object = imported(&env, "compose.yaml", "");
    assert_eq!(rows(&object, "added"), ["8080 shop/web dev"]);
    let mut outside = rows(&object, "out_of_range");
    outside.sort();
    assert_eq!(
        outside,
        [
            "5353 shop/dns dev",
            "5433 shop/db dev",
            "7100 shop/pool dev",
            "7101 shop/pool-81 dev",
            "7102 shop/pool-82 dev",
            "9229 shop/web-9229 dev",
        ]
    );
    let reasons: Vec<&str> =
        object["skipped"].as_array().unwrap().iter().map(|one| one["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(reasons.contains(&"the variable 'CACHE_PORT' has no default"), "{reasons:?}");
    let dns = env.json(&env.root(), "list --all");
    let dns = dns["allocations"].as_array().unwrap().iter().find(|one| one["port"] == 5353).unwrap();
    assert_eq!(dns["protocol"], "udp", "{dns}");

    // In a worktree the services are the worktree's, whatever Compose calls them all.
    let env = built_in();
    let repo = env.repo("store");
    fs::copy(sample("compose.yaml"), repo.join("compose.yaml")).unwrap();
    env.ok(&repo, "import compose.yaml");
    assert_eq!(env.one(&repo, "get db --no-allocate")["worktree"], repo.to_str().unwrap());
}

#[test]
fn files_of_variables() {
    let env = built_in();
    let object = imported(&env, "dot.env", "--project shop");
    let found = ["3000 shop/web dev", "3001 shop/api dev", "5433 shop/db dev", "6380 shop/redis dev"];
    assert_eq!(rows(&object, "out_of_range"), found);
    let skipped: Vec<&str> =
        object["skipped"].as_array().unwrap().iter().map(|one| one["what"].as_str().unwrap()).collect();
    assert_eq!(skipped, ["REMOTE_URL", "WORKER_PORT"]);
}

#[test]
fn the_systems_services_become_reservations() {
    let env = built_in();
    let object = imported(&env, "services", "");
    let reserved = json!([
        {"start": 21, "end": 21, "reason": "ftp"},
        {"start": 22, "end": 22, "reason": "ssh"},
        {"start": 53, "end": 53, "reason": "domain"},
        {"start": 80, "end": 80, "reason": "http"},
    ]);
    assert_eq!(object["reservations"], reserved);
    assert_eq!(object["skipped"].as_array().unwrap().len(), 1);
    let again = imported(&env, "services", "");
    assert_eq!(again["reservations"], json!([]));
}

#[test]
fn tables_and_lists() {
    for (name, words, expected) in [
        ("ports.tsv", "", vec!["8001 shop/web dev"]),
        ("ports.csv", "--format csv", vec!["8001 shop/web dev", "8002 shop/api dev", "7001 shop/suite test"]),
    ] {
        let object = imported(&built_in(), name, words);
        assert_eq!(rows(&object, "added"), expected, "{name}");
    }
    let object = imported(&built_in(), "superset-ports.json", "--project shop");
    assert_eq!(rows(&object, "out_of_range"), ["3000 shop/web dev", "3001 shop/api dev"]);
    // What another command of git-port printed.
    let env = built_in();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web production");
    let list = env.json(&repo, "list").to_string();
    let other = built_in();
    import(&other, &other.root(), "list.json", &list, "").success();
    assert_eq!(other.one(&other.root(), "list --all")["service"], "web");
}

#[test]
fn an_ambiguous_document_is_told_with_the_candidates() {
    let env = built_in();
    let text = "services:\n\n| Port |\n| --- |\n| 1 |\n";
    let run = import(&env, &env.root(), "what", text, "").exits_with(129);
    assert!(run.stderr.contains("this may be markdown or compose"), "{run:?}");
    assert!(run.stderr.contains("--format markdown|compose"), "{run:?}");
}
