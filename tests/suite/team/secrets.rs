//! A password is in no output, no argument, no log and no file but the user's own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::postgres::{self, CANARY, Database};
use crate::support::{Run, TestEnv};

/// What would give it away: any part of it that is long enough to be no accident.
const PARTS: [&str; 3] = ["canary", "p@ss", "p%40ss"];

fn is_clean(what: &str, text: &str) {
    assert!(PARTS.iter().all(|part| !text.contains(part)), "{what}: {text}");
}

/// Runs commands that succeed and commands that fail, in every way of saying things, and reads all that is
/// left of them.
fn go_through(env: &mut TestEnv, database: &Database, named_by: &str) {
    let server = postgres::shared().unwrap();
    let name = format!("shop-{named_by}");
    let repo = env.repo(&name);
    env.git_port(&repo, ["--verbose", "allocate", "web"]).success();
    let lines = [
        "worktree create feature",
        "list --all",
        "stats",
        "doctor",
        "env",
        "history",
        "range list",
        "export --all",
        "audit",
        "hook install",
        "init --dry-run",
        "cleanup",
        "release 1",
        "allocate web 1 --force --new",
        "watch --once",
        "worktree remove feature",
        "run -- cat /proc/self/cmdline",
    ];
    for (line, json) in lines.into_iter().zip([true, false].into_iter().cycle()) {
        let words = json.then_some("--json").into_iter().chain(line.split_whitespace());
        let run = env.git_port(&repo, words);
        is_clean(line, &format!("{}{}", run.stdout, run.stderr));
    }
    is_clean("the server's log", &server.log());
    let dump = server.psql(&database.name, "SELECT a::text FROM git_port.allocations a").unwrap();
    is_clean("the rows", &dump);
    no_file_holds_it(&env.root());
}

fn no_file_holds_it(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            no_file_holds_it(&path);
        } else if path.is_file() && ![".pgpass", ".pg_service.conf", "config.toml"].contains(&name.as_str()) {
            is_clean(&path.display().to_string(), &String::from_utf8_lossy(&fs::read(&path).unwrap()));
        }
    }
}

fn encoded() -> String {
    let bytes: Vec<String> = CANARY.bytes().map(|byte| format!("%{byte:02X}")).collect();
    bytes.concat()
}

#[test]
fn it_is_shown_nowhere_wherever_it_is_kept() {
    let Some(server) = postgres::shared() else { return };
    let database = server.database();
    let plain = server.tcp_url(&database);
    let with = plain.replace("postgres@", &format!("postgres:{}@", encoded()));

    let mut env = TestEnv::new();
    env.set("GIT_PORT_REGISTRY", &with);
    go_through(&mut env, &database, "variable");

    let mut env = TestEnv::new();
    env.set("GIT_PORT_REGISTRY", &plain);
    env.set("PGPASSWORD", CANARY);
    go_through(&mut env, &database, "pgpassword");

    let mut env = TestEnv::new();
    let pgpass = env.home().join(".pgpass");
    let escaped = CANARY.replace(':', "\\:");
    fs::write(&pgpass, format!("127.0.0.1:*:*:postgres:{escaped}\n")).unwrap();
    fs::set_permissions(&pgpass, fs::Permissions::from_mode(0o600)).unwrap();
    let service =
        format!("[team]\nhost=127.0.0.1\nport={}\ndbname={}\nuser=postgres\n", server.port, database.name);
    fs::write(env.home().join(".pg_service.conf"), service).unwrap();
    fs::create_dir_all(env.home().join(".config/git-port")).unwrap();
    fs::write(env.home().join(".config/git-port/config.toml"), "registry = 'postgres://'\n").unwrap();
    env.set("PGSERVICE", "team");
    go_through(&mut env, &database, "pgpass");
}

#[test]
fn it_is_not_shown_when_it_is_wrong() {
    let Some(server) = postgres::shared() else { return };
    let database = server.database();
    let mut env = TestEnv::new();
    let root = env.root();
    let wrong = [
        server.tcp_url(&database).replace("postgres@", "postgres:canaryX@"),
        format!("postgres://postgres:canaryX@127.0.0.1:{}/nowhere", server.port),
        "postgres://u:canaryX@127.0.0.1:1/db".to_owned(),
        "postgres://u:canary@/x@127.0.0.1:1/db".to_owned(),
        "postgres://u:canary%@h/db".to_owned(),
        "postgres://u:canary@h/db?sslmode=canary&password=canary".to_owned(),
        "postgres://u:canary@no.such.host.invalid/db".to_owned(),
    ];
    for url in wrong {
        env.set("GIT_PORT_REGISTRY", &url);
        for words in ["list --all", "allocate web --project shop", "doctor", "--json list --all"] {
            let run = env.git_port(&root, words.split_whitespace());
            assert_ne!(run.status, 0, "{run:?}");
            is_clean(words, &format!("{}{}", run.stdout, run.stderr));
        }
    }
    is_clean("the server's log", &server.log());
}

#[test]
fn it_is_no_argument_of_what_is_started() {
    let Some(server) = postgres::shared() else { return };
    let database = server.database();
    let mut env = TestEnv::new();
    let url = server.tcp_url(&database).replace("postgres@", &format!("postgres:{}@", encoded()));
    env.set("GIT_PORT_REGISTRY", &url);
    let repo = env.repo("shop");
    let traced = env
        .command("strace", &repo)
        .args(["-f", "-qq", "-v", "-s", "4096", "-e", "trace=execve", "-o", "trace", "--"])
        .args([crate::support::program(), "worktree", "create", "feature"])
        .output();
    let Ok(traced) = traced else {
        return crate::support::herd::ignored_for_want_of("strace");
    };
    let run = Run::of(traced).success();
    is_clean("the output", &format!("{}{}", run.stdout, run.stderr));
    let env_file = fs::read_to_string(repo.join("../shop-feature/.git-port.env")).unwrap();
    is_clean("the variables", &env_file);
    let trace = fs::read_to_string(repo.join("trace")).unwrap();
    let mut started = 0;
    for line in trace.lines().filter(|line| line.contains("execve(")) {
        // The arguments stand before the environment, each in brackets.
        let arguments = line.split("], [").next().unwrap();
        is_clean("arguments", arguments);
        started += 1;
    }
    assert!(started > 1, "{trace}");
}
