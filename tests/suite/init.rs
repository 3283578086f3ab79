//! `git port init`

use std::fs;

use serde_json::json;

use crate::support::{TestEnv, shape};

const VIEW: &[(&str, &str)] =
    &[("dry_run", "boolean"), ("config_file", "string"), ("written", "boolean"), ("hook", "boolean")];

#[test]
fn it_writes_the_configuration_installs_the_hook_and_allocates() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let text = env.ok(&repo, "init --yes");
    let expected =
        format!("Wrote .git-port.toml\nInstalled the post-checkout hook\nAllocated Port: {}\n", env.port(0));
    assert_eq!(text, expected);
    let config = fs::read_to_string(repo.join(".git-port.toml")).unwrap();
    assert!(config.contains("project = \"shop\"\n"), "{config}");
    let web = env.one(&repo, "list");
    assert_eq!((&web["service"], &web["primary"]), (&json!("web"), &json!(true)));
    assert_eq!(env.git_port(&repo, ["hook", "status"]).status, 0);
    env.git(&repo, ["worktree", "add", "-q", "../topic"]);
    assert_eq!(
        env.listed(&env.root().join("topic"), "--worktree"),
        [u64::from(env.port(1))],
        "the hook works"
    );
}

#[test]
fn a_dry_run_changes_nothing() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    for line in ["init --dry-run", "init -n", "-q init -n"] {
        let text = env.ok(&repo, line);
        assert!(text.starts_with("Would write .git-port.toml:\n"), "{text}");
        assert!(text.contains("[services.web]"), "{text}");
    }
    let answer = env.json(&repo, "init --dry-run");
    shape::has(&answer, VIEW);
    assert_eq!(
        (&answer["dry_run"], &answer["written"], &answer["hook"]),
        (&json!(true), &json!(false), &json!(false))
    );
    assert!(!repo.join(".git-port.toml").exists() && !repo.join(".git/hooks/post-checkout").exists());
    assert_eq!(env.listed(&repo, "--all"), [0; 0]);
    assert_eq!(env.git_port(&repo, ["hook", "status"]).status, 1);
}

#[test]
fn the_object_has_every_promised_field() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let answer = env.json(&repo, "init");
    shape::has(&answer, VIEW);
    let allocations = shape::lists(&answer, &["allocations", "warnings"]);
    shape::has(&allocations[0], shape::ALLOCATION);
    assert_eq!(allocations[0]["created"], true);
    assert_eq!((&answer["written"], &answer["hook"]), (&json!(true), &json!(true)));
    assert_eq!(answer["config_file"], repo.join(".git-port.toml").to_str().unwrap());
    let again = env.json(&repo, "init");
    assert_eq!((&again["written"], &again["allocations"][0]["created"]), (&json!(false), &json!(false)));
}

#[cfg(unix)]
#[test]
fn what_is_there_stays() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let config = "project = \"mine\"\n[services.api]\n[services.web]\n";
    fs::write(repo.join(".git-port.toml"), config).unwrap();
    let hook = repo.join(".git/hooks/post-checkout");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\necho mine >>\"$HOME/log\"\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&hook, mode).unwrap();
    let text = env.ok(&repo, "init");
    assert!(text.starts_with(".git-port.toml is there already\n"), "{text}");
    assert!(text.contains(&format!("Allocated Port: {} (api)\n", env.port(0))), "{text}");
    assert_eq!(fs::read_to_string(repo.join(".git-port.toml")).unwrap(), config);
    env.git(&repo, ["worktree", "add", "-q", "../topic"]);
    assert_eq!(fs::read_to_string(env.home().join("log")).unwrap(), "mine\n");
    let once = env.ok(&repo, "init");
    assert!(once.contains("The post-checkout hook is there already\n"), "{once}");
}

