//! Servers from npm.

use super::lab::{App, Packages, is_long};

#[test]
fn vite_serves_two_worktrees() {
    let Some(app) = App::with_node_modules("vite-app", Packages::Linked) else { return };
    app.serves("npm run dev", "<title>vite-app</title>");
    app.serves("npx vite", "<title>vite-app</title>");
    app.keeps_to_its_port("npx vite", true);
}

#[test]
fn express_serves_two_worktrees() {
    let Some(app) = App::with_node_modules("node-app", Packages::Linked) else { return };
    app.serves("npm start", "hello from node-app");
    app.serves("node server.js", "hello from node-app");
    app.keeps_to_its_port("node server.js", true);
}

#[test]
fn webpack_serves_two_worktrees() {
    let Some(app) = App::with_node_modules("webpack-app", Packages::Linked) else { return };
    app.serves("npx webpack serve", "hello from webpack-app");
    app.keeps_to_its_port("npx webpack serve", true);
}

#[test]
fn astro_serves_two_worktrees() {
    if !is_long("Astro") {
        return;
    }
    let Some(app) = App::with_node_modules("astro-app", Packages::Linked) else { return };
    app.serves("npm run dev", "hello from astro-app");
    app.keeps_to_its_port("npm run dev", false);
}

#[test]
fn next_serves_two_worktrees() {
    if !is_long("Next") {
        return;
    }
    let Some(app) = App::with_node_modules("next-app", Packages::Copied) else { return };
    app.serves("npm run dev", "hello from next-app");
    app.keeps_to_its_port("npm run dev", true);
}

#[test]
fn nuxt_serves_two_worktrees() {
    if !is_long("Nuxt") {
        return;
    }
    let Some(app) = App::with_node_modules("nuxt-app", Packages::Linked) else { return };
    app.serves("npm run dev", "hello from nuxt-app");
    app.keeps_to_its_port("npm run dev", false);
}
