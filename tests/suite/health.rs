//! `git port health`: what is asked, what is kept, what is never asked.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::Value;

use crate::support::TestEnv;

/// Answers every connection on this port with this, until the test ends.
fn serve(port: u16, answer: &'static str) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut request = [0; 512];
            let asked = stream.read(&mut request).unwrap_or(0);
            if asked > 0 {
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    });
}

fn of<'a>(answer: &'a Value, service: &str) -> &'a Value {
    let services = answer["services"].as_array().unwrap();
    services.iter().find(|one| one["allocation"]["service"] == service).unwrap()
}

fn shop(env: &TestEnv, health: &str) -> std::path::PathBuf {
    let repo = env.repo("shop");
    let text = format!(
        "[services.web]\nhealth = \"{health}\"\n[services.api]\n[services.feed]\nprotocol = \"udp\"\n"
    );
    fs::write(repo.join(".git-port.toml"), text).unwrap();
    env.ok(&repo, "allocate web api feed");
    repo
}

#[test]
fn services_are_asked_and_their_answers_kept() {
    let env = TestEnv::new();
    let repo = shop(&env, "/health");
    let port = |service: &str| -> u16 { env.ok(&repo, &format!("get {service}")).trim().parse().unwrap() };
    serve(port("web"), "HTTP/1.1 200 OK\r\n\r\n");
    let answer = env.json(&repo, "health");
    assert_eq!(of(&answer, "web")["check"]["health"], "up");
    assert_eq!(of(&answer, "web")["check"]["detail"], "200 OK");
    assert!(of(&answer, "web")["check"]["latency_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(of(&answer, "api")["check"]["health"], "down", "nobody listens");
    assert!(of(&answer, "feed")["check"].is_null(), "UDP is not asked");
    assert_eq!(of(&answer, "web")["history"].as_array().unwrap().len(), 0);
    serve(port("api"), "");
    let answer = env.json(&repo, "health");
    assert_eq!(of(&answer, "web")["history"][0]["health"], "up");
    assert_eq!(of(&answer, "api")["check"]["health"], "up", "without a path a connection is enough");
    assert_eq!(of(&answer, "api")["history"][0]["health"], "down");
    let text = env.ok(&repo, "health");
    let headings: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(headings, ["PORT", "SERVICE", "HEALTH", "LATENCY", "ANSWER", "BEFORE"]);
}

#[test]
fn a_service_that_answers_badly_is_a_negative_answer() {
    let env = TestEnv::new();
    let repo = shop(&env, "http://localhost:{port}/health");
    serve(env.ok(&repo, "get web").trim().parse().unwrap(), "HTTP/1.1 503 Busy\r\n\r\n");
    let run = env.git_port(&repo, ["health"]).exits_with(1);
    assert!(run.stdout.contains("failing") && run.stdout.contains("503 Busy"), "{run:?}");
}

#[test]
fn the_history_is_bounded() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let store = rusqlite::Connection::open(env.registry()).unwrap();
    for at in 0..500 {
        let sql = "INSERT INTO health_checks (allocation, at, health, latency, detail) \
            VALUES ((SELECT id FROM allocations), ?1, 'up', 1, 'well')";
        store.execute(sql, [at]).unwrap();
    }
    env.ok(&repo, "health");
    let kept: i64 = store.query_row("SELECT count(*) FROM health_checks", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 100);
}

#[test]
fn a_committed_file_makes_nobody_ask_elsewhere() {
    for health in
        ["http://example.org/", "https://localhost/", "http://localhost:1/x", "http://evil@localhost:{port}/"]
    {
        let env = TestEnv::new();
        let repo = shop(&env, health);
        let run = env.git_port(&repo, ["health"]).exits_with(128);
        assert!(run.stderr.contains("services.web.health"), "{health}: {run:?}");
    }
}
