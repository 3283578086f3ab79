//! `git port allocate`

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use serde_json::{Value, json};

use crate::support::{TestEnv, shape};

#[test]
fn the_object_has_every_promised_field() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let answer = env.json(&repo, "allocate web api");
    let allocations = shape::lists(&answer, &["allocations", "warnings"]);
    assert_eq!(allocations.len(), 2);
    for one in allocations {
        shape::has(one, shape::ALLOCATION);
        assert_eq!(one["created"], true);
    }
    let web = &allocations[0];
    let expected = json!({
        "port": env.port(0), "protocol": "tcp", "project": "shop", "worktree": repo.to_str().unwrap(),
        "branch": "main", "service": "web", "environment": "dev", "primary": true, "state": "allocated",
        "status": "allocated", "service_type": null, "description": null, "public_hostname": null,
        "pinned": false, "session": null, "variable": "PORT", "url": format!("http://localhost:{}", env.port(0)),
        "process": null, "last_used_at": null, "last_checked_at": null, "released_at": null,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(web[name], *value, "{name}");
    }
    assert_eq!(
        (&allocations[1]["variable"], &allocations[1]["primary"]),
        (&json!("API_PORT"), &json!(false))
    );
}

#[test]
fn times_are_those_of_the_clock_in_utc() {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_TIME", "2026-03-01T12:30:00+02:00");
    let repo = env.repo("shop");
    assert_eq!(env.one(&repo, "allocate web")["allocated_at"], "2026-03-01T10:30:00Z");
}

#[test]
fn the_same_service_gets_the_same_port() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let first = env.one(&repo, "allocate web");
    let second = env.one(&repo, "allocate web");
    assert_eq!(first["port"], second["port"]);
    assert_eq!((&first["created"], &second["created"]), (&json!(true), &json!(false)));
    assert_eq!(first["allocated_at"], second["allocated_at"]);
    let text = env.ok(&repo, "allocate web");
    assert_eq!(text.lines().next(), Some("Port already allocated."));
}

#[test]
fn options_stand_before_and_after_positionals() {
    let port = |env: &TestEnv, line: String| {
        let repo = env.root().join("shop");
        let one = env.one(&repo, &line);
        assert_eq!((&one["environment"], &one["description"]), (&json!("test"), &json!("x")), "{line}");
        one["port"].as_u64().unwrap()
    };
    for line in [
        "allocate web test N --description x",
        "allocate --description x web test N",
        "allocate --description=x web --environment test --port N",
        "allocate -e test -p N --description x web",
        "allocate web -p N --description x test",
        "--quiet allocate web test --description x N --color never",
    ] {
        let env = TestEnv::new();
        env.repo("shop");
        let wanted = env.port(103);
        assert_eq!(port(&env, line.replace('N', &wanted.to_string())), u64::from(wanted), "{line}");
    }
}

#[test]
fn what_is_noted_is_kept_and_replaced() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let line = "allocate web --description shop-front --type web --public-hostname shop.example --session s1";
    let one = env.one(&repo, line);
    let noted = |one: &Value| {
        ["description", "service_type", "public_hostname", "session"]
            .map(|name| one[name].as_str().unwrap().to_owned())
    };
    assert_eq!(noted(&one), ["shop-front", "web", "shop.example", "s1"]);
    assert_eq!(
        noted(&env.one(&repo, "allocate web --description other")),
        ["other", "web", "shop.example", "s1"]
    );
    let moved = env.one(&repo, "allocate web --new --session s2");
    assert_eq!(noted(&moved), ["other", "web", "shop.example", "s2"], "a new port, the same service");
    for service in ["web", "api"] {
        let run = env.git_port(&repo, ["--json", "allocate", service, "--description", ""]).success();
        assert_eq!(run.object()["allocations"][0]["description"], Value::Null, "an empty text is none");
    }
}

#[test]
fn the_session_may_come_from_the_environment() {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_SESSION", "talk-7");
    let repo = env.repo("shop");
    assert_eq!(env.one(&repo, "allocate web")["session"], "talk-7");
    assert_eq!(env.one(&repo, "allocate api --session mine")["session"], "mine");
}

