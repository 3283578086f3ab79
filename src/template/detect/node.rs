//! Packages of npm: what their scripts start, here and in the workspaces.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Findings, Tree};
use crate::template::server_flags;

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
    ("gatsby", "web", "web"),
    ("expo", "web", "web"),
    ("@rsbuild/core", "web", "web"),
    ("vite", "web", "web"),
    ("webpack-dev-server", "web", "web"),
    ("@nestjs/core", "api", "api"),
    ("express", "api", "api"),
    ("fastify", "api", "api"),
    ("koa", "api", "api"),
    ("hono", "api", "api"),
    ("wrangler", "worker", "api"),
];

/// Beside the server of another language, these build and serve its assets.
const ASSETS: &[&str] = &["vite", "webpack-dev-server"];

/// The variables by which a tool's own port is set; the others read `PORT`, or none at all.
const OWN_VARIABLES: &[(&str, &str)] = &[("expo", "RCT_METRO_PORT")];

/// The scripts that start a server, the first of which counts.
const SCRIPTS: &[&str] = &["dev", "start", "serve", "develop"];

/// A package whose script starts a server.
pub struct Server {
    /// The folder, empty or ending in `/`.
    pub folder: String,
    /// The name of its folder, where it is a workspace's or one below the top.
    pub name: Option<String>,
    /// Its `package.json`.
    pub package: Value,
    /// The name of the script.
    pub key: String,
    /// The script.
    pub script: String,
}

impl Server {
    /// Says whether the package depends on this one.
    pub fn depends(&self, on: &str) -> bool {
        self.version(on).is_some()
    }

    /// Returns which version of a package it asks for.
    pub fn version(&self, of: &str) -> Option<&str> {
        let tables = ["dependencies", "devDependencies"];
        tables.iter().find_map(|table| self.package.get(table)?.get(of)?.as_str())
    }

    /// Returns one of its scripts.
    pub fn script(&self, key: &str) -> Option<&str> {
        self.package.get("scripts")?.get(key)?.as_str()
    }

    /// Returns the service it is: what it depends on, the service's name and its kind.
    fn service(&self, beside: bool) -> Option<(&'static str, String, &'static str)> {
        let (dependency, service, kind) =
            *PACKAGES.iter().find(|(dependency, ..)| self.depends(dependency))?;
        if beside && ASSETS.contains(&dependency) {
            let name = if dependency == "vite" { "vite" } else { "assets" };
            return Some((dependency, name.to_owned(), "assets"));
        }
        Some((dependency, self.name.clone().unwrap_or_else(|| service.to_owned()), kind))
    }
}

/// Returns the packages of a folder and of its workspaces that have a script which starts a server.
pub fn servers(tree: &Tree<'_>, folder: &str) -> Vec<Server> {
    let Some(root) = tree.json(folder, "package.json") else { return Vec::new() };
    let members = workspaces(tree, folder, &root);
    let name = folder.trim_end_matches('/').to_owned();
    let mut packages = vec![(folder.to_owned(), (!name.is_empty()).then_some(name), root)];
    for member in members {
        let member = format!("{folder}{member}/");
        if let Some(package) = tree.json(&member, "package.json") {
            let name = member.trim_end_matches('/').rsplit('/').next().map(str::to_owned);
            packages.push((member, name, package));
        }
    }
    let server = |(folder, name, package): (String, Option<String>, Value)| {
        let script = |key: &&&str| package.get("scripts").and_then(|scripts| scripts.get(**key)).is_some();
        // A library that is merely tested with a dev server has no script that starts one.
        let key = (*SCRIPTS.iter().find(script)?).to_owned();
        let script = package.get("scripts")?.get(&key)?.as_str()?.to_owned();
        Some(Server { folder, name, package, key, script })
    };
    packages.into_iter().filter_map(server).collect()
}

/// `beside` says that a server of another language serves the pages of this folder.
pub(super) fn find(tree: &Tree<'_>, folder: &str, beside: bool, found: &mut Findings) {
    for server in servers(tree, folder) {
        let Some((dependency, name, kind)) = server.service(beside && server.folder == folder) else {
            continue;
        };
        let why = format!("{dependency} in {}package.json, script '{}'", server.folder, server.key);
        let one = found.add(&name, kind, why);
        one.usual = one.usual.or_else(|| server_flags::fixed_port(&server.script));
        for (tool, variable) in OWN_VARIABLES {
            if *tool == dependency {
                one.reads(variable);
            }
        }
        if server.depends("storybook") && server.script("storybook").is_some() {
            found
                .add("storybook", "web-tool", format!("storybook in {}package.json", server.folder))
                .reads("SBCONFIG_PORT");
        }
    }
}

/// Returns the folders of a package's workspaces: npm's and yarn's list, pnpm's file; `*` is any folder.
fn workspaces(tree: &Tree<'_>, folder: &str, root: &Value) -> Vec<String> {
    let listed = root.get("workspaces").map(|list| list.get("packages").unwrap_or(list));
    let mut patterns: Vec<String> = listed
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    if let Some(text) = tree.text(folder, "pnpm-workspace.yaml") {
        // Other lists may stand in the file, whose entries are no folders.
        let list = text.lines().skip_while(|line| !line.starts_with("packages:")).skip(1);
        let entries = list
            .take_while(|line| line.is_empty() || line.starts_with([' ', '-', '#']))
            .filter_map(|line| line.trim().strip_prefix("- "));
        patterns.extend(entries.map(|entry| entry.trim().trim_matches(['"', '\'']).to_owned()));
    }
    let mut folders = BTreeSet::new();
    for pattern in patterns {
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        // What lies outside the worktree is none of this project's.
        if pattern.starts_with(['/', '!']) || pattern.split('/').any(|part| part == "..") {
            continue;
        }
        let inside = |base: &str| (tree.folders)(&format!("{folder}{base}"));
        match pattern.split_once("/*") {
            Some((base, _)) => {
                folders.extend(inside(base).into_iter().map(|name| format!("{base}/{name}")));
            }
            None if pattern.starts_with('*') => folders.extend(inside("")),
            None => _ = folders.insert(pattern.to_owned()),
        }
    }
    folders.into_iter().collect()
}
