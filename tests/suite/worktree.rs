//! `git port worktree`: making, removing, moving and finding worktrees, and what becomes of their ports.

mod follow;
mod hostile;
mod trouble;

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Run, TestEnv};

/// A repository with these services configured.
fn configured(env: &TestEnv, services: &[&str]) -> PathBuf {
    let repo = env.repo("shop");
    let tables: Vec<String> = services.iter().map(|name| format!("[services.{name}]\n")).collect();
    fs::write(repo.join(".git-port.toml"), tables.concat()).unwrap();
    env.git(&repo, ["add", "."]);
    env.git(&repo, ["commit", "-qm", "configured"]);
    repo
}

fn port_of(env: &TestEnv, dir: &Path) -> u64 {
    env.json(dir, "get --no-allocate")["allocations"][0]["port"].as_u64().unwrap()
}

/// How many ports are promised, to whomever.
fn live(env: &TestEnv, dir: &Path) -> usize {
    env.json(dir, "list --all")["allocations"].as_array().unwrap().len()
}

fn keys(object: &serde_json::Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn create_stands_beside_the_main_worktree() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create feature/api");
    let path = env.root().join("shop-feature-api");
    assert!(path.join("README").exists());
    // From there, a second one stands beside it, not inside.
    env.ok(&path, "worktree create other");
    assert!(env.root().join("shop-other/README").exists());
    assert_eq!(env.git(&path, ["branch", "--show-current"]), "feature/api\n");
}

#[test]
fn create_from_a_commit() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let first = env.git(&repo, ["rev-parse", "HEAD"]);
    env.git(&repo, ["commit", "-q", "--allow-empty", "-m", "second"]);
    env.ok(&repo, "worktree create --from HEAD~1 old");
    assert_eq!(env.git(&env.root().join("shop-old"), ["rev-parse", "HEAD"]), first);
    let run = env.git_port(&repo, ["worktree", "create", "--from", "main", "old"]).exits_with(128);
    assert!(run.stderr.contains("exists already"), "{run:?}");
}

#[test]
fn create_detached_shows_no_branch() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let said = env.ok(&repo, "worktree create --detach main ../there");
    assert!(said.contains("Branch: (detached HEAD)\n"), "{said}");
    let listed = env.json(&repo, "worktree list");
    assert_eq!(listed["worktrees"][1]["branch"], serde_json::Value::Null);
    let _ = env.git_port(&repo, ["worktree", "create", "--detach", "--from", "main", "x"]).exits_with(129);
}

#[test]
fn create_gives_the_services_that_are_asked_for() {
    let env = TestEnv::new();
    let repo = configured(&env, &["web", "db"]);
    let wanted = env.port(42);
    let made = env.json(&repo, &format!("worktree create x --service db={wanted} --service api"));
    let services: Vec<(&str, u64, bool)> = made["allocations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["service"].as_str().unwrap(),
                one["port"].as_u64().unwrap(),
                one["primary"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(services.len(), 3, "{services:?}");
    assert_eq!((services[0].0, services[0].2), ("web", true));
    assert_eq!(services[1], ("db", u64::from(wanted), false));
    assert_eq!((services[2].0, services[2].2), ("api", false));
    let taken =
        env.git_port(&repo, ["worktree", "create", "y", "--service", &format!("db={wanted}")]).success();
    assert!(taken.stderr.contains(&format!("{wanted}")), "{taken:?}");
    assert!(env.root().join("shop-y/README").exists());
    for wrong in ["Web", "web=0", "web=x", "=8000", "web=99999"] {
        let _ = env.git_port(&repo, ["worktree", "create", "z", "--service", wrong]).exits_with(129);
    }
    assert!(!env.root().join("shop-z").exists());
}

#[test]
fn create_without_ports_leaves_no_trace_of_any() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let made = env.json(&repo, "worktree create --no-ports x");
    assert_eq!(made["allocations"], serde_json::json!([]));
    assert_eq!(made["use"], serde_json::Value::Null);
    assert!(!env.root().join("shop-x/.git-port.env").exists());
    let _ = env.git_port(&env.root().join("shop-x"), ["get", "--no-allocate"]).exits_with(1);
}

#[test]
fn create_prints_a_line_for_each_service() {
    let env = TestEnv::new();
    let repo = configured(&env, &["web", "db"]);
    let said = env.ok(&repo, "worktree create x");
    let (one, two) = (env.port(0), env.port(1));
    assert!(
        said.contains(&format!("Allocated Port: {one} (web)\nAllocated Port: {two} (db)\nUse: PORT={one} ")),
        "{said}"
    );
}

#[test]
fn create_prints_only_the_path() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let run = env.git_port(&repo, ["worktree", "create", "--print-path", "x"]).success();
    assert_eq!(run.stdout, format!("{}\n", env.root().join("shop-x").display()));
    let run = env.git_port(&repo, ["-q", "worktree", "create", "--print-path", "y"]).success();
    assert_eq!(run.stdout, format!("{}\n", env.root().join("shop-y").display()));
    assert_eq!(run.stderr, "");
}

