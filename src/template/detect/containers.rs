//! Compose files: what runs in containers and is published on this machine.

use super::{Findings, Tree, kind};
use crate::template::compose::file::{self, ComposeFile};

/// Compose's own names for its file, the one it takes first in front, with the override it then reads.
pub const FILES: &[(&str, &str)] = &[
    ("compose.yaml", "compose.override.yaml"),
    ("compose.yml", "compose.override.yml"),
    ("docker-compose.yml", "docker-compose.override.yml"),
    ("docker-compose.yaml", "docker-compose.override.yaml"),
];

/// How many files are read at most, of which one includes the other.
const MOST: usize = 20;

/// What an image says about the service that is made from it: a part of its name, the kind.
const IMAGES: &[(&str, &str)] = &[
    ("postgres", "db"),
    ("postgis", "db"),
    ("timescaledb", "db"),
    ("mysql", "db"),
    ("mariadb", "db"),
    ("mongo", "db"),
    ("mssql", "db"),
    ("cockroach", "db"),
    ("clickhouse", "db"),
    ("redis", "cache"),
    ("valkey", "cache"),
    ("memcached", "cache"),
    ("dragonfly", "cache"),
    ("rabbitmq", "queue"),
    ("kafka", "queue"),
    ("redpanda", "queue"),
    ("nats", "queue"),
];

/// Returns the Compose files of a worktree with their paths: its own, its override, and what they include.
pub(in crate::template) fn files(tree: &Tree<'_>) -> Vec<(String, ComposeFile)> {
    let own = FILES.iter().find(|(name, _)| tree.has("", name));
    let mut wanted: Vec<String> =
        own.into_iter().flat_map(|(name, over)| [*name, *over]).map(str::to_owned).collect();
    let mut found: Vec<(String, ComposeFile)> = Vec::new();
    let mut at = 0;
    while at < wanted.len().min(MOST) {
        let path = wanted[at].clone();
        at += 1;
        let Some(parsed) = (tree.read)(&path).and_then(|text| file::parse(&path, &text).ok()) else {
            continue;
        };
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for include in &parsed.includes {
            if let Some(inside) = join(folder, include).filter(|inside| !wanted.contains(inside)) {
                wanted.push(inside);
            }
        }
        found.push((path, parsed));
    }
    found
}

/// Returns the path of a file that another one names; none outside the worktree, or where it cannot be told.
fn join(folder: &str, path: &str) -> Option<String> {
    if path.is_empty() || path.starts_with('/') || path.contains(['$', '\\', ':']) {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

pub(super) fn find(tree: &Tree<'_>, found: &mut Findings) {
    for (path, file) in files(tree) {
        for (name, service) in file.services {
            // What publishes nothing has no port of this machine, and a range is many.
            let Some(published) = service.ports.iter().flatten().next() else { continue };
            let image = service.image.unwrap_or_default();
            let of_image = IMAGES.iter().find(|(part, _)| image.contains(part)).map(|(_, kind)| *kind);
            let kind = of_image.unwrap_or_else(|| kind(&name));
            let one = found.add(&name, kind, format!("service '{name}' in {path}"));
            one.usual = one.usual.or_else(|| published.port().or_else(|| published.target()));
            if let Some(variable) = published.variable() {
                one.reads(variable);
            }
        }
    }
}
