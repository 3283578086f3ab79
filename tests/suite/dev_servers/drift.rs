//! What is said of a server that listens elsewhere, and what is not said of one that listens where it
//! should, among other places.

use std::time::Instant;

use super::lab::{self, App, Packages};
use crate::support::running::Running;
use crate::support::server::Server;

/// The line that warns.
const WARNING: &str = "warning: it listens on ";

#[test]
fn a_server_that_ignores_its_port_is_reported() {
    let Some(app) = App::with_node_modules("vite-app", Packages::Linked) else { return };
    let tree = &app.trees[0];
    let started = Instant::now();
    let mut run = Running::start(&app.env, tree, ["--no-flags", "--", "npx", "vite"]);
    run.says(WARNING);
    let port = app.state(tree)["port"].to_string();
    let log = run.log();
    assert!(log.contains(&format!(", not on its own port {port}\n")), "{log}");
    assert!(log.contains("hint: give it the port"), "{log}");
    assert!(started.elapsed().as_secs() < 60, "within seconds, on a machine that is not busy");
}

/// Listens at once on a port of its choice, and a while later on its own.
const SIDES: &str = "
const http = require('http');
const hello = (request, response) => response.end('hello');
const side = http.createServer(hello).listen(0, '127.0.0.1', () => {
  const wait = Number(process.env.WAIT);
  setTimeout(() => http.createServer(hello).listen(process.env.PORT, '127.0.0.1'), wait);
});
";

fn sides(app: &App, wait: u32, flags: &[&str]) -> String {
    let tree = &app.trees[0];
    std::fs::write(tree.join("sides.js"), SIDES).unwrap();
    let wait = format!("WAIT={wait}");
    let words = ["-v", "--", "env", &wait, "node"].into_iter();
    let mut run = Running::start(&app.env, tree, words.chain(flags.iter().copied()).chain(["sides.js"]));
    run.says("listening on http://");
    run.log()
}

#[test]
fn ports_beside_its_own_are_not_reported() {
    let Some(bin) = lab::node() else { return };
    let app = App::new("node-app", &bin);
    let log = sides(&app, 0, &[]);
    assert!(!log.contains("warning"), "{log}");
    let log = sides(&app, 500, &["--inspect=127.0.0.1:0"]);
    assert!(!log.contains("warning"), "{log}");
}

#[test]
fn one_that_comes_to_its_port_late_is_still_seen_to() {
    let Some(bin) = lab::node() else { return };
    let app = App::new("node-app", &bin);
    let log = sides(&app, 6000, &[]);
    assert_eq!(log.matches(WARNING).count(), 1, "{log}");
    let warned = log.find(WARNING).unwrap();
    assert!(warned < log.find("listening on http://").unwrap(), "{log}");
}

#[test]
fn nuxt_that_jumps_off_a_port_that_is_taken_is_reported() {
    if !lab::is_long("Nuxt") {
        return;
    }
    let Some(app) = App::with_node_modules("nuxt-app", Packages::Linked) else { return };
    let tree = &app.trees[0];
    let port = app.state(tree)["port"].to_string();
    // By a process of the worktree itself, for which a run is not refused.
    let _server = Server::start(tree, &format!("0.0.0.0:{port}"));
    let mut run = Running::start(&app.env, tree, ["--", "npm", "run", "dev"]);
    run.says(WARNING);
    assert!(run.log().contains(&format!(", not on its own port {port}\n")), "{}", run.log());
}