#[test]
fn create_answers_with_the_promised_object() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let run = env.git_port(&repo, ["--json", "worktree", "create", "x", "--session", "s1"]).success();
    let made = run.object();
    assert_eq!(run.stdout.lines().count(), 1);
    assert_eq!(run.stderr, "");
    assert_eq!(made["version"], 1);
    assert_eq!(keys(&made), ["allocations", "use", "version", "warnings", "worktree"]);
    assert_eq!(keys(&made["worktree"]), ["branch", "head", "path", "project"]);
    let path = env.root().join("shop-x").to_str().unwrap().to_owned();
    let head = env.git(&repo, ["rev-parse", "HEAD"]);
    assert_eq!(
        made["worktree"],
        serde_json::json!({
            "branch": "x", "head": head.trim(), "path": path, "project": "shop",
        })
    );
    let allocation = &made["allocations"][0];
    let promised = [
        "port",
        "protocol",
        "host",
        "project",
        "worktree",
        "branch",
        "service",
        "environment",
        "primary",
        "state",
        "status",
        "service_type",
        "description",
        "public_hostname",
        "pinned",
        "session",
        "variable",
        "url",
        "process",
        "allocated_at",
        "last_used_at",
        "last_checked_at",
        "released_at",
    ];
    for key in promised {
        assert!(allocation.get(key).is_some(), "{key} is missing in {allocation}");
    }
    assert_eq!(allocation["session"], "s1");
    assert_eq!(allocation["worktree"], path);
    assert_eq!(allocation["service"], "shop-x");
    assert!(made["use"].as_str().unwrap().starts_with(&format!("PORT={} ", env.port(0))));
}

#[test]
fn a_failure_of_git_is_an_object_with_gits_status() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let run = env.git_port(&repo, ["--json", "worktree", "create", "main"]).exits_with(128);
    let error = &run.object()["error"];
    assert_eq!(keys(error), ["code", "hints", "message", "retryable"]);
    assert_eq!(error["code"], "worktree");
    assert!(error["message"].as_str().unwrap().contains("already"), "{error}");
    assert_eq!(live(&env, &repo), 0);
    let run = env.git_port(&repo, ["worktree", "create", "main"]).exits_with(128);
    assert!(run.stdout.is_empty() && run.stderr.contains("fatal: 'main' is already"), "{run:?}");
    let _ = env.git_port(&env.root(), ["worktree", "create", "x"]).exits_with(128);
    let _ = env.git_port(&repo, ["worktree", "create", "--", "-x"]).exits_with(129);
}

#[test]
fn a_hook_that_fails_costs_the_worktree_nothing() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let hook = repo.join(".git/hooks/post-checkout");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\nexit 3\n").unwrap();
    env.git(&repo, ["config", "core.fileMode", "true"]);
    let _ = Run::of(env.command("chmod", &repo).arg("+x").arg(&hook).output().unwrap()).success();
    let run = env.git_port(&repo, ["worktree", "create", "x"]).exits_with(3);
    assert!(run.stdout.contains(&format!("Allocated Port: {}\n", env.port(0))), "{run:?}");
    assert!(run.stderr.contains("warning: git ended with status 3"), "{run:?}");
    let run = env.git_port(&repo, ["--json", "worktree", "create", "y"]).exits_with(3);
    assert_eq!(run.object()["allocations"][0]["port"], env.port(1));
    let run = env.git_port(&repo, ["worktree", "add", "../z"]).exits_with(3);
    assert!(run.stderr.contains(&format!("Allocated Port: {} (shop-z)\n", env.port(2))), "{run:?}");
    // An existing worktree at the path is not one that was made.
    let _ = env.git_port(&repo, ["worktree", "create", "other", "../shop-x"]).exits_with(128);
}

