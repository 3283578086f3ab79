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

/// What is offered at the end of these words, in order.
fn offered(env: &TestEnv, dir: &std::path::Path, words: &str) -> Vec<String> {
    let words: Vec<&str> = words.split(' ').collect();
    let output = env
        .command(crate::support::GIT_PORT, dir)
        .env("COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .env("_CLAP_IFS", "\n")
        .args(["--", "git-port"])
        .args(&words)
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    // Options are offered as well.
    text.lines().filter(|line| !line.starts_with('-')).map(str::to_owned).collect()
}

#[test]
fn names_that_there_are_are_offered() {
    let env = TestEnv::new();
    let (repo, pay) = (env.repo("shop"), env.repo("pay"));
    std::fs::write(repo.join(".git-port.toml"), "[services.web]\n[services.worker]\n").unwrap();
    env.ok(&pay, "allocate api");
    env.ok(&repo, "allocate web");
    env.ok(&repo, "reserve 4000-4010");
    env.ok(&repo, "worktree create topic");
    let [web, of_topic] = [0, 1].map(|index| env.port(index + 1).to_string());
    for (words, expected) in [
        ("get ", vec!["pay/api", "web", "worker"]),
        ("get w", vec!["web", "worker"]),
        ("url pay", vec!["pay/api"]),
        ("run --service ", vec!["web", "worker"]),
        ("suggest wo", vec!["worker"]),
        ("allocate w", vec!["web", "worker"]),
        ("allocate web pro", vec!["production"]),
        ("env --environment ", vec!["dev", "production", "test"]),
        ("list --project p", vec!["pay"]),
        ("template djan", vec!["django"]),
        ("template v", vec!["vite", "vscode"]),
        ("worktree remove shop-", vec!["shop-topic"]),
        ("worktree path shop", vec!["shop", "shop-topic"]),
        ("unreserve 4", vec!["4000-4010"]),
        ("history ", vec![web.as_str(), of_topic.as_str()]),
        ("release we", vec!["web"]),
        ("completions f", vec!["fish"]),
    ] {
        assert_eq!(offered(&env, &repo, words), expected, "{words}");
    }
    assert_eq!(offered(&env, &env.root(), "stats te"), ["test"]);
    assert_eq!(env.listed(&repo, "--all").len(), 3, "asking allocates nothing");
}

#[test]
fn a_hostile_name_is_not_offered() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let folder = env.home().join(".config/git-port/templates");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("mine.j2"), "x\n").unwrap();
    assert_eq!(offered(&env, &repo, "template mi"), ["mine", "mise"]);
    env.git(&repo, ["worktree", "add", "-q", "-b", "x", "../a b$(touch x)"]);
    assert_eq!(offered(&env, &repo, "worktree path "), ["shop"]);
    // Without a registry that can be read there is silence.
    std::fs::create_dir_all(env.registry()).unwrap();
    assert_eq!(offered(&env, &repo, "list --project "), [""; 0]);
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
