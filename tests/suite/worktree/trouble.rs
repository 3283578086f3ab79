//! The ports cannot be handled: git's part is done all the same, with a warning and exit status 0.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{GIT_PORT, Run, TestEnv};

/// Makes a worktree in three ways and removes it, each of which must work and warn.
#[track_caller]
fn makes_and_removes(env: &TestEnv, repo: &Path, warning: &str) {
    let check = |run: Run, tree: Option<&str>| {
        let run = run.success();
        assert!(run.stderr.contains("warning: "), "{run:?}");
        assert!(run.stderr.contains(warning) && !run.stderr.contains("error: "), "{run:?}");
        if let Some(tree) = tree {
            assert!(env.root().join(tree).join("README").exists());
        }
    };
    check(env.git_port(repo, ["worktree", "create", "one"]), Some("shop-one"));
    check(env.git_port(repo, ["worktree", "add", "../two"]), Some("two"));
    let run = env.git_port(repo, ["--json", "worktree", "create", "three"]).success();
    let warnings = run.object()["warnings"].to_string();
    assert!(warnings.contains(warning), "{run:?}");
    assert_eq!(run.object()["allocations"], serde_json::json!([]));
    let _ = env.git_port(repo, ["worktree", "remove", "one"]).success();
    assert!(!env.root().join("shop-one").exists());
    let _ = env.git_port(repo, ["worktree", "move", "../two", "../four"]).success();
    assert!(env.root().join("four/README").exists());
}

/// A worktree that has a port, made while all was well.
fn with_port(env: &TestEnv) -> PathBuf {
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create early");
    repo
}

#[track_caller]
fn removes_the_early_one(env: &TestEnv, repo: &Path) {
    let run = env.git_port(repo, ["worktree", "remove", "early"]).success();
    assert!(run.stderr.contains("warning: its ports are still recorded"), "{run:?}");
    assert!(!env.root().join("shop-early").exists());
}

#[test]
fn the_registry_is_a_folder() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    fs::create_dir_all(env.registry()).unwrap();
    makes_and_removes(&env, &repo, "registry.db");
}

#[test]
fn the_registry_is_no_registry() {
    let env = TestEnv::new();
    let repo = with_port(&env);
    // Without the mark that there was one, it may be anybody's, and is not restored.
    for suffix in ["", "-wal", "-shm", ".initialised"] {
        let _ = fs::remove_file(format!("{}{suffix}", env.registry().display()));
    }
    fs::write(env.registry(), "this is not a database, however long one looks at it\n".repeat(100)).unwrap();
    removes_the_early_one(&env, &repo);
    makes_and_removes(&env, &repo, "registry");
}

#[test]
fn the_registry_is_newer() {
    let env = TestEnv::new();
    let repo = with_port(&env);
    let registry = rusqlite::Connection::open(env.registry()).unwrap();
    registry.execute_batch(
        "INSERT OR REPLACE INTO notes (key, value) VALUES ('min_writer', '99'); PRAGMA user_version = 99;",
    ).unwrap();
    drop(registry);
    removes_the_early_one(&env, &repo);
    makes_and_removes(&env, &repo, "newer");
}

#[test]
fn the_range_is_full() {
    let mut env = TestEnv::new();
    let first = env.first;
    env.variables.push(("GIT_PORT_RANGES_DEV".to_owned(), format!("{first}-{first}")));
    let repo = with_port(&env);
    makes_and_removes(&env, &repo, "no port is left");
    let said = env.ok(&repo, "worktree remove early");
    assert!(said.contains("Released 1 port\n"), "{said}");
}

#[test]
fn the_branch_has_broken_configuration() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.git(&repo, ["switch", "-qc", "broken"]);
    fs::write(repo.join(".git-port.toml"), "[services.web]\nprot = 1\n").unwrap();
    env.git(&repo, ["add", "."]);
    env.git(&repo, ["commit", "-qm", "broken"]);
    env.git(&repo, ["switch", "-q", "main"]);
    let run = env.git_port(&repo, ["worktree", "create", "broken"]).success();
    assert!(run.stderr.contains("prot"), "{run:?}");
    assert!(env.root().join("shop-broken/README").exists());
    // Also where one stands in it.
    let inside = env.root().join("shop-broken");
    makes_and_removes(&env, &inside, "prot");
    let run = env.git_port(&inside, ["worktree", "remove"]).success();
    assert!(!inside.exists(), "{run:?}");
}

