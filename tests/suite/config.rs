//! Configuration files and variables, as every command reads them.

use std::fs;

use serde_json::json;

#[cfg(unix)]
use crate::support::{GIT_PORT, Run};
use crate::support::{TestEnv, shape};

#[test]
fn a_whole_configuration_is_read() {
    let mut env = TestEnv::new();
    let repo = env.repo("folder");
    let prefer = env.port(32);
    let config = format!(
        r#"project = "shop"
[services.web]
[services.api]
variables = ["API_PORT", "UVICORN_PORT"]
type = "api"
[services.db]
protocol = "tcp"
prefer = {prefer}
[env]
DATABASE_URL = "postgres://localhost:{{db.port}}/shop"
COMPOSE_PROJECT_NAME = "{{project}}-{{worktree}}"
[worktree]
path = "../{{project}}_{{branch}}"
fill = "auto"
[allocation]
strategy = "sequential"
reserved = [3000, "{}-{}"]
[cleanup]
auto = true
interval = "1h"
older_than = "30d"
[hook]
repositories = "configured"
"#,
        env.port(0),
        env.port(1)
    );
    fs::write(repo.join(".git-port.toml"), config).unwrap();
    env.set("RESERVED_PORTS_UNKNOWN", "no variable of ours");
    env.git(&repo, ["add", "."]);
    env.git(&repo, ["commit", "-q", "-m", "ports"]);
    let answer = env.json(&repo, "worktree create topic");
    let of = |index: usize| {
        ["service", "port", "service_type"].map(|name| answer["allocations"][index][name].clone())
    };
    assert_eq!(of(0), [json!("web"), json!(env.port(2)), json!(null)], "{answer}");
    assert_eq!(of(1), [json!("api"), json!(env.port(3)), json!("api")]);
    assert_eq!(of(2), [json!("db"), json!(prefer), json!(null)]);
    let topic = env.root().join("shop_topic");
    assert_eq!(answer["worktree"]["path"], topic.to_str().unwrap());
    let variables = env.json(&topic, "env")["variables"].clone();
    assert_eq!(variables["UVICORN_PORT"], env.port(3).to_string());
    assert_eq!(variables["DATABASE_URL"], format!("postgres://localhost:{prefer}/shop"));
    assert_eq!(variables["COMPOSE_PROJECT_NAME"], "shop-shop_topic");
}

#[test]
fn the_later_layer_wins() {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_RANGES_DEV", "");
    let repo = env.repo("shop");
    let range = |index: u16| format!("{0}-{0}", env.port(index));
    let start = |env: &TestEnv| env.json(&repo, "stats dev")["ranges"][0]["start"].as_u64().unwrap();
    let user = env.home().join(".config/git-port/config.toml");
    fs::create_dir_all(user.parent().unwrap()).unwrap();
    let config = |index: u16| format!("[ranges]\ndev = \"{}\"\n", range(index));

    assert_eq!(start(&env), 8000);
    env.ok(&repo, &format!("range set dev {}", range(1)));
    assert_eq!(start(&env), u64::from(env.port(1)), "the registry");
    fs::write(&user, config(2)).unwrap();
    assert_eq!(start(&env), u64::from(env.port(2)), "the user's file");
    fs::write(repo.join(".git-port.toml"), config(3)).unwrap();
    assert_eq!(start(&env), u64::from(env.port(3)), "the repository's file");
    fs::write(repo.join(".git/git-port.toml"), config(4)).unwrap();
    assert_eq!(start(&env), u64::from(env.port(4)), "this clone's file");
    let (five, six) = (env.port(5), range(6));
    env.set("DEV_PORT_START", five);
    env.set("DEV_PORT_END", five);
    assert_eq!(start(&env), u64::from(env.port(5)), "the plain variables");
    env.set("GIT_PORT_RANGES_DEV", six);
    assert_eq!(start(&env), u64::from(env.port(6)), "the variable of the setting");
}