#[test]
fn a_folder_with_any_name_gives_a_valid_configuration() {
    let env = TestEnv::new();
    let repo = env.repo("my \"shop\" \\ é");
    env.ok(&repo, "init");
    let project = env.one(&repo, "list")["project"].as_str().unwrap().to_owned();
    assert!(project.starts_with("my") && !project.contains(['"', ' ', '\\']), "{project}");
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let refusals: &[shape::Refusal<'_>] =
        &[(&["init", "here"], 129, "usage", "'here'"), (&["init", "--force"], 129, "usage", "'--force'")];
    shape::refuses(&env, &repo, refusals);
    shape::refuses(&env, &env.root(), &[(&["init"], 128, "not_a_repository", "not a git repository")]);
    fs::write(repo.join(".git-port.toml"), "[service.web]\n").unwrap();
    shape::refuses(&env, &repo, &[(&["init"], 128, "config", "'service'")]);
}

#[test]
fn services_are_found_in_the_files_of_the_project() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let package = r#"{"scripts":{"dev":"vite"},"devDependencies":{"vite":"8"}}"#;
    std::fs::write(repo.join("package.json"), package).unwrap();
    std::fs::write(repo.join(".env.example"), "API_SERVER_PORT=4000\nDB_PORT=5432\n").unwrap();
    let planned = env.json(&repo, "init --dry-run");
    let services: Vec<&str> =
        planned["services"].as_array().unwrap().iter().map(|one| one["service"].as_str().unwrap()).collect();
    assert_eq!(services, ["web", "api-server", "db"]);
    let gap = &planned["unwired"][0];
    assert!(gap["message"].as_str().unwrap().contains("--strictPort"), "{planned}");
    assert_eq!((&gap["code"], &gap["fix"]), (&json!("port-not-read"), &json!("git port template vite")));
    let prefer = planned["services"][2]["prefer"].as_u64().unwrap();
    assert_eq!(prefer % 100, 32, "it ends as 5432 does: {planned}");
    assert!(!repo.join(".git-port.toml").exists());
    let run = env.git_port(&repo, ["init"]).success();
    assert!(run.stdout.contains("Found web: vite in package.json, script 'dev'"), "{run:?}");
    let written = std::fs::read_to_string(repo.join(".git-port.toml")).unwrap();
    for line in ["[services.web]", "[services.api-server]", "[services.db]", "type = \"db\""] {
        assert!(written.contains(line), "{line}: {written}");
    }
    assert!(written.contains(&format!("prefer = {prefer}")), "{written}");
    assert!(run.stdout.contains("Not wired: vite does not read PORT"), "{run:?}");
    let ports = env.json(&repo, "list");
    let ports = ports["allocations"].as_array().unwrap();
    assert_eq!(ports.len(), 3);
    assert!(ports.iter().any(|one| one["service"] == "db" && one["port"] == prefer), "{ports:?}");
    let again = env.git_port(&repo, ["init"]).success();
    assert!(again.stdout.contains("is there already"), "twice is once: {again:?}");
    assert_eq!(std::fs::read_to_string(repo.join(".git-port.toml")).unwrap(), written);
}

/// git has the file once it is committed; until then no other worktree does.
#[test]
fn one_is_told_to_commit_what_it_wrote() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let run = env.git_port(&repo, ["init"]).success();
    assert!(run.stderr.contains("hint: commit it"), "{run:?}");
    let run = env.git_port(&repo, ["worktree", "create", "early"]).success();
    assert!(run.stderr.contains("warning: '.git-port.toml' is in the main worktree"), "{run:?}");

    env.git(&repo, ["add", ".git-port.toml"]);
    env.git(&repo, ["commit", "--quiet", "-m", "ports"]);
    let run = env.git_port(&repo, ["worktree", "create", "later"]).success();
    assert!(!run.stderr.contains("warning"), "{run:?}");
    let again = env.git_port(&repo, ["init"]).success();
    assert!(!again.stderr.contains("hint: commit"), "{again:?}");
}
