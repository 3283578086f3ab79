//! `git port doctor`: each finding is made, found, and mended where that is safe.

mod wiring;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Run, TestEnv};

/// A configured repository with a port in its main worktree and in a linked one.
fn shop() -> (TestEnv, PathBuf, PathBuf) {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create topic");
    env.ok(&repo, "get");
    let topic = env.root().join("shop-topic");
    (env, repo, topic)
}

fn findings(run: &Run) -> Vec<Value> {
    run.object()["findings"].as_array().unwrap_or_else(|| panic!("{run:?}")).clone()
}

fn find(run: &Run, code: &str) -> Vec<Value> {
    let mut found = findings(run);
    found.retain(|finding| finding["code"] == code && finding["severity"] != "ok");
    found
}

fn doctor(env: &TestEnv, dir: &Path, words: &str) -> Run {
    env.git_port(dir, ["--json", "doctor"].into_iter().chain(words.split_whitespace()))
}

/// It is found, has a hint, is mended by `--fix`, and then is not found any more.
#[track_caller]
fn is_mended(env: &TestEnv, dir: &Path, code: &str) {
    let run = doctor(env, dir, "").exits_with(1);
    let found = find(&run, code);
    assert!(!found.is_empty(), "{code}: {run:#?}");
    assert!(found.iter().all(|one| one["hint"].is_string() && one["fixed"] == false), "{found:?}");
    let run = doctor(env, dir, "--fix").exits_with(0);
    assert!(find(&run, code).iter().all(|one| one["fixed"] == true), "{run:?}");
    let run = doctor(env, dir, "").exits_with(0);
    assert!(find(&run, code).is_empty(), "{run:?}");
}

/// It is found, and what `--fix` says of it is only a hint.
#[track_caller]
fn is_told(env: &TestEnv, dir: &Path, code: &str, hint: &str) {
    let run = doctor(env, dir, "--fix").exits_with(1);
    let found = find(&run, code);
    let told = found.iter().any(|one| one["hint"].as_str().is_some_and(|text| text.contains(hint)));
    assert!(told, "{code}: {run:#?}");
    assert!(found.iter().any(|one| one["fixed"] == false), "{found:?}");
}

#[test]
fn where_nothing_is_wrong_it_says_so() {
    let (env, repo, topic) = shop();
    for dir in [&repo, &topic, &env.root()] {
        let run = doctor(&env, dir, "").exits_with(0);
        assert!(findings(&run).iter().all(|one| one["severity"] == "ok"), "{run:#?}");
    }
    let text = env.ok(&repo, "doctor");
    assert!(text.lines().all(|line| line.starts_with("ok: ")), "{text}");
}

#[test]
fn a_damaged_registry() {
    let (env, repo, _) = shop();
    let before = env.json(&repo, "list --all")["allocations"].as_array().unwrap().len();
    for harm in ["", "garbage"] {
        fs::write(env.registry(), harm).unwrap();
        let run = doctor(&env, &repo, "").exits_with(1);
        assert_eq!(find(&run, "registry")[0]["severity"], "error", "{run:?}");
        assert_eq!(fs::read_to_string(env.registry()).unwrap(), harm, "asking changes nothing");
        is_mended(&env, &repo, "registry");
        assert_eq!(env.json(&repo, "list --all")["allocations"].as_array().unwrap().len(), before);
    }
}

#[test]
fn a_file_that_may_be_anybodys() {
    let env = TestEnv::new();
    let file = env.root().join("notes.txt");
    fs::write(&file, "this is a note of mine\n").unwrap();
    let words = ["--json", "--registry", file.to_str().unwrap(), "doctor", "--fix"];
    let run = env.git_port(&env.root(), words).exits_with(1);
    assert_eq!(find(&run, "registry")[0]["fixed"], false);
    assert_eq!(fs::read_to_string(&file).unwrap(), "this is a note of mine\n");
}

#[test]
fn an_unsafe_folder() {
    let (env, repo, _) = shop();
    let folder = env.registry().parent().unwrap().to_owned();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    is_told(&env, &repo, "state-folder", "chmod go-w");
}