#[test]
fn another_registry() {
    let mut env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    assert!(env.registry().exists());
    let other = env.root().join("other.db");
    assert_eq!(env.listed(&repo, &format!("--all --registry {}", other.display())), [0; 0]);
    env.set("GIT_PORT_REGISTRY", other.display());
    assert_eq!(env.listed(&repo, "--all"), [0; 0]);
    env.ok(&env.root(), "allocate web --project x");
    let usual = format!("--registry {}", env.registry().display());
    assert_eq!(env.one(&repo, &format!("{usual} list --all"))["project"], "shop", "the option wins");
}

/// Each of these files is refused by a message with the file, the line and what is wrong.
#[test]
fn bad_files_are_refused_by_every_command() {
    let cases = [
        ("[service.web]\n", "line 1", "'service'"),
        ("\n[services.web]\nprot = \"tcp\"\n", "line 3", "'services.web.prot'"),
        ("[services.Web]\n", "line 1", "'Web'"),
        ("[services.\"a b\"]\n", "line 1", "'a b'"),
        ("[services.\"a\\u001b\"]\n", "line 1", "'a\\u{1b}'"),
        ("[services.web]\nprefer = 0\n", "line 2", "'0'"),
        ("[services.web]\nprefer = 65536\n", "line 2", "'65536'"),
        ("[services.web]\nprotocol = \"sctp\"\n", "line 2", "'sctp'"),
        ("[services.web]\nvariables = [\"PATH\"]\n", "line 2", "'PATH'"),
        ("[services.web]\nvariables = [\"a-b\"]\n", "line 2", "'a-b'"),
        ("[env]\nLD_PRELOAD = \"x\"\n", "line 2", "'LD_PRELOAD'"),
        ("[env]\n\"A;B\" = \"x\"\n", "line 2", "'A;B'"),
        ("project = \"../x\"\n", "line 1", "'../x'"),
        ("project = 7\n", "line 1", "project"),
        ("[ranges]\ndev = \"9-8\"\n", "line 2", "'9-8'"),
        ("[ranges]\ndev = []\n", "line 2", "ranges.dev"),
        ("[ranges]\ndev = [\"1-5\", \"5-9\"]\n", "line 2", "overlap"),
        ("[ranges]\nDev = \"1-5\"\n", "line 2", "'Dev'"),
        ("[projects.\"a b\"]\nrange = \"1-5\"\n", "line 2", "'a b'"),
        ("[allocation]\nstrategy = \"best\"\n", "line 2", "'best'"),
        ("[allocation]\nreserved = [\"x\"]\n", "line 2", "'x'"),
        ("[cleanup]\nauto = \"maybe\"\n", "line 2", "cleanup.auto"),
        ("[cleanup]\nolder_than = \"soon\"\n", "line 2", "'soon'"),
        ("[hook]\nrepositories = \"some\"\n", "line 2", "'some'"),
        ("[services.web\n", "line 1", "bad syntax"),
        ("project = \"a\"\nproject = \"b\"\n", "line 2", "bad syntax"),
    ];
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let file = repo.join(".git-port.toml");
    for (text, line, named) in cases {
        fs::write(&file, text).unwrap();
        let run = env.git_port(&repo, ["get"]).exits_with(128);
        for part in [".git-port.toml'", line, named] {
            assert!(run.stderr.contains(part), "{text:?}: no {part} in {run:?}");
        }
        let message = shape::error(&env.json(&repo, "get"), "config").to_owned();
        assert!(message.contains(named), "{message}");
    }
    for line in [
        "list",
        "allocate web",
        "stats",
        "env",
        "url",
        "check 8001",
        "cleanup",
        "range list",
        "init",
        "summary",
        "release web",
    ] {
        let run = env.git_port(&repo, line.split(' ')).exits_with(128);
        assert!(run.stderr.contains(".git-port.toml'"), "{line}: {run:?}");
    }
    assert_eq!(env.listed(&env.root(), "--all --released"), [0; 0], "nothing was allocated");
    assert_eq!(fs::read_to_string(&file).unwrap(), cases[cases.len() - 1].0);
}

