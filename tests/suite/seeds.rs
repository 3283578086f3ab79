//! The examples of the documents this project came from, each with its own arguments.

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{GIT_PORT, Run, TestEnv};

/// Fails unless the text has each of these lines.
#[track_caller]
fn says(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|has| has == *line), "no '{line}' in:\n{text}");
    }
}

fn services(env: &TestEnv, dir: &std::path::Path, words: &str) -> Vec<String> {
    let object = env.json(dir, &format!("list {words}"));
    let allocations = object["allocations"].as_array().unwrap();
    allocations.iter().map(|one| one["service"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn allocate_api_server() {
    let env = TestEnv::new();
    let repo = env.repo("scar");
    let port = env.port(0);
    let text = env.ok(&repo, "allocate api-server");
    assert_eq!(text.lines().next(), Some("Port allocated!"));
    says(&text, &[&format!("Port: {port}"), "Service: api-server", "Environment: dev"]);
    assert!(text.lines().last().unwrap().starts_with(&format!("Use: PORT={port} ")), "{text}");
}

#[test]
fn the_dev_command_is_npms_where_npm_has_it() {
    let env = TestEnv::new();
    let repo = env.repo("scar");
    std::fs::write(repo.join("package.json"), r#"{"scripts":{"dev":"next dev"}}"#).unwrap();
    let text = env.ok(&repo, "allocate api-server");
    says(&text, &[&format!("Use: PORT={} npm run dev", env.port(0))]);
}

#[test]
fn allocate_web_app_production() {
    let env = TestEnv::new();
    let repo = env.repo("scar");
    let text = env.ok(&repo, "allocate web-app production");
    says(&text, &[&format!("Port: {}", env.port(150)), "Service: web-app", "Environment: production"]);
    let one = env.one(&repo, "list --environment production");
    assert_eq!(one["worktree"], Value::Null, "a production service is no worktree's");
}

#[test]
fn allocate_frontend_dev_with_a_port() {
    let env = TestEnv::new();
    let repo = env.repo("scar");
    let port = env.port(80);
    says(&env.ok(&repo, &format!("allocate frontend dev {port}")), &[&format!("Port: {port}")]);
    // Preferred, it gives way; asked for by number, it does not.
    let run = env.git_port(&repo, ["allocate", "other", "dev", &port.to_string()]).exits_with(4);
    assert!(run.stderr.contains(&format!("port {port} belongs to scar/frontend")), "{run:?}");
    let other = env.one(&repo, &format!("allocate other dev --prefer {port}"));
    assert_eq!(other["port"], env.port(0));
}

#[test]
fn allocate_nginx_production_443() {
    let env = TestEnv::new();
    let repo = env.repo("scar");
    let run = env.git_port(&repo, ["allocate", "nginx", "production", "443"]).success();
    says(&run.stdout, &["Port: 443", "Service: nginx"]);
    assert_eq!(run.stderr, "", "a well-known port is no surprise in production");
    let (api, web) = (env.port(150), env.port(151));
    env.ok(&repo, &format!("allocate api production {api}"));
    env.ok(&repo, &format!("allocate web production {web}"));
    let ports = env.listed(&repo, "--environment production");
    assert_eq!(ports, [443, u64::from(api), u64::from(web)]);
}

#[test]
fn list_with_each_filter_and_descriptions() {
    let env = TestEnv::new();
    let scar = env.repo("scar");
    let other = env.repo("other");
    env.git_port(&scar, ["allocate", "api-server", "--description", "Test API server"]).success();
    env.ok(&scar, "allocate frontend dev");
    env.ok(&scar, "allocate suite test");
    env.ok(&scar, "worktree create feature --service worker");
    env.ok(&other, "allocate web");
    let feature = env.root().join("scar-feature");

    let text = env.ok(&scar, "list");
    let line = text.lines().find(|line| line.contains("api-server")).unwrap();
    assert!(line.starts_with(&env.port(0).to_string()) && line.ends_with("Test API server"), "{text}");
    let sorted = |words: &str| {
        let mut names = services(&env, &feature, words);
        names.sort();
        names.join(" ")
    };
    assert_eq!(sorted(""), "api-server frontend suite worker");
    assert_eq!(sorted("--worktree"), "worker");
    assert_eq!(sorted(&format!("--worktree {}", scar.display())), "api-server frontend suite");
    assert_eq!(sorted("--environment dev"), "api-server frontend worker");
    assert_eq!(sorted("--environment test"), "suite");
    assert_eq!(sorted("--project"), "api-server frontend suite worker");
    assert_eq!(sorted("--project other"), "web");
    assert_eq!(sorted("--all"), "api-server frontend suite web worker");
    assert_eq!(sorted("--all --environment dev"), "api-server frontend web worker");
}

#[test]
fn a_released_port_is_listed_as_such() {
    let env = TestEnv::new();
    let repo = env.repo("scar");
    let port = env.port(0);
    env.ok(&repo, "allocate worker");
    assert_eq!(env.ok(&repo, &format!("release {port}")), format!("Port {port} released successfully\n"));
    assert_eq!(services(&env, &repo, ""), [""; 0]);
    assert_eq!(services(&env, &repo, "--released"), ["worker"]);
    let text = env.ok(&repo, "list --released");
    assert!(text.lines().nth(1).unwrap().contains(" released "), "{text}");
}

#[test]
fn check_a_port_that_is_allocated_and_one_that_is_available() {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_TIME", "2025-12-19T15:45:00Z");
    let repo = env.repo("scar");
    let (taken, free) = (env.port(0), env.port(1));
    env.git_port(&repo, ["allocate", "api-server", "--description", "Test API server"]).success();
    let run = env.git_port(&repo, ["check", &taken.to_string()]).exits_with(1);
    let lines = [
        "Service: api-server",
        "Status: allocated",
        "Environment: dev",
        "Description: Test API server",
        "Allocated: 2025-12-19 15:45:00 UTC",
    ];
    says(&run.stdout, &lines);
    assert_eq!(env.ok(&repo, &format!("check {free}")), format!("Port {free} is available\n"));
}

#[test]
fn stats_dev_has_the_numbers_of_the_document() {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_RANGES_DEV", "");
    env.set("DEV_PORT_START", env.first);
    env.set("DEV_PORT_END", env.first + 999);
    env.set("RESERVED_PORTS", "");
    let repo = env.repo("scar");
    let names: Vec<String> = (0..15).map(|index| format!("s{index}")).collect();
    env.ok(&repo, &format!("allocate {}", names.join(" ")));
    let run = env.git_port(&repo, ["stats", "dev"]).success();
    let lines = [
        "Port Range Statistics (dev):",
        "Total Ports: 1000",
        "Allocated: 15",
        "Available: 985",
        "Utilization: 1.5%",
    ];
    says(&run.stdout, &lines);
    assert_eq!(run.stderr, "");
}

#[test]
fn stats_warns_when_a_range_is_nearly_full() {
    let env = TestEnv::new();
    let repo = env.repo("scar");
    let names: Vec<String> = (0..79).map(|index| format!("s{index}")).collect();
    env.ok(&repo, &format!("allocate {}", names.join(" ")));
    assert_eq!(env.git_port(&repo, ["stats", "dev"]).success().stderr, "", "79 % is no cause");
    env.ok(&repo, "allocate t0 t1 t2 t3 t4 t5");
    let run = env.git_port(&repo, ["stats", "dev"]).success();
    let warning = format!("dev port range {}-{} is 85% full", env.port(0), env.port(99));
    assert_eq!(run.stderr, format!("warning: {warning}\n"));
    let object = env.json(&repo, "stats dev");
    assert_eq!(object["warnings"], serde_json::json!([warning]));
    assert_eq!(object["ranges"][0]["utilization"], 85.0);
}

#[test]
fn cleanup_previews_and_then_releases_what_is_orphaned_and_forgets_what_is_old() {
    let mut env = TestEnv::new();
    env.set("PORT_AUTO_CLEANUP", "false");
    env.set("GIT_PORT_TIME", "2026-01-01T00:00:00Z");
    let repo = env.repo("scar");
    env.ok(&repo, "worktree create gone");
    env.ok(&repo, "worktree create there");
    env.ok(&repo, "allocate old recent");
    env.ok(&repo, "release old");
    std::fs::remove_dir_all(env.root().join("scar-gone")).unwrap();
    env.set("GIT_PORT_TIME", "2026-01-10T00:00:00Z");
    env.ok(&repo, "release recent");

    env.set("GIT_PORT_TIME", "2026-01-31T00:00:00Z");
    let preview = env.ok(&repo, "cleanup --dry-run");
    assert_eq!(preview.lines().next(), Some("Would clean up 2 stale port allocation(s)"));
    assert_eq!(env.listed(&repo, "--state orphaned").len(), 1);
    let done = env.ok(&repo, "cleanup");
    assert_eq!(done.lines().next(), Some("Cleaned up 2 stale port allocation(s)"));
    let body = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(body(&preview), body(&done), "what is done is what was shown");
    assert_eq!(env.listed(&repo, "--state orphaned").len(), 0);
    assert_eq!(services(&env, &repo, ""), ["scar-there"]);
    let mut remembered = services(&env, &repo, "--state released");
    remembered.sort();
    assert_eq!(remembered, ["recent", "scar-gone"], "21 days is not old, just released neither");
    assert_eq!(env.ok(&repo, "cleanup"), "Nothing to clean up\n");
}

#[test]
fn the_variables_of_the_document_set_the_ranges() {
    let mut env = TestEnv::new();
    let first = env.first;
    for (name, start) in [("DEV", first + 10), ("TEST", first + 20), ("PROD", first + 30)] {
        env.set(&format!("{name}_PORT_START"), start);
        env.set(&format!("{name}_PORT_END"), start + 9);
    }
    for name in ["DEV", "TEST", "PRODUCTION"] {
        env.set(&format!("GIT_PORT_RANGES_{name}"), "");
    }
    let repo = env.repo("scar");
    for (environment, start) in [("dev", first + 10), ("test", first + 20), ("production", first + 30)] {
        assert_eq!(env.one(&repo, &format!("allocate web {environment}"))["port"], start, "{environment}");
        let range = env.json(&repo, &format!("stats {environment}"))["ranges"][0].clone();
        assert_eq!((&range["start"], &range["end"]), (&start.into(), &(start + 9).into()));
    }
}

#[test]
fn reserved_ports_are_passed_over() {
    let mut env = TestEnv::new();
    env.set("RESERVED_PORTS", format!("{},{}-{}", env.port(0), env.port(1), env.port(3)));
    let repo = env.repo("scar");
    assert_eq!(env.one(&repo, "allocate web")["port"], env.port(4));
    let run = env.git_port(&repo, ["allocate", "api", "dev", &env.port(2).to_string()]).exits_with(5);
    assert!(run.stderr.contains(&format!("port {} is reserved", env.port(2))), "{run:?}");
}

#[test]
fn the_strategy_is_sequential_or_random() {
    let mut env = TestEnv::new();
    let repo = env.repo("scar");
    env.set("PORT_ALLOCATION_STRATEGY", "sequential");
    for index in 0..3 {
        assert_eq!(env.one(&repo, &format!("allocate s{index}"))["port"], env.port(index));
    }
    env.set("PORT_ALLOCATION_STRATEGY", "random");
    let ports: Vec<u64> =
        (0..8).map(|index| env.one(&repo, &format!("allocate r{index}"))["port"].as_u64().unwrap()).collect();
    let in_order: Vec<u64> = (3..11).map(|index| u64::from(env.port(index))).collect();
    assert_ne!(ports, in_order, "one in 10^15 that chance does this");
    let range = u64::from(env.port(3))..=u64::from(env.port(99));
    assert!(ports.iter().all(|port| range.contains(port)), "{ports:?}");
}

#[test]
fn auto_cleanup_releases_in_passing_unless_it_is_off() {
    for (auto, orphans) in [("false", 1), ("true", 0)] {
        let mut env = TestEnv::new();
        env.set("PORT_AUTO_CLEANUP", auto);
        env.set("GIT_PORT_TIME", "2026-01-01T00:00:00Z");
        let repo = env.repo("scar");
        env.ok(&repo, "worktree create gone");
        env.git(&repo, ["worktree", "remove", "../scar-gone"]);
        env.set("GIT_PORT_TIME", "2026-01-01T02:00:00Z");
        env.ok(&repo, "allocate web");
        env.set("PORT_AUTO_CLEANUP", "false");
        assert_eq!(env.listed(&repo, "--state orphaned").len(), orphans, "{auto}");
    }
}

#[test]
fn a_full_range_says_what_to_do() {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_RANGES_DEV", format!("{}-{}", env.port(0), env.port(2)));
    let repo = env.repo("scar");
    env.ok(&repo, "allocate a b c");
    let run = env.git_port(&repo, ["allocate", "d"]).exits_with(4);
    assert!(run.stderr.contains("no port is left for 'dev'"), "{run:?}");
    assert!(run.stderr.contains("git port cleanup --dry-run"), "{run:?}");
    assert!(run.stderr.contains("git port range set dev "), "{run:?}");
    env.ok(&repo, &format!("release {}", env.port(1)));
    assert_eq!(env.one(&repo, "allocate d")["port"], env.port(1), "and then it goes on");
}

/// `getOrAllocate('consilio', 'api')`, and what else the manager of ports of projects does.
#[test]
fn a_project_with_its_own_range() {
    let env = TestEnv::new();
    let root = env.root();
    let (first, last) = (env.port(0), env.port(99));
    env.ok(&root, &format!("range set consilio {first}-{last}"));
    let api = env.one(&root, "allocate api --project consilio");
    assert_eq!((&api["port"], &api["created"]), (&first.into(), &true.into()));
    let again = env.one(&root, "allocate api --project consilio");
    assert_eq!((&again["port"], &again["created"]), (&first.into(), &false.into()));
    env.ok(
        &root,
        "allocate web --project consilio --type web --description main --public-hostname consilio.153.se",
    );
    env.ok(&root, "allocate websocket worker admin --project consilio");

    let summary = env.json(&root, "summary consilio");
    assert_eq!(summary["project"], "consilio");
    let range = &summary["ranges"][0];
    let numbers =
        ["start", "end", "total", "allocated", "available"].map(|name| range[name].as_u64().unwrap());
    assert_eq!(numbers, [first.into(), last.into(), 100, 5, 95]);
    assert_eq!(range["utilization"], 5.0);
    assert_eq!(summary["allocations"].as_array().unwrap().len(), 5);
    assert_eq!(env.listed(&root, "--project consilio").len(), 5);

    let web = env.one(&root, &format!("update {} --description other --type site", env.port(1)));
    let now = (&web["service"], &web["description"], &web["service_type"], &web["public_hostname"]);
    assert_eq!(now, (&"web".into(), &"other".into(), &"site".into(), &"consilio.153.se".into()));

    env.ok(&root, "release api --project consilio");
    env.git_port(&root, ["release", "api", "--project", "consilio"]).exits_with(1);
    assert_eq!(env.json(&root, "summary consilio")["ranges"][0]["available"], 96);
    let moved = env.one(&root, "allocate web --project consilio --new");
    assert_eq!(
        (&moved["port"], &moved["created"]),
        (&env.port(5).into(), &true.into()),
        "allocate() always does"
    );
}

#[test]
fn three_projects_get_three_ports_and_each_its_own_again() {
    let env = TestEnv::new();
    let repos = ["app1", "app2", "app3"].map(|name| env.repo(name));
    for (repo, index) in repos.iter().zip(0..) {
        assert_eq!(env.ok(repo, "get"), format!("{}\n", env.port(index)));
    }
    env.ok(&repos[1], "release --worktree");
    env.ok(&repos[0], "allocate another");
    assert_eq!(env.ok(&repos[1], "get"), format!("{}\n", env.port(1)), "the same after a restart");
    assert_eq!(env.ok(&repos[2], "get"), format!("{}\n", env.port(2)));
}

#[test]
fn a_port_that_somebody_uses_is_skipped() {
    let env = TestEnv::new();
    let repo = env.repo("myproject");
    let _other = std::net::TcpListener::bind(("127.0.0.1", env.port(0))).unwrap();
    assert_eq!(env.ok(&repo, "get"), format!("{}\n", env.port(1)));
}

#[test]
fn a_fallback_range_is_used_when_the_first_is_full() {
    let mut env = TestEnv::new();
    env.set(
        "GIT_PORT_RANGES_DEV",
        format!("{}-{},{}-{}", env.port(0), env.port(1), env.port(50), env.port(59)),
    );
    let repo = env.repo("myproject");
    let ports = env.json(&repo, "allocate a b")["allocations"].as_array().unwrap().len();
    assert_eq!(ports, 2);
    assert_eq!(env.one(&repo, "allocate c")["port"], env.port(50));
}

#[test]
fn fifty_projects_at_once_get_fifty_ports() {
    let env = TestEnv::new();
    let root = env.root();
    let children: Vec<_> = (0..50)
        .map(|index| {
            let project = format!("project-{index}");
            let mut command = env.command(GIT_PORT, &root);
            command.args(["--json", "allocate", "web", "--project", &project]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let ports: BTreeSet<u64> = children
        .into_iter()
        .map(|child| Run::of(child.wait_with_output().unwrap()).success().object())
        .map(|object| object["allocations"][0]["port"].as_u64().unwrap())
        .collect();
    let expected: BTreeSet<u64> = (0..50).map(|index| u64::from(env.port(index))).collect();
    assert_eq!(ports, expected);
    assert_eq!(env.listed(&root, "--all").len(), 50);
}
