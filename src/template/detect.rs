//! Finds the services of a project in the files people keep anyway, and says why it thinks so.
//!
//! Nothing is run, and nothing that is found is certain: it is proposed, with its reason, for a person to
//! read.

use std::collections::BTreeSet;

use serde_json::Value;

use super::server_flags;
use crate::registry::ServiceName;

/// The files of a project, as far as they matter here.
pub struct Tree<'a> {
    /// Returns the text of a file; its path starts at the top of the worktree.
    pub read: &'a dyn Fn(&str) -> Option<String>,
    /// Returns the names of the folders in a folder.
    pub folders: &'a dyn Fn(&str) -> Vec<String>,
}

/// A service that seems to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What to call it.
    pub service: ServiceName,
    /// What kind it is: `web`, `api`, `db`.
    pub service_type: &'static str,
    /// Where it was seen.
    pub why: String,
    /// The variables that its programs read already; empty for the usual one.
    pub variables: Vec<String>,
    /// What its server needs, if it does not read `PORT` by itself.
    pub wiring: Option<String>,
}

/// What a dependency says about the package that has it: its name, the service, its kind.
const PACKAGES: &[(&str, &str, &str)] = &[
    ("next", "web", "web"),
    ("nuxt", "web", "web"),
    ("astro", "web", "web"),
    ("@sveltejs/kit", "web", "web"),
    ("@react-router/dev", "web", "web"),
    ("@remix-run/dev", "web", "web"),
    ("@angular/core", "web", "web"),
    ("react-scripts", "web", "web"),
    ("vite", "web", "web"),
    ("webpack-dev-server", "web", "web"),
    ("@nestjs/core", "api", "api"),
    ("express", "api", "api"),
    ("fastify", "api", "api"),
    ("koa", "api", "api"),
    ("hono", "api", "api"),
    ("wrangler", "worker", "api"),
];

/// The same for Python, by the names in a requirements file or `pyproject.toml`.
const PYTHON: &[(&str, &str, &str)] = &[
    ("django", "web", "web"),
    ("flask", "web", "web"),
    ("streamlit", "web", "web"),
    ("fastapi", "api", "api"),
    ("uvicorn", "api", "api"),
    ("gunicorn", "web", "web"),
];

/// The same for Rust and Go.
const LIBRARIES: &[(&str, &str)] = &[
    ("Cargo.toml", "axum"),
    ("Cargo.toml", "actix-web"),
    ("Cargo.toml", "rocket"),
    ("Cargo.toml", "warp"),
    ("Cargo.toml", "poem"),
    ("go.mod", "github.com/gin-gonic/gin"),
    ("go.mod", "github.com/labstack/echo"),
    ("go.mod", "github.com/gofiber/fiber"),
    ("go.mod", "github.com/go-chi/chi"),
];

/// Returns the services that seem to be there, the one to be the primary first.
pub fn find(tree: &Tree<'_>) -> Vec<Found> {
    let mut found = Findings::default();
    packages(tree, &mut found);
    python(tree, &mut found);
    frameworks(tree, &mut found);
    procfiles(tree, &mut found);
    variables(tree, &mut found);
    found.in_order()
}

#[derive(Default)]
struct Findings(Vec<Found>);

impl Findings {
    /// Adds what was found, or, where the service was found before, what this adds to it.
    fn add(&mut self, name: &str, service_type: &'static str, why: String) -> &mut Found {
        let service = ServiceName::from_text(name);
        let at = self.0.iter().position(|found| found.service == service).unwrap_or_else(|| {
            self.0.push(Found {
                service,
                service_type,
                why: String::new(),
                variables: Vec::new(),
                wiring: None,
            });
            self.0.len() - 1
        });
        let found = &mut self.0[at];
        if found.why.is_empty() {
            found.why = why;
        } else if !found.why.contains(&why) {
            found.why = format!("{}; {why}", found.why);
        }
        found
    }

