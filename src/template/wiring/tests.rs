//! Files of projects, and what in them does not take its port.

use super::*;

/// Returns what is said of these files: the code, and whether `git port run` makes up for it.
fn said(files: &[(&str, &str)]) -> Vec<(&'static str, bool)> {
    found(files).iter().map(|gap| (gap.code, gap.harm == Harm::Covered)).collect()
}

fn found(files: &[(&str, &str)]) -> Vec<Gap> {
    let read = |name: &str| files.iter().find(|file| file.0 == name).map(|file| file.1.to_owned());
    let folders = |base: &str| {
        let base = if base.is_empty() { String::new() } else { format!("{base}/") };
        let inside = files.iter().filter_map(|file| file.0.strip_prefix(&base));
        let mut names: Vec<String> =
            inside.filter_map(|rest| rest.split_once('/')).map(|(name, _)| name.to_owned()).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let name = |name: &str| name.parse::<ServiceName>().unwrap();
    let services = [
        (name("web"), vec!["WEB_PORT".to_owned()]),
        (name("api"), vec!["UVICORN_PORT".to_owned(), "API_PORT".to_owned()]),
    ];
    let known = Known { services: &services, derived: &[], env_file: ".git-port.env" };
    let found = gaps(&Tree { read: &read, folders: &folders }, &known);
    assert!(found.iter().all(|gap| !gap.fix.is_empty() && !gap.message.ends_with('.')), "{found:?}");
    found
}

fn package(script: &str, dependency: &str) -> String {
    format!(r#"{{"scripts":{{"dev":"{script}"}},"devDependencies":{{{dependency}}}}}"#)
}

const VITE: &str = r#""vite":"8""#;

#[test]
fn a_server_that_is_told_its_port_is_not_complained_of() {
    let wired = "export default { server: { port: Number(process.env.PORT) || 5173, strictPort: true } }";
    let by_name = "server: { port: env.WEB_PORT, strictPort: true }";
    let commented = "// process.env.PORT\nexport default {}";
    let loose = "server: { port: Number(process.env.PORT) }";
    for (script, config, expected) in [
        ("vite", "", &[("port-not-read", true)][..]),
        ("vite", commented, &[("port-not-read", true)]),
        ("vite", wired, &[]),
        ("vite", by_name, &[]),
        ("vite", loose, &[("not-strict", false)]),
        ("vite --port 3000", "", &[("fixed-port", false)]),
        ("vite --port $PORT", "", &[("not-strict", false)]),
        ("vite --port ${PORT:-5173} --strictPort", "", &[]),
        ("node build.js", "", &[]),
    ] {
        let package = package(script, VITE);
        let files = [("package.json", package.as_str()), ("vite.config.ts", config)];
        assert_eq!(said(&files), expected, "{script}, {config}");
    }
}

#[test]
fn each_tool_has_its_own_ways() {
    for (script, dependency, expected) in [
        ("next dev", r#""next":"16""#, &[][..]),
        ("next dev -p 3000", r#""next":"16""#, &[("fixed-port", false)]),
        ("ng serve", r#""@angular/core":"^21","@angular/cli":"^21.1""#, &[("port-not-read", true)]),
        ("ng serve", r#""@angular/core":"^22","@angular/cli":"^22.1""#, &[]),
        ("wrangler dev", r#""wrangler":"4""#, &[("port-not-read", true)]),
        ("nuxt dev", r#""nuxt":"4""#, &[]),
    ] {
        assert_eq!(said(&[("package.json", &package(script, dependency))]), expected, "{script}");
    }
    let files = [("package.json", r#"{"scripts":{"dev":"next dev","storybook":"storybook dev -p 6006"}}"#)];
    assert_eq!(said(&files), [("fixed-port", false)]);
    for (files, expected) in [
        (&[("manage.py", "")][..], &[("port-not-read", true)][..]),
        (&[("manage.py", ""), ("bin/dev", "exec python manage.py runserver ${PORT:-8000}\n")], &[]),
        (
            &[("manage.py", ""), ("Makefile", "run:\n\tpython manage.py runserver 8000\n")],
            &[("port-not-read", true)],
        ),
        (&[("artisan", "")], &[("port-not-read", true)]),
        (&[("requirements.txt", "Flask==3")], &[("port-not-read", true)]),
        (&[("requirements.txt", "uvicorn")], &[]),
        (&[("Procfile", "web: bin/rails s -p 3000\nx: y\n")], &[("fixed-port", false)]),
        (&[("Procfile", "web: bin/rails s -p $PORT\n")], &[]),
        (&[(".envrc", "dotenv .env\n")], &[("direnv", true)]),
        (&[(".envrc", "dotenv_if_exists .git-port.env\n")], &[]),
        (
            &[("package.json", r#"{"scripts":{"start":"node ."}}"#), ("app.js", "app.listen( 3000)")],
            &[("fixed-port", false)],
        ),
    ] {
        assert_eq!(said(files), expected, "{files:?}");
    }
}

#[test]
fn what_compose_publishes_for_all_worktrees_alike_is_told() {
    let base =
        "services: { db: { image: x, ports: ['5432:5432'] }, web: { ports: ['${PORT:-3000}:3000'] } }\n";
    let gaps = found(&[("compose.yaml", base)]);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!(gaps[0].fix, "git port template docker-compose --write");
    assert!(gaps[0].message.contains("the service 'db' of compose.yaml"), "{gaps:?}");
    let ours =
        "# >>> git-port >>>\nservices:\n  \"db\":\n    ports: !override\n      - \"1\"\n# <<< git-port <<<\n";
    assert_eq!(said(&[("compose.yaml", base), ("compose.override.yaml", ours)]), []);
    let named = "name: shop\nservices: { db: { container_name: db, ports: ['${DB_PORT:-1}:1'] } }\n";
    assert_eq!(said(&[("docker-compose.yml", named)]), [("compose-name", false), ("compose-name", false)]);
    let included = [("compose.yaml", "include: [infra/db.yaml]\n"), ("infra/db.yaml", base)];
    assert_eq!(said(&included), [("compose-port", false)]);
    assert!(found(&included)[0].fix.contains("infra/db.yaml"));
}

#[test]
fn turborepo_is_to_let_the_ports_through() {
    let says = |turbo: &str, package: &str| said(&[("turbo.json", turbo), ("package.json", package)]).len();
    for (turbo, count) in [
        (r#"{"tasks":{"dev":{}}} // comment"#, 1),
        (r#"{ /* "globalEnv": ["PORT"] */ "globalEnv": ["X_PORT"] }"#, 1),
        (r#"{"globalPassThroughEnv":["PORT","*_PORT"]}"#, 0),
        (r#"{"tasks":{"dev":{"passThroughEnv":["PORT"]}}}"#, 0),
        (r#"{"pipeline":{"dev":{"env":["*"]}}}"#, 0),
        (r#"{"envMode":"loose"}"#, 0),
        ("not json", 0),
    ] {
        assert_eq!(says(turbo, "{}"), count, "{turbo}");
    }
    assert_eq!(says("{}", r#"{"scripts":{"dev":"turbo dev --env-mode=loose"}}"#), 0);
}

#[test]
fn comments_are_taken_out_and_strings_are_not() {
    for (text, expected) in [
        ("{\"a\": \"// \\\" /* \"} // x\n", "{\"a\": \"// \\\" /* \"} \n"),
        ("/* a */1/*", "1"),
        ("\"\\", "\"\\"),
        ("é//é", "é"),
    ] {
        assert_eq!(without_comments(text), expected);
    }
}
