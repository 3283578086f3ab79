//! `git port registry`

use std::fs;

use crate::support::TestEnv;
use crate::support::postgres;

/// A registry with something of everything.
fn furnish(env: &TestEnv) {
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web --description one --public-hostname app.example.org");
    env.ok(&repo, "allocate gone");
    env.ok(&repo, "release gone");
    env.ok(&repo, "worktree create topic --service web --service db");
    env.ok(&repo, &format!("range set consilio {}-{} --shared", env.port(90), env.port(95)));
    env.ok(&repo, &format!("reserve {} --reason theirs", env.port(96)));
    env.ok(&repo, "allocate nginx production --project edge");
    let _ = env.git_port(&repo, ["health"]);
}

/// What does not name the registry, nor an order of its own.
fn contents(env: &TestEnv) -> Vec<String> {
    let root = env.root();
    ["list --all --released", "range list", "history --limit 1000", "export --all --released"]
        .map(|words| env.git_port(&root, ["--json"].into_iter().chain(words.split(' '))).success().stdout)
        .into()
}

#[test]
fn it_moves_to_a_server_and_back_with_all_that_is_in_it() {
    let Some(server) = postgres::shared() else { return };
    let database = server.database();
    let mut env = TestEnv::new();
    env.set("GIT_PORT_TIME", "2026-01-01T00:00:00Z");
    furnish(&env);
    let before = contents(&env);
    let root = env.root();

    let moved = env.json(&root, &format!("registry move {}", database.url()));
    assert_eq!((&moved["allocations"], &moved["worktrees"]), (&5.into(), &2.into()), "{moved}");
    assert_eq!(contents(&env), before);
    let config = fs::read_to_string(env.home().join(".config/git-port/config.toml")).unwrap();
    assert!(config.starts_with("registry = \"postgres://"), "{config}");
    let old = format!("--registry {} list --all", env.registry().display());
    let run = env.git_port(&root, old.split(' ')).exits_with(128);
    assert!(run.stderr.contains("was moved to 'postgres://"), "{run:?}");
    let run =
        env.git_port(&root, old.replace("list --all", "allocate x --project y").split(' ')).exits_with(128);
    assert!(run.stderr.contains("was moved to 'postgres://"), "{run:?}");
    env.ok(&root, "allocate more --project later");

    let after = contents(&env);
    env.ok(&root, &format!("registry move {}", env.registry().display()));
    assert_eq!(contents(&env), after, "back in the file it came from");
    let run = env.git_port(&root, ["--registry", &database.url(), "list", "--all"]).exits_with(128);
    assert!(run.stderr.contains("was moved to '"), "{run:?}");
}

#[test]
fn a_machine_joins_a_team() {
    let Some(server) = postgres::shared() else { return };
    let database = server.database();
    let mut env = TestEnv::new();
    let root = env.root();
    env.set("GIT_PORT_HOST", "one");
    env.git_port(&root, ["--registry", &database.url(), "allocate", "web", "--project", "shop"]).success();
    env.set("GIT_PORT_HOST", "two");
    env.ok(&root, "allocate web --project bank");
    env.ok(&root, &format!("registry move {}", database.url()));
    assert_eq!(env.listed(&root, "--all").len(), 2);
    assert_eq!(env.listed(&root, "--all --host two").len(), 1);
    let run = env.git_port(&root, ["registry", "move", "back.db"]).exits_with(5);
    assert!(run.stderr.contains("other machines use this registry, too: one"), "{run:?}");
    env.ok(&root, "registry move back.db --force");
    assert_eq!(env.listed(&root, "--all").len(), 2);
}

#[test]
fn what_is_refused_leaves_both_as_they_are() {
    let Some(server) = postgres::shared() else { return };
    let database = server.database();
    let mut env = TestEnv::new();
    env.set("GIT_PORT_HOST", "one");
    let root = env.root();
    env.ok(&root, "allocate web --project shop");
    env.ok(&root, &format!("range set shop {}-{}", env.port(90), env.port(95)));
    let before = contents(&env);
    let refused = |place: &str, status: i32, words: &str| {
        let run = env.git_port(&root, ["registry", "move", place]).exits_with(status);
        assert!(run.stderr.contains(words), "{run:?}");
        assert_eq!(contents(&env), before);
    };
    refused(&env.registry().display().to_string(), 129, "already");
    refused("postgres://u:canary@h/db", 129, "the URL carries a password");
    refused("postgres://u@127.0.0.1:1/db", 6, "refused");
    let there = |words: &str| {
        let words = ["--registry", &database.url()]
            .into_iter()
            .map(str::to_owned)
            .chain(words.split(' ').map(str::to_owned))
            .collect::<Vec<_>>();
        env.git_port(&root, words).success();
    };
    there(&format!("range set bank {}-{}", env.port(95), env.port(99)));
    refused(&database.url(), 4, "one_project_for_a_range");
    there("allocate web --project bank");
    refused(&database.url(), 4, "has ports of the machine 'one' already");
    assert!(!env.home().join(".config/git-port/config.toml").exists());
}

/// What takes the tables back to what they were before they knew of teams.
const FIRST_VERSION: &str = "DROP TRIGGER promised_when_made; DROP TRIGGER promised_when_removed; \
    DROP TRIGGER promised_when_changed; DROP TABLE promised; DROP INDEX one_owner_for_the_team; DROP TRIGGER one_public_hostname; \
    DROP TRIGGER one_public_hostname_when_changed; DROP TRIGGER one_project_for_a_range; \
    DROP INDEX public_hostnames; ALTER TABLE allocations DROP COLUMN shared; DROP TABLE shared_ranges; \
    PRAGMA user_version = 1;";

#[test]
fn tables_of_the_first_version_are_read_as_they_are_and_extended_by_who_writes() {
    let env = TestEnv::new();
    let root = env.root();
    env.ok(&root, "allocate web production --project shop");
    let connection = rusqlite::Connection::open(env.registry()).unwrap();
    connection.execute_batch(FIRST_VERSION).unwrap();
    assert_eq!(env.listed(&root, "--all").len(), 1);
    env.ok(&root, "suggest api --project shop");
    let version = || connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(version(), 1, "who only asks changes nothing");
    env.ok(&root, "allocate api production --project shop");
    assert_eq!((version(), env.listed(&root, "--all").len()), (3, 2));
    env.ok(&root, &format!("release {}", env.port(150)));

    let Some(server) = postgres::shared() else { return };
    let database = server.database();
    let mut env = env;
    env.set("GIT_PORT_REGISTRY", database.url());
    env.ok(&root, "allocate web production --project shop");
    let first = "ALTER TABLE git_port.allocations DROP COLUMN shared CASCADE; \
        DROP INDEX git_port.one_public_hostname, git_port.allocations_of_an_owner; \
        ALTER TABLE git_port.ranges DROP CONSTRAINT one_project_for_a_range; \
        DROP TABLE git_port.shared_ranges; UPDATE git_port.notes SET value = '1' WHERE key = 'version'";
    server.psql(&database.name, first).unwrap();
    assert_eq!(env.listed(&root, "--all").len(), 1);
    env.ok(&root, "suggest api --project shop");
    env.ok(&root, "allocate api production --project shop");
    assert_eq!(env.listed(&root, "--all").len(), 2);
    let version =
        server.psql(&database.name, "SELECT value FROM git_port.notes WHERE key = 'version'").unwrap();
    assert_eq!(version, "3");
}
