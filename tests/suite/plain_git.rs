//! Plain git, once the hook is installed: `git worktree add` gets ports, and nothing else changes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Run, TestEnv};

fn hooked(env: &TestEnv) -> PathBuf {
    let repo = env.repo("shop");
    env.ok(&repo, "hook install");
    repo
}

fn git(env: &TestEnv, dir: &Path, words: &str) -> Run {
    Run::of(env.command("git", dir).args(words.split(' ')).output().unwrap())
}

/// The ports of a worktree, without giving it any.
fn ports(env: &TestEnv, dir: &Path) -> Vec<u64> {
    let listed = env.json(dir, "list --worktree .");
    listed["allocations"].as_array().unwrap().iter().map(|one| one["port"].as_u64().unwrap()).collect()
}

fn events(env: &TestEnv, dir: &Path) -> usize {
    env.ok(dir, "history").lines().count()
}

#[test]
fn plain_git_worktree_add_gets_ports() {
    let env = TestEnv::new();
    let repo = hooked(&env);
    let run = git(&env, &repo, "worktree add ../x").success();
    let port = env.port(0);
    assert!(run.stderr.contains(&format!("Allocated Port: {port} (shop-x)\n")), "{run:?}");
    let tree = env.root().join("x");
    assert!(fs::read_to_string(tree.join(".git-port.env")).unwrap().contains(&format!("PORT={port}\n")));
    assert!(env.git(&tree, ["status", "--porcelain"]).is_empty());
    assert_eq!(ports(&env, &tree), [u64::from(port)]);
    assert_eq!(env.ok(&tree, "get"), format!("{port}\n"));
    // Removed by plain git, and noticed.
    env.git(&repo, ["worktree", "remove", "../x"]);
    let said = env.git_port(&repo, ["worktree", "prune"]).success();
    assert!(said.stderr.contains(&format!("Released Port: {port} ")), "{said:?}");
}

#[test]
fn git_from_a_linked_worktree_and_with_a_prefix_gets_ports() {
    let env = TestEnv::new();
    let repo = hooked(&env);
    let _ = git(&env, &repo, "worktree add ../x").success();
    fs::create_dir(env.root().join("x/sub")).unwrap();
    let _ = git(&env, &env.root().join("x/sub"), "worktree add ../../y").success();
    assert_eq!(ports(&env, &env.root().join("y")), [u64::from(env.port(1))]);
    let away = format!("-C {} worktree add --detach ../z", repo.display());
    let _ = git(&env, &env.root(), &away).success();
    assert_eq!(ports(&env, &env.root().join("z")), [u64::from(env.port(2))]);
}

#[test]
fn git_port_itself_is_not_answered_twice() {
    let env = TestEnv::new();
    let repo = hooked(&env);
    let run = env.git_port(&repo, ["worktree", "create", "x"]).success();
    assert_eq!(format!("{}{}", run.stdout, run.stderr).matches("Allocated Port").count(), 1, "{run:?}");
    let run = env.git_port(&repo, ["worktree", "create", "--no-ports", "y"]).success();
    assert!(!run.stderr.contains("Allocated Port"), "{run:?}");
    assert!(!env.root().join("shop-y/.git-port.env").exists());
}

#[test]
fn init_prepares_plain_git() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "init");
    env.git(&repo, ["add", "."]);
    env.git(&repo, ["commit", "-qm", "configured"]);
    let run = git(&env, &repo, "worktree add ../x").success();
    assert!(run.stderr.contains("Allocated Port: ") && run.stderr.contains(" (web)"), "{run:?}");
    assert_eq!(env.ok(&env.root().join("x"), "get web"), format!("{}\n", env.port(1)));
}

#[test]
fn a_folder_called_modules_is_no_submodule() {
    let env = TestEnv::new();
    let repo = env.repo("modules/shop");
    env.ok(&repo, "hook install");
    // The first checkout of all, as in a clone.
    env.git(&repo, ["switch", "-q", "--orphan", "unborn"]);
    let run = git(&env, &repo, "checkout -f main").success();
    assert!(run.stderr.contains("Allocated Port: "), "{run:?}");
}

#[test]
fn a_second_checkout_changes_nothing() {
    let env = TestEnv::new();
    let repo = hooked(&env);
    let _ = git(&env, &repo, "worktree add ../x").success();
    let tree = env.root().join("x");
    let before = (ports(&env, &tree), events(&env, &tree), fs::read(tree.join(".git-port.env")).unwrap());
    for words in ["switch -c topic", "switch x", "checkout -- README", "checkout --detach", "checkout x"] {
        let run = git(&env, &tree, words).success();
        assert!(!run.stderr.contains("Port"), "{words}: {run:?}");
    }
    let after = (ports(&env, &tree), events(&env, &tree), fs::read(tree.join(".git-port.env")).unwrap());
    assert_eq!(before, after);
}

#[test]
fn a_checkout_of_files_starts_nothing() {
    let env = TestEnv::new();
    let repo = hooked(&env);
    let run = git(&env, &repo, "checkout HEAD -- README").success();
    assert_eq!(run.stderr, "");
    assert!(!env.registry().exists());
}

