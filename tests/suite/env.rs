//! `git port env`

use serde_json::json;

use crate::support::{TestEnv, shape};

#[test]
fn the_variables_that_are_promised() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    std::fs::write(repo.join(".git-port.toml"), "[services.web]\n[services.api]\n").unwrap();
    let (web, api) = (env.port(0), env.port(1));
    let answer = env.json(&repo, "env");
    let expected = json!({
        "PORT": web.to_string(),
        "WEB_PORT": web.to_string(),
        "WEB_URL": format!("http://localhost:{web}"),
        "API_PORT": api.to_string(),
        "API_URL": format!("http://localhost:{api}"),
        "GIT_PORT_PROJECT": "shop",
        "GIT_PORT_WORKTREE": "shop",
        "GIT_PORT_ENVIRONMENT": "dev",
    });
    assert_eq!(answer, json!({"version": 1, "variables": expected}));
    assert_eq!(env.json(&repo, "env --format sh"), answer, "--json says it all");
    assert_eq!(env.ok(&repo, "env --format json"), env.ok(&repo, "env --json"));
}

#[test]
fn each_format_has_its_form() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let port = env.port(0);
    env.ok(&repo, "allocate web");
    for (format, line) in [
        ("sh", format!("export PORT='{port}'")),
        ("fish", format!("set -gx PORT '{port}'")),
        ("powershell", format!("$env:PORT = '{port}'")),
        ("dotenv", format!("PORT={port}")),
        ("github", format!("PORT={port}")),
    ] {
        for words in
            [format!("env --format {format}"), format!("--quiet env --format={format} --no-allocate")]
        {
            let text = env.ok(&repo, &words);
            assert_eq!(text.lines().next(), Some(&*line), "{words}");
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{words}");
        }
    }
    assert_eq!(env.ok(&repo, "env"), env.ok(&repo, "env --format sh"));
}

#[test]
fn a_shell_takes_them() {
    let env = TestEnv::new();
    let repo = env.repo("it's $(here)");
    std::fs::write(
        repo.join(".git-port.toml"),
        "[services.web]\n[env]\nAPP_NAME = \"it's $(touch x) {project}\"\n",
    )
    .unwrap();
    let script = "eval \"$(git port env)\"; printf '%s|%s' \"$PORT\" \"$APP_NAME\"";
    let output = env.command("sh", &repo).args(["-c", script]).output().unwrap();
    let project = env.one(&repo, "list")["project"].as_str().unwrap().to_owned();
    let expected = format!("{}|it's $(touch x) {project}", env.port(0));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    assert!(!repo.join("x").exists());
}

#[test]
fn derived_values_follow_the_ports() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let config = "[services.web]\n[services.db]\ntype = \"db\"\n[env]\nDATABASE_URL = \"postgres://localhost:{db.port}/{project}\"\n";
    std::fs::write(repo.join(".git-port.toml"), config).unwrap();
    let variables = env.json(&repo, "env")["variables"].clone();
    assert_eq!(variables["DATABASE_URL"], format!("postgres://localhost:{}/shop", env.port(1)));
    assert_eq!(variables.get("DB_URL"), None, "a database has no URL for a browser");
    env.ok(&repo, "allocate db --new");
    let variables = env.json(&repo, "env")["variables"].clone();
    assert_eq!(variables["DATABASE_URL"], format!("postgres://localhost:{}/shop", env.port(2)));
}

#[test]
fn without_allocating_there_may_be_no_port() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let variables = env.json(&repo, "env --no-allocate")["variables"].clone();
    assert_eq!(variables.get("PORT"), None);
    assert_eq!(variables["GIT_PORT_PROJECT"], "shop");
    assert_eq!(env.listed(&repo, ""), [0; 0]);
}

#[test]
fn environments_are_apart() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    std::fs::write(repo.join(".git-port.toml"), "[services.web]\n").unwrap();
    for (environment, port) in [("dev", env.port(0)), ("test", env.port(100)), ("production", env.port(150))]
    {
        let variables = env.json(&repo, &format!("env -e {environment}"))["variables"].clone();
        let of = (&variables["WEB_PORT"], &variables["GIT_PORT_ENVIRONMENT"]);
        assert_eq!(of, (&json!(port.to_string()), &json!(environment)));
    }
}

#[test]
fn its_own_variables_are_no_settings() {
    let mut env = TestEnv::new();
    let repo = env.repo("shop");
    for (name, value) in
        [("GIT_PORT_PROJECT", "other"), ("GIT_PORT_WORKTREE", "x"), ("PORT", "1"), ("WEB_PORT", "2")]
    {
        env.set(name, value);
    }
    assert_eq!(env.one(&repo, "allocate web")["project"], "shop");
    assert_eq!(env.json(&repo, "env")["variables"]["PORT"], env.port(0).to_string());
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    shape::refuses(
        &env,
        &repo,
        &[
            (&["env", "--format", "yaml"], 129, "usage", "'yaml'"),
            (&["env", "--format", ""], 129, "usage", "''"),
            (&["env", "--format", "s\u{1b}h"], 129, "usage", "is not a format"),
            (&["env", "--format"], 129, "usage", "--format"),
            (&["env", "-e", "staging"], 129, "usage", "'staging'"),
            (&["env", "web"], 129, "usage", "'web'"),
        ],
    );
    shape::refuses(&env, &env.root(), &[(&["env"], 128, "not_a_repository", "not a git repository")]);
}
