//! `git port template`

mod compose;
mod files;
#[cfg(unix)]
mod programs;

use std::fs;
use std::path::Path;

use git_port::template::frameworks::FRAMEWORKS;
use serde_json::json;

use crate::support::{TestEnv, shape};

fn write(path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The folder of the user's own templates.
fn own_folder(env: &TestEnv) -> std::path::PathBuf {
    env.home().join(".config/git-port/templates")
}

#[test]
fn every_built_in_template_is_listed_and_printed() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    write(repo.join(".git-port.toml"), "[services.web]\n[services.api]\n");
    let answer = env.json(&repo, "template --list");
    let listed = shape::lists(&answer, &["templates"]);
    assert_eq!(listed.len(), FRAMEWORKS.len());
    for (one, framework) in listed.iter().zip(FRAMEWORKS) {
        let name = framework.name;
        assert_eq!(
            (&one["name"], &one["origin"], &one["trusted"]),
            (&json!(name), &json!("built-in"), &json!(true))
        );
        let text = env.ok(&repo, &format!("template {name}"));
        let object = env.json(&repo, &format!("template {name}"));
        assert_eq!((&object["version"], &object["written"]), (&json!(1), &json!(false)));
        assert_eq!((&object["name"], &object["text"]), (&json!(name), &json!(text)), "{name}");
        assert!(object["file"].is_string() && object["check"].is_string() && object["tried"].is_string());
        assert_eq!(one["tried"], object["tried"], "{name}");
    }
    let text = env.ok(&repo, "template --list");
    assert!(text.lines().count() == FRAMEWORKS.len() + 1 && text.starts_with("NAME"), "{text}");
    assert!(text.contains("from its documentation") && text.contains("tried with Vite"), "{text}");
    assert_eq!(env.json(&env.root(), "template --list"), answer, "outside of a repository, too");
    assert_eq!(env.git(&repo, ["status", "--short"]), "?? .git-port.toml\n", "nothing was written");
}

#[test]
fn a_snippet_allocates_nothing_and_dotenv_does() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    write(repo.join(".git-port.toml"), "[services.web]\n[services.api]\n");
    for name in ["vite", "procfile", "make"] {
        env.ok(&repo, &format!("template {name}"));
    }
    assert_eq!(env.listed(&repo, ""), [0; 0]);
    assert_eq!(env.ok(&repo, "template dotenv"), env.ok(&repo, "env --format dotenv"));
    assert_eq!(env.listed(&repo, "").len(), 2);
}

#[test]
fn a_snippet_is_for_the_service_that_is_asked_for() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let config = "[services.web]\n[services.api]\nvariables = [\"UVICORN_PORT\"]\n[services.storybook]\n";
    write(repo.join(".git-port.toml"), config);
    assert!(env.ok(&repo, "template uvicorn").contains("${PORT:-8000}"));
    assert!(env.ok(&repo, "template uvicorn -s api").contains("${UVICORN_PORT:-8000}"));
    assert!(env.ok(&repo, "template storybook").contains("${STORYBOOK_PORT:-6006}"), "one that is called so");
    let run = env.git_port(&repo, ["template", "vite", "-s", "nope"]).exits_with(1);
    assert!(run.stderr.contains("there is no service 'nope'"), "{run:?}");
}