#[test]
fn copies_and_files_of_variables() {
    let (env, repo, topic) = shop();
    let copy = repo.join(".git/worktrees/shop-topic/git-port.json");
    fs::remove_file(&copy).unwrap();
    is_mended(&env, &repo, "copy");
    fs::remove_file(topic.join(".git-port.env")).unwrap();
    is_mended(&env, &topic, "env-file");
    // As a script that copies untracked files along does it.
    fs::copy(topic.join(".git-port.env"), repo.join(".git-port.env")).unwrap();
    is_mended(&env, &repo, "env-file");
    let text = fs::read_to_string(repo.join(".git/info/exclude")).unwrap();
    fs::write(repo.join(".git/info/exclude"), text.replace("/.git-port.env\n", "")).unwrap();
    is_mended(&env, &repo, "env-file");
    env.git(&repo, ["add", "--force", ".git-port.env"]);
    is_told(&env, &repo, "env-file", "rm --cached .git-port.env");
    assert!(repo.join(".git-port.env").exists());
}

#[test]
fn a_file_of_variables_of_somebody_else_is_left_alone() {
    let (env, repo, topic) = shop();
    fs::write(topic.join(".git-port.env"), "MINE=1\n").unwrap();
    is_told(&env, &repo, "env-file", "mv ");
    assert_eq!(fs::read_to_string(topic.join(".git-port.env")).unwrap(), "MINE=1\n");
}

#[test]
fn tokens() {
    let (env, repo, topic) = shop();
    let port = env.ok(&topic, "get");
    let file = repo.join(".git/worktrees/shop-topic/git-port-id");
    fs::write(&file, "xyz\n").unwrap();
    is_mended(&env, &repo, "token");
    assert_eq!(env.ok(&topic, "get"), port, "it is the token it had");
    fs::write(&file, "").unwrap();
    fs::remove_file(repo.join(".git/worktrees/shop-topic/git-port.json")).unwrap();
    is_told(&env, &repo, "token", "rm ");
}

#[test]
fn a_worktree_without_ports() {
    let (env, repo, _) = shop();
    env.git(&repo, ["worktree", "add", "--quiet", "--no-checkout", "--detach", "../plain"]);
    is_mended(&env, &repo, "no-ports");
    assert!(env.root().join("plain/.git-port.env").exists());
}

#[test]
fn ports_that_the_registry_does_not_know() {
    let (env, repo, topic) = shop();
    let port = env.ok(&topic, "get");
    // Somebody put an older registry in the place of this one.
    let connection = rusqlite::Connection::open(env.registry()).unwrap();
    let sql = "DELETE FROM allocations WHERE port = ?1";
    assert_eq!(connection.execute(sql, [port.trim().parse::<u16>().unwrap()]).unwrap(), 1);
    is_mended(&env, &repo, "lost");
    assert_eq!(env.ok(&topic, "get"), port);
}

#[test]
fn half_made_worktrees_and_locks() {
    let (env, repo, _) = shop();
    let worktrees = repo.join(".git/worktrees");
    fs::create_dir(worktrees.join("bare")).unwrap();
    fs::create_dir(worktrees.join("begun")).unwrap();
    fs::write(worktrees.join("begun/locked"), "initializing\n").unwrap();
    fs::write(repo.join(".git/index.lock"), "").unwrap();
    // What is young may be in the making.
    let run = doctor(&env, &repo, "").exits_with(0);
    assert!(find(&run, "half-made").is_empty(), "{run:?}");
    for path in ["worktrees/bare", "worktrees/begun/locked", "index.lock"] {
        let path = repo.join(".git").join(path);
        assert!(env.command("touch", &repo).args(["-d", "1 hour ago"]).arg(path).status().unwrap().success());
    }
    let found = || {
        let run = doctor(&env, &repo, "--fix");
        (find(&run, "half-made").len(), find(&run, "lock").len())
    };
    // A git of another test may run at this moment.
    let seen = (0..50).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        found() == (2, 1)
    });
    assert!(seen, "{:?}", doctor(&env, &repo, ""));
    assert!(repo.join(".git/index.lock").exists() && worktrees.join("bare").exists());
}

#[test]
fn a_worktree_made_by_a_library() {
    let (env, repo, _) = shop();
    let file = repo.join(".git/worktrees/shop-topic/commondir");
    fs::write(&file, format!("{}\n", repo.join(".git").display())).unwrap();
    is_told(&env, &repo, "commondir", "echo ../..");
}

