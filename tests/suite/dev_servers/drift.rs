//! What is said of a server that listens elsewhere, and what is not said of one that listens where it
//! should, among other places.

use std::time::Instant;

use super::lab::{self, App, Packages, WARNING};
use crate::support::running::Running;

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

/// Listens at once on a port beside its own, and a while later on its own.
const SIDES: &str = "
const http = require('http');
const hello = (request, response) => response.end('hello');
const own = () => http.createServer(hello).listen(process.env.PORT, '127.0.0.1');
const side = http.createServer(hello).listen(Number(process.env.SIDE), '127.0.0.1');
side.on('error', () => {});
setTimeout(own, Number(process.env.WAIT));
";

fn sides(app: &App, side: u16, wait: u32, flags: &[&str]) -> String {
    let tree = &app.trees[0];
    std::fs::write(tree.join("sides.js"), SIDES).unwrap();
    let (side, wait) = (format!("SIDE={side}"), format!("WAIT={wait}"));
    let words = ["-v", "--", "env", &side, &wait, "node"].into_iter();
    let words = words.chain(flags.iter().copied()).chain(["sides.js"]);
    let mut run = Running::start(&app.env, tree, words);
    run.says("listening on http://");
    run.log()
}

#[test]
fn ports_beside_its_own_are_not_reported() {
    let Some(bin) = lab::node() else { return };
    let app = App::new("node-app", &bin);
    let log = sides(&app, 0, 0, &[]);
    assert!(!log.contains("warning"), "{log}");
    let log = sides(&app, 0, 500, &["--inspect=127.0.0.1:0"]);
    assert!(!log.contains("warning"), "{log}");
    // A known one may be there long before the server's own, as while a large program is compiled. Where
    // somebody has it already, there is none, and nothing to report either.
    let log = sides(&app, 24678, 5000, &[]);
    assert!(!log.contains("warning"), "{log}");
}

#[test]
fn one_that_comes_to_its_port_late_is_still_seen_to() {
    let Some(bin) = lab::node() else { return };
    let app = App::new("node-app", &bin);
    let log = sides(&app, 0, 6000, &[]);
    assert_eq!(log.matches(WARNING).count(), 1, "{log}");
    let warned = log.find(WARNING).unwrap();
    assert!(warned < log.find("listening on http://").unwrap(), "{log}");
}