#[test]
fn new_moves_to_another_port() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let moved = env.one(&repo, "allocate web --new");
    assert_eq!(
        (&moved["port"], &moved["created"], &moved["primary"]),
        (&json!(env.port(1)), &json!(true), &json!(true))
    );
    assert_eq!(env.listed(&repo, ""), [u64::from(env.port(1))]);
    let there = env.one(&repo, &format!("allocate web --new --port {}", env.port(7)));
    assert_eq!(there["port"], env.port(7));
}

#[test]
fn services_that_ask_together_are_neighbours() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, &format!("allocate other dev {}", env.port(1)));
    let ports: Vec<Value> = env.json(&repo, "allocate web api db")["allocations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["port"].clone())
        .collect();
    assert_eq!(ports, [2, 3, 4].map(|index| json!(env.port(index))));
}

#[test]
fn a_preferred_port_is_a_wish() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let wish = format!("--prefer {}", env.port(9));
    assert_eq!(env.one(&repo, &format!("allocate web {wish}"))["port"], env.port(9));
    assert_eq!(env.one(&repo, &format!("allocate api {wish}"))["port"], env.port(0));
}

#[test]
fn a_port_outside_the_range_is_given_with_a_warning() {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_RANGES_TEST", format!("{}-{}", env.port(130), env.port(149)));
    let repo = env.repo("shop");
    let outside = env.port(120);
    let run = env.git_port(&repo, ["allocate", "web", "dev", &outside.to_string()]).success();
    assert!(run.stderr.starts_with(&format!("warning: port {outside} lies outside")), "{run:?}");
    let answer = env.json(&repo, &format!("allocate api dev {}", outside + 1));
    assert!(answer["warnings"][0].as_str().unwrap().contains("lies outside"), "{answer}");
    let answer = env.json(&repo, &format!("allocate api production {}", outside + 2));
    assert_eq!(answer["warnings"], json!([]), "production documents what is in nobody's range");
}

#[test]
fn a_port_in_use_is_refused_by_number_and_passed_over_otherwise() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let _wildcard = TcpListener::bind((Ipv4Addr::UNSPECIFIED, env.port(0))).unwrap();
    let _loopback = TcpListener::bind(("::1", env.port(1))).unwrap();
    let _production = TcpListener::bind((Ipv4Addr::LOCALHOST, env.port(150))).unwrap();
    assert_eq!(env.one(&repo, "allocate web")["port"], env.port(2));
    for index in [0, 1] {
        let port = env.port(index).to_string();
        let run = env.git_port(&repo, ["allocate", "api", "dev", &port]).exits_with(4);
        assert!(run.stderr.contains(&format!("port {port} is in use")), "{run:?}");
    }
    let one = env.one(&repo, &format!("allocate api dev {} --force", env.port(0)));
    assert_eq!(one["port"], env.port(0));
    env.git_port(&repo, ["allocate", "edge", "production", &env.port(150).to_string()]).success();
}

#[test]
fn tcp_and_udp_are_numbered_apart() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let dns = env.one(&repo, "allocate dns --protocol udp");
    assert_eq!(
        (&dns["port"], &dns["protocol"], &dns["url"]),
        (&json!(env.port(0)), &json!("udp"), &Value::Null)
    );
    let _taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, env.port(1))).unwrap();
    assert_eq!(env.one(&repo, "allocate ntp --protocol udp")["port"], env.port(2));
    assert_eq!(env.one(&repo, "allocate api")["port"], env.port(1), "no TCP socket has it");
}

#[test]
fn a_released_port_is_remembered_by_its_service_and_given_to_others_last() {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_RANGES_DEV", format!("{}-{}", env.port(0), env.port(2)));
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    env.ok(&repo, "release web");
    assert_eq!(env.one(&repo, "allocate api")["port"], env.port(1), "fresh ones come first");
    assert_eq!(env.one(&repo, "allocate web")["port"], env.port(0), "its own again");
    env.ok(&repo, "release web");
    env.ok(&repo, "allocate db");
    assert_eq!(env.one(&repo, "allocate queue")["port"], env.port(0), "nothing else is left");
}

