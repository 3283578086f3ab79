//! Ports that a host has given a worktree already: an app that runs agents, each in a worktree of its own.
//! They are recorded instead of others, so that host and git-port say the same.

use std::path::Path;

use crate::context::Context;
use crate::git::Worktree;
use crate::registry::Port;
use crate::system::files;

/// A host that hands out ports.
struct Host {
    /// The variable with the first port.
    port: &'static str,
    /// The variable with the worktree they are for.
    worktree: &'static str,
    /// How many neighbours belong to the worktree.
    count: u16,
}

const HOSTS: [Host; 2] = [
    // https://docs.conductor.build/tips/conductor-env
    Host { port: "CONDUCTOR_PORT", worktree: "CONDUCTOR_WORKSPACE_PATH", count: 10 },
    // Emdash promises one port for each task.
    Host { port: "EMDASH_PORT", worktree: "EMDASH_TASK_PATH", count: 1 },
];

/// Returns the ports that a host has given this worktree, its first service's first; none without one.
///
/// A host that does not say for which worktree they are means the one its programs are started in.
pub(super) fn given(ctx: &Context, worktree: &Worktree) -> Vec<Port> {
    let is_meant = |host: &&Host| match ctx.environment.os(host.worktree) {
        Some(path) => files::canonical(Path::new(path)) == worktree.path,
        None if ctx.folder().is_some() => false,
        None => ctx.repo().is_ok_and(|repo| repo.worktree.as_ref() == Some(&worktree.path)),
    };
    let ports = |host: &Host| {
        let first: Port = ctx.environment.text(host.port).ok()??.parse().ok()?;
        Some((0..host.count).map_while(|next| Port::new(first.number().checked_add(next)?)).collect())
    };
    HOSTS.iter().filter(is_meant).find_map(ports).unwrap_or_default()
}
