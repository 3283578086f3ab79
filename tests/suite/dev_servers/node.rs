//! Servers from npm.

use super::lab::{App, Packages, is_long};

#[test]
fn vite_serves_two_worktrees() {
    let Some(app) = App::with_node_modules("vite-app", Packages::Linked) else { return };
    app.serves("npm run dev", "<title>vite-app</title>");
    app.serves("npx vite", "<title>vite-app</title>");
}

#[test]
fn express_serves_two_worktrees() {
    let Some(app) = App::with_node_modules("node-app", Packages::Linked) else { return };
    app.serves("npm start", "hello from node-app");
    app.serves("node server.js", "hello from node-app");
}

#[test]
fn webpack_serves_two_worktrees() {
    let Some(app) = App::with_node_modules("webpack-app", Packages::Linked) else { return };
    app.serves("npx webpack serve", "hello from webpack-app");
}

#[test]
fn astro_serves_two_worktrees() {
    if !is_long("Astro") {
        return;
    }
    let Some(app) = App::with_node_modules("astro-app", Packages::Linked) else { return };
    app.serves("npm run dev", "hello from astro-app");
}

#[test]
fn next_serves_two_worktrees() {
    if !is_long("Next") {
        return;
    }
    let Some(app) = App::with_node_modules("next-app", Packages::Copied) else { return };
    app.serves("npm run dev", "hello from next-app");
}

#[test]
fn nuxt_serves_two_worktrees() {
    if !is_long("Nuxt") {
        return;
    }
    let Some(app) = App::with_node_modules("nuxt-app", Packages::Linked) else { return };
    app.serves("npm run dev", "hello from nuxt-app");
}