#[test]
fn the_range_of_the_project_comes_before_that_of_the_environment() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, &format!("range set shop {}-{}", env.port(40), env.port(49)));
    assert_eq!(env.one(&repo, "allocate web")["port"], env.port(40));
    let elsewhere = env.repo("other");
    assert_eq!(env.one(&elsewhere, "allocate web")["port"], env.port(0));
}

#[test]
fn each_worktree_has_its_own() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create topic --no-ports");
    let topic = env.root().join("shop-topic");
    let (main, linked) = (env.one(&repo, "allocate web"), env.one(&topic, "allocate web"));
    assert_eq!((&main["port"], &linked["port"]), (&json!(env.port(0)), &json!(env.port(1))));
    assert_eq!((&linked["branch"], &linked["worktree"]), (&json!("topic"), &json!(topic.to_str().unwrap())));
    let deep = topic.join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    assert_eq!(env.one(&deep, "allocate web")["port"], env.port(1), "wherever in it one stands");
    assert_eq!(env.one(&env.root(), "-C shop-topic allocate web")["port"], env.port(1));
    assert_eq!(env.one(&env.root(), "-C shop-topic -C a allocate web")["port"], env.port(1));
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, &format!("allocate web dev {}", env.port(5)));
    env.ok(&repo, &format!("reserve {}-{} --reason docs", env.port(20), env.port(21)));
    let (taken, reserved, other) =
        (env.port(5).to_string(), env.port(20).to_string(), env.port(6).to_string());
    let long = "a".repeat(64);
    shape::refuses(
        &env,
        &repo,
        &[
            (&["allocate"], 129, "usage", "required arguments"),
            (&["allocate", ""], 129, "usage", "''"),
            (&["allocate", "Web"], 129, "usage", "'Web'"),
            (&["allocate", "we b"], 129, "usage", "'we b'"),
            (&["allocate", "a/b"], 129, "usage", "'a/b'"),
            (&["allocate", "../../etc"], 129, "usage", "'../../etc'"),
            (&["allocate", "$(id)"], 129, "usage", "'$(id)'"),
            (&["allocate", "a;b"], 129, "usage", "'a;b'"),
            (&["allocate", "a\nb"], 129, "usage", "'a\nb'"),
            (&["allocate", "a\u{1b}[31m"], 129, "usage", "'a\u{1b}[31m'"),
            (&["allocate", "a\u{202e}b"], 129, "usage", "'a\u{202e}b'"),
            (&["allocate", "日本"], 129, "usage", "'日本'"),
            (&["allocate", &long], 129, "usage", &long),
            (&["allocate", "8080"], 129, "usage", "'8080'"),
            (&["allocate", "ok", "Bad"], 129, "usage", "'Bad'"),
            (&["allocate", "api", "0"], 129, "usage", "'0'"),
            (&["allocate", "api", "65536"], 129, "usage", "'65536'"),
            (&["allocate", "api", "80x"], 129, "usage", "'80x'"),
            (&["allocate", "api", "99999999999999999999"], 129, "usage", "'99999999999999999999'"),
            (&["allocate", "api", "--port", "+80"], 129, "usage", "'+80'"),
            (&["allocate", "api", "--port", "٣"], 129, "usage", "'٣'"),
            (&["allocate", "api", "--port=-1"], 129, "usage", "'-1'"),
            (&["allocate", "api", "--prefer", "x"], 129, "usage", "'x'"),
            (&["allocate", "api", "-e", "Nope"], 129, "usage", "'Nope'"),
            (&["allocate", "api", "-e", "staging"], 129, "usage", "'staging'"),
            (&["allocate", "api", "dev", "-e", "test"], 129, "usage", "'dev' and 'test'"),
            (&["allocate", "api", &other, "-p", &taken], 129, "usage", &taken),
            (&["allocate", "api", "-p", &other, "--prefer", &other], 129, "usage", "--prefer"),
            (&["allocate", "api", "db", &other], 129, "usage", "one service only"),
            (&["allocate", "api", "db", "api"], 129, "usage", "'api'"),
            (&["allocate", "api", "api", "production"], 129, "usage", "'api'"),
            (&["allocate", "api", "--registry", ""], 129, "usage", "--registry"),
            (&["allocate", "api", "--protocol", "sctp"], 129, "usage", "'sctp'"),
            (&["allocate", "api", "--project", "../x"], 129, "usage", "'../x'"),
            (&["allocate", "api", "--project", ""], 129, "usage", "''"),
            (&["allocate", "api", "--public-hostname", "a b"], 129, "usage", "'a b'"),
            (&["allocate", "api", "--nope"], 129, "usage", "'--nope'"),
            (&["allocate", "api", "--no\u{1b}[0mpe"], 129, "usage", "'--no\u{1b}[0mpe'"),
            (&["allocate", "api", &taken], 4, "conflict", &taken),
            (&["allocate", "web", &other], 4, "conflict", &taken),
            (&["allocate", "api", &reserved], 5, "reserved", &reserved),
        ],
    );
}