#[test]
fn the_override_is_made_from_the_compose_file() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    write(repo.join(".git-port.toml"), "[services.web]\n[services.db]\n");
    write(
        repo.join("docker-compose.yml"),
        "services:\n  web: {image: x, ports: ['3000:3000']}\n  db: {image: y, ports: ['5432:5432']}\n  mail: {image: z, ports: ['8025:8025']}\n",
    );
    let run = env.git_port(&repo, ["template", "docker-compose", "--write"]).success();
    assert_eq!(run.stdout, "Wrote docker-compose.override.yml\n");
    assert!(run.stderr.contains("'mail' of 'docker-compose.yml' has no port of its own yet"), "{run:?}");
    assert!(run.stderr.contains("+    ports: !override"), "the diff comes first: {run:?}");
    let text = fs::read_to_string(repo.join("docker-compose.override.yml")).unwrap();
    for line in [
        "name: \"${COMPOSE_PROJECT_NAME:-shop}\"".to_owned(),
        format!("      - \"127.0.0.1:${{WEB_PORT:-{}}}:3000\"", env.port(0)),
        format!("      - \"127.0.0.1:${{DB_PORT:-{}}}:5432\"", env.port(1)),
        "      - \"127.0.0.1:${MAIL_PORT:-8025}:8025\"".to_owned(),
    ] {
        assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
    }
    let status = env.git(&repo, ["status", "--short"]);
    assert_eq!(status, "?? .git-port.toml\n?? docker-compose.yml\n", "git ignores the file of one worktree");
    // In another worktree the project has another name, so that volumes and networks are apart.
    env.git(&repo, ["add", "."]);
    env.git(&repo, ["commit", "--quiet", "-m", "compose"]);
    env.ok(&repo, "worktree create feature/x");
    let text = env.ok(&env.root().join("shop-feature-x"), "template docker-compose");
    assert!(text.contains("${COMPOSE_PROJECT_NAME:-shop-feature-x}"), "{text}");

    write(repo.join("docker-compose.yml"), "services:\n  web: [\n");
    let run = env.git_port(&repo, ["template", "docker-compose"]).exits_with(128);
    assert!(run.stderr.contains("cannot read 'docker-compose.yml', line "), "{run:?}");
}

#[test]
fn hostile_names_stay_inside_their_quotes() {
    let env = TestEnv::new();
    let repo = env.repo("it's \"$(touch x)\" `y` été");
    write(repo.join(".git-port.toml"), "[services.web]\n[services.a-b_c]\n");
    write(repo.join("package.json"), r#"{"scripts":{"dev":"echo \"'; touch x; '\" # ${HOME}"}}"#);
    env.git(&repo, ["checkout", "--quiet", "-b", "a\"b'$(touch${IFS}x)`"]);
    for framework in FRAMEWORKS {
        let text = env.ok(&repo, &format!("template {}", framework.name));
        for piece in ["touch x", "$(", "`y`", "it's"] {
            let own = framework.text.contains(piece);
            assert!(own || !text.contains(piece), "{}: {piece} in {text}", framework.name);
        }
        let harmless = |c: char| !c.is_control() || c == '\n';
        assert!(text.chars().all(harmless), "{}: {text}", framework.name);
    }
    let object = env.json(&repo, "template vscode");
    let json: String =
        object["text"].as_str().unwrap().lines().filter(|line| !line.starts_with("//")).collect();
    let tasks: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(tasks["tasks"][1]["label"], "a-b_c");
}

#[test]
fn compose_names_and_ports_cannot_inject() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let evil = "services:\n  \"a: {privileged: true}\\n  b\": {ports: ['80:80']}\n  \"x\\u009b31m\": {ports: ['81:81']}\n  \
        c: {ports: [\"80:80\\\"\\n    privileged: true\"]}\n  web: {ports: ['3000:3000']}\n";
    write(repo.join("compose.yaml"), evil);
    let run = env.git_port(&repo, ["template", "docker-compose"]).success();
    let text = run.stdout;
    assert!(!text.contains('\u{9b}') && !run.stderr.contains('\u{9b}'), "{text}");
    assert_eq!(run.stderr.matches("is left as it is").count(), 3, "{}", run.stderr);
    assert!(!text.lines().any(|line| line.trim() == "privileged: true"), "{text}");
    assert_eq!(text.matches("ports: !override").count(), 1, "{text}");
}