#[test]
fn the_users_configuration_is_broken() {
    let env = TestEnv::new();
    let repo = with_port(&env);
    let folder = env.home().join(".config/git-port");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), "no such = [\n").unwrap();
    makes_and_removes(&env, &repo, "config.toml");
    let _ = env.git_port(&repo, ["worktree", "remove", "early"]).success();
    assert!(!env.root().join("shop-early").exists());
}

/// Who may not write what is not theirs; the tests themselves may run as root, who may.
fn as_nobody(env: &TestEnv, dir: &Path, words: &str) -> Option<Run> {
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout != b"0\n" {
        return Some(env.git_port(dir, words.split(' ')));
    }
    let setpriv = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut command = env.command("setpriv", dir);
    command.args(setpriv).arg(GIT_PORT).args(words.split(' '));
    // Without the tool, or where the program lies in a closed folder, there is nothing to see.
    let may = env.command("setpriv", dir).args(setpriv).args([GIT_PORT, "--version"]).output();
    may.is_ok_and(|run| run.status.success()).then(|| Run::of(command.output().unwrap()))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_registry_may_not_be_written() {
    let env = TestEnv::new();
    let repo = with_port(&env);
    let state = env.registry().parent().unwrap().to_owned();
    // The repository is theirs, the registry is not.
    let chown = |path: &Path| Command::new("chown").args(["-R", "65534:65534"]).arg(path).status();
    for path in [env.root(), repo.clone()] {
        let _ = chown(&path);
    }
    for entry in fs::read_dir(&state).unwrap() {
        set_mode(&entry.unwrap().path(), 0o444);
    }
    set_mode(&state, 0o555);
    let Some(made) = as_nobody(&env, &repo, "worktree create one") else {
        set_mode(&state, 0o755);
        return;
    };
    let json = as_nobody(&env, &repo, "--json worktree create two").unwrap();
    let removed = as_nobody(&env, &repo, "worktree remove early").unwrap();
    set_mode(&state, 0o755);
    let made = made.success();
    assert!(made.stderr.contains("warning: the worktree has no ports"), "{made:?}");
    assert!(env.root().join("shop-one/README").exists());
    assert_ne!(json.success().object()["warnings"], serde_json::json!([]));
    let removed = removed.success();
    assert!(removed.stderr.contains("warning: its ports are still recorded"), "{removed:?}");
    assert!(!env.root().join("shop-early").exists());
}

/// With a `commondir` that git was killed over, git neither adds a worktree nor removes the branch that it
/// made for it.
#[test]
fn a_killed_git_is_not_in_the_way_of_a_new_branch() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create old");
    for words in
        ["worktree create healed", "worktree add -b added ../added", "worktree remove --delete-branch old"]
    {
        let admin = repo.join(".git/worktrees/dead");
        fs::create_dir_all(&admin).unwrap();
        let long_ago = std::time::SystemTime::now() - std::time::Duration::from_mins(1);
        let times = fs::FileTimes::new().set_modified(long_ago);
        let link = format!("{}/.git\n", env.root().join("dead").display());
        for (name, text) in [("locked", "initializing\n"), ("gitdir", link.as_str()), ("commondir", "")] {
            fs::write(admin.join(name), text).unwrap();
            fs::File::options().write(true).open(admin.join(name)).unwrap().set_times(times).unwrap();
        }
        fs::File::open(&admin).unwrap().set_times(times).unwrap();
        let plain = env.command("git", &repo).args(["worktree", "list"]).output().unwrap();
        assert!(!plain.status.success(), "git is not hindered by it");
        env.ok(&repo, words);
        assert!(!admin.exists(), "{words}");
    }
    env.git(&repo, ["branch", "old"]);
}
