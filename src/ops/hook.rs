//! The hooks that give plain `git worktree add` its ports. See githooks(5).

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::allocate::{self, AllocateRequest, Placed};
use super::standing::Standing;
use crate::config::HookRepositories;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::hooks::{self, HookStatus, Installed, Scope, Uninstalled};
use crate::git::identity;

/// git waits for its hooks; a registry that others hold is left for the next command.
const PATIENCE: Duration = Duration::from_secs(2);

/// Gives a new worktree its ports, as `post-checkout` is called for it. Returns what it got: nothing, if
/// there was nothing to do.
pub fn post_checkout(ctx: &mut Context, arguments: &[OsString]) -> Result<Vec<Placed>> {
    let event = hooks::parse_event(arguments);
    let disabled = ctx.environment.os("GIT_PORT_DISABLE").is_some_and(|value| value == "1");
    let made_by_us = ctx.environment.os(super::worktree::CREATE_VARIABLE).is_some();
    if !event.branch_checkout || disabled || made_by_us {
        return Ok(Vec::new());
    }
    ctx.limit_patience(PATIENCE);
    let standing = Standing::here(ctx)?;
    // A submodule is no worktree of the project one works on.
    let is_submodule = standing.worktree.main && is_in_modules(&standing.repo.common_dir);
    let known = identity::find_repository_token(&standing.repo.common_dir)?.is_some();
    let wanted =
        known || standing.settings.configured || standing.settings.hook.repositories == HookRepositories::All;
    if is_submodule || !wanted || identity::find_token(&standing.worktree)?.is_some() {
        return Ok(Vec::new());
    }
    Ok(allocate::allocate_in(ctx, &standing, AllocateRequest::default())?.placed)
}

/// Says whether it is the directory of a submodule, `.git/modules/<name>`, of whatever repository. A
/// folder of the user's own may be called `modules` too.
fn is_in_modules(common_dir: &Path) -> bool {
    let within = common_dir.ancestors().filter(|folder| folder.ends_with("modules"));
    within.filter_map(Path::parent).any(|git_dir| git_dir.join("HEAD").is_file())
}

/// Installs the hook in the repository one stands in, or for all.
pub fn install(ctx: &Context, global: bool) -> Result<Installed> {
    let scope = scope(ctx, global)?;
    let program = std::env::current_exe().map_err(|error| {
        Error::new(ErrorKind::Internal, format!("cannot tell where this program is: {error}"))
    })?;
    let installed = hooks::install(&scope, &program)?;
    if let Scope::Repository(_) = scope {
        // From now on it is a repository that git-port knows; see `post_checkout`.
        identity::repository_token(&ctx.repo()?.common_dir)?;
    }
    Ok(installed)
}

/// Removes the hook again, and nothing else.
pub fn uninstall(ctx: &Context, global: bool) -> Result<Uninstalled> {
    Ok(hooks::uninstall(&scope(ctx, global)?)?)
}

/// Says whether a hook is installed and would be run.
pub fn status(ctx: &Context, global: bool) -> Result<HookStatus> {
    Ok(hooks::status(&scope(ctx, global)?)?)
}

fn scope(ctx: &Context, global: bool) -> Result<Scope> {
    if global {
        let template_dir: PathBuf = ctx.dirs.config.join("git-template");
        return Ok(Scope::Global { template_dir });
    }
    let repo = ctx.repo()?;
    Ok(Scope::Repository(repo.worktree.unwrap_or(repo.common_dir)))
}
