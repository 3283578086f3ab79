//! Rules about the sources themselves: who imports whom, who owns which library, how long a file is.
//!
//! They are held by reading the text, without comments. A rule that gets in the way is changed here and
//! in docs/architecture.md, with the reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const EVERYTHING_BELOW: &[&str] = &["config", "exchange", "git", "registry", "store", "system", "template"];

/// Which module may name which. `cli` stands above all and may name all.
const IMPORTS: &[(&str, &[&str])] = &[
    ("registry", &[]),
    ("template", &["registry"]),
    ("exchange", &["registry"]),
    ("system", &["registry"]),
    ("git", &["registry", "system"]),
    // A registry in a file needs its lock, and a folder that only its user can read.
    ("store", &["registry", "system"]),
    ("config", &["registry", "git", "system"]),
    ("error", EVERYTHING_BELOW),
    ("context", &["config", "error", "git", "registry", "store", "system", "template"]),
    ("ops", &["config", "context", "error", "exchange", "git", "registry", "store", "system", "template"]),
    ("api", &["registry", "ops", "error"]),
    ("mcp", &["api", "context", "error", "ops"]),
    // Whether there is colour depends on variables, of which `config` has the copy.
    ("web", &["api", "context", "error", "ops"]),
    ("output", &["registry", "ops", "api", "error", "config"]),
];

/// What stands in the text, and where alone it may.
const OWNERS: &[(&str, &[&str])] = &[
    ("git2::", &["src/git/"]),
    ("rusqlite::", &["src/store/sqlite"]),
    ("axum::", &["src/web/"]),
    ("tokio_postgres::", &["src/store/postgres"]),
    ("rustls::", &["src/store/postgres/tls.rs"]),
    ("hyper::", &["src/web/"]),
    ("hyper_util::", &["src/web/"]),
    ("clap::", &["src/cli/"]),
    ("clap_complete::", &["src/cli/completions.rs"]),
    ("clap_mangen::", &["src/cli/man.rs"]),
    ("toml::", &["src/config/"]),
    ("toml_edit::", &["src/template/merge.rs"]),
    ("minijinja::", &["src/template/render.rs"]),
    ("sha2::", &["src/ops/trust.rs"]),
    ("csv::", &["src/exchange/"]),
    ("pulldown_cmark::", &["src/exchange/markdown.rs"]),
    (
        "serde_saphyr::",
        &["src/exchange/compose.rs", "src/template/compose/file.rs", "src/template/frameworks/checks.rs"],
    ),
    ("rmcp::", &["src/mcp/"]),
    ("schemars::", &["src/api/", "src/mcp/"]),
    ("socket2::", &["src/system/"]),
    ("std::net::TcpListener", &["src/system/"]),
    ("std::process::Command", &["src/system/command.rs"]),
    ("std::process::exit", &[]),
    ("env::var(", &["src/config/environment.rs"]),
    ("env::var_os(", &["src/config/environment.rs"]),
    ("env::vars(", &["src/config/environment.rs"]),
    ("env::vars_os(", &["src/config/environment.rs"]),
    ("env::set_var", &[]),
    ("env::set_current_dir", &["src/cli/mod.rs"]),
];

/// Files that may be longer than 500 lines, because they are tables of data; with the reason.
const LONG: &[(&str, &str)] = &[];
const MAX_LINES: usize = 500;

/// Commands whose operation is in another file, or that have none; with the reason.
const WITHOUT_OPERATION: &[(&str, &str)] = &[
    ("grammar", "no command, but the words of all"),
    ("completions", "about the program itself, not about ports"),
    ("shell_init", "about the shell, not about ports"),
    ("get", "the operation is in ops/env.rs: one variable of the worktree's"),
    ("mcp", "a front end of its own: src/mcp"),
    ("man", "about the program itself, not about ports"),
    ("open", "the operation is in ops/env.rs: where a browser finds a service"),
    ("passthrough", "no command: it sets git's own arguments aside"),
    ("reserve", "the operation is in ops/range.rs: reservations are ranges"),
    ("url", "the operation is in ops/env.rs: one variable of the worktree's"),
];

/// A source file: its path from the root with `/`, its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Returns the lines with their numbers, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
    }

    /// Returns the module at the top of the crate that the file belongs to.
    fn module(&self) -> &str {
        let path = self.path.trim_start_matches("src/");
        path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the Rust files in this folder, at any depth, in order.
fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    found.sort();
    assert!(!found.is_empty(), "no sources in '{folder}'");
    let read = |path: PathBuf| Source {
        text: fs::read_to_string(&path).unwrap(),
        path: path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/"),
    };
    found.into_iter().map(read).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all() -> Vec<Source> {
    [sources("src"), sources("tests")].into_iter().flatten().collect()
}

#[track_caller]
fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn modules_import_only_what_stands_below_them() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let module = source.module();
        let allowed = match module {
            "cli" | "lib" => continue,
            // The program is one line on top of the library.
            "main" => &[][..],
            _ => match IMPORTS.iter().find(|(name, _)| *name == module) {
                Some((_, allowed)) => allowed,
                None => panic!("'{module}' is not in the table of imports"),
            },
        };
        for (number, line) in source.code() {
            let place = format!("{}:{number}: {}", source.path, line.trim());
            for rest in line.split("crate::").skip(1) {
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                // A group of modules would hide from this test, so there is none.
                if name.is_empty() || (name != module && !allowed.contains(&name.as_str())) {
                    wrong.push(place.clone());
                }
            }
            if line.contains("super::super::") {
                wrong.push(place);
            }
        }
    }
    none("imports that go upward", wrong);
}

