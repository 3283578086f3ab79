//! Whether the project's tools take the worktree's ports.

use std::fs;
use std::process::Command;

use super::{doctor, find, findings, is_told, shop};
#[cfg(target_os = "linux")]
use crate::support::server::Server;

#[test]
fn tools_that_do_not_read_their_port() {
    let (env, repo, topic) = shop();
    let package = |script: &str| {
        let text = format!(r#"{{"scripts":{{"dev":"{script}"}},"devDependencies":{{"vite":"8"}}}}"#);
        fs::write(repo.join("package.json"), text).unwrap();
    };
    package("vite");
    assert!(
        find(&doctor(&env, &repo, "").exits_with(0), "port-not-read").is_empty(),
        "nothing is configured"
    );
    fs::write(repo.join(".git-port.toml"), "[services.web]\n").unwrap();
    env.ok(&repo, "init");
    let run = doctor(&env, &repo, "").exits_with(0);
    let told = find(&run, "port-not-read");
    assert_eq!((&told[0]["severity"], &told[0]["hint"]), (&"note".into(), &"git port template vite".into()));
    assert!(env.ok(&repo, "doctor").contains("note:    vite does not read PORT"));
    // The other worktree has another branch's files.
    assert!(find(&doctor(&env, &topic, ""), "port-not-read").is_empty());

    package("vite --port 3000");
    is_told(&env, &repo, "fixed-port", "git port template vite");
    package("vite");
    let config = |text: &str| fs::write(repo.join("vite.config.ts"), text).unwrap();
    config("export default { server: { port: Number(process.env.WEB_PORT) } }\n");
    is_told(&env, &repo, "not-strict", "git port template vite");
    // What the hint prints is what mends it.
    config(&env.ok(&repo, "template vite"));
    let run = doctor(&env, &repo, "").exits_with(0);
    assert!(findings(&run).iter().any(|one| one["code"] == "wiring" && one["severity"] == "ok"), "{run:#?}");

    fs::write(repo.join("compose.yaml"), "services: { web: { image: x, ports: ['3000:3000'] } }\n").unwrap();
    is_told(&env, &repo, "compose-port", "git port template docker-compose --write");
    env.ok(&repo, "template docker-compose --write");
    doctor(&env, &repo, "").exits_with(0);

    fs::write(repo.join("turbo.json"), "{}\n").unwrap();
    is_told(&env, &repo, "turborepo", "git port template turborepo");
    fs::write(repo.join("turbo.json"), env.ok(&repo, "template turborepo")).unwrap();
    doctor(&env, &repo, "").exits_with(0);
}

#[test]
fn an_envrc_that_is_not_allowed() {
    let (env, repo, _) = shop();
    if Command::new("direnv").arg("version").output().is_err() {
        return crate::support::herd::ignored_for_want_of("direnv");
    }
    fs::write(repo.join(".git-port.toml"), "[services.web]\n").unwrap();
    env.ok(&repo, "init");
    env.ok(&repo, "template direnv --write");
    is_told(&env, &repo, "direnv", "direnv allow '");
    let output = env.command("direnv", &repo).arg("allow").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    doctor(&env, &repo, "").exits_with(0);
    fs::write(repo.join(".envrc"), "dotenv .env\n").unwrap();
    let output = env.command("direnv", &repo).arg("allow").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let told = find(&doctor(&env, &repo, "").exits_with(0), "direnv");
    assert_eq!(told[0]["hint"], "git port template direnv", "{told:?}");
}

#[test]
fn the_variables_of_another_project() {
    let (mut env, repo, _) = shop();
    env.set("GIT_PORT_WORKTREE", "shop");
    env.set("GIT_PORT_PROJECT", "shop");
    doctor(&env, &repo, "").exits_with(0);
    env.set("GIT_PORT_PROJECT", "blog");
    is_told(&env, &repo, "variables", "eval");
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_listens_elsewhere() {
    let (env, repo, topic) = shop();
    let elsewhere = env.port(60);
    let server = Server::start(&topic, &format!("127.0.0.1:{elsewhere}"));
    is_told(&env, &repo, "elsewhere", "git port run");
    let told = find(&doctor(&env, &repo, ""), "elsewhere");
    let message = told[0]["message"].as_str().unwrap();
    for part in [elsewhere.to_string(), server.pid().to_string(), topic.display().to_string()] {
        assert!(message.contains(&part), "{part}: {message}");
    }
    // Beside a server on the worktree's own port, it is a port of its own choice.
    let own = env.listed(&topic, "--worktree")[0];
    let _own = Server::start(&topic, &format!("127.0.0.1:{own}"));
    doctor(&env, &repo, "").exits_with(0);
}