#[test]
fn add_takes_and_says_what_git_does() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let stranger = env.root().join("stranger");
    env.git(&repo, ["worktree", "add", "-q", "../stranger"]);
    for usage in [&["worktree", "add", "-h"][..], &["worktree", "add"], &["worktree", "move", "x"]] {
        let git = Run::of(env.command("git", &repo).args(usage).output().unwrap());
        let ours = env.git_port(&repo, usage).exits_with(git.status);
        assert_eq!((ours.stdout, ours.stderr), (git.stdout, git.stderr), "{usage:?}");
    }
    let run = env.git_port(&repo, ["worktree", "add", "-q", "../x"]).success();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    assert_eq!(port_of(&env, &env.root().join("x")), u64::from(env.port(0)));
    // It gives ports to what it made, and to nothing else.
    assert!(!stranger.join(".git-port.env").exists());
    let run = env.git_port(&repo, ["--json", "worktree", "add", "../y"]).success();
    assert_eq!(run.object()["allocations"][0]["port"], env.port(1));
    assert!(run.stderr.contains("Preparing worktree"), "git's own words: {run:?}");
    assert!(!stranger.join(".git-port.env").exists());
    // The next command that looks around finds what git made by itself.
    assert_eq!(live(&env, &repo), 3);
}

#[test]
fn a_name_that_is_used_again_gets_ports_again() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree add ../x");
    fs::remove_dir_all(env.root().join("x")).unwrap();
    let run = env.git_port(&repo, ["worktree", "add", "-f", "-b", "second", "../x"]).success();
    assert!(run.stderr.contains("Allocated Port: "), "{run:?}");
    assert!(env.root().join("x/.git-port.env").exists());
}

#[test]
fn remove_takes_a_path_a_folder_a_branch_or_where_one_stands() {
    let env = TestEnv::new();
    let repo = configured(&env, &["web", "db"]);
    for (branch, name) in [("a", "../shop-a"), ("b", "shop-b"), ("feat/c", "feat/c")] {
        env.ok(&repo, &format!("worktree create {branch}"));
        let said = env.ok(&repo, &format!("worktree remove {name}"));
        assert!(said.contains("Released 2 ports\n"), "{said}");
    }
    env.ok(&repo, "worktree create d");
    let run = env.git_port(&env.root().join("shop-d"), ["worktree", "remove"]).success();
    assert!(run.stdout.starts_with("Worktree removed: shop-d\n"), "{run:?}");
    assert!(run.stderr.contains("is gone"), "{run:?}");
    assert_eq!(live(&env, &repo), 0);
    assert_eq!(env.git(&repo, ["worktree", "list"]).lines().count(), 1);
}

#[test]
fn remove_tells_a_program_what_was_released() {
    let env = TestEnv::new();
    let repo = configured(&env, &["web", "db"]);
    env.ok(&repo, "worktree create x");
    let removed = env.json(&repo, "worktree remove x");
    assert_eq!(removed["worktree"]["branch"], "x");
    let released = removed["released"].as_array().unwrap();
    assert_eq!(released.len(), 2);
    assert!(released.iter().all(|one| one["state"] == "released" && one["released_at"].is_string()));
}

#[test]
fn what_git_refuses_to_remove_keeps_its_ports() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let path = env.root().join("shop-x");
    env.ok(&repo, "worktree create x");
    fs::write(path.join("dirt"), "").unwrap();
    let refused = |words: &[&str]| {
        let git = Run::of(env.command("git", &repo).args(words).arg(&path).output().unwrap());
        let ours = env.git_port(&repo, words.iter().copied().chain([path.to_str().unwrap()]));
        assert_eq!(ours.status, git.status, "{ours:?}");
        assert!(ours.stderr.starts_with(&git.stderr) && ours.status != 0, "{ours:?}");
        assert_eq!(live(&env, &repo), 1);
    };
    refused(&["worktree", "remove"]);
    fs::remove_file(path.join("dirt")).unwrap();
    env.git(&repo, ["worktree", "lock", "../shop-x"]);
    refused(&["worktree", "remove"]);
    refused(&["worktree", "remove", "-f"]);
    let main = env.git_port(&repo, ["worktree", "remove"]).exits_with(128);
    assert!(main.stderr.contains("is a main working tree"), "{main:?}");
    let json = env.git_port(&repo, ["--json", "worktree", "remove", "x"]).exits_with(128).object();
    assert_eq!(json["error"]["code"], "worktree");
    assert_eq!(live(&env, &repo), 1);
    let said = env.ok(&repo, "worktree remove -ff x");
    assert!(said.contains("Released 1 port\n"), "{said}");
    env.ok(&repo, "worktree create y");
    fs::write(env.root().join("shop-y/dirt"), "").unwrap();
    env.ok(&repo, "worktree remove --force y");
    assert_eq!(live(&env, &repo), 0);
}

