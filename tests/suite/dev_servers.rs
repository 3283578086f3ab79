//! Real dev servers from npm and `PyPI`, up at the same time in several worktrees.

mod drift;
pub mod lab;
mod layouts;
mod node;
mod python;
mod snippets;

use std::fs;
use std::path::Path;

use crate::support::TestEnv;
use crate::support::running::Running;
use lab::{copy, fetch, fixture, npm};

/// Starts a line as one copies it into a shell.
fn shell(env: &TestEnv, dir: &Path, line: &str) -> Running {
    let mut command = env.command("sh", dir);
    command.args(["-c", line]);
    Running::spawn(env, command)
}

#[test]
fn two_worktrees_of_a_vite_app_serve_at_the_same_time() {
    let Some(packages) = npm("vite-app") else { return };
    let env = TestEnv::new();
    let app = env.root().join("app");
    copy(&fixture("vite-app"), &app);
    fs::write(app.join(".gitignore"), "node_modules\n").unwrap();
    env.git(&app, ["init", "--quiet"]);
    env.git(&app, ["add", "."]);
    env.git(&app, ["commit", "--quiet", "-m", "app"]);
    env.ok(&app, "init");
    env.git(&app, ["add", "."]);
    env.git(&app, ["commit", "--quiet", "-m", "ports"]);

    // One worktree by git-port, one by plain git through the hook.
    let created = env.json(&app, "worktree create feature-a");
    let one = env.root().join("app-feature-a");
    let two = env.root().join("plain");
    env.git(&app, ["worktree", "add", "--quiet", "-b", "plain", two.to_str().unwrap()]);
    for top in [&one, &two] {
        std::os::unix::fs::symlink(packages.join("node_modules"), top.join("node_modules")).unwrap();
    }
    let port_of = |top: &Path| env.ok(top, "get --no-allocate").trim().parse::<u16>().unwrap();
    assert_ne!(port_of(&one), port_of(&two));

    let usage = created["use"].as_str().unwrap().to_owned();
    assert_eq!(usage, format!("PORT={0} npm run dev -- --port {0} --strictPort", port_of(&one)));
    let line = format!("npm run dev -- --port {} --strictPort", port_of(&two));
    let servers = [shell(&env, &one, &usage), shell(&env, &two, &line)];
    for (top, server) in [&one, &two].into_iter().zip(&servers) {
        fetch(env.ok(top, "url").trim(), "<title>vite-app</title>", server);
    }

    // While its server runs, the port of a removed worktree is kept; afterwards it is released.
    fs::remove_dir_all(&one).unwrap();
    let kept = env.json(&app, "cleanup --dry-run");
    assert_eq!(kept["released"].as_array().unwrap().len(), 0);
    assert_eq!(kept["kept"][0]["allocation"]["worktree"], one.to_str().unwrap());
    drop(servers);
    let planned = env.json(&app, "cleanup --dry-run");
    assert_eq!(planned["released"].as_array().unwrap().len(), 1, "{planned}");
    assert_eq!(env.json(&app, "cleanup")["released"][0]["branch"], "feature-a");
    let left = env.json(&app, "list --all");
    assert_eq!(left["allocations"].as_array().unwrap().len(), 2, "main and plain keep theirs: {left}");
}