    /// What people look at comes before what it talks to.
    fn in_order(self) -> Vec<Found> {
        let rank = |found: &Found| match found.service_type {
            "web" => 0,
            "api" => 1,
            "db" | "cache" | "queue" => 3,
            _ => 2,
        };
        let mut found = self.0;
        found.sort_by_key(rank);
        found
    }
}

fn json(tree: &Tree<'_>, path: &str) -> Option<Value> {
    serde_json::from_str((tree.read)(path)?.trim_start_matches('\u{feff}')).ok()
}

/// `package.json`, and those of its workspaces.
fn packages(tree: &Tree<'_>, found: &mut Findings) {
    let Some(root) = json(tree, "package.json") else { return };
    let folders = workspaces(tree, &root);
    if folders.is_empty() {
        package(&root, "", None, found);
        return;
    }
    for folder in folders {
        if let Some(member) = json(tree, &format!("{folder}/package.json")) {
            let name = folder.rsplit('/').next().unwrap_or(&folder).to_owned();
            package(&member, &format!("{folder}/"), Some(&name), found);
        }
    }
}

/// Returns the folders of a package's workspaces: npm's and yarn's list, pnpm's file; `*` is any folder.
fn workspaces(tree: &Tree<'_>, root: &Value) -> Vec<String> {
    let listed = root.get("workspaces").map(|list| list.get("packages").unwrap_or(list));
    let mut patterns: Vec<String> = listed
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    if let Some(text) = (tree.read)("pnpm-workspace.yaml") {
        let entries = text.lines().filter_map(|line| line.trim().strip_prefix("- "));
        patterns.extend(entries.map(|entry| entry.trim().trim_matches(['"', '\'']).to_owned()));
    }
    let mut folders = BTreeSet::new();
    for pattern in patterns {
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        // What lies outside the worktree is none of this project's.
        if pattern.starts_with(['/', '!']) || pattern.split('/').any(|part| part == "..") {
            continue;
        }
        match pattern.split_once("/*") {
            Some((base, _)) => {
                folders.extend((tree.folders)(base).into_iter().map(|name| format!("{base}/{name}")));
            }
            None => _ = folders.insert(pattern.to_owned()),
        }
    }
    folders.into_iter().collect()
}

fn package(package: &Value, folder: &str, name: Option<&str>, found: &mut Findings) {
    let depends = |on: &str| {
        ["dependencies", "devDependencies"]
            .iter()
            .any(|table| package.get(table).and_then(|table| table.get(on)).is_some())
    };
    let script = ["dev", "start", "serve"]
        .iter()
        .find_map(|key| package.get("scripts")?.get(key)?.as_str().map(|text| (*key, text.to_owned())));
    let Some((key, script)) = script else { return };
    let Some((dependency, service, service_type)) =
        PACKAGES.iter().find(|(dependency, ..)| depends(dependency))
    else {
        return;
    };
    // A library that is merely tested with a dev server has no script that starts one.
    let why = format!("{dependency} in {folder}package.json, script '{key}'");
    let one = found.add(name.unwrap_or(service), service_type, why);
    if let Some(flags) = server_flags::script_flags(&script) {
        let command =
            if folder.is_empty() { format!("npm run {key}") } else { format!("npm run {key} (in {folder})") };
        one.wiring = Some(format!(
            "it ignores PORT: start it with 'git port run -- {command}', which adds {}",
            flags.join(" ")
        ));
    }
    if depends("storybook") && package.get("scripts").and_then(|scripts| scripts.get("storybook")).is_some() {
        found.add("storybook", "web-tool", format!("storybook in {folder}package.json"));
    }
}

