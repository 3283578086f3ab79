//! A registry in PostgreSQL, which a team shares.

mod killed;
mod secrets;
mod tls;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::postgres::{self, Database};
use crate::support::{Run, TestEnv};

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
fn two_hosts_share_one_registry() {
    let Some((mut env, _database)) = lab() else { return };
    env.set("GIT_PORT_HOST", "one");
    assert_eq!(env.one(&env.root(), "allocate web --project shop")["port"], env.port(0));
    env.set("GIT_PORT_HOST", "two");
    let other = env.one(&env.root(), "allocate web --project shop");
    assert_eq!((&other["port"], &other["host"]), (&env.port(0).into(), &"two".into()));
    assert_eq!(env.listed(&env.root(), "--all").len(), 2);
}

/// A server that takes connections and says nothing, as behind a cable that was pulled.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u@127.0.0.1:{}/db", listener.local_addr().unwrap().port());
    (listener, url)
}

fn timed(env: &TestEnv, dir: &Path, words: &str) -> (Run, Duration) {
    let since = Instant::now();
    let run = env.git_port(dir, words.split_whitespace());
    (run, since.elapsed())
}

#[test]
fn a_server_that_does_not_answer_is_told_of_and_given_up() {
    let (_listener, url) = silent();
    let mut env = TestEnv::new();
    env.set("GIT_PORT_REGISTRY", &url);
    for words in ["list --all", "allocate web --project shop"] {
        let (run, took) = timed(&env, &env.root(), words);
        assert_eq!(run.status, 6, "{run:?}");
        assert!(took < Duration::from_secs(6), "{took:?}");
        assert!(run.stderr.starts_with("waiting for the registry 'postgres://127.0.0.1:"), "{run:?}");
        assert!(run.stderr.contains("does not answer within 2 s"), "{run:?}");
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
