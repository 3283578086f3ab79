//! Which of a project's tools do not take the worktree's port yet, and what makes them.
//!
//! What is said rests on the files alone. A tool that is told its port in a way that is not looked for
//! here is not complained of twice: the words say what was seen, and where.

use serde_json::Value;

use super::compose::file::ComposeFile;
use super::detect::node::{self, Server};
use super::detect::{Tree, containers, processes};
use super::server_flags;
use crate::registry::ServiceName;

/// What becomes of a tool that is not wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// None where it is started by `git port run`, which gives it its port.
    Covered,
    /// Two worktrees get into each other's way.
    Open,
}

/// A tool that does not take its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What is wrong, for programs.
    pub code: &'static str,
    /// How bad it is.
    pub harm: Harm,
    /// What was seen, and where.
    pub message: String,
    /// What to do: a command, or the change to make.
    pub fix: String,
}

/// What is known of the worktree's ports.
pub struct Known<'a> {
    /// The services with the variables of each; the first is the primary one.
    pub services: &'a [(ServiceName, Vec<String>)],
    /// The names under `[env]`.
    pub derived: &'a [&'a str],
    /// The name of the file of variables.
    pub env_file: &'a str,
}

/// Returns what is not wired, in the order of the files.
pub fn gaps(tree: &Tree<'_>, known: &Known<'_>) -> Vec<Gap> {
    let mut found = Vec::new();
    for folder in tree.places() {
        for server in node::servers(tree, &folder) {
            package(tree, known, &server, &mut found);
        }
        languages(tree, known, &folder, &mut found);
    }
    procfile(tree, &mut found);
    compose(tree, known, &mut found);
    turborepo(tree, &mut found);
    if let Some(text) = (tree.read)(".envrc")
        && !text.contains(known.env_file)
        && !text.contains("git port env")
        && !text.contains("git-port env")
    {
        let message = format!(".envrc does not load {}", known.env_file);
        found.push(Gap { code: "direnv", harm: Harm::Covered, message, fix: of_template("direnv") });
    }
    found
}

impl Known<'_> {
    /// Says whether the text takes a port from a variable that is set here.
    fn is_read_in(&self, text: &str) -> bool {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_ours = |word: &str| {
            word == "PORT" || self.services.iter().any(|(_, names)| names.iter().any(|name| name == word))
        };
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.flat_map(|line| line.split(|c: char| !is_part(c))).any(is_ours)
    }

    fn has_variable(&self, variable: &str) -> bool {
        self.services.iter().any(|(_, names)| names.iter().any(|name| name == variable))
    }

    /// Returns what names the service in a command; nothing for the primary one.
    fn option(&self, name: Option<&str>) -> String {
        let others = self.services.iter().skip(1);
        let service = others.map(|(service, _)| service.as_str()).find(|service| Some(*service) == name);
        service.map_or_else(String::new, |service| format!(" --service {service}"))
    }
}

/// The tools that have a template, by the program that is started; with the files of their configuration,
/// and the word that makes them strict, where it is not the default.
const TOOLS: &[(&str, &str, &str, Option<&str>)] = &[
    ("vite", "vite", "vite.config", Some("strictPort")),
    ("react-router", "vite", "vite.config", Some("strictPort")),
    ("remix", "vite", "vite.config", Some("strictPort")),
    ("astro", "astro", "astro.config", Some("strictPort")),
    ("rsbuild", "", "rsbuild.config", Some("strictPort")),
    ("webpack", "webpack", "webpack.config", None),
    ("webpack-dev-server", "webpack", "webpack.config", None),
    ("storybook", "storybook", "", Some("--exact-port")),
    ("ng", "angular", "", None),
    ("wrangler", "wrangler", "", None),
    ("next", "next", "", None),
    ("nuxt", "nuxt", "", None),
    ("nuxi", "nuxt", "", None),
];

fn of_template(name: &str) -> String {
    format!("git port template {name}")
}

