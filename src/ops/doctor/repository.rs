//! The repository one stands in: its hook, its locks, its half-made worktrees.

use std::path::{Path, PathBuf};

use super::{Diagnosis, Severity};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::git::Repo;
use crate::git::hooks::{self, Mechanism};
use crate::git::program::Version;
use crate::ops::hook;
use crate::system::{files, process};

/// git holds its locks for moments, and the making of a worktree takes minutes at most.
const OLD: std::time::Duration = std::time::Duration::from_mins(10);

/// What puts a hook back.
const REINSTALL: &str = "git port hook install";

/// Looks at the repository itself.
pub(super) fn repository(
    ctx: &mut Context,
    diagnosis: &mut Diagnosis,
    repo: &Repo,
    oldest_git: Option<Version>,
) {
    if let Err(error) = hook(ctx, diagnosis, repo, oldest_git) {
        diagnosis.unknown("hook", &error);
    }
    match repo.admin_dirs() {
        Ok(admin_dirs) => {
            for admin_dir in &admin_dirs {
                half_made(diagnosis, admin_dir);
                made_by_a_library(diagnosis, admin_dir);
            }
            locks(diagnosis, repo, &admin_dirs);
        }
        Err(error) => diagnosis.unknown("worktrees", &Error::from(error)),
    }
}

fn hook(
    ctx: &mut Context,
    diagnosis: &mut Diagnosis,
    repo: &Repo,
    oldest_git: Option<Version>,
) -> Result<()> {
    let (settings, _) = ctx.settings_or_default(repo, repo.worktree.as_deref())?;
    let status = hook::status(ctx, false)?;
    let dir = repo.worktree.as_ref().unwrap_or(&repo.common_dir);
    if status.installed.is_empty() && status.problems.is_empty() {
        if settings.configured {
            let message = "this repository is configured, but plain 'git worktree add' gives no ports yet";
            diagnosis.warn("hook", message, REINSTALL);
        } else {
            diagnosis.ok("hook", "no hook is installed");
        }
        return Ok(());
    }
    let gone = hooks::find_gone_program(dir)?;
    let mut broken: Vec<String> = Vec::new();
    for problem in &status.problems {
        if problem.hint == REINSTALL {
            broken.push(problem.message.clone());
        } else {
            let severity = if status.fires { Severity::Warning } else { Severity::Error };
            diagnosis.add(severity, "hook", problem.message.clone(), Some(&problem.hint));
        }
    }
    broken.extend(
        gone.map(|program| format!("the hook names the program '{}', which is gone", program.display())),
    );
    let since = hooks::CONFIG_HOOKS_SINCE;
    if let Some(old) = oldest_git.filter(|old| *old < since)
        && status.fires
        && status.installed == [Mechanism::ConfigHook]
    {
        let message = format!("the git {old} that is also on PATH runs no hook of the configuration");
        diagnosis.warn("hook", message, "git port hook status");
    }
    let whole = broken.is_empty() && status.problems.is_empty();
    for message in broken {
        diagnosis.mend(Severity::Warning, "hook", message, || hook::install(ctx, false).map(|_| ()));
    }
    if whole && status.fires {
        diagnosis.ok("hook", "the hook is installed, and git runs it");
    } else if whole {
        diagnosis.warn("hook", "the hook is installed, but git does not run it", "git port hook status");
    }
    Ok(())
}

fn half_made(diagnosis: &mut Diagnosis, admin_dir: &Path) {
    let shown = admin_dir.display();
    let lock = admin_dir.join("locked");
    let reason = files::load(&lock).ok().flatten();
    if reason.is_some_and(|reason| reason.starts_with(b"initializing")) {
        if is_old(&lock) && !process::is_any_running("git") {
            diagnosis.warn(
                "half-made",
                format!("the making of the worktree of '{shown}' was broken off"),
                &format!("rm '{}' && git worktree prune", lock.display()),
            );
        }
        return;
    }
    if !admin_dir.join("gitdir").exists() && is_old(admin_dir) {
        let message = format!("'{shown}' belongs to no worktree");
        diagnosis.warn("half-made", message, "git worktree prune");
    }
}

fn made_by_a_library(diagnosis: &mut Diagnosis, admin_dir: &Path) {
    let file = admin_dir.join("commondir");
    let Some(text) = files::load_text(&file).ok().flatten() else { return };
    if Path::new(text.trim_end()).is_absolute() {
        diagnosis.warn(
            "commondir",
            format!(
                "the worktree of '{}' was not made by git, and is lost if the repository moves",
                admin_dir.display()
            ),
            &format!("echo ../.. >'{}'", file.display()),
        );
    }
}

fn locks(diagnosis: &mut Diagnosis, repo: &Repo, admin_dirs: &[PathBuf]) {
    let own = ["config.lock", "packed-refs.lock", "shallow.lock"].map(|name| repo.common_dir.join(name));
    let folders = std::iter::once(&repo.common_dir).chain(admin_dirs);
    let of_worktrees = folders.flat_map(|folder| ["index.lock", "HEAD.lock"].map(|name| folder.join(name)));
    let mut old: Vec<PathBuf> = own.into_iter().chain(of_worktrees).filter(|lock| is_old(lock)).collect();
    // A commit whose message is being written holds the index for as long as that takes.
    if !old.is_empty() && process::is_any_running("git") {
        old.clear();
    }
    for lock in old {
        let shown = lock.display();
        let message = format!("the lock '{shown}' was left behind");
        diagnosis.warn("lock", message, &format!("rm '{shown}'"));
    }
}

/// Says whether there is such a file, and it has not been touched for a while.
fn is_old(path: &Path) -> bool {
    files::age(path).is_some_and(|age| age > OLD)
}