fn python(tree: &Tree<'_>, found: &mut Findings) {
    if (tree.read)("manage.py").is_some() {
        let one = found.add("web", "web", "manage.py".to_owned());
        one.wiring = Some(
            "Django ignores PORT: start it with 'git port run -- python manage.py runserver'".to_owned(),
        );
        return;
    }
    for file in ["pyproject.toml", "requirements.txt", "requirements.in", "Pipfile"] {
        let Some(text) = (tree.read)(file) else { continue };
        let words: BTreeSet<String> = text
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
            .map(str::to_ascii_lowercase)
            .collect();
        if let Some((library, service, service_type)) =
            PYTHON.iter().find(|(library, ..)| words.contains(*library))
        {
            found.add(service, service_type, format!("{library} in {file}"));
            return;
        }
    }
}

fn frameworks(tree: &Tree<'_>, found: &mut Findings) {
    let has = |file: &str| (tree.read)(file).is_some();
    let holds = |file: &str, text: &str| (tree.read)(file).is_some_and(|contents| contents.contains(text));
    if has("bin/rails") || has("config/application.rb") {
        found.add("web", "web", "Rails (config/application.rb)".to_owned());
    }
    if has("artisan") {
        let one = found.add("web", "web", "Laravel (artisan)".to_owned());
        one.wiring = Some(
            "Laravel reads SERVER_PORT, not PORT: start it with 'git port run -- php artisan serve'"
                .to_owned(),
        );
    }
    if holds("mix.exs", ":phoenix") {
        found.add("web", "web", "Phoenix (mix.exs)".to_owned());
    }
    for (file, library) in LIBRARIES {
        if holds(file, library) {
            found.add("api", "api", format!("{library} in {file}"));
        }
    }
}

/// A process of a Procfile that is given its port, or that is called `web`, listens.
fn procfiles(tree: &Tree<'_>, found: &mut Findings) {
    for file in ["Procfile.dev", "Procfile"] {
        let Some(text) = (tree.read)(file) else { continue };
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let Some((process, command)) = line.split_once(':') else { continue };
            let process = process.trim();
            let listens = process == "web" || command.contains("$PORT") || command.contains("${PORT");
            if listens && !process.is_empty() {
                let service_type = if process == "web" { "web" } else { "api" };
                found.add(process, service_type, format!("process '{process}' in {file}"));
            }
        }
        return;
    }
}

/// `API_PORT=3001` in a file of variables: whoever reads it goes on reading it.
fn variables(tree: &Tree<'_>, found: &mut Findings) {
    for file in [".env", ".env.example", ".env.local", ".env.development", ".env.sample"] {
        let Some(text) = (tree.read)(file) else { continue };
        for line in text.lines() {
            let line = line.trim().trim_start_matches("export ");
            let Some((name, value)) = line.split_once('=') else { continue };
            let name = name.trim();
            let is_port = value.trim().trim_matches(['"', '\'']).parse::<u16>().is_ok_and(|port| port != 0);
            let plain = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            if !is_port || !plain || name.starts_with("GIT_PORT") {
                continue;
            }
            match name.strip_suffix("_PORT").filter(|stem| !stem.is_empty()) {
                Some(stem) => {
                    let service = stem.to_ascii_lowercase().replace('_', "-");
                    let one = found.add(&service, kind(&service), format!("{name} in {file}"));
                    // The usual name needs no mention.
                    let usual = format!("{}_PORT", one.service.variable_stem());
                    if usual != name && !one.variables.iter().any(|known| known == name) {
                        one.variables.push(name.to_owned());
                    }
                }
                None if name == "PORT" => _ = found.add("web", "web", format!("PORT in {file}")),
                None => {}
            }
        }
    }
}