#[test]
fn a_submodule_gets_no_ports() {
    let mut env = TestEnv::new();
    let part = env.repo("part");
    env.ok(&env.root(), "hook install --global");
    env.variables.push(("GIT_PORT_HOOK_REPOSITORIES".to_owned(), "all".to_owned()));
    let repo = env.repo("shop");
    env.git(&repo, ["submodule", "--quiet", "add", part.to_str().unwrap(), "part"]);
    env.git(&repo, ["commit", "-qm", "part"]);
    let run = git(&env, &repo, "worktree add ../x").success();
    assert!(run.stderr.contains("Allocated Port: "), "the hook is there: {run:?}");
    let tree = env.root().join("x");
    // The submodule is a clone, and has the hook too, which fires in it.
    let run = git(&env, &tree, "submodule update --init").success();
    assert!(!run.stderr.contains("Port"), "{run:?}");
    for submodule in [tree.join("part"), repo.join("part")] {
        env.git(&submodule, ["switch", "-q", "--orphan", "unborn"]);
        let run = git(&env, &submodule, "checkout -f main").success();
        assert!(!run.stderr.contains("Port"), "{run:?}");
        assert!(!submodule.join(".git-port.env").exists());
    }
    assert_eq!(env.json(&tree, "list --all")["allocations"].as_array().unwrap().len(), 1);
}

#[test]
fn a_rebase_and_a_bisection_keep_the_label() {
    let env = TestEnv::new();
    let repo = hooked(&env);
    for number in 0..6 {
        env.git(&repo, ["commit", "-q", "--allow-empty", "-m", &number.to_string()]);
    }
    let _ = git(&env, &repo, "worktree add -b x ../x HEAD~2").success();
    let tree = env.root().join("x");
    fs::write(tree.join("README"), "theirs\n").unwrap();
    env.git(&tree, ["commit", "-qam", "theirs"]);
    fs::write(repo.join("README"), "ours\n").unwrap();
    env.git(&repo, ["commit", "-qam", "ours"]);
    let label = || {
        // Asking for the port again is what refreshes the label.
        env.ok(&tree, "get");
        let listed = env.json(&tree, "list --worktree .");
        assert_eq!(listed["allocations"].as_array().unwrap().len(), 1, "{listed}");
        listed["allocations"][0]["branch"].clone()
    };
    assert_eq!(label(), "x");
    let stopped = git(&env, &tree, "rebase main");
    assert_ne!(stopped.status, 0, "{stopped:?}");
    assert_eq!(env.git(&tree, ["branch", "--show-current"]), "");
    assert_eq!(label(), "x");
    assert_eq!(env.json(&tree, "worktree list")["worktrees"][1]["branch"], "x");
    let _ = git(&env, &tree, "rebase --abort").success();
    let _ = git(&env, &tree, "bisect start HEAD HEAD~3").success();
    assert_eq!(env.git(&tree, ["branch", "--show-current"]), "");
    assert_eq!(label(), "x");
    let _ = git(&env, &tree, "bisect reset").success();
    assert_eq!(label(), "x");
}

/// git must succeed, and one line tell why there are no ports.
#[track_caller]
fn warns_once(env: &TestEnv, repo: &Path) {
    let run = git(env, repo, "worktree add ../x").success();
    let lines: Vec<&str> = run.stderr.lines().filter(|line| !line.starts_with("Preparing")).collect();
    assert!(
        matches!(lines[..], [line] if line.starts_with("warning: this worktree has no ports yet: ")),
        "{run:?}"
    );
    assert!(env.root().join("x/README").exists());
}

#[test]
fn a_registry_that_is_a_folder_fails_nothing() {
    let env = TestEnv::new();
    let repo = hooked(&env);
    fs::create_dir_all(env.registry()).unwrap();
    warns_once(&env, &repo);
    // Afterwards the first command gives what is missing.
    fs::remove_dir(env.registry()).unwrap();
    assert_eq!(env.ok(&env.root().join("x"), "get"), format!("{}\n", env.port(0)));
}

#[test]
fn a_damaged_registry_fails_nothing() {
    let env = TestEnv::new();
    let repo = hooked(&env);
    fs::create_dir_all(env.registry().parent().unwrap()).unwrap();
    fs::write(env.registry(), "no registry\n".repeat(1000)).unwrap();
    warns_once(&env, &repo);
}

#[test]
fn broken_configuration_fails_nothing() {
    let env = TestEnv::new();
    let repo = hooked(&env);
    fs::write(repo.join(".git-port.toml"), "nonsense = [\n").unwrap();
    env.git(&repo, ["add", "."]);
    env.git(&repo, ["commit", "-qm", "broken"]);
    warns_once(&env, &repo);
}

#[test]
fn a_switch_turns_the_hook_off() {
    let mut env = TestEnv::new();
    let repo = hooked(&env);
    env.variables.push(("GIT_PORT_DISABLE".to_owned(), "1".to_owned()));
    let run = git(&env, &repo, "worktree add ../x").success();
    assert!(!run.stderr.contains("Port") && !env.root().join("x/.git-port.env").exists(), "{run:?}");
}

#[test]
fn an_uninstalled_hook_is_gone() {
    let env = TestEnv::new();
    let repo = hooked(&env);
    env.ok(&repo, "hook uninstall");
    let run = git(&env, &repo, "worktree add ../x").success();
    assert!(!run.stderr.contains("Port") && !env.root().join("x/.git-port.env").exists(), "{run:?}");
}