#[test]
fn the_nearest_key_is_named() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    fs::write(repo.join(".git-port.toml"), "[cleanup]\nolderthan = \"1d\"\n").unwrap();
    let hint = &env.json(&repo, "get")["error"]["hints"][0];
    assert_eq!(*hint, "did you mean 'cleanup.older_than'?");
}

#[test]
fn bad_bytes_in_a_file() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let file = repo.join(".git-port.toml");
    for bytes in [b"project = \"\xff\"\n".as_slice(), b"\0", &b"#".repeat(300 * 1024)] {
        fs::write(&file, bytes).unwrap();
        let run = env.git_port(&repo, ["get"]).exits_with(128);
        assert!(run.stderr.contains(".git-port.toml'"), "{run:?}");
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let run = env.git_port(&repo, ["get"]).exits_with(128);
    assert!(run.stderr.contains("is not a file"), "{run:?}");
}

#[cfg(unix)]
#[test]
fn bad_variables_are_named() {
    let cases: &[(&str, &[u8], &str)] = &[
        ("DEV_PORT_START", b"x", "'x'"),
        ("DEV_PORT_END", b"70000", "'70000'"),
        ("DEV_PORT_START", b"9999", "ends before it begins"),
        ("PROD_PORT_START", b"0", "'0'"),
        ("TEST_PORT_END", b"\xff", "not UTF-8"),
        ("RESERVED_PORTS", b"3000,web", "'web'"),
        ("PORT_AUTO_CLEANUP", b"perhaps", "true or false"),
        ("PORT_ALLOCATION_STRATEGY", b"best", "'best'"),
        ("GIT_PORT_RANGES_DEV", b"9-8", "'9-8'"),
        ("GIT_PORT_RANGES_DEV", b"8000-\xff", "not UTF-8"),
        ("GIT_PORT_CLEANUP_OLDER_THAN", b"soon", "'soon'"),
        ("GIT_PORT_CLEANUP_INTERVAL", b"-1s", "'-1s'"),
        ("GIT_PORT_CLEANUP_OLDERTHAN", b"1d", "GIT_PORT_CLEANUP_OLDER_THAN"),
        ("GIT_PORT_ALLOCATION_STRATEGY", b"a\x1b[31m", "expected 'sequential' or 'random'"),
        ("GIT_PORT_CONFIG", b"/nowhere/config.toml", "/nowhere/config.toml"),
        ("GIT_PORT_TIME", b"noon", "is no time"),
        ("GIT_PORT_SESSION", b"\xff", "not UTF-8"),
        ("GIT_PORT_REGISTRY", b"postgres://me:secret@host:x/db", "no number"),
    ];
    let env = TestEnv::new();
    let repo = env.repo("shop");
    for (name, value, named) in cases {
        for json in [false, true] {
            let mut command = env.command(GIT_PORT, &repo);
            command
                .env_remove("GIT_PORT_RANGES_DEV")
                .env(name, <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(value))
                .arg("get");
            if json {
                command.arg("--json");
            }
            let run = Run::of(command.output().unwrap()).exits_with(128);
            let answer = if json {
                shape::error(&run.object(), "config").to_owned() + &run.stdout
            } else {
                run.stderr.clone()
            };
            let is_place = ["GIT_PORT_CONFIG", "GIT_PORT_REGISTRY"].contains(name);
            assert!(is_place || answer.contains(name), "{name}: {run:?}");
            assert!(answer.contains(named), "{name}: no {named} in {run:?}");
            let shown = run.stdout + &run.stderr;
            assert!(!shown.contains('\u{1b}') && !shown.contains("secret"), "{shown:?}");
        }
    }
    assert_eq!(env.listed(&repo, "--all --released"), [0; 0]);
}
