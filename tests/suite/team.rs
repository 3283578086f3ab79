//! A registry in PostgreSQL, which a team shares.

mod hosts;
mod killed;
mod secrets;
mod tls;
mod unreachable;

use std::fs;

use crate::support::TestEnv;
use crate::support::postgres::{self, Database};

/// A home whose registry is a database of its own; none where PostgreSQL is not installed.
fn lab() -> Option<(TestEnv, Database)> {
    let database = postgres::shared()?.database();
    let mut env = TestEnv::new();
    env.set("GIT_PORT_REGISTRY", database.url());
    Some((env, database))
}

#[test]
fn a_registry_that_a_repository_names_is_ignored_and_told() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    for file in [".git-port.toml", ".git/git-port.toml"] {
        fs::write(repo.join(file), "registry = 'postgres://u:canary@evil.example/db'\n").unwrap();
        let run = env.git_port(&repo, ["allocate", "web"]).success();
        assert!(run.stderr.contains("'registry' in '") && run.stderr.contains("is ignored"), "{run:?}");
        assert!(!run.stderr.contains("canary") && !run.stderr.contains("evil"), "{run:?}");
        fs::remove_file(repo.join(file)).unwrap();
    }
}

#[test]
fn what_the_server_refuses_is_said_in_words() {
    let Some((mut env, database)) = lab() else { return };
    let server = postgres::shared().unwrap();
    let root = env.root();
    let mut refused = |url: &str, status: i32, words: &str| {
        env.set("GIT_PORT_REGISTRY", url);
        let run = env.git_port(&root, ["list", "--all"]).exits_with(status);
        assert!(run.stderr.contains(words), "{run:?}");
    };
    refused(&server.url("nowhere"), 6, "database \"nowhere\" does not exist");
    refused(&server.tcp_url(&database), 128, "the server asks for a password, and none is known");
    refused("postgres://u@127.0.0.1:1/db", 6, "refused");
    refused("postgres://u@127.0.0.1:x/db", 128, "its port is no number");
    server.psql(&database.name, "CREATE ROLE reader LOGIN").unwrap();
    env.set("GIT_PORT_REGISTRY", server.url(&database.name).replace("postgres@", "reader@"));
    let run = env.git_port(&root, ["allocate", "web", "--project", "shop"]).exits_with(128);
    assert!(run.stderr.contains("permission denied"), "{run:?}");
}

#[test]
fn a_registry_of_a_newer_program_is_read_or_left_alone() {
    let Some((env, database)) = lab() else { return };
    let server = postgres::shared().unwrap();
    let root = env.root();
    env.ok(&root, "allocate web --project shop");
    let note = |key: &str, value: u32| {
        let sql = format!("UPDATE git_port.notes SET value = '{value}' WHERE key = '{key}'");
        server.psql(&database.name, &sql).unwrap();
    };
    note("version", 1000);
    env.ok(&root, "allocate db --project shop");
    note("min_writer", 1000);
    assert_eq!(env.listed(&root, "--all").len(), 2);
    let run = env.git_port(&root, ["allocate", "more", "--project", "shop"]).exits_with(128);
    assert!(run.stderr.contains("needs a newer git-port"), "{run:?}");
    note("min_reader", 1000);
    let run = env.git_port(&root, ["list", "--all"]).exits_with(128);
    assert!(run.stderr.contains("needs a newer git-port"), "{run:?}");
}

#[test]
fn many_at_once_make_the_tables_once() {
    let Some((env, _database)) = lab() else { return };
    let root = env.root();
    let ports: Vec<u64> = std::thread::scope(|scope| {
        let allocate =
            |number| env.one(&root, &format!("allocate s{number} --project shop"))["port"].as_u64();
        let running: Vec<_> = (0..12).map(|number| scope.spawn(move || allocate(number).unwrap())).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut sorted = ports.clone();
    sorted.sort_unstable();
    let expected: Vec<u64> = (0..12).map(|index| env.port(index).into()).collect();
    assert_eq!(sorted, expected);
}
