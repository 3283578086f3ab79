//! What the templates render, given to the programs it is for, where they are at hand.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::write;
use crate::support::TestEnv;

/// A repository with one service or three, before it has ports and with them.
fn scenes() -> Vec<(TestEnv, PathBuf)> {
    let mut scenes = Vec::new();
    for services in ["[services.web]\n", "[services.web]\n[services.api]\n[services.db]\n"] {
        for allocated in [false, true] {
            let env = TestEnv::new();
            let repo = env.repo("shop");
            write(repo.join(".git-port.toml"), services);
            if allocated {
                env.ok(&repo, "env");
            }
            scenes.push((env, repo));
        }
    }
    scenes
}

fn text(scene: &(TestEnv, PathBuf), name: &str) -> String {
    scene.0.ok(&scene.1, &format!("template {name}"))
}

/// What a program prints, if it is there. It must succeed.
fn printed(command: &mut Command) -> Option<String> {
    let output = command.env_remove("PORT").env_remove("MAKEFLAGS").output().ok()?;
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn sh(script: &str, variables: &[(&str, &str)]) -> String {
    let mut set = String::new();
    for (name, value) in variables {
        set.extend([name, "=", value, "; export ", name, "\n"]);
    }
    printed(Command::new("sh").arg("-c").arg(set + script)).unwrap()
}

#[test]
fn scripts_take_the_port_and_fall_back_to_the_tools_own() {
    for scene in scenes() {
        for (name, script, own) in [
            ("next", "dev", "3000"),
            ("next", "start", "3000"),
            ("angular", "start", "4200"),
            ("storybook", "storybook", "6006"),
            ("wrangler", "dev", "8787"),
        ] {
            let package: Value = serde_json::from_str(&text(&scene, name)).unwrap();
            let line = format!("echo {}", package["scripts"][script].as_str().unwrap());
            assert!(sh(&line, &[]).contains(&format!(" {own}")), "{line}");
            assert!(sh(&line, &[("PORT", "8123")]).contains(" 8123"), "{line}");
        }
        for (name, own) in [
            ("django", "8000"),
            ("flask", "5000"),
            ("uvicorn", "8000"),
            ("fastapi", "8000"),
            ("laravel", "8000"),
            ("aspnet", "5000"),
        ] {
            let script = text(&scene, name).replace("exec ", "echo ");
            assert!(sh(&script, &[]).contains(own), "{script}");
            assert!(sh(&script, &[("PORT", "8123")]).contains("8123"), "{script}");
        }
    }
}

#[test]
fn javascript_is_javascript() {
    for scene in scenes() {
        for (name, extension) in [
            ("vite", "mjs"),
            ("nuxt", "mjs"),
            ("astro", "mjs"),
            ("webpack", "cjs"),
            ("express", "mjs"),
            ("playwright", "mjs"),
        ] {
            let file = scene.0.root().join(format!("{name}.{extension}"));
            write(&file, text(&scene, name));
            let _ = printed(Command::new("node").arg("--check").arg(&file));
        }
    }
}

#[test]
fn a_server_is_strict_about_the_port_that_is_set_and_about_no_other() {
    let scene = &scenes()[0];
    for (name, call) in
        [("vite", "defineConfig("), ("astro", "defineConfig("), ("webpack", "module.exports = ")]
    {
        let config = text(scene, name);
        let body = config.split(call).nth(1).unwrap().trim_end().trim_end_matches(')');
        for port in [None, Some("8123")] {
            let set = port.map(|port| format!("process.env.PORT = '{port}'; ")).unwrap_or_default();
            let script = format!("{set}JSON.stringify({body})");
            let Some(shown) = printed(Command::new("node").args(["-p", &script])) else { return };
            assert_eq!(shown.contains("8123"), port.is_some(), "{shown}");
            if name != "webpack" {
                assert_eq!(shown.contains("\"strictPort\":true"), port.is_some(), "{shown}");
            }
        }
    }
}

#[test]
fn toml_is_toml() {
    for scene in scenes() {
        let table: Value = toml::from_str(&text(&scene, "mise")).unwrap();
        assert_eq!(table["env"]["_"]["file"], ".git-port.env");
    }
}

#[test]
fn make_takes_the_ports_from_the_file_and_has_some_without_it() {
    for scene in scenes() {
        let (env, repo) = &scene;
        env.ok(repo, "template make --write");
        let makefile = fs::read_to_string(repo.join("Makefile")).unwrap();
        fs::write(repo.join("Makefile"), makefile + "all: ; @echo $$PORT $$WEB_PORT\n").unwrap();
        let make = || printed(Command::new("make").args(["-s", "all"]).current_dir(repo));
        env.ok(repo, "env");
        let Some(with) = make() else { return };
        assert_eq!(with, format!("{0} {0}", env.port(0)));
        fs::remove_file(repo.join(".git-port.env")).unwrap();
        assert_eq!(make().unwrap(), "3000 3000");
    }
}

#[test]
fn a_process_of_a_procfile_has_its_own_port() {
    for scene in scenes() {
        let text = text(&scene, "procfile");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, command) = line.split_once(": ").unwrap();
            let variable = format!("{}_PORT", name.to_uppercase());
            let script = format!("npm() {{ echo \"$PORT $*\"; }}; {command}");
            // What the starter of the processes sets is not what counts.
            let shown = sh(&script, &[("PORT", "5000"), (&variable, "8123")]);
            assert!(shown.starts_with("8123 ") && !shown.contains("5000"), "{line}: {shown}");
        }
    }
}

#[test]
fn a_task_reads_the_file_and_works_without_it() {
    for scene in scenes() {
        let (env, repo) = &scene;
        write(repo.join("package.json"), r#"{"scripts":{"dev":"vite"}}"#);
        let text = text(&scene, "vscode");
        let json: String = text.lines().filter(|line| !line.starts_with("//")).collect();
        let tasks: Value = serde_json::from_str(&json).unwrap();
        let command = tasks["tasks"][0]["command"].as_str().unwrap();
        let script = format!("cd '{}'; npm() {{ echo \"$PORT $*\"; }}; {command}", repo.display());
        env.ok(repo, "env");
        let with = sh(&script, &[]);
        assert_eq!(with, format!("{0} run dev -- --port {0} --strictPort", env.port(0)));
        fs::remove_file(repo.join(".git-port.env")).unwrap();
        assert_eq!(sh(&script, &[]), "3000 run dev -- --port 3000 --strictPort");
    }
}

#[test]
fn direnv_and_a_shell_read_the_file() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "template direnv --write");
    env.ok(&repo, "env");
    let envrc = repo.join(".envrc");
    let script = format!(
        "cd '{}'; dotenv_if_exists() {{ set -a; . \"./$1\"; set +a; }}; . '{}'; echo $PORT",
        repo.display(),
        envrc.display()
    );
    assert_eq!(sh(&script, &[]), env.port(0).to_string());
}