fn package(tree: &Tree<'_>, known: &Known<'_>, server: &Server, found: &mut Vec<Gap>) {
    let dev = (server.key.as_str(), server.script.as_str(), server.name.as_deref());
    let storybook = server.script("storybook").map(|script| ("storybook", script, Some("storybook")));
    let file = format!("{}package.json", server.folder);
    for (key, script, service) in std::iter::once(dev).chain(storybook) {
        let program = server_flags::program(script).unwrap_or_default();
        let (_, template, stem, strict) =
            TOOLS.iter().find(|(tool, ..)| *tool == program).copied().unwrap_or(("", "", "", None));
        let config = config(tree, &server.folder, stem);
        let text = config.as_ref().map(|(_, text)| text.as_str()).unwrap_or_default();
        let fix = match template {
            "" => format!("git port run{} -- npm run {key}", known.option(service)),
            template => format!("{}{}", of_template(template), known.option(service)),
        };
        let wants_strict =
            strict.filter(|word| !text.contains(word) && !script.contains(&format!("--{word}")));
        let mut add = |code, harm, message| found.push(Gap { code, harm, message, fix: fix.clone() });
        if let Some(port) = server_flags::fixed_port(script) {
            let message = format!("every worktree takes port {port}: script '{key}' of {file} names it");
            add("fixed-port", Harm::Open, message);
        } else if let Some(flags) = server_flags::script_flags(script) {
            if !known.is_read_in(text) {
                if !(program == "ng" && is_at_least(server.version("@angular/cli"), 22)) {
                    let flags = flags.join(" ");
                    let message = format!(
                        "{program} does not read PORT, and script '{key}' of {file} does not tell it: only \
                         'git port run' does, by '{flags}'"
                    );
                    add("port-not-read", Harm::Covered, message);
                }
            } else if wants_strict.is_some() {
                let place = config.as_ref().map(|(name, _)| name.as_str()).unwrap_or_default();
                add("not-strict", Harm::Open, moves(place));
            }
        } else if wants_strict.is_some_and(|word| !script.contains(word)) && known.is_read_in(script) {
            add("not-strict", Harm::Open, moves(&format!("script '{key}' of {file}")));
        }
    }
    for name in
        ["server.js", "app.js", "index.js", "src/index.js", "src/index.ts", "src/main.ts", "src/server.ts"]
    {
        let Some(text) = tree.text(&server.folder, name) else { continue };
        let mut calls = text.split(".listen(").skip(1);
        if calls.any(|after| after.trim_start().starts_with(|c: char| c.is_ascii_digit())) {
            let message = format!("{}{name} listens on a port that is written into it", server.folder);
            found.push(Gap { code: "fixed-port", harm: Harm::Open, message, fix: of_template("express") });
        }
    }
}

fn moves(place: &str) -> String {
    format!("{place} takes the port from a variable, but moves to a neighbour's when it is taken")
}

fn config(tree: &Tree<'_>, folder: &str, stem: &str) -> Option<(String, String)> {
    if stem.is_empty() {
        return None;
    }
    ["ts", "js", "mjs", "mts", "cjs", "cts"].iter().find_map(|extension| {
        let name = format!("{stem}.{extension}");
        let text = tree.text(folder, &name)?;
        Some((format!("{folder}{name}"), text))
    })
}

/// Says whether a package's version, as `^22.1.0`, is this one or newer.
fn is_at_least(version: Option<&str>, major: u32) -> bool {
    let digits = |text: &str| {
        let text = text.trim_start_matches(|c: char| !c.is_ascii_digit());
        text.split(|c: char| !c.is_ascii_digit()).next().and_then(|number| number.parse::<u32>().ok())
    };
    version.and_then(digits).is_some_and(|found| found >= major)
}

/// Where a command may be that starts a server.
const SCRIPTS: &[&str] = &["bin/dev", "Procfile.dev", "Procfile", "Makefile", "justfile", "package.json"];

fn languages(tree: &Tree<'_>, known: &Known<'_>, folder: &str, found: &mut Vec<Gap>) {
    let is_started = |word: &str| {
        SCRIPTS.iter().any(|file| {
            (tree.read)(file)
                .is_some_and(|text| text.lines().any(|line| line.contains(word) && known.is_read_in(line)))
        })
    };
    let own = folder.trim_end_matches('/');
    let mut add = |tool: &str, command: &str, template: &str| {
        let message = format!(
            "{tool} does not read PORT: only 'git port run -- {command}' tells it its port, or a script that does"
        );
        let fix = format!("{}{}", of_template(template), known.option(Some(own)));
        found.push(Gap { code: "port-not-read", harm: Harm::Covered, message, fix });
    };
    if tree.has(folder, "manage.py") {
        if !is_started("runserver") {
            add("Django", &format!("python {folder}manage.py runserver"), "django");
        }
    } else if tree.has(folder, "artisan") {
        if !known.has_variable("SERVER_PORT") && !is_started("artisan serve") {
            add("Laravel", &format!("php {folder}artisan serve"), "laravel");
        }
    } else {
        let lists = ["pyproject.toml", "requirements.txt", "requirements.in", "Pipfile"];
        let text = lists.iter().find_map(|file| tree.text(folder, file)).unwrap_or_default();
        let text = text.to_ascii_lowercase();
        for (library, variable, command) in
            [("flask", "FLASK_RUN_PORT", "flask run"), ("uvicorn", "UVICORN_PORT", "uvicorn main:app")]
        {
            if text.contains(library) && !known.has_variable(variable) && !is_started(library) {
                add(library, command, library);
            }
        }
    }
}

fn procfile(tree: &Tree<'_>, found: &mut Vec<Gap>) {
    for file in processes::PROCFILES {
        let Some(text) = (tree.read)(file) else { continue };
        for (process, command) in processes::processes(&text) {
            if let Some(port) = server_flags::fixed_port(command) {
                let message =
                    format!("every worktree takes port {port}: process '{process}' of {file} names it");
                let fix = of_template("procfile");
                found.push(Gap { code: "fixed-port", harm: Harm::Open, message, fix });
            }
        }
        return;
    }
}