#[test]
fn the_users_own_templates_win() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let own = "{% for s in services %}{{ s.name }} {{ s.port }} {{ s.variable }} {{ s.url }}\n{% endfor %}{{ project }}/{{ branch }}\n";
    write(own_folder(&env).join("vite.j2"), own);
    write(own_folder(&env).join("mine.j2"), "port={{ primary.port }}\n");
    write(own_folder(&env).join("README.md"), "not a template");
    write(repo.join(".git-port.toml"), "[services.web]\n");
    let port = env.port(0);
    let text = env.ok(&repo, "template vite");
    assert_eq!(text, format!("web {port} WEB_PORT http://localhost:{port}\nshop/main\n"));
    assert_eq!(env.json(&repo, "template vite")["origin"], "user");
    let listed = env.json(&repo, "template --list");
    let names: Vec<&str> =
        listed["templates"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names.iter().filter(|name| **name == "vite").count(), 1);
    assert!(names.ends_with(&["mine", "vite"]), "{names:?}");
    // Nothing says where it belongs, so it is printed.
    let run = env.git_port(&repo, ["template", "mine", "--write"]).success();
    assert_eq!(run.stdout, format!("port={port}\n"));
    assert!(run.stderr.contains("--into <file>"), "{run:?}");
    env.ok(&repo, "template mine --write --into conf/app.properties");
    let text = fs::read_to_string(repo.join("conf/app.properties")).unwrap();
    assert_eq!(text, format!("# >>> git-port >>>\nport={port}\n# <<< git-port <<<\n"));

    write(own_folder(&env).join("bad.j2"), "one\n{{ nope }}\n");
    let run = env.git_port(&repo, ["template", "bad"]).exits_with(128);
    assert!(run.stderr.contains("templates/bad.j2', line 2: "), "{run:?}");
    write(own_folder(&env).join("leak.j2"), "{% include '/etc/passwd' %}");
    assert!(env.git_port(&repo, ["template", "leak"]).exits_with(128).stdout.is_empty());
    write(own_folder(&env).join("Bad Name.j2"), "");
    let run = env.git_port(&repo, ["template", "--list"]).exits_with(128);
    assert!(run.stderr.contains("Bad Name.j2' is not the name of a template"), "{run:?}");
}

#[test]
fn without_a_name_and_with_a_wrong_one_it_says_which_there_are() {
    let env = TestEnv::new();
    let root = env.repo("shop");
    assert_eq!(env.ok(&root, "template"), env.ok(&root, "template --list"));
    assert_eq!(env.ok(&root, "integrate"), env.ok(&root, "integrate --list"));
    for (wrong, hint) in [
        ("template compose", "did you mean 'docker-compose'? git port template docker-compose"),
        ("template viet", "did you mean 'vite'? git port template vite"),
        ("integrate claude-cod", "did you mean 'claude-code'? git port integrate claude-code"),
    ] {
        let run = env.git_port(&root, wrong.split(' ')).exits_with(1);
        assert!(run.stderr.contains(&format!("hint: {hint}\n")), "{run:?}");
    }
    let run = env.git_port(&root, ["template", "zzzzzz"]).exits_with(1);
    assert!(!run.stderr.contains("did you mean"), "{run:?}");
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    shape::refuses(
        &env,
        &repo,
        &[
            (&["template", "--write"], 129, "usage", "<name>"),
            (&["template", "--diff"], 129, "usage", "<name>"),
            (&["template", "nope"], 1, "not_found", "'nope'"),
            (&["template", "../vite"], 129, "usage", "'../vite'"),
            (&["template", "vi\u{1b}te"], 129, "usage", "is not the name of a template"),
            (&["template", "vite", "--dry-run", "--diff"], 129, "usage", "--diff"),
            (&["template", "--dry-run"], 129, "usage", "<name>"),
            (&["template", "vite", "-e", "staging"], 129, "usage", "'staging'"),
            (&["template", "dotenv", "--write", "--into", "../x"], 129, "usage", "'../x'"),
            (&["template", "dotenv", "--write", "--into", ".git/config"], 129, "usage", "'.git/config'"),
            (&["template", "dotenv", "--write", "--into", "a/.GIT/x"], 129, "usage", "'a/.GIT/x'"),
            (&["template", "dotenv", "--write", "--into", "/tmp/x"], 129, "usage", "'/tmp/x'"),
            (&["template", "dotenv", "--write", "--into", ""], 129, "usage", "''"),
            (&["template", "dotenv", "--write", "--into", "x.json"], 129, "usage", "'x.json'"),
            (&["template", "dotenv", "--write", "-e", "test"], 129, "usage", "'dev' alone"),
        ],
    );
    shape::refuses(
        &env,
        &env.root(),
        &[(&["template", "vite"], 128, "not_a_repository", "not a git repository")],
    );
}
