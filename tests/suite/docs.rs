//! The documents say what the program does: their commands are run, their tables compared.

mod console;
mod pages;
mod recording;
mod still;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use git_port::error::ErrorKind;
use git_port::registry::avoided;

use crate::support::TestEnv;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// Compares a file of the documents that a test makes with what it makes, or writes it.
#[track_caller]
fn is_as_made(name: &str, made: &str) {
    if std::env::var_os("GIT_PORT_TESTS_BLESS").is_some() {
        fs::write(root().join(name), made).unwrap();
    }
    let written = read(name);
    let differing = made.lines().zip(written.lines()).find(|(one, other)| one != other);
    assert!(made == written, "{name}: GIT_PORT_TESTS_BLESS=1 makes it anew; first {differing:?}");
}

/// Returns the contents of the blocks of this language, in order.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    let bodies = text.split(&opening).skip(1);
    bodies.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// Returns the rows of the tables of a document, as cells.
fn rows(text: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        let line = line.trim_start_matches('|').trim_end_matches('|');
        line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    };
    text.lines().filter(|line| line.starts_with('|')).map(cells).collect()
}

#[test]
fn what_the_readme_shows_is_what_comes() {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_TIME", "2026-01-01T00:00:00Z");
    // A stand-in for the clone one stands in.
    let clone = env.repo("git-port");
    fs::create_dir(clone.join("src")).unwrap();
    fs::write(clone.join("Cargo.toml"), "[package]\nname = \"git-port\"\n").unwrap();
    fs::write(clone.join("src/main.rs"), "fn main() {}\n").unwrap();
    env.git(&clone, ["add", "."]);
    env.git(&clone, ["commit", "--quiet", "-m", "second"]);

    assert!(console::is_as_shown("README.md", env, &clone, false) >= 4);
}

#[test]
fn what_the_tutorial_shows_is_what_comes() {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_TIME", "2026-01-01T00:00:00Z");
    env.repo("shop");
    let root = env.root();
    assert!(console::is_as_shown("docs/tutorial.md", env, &root, true) >= 15);
}

#[test]
fn the_first_commands_of_the_readme_run_the_program_and_the_tests() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= 150);
    let commands: Vec<&str> = readme
        .split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.lines().nth(1))
        .map(|line| line.trim_start_matches("$ "))
        .collect();
    assert_eq!(commands[..2], ["cargo run --release -- worktree create feature-api", "tests/run.sh"]);
    for script in ["tests/run.sh", "install.sh"] {
        assert!(root().join(script).is_file());
    }
}

#[test]
fn the_configurations_shown_are_valid() {
    for (document, drop) in [("README.md", ""), ("docs/configuration.md", "registry = ")] {
        let env = TestEnv::new();
        let repo = env.repo("shop");
        let text = &blocks(&read(document), "toml")[0];
        // The one key that may not stand in a repository's file.
        let kept = text.lines().filter(|line| drop.is_empty() || !line.starts_with(drop));
        let kept = kept.collect::<Vec<_>>().join("\n");
        fs::write(repo.join(".git-port.toml"), &kept).unwrap();
        let listed = env.ok(&repo, "range list");
        assert!(document == "README.md" || listed.contains("project shop"), "{document}: {listed}");
    }
}

#[test]
fn the_samples_of_import_and_export_are_read_as_shown() {
    let mut env = TestEnv::new();
    for name in ["DEV", "TEST", "PRODUCTION"] {
        env.set(&format!("GIT_PORT_RANGES_{name}"), "");
    }
    let root = env.root();
    let text = read("docs/import-export.md");
    let (mut samples, mut runs) = (0, 0);
    let mut parts = text.split("\n```");
    let mut before = parts.next().unwrap();
    while let (Some(block), after) = (parts.next(), parts.next().unwrap_or_default()) {
        let (language, body) = block.split_once('\n').unwrap();
        if language == "console" {
            let (line, shown) = body.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
            let run = env.git_port(&root, line.strip_prefix("git port ").unwrap().split_whitespace());
            assert_eq!(run.stdout.trim_end(), shown.trim_end(), "{line}: {run:?}");
            runs += 1;
        } else if let Some(name) = before.trim_end().lines().last().and_then(|line| line.strip_prefix('`')) {
            fs::write(root.join(name.trim_end_matches('`')), format!("{body}\n")).unwrap();
            samples += 1;
        }
        before = after;
    }
    assert!(samples >= 9 && runs >= samples + 2, "{samples} {runs}");
}