fn compose(tree: &Tree<'_>, known: &Known<'_>, found: &mut Vec<Gap>) {
    let files = containers::files(tree);
    let Some((own, _)) = files.first() else { return };
    let overrides = containers::FILES.iter().filter(|(name, _)| name == own).map(|(_, over)| *over);
    // What git-port's own override replaces is wired.
    let ours = overrides
        .filter_map(|file| (tree.read)(file))
        .find(|text| text.contains(">>> git-port >>>"))
        .unwrap_or_default();
    for (path, file) in &files {
        if ours.contains("!override") && containers::FILES.iter().any(|(_, over)| over == path) {
            continue;
        }
        fixed_ports(path, file, path == own, &ours, found);
        for (name, service) in &file.services {
            if let Some(container) = service.container_name.as_ref().filter(|name| !name.contains('$')) {
                let message = format!(
                    "service '{name}' of {path} names its container '{container}', so that only one worktree \
                     can start it"
                );
                let fix = format!("take 'container_name' out of {path}");
                found.push(Gap { code: "compose-name", harm: Harm::Open, message, fix });
            }
        }
        let shared = file.name.as_ref().filter(|name| !name.contains('$'));
        if let Some(name) =
            shared.filter(|_| ours.is_empty() && !known.derived.contains(&"COMPOSE_PROJECT_NAME"))
        {
            let message =
                format!("{path} names its project '{name}', so that all worktrees share its containers");
            let fix =
                "add to [env] of .git-port.toml: COMPOSE_PROJECT_NAME = \"{project}-{worktree}\"".to_owned();
            found.push(Gap { code: "compose-name", harm: Harm::Open, message, fix });
        }
    }
}

fn fixed_ports(path: &str, file: &ComposeFile, own: bool, ours: &str, found: &mut Vec<Gap>) {
    let is_fixed = |ports: &[Option<super::compose::file::Published>]| {
        ports.iter().flatten().any(|port| port.port().is_some() && port.variable().is_none())
    };
    let replaced = |name: &str| own && ours.contains(&format!("\"{name}\":"));
    let fixed = file.services.iter().filter(|(name, service)| is_fixed(&service.ports) && !replaced(name));
    let names: Vec<String> = fixed.map(|(name, _)| format!("'{name}'")).collect();
    if names.is_empty() {
        return;
    }
    let what = if names.len() == 1 { "the service" } else { "the services" };
    let message = format!("every worktree publishes {what} {} of {path} on the same ports", names.join(", "));
    let fix = if own {
        "git port template docker-compose --write".to_owned()
    } else {
        // The override goes beside the file that Compose is started with, and knows its services alone.
        format!("take the port from a variable in {path}: \"127.0.0.1:${{DB_PORT:-5432}}:5432\"")
    };
    found.push(Gap { code: "compose-port", harm: Harm::Open, message, fix });
}

/// Turborepo starts its tasks without the variables that its configuration does not name.
fn turborepo(tree: &Tree<'_>, found: &mut Vec<Gap>) {
    let Some((file, text)) =
        ["turbo.json", "turbo.jsonc"].iter().find_map(|file| Some((file, (tree.read)(file)?)))
    else {
        return;
    };
    let package = (tree.read)("package.json").unwrap_or_default();
    if package.contains("--env-mode=loose") || package.contains("--env-mode loose") {
        return;
    }
    let Ok(turbo) = serde_json::from_str::<Value>(&without_comments(&text)) else { return };
    let lists = |value: &Value| -> Vec<String> {
        let keys = ["globalPassThroughEnv", "globalEnv", "passThroughEnv", "env"];
        let lists = keys.iter().filter_map(|key| value.get(key)?.as_array());
        lists.flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let tasks = ["tasks", "pipeline"].iter().filter_map(|key| turbo.get(key)?.as_object());
    let mut passed = lists(&turbo);
    passed.extend(tasks.flat_map(|tasks| tasks.values()).flat_map(lists));
    let passes = |name: &String| matches!(name.as_str(), "PORT" | "*" | "*PORT");
    if turbo.get("envMode").and_then(Value::as_str) != Some("loose") && !passed.iter().any(passes) {
        let message = format!("Turborepo starts its tasks without PORT: {file} does not let it through");
        found.push(Gap { code: "turborepo", harm: Harm::Open, message, fix: of_template("turborepo") });
    }
}

/// Returns JSON without the comments that some tools allow in it.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    let mut quoted = false;
    while let Some(c) = rest.chars().next() {
        if quoted && c == '\\' {
            let end = rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at);
            kept.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        quoted ^= c == '"';
        if !quoted && rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if !quoted && rest.starts_with("/*") {
            rest = rest.split_once("*/").map_or("", |(_, after)| after);
        } else {
            kept.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    kept
}

#[cfg(test)]
mod tests;