#[test]
fn every_outside_thing_has_one_owner() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        for (number, line) in source.code() {
            for (name, owners) in OWNERS {
                let named = line.match_indices(name).any(|(at, _)| {
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
                        || name.starts_with("env::")
                });
                if named && !owners.iter().any(|owner| source.path.starts_with(owner)) {
                    wrong.push(format!("{}:{number}: {name}", source.path));
                }
            }
        }
    }
    none("names that only their owner may use", wrong);
}

#[test]
fn every_file_says_what_it_is_and_is_short() {
    let mut wrong = Vec::new();
    for source in all() {
        if !source.text.starts_with("//! ") {
            wrong.push(format!("{}: does not open with what it is", source.path));
        }
        let lines = source.text.lines().count();
        if lines > MAX_LINES && !LONG.iter().any(|(path, _)| *path == source.path) {
            wrong.push(format!("{}: {lines} lines", source.path));
        }
    }
    none("files without a first line, or too long", wrong);
}

#[test]
fn nothing_is_left_half_done() {
    let words = [concat!("to", "do"), concat!("FIX", "ME"), concat!("X", "XX"), concat!("dbg", "!")];
    let mut files = all();
    for name in ["hooks/post-checkout", "install.sh", "tests/run.sh", "Cargo.toml", "README.md"] {
        files.push(Source { path: name.into(), text: fs::read_to_string(root().join(name)).unwrap() });
    }
    let mut wrong = Vec::new();
    for source in files {
        for (number, line) in source.text.lines().enumerate() {
            let marks = |word: &&str| {
                let lower = line.to_ascii_lowercase();
                let word = word.to_ascii_lowercase();
                lower.match_indices(&word).any(|(at, _)| {
                    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    !lower[..at].ends_with(letter) && !lower[at + word.len()..].starts_with(letter)
                })
            };
            // The lints that forbid them name them.
            if words.iter().any(marks) && source.path != "Cargo.toml" {
                wrong.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    none("things left to do", wrong);
}

#[test]
fn the_code_map_is_complete() {
    let map = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let overview = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let modules: BTreeSet<String> = sources("src").iter().map(|source| source.module().to_owned()).collect();
    let mut missing = Vec::new();
    for module in modules.iter().filter(|module| !["lib", "main"].contains(&module.as_str())) {
        if !map.contains(&format!("//! - [`{module}`]: ")) {
            missing.push(format!("src/lib.rs: {module}"));
        }
        if !overview.contains(&format!("`{module}`")) {
            missing.push(format!("docs/architecture.md: {module}"));
        }
    }
    none("modules that are not on the map", missing);
}

#[test]
fn no_file_is_forgotten() {
    let mut forgotten = Vec::new();
    let files = all();
    let roots = ["src/lib.rs", "src/main.rs", "tests/suite/main.rs"];
    for source in files.iter().filter(|source| !roots.contains(&source.path.as_str())) {
        let (folder, name) = source.path.rsplit_once('/').unwrap();
        let (folder, name) = match name {
            "mod.rs" => folder.rsplit_once('/').unwrap(),
            _ => (folder, name.trim_end_matches(".rs")),
        };
        let parents = [
            format!("{folder}.rs"),
            format!("{folder}/mod.rs"),
            format!("{folder}/lib.rs"),
            format!("{folder}/main.rs"),
        ];
        let declared = files.iter().filter(|file| parents.contains(&file.path)).any(|file| {
            file.code().any(|(_, line)| {
                let line = line.trim();
                line.starts_with(['m', 'p']) && line.ends_with(&format!("mod {name};"))
            })
        });
        if !declared {
            forgotten.push(source.path.clone());
        }
    }
    none("files that no module declares, so that nothing compiles them", forgotten);
}

#[test]
fn every_command_has_its_operation() {
    let mut wrong = Vec::new();
    let is_operation = |name: &str| {
        root().join(format!("src/ops/{name}.rs")).is_file()
            || root().join(format!("src/ops/{name}/mod.rs")).is_file()
    };
    for source in sources("src/cli").iter().filter(|source| source.path != "src/cli/mod.rs") {
        let name = source.path.trim_start_matches("src/cli/").trim_end_matches(".rs");
        let excused = WITHOUT_OPERATION.iter().any(|(command, _)| *command == name);
        // A folder belongs to the command it is named after.
        if name.contains('/') || is_operation(name) != excused {
            continue;
        }
        wrong.push(format!("{}: no src/ops/{name}.rs, or an excuse although there is one", source.path));
    }
    for (command, _) in WITHOUT_OPERATION {
        if !root().join(format!("src/cli/{command}.rs")).is_file() {
            wrong.push(format!("{command}: excused, but there is no such command"));
        }
    }
    none("commands and operations that do not match", wrong);
}
