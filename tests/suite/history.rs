//! `git port history`

use serde_json::{Value, json};

use crate::support::{TestEnv, shape};

fn events(answer: &Value) -> Vec<String> {
    let events = shape::lists(answer, &["events"]);
    for one in events {
        shape::has(one, shape::EVENT);
    }
    events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_kind_of_event_newest_first() {
    let mut env = TestEnv::new();
    let repo = env.repo("shop");
    env.set("PORT_AUTO_CLEANUP", "false");
    let (first, last) = (env.port(50), env.port(59));
    let lines = [
        "allocate web --session s1".to_owned(),
        "allocate web --new".to_owned(),
        format!("update {} --description x", env.port(1)),
        "release web".to_owned(),
        "cleanup --older-than 1s".to_owned(),
        format!("reserve {first}"),
        format!("unreserve {first}"),
        format!("range set shop {first}-{last}"),
        "range unset shop".to_owned(),
    ];
    for (line, minute) in lines.iter().zip(0..) {
        env.set("GIT_PORT_TIME", format!("2026-01-01T00:{minute:02}:00Z"));
        env.ok(&repo, line);
    }
    let answer = env.json(&repo, "history");
    let expected = [
        "range-unset",
        "range-set",
        "unreserved",
        "reserved",
        "forgotten",
        "forgotten",
        "released",
        "updated",
        "moved",
        "allocated",
    ];
    assert_eq!(events(&answer), expected);
    let oldest = &answer["events"][9];
    let of = ["at", "port", "project", "service", "environment", "worktree", "branch", "session"];
    let values = of.map(|name| oldest[name].clone());
    let expected = [
        json!("2026-01-01T00:00:00Z"),
        json!(env.port(0)),
        json!("shop"),
        json!("web"),
        json!("dev"),
        json!(repo.to_str().unwrap()),
        json!("main"),
        json!("s1"),
    ];
    assert_eq!(values, expected);
    assert_eq!(answer["events"][8]["reason"], format!("moved from {}", env.port(0)));
    let text = env.ok(&repo, "history");
    assert_eq!(text.lines().count(), 11, "{text}");
    assert!(text.lines().nth(1).unwrap().starts_with("2026-01-01 00:08:00  range-unset"), "{text}");
}

#[test]
fn of_one_port_and_of_the_newest_only() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web api");
    env.ok(&repo, "release web");
    assert_eq!(events(&env.json(&repo, &format!("history {}", env.port(0)))), ["released", "allocated"]);
    assert_eq!(events(&env.json(&repo, &format!("history {} -n 1", env.port(0)))), ["released"]);
    assert_eq!(events(&env.json(&env.root(), "history --limit=2")), ["released", "allocated"]);
    assert_eq!(events(&env.json(&repo, &format!("history {}", env.port(9)))), [""; 0]);
}

#[test]
fn nothing_has_happened() {
    let env = TestEnv::new();
    let run = env.git_port(&env.root(), ["history"]).success();
    assert_eq!((&*run.stdout, &*run.stderr), ("", "Nothing has happened yet.\n"));
    assert_eq!(env.json(&env.root(), "history"), json!({"version": 1, "events": []}));
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    shape::refuses(
        &env,
        &env.root(),
        &[
            (&["history", "web"], 129, "usage", "'web'"),
            (&["history", "0"], 129, "usage", "'0'"),
            (&["history", "1", "2"], 129, "usage", "'2'"),
            (&["history", "-n", "many"], 129, "usage", "'many'"),
            (&["history", "--limit=-1"], 129, "usage", "'-1'"),
            (&["history", "-n", "4294967296"], 129, "usage", "4294967296"),
        ],
    );
}