/// Returns the kind of a service by what it is called.
pub fn kind(service: &str) -> &'static str {
    let is =
        |names: &[&str]| names.iter().any(|name| service == *name || service.ends_with(&format!("-{name}")));
    if is(&["db", "database", "postgres", "postgresql", "pg", "mysql", "mariadb", "mongo", "mongodb"]) {
        "db"
    } else if is(&["redis", "valkey", "cache", "memcached"]) {
        "cache"
    } else if is(&["queue", "rabbitmq", "kafka", "nats"]) {
        "queue"
    } else if is(&["api", "backend", "server", "graphql"]) {
        "api"
    } else if is(&["web", "frontend", "app", "site", "ui", "www"]) {
        "web"
    } else {
        "other"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<(String, &'static str)> {
        let read = |name: &str| files.iter().find(|file| file.0 == name).map(|file| file.1.to_owned());
        let folders = |base: &str| {
            let inside = files.iter().filter_map(|file| file.0.strip_prefix(&format!("{base}/")));
            let names: BTreeSet<String> =
                inside.filter_map(|rest| rest.split_once('/')).map(|(name, _)| name.to_owned()).collect();
            names.into_iter().collect()
        };
        let found = find(&Tree { read: &read, folders: &folders });
        assert!(found.iter().all(|one| !one.why.is_empty()));
        found.into_iter().map(|one| (one.service.to_string(), one.service_type)).collect()
    }

    fn owned(list: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
        list.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect()
    }

    /// Files with their texts, and the services they show.
    type Case = (&'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]);

    const VITE: &str = r#"{"scripts":{"dev":"vite"},"devDependencies":{"vite":"8"}}"#;
    const NEXT: &str = r#"{"scripts":{"dev":"next dev"},"dependencies":{"next":"16"}}"#;
    const EXPRESS: &str = r#"{"scripts":{"start":"node ."},"dependencies":{"express":"5"}}"#;

    #[test]
    fn each_kind_of_project_shows_its_services() {
        let cases: &[Case] = &[
            (&[("package.json", VITE)], &[("web", "web")]),
            (&[("package.json", EXPRESS)], &[("api", "api")]),
            (
                &[
                    ("package.json", r#"{"workspaces":["apps/*"]}"#),
                    ("apps/site/package.json", NEXT),
                    ("apps/backend/package.json", EXPRESS),
                    ("apps/lib/package.json", r#"{"devDependencies":{"vite":"8"}}"#),
                ],
                &[("site", "web"), ("backend", "api")],
            ),
            (
                &[
                    ("package.json", "{}"),
                    ("pnpm-workspace.yaml", "packages:\n  - 'web'\n"),
                    ("web/package.json", NEXT),
                ],
                &[("web", "web")],
            ),
            (&[("manage.py", ""), ("requirements.txt", "Django==5")], &[("web", "web")]),
            (&[("pyproject.toml", "dependencies = [\"fastapi>=0.1\"]")], &[("api", "api")]),
            (
                &[("config/application.rb", ""), ("Procfile.dev", "web: bin/rails s\ncss: tailwind\n")],
                &[("web", "web")],
            ),
            (&[("Cargo.toml", "[dependencies]\naxum = \"0.8\"\n")], &[("api", "api")]),
            (&[("go.mod", "require github.com/gin-gonic/gin v1")], &[("api", "api")]),
            (&[("mix.exs", "{:phoenix, 1}")], &[("web", "web")]),
            (
                &[
                    ("package.json", NEXT),
                    (".env.example", "PORT=3000\nDB_PORT=5432\nAPI_PORT=\"4000\"\nEXPORT=1\nX_PORT=x\n"),
                ],
                &[("web", "web"), ("api", "api"), ("db", "db")],
            ),
            (&[("README", "")], &[]),
        ];
        for (files, expected) in cases {
            assert_eq!(found(files), owned(expected), "{files:?}");
        }
    }

    #[test]
    fn damaged_and_hostile_files_are_passed_over() {
        for text in ["", "{", "[]", "null", "{\"workspaces\":{\"packages\":[1,\"../..\",\"$(x)/*\"]}}"] {
            assert_eq!(found(&[("package.json", text)]), []);
        }
        let names = found(&[(".env", "A B_PORT=1\n$(x)_PORT=2\n_PORT=3\nLONG_PORT=99999\nOK_PORT=4\n")]);
        assert_eq!(names, owned(&[("ok", "other")]));
    }
}
