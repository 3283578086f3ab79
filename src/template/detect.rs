//! Finds the services of a project in the files people keep anyway, and says why it thinks so.
//!
//! Nothing is run, and nothing that is found is certain: it is proposed, with its reason, for a person to
//! read.

pub mod containers;
mod languages;
pub mod node;
pub(super) mod processes;

use serde_json::Value;

use crate::registry::{Port, ServiceName};

/// The files of a project, as far as they matter here.
pub struct Tree<'a> {
    /// Returns the text of a file; its path starts at the top of the worktree.
    pub read: &'a dyn Fn(&str) -> Option<String>,
    /// Returns the names of the folders in a folder.
    pub folders: &'a dyn Fn(&str) -> Vec<String>,
}

impl Tree<'_> {
    /// Returns the text of a file in a folder, which is empty or ends in `/`.
    pub(super) fn text(&self, folder: &str, name: &str) -> Option<String> {
        (self.read)(&format!("{folder}{name}"))
    }

    pub(super) fn has(&self, folder: &str, name: &str) -> bool {
        self.text(folder, name).is_some()
    }

    /// Says whether the file is there and this stands in it.
    pub(super) fn holds(&self, folder: &str, name: &str, text: &str) -> bool {
        self.text(folder, name).is_some_and(|contents| contents.contains(text))
    }

    pub(super) fn json(&self, folder: &str, name: &str) -> Option<Value> {
        serde_json::from_str(self.text(folder, name)?.trim_start_matches('\u{feff}')).ok()
    }

    /// Returns the folders in which an application may be, each ending in `/`: the top, and those that are
    /// called as one is.
    pub(super) fn places(&self) -> Vec<String> {
        let own = (self.folders)("").into_iter().filter(|name| matches!(kind(name), "web" | "api"));
        std::iter::once(String::new()).chain(own.map(|name| format!("{name}/"))).collect()
    }
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
    /// The port it has until now, where one is known.
    pub usual: Option<Port>,
}

/// Returns the services that seem to be there, the one to be the primary first.
pub fn find(tree: &Tree<'_>) -> Vec<Found> {
    let mut found = Findings::default();
    for folder in tree.places() {
        let beside = languages::find(tree, &folder, &mut found);
        node::find(tree, &folder, beside, &mut found);
    }
    processes::procfiles(tree, &mut found);
    containers::find(tree, &mut found);
    processes::variables(tree, &mut found);
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
                usual: None,
            });
            self.0.len() - 1
        });
        let found = &mut self.0[at];
        found.seen(&why);
        found
    }

    /// What people look at comes before what it talks to, and what is called as a page before others.
    fn in_order(self) -> Vec<Found> {
        let rank = |found: &Found| match (found.service_type, kind(found.service.as_str())) {
            ("web", "web") => 0,
            ("web", _) => 1,
            ("api", _) => 2,
            ("db" | "cache" | "queue", _) => 4,
            _ => 3,
        };
        let mut found = self.0;
        found.sort_by_key(rank);
        found
    }
}

impl Found {
    fn seen(&mut self, why: &str) {
        if self.why.is_empty() {
            why.clone_into(&mut self.why);
        } else if !self.why.contains(why) {
            self.why = format!("{}; {why}", self.why);
        }
    }

    /// Notes a variable that its programs read. The usual name needs no mention.
    fn reads(&mut self, variable: &str) {
        let usual = format!("{}_PORT", self.service.variable_stem());
        if usual != variable && variable != "PORT" && !self.variables.iter().any(|known| known == variable) {
            self.variables.push(variable.to_owned());
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
    } else if is(&["web", "frontend", "app", "site", "ui", "www", "client"]) {
        "web"
    } else {
        "other"
    }
}

#[cfg(test)]
mod tests;
