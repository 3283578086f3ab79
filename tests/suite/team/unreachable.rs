//! The registry cannot be reached: git goes on, and what was known is answered.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{Run, TestEnv};

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
fn git_does_its_part_and_the_ports_follow_as_soon_as_they_can() {
    let Some((mut env, database)) = super::lab() else { return };
    let (_listener, silent) = silent();
    let repo = env.repo("shop");
    fs::write(repo.join(".git-port.toml"), "[services.web]\n[services.api]\n").unwrap();
    env.git(&repo, ["add", "."]);
    env.git(&repo, ["commit", "--quiet", "-m", "ports"]);
    env.ok(&repo, "get");

    env.set("GIT_PORT_REGISTRY", &silent);
    let (run, took) = timed(&env, &repo, "worktree create topic --service extra --session s1");
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.stdout.starts_with("Worktree created!"), "{run:?}");
    assert!(run.stderr.contains("its ports are pending"), "{run:?}");
    assert!(took < Duration::from_secs(6), "{took:?}");
    let object = env.json(&repo, "worktree create other");
    assert!(object["warnings"][0].as_str().unwrap().contains("its ports are pending"), "{object}");

    env.set("GIT_PORT_REGISTRY", database.url());
    let topic = env.root().join("shop-topic");
    assert_eq!(env.ok(&topic, "get extra").trim(), env.port(4).to_string());
    let rows = env.json(&repo, "list --session s1");
    assert_eq!(rows["allocations"].as_array().unwrap().len(), 3, "{rows}");
    // Whoever looks around gives the others theirs.
    assert_eq!(env.listed(&repo, "").len(), 7);
    assert!(env.root().join("shop-other/.git-port.env").exists());
    assert!(!repo.join(".git/worktrees/shop-topic/git-port.pending").exists());
}

#[test]
fn reading_answers_from_the_worktrees_copies() {
    let Some((mut env, _database)) = super::lab() else { return };
    let (_listener, silent) = silent();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    env.ok(&repo, "worktree create topic");
    let topic = env.root().join("shop-topic");
    env.set("GIT_PORT_REGISTRY", &silent);
    assert_eq!(env.ok(&repo, "get web").trim(), env.port(0).to_string());
    assert!(env.ok(&topic, "env").contains(&env.port(1).to_string()));
    let run = env.git_port(&repo, ["list"]).success();
    assert!(run.stdout.contains(&env.port(0).to_string()) && run.stdout.contains(&env.port(1).to_string()));
    assert!(run.stderr.contains("these are the worktrees' own copies"), "{run:?}");
    assert_eq!(env.listed(&repo, "--worktree").len(), 1);
    let (run, took) = timed(&env, &repo, "release web");
    assert_eq!(run.status, 6, "{run:?}");
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert_eq!(env.git_port(&env.root(), ["list", "--all"]).status, 6, "there is no copy to answer from");
    env.ok(&repo, "worktree list");
    env.git(&repo, ["worktree", "remove", "--force", topic.to_str().unwrap()]);
}