#[test]
fn the_avoided_ports_are_those_of_the_program() {
    let described: Vec<(String, String)> = rows(&read("docs/choosing-a-port.md"))
        .into_iter()
        .filter(|row| row[0].starts_with(|c: char| c.is_ascii_digit()))
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let run = |start: u16, end: u16| if start == end { start.to_string() } else { format!("{start}-{end}") };
    let avoided = avoided::table().iter().map(|(start, end, why)| (run(*start, *end), (*why).to_owned()));
    assert_eq!(described, avoided.collect::<Vec<_>>());
}

#[test]
fn the_templates_are_those_of_the_program() {
    use git_port::template::frameworks::{FRAMEWORKS, Place};
    let described: Vec<Vec<String>> =
        rows(&read("docs/templates.md")).into_iter().filter(|row| row.len() == 6).skip(2).collect();
    let known = FRAMEWORKS.iter().map(|framework| {
        let written = match framework.place {
            Place::File => "written",
            Place::Local => "written, ignored by git",
            Place::ByHand => "by hand",
        };
        let (name, file) = (format!("`{}`", framework.name), format!("`{}`", framework.file));
        let texts = [written, framework.about, &framework.tried(), framework.check].map(str::to_owned);
        [name, file].into_iter().chain(texts).collect::<Vec<_>>()
    });
    assert_eq!(described, known.collect::<Vec<_>>());
}

#[test]
fn the_error_codes_are_those_of_the_program() {
    let known: BTreeSet<_> =
        ErrorKind::all().map(|kind| (format!("`{}`", kind.code()), kind.exit_status().to_string())).collect();
    let text = read("docs/json.md");
    let errors = text.split("\n## Errors").nth(1).unwrap();
    let described: BTreeSet<_> =
        rows(errors).into_iter().skip(2).map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(described, known);
}

#[test]
fn the_json_document_names_every_field() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let text = read("docs/json.md");
    let commands = [
        "worktree create topic",
        "allocate web",
        "list",
        "check 1",
        "stats",
        "summary",
        "range list",
        "history",
        "worktree list",
        "cleanup --dry-run",
        "import --dry-run --from listening",
        "export",
        "init",
        "hook status",
        "doctor",
        "explain",
        "template --list",
        "integrate --list",
        "integrate zed --write",
        "template vite --write",
        "trust --list",
        "trust --revoke",
        "worktree remove topic",
        "nonsense",
    ];
    for command in commands {
        let mut fields = BTreeSet::new();
        collect_fields(&env.json(&repo, command), &mut fields);
        for field in fields {
            assert!(
                text.contains(&format!("`{field}`")) || text.contains(&format!("\"{field}\"")),
                "{command}: {field}"
            );
        }
    }
}

fn collect_fields(value: &serde_json::Value, fields: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(object) => {
            for (name, value) in object {
                fields.insert(name.clone());
                collect_fields(value, fields);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_fields(item, fields)),
        _ => {}
    }
}

#[test]
fn the_readme_names_every_command() {
    let env = TestEnv::new();
    let help = env.ok(&env.root(), "-h");
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let readme = read("README.md");
    for name in names.filter_map(|line| line.split_whitespace().next()) {
        // The installer's own business.
        if !["completions", "man", "help"].contains(&name) {
            assert!(readme.contains(&format!("`{name}")), "'{name}' is not in README.md");
        }
    }
}

#[test]
fn links_lead_somewhere() {
    let mut documents = vec![PathBuf::from("README.md"), PathBuf::from("CHANGELOG.md")];
    for folder in ["docs", "docs/design"] {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        documents.extend(entries.map(|name| Path::new(folder).join(name)));
    }
    documents.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    for document in documents {
        let text = read(document.to_str().unwrap());
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            let there = root().join(&document).parent().unwrap().join(target).exists();
            assert!(link.starts_with("https://") || there, "{}: {link}", document.display());
        }
    }
}
