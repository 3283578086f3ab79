//! What the hooks of agents and of the apps around them do: see that a worktree has its ports, and tell.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::allocate::{self, AllocateRequest, ServiceRequest};
use super::env::{self, Environmental};
use super::list::{self, ListRequest};
use super::release::{self, ReleaseRequest, Target};
use super::standing::Standing;
use super::worktree::reconcile;
use super::{adopt, hook};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{Allocation, State};
use crate::system::files::{self, Access};
use crate::template::shell::{self, Format};
use crate::template::variables::Variable;

/// An agent waits for its hooks; a registry that others hold is left for the next command.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Where a project tells agents which hooks to run. One that names us there wants ports.
const SETTINGS: [&str; 7] = [
    ".claude/settings.json",
    ".claude/settings.local.json",
    ".codex/config.toml",
    ".codex/hooks.json",
    ".cursor/hooks.json",
    ".gemini/settings.json",
    ".git-port.toml",
];

/// Sees to it that the worktree one stands in has its ports, and returns its variables; none where git-port
/// has no business. `env_file` is the file of a host whose lines its shells run.
pub fn session_start(ctx: &mut Context, env_file: Option<&Path>) -> Result<Option<Environmental>> {
    let Some(standing) = here(ctx)? else { return Ok(None) };
    let is_named = |file: &&'static str| {
        let text = files::load_text(&standing.worktree.path.join(file)).ok().flatten();
        text.is_some_and(|text| text.contains("git-port hook"))
    };
    if !hook::acts_in(ctx, &standing.repo, &standing.worktree)? && !SETTINGS.iter().any(is_named) {
        return Ok(None);
    }
    let environmental = env::env_in(ctx, &standing, None, true)?;
    if let Some(file) = env_file {
        write_exports(file, &environmental.variables)?;
    }
    Ok(Some(environmental))
}

/// Gives the worktree one stands in its ports, as its host sets it up: those the host has given it, if it
/// has. Nobody uses any other yet, so one that was recorded before is moved. Returns what it has.
pub fn set_up(ctx: &mut Context) -> Result<Vec<Allocation>> {
    let Some(standing) = here(ctx)? else { return Ok(Vec::new()) };
    let allocated = allocate::allocate_in(ctx, &standing, AllocateRequest::default())?;
    let mut allocations: Vec<Allocation> = allocated.placed.into_iter().map(|one| one.allocation).collect();
    let given = adopt::given(ctx, &standing.worktree);
    for (allocation, port) in allocations.iter_mut().zip(given) {
        if allocation.port == port {
            continue;
        }
        let service = allocation.service.clone();
        let exactly = ServiceRequest { exactly: Some(port), ..ServiceRequest::any(service) };
        let request = AllocateRequest { services: vec![exactly], new: true, ..AllocateRequest::default() };
        match allocate::allocate_in(ctx, &standing, request) {
            Ok(moved) => moved.placed.into_iter().for_each(|one| *allocation = one.allocation),
            Err(error) => ctx.note(format!("the host's port {port} is not adopted: {}", error.message)),
        }
    }
    Ok(allocations)
}

/// Releases the ports of the worktree one stands in, as its host puts it away. Those on which a server of
/// the worktree still listens are kept. Returns what was released.
pub fn put_away(ctx: &mut Context) -> Result<Vec<Allocation>> {
    if here(ctx)?.is_none() {
        return Ok(Vec::new());
    }
    let own = ListRequest { worktree: Some(PathBuf::new()), ..ListRequest::default() };
    let (mut released, host) = (Vec::new(), ctx.host.key.clone());
    for one in list::list(ctx, &own)?.into_iter().filter(|one| one.allocation.host == host) {
        let port = one.allocation.port;
        if one.state == State::Active {
            ctx.note(format!("port {port} is kept: a server of this worktree still listens on it"));
            continue;
        }
        let request = ReleaseRequest {
            targets: vec![Target::Port(port)],
            environment: Some(one.allocation.environment),
            protocol: Some(one.allocation.protocol),
            ..ReleaseRequest::default()
        };
        released.extend(release::release(ctx, &request)?.released);
    }
    Ok(released)
}

/// Follows what became of the repository's worktrees, of which an agent has removed one. Returns what was
/// released.
pub fn worktree_removed(ctx: &mut Context) -> Result<Vec<Allocation>> {
    match here(ctx)? {
        Some(standing) => Ok(reconcile(ctx, &standing.repo)?.released),
        None => Ok(Vec::new()),
    }
}

/// Returns the worktree one stands in, unless there is none, or hooks are to do nothing.
fn here(ctx: &mut Context) -> Result<Option<Standing>> {
    if hook::is_disabled(&ctx.environment) {
        return Ok(None);
    }
    let standing = Standing::find(ctx)?;
    Ok(standing.filter(|standing| !hook::is_submodule(&standing.repo, &standing.worktree)))
}

/// Puts the variables into a file of lines that a shell runs. What others wrote into it stays.
///
/// It has no comment around ours: a host may join the last line with a command by `&&`.
fn write_exports(file: &Path, variables: &[Variable]) -> Result<()> {
    if !file.is_absolute() {
        return Err(Error::new(ErrorKind::Usage, "the variable 'CLAUDE_ENV_FILE' is not an absolute path"));
    }
    let old = files::load_text(file)?;
    let is_ours = |line: &&str| {
        let assigned = line.strip_prefix("export ").and_then(|rest| rest.split_once('='));
        assigned.is_some_and(|(name, _)| variables.iter().any(|variable| variable.name == name))
    };
    let mut text: String =
        old.iter().flat_map(|old| old.split_inclusive('\n')).filter(|line| !is_ours(line)).collect();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    // A value of several lines could not be found again.
    let plain: Vec<Variable> =
        variables.iter().filter(|variable| !variable.value.contains('\n')).cloned().collect();
    text.push_str(&shell::render(Format::Sh, &plain)?);
    if old.as_deref() == Some(&text) {
        return Ok(());
    }
    match old {
        Some(_) => files::rewrite(file, text.as_bytes())?,
        None => files::replace(file, text.as_bytes(), Access::Public)?,
    }
    Ok(())
}
