//! `git port get`

use serde_json::json;

use crate::support::{TestEnv, shape};

#[test]
fn one_bare_number() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    for line in
        ["get", "get", "get -q", "-v get", "get --color always", "--color=never get", "get --no-allocate"]
    {
        let run = env.git_port(&repo, line.split(' ')).success();
        assert_eq!((run.stdout, run.stderr), (format!("{}\n", env.port(0)), String::new()), "{line}");
    }
}

#[test]
fn the_primary_service_is_the_first_configured() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    std::fs::write(repo.join(".git-port.toml"), "[services.web]\n[services.api]\n").unwrap();
    assert_eq!(env.ok(&repo, "get api"), format!("{}\n", env.port(0)), "whoever asks first");
    assert_eq!(env.ok(&repo, "get"), format!("{}\n", env.port(1)));
    let web = env.one(&repo, "get");
    assert_eq!(
        (&web["service"], &web["primary"], &web["variable"]),
        (&json!("web"), &json!(true), &json!("PORT"))
    );
}

#[test]
fn without_configuration_it_is_named_after_project_and_branch() {
    let env = TestEnv::new();
    let repo = env.repo("Shop");
    env.git(&repo, ["switch", "-q", "-c", "issue-6/Feature"]);
    assert_eq!(env.one(&repo, "get")["service"], "shop-issue-6-feature");
    env.git(&repo, ["switch", "-q", "main"]);
    assert_eq!(env.one(&repo, "get")["port"], env.port(0), "the worktree keeps it");
}

#[test]
fn the_object_is_a_list_of_one() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let answer = env.json(&repo, "get");
    let allocations = shape::lists(&answer, &["allocations"]);
    assert_eq!(allocations.len(), 1);
    shape::has(&allocations[0], shape::ALLOCATION);
}

#[test]
fn no_allocate_is_a_negative_answer() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    shape::refuses(
        &env,
        &repo,
        &[
            (&["get", "--no-allocate"], 1, "not_found", "the worktree has no port"),
            (&["get", "--no-allocate", "api"], 1, "not_found", "'api'"),
            (&["get", "api", "--no-allocate", "-e", "test"], 1, "not_found", "'test'"),
            (&["get", "-e", "production", "--no-allocate"], 1, "not_found", "'production'"),
        ],
    );
    assert!(env.git_port(&repo, ["get", "--no-allocate"]).exits_with(1).stderr.contains("git port get"));
}

#[test]
fn environments_are_apart() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    for (environment, port) in [("dev", env.port(0)), ("test", env.port(100)), ("production", env.port(150))]
    {
        for options in ["", "--no-allocate"] {
            let line = format!("get web -e {environment} {options}");
            assert_eq!(env.ok(&repo, &line), format!("{port}\n"), "{line}");
        }
    }
}

#[test]
fn a_production_port_is_found_from_every_worktree() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    std::fs::write(repo.join(".git-port.toml"), "[services.web]\n[services.api]\n").unwrap();
    env.git(&repo, ["add", "."]);
    env.git(&repo, ["commit", "-q", "-m", "ports"]);
    env.ok(&repo, "worktree create topic --no-ports");
    let port = env.ok(&repo, "get -e production");
    let topic = env.root().join("shop-topic");
    assert_eq!(env.ok(&topic, "get -e production --no-allocate"), port);
    assert_eq!(env.ok(&topic, "get web -e production --no-allocate"), port);
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    shape::refuses(
        &env,
        &repo,
        &[
            (&["get", "Web"], 129, "usage", "'Web'"),
            (&["get", "8080"], 129, "usage", "'8080'"),
            (&["get", "web", "api"], 129, "usage", "'api'"),
            (&["get", "-e", "staging"], 129, "usage", "'staging'"),
            (&["get", "-e", "Bad Name"], 129, "usage", "'Bad Name'"),
            (&["get", "--session"], 129, "usage", "--session"),
            (&["-C", "nowhere", "get"], 128, "not_a_repository", "'nowhere'"),
        ],
    );
    shape::refuses(&env, &env.root(), &[(&["get"], 128, "not_a_repository", "not a git repository")]);
    assert!(env.git_port(&env.root(), ["get"]).exits_with(128).stderr.contains("hint: "));
}

#[test]
fn a_bare_repository_has_no_worktree() {
    let env = TestEnv::new();
    let bare = env.root().join("bare.git");
    env.git(&env.root(), ["init", "-q", "--bare", "bare.git"]);
    let run = env.git_port(&bare, ["get"]).exits_with(128);
    assert!(run.stderr.starts_with("error: "), "{run:?}");
}
