//! `git port cleanup`

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{TestEnv, shape};

/// A repository with the worktree `gone`, whose folder was deleted by hand.
fn orphan(env: &TestEnv) -> PathBuf {
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create gone");
    fs::remove_dir_all(env.root().join("shop-gone")).unwrap();
    repo
}

fn ports(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|one| one["port"].as_u64().unwrap()).collect()
}

#[test]
fn the_object_has_every_promised_field() {
    let env = TestEnv::new();
    let repo = orphan(&env);
    for (line, dry_run, state) in [("cleanup --dry-run", true, "orphaned"), ("cleanup", false, "released")] {
        let answer = env.json(&repo, line);
        assert_eq!(answer["dry_run"], dry_run);
        let released = shape::lists(&answer, &["released", "forgotten", "kept", "warnings"]);
        shape::has(&released[0], shape::ALLOCATION);
        assert_eq!(released[0]["state"], state);
    }
    let later = env.json(&repo, "cleanup");
    assert_eq!(
        later,
        json!({"version": 1, "dry_run": false, "released": [], "forgotten": [], "kept": [], "warnings": []})
    );
}

#[test]
fn a_dry_run_changes_nothing() {
    let env = TestEnv::new();
    let repo = orphan(&env);
    let books = env.books();
    for line in ["cleanup --dry-run", "cleanup -n", "prune -n", "-q prune --dry-run"] {
        let text = env.ok(&repo, line);
        assert!(text.starts_with("Would clean up 1 stale port allocation(s)\n"), "{text}");
    }
    assert_eq!(env.books(), books);
    assert!(env.ok(&repo, "prune").starts_with("Cleaned up 1 stale port allocation(s)\n"));
}

#[test]
fn every_way_a_worktree_goes() {
    for way in ["by hand", "git worktree remove", "by hand, then git worktree prune", "with its repository"] {
        let env = TestEnv::new();
        let repo = env.repo("shop");
        env.ok(&repo, "worktree create gone");
        let gone = env.root().join("shop-gone");
        match way {
            "git worktree remove" => drop(env.git(&repo, ["worktree", "remove", "../shop-gone"])),
            _ => fs::remove_dir_all(&gone).unwrap(),
        }
        match way {
            "by hand, then git worktree prune" => drop(env.git(&repo, ["worktree", "prune"])),
            "with its repository" => fs::remove_dir_all(&repo).unwrap(),
            _ => {}
        }
        let root = env.root();
        assert_eq!(ports(&env.json(&root, "cleanup")["released"]), [u64::from(env.port(0))], "{way}");
        assert_eq!(env.listed(&root, "--all"), [0; 0], "{way}");
    }
}

#[test]
fn what_may_be_alive_is_kept() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    for name in ["locked", "served", "moved"] {
        env.ok(&repo, &format!("worktree create {name}"));
    }
    let root = env.root();
    env.git(&repo, ["worktree", "lock", "../shop-locked"]);
    fs::remove_dir_all(root.join("shop-locked")).unwrap();
    fs::remove_dir_all(root.join("shop-served")).unwrap();
    env.git(&repo, ["worktree", "move", "../shop-moved", "../elsewhere"]);
    let _server = TcpListener::bind((Ipv4Addr::LOCALHOST, env.port(1))).unwrap();
    let answer = env.json(&repo, "cleanup");
    assert_eq!(answer["released"], json!([]), "{answer}");
    let kept: Vec<(u64, &str)> = answer["kept"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kept| (kept["allocation"]["port"].as_u64().unwrap(), kept["reason"].as_str().unwrap()))
        .collect();
    let expected = [
        (env.port(0).into(), "its worktree is locked"),
        (env.port(1).into(), "its worktree's folder is gone, but a process still listens on it"),
    ];
    assert_eq!(kept, expected);
    shape::has(&answer["kept"][0]["allocation"], shape::ALLOCATION);
    assert!(env.ok(&repo, "cleanup").contains("its worktree is locked"));
    assert_eq!(env.listed(&repo, "").len(), 3);
}

#[test]
fn what_has_no_worktree_is_nobodys_to_clean() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate edge production");
    env.ok(&env.root(), "allocate web --project outside");
    assert_eq!(env.ok(&repo, "cleanup"), "Nothing to clean up\n");
    fs::remove_dir_all(&repo).unwrap();
    assert_eq!(env.ok(&env.root(), "cleanup"), "Nothing to clean up\n");
    assert_eq!(env.listed(&env.root(), "--all").len(), 2);
}

#[test]
fn old_is_what_was_released_thirty_days_ago_or_as_long_as_one_says() {
    let mut env = TestEnv::new();
    let repo = env.repo("shop");
    env.set("GIT_PORT_TIME", "2026-01-01T00:00:00Z");
    env.ok(&repo, "allocate web");
    env.ok(&repo, "release web");
    let forgotten = |env: &TestEnv, line: &str| ports(&env.json(&repo, line)["forgotten"]).len();
    env.set("GIT_PORT_TIME", "2026-01-30T23:59:59Z");
    for (line, expected) in [
        ("cleanup -n", 0),
        ("cleanup -n --older-than 30d", 0),
        ("cleanup -n --older-than 29d", 1),
        ("cleanup --older-than=1h -n", 1),
        ("cleanup -n --older-than 100d", 0),
    ] {
        assert_eq!(forgotten(&env, line), expected, "{line}");
    }
    env.set("GIT_PORT_CLEANUP_OLDER_THAN", "40d");
    env.set("GIT_PORT_TIME", "2026-01-31T00:00:00Z");
    assert_eq!(forgotten(&env, "cleanup -n"), 0, "as configured");
    env.set("GIT_PORT_CLEANUP_OLDER_THAN", "");
    assert_eq!(forgotten(&env, "cleanup"), 1);
    assert_eq!(env.listed(&repo, "--released"), [0; 0]);
    assert_eq!(env.json(&repo, "history")["events"][0]["event"], "forgotten");
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    let repo = orphan(&env);
    shape::refuses(
        &env,
        &repo,
        &[
            (&["cleanup", "--older-than", "soon"], 129, "usage", "'soon'"),
            (&["cleanup", "--older-than", "30"], 129, "usage", "'30'"),
            (&["cleanup", "--older-than", ""], 129, "usage", "''"),
            (&["cleanup", "--older-than=-1d"], 129, "usage", "'-1d'"),
            (&["cleanup", "--older-than", "1month"], 129, "usage", "'1month'"),
            (&["cleanup", "--older-than", "99999999999d"], 129, "usage", "'99999999999d'"),
            (&["cleanup", "--older-than", "1d\u{1b}"], 129, "usage", "'1d"),
            (&["cleanup", "--older-than"], 129, "usage", "--older-than"),
            (&["cleanup", "all"], 129, "usage", "'all'"),
        ],
    );
}
