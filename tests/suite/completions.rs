//! `git port completions`

use std::process::{Command, Stdio};

use crate::support::{TestEnv, shape};

#[test]
fn each_shell_takes_its_script() {
    let env = TestEnv::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = env.ok(&env.root(), &format!("completions {shell}"));
        assert!(script.contains("git-port") && script.ends_with('\n'), "{shell}");
        assert_eq!(env.ok(&env.root(), &format!("-q completions {shell}")), script);
        let installed = Command::new(shell).arg("-c").arg("true").stderr(Stdio::null()).status();
        if installed.is_ok_and(|status| status.success()) {
            let file = env.root().join(shell);
            std::fs::write(&file, script).unwrap();
            let output = env.command(shell, &env.root()).arg("-n").arg(&file).output().unwrap();
            assert!(output.status.success(), "{shell}: {output:?}");
        }
    }
}

#[test]
fn the_program_answers_a_shell_that_completes_a_line() {
    let env = TestEnv::new();
    let output = env
        .command(crate::support::GIT_PORT, &env.root())
        .env("COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", "1")
        .env("_CLAP_IFS", "\n")
        .args(["--", "git-port", "al"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "allocate");
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    shape::refuses(
        &env,
        &env.root(),
        &[
            (&["completions"], 129, "usage", "<shell>"),
            (&["completions", "tcsh"], 129, "usage", "'tcsh'"),
            (&["completions", ""], 129, "usage", "shell"),
            (&["completions", "b\u{1b}"], 129, "usage", "'b\u{1b}'"),
            (&["completions", "bash", "zsh"], 129, "usage", "'zsh'"),
        ],
    );
}
