//! What the templates print, in real projects: two worktrees, each server on its own port by its own
//! configuration, with nothing from git-port but the variables.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::lab::{self, App, Packages, is_long};
use crate::support::running::Running;

/// Puts the snippet's entries into a file of JSON: a package's scripts, what Turborepo lets through.
fn into_json(file: &'static str) -> impl Fn(&Path, &str) {
    move |tree, text| {
        let mut json: Value = serde_json::from_slice(&fs::read(tree.join(file)).unwrap()).unwrap();
        let snippet: Value = serde_json::from_str(text).unwrap();
        for (key, value) in snippet.as_object().unwrap() {
            match (json.get_mut(key).and_then(Value::as_object_mut), value.as_object()) {
                (Some(table), Some(more)) => table.extend(more.clone()),
                _ => json[key] = value.clone(),
            }
        }
        fs::write(tree.join(file), json.to_string()).unwrap();
    }
}

fn as_file(name: &'static str) -> impl Fn(&Path, &str) {
    move |tree, text| {
        let file = tree.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
}

#[test]
fn vite_takes_its_port_from_the_snippet() {
    let Some(app) = App::with_node_modules("vite-app", Packages::Linked) else { return };
    app.takes_in("vite", as_file("vite.config.js"));
    app.serves_by_itself("npm run dev", "<title>vite-app</title>");
    app.keeps_to_its_port_by_itself("npm run dev", true);
}

#[test]
fn express_takes_its_port_from_the_snippet() {
    let Some(app) = App::with_node_modules("node-app", Packages::Linked) else { return };
    app.takes_in("express", as_file("server.js"));
    app.serves_by_itself("npm start", "Cannot GET /");
    app.keeps_to_its_port_by_itself("npm start", true);
}

#[test]
fn webpack_takes_its_port_from_the_snippet() {
    let Some(app) = App::with_node_modules("webpack-app", Packages::Linked) else { return };
    app.takes_in("webpack", |tree, text| {
        let own = fs::read_to_string(tree.join("webpack.config.js")).unwrap();
        let merged = "const own = module.exports;\n".to_owned()
            + text
            + "Object.assign(own.devServer, \
            module.exports.devServer);\nmodule.exports = own;\n";
        fs::write(tree.join("webpack.config.js"), own + &merged).unwrap();
    });
    app.serves_by_itself("npm run dev", "hello from webpack-app");
    app.keeps_to_its_port_by_itself("npm run dev", true);
}

#[test]
fn python_servers_take_their_ports_from_the_snippets() {
    for (fixture, template, page) in [
        ("django-app", "django", "hello from django-app"),
        ("flask-app", "flask", "hello from flask-app"),
        ("uvicorn-app", "uvicorn", "from uvicorn-app"),
        ("uvicorn-app", "fastapi", "from uvicorn-app"),
    ] {
        let Some(bin) = lab::python(fixture) else { return };
        let app = App::new(fixture, &bin);
        app.takes_in(template, as_file("bin/dev"));
        app.serves_by_itself("sh bin/dev", page);
        app.keeps_to_its_port_by_itself("sh bin/dev", true);
    }
}

#[test]
fn next_takes_its_port_from_the_snippet() {
    if !is_long("Next") {
        return;
    }
    let Some(app) = App::with_node_modules("next-app", Packages::Copied) else { return };
    app.takes_in("next", into_json("package.json"));
    app.serves_by_itself("npm run dev", "hello from next-app");
    app.keeps_to_its_port_by_itself("npm run dev", true);
}

#[test]
fn nuxt_takes_its_port_from_the_snippet() {
    if !is_long("Nuxt") {
        return;
    }
    let Some(app) = App::with_node_modules("nuxt-app", Packages::Linked) else { return };
    app.takes_in("nuxt", as_file("nuxt.config.ts"));
    app.serves_by_itself("npm run dev", "hello from nuxt-app");
}

#[test]
fn astro_takes_its_port_from_the_snippet() {
    if !is_long("Astro") {
        return;
    }
    let Some(app) = App::with_node_modules("astro-app", Packages::Linked) else { return };
    app.takes_in("astro", as_file("astro.config.mjs"));
    app.serves_by_itself("npm run dev", "hello from astro-app");
    app.keeps_to_its_port_by_itself("npm run dev", true);
}

#[test]
fn angular_takes_its_port_from_the_snippet() {
    if !is_long("Angular") {
        return;
    }
    let Some(app) = App::with_node_modules("angular-app", Packages::Copied) else { return };
    app.takes_in("angular", into_json("package.json"));
    app.serves_by_itself("npm start", "<title>angular-app</title>");
    app.keeps_to_its_port_by_itself("npm start", true);
}

#[test]
fn storybook_takes_its_port_from_the_snippet() {
    if !is_long("Storybook") {
        return;
    }
    let Some(app) = App::with_node_modules("storybook-app", Packages::Copied) else { return };
    app.takes_in("storybook", into_json("package.json"));
    app.serves_by_itself("npm run storybook -- --ci", "storybook");
    app.keeps_to_its_port_by_itself("npm run storybook -- --ci", true);
}

#[test]
fn wrangler_takes_its_port_from_the_snippet() {
    if !is_long("wrangler") {
        return;
    }
    let Some(app) = App::with_node_modules("wrangler-app", Packages::Linked) else { return };
    app.takes_in("wrangler", into_json("package.json"));
    app.serves_by_itself_in_turn("npm run dev", "hello from wrangler-app");
    app.keeps_to_its_port_by_itself("npm run dev", true);
}

#[test]
fn turborepo_lets_the_port_through_by_the_snippet() {
    if !is_long("Turborepo") {
        return;
    }
    let Some(app) = App::with_node_modules("turborepo-app", Packages::Linked) else { return };
    app.takes_in("turborepo", into_json("turbo.json"));
    app.serves_by_itself("npx turbo run dev", "hello from turborepo-app");
}

#[test]
fn playwright_tests_the_server_of_its_worktree_by_the_snippet() {
    if !is_long("Playwright") {
        return;
    }
    let Some(app) = App::with_node_modules("playwright-app", Packages::Linked) else { return };
    app.takes_in("playwright", as_file("playwright.config.ts"));
    let words = ["--no-flags", "--", "npx", "playwright", "test"];
    let mut runs = app.trees.each_ref().map(|tree| Running::start(&app.env, tree, words));
    for run in &mut runs {
        assert_eq!(run.status(), 0, "{}", run.log());
        assert!(run.log().contains("1 passed"), "{}", run.log());
    }
}

/// What a program prints in this folder; it must succeed.
fn printed(app: &App, tree: &Path, command: &[&str]) -> String {
    let output = app.env.command(command[0], tree).args(&command[1..]).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn direnv_mise_and_just_load_the_variables() {
    let (Some(mise), Some(just)) = (lab::npm("mise"), lab::python("starters")) else { return };
    let app = App::new("node-app", &just);
    for tree in &app.trees {
        let port = app.state(tree)["port"].to_string();
        for template in ["direnv", "mise", "just"] {
            app.env.ok(tree, &format!("template {template} --write"));
        }
        let program = mise.join("node_modules/.bin/mise");
        let mise = program.to_str().unwrap();
        printed(&app, tree, &[mise, "trust", "--quiet"]);
        assert_eq!(printed(&app, tree, &[mise, "exec", "--", "sh", "-c", "echo $PORT"]).trim(), port);
        assert_eq!(printed(&app, tree, &["just", "--evaluate", "PORT"]).trim(), port);
        if Command::new("direnv").arg("version").output().is_err() {
            assert!(!lab::is_complete(), "direnv is missing");
            println!("ignored: direnv is missing");
            continue;
        }
        printed(&app, tree, &["direnv", "allow"]);
        assert_eq!(printed(&app, tree, &["direnv", "exec", ".", "sh", "-c", "echo $PORT"]).trim(), port);
    }
}

#[test]
fn a_procfile_starts_the_server_on_its_port() {
    let Some(bin) = lab::python("starters") else { return };
    let Some(app) = App::with_node_modules("node-app", Packages::Linked) else { return };
    app.takes_in("procfile", as_file("Procfile.dev"));
    let honcho = bin.join("honcho");
    app.serves_by_itself(&format!("{} start -f Procfile.dev", honcho.display()), "hello from node-app");
}
