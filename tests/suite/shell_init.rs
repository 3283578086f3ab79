//! `git port shell-init`, in the shells themselves

use std::path::Path;
use std::process::Command;

use crate::support::herd::ignored_for_want_of;
use crate::support::{Run, TestEnv, shape};

/// Runs lines in a shell that has the function.
fn in_shell(env: &TestEnv, shell: &str, dir: &Path, lines: &str) -> Run {
    let load = match shell {
        "fish" => "git port shell-init fish | source".to_owned(),
        shell => format!("eval \"$(git port shell-init {shell})\""),
    };
    Run::of(env.command(shell, dir).args(["-c", &format!("{load}\n{lines}")]).output().unwrap())
}

fn installed() -> Vec<&'static str> {
    let is_there = |shell: &&str| Command::new(shell).args(["-c", "true"]).output().is_ok();
    let shells: Vec<_> = ["sh", "bash", "zsh", "fish"].into_iter().filter(is_there).collect();
    if shells.len() < 4 {
        ignored_for_want_of("bash, zsh or fish");
    }
    shells
}

#[test]
fn the_shell_goes_along() {
    for shell in installed() {
        let env = TestEnv::new();
        let repo = env.repo("the shop");
        let made = env.root().join("the-shop-topic");
        let said = |lines: &str, dir: &Path| {
            let run = in_shell(&env, shell, dir, lines).success();
            run.stdout.lines().last().unwrap_or_default().to_owned()
        };

        let run = in_shell(&env, shell, &repo, "gpw create topic; pwd").success();
        assert_eq!(run.stdout.lines().last(), made.to_str(), "{shell}: {run:?}");
        assert!(run.stdout.contains(&env.port(0).to_string()), "{shell}: its port is told: {run:?}");

        assert_eq!(said("gpw cd; pwd", &made), repo.to_str().unwrap(), "{shell}");
        assert_eq!(said("gpw cd topic; pwd", &repo), made.to_str().unwrap(), "{shell}");
        assert_eq!(said("gpw lock topic; gpw unlock topic; pwd", &repo), repo.to_str().unwrap(), "{shell}");
        // What is not a path is printed, and leads nowhere.
        let help = in_shell(&env, shell, &repo, "gpw create -h; pwd").success();
        assert!(help.stdout.contains("Usage: git port worktree create"), "{shell}: {help:?}");
        assert_eq!(help.stdout.lines().last(), repo.to_str(), "{shell}");

        let spaced = env.root().join("a place");
        assert_eq!(said("gpw create other '../a place'; pwd", &repo), spaced.to_str().unwrap(), "{shell}");
        assert_eq!(said("gpw remove; pwd", &made), repo.to_str().unwrap(), "{shell}");
        assert!(!made.exists(), "{shell}");
    }
}

#[test]
fn what_fails_changes_no_folder_and_keeps_its_status() {
    for shell in installed() {
        let env = TestEnv::new();
        let repo = env.repo("shop");
        let status = if shell == "fish" { "$status" } else { "$?" };
        for (words, code) in [("create main", 128), ("cd nowhere", 128), ("remove nowhere", 128)] {
            let run = in_shell(&env, shell, &repo, &format!("gpw {words}; echo {status}; pwd")).success();
            let lines: Vec<&str> = run.stdout.lines().collect();
            assert_eq!(lines, [&code.to_string(), repo.to_str().unwrap()], "{shell} {words}: {run:?}");
        }
    }
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    shape::refuses(
        &env,
        &env.root(),
        &[
            (&["shell-init"], 129, "usage", "<shell>"),
            (&["shell-init", "tcsh"], 129, "usage", "'tcsh'"),
            (&["shell-init", "bash", "zsh"], 129, "usage", "'zsh'"),
        ],
    );
}