#[test]
fn the_hook() {
    let (env, repo, _) = shop();
    fs::write(repo.join(".git-port.toml"), "[services.web]\n").unwrap();
    env.ok(&repo, "allocate web");
    is_told(&env, &repo, "hook", "git port hook install");
    env.ok(&repo, "hook install");
    doctor(&env, &repo, "").exits_with(0);
    let hook = repo.join(".git/hooks/post-checkout");
    if hook.exists() {
        let text = fs::read_to_string(&hook).unwrap();
        let line = text.lines().find(|line| line.contains("elif [ -x '")).unwrap();
        let program = line.split('\'').nth(1).unwrap();
        fs::write(&hook, text.replace(program, "/nowhere/git-port")).unwrap();
        is_mended(&env, &repo, "hook");
        // As lefthook does.
        fs::rename(&hook, hook.with_extension("old")).unwrap();
        fs::write(&hook, "#!/bin/sh\nexec lefthook run post-checkout\n").unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        is_mended(&env, &repo, "hook");
        let text = fs::read_to_string(&hook).unwrap();
        assert!(text.contains("git-port hook post-checkout") && text.contains("lefthook"), "{text}");
    } else {
        env.git(&repo, ["config", "hook.git-port.enabled", "false"]);
        is_told(&env, &repo, "hook", "git config hook.git-port.enabled true");
    }
    env.git(&repo, ["config", "core.hooksPath", "/elsewhere"]);
    let run = doctor(&env, &repo, "");
    assert!(hook.exists() != find(&run, "hook").is_empty(), "{run:?}");
}

#[test]
fn variables_that_leak() {
    let (mut env, repo, topic) = shop();
    env.set("GIT_PORT_WORKTREE", "shop-topic");
    doctor(&env, &topic, "").exits_with(0);
    is_told(&env, &repo, "variables", "eval");
    env.set("GIT_PORT_WORKTREE", "shop");
    env.set("GIT_PORT_DISABLE", "1");
    is_told(&env, &repo, "variables", "unset GIT_PORT_DISABLE");
}

#[test]
fn ranges_that_overlap() {
    let (mut env, repo, _) = shop();
    env.set("GIT_PORT_RANGES_TEST", format!("{0}-{0}", env.first));
    is_told(&env, &repo, "settings", "git port range list");
}

#[test]
fn several_gits() {
    let (mut env, repo, _) = shop();
    let bin = env.root().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("git"), "#!/bin/sh\necho git version 2.99.1\n").unwrap();
    fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    env.set("PATH", format!("{path}:{}", bin.display()));
    let run = doctor(&env, &repo, "").exits_with(0);
    let git = findings(&run).into_iter().find(|finding| finding["code"] == "git").unwrap();
    assert!(git["message"].as_str().unwrap().contains("also on PATH: 2.99"), "{git}");
    fs::write(bin.join("git"), "#!/bin/sh\necho git version 1.8.3\n").unwrap();
    env.set("PATH", format!("{}:{path}", bin.display()));
    let run = doctor(&env, &env.root(), "").exits_with(1);
    assert!(find(&run, "git")[0]["message"].as_str().unwrap().contains("too old"), "{run:?}");
}

#[test]
fn orphans_and_leftover_runs() {
    let (env, repo, topic) = shop();
    let connection = rusqlite::Connection::open(env.registry()).unwrap();
    let sql = "INSERT INTO runs (allocation, host, pid, started, boot, command, at) \
        SELECT id, host, 4000000, 1, 'x', 'server', 1 FROM allocations LIMIT 1";
    assert_eq!(connection.execute(sql, []).unwrap(), 1);
    drop(connection);
    is_mended(&env, &repo, "runs");
    fs::remove_dir_all(topic).unwrap();
    is_told(&env, &repo, "orphaned", "git port cleanup");
    assert_eq!(env.listed(&repo, "--all").len(), 2, "and nothing is released");
}

#[cfg(target_os = "linux")]
#[test]
fn a_port_that_somebody_else_has() {
    let (env, repo, _) = shop();
    let port: u16 = env.ok(&repo, "get").trim().parse().unwrap();
    let _listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    is_told(&env, &repo, "conflict", "git port check");
}
