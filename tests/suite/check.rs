//! `git port check`

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use serde_json::{Value, json};

use crate::support::{TestEnv, shape};

const PORT: &[(&str, &str)] = &[
    ("port", "integer"),
    ("protocol", "string"),
    ("free", "boolean?"),
    ("in_use", "boolean?"),
    ("reserved", "string?"),
    ("avoided", "string?"),
    ("process", "object?"),
];

#[test]
fn the_object_has_every_promised_field() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let (taken, free) = (env.port(0), env.port(1));
    let run = env.git_port(&repo, ["--json", "check", &free.to_string(), &taken.to_string()]).exits_with(1);
    let answer = run.object();
    let ports = shape::lists(&answer, &["ports", "allocations"]);
    assert_eq!(ports.len(), 2, "{answer}");
    for one in ports {
        shape::has(one, PORT);
    }
    let view = |index: usize| ["port", "free", "in_use"].map(|name| ports[index][name].clone());
    assert_eq!(view(0), [json!(free), json!(true), json!(false)], "in the order of the question");
    assert_eq!(view(1), [json!(taken), json!(false), json!(false)]);
    let owners = answer["allocations"].as_array().unwrap();
    assert_eq!(owners.len(), 1);
    shape::has(&owners[0], shape::ALLOCATION);
    assert_eq!(owners[0]["port"], taken);
}

#[test]
fn the_status_is_the_answer() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let (taken, free, other) = (env.port(0), env.port(1), env.port(2));
    for (line, status) in [
        (format!("check {taken}"), 1),
        (format!("check {free}"), 0),
        (format!("check {free} {other}"), 0),
        (format!("check {free} {taken}"), 1),
        (format!("check {taken} --protocol udp"), 0),
        (format!("check --protocol=tcp {taken} --quiet"), 1),
    ] {
        let run = env.git_port(&repo, line.split(' ')).exits_with(status);
        assert_eq!(run.stderr, "", "{line}: an answer is no failure");
        assert!(!run.stdout.is_empty(), "{line}");
        let _ = env.git_port(&env.root(), line.split(' ')).exits_with(status);
    }
}

#[test]
fn whose_it_is() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let run = env.git_port(&env.root(), ["check", &env.port(0).to_string()]).exits_with(1);
    let worktree = format!("Worktree: {}", repo.display());
    for line in
        ["Project: shop", "Service: web", "Status: allocated", "Environment: dev", "Branch: main", &worktree]
    {
        assert!(run.stdout.lines().any(|has| has == line), "{line}: {run:?}");
    }
}

#[test]
fn in_use_by_somebody_who_never_asked() {
    let env = TestEnv::new();
    let port = env.port(0).to_string();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, env.port(0))).unwrap();
    let run = env.git_port(&env.root(), ["check", &port]).exits_with(1);
    assert!(run.stdout.contains(&format!("(pid {})", std::process::id())), "{run:?}");
    assert!(!run.stdout.contains("Project:"), "nobody asked for it: {run:?}");
    let view = |answer: &Value| [answer["ports"][0]["free"].clone(), answer["ports"][0]["in_use"].clone()];
    assert_eq!(view(&env.json(&env.root(), &format!("check {port}"))), [json!(false), json!(true)]);
    drop(listener);
    assert_eq!(view(&env.json(&env.root(), &format!("check {port}"))), [json!(true), json!(false)]);
    let _socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, env.port(0))).unwrap();
    assert_eq!(
        view(&env.json(&env.root(), &format!("check {port} --protocol udp"))),
        [json!(false), json!(true)]
    );
    assert_eq!(view(&env.json(&env.root(), &format!("check {port}"))), [json!(true), json!(false)]);
}

#[test]
fn why_it_is_never_picked() {
    let env = TestEnv::new();
    let root = env.root();
    let (port, bare) = (env.port(3), env.port(4));
    env.git_port(&root, ["reserve", &port.to_string(), "--reason", "for the printer"]).success();
    env.ok(&root, &format!("reserve {bare}"));
    let text = env.ok(&root, &format!("check {port} {bare}"));
    assert!(text.contains("Reserved: for the printer\n") && text.contains("Reserved: yes\n"), "{text}");
    let answer = env.json(&root, &format!("check {port} {bare}"));
    assert_eq!(answer["ports"][0]["reserved"], "for the printer");
    assert!(answer["ports"][1]["reserved"].is_string(), "reserved without a reason: {answer}");
    // Whether some program has it does not matter here.
    let avoided = env.json(&root, "check 10080");
    assert!(avoided["ports"][0]["avoided"].as_str().unwrap().contains("browsers"), "{avoided}");
}

#[test]
fn what_the_system_denies_cannot_be_determined() {
    let env = TestEnv::new();
    let denied = |error: std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
    let expected = match TcpListener::bind((Ipv4Addr::LOCALHOST, 1)).map(drop).map_err(denied) {
        Ok(()) => (0, json!(true)),
        Err(true) => (3, Value::Null),
        Err(false) => (1, json!(false)),
    };
    let run = env.git_port(&env.root(), ["check", "1", "--json"]);
    assert_eq!((run.status, run.object()["ports"][0]["free"].clone()), expected, "{run:?}");
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    let root = env.root();
    shape::refuses(
        &env,
        &root,
        &[
            (&["check"], 129, "usage", "<port>"),
            (&["check", "0"], 129, "usage", "'0'"),
            (&["check", "65536"], 129, "usage", "'65536'"),
            (&["check", "web"], 129, "usage", "'web'"),
            (&["check", ""], 129, "usage", "''"),
            (&["check", " 80"], 129, "usage", "' 80'"),
            (&["check", "8\u{1b}0"], 129, "usage", "'8\u{1b}0'"),
            (&["check", "8000-8001"], 129, "usage", "'8000-8001'"),
            (&["check", "8001", "x"], 129, "usage", "'x'"),
            (&["check", "8001", "--protocol", "TCP"], 129, "usage", "'TCP'"),
        ],
    );
}
