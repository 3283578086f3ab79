//! Whether the project's tools take the worktree's ports: by their files, and by where their servers listen.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Diagnosis, Severity};
use crate::context::Context;
use crate::error::Result;
use crate::git::Repo;
use crate::ops::run;
use crate::ops::standing::Standing;
use crate::ops::wiring;
use crate::registry::{Port, Protocol, states};
use crate::store::{self, Filter};
use crate::system::command::Command;
use crate::system::{files, listeners};
use crate::template::wiring::Harm;

/// From here on a system gives out ports by itself, so that nobody chose them.
const EPHEMERAL: u16 = 32_768;

/// Looks at the worktree one stands in, and at what its repository's worktrees run.
pub(super) fn wiring(ctx: &mut Context, diagnosis: &mut Diagnosis, repo: &Repo, usable: bool) {
    let Ok(Some(standing)) = Standing::find(ctx) else { return };
    if standing.settings.configured {
        let gaps = wiring::gaps(&standing, &wiring::configured(&standing));
        if gaps.is_empty() {
            diagnosis.ok("wiring", "no tool is known to go without its port");
        }
        for gap in gaps {
            let severity = if gap.harm == Harm::Open { Severity::Warning } else { Severity::Note };
            diagnosis.add(severity, gap.code, gap.message, Some(&gap.fix));
        }
        direnv(ctx, diagnosis, &standing.worktree.path);
    }
    if usable && let Err(error) = elsewhere(ctx, diagnosis, repo) {
        diagnosis.unknown("elsewhere", &error);
    }
}

/// direnv loads nothing in a worktree until it is allowed there.
fn direnv(ctx: &Context, diagnosis: &mut Diagnosis, top: &Path) {
    let envrc = top.join(".envrc");
    let mut folders = ctx.environment.os("PATH").into_iter().flat_map(std::env::split_paths);
    if !envrc.is_file() || !folders.any(|folder| folder.join("direnv").is_file()) {
        return;
    }
    let Ok(answer) = Command::new("direnv").arg("status").current_dir(top).output() else { return };
    let text = String::from_utf8_lossy(&answer.stdout);
    let found = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    let is_here = found("Found RC path ").is_some_and(|path| files::canonical(Path::new(path)) == envrc);
    // Since 2.33 it is a number: allowed, not allowed, denied.
    let allowed = matches!(found("Found RC allowed "), Some("true" | "0"));
    if is_here && !allowed {
        let message = format!("direnv does not load '{}' before it is allowed", envrc.display());
        diagnosis.warn("direnv", message, &format!("direnv allow '{}'", envrc.display()));
    }
}

/// Looks for servers of this repository's worktrees that listen on ports which nobody gave them, while a
/// port of their worktree waits for its server.
fn elsewhere(ctx: &mut Context, diagnosis: &mut Diagnosis, repo: &Repo) -> Result<()> {
    let tops: Vec<PathBuf> = repo.worktrees()?.into_iter().map(|worktree| worktree.path).collect();
    let others: Vec<&Path> = tops.iter().map(PathBuf::as_path).collect();
    let here = Filter { host: Some(ctx.host.key.clone()), ..Filter::live() };
    let live = store::read(ctx.store()?, |rows| rows.allocations(&here))?;
    let mut listening = listeners::listeners().listeners;
    listening.retain(|one| one.protocol == Protocol::Tcp);
    let served: BTreeSet<Port> = listening.iter().map(|one| one.port).collect();
    let nobodys = |port: Port| {
        port.number() < EPHEMERAL && !run::is_side_port(port) && !live.iter().any(|one| one.port == port)
    };
    listening.retain(|one| nobodys(one.port));
    if listening.is_empty() {
        return Ok(());
    }
    let owners = listeners::owners(&listening);
    let mut told = BTreeSet::new();
    for listener in &listening {
        for process in owners.get(&listener.inode).into_iter().flatten() {
            let cwd = process.cwd.as_deref().filter(|_| !states::is_stand_in(&process.name));
            let belongs = |top: &&PathBuf| cwd.is_some_and(|cwd| states::belongs(cwd, top, &others));
            let Some(top) = tops.iter().find(belongs) else { continue };
            let own =
                live.iter().filter(|one| one.path.as_ref() == Some(top) && one.protocol == Protocol::Tcp);
            let waiting: Vec<String> =
                own.filter(|one| !served.contains(&one.port)).map(|one| one.port.to_string()).collect();
            if waiting.is_empty() || !told.insert((process.id.pid, listener.port)) {
                continue;
            }
            let (name, pid, port) = (&process.name, process.id.pid, listener.port);
            let message = format!(
                "'{name}' (pid {pid}) in '{}' listens on {port}, while nobody listens on the worktree's own {}",
                top.display(),
                waiting.join(", ")
            );
            diagnosis.warn("elsewhere", message, "git port run -- <its command>");
        }
    }
    Ok(())
}