#[test]
fn remove_deletes_the_branch_if_it_is_merged() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let branches = || env.git(&repo, ["branch", "--format=%(refname:short)"]);
    env.ok(&repo, "worktree create merged");
    let said = env.ok(&repo, "worktree remove --delete-branch merged");
    assert!(said.ends_with("Deleted branch: merged\n"), "{said}");
    assert_eq!(branches(), "main\n");
    for name in ["one", "two"] {
        env.ok(&repo, &format!("worktree create {name}"));
        let path = env.root().join(format!("shop-{name}"));
        env.git(&path, ["commit", "-q", "--allow-empty", "-m", "more"]);
    }
    let kept = env.git_port(&repo, ["worktree", "remove", "--delete-branch", "one"]).exits_with(5);
    assert!(
        kept.stderr.contains("not fully merged") && kept.stderr.contains("git branch -D one"),
        "{kept:?}"
    );
    assert_eq!(branches(), "main\none\ntwo\n");
    env.ok(&repo, "worktree remove -f --delete-branch two");
    assert_eq!(branches(), "main\none\n");
    assert_eq!(live(&env, &repo), 0);
}

#[test]
fn list_and_path_find_them() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create feat/x");
    let path = env.root().join("shop-feat-x");
    let listed = env.json(&path, "worktree list");
    let worktrees = listed["worktrees"].as_array().unwrap();
    assert_eq!(worktrees.len(), 2);
    assert_eq!((&worktrees[0]["main"], &worktrees[0]["current"]), (&true.into(), &false.into()));
    assert_eq!(worktrees[1]["path"], path.to_str().unwrap());
    assert_eq!(worktrees[1]["current"], true);
    assert_eq!(worktrees[1]["allocations"][0]["port"], env.port(0));
    let said = env.ok(&repo, "worktree list");
    assert!(said.contains("feat/x") && said.contains(&env.port(0).to_string()), "{said}");
    for name in ["feat/x", "shop-feat-x", path.to_str().unwrap(), "../shop-feat-x"] {
        assert_eq!(env.ok(&repo, &format!("worktree path {name}")), format!("{}\n", path.display()));
    }
    let missing = env.git_port(&repo, ["worktree", "path", "nothing"]);
    assert!(missing.status != 0 && missing.stdout.is_empty(), "{missing:?}");
}

#[test]
fn a_bare_repository_has_worktrees_and_no_main_one() {
    let env = TestEnv::new();
    let origin = env.repo("origin");
    let bare = env.root().join("shop.git");
    env.git(&origin, ["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    env.ok(&bare, "worktree create x");
    let path = env.ok(&bare, "worktree path x");
    assert_eq!(env.json(&bare, "worktree list")["worktrees"].as_array().unwrap().len(), 1);
    let path = Path::new(path.trim_end());
    assert_eq!(path, env.root().join("shop-x"));
    assert_eq!(port_of(&env, path), u64::from(env.port(0)));
    let _ = env.git_port(&bare, ["worktree", "remove"]).exits_with(128);
    env.ok(&bare, "worktree remove x");
    assert_eq!(live(&env, &bare), 0);
}

#[test]
fn the_environment_may_name_the_repository() {
    let mut env = TestEnv::new();
    let repo = env.repo("shop");
    let store = env.root().join("dotfiles");
    fs::rename(repo.join(".git"), &store).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    env.variables.push(("GIT_DIR".to_owned(), text(&store)));
    env.variables.push(("GIT_WORK_TREE".to_owned(), text(&repo)));
    env.ok(&env.root(), "worktree create x");
    let path = env.root().join("shop-x");
    assert!(path.join(".git-port.env").exists());
    env.ok(&env.root(), "worktree move shop-x y");
    env.ok(&env.root(), "worktree remove y --delete-branch");
    assert_eq!(live(&env, &env.root()), 0);
    assert!(!env.root().join("y").exists());
}

#[test]
fn a_bare_repository_that_must_be_named_is_named() {
    let mut env = TestEnv::new();
    let repo = env.repo("shop");
    env.git(&repo, ["init", "-q", "--separate-git-dir", "../elsewhere"]);
    env.variables.extend([
        ("GIT_CONFIG_COUNT".to_owned(), "1".to_owned()),
        ("GIT_CONFIG_KEY_0".to_owned(), "safe.bareRepository".to_owned()),
        ("GIT_CONFIG_VALUE_0".to_owned(), "explicit".to_owned()),
    ]);
    env.ok(&repo, "worktree create x");
    let y = env.ok(&env.root().join("shop-x"), "worktree create --print-path y");
    env.ok(&repo, "worktree remove --delete-branch x");
    env.ok(Path::new(y.trim_end()), "worktree remove");
    assert_eq!(live(&env, &repo), 0);
}
