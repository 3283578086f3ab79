//! Servers in other languages than JavaScript, by the files their tools keep.

use std::collections::BTreeSet;

use super::{Findings, Tree};

/// A library that serves, in the file that lists what a program needs.
struct Library {
    name: &'static str,
    service: &'static str,
    /// What its server reads its port from, if that is not `PORT`.
    variable: Option<&'static str>,
}

const fn library(name: &'static str, service: &'static str, variable: Option<&'static str>) -> Library {
    Library { name, service, variable }
}

const PYTHON: &[Library] = &[
    library("flask", "web", Some("FLASK_RUN_PORT")),
    library("streamlit", "web", Some("STREAMLIT_SERVER_PORT")),
    library("fastapi", "api", Some("UVICORN_PORT")),
    library("uvicorn", "api", Some("UVICORN_PORT")),
    library("litestar", "api", Some("LITESTAR_PORT")),
    library("gunicorn", "web", None),
    library("django", "web", None),
];

const RUBY: &[Library] =
    &[library("sinatra", "web", None), library("hanami", "web", None), library("rackup", "web", None)];

const RUST: &[Library] = &[
    library("axum", "api", None),
    library("actix-web", "api", None),
    library("rocket", "api", Some("ROCKET_PORT")),
    library("warp", "api", None),
    library("poem", "api", None),
    library("leptos", "web", None),
];

const GO: &[Library] = &[
    library("github.com/gin-gonic/gin", "api", None),
    library("github.com/labstack/echo", "api", None),
    library("github.com/gofiber/fiber", "api", None),
    library("github.com/go-chi/chi", "api", None),
    library("github.com/gorilla/mux", "api", None),
];

/// Adds the server of a folder. Says whether it is one that serves pages.
pub(super) fn find(tree: &Tree<'_>, folder: &str, found: &mut Findings) -> bool {
    let own = folder.trim_end_matches('/');
    let mut pages = false;
    let mut add = |service: &str, variable: Option<&str>, why: String| {
        let service_type = if service == "web" { "web" } else { "api" };
        pages |= service == "web";
        let one = found.add(if own.is_empty() { service } else { own }, service_type, why);
        if let Some(variable) = variable {
            one.reads(variable);
        }
    };
    let named = |file: &str| format!("{folder}{file}");
    // Each of these is a whole application, in which others serve its assets alone.
    if tree.has(folder, "manage.py") {
        add("web", None, format!("Django ({})", named("manage.py")));
    } else if tree.has(folder, "bin/rails") || tree.has(folder, "config/application.rb") {
        add("web", None, format!("Rails ({})", named("config/application.rb")));
    } else if tree.has(folder, "artisan") {
        add("web", Some("SERVER_PORT"), format!("Laravel ({})", named("artisan")));
    } else if tree.holds(folder, "composer.json", "\"symfony/framework-bundle\"") {
        add("web", None, format!("Symfony ({})", named("composer.json")));
    } else if tree.holds(folder, "mix.exs", ":phoenix") {
        add("web", None, format!("Phoenix ({})", named("mix.exs")));
    } else if tree.has(folder, "Properties/launchSettings.json") {
        add("web", Some("ASPNETCORE_HTTP_PORTS"), "ASP.NET (Properties/launchSettings.json)".to_owned());
    } else {
        let python = ["pyproject.toml", "requirements.txt", "requirements.in", "Pipfile"];
        let lists = python.into_iter().map(|file| (file, PYTHON));
        for (file, libraries) in lists.chain([("Gemfile", RUBY), ("Cargo.toml", RUST), ("go.mod", GO)]) {
            let Some(text) = tree.text(folder, file) else { continue };
            let words = words(&text);
            let known = libraries.iter().find(|library| words.contains(library.name));
            if let Some(library) = known {
                add(library.service, library.variable, format!("{} in {}", library.name, named(file)));
                break;
            }
        }
        for file in ["pom.xml", "build.gradle", "build.gradle.kts"] {
            if ["spring-boot", "springframework.boot"].iter().any(|name| tree.holds(folder, file, name)) {
                add("api", Some("SERVER_PORT"), format!("Spring Boot in {}", named(file)));
                break;
            }
        }
        if tree.has(folder, "go.mod") && tree.holds(folder, "main.go", "http.ListenAndServe") {
            add("api", None, format!("net/http in {}", named("main.go")));
        }
    }
    pages
}

/// Returns the words in which libraries are named; the path of a Go module is one, without its version.
fn words(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_/.".contains(c);
    let mut words = BTreeSet::new();
    for word in text.split(|c: char| !is_part(c)) {
        let word = word.to_ascii_lowercase();
        let major = word.rsplit_once("/v").filter(|(_, number)| number.parse::<u32>().is_ok());
        words.insert(major.map_or(word.as_str(), |(module, _)| module).to_owned());
        words.extend(word.split(['/', '.']).map(str::to_owned));
    }
    words
}
