//! `git port suggest`

use std::fs;

use serde_json::json;

use crate::support::{TestEnv, shape};

#[test]
fn a_database_gets_a_port_that_ends_as_its_usual_one_does() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    for (words, usual) in [
        ("db", 5432),
        ("postgres", 5432),
        ("mysql", 3306),
        ("cache", 6379),
        ("search --like 9200", 9200),
        ("books --type db", 5432),
    ] {
        let suggested = env.json(&repo, &format!("suggest {words}"));
        assert_eq!(suggested["port"].as_u64().unwrap() % 100, usual % 100, "{words}: {suggested}");
        assert!(suggested["reason"].as_str().unwrap().contains(&usual.to_string()), "{suggested}");
        assert_eq!(suggested["allocated"], false);
    }
    assert_eq!(env.listed(&repo, "--all"), [0; 0], "nothing is allocated");
}

#[test]
fn what_is_suggested_is_what_is_given() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let run = env.git_port(&repo, ["suggest", "web"]).success();
    assert_eq!(run.stdout, format!("{}\n", env.port(0)));
    assert!(run.stderr.contains("browsers refuse"), "{run:?}");
    assert_eq!(env.ok(&repo, "-q suggest web"), run.stdout);
    assert_eq!(env.one(&repo, "allocate web")["port"], env.port(0));
    let has = env.json(&repo, "suggest web");
    assert_eq!((&has["port"], &has["allocated"]), (&json!(env.port(0)), &json!(true)));

    let first = env.json(&repo, "suggest db")["port"].as_u64().unwrap();
    assert_eq!(env.one(&repo, &format!("allocate db --prefer {first}"))["port"], first);
    // The next worktree's is its neighbour, and says so.
    env.ok(&repo, "worktree create topic --no-ports");
    let next = env.json(&env.root().join("shop-topic"), "suggest db");
    assert_eq!(next["port"], first + 1);
    assert!(next["reason"].as_str().unwrap().contains("next to"), "{next}");
}

#[test]
fn configuration_and_project_count() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let (range, prefer) = (format!("{}-{}", env.port(40), env.port(49)), env.port(45));
    let config = format!("[services.web]\nprefer = {prefer}\n[projects.edge]\nrange = \"{range}\"\n");
    fs::write(repo.join(".git-port.toml"), config).unwrap();
    let web = env.json(&repo, "suggest web");
    shape::has(&web, &[("service", "string"), ("service_type", "string"), ("environment", "string")]);
    assert_eq!((&web["port"], &web["service_type"]), (&json!(prefer), &json!("web")));
    assert_eq!(env.json(&repo, "suggest api")["port"], env.port(0));
    env.ok(&repo, &format!("range set --project edge {range}"));
    assert_eq!(env.json(&env.root(), "suggest api --project edge")["port"], env.port(40));
    let production = env.json(&env.root(), "suggest nginx -e production --project edge");
    assert_eq!(production["environment"], "production");
    assert!(production["port"].as_u64().unwrap() >= u64::from(env.port(150)), "{production}");
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let refusals: &[shape::Refusal<'_>] = &[
        (&["suggest"], 129, "usage", "<service>"),
        (&["suggest", "a", "b"], 129, "usage", "'b'"),
        (&["suggest", "$(x)"], 129, "usage", "$(x)"),
        (&["suggest", "db", "--like", "0"], 129, "usage", "'0'"),
        (&["suggest", "db", "-e", "nope"], 129, "usage", "'nope'"),
    ];
    shape::refuses(&env, &repo, refusals);
}
