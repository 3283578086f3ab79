//! Files of projects, and the services they show.

use std::collections::BTreeSet;

use super::*;

fn find_in(files: &[(&str, &str)]) -> Vec<Found> {
    let read = |name: &str| files.iter().find(|file| file.0 == name).map(|file| file.1.to_owned());
    let folders = |base: &str| {
        let base = if base.is_empty() { String::new() } else { format!("{base}/") };
        let inside = files.iter().filter_map(|file| file.0.strip_prefix(&base));
        let names: BTreeSet<String> =
            inside.filter_map(|rest| rest.split_once('/')).map(|(name, _)| name.to_owned()).collect();
        names.into_iter().collect()
    };
    let found = find(&Tree { read: &read, folders: &folders });
    assert!(found.iter().all(|one| !one.why.is_empty()));
    found
}

fn found(files: &[(&str, &str)]) -> Vec<(String, &'static str)> {
    find_in(files).into_iter().map(|one| (one.service.to_string(), one.service_type)).collect()
}

fn owned(list: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    list.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect()
}

/// Files with their texts, and the services they show.
type Case = (&'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]);

const VITE: &str = r#"{"scripts":{"dev":"vite"},"devDependencies":{"vite":"8"}}"#;
const NEXT: &str = r#"{"scripts":{"dev":"next dev"},"dependencies":{"next":"16"}}"#;
const LARAVEL: &str = "DB_HOST=127.0.0.1\nDB_PORT=3306\nREDIS_PORT=6379\nMAIL_HOST=mailpit\nMAIL_PORT=1025\n\
    PUSHER_PORT=443\nSEARCH_HOST=search.example.org\nSEARCH_PORT=9200\nVITE_PUSHER_PORT=\"${PUSHER_PORT}\"\n";
const COMPOSE: &str = "include: [infra/data.yaml, ../elsewhere.yaml, { path: [./infra/data.yaml] }]\n\
    services:\n  web: { build: ., ports: ['${PORT:-3000}:3000'] }\n  api: { build: ., ports: ['4000:4000', '9229:9229'] }\n\
    \x20 adminer: { image: adminer, ports: ['8080:8080'] }\n  worker: { build: . }\n";
const DATA: &str = "include: [../compose.yaml]\n\
    services:\n  db: { image: 'postgres:17', ports: ['${POSTGRES_PORT:-5432}:5432'] }\n\
    \x20 kv: { image: 'valkey/valkey:8', ports: ['127.0.0.1:6380:6379'] }\n";
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
        (
            &[("artisan", ""), ("package.json", VITE), (".env.example", LARAVEL)],
            &[("web", "web"), ("vite", "assets"), ("mail", "other"), ("db", "db"), ("redis", "cache")],
        ),
        (
            &[
                ("backend/manage.py", ""),
                ("frontend/package.json", VITE),
                ("docs/package.json", VITE),
                ("examples/package.json", NEXT),
            ],
            &[("frontend", "web"), ("backend", "web")],
        ),
        (
            &[
                ("pnpm-workspace.yaml", "packages:\n  - \"apps/*\"\ncatalog:\n  - x\n"),
                ("package.json", "{}"),
                ("apps/docs/package.json", NEXT),
                ("apps/web/package.json", NEXT),
            ],
            &[("web", "web"), ("docs", "web")],
        ),
        (
            &[("compose.yaml", COMPOSE), ("infra/data.yaml", DATA), (".env", "POSTGRES_PORT=5432\n")],
            &[("web", "web"), ("api", "api"), ("adminer", "other"), ("db", "db"), ("kv", "cache")],
        ),
        (
            &[("Procfile", "web: gunicorn x:app\nfeed: uvicorn f:app --port 8001\nworker: celery\n")],
            &[("web", "web"), ("feed", "api")],
        ),
        (&[("Gemfile", "gem 'sinatra'")], &[("web", "web")]),
        (&[("composer.json", "{\"require\":{\"symfony/framework-bundle\":\"7\"}}")], &[("web", "web")]),
        (&[("go.mod", "module x"), ("main.go", "http.ListenAndServe(addr, nil)")], &[("api", "api")]),
        (&[("go.mod", "require github.com/labstack/echo/v4 v4.1")], &[("api", "api")]),
        (&[("pom.xml", "<artifactId>spring-boot-starter-web</artifactId>")], &[("api", "api")]),
        (&[("Properties/launchSettings.json", "{}")], &[("web", "web")]),
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
    let names =
        found(&[(".env", "A B_PORT=4001\n$(x)_PORT=4002\n_PORT=4003\nLONG_PORT=99999\nOK_PORT=4004\n")]);
    assert_eq!(names, owned(&[("ok", "other")]));
}

#[test]
fn ports_and_variables_that_are_in_use_already_are_noted() {
    let files = [
        ("compose.yaml", COMPOSE),
        ("infra/data.yaml", DATA),
        (".env", "POSTGRES_PORT=5432\n"),
        ("requirements.txt", "Flask\n"),
    ];
    let found = find_in(&files);
    let one = |name: &str| found.iter().find(|one| one.service.as_str() == name).unwrap();
    let usual = |name: &str| one(name).usual.map(Port::number);
    assert_eq!((usual("db"), usual("kv"), usual("web")), (Some(5432), Some(6380), Some(3000)));
    assert_eq!(one("db").variables, ["POSTGRES_PORT"]);
    assert_eq!(one("db").why, "service 'db' in infra/data.yaml; POSTGRES_PORT in .env");
    assert_eq!(one("web").variables, ["FLASK_RUN_PORT"]);
}
