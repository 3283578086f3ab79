//! What is said of a port that somebody listens on: by whom, and whose it is.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::support::TestEnv;
use crate::support::server::Server;

fn only(answer: &Value) -> &Value {
    let allocations = answer["allocations"].as_array().unwrap();
    assert_eq!(allocations.len(), 1, "{answer}");
    &allocations[0]
}

#[test]
fn a_server_in_its_worktree_is_active_until_it_ends() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let port = env.port(0);
    env.ok(&repo, "allocate web");
    assert_eq!(only(&env.json(&repo, "list"))["state"], "allocated");
    let inside = repo.join("packages/web");
    fs::create_dir_all(&inside).unwrap();
    let server = Server::start(&inside, &format!("127.0.0.1:{port}"));
    let listed = env.json(&repo, "list");
    let web = only(&listed);
    assert_eq!(web["state"], "active");
    assert_eq!(web["status"], "allocated", "what is recorded is not what is seen");
    assert_eq!(web["process"]["pid"], server.pid());
    assert_eq!(web["process"]["cwd"], inside.to_str().unwrap());
    let name = web["process"]["name"].as_str().unwrap();
    let table = env.ok(&repo, "list");
    assert!(table.contains("PROCESS") && table.contains(&format!("{name} {}", server.pid())), "{table}");
    assert!(env.ok(&repo, "worktree list").contains(&format!("{port}(active)")));
    assert_eq!(env.json(&repo, "list --state active")["allocations"].as_array().unwrap().len(), 1);
    assert_eq!(env.json(&repo, "stats dev")["ranges"][0]["active"], 1);
    let checked = env.git_port(&repo, ["check", &port.to_string()]).exits_with(1).stdout;
    let by = format!("In use: by {name} (pid {}) in {}", server.pid(), inside.display());
    assert!(checked.contains(&by), "{checked}");
    server.stop();
    let listed = env.json(&repo, "list");
    assert_eq!(only(&listed)["state"], "allocated");
    assert_eq!(only(&listed)["process"], Value::Null);
    assert!(!env.ok(&repo, "list").contains("PROCESS"));
}

#[test]
fn a_server_from_elsewhere_is_foreign_and_moves_nothing() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let port = env.port(0);
    env.ok(&repo, "allocate web");
    let server = Server::start(&env.home(), &format!("[::1]:{port}"));
    let listed = env.json(&repo, "list");
    assert_eq!(only(&listed)["state"], "foreign");
    assert_eq!(only(&listed)["process"]["pid"], server.pid());
    let again = env.json(&repo, "allocate web");
    assert_eq!(only(&again)["port"], port);
    assert_eq!(only(&again)["created"], false);
    assert_eq!(env.ok(&repo, "get web"), format!("{port}\n"));
    let moved = env.json(&repo, "allocate web --new");
    assert_eq!(only(&moved)["port"], env.port(1));
    assert_eq!(only(&env.json(&repo, "list"))["state"], "allocated");
}

#[test]
fn a_server_of_a_worktree_within_a_worktree_is_not_the_outer_ones() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    // Made by git alone: the first command that looks around finds it.
    let outer = |env: &TestEnv| {
        let listed = env.json(&repo, "list");
        let all = listed["allocations"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["worktree"] == repo.to_str().unwrap()).unwrap()
    };
    env.git(&repo, ["worktree", "add", "--quiet", "-b", "inner", ".trees/inner"]);
    let server = Server::start(&repo.join(".trees/inner"), &format!("127.0.0.1:{}", env.port(0)));
    assert_eq!(outer(&env)["state"], "foreign");
    server.stop();
    let _server = Server::start(&repo.join(".trees"), &format!("127.0.0.1:{}", env.port(0)));
    assert_eq!(outer(&env)["state"], "active");
}

#[test]
fn a_worktree_that_git_moved_knows_its_server() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create feature");
    let (old, new) = (env.root().join("shop-feature"), env.root().join("elsewhere"));
    env.git(&repo, ["worktree", "move", old.to_str().unwrap(), new.to_str().unwrap()]);
    let _server = Server::start(&new, &format!("127.0.0.1:{}", env.port(0)));
    assert_eq!(only(&env.json(&repo, "list"))["state"], "active");
}

#[test]
fn a_service_outside_git_is_active_whoever_serves_it() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let port = env.port(150);
    env.ok(&repo, "allocate web production");
    assert_eq!(only(&env.json(&repo, "list"))["state"], "allocated");
    let _server = Server::start(&env.home(), &format!("0.0.0.0:{port}"));
    assert_eq!(only(&env.json(&repo, "list"))["state"], "active");
}

/// What makes a socket listen.
type Listen = Box<dyn FnOnce() -> Socket>;

/// Every way of listening there is, on this port.
fn listen(port: u16) -> Vec<(&'static str, Listen)> {
    let bind = move |address: &'static str| -> Listen {
        Box::new(move || TcpListener::bind(address.replace('*', &port.to_string())).unwrap().into())
    };
    let v6_only = move || {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        socket.set_only_v6(true).unwrap();
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into()).unwrap();
        socket.listen(1).unwrap();
        socket
    };
    vec![
        ("127.0.0.1", bind("127.0.0.1:*")),
        ("0.0.0.0", bind("0.0.0.0:*")),
        ("::1", bind("[::1]:*")),
        (":: dual", bind("[::]:*")),
        (":: v6 only", Box::new(v6_only)),
        ("127.0.0.2", bind("127.0.0.2:*")),
    ]
}

#[test]
fn every_way_of_listening_is_seen() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let port = env.port(0);
    let number = port.to_string();
    for (way, listen) in listen(port) {
        let _socket = listen();
        let checked = env.git_port(&repo, ["--json", "check", &number]).exits_with(1).object();
        assert_eq!(checked["ports"][0]["in_use"], true, "{way}");
        assert_eq!(checked["ports"][0]["process"]["pid"], std::process::id(), "{way}");
        let refused = env.git_port(&repo, ["allocate", "db", "--port", &number]).exits_with(4).stderr;
        let by = format!("error: port {port} is in use by '");
        assert!(refused.starts_with(&by), "{way}: {refused}");
        assert!(refused.contains(&format!("(pid {})", std::process::id())), "{way}: {refused}");
        assert_eq!(
            only(&env.json(&repo, "allocate api"))["port"],
            env.port(1),
            "{way}: the port is passed over"
        );
        env.ok(&repo, "release api");
    }
    // The port is allocated, and then somebody else takes it, one way or another.
    env.ok(&repo, &format!("allocate web --port {port}"));
    for (way, listen) in listen(port) {
        let _socket = listen();
        let audit = env.git_port(&repo, ["--json", "audit"]).exits_with(1).object();
        assert_eq!(audit["conflicts"][0]["port"], port, "{way}");
        let checked = env.git_port(&repo, ["check", &number]).exits_with(1).stdout;
        assert!(checked.contains("Status: foreign"), "{way}: {checked}");
    }
}

#[test]
fn a_range_full_of_listeners_is_told_so() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let _held: Vec<TcpListener> =
        (0..50).map(|index| TcpListener::bind(("127.0.0.1", env.port(100 + index))).unwrap()).collect();
    let full = env.git_port(&repo, ["allocate", "web", "test"]).exits_with(4).stderr;
    assert!(full.contains("are in use on this machine"), "{full}");
}
