//! The hooks that give plain `git worktree add` its ports. See githooks(5).

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::allocate::{self, AllocateRequest, Placed};
use super::standing::{self, Standing};
use crate::config::{Environment, HookRepositories};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::hooks::{self, HookStatus, Installed, Scope, Uninstalled};
use crate::git::{Repo, Worktree, identity, nearby};

/// git waits for its hooks; a registry that others hold is left for the next command.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Says whether there is nothing to do for `post-checkout`, from what its arguments, the variables and a
/// few small files of the worktree one stands in say. git calls hooks at the top of the worktree.
///
/// Almost every call ends here, so nothing is opened: no repository, no registry, no configuration.
pub fn is_idle(environment: &Environment, arguments: &[OsString]) -> bool {
    let made_by_us = environment.os(super::worktree::CREATE_VARIABLE).is_some();
    if !hooks::parse_event(arguments).branch_checkout || is_disabled(environment) || made_by_us {
        return true;
    }
    let top = Path::new(".");
    let here = match environment.os("GIT_DIR") {
        Some(git_dir) => Worktree::of_hook(top, Path::new(git_dir)),
        None => nearby::find(top).map(|(_, worktree)| worktree),
    };
    here.is_some_and(|worktree| matches!(identity::find_token(&worktree), Ok(Some(_))))
}

/// Says whether the worktree one stands in is one that is to get ports unasked. Asks no registry.
pub fn is_wanted(ctx: &mut Context) -> Result<bool> {
    let repo = ctx.repo()?;
    let worktree = standing::current(ctx, &repo)?;
    if is_submodule(&repo, &worktree) || identity::find_token(&worktree)?.is_some() {
        return Ok(false);
    }
    acts_in(ctx, &repo, &worktree)
}

/// Says whether it is a repository in which hooks give ports. Asks no registry.
pub(super) fn acts_in(ctx: &Context, repo: &Repo, worktree: &Worktree) -> Result<bool> {
    if identity::find_repository_token(&repo.common_dir)?.is_some() {
        return Ok(true);
    }
    let settings = ctx.settings_without_registry(repo, &worktree.path)?;
    Ok(settings.configured || settings.hook.repositories == HookRepositories::All)
}

/// Gives a new worktree its ports, as `post-checkout` is called for it. Returns what it got.
pub fn post_checkout(ctx: &mut Context) -> Result<Vec<Placed>> {
    let standing = Standing::here(ctx)?;
    Ok(allocate::allocate_in(ctx, &standing, AllocateRequest::default())?.placed)
}

/// Says whether the user wants hooks to do nothing.
pub(super) fn is_disabled(environment: &Environment) -> bool {
    environment.os("GIT_PORT_DISABLE").is_some_and(|value| value == "1")
}

/// Says whether it is a submodule, which is no worktree of the project one works on.
pub(super) fn is_submodule(repo: &Repo, worktree: &Worktree) -> bool {
    worktree.main && is_in_modules(&repo.common_dir)
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