#[cfg(unix)]
#[test]
fn words_that_are_not_utf_8_are_named() {
    use std::os::unix::ffi::OsStrExt;
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let books = env.books();
    let bad = std::ffi::OsStr::from_bytes(b"we\xffb");
    for line in [
        [bad].as_slice(),
        &["api".as_ref(), "--description".as_ref(), bad],
        &["api".as_ref(), "-e".as_ref(), bad],
    ] {
        for json in [None, Some("--json".as_ref())] {
            let words = std::iter::once("allocate".as_ref()).chain(line.iter().copied()).chain(json);
            let run = env.git_port(&repo, words).exits_with(129);
            let answer = if json.is_some() { &run.stdout } else { &run.stderr };
            assert!(answer.contains("'we\\") && answer.contains("fffd"), "{line:?}: {run:?}");
        }
    }
    assert_eq!(env.books(), books);
}

#[test]
fn without_a_repository_the_project_must_be_named() {
    let env = TestEnv::new();
    let root = env.root();
    shape::refuses(&env, &root, &[(&["allocate", "web"], 128, "not_a_repository", "not in a worktree")]);
    let one = env.one(&root, "allocate web --project edge");
    let of = (&one["project"], &one["worktree"], &one["primary"], &one["variable"]);
    assert_eq!(of, (&json!("edge"), &Value::Null, &json!(false), &json!("WEB_PORT")));

    // A service of production, which this user could not start, and which may be running.
    let words = "allocate nginx production 443 --project edge --type web --public-hostname shop.example.org";
    let words = words.split(' ').chain(["--description", "the proxy in front of all"]);
    let run = env.git_port(&root, std::iter::once("--json").chain(words)).success();
    assert_eq!(run.stderr, "");
    let nginx = &run.object()["allocations"][0];
    let of = (&nginx["port"], &nginx["project"], &nginx["environment"], &nginx["worktree"]);
    assert_eq!(of, (&json!(443), &json!("edge"), &json!("production"), &Value::Null));
    assert_eq!(nginx["description"], "the proxy in front of all");
    let of_dev = env.port(20).to_string();
    let refused: &[&str] = &["allocate", "api", "production", &of_dev, "--project", "edge"];
    shape::refuses(&env, &root, &[(refused, 4, "conflict", "'dev'")]);
    env.ok(&root, &format!("allocate api production {of_dev} --project edge --force"));
}

#[test]
fn all_of_a_request_or_nothing() {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_RANGES_DEV", format!("{}-{}", env.port(0), env.port(2)));
    let repo = env.repo("shop");
    let full: &[&str] = &["allocate", "a", "b", "c", "d"];
    shape::refuses(&env, &repo, &[(full, 4, "range_full", "no port is left for 'dev'")]);
    assert_eq!(env.listed(&repo, ""), [0; 0]);
}
