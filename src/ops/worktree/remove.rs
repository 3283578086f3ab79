//! Removes a worktree and gives all its ports back.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::{Described, attempt, describe, find, lock, os, token_of};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::identity;
use crate::git::program::git_of;
use crate::ops::{copies, release};
use crate::registry::Allocation;

/// Which worktree to remove.
#[derive(Clone, Debug, Default)]
pub struct RemoveRequest {
    /// Its path, folder or branch; the one stood in, if none is named.
    pub worktree: Option<OsString>,
    /// How often `--force` was given: once for changes, twice for a locked one.
    pub force: u8,
    /// Delete its branch too.
    pub delete_branch: bool,
    /// Keep git's own words for the error message instead of passing them on.
    pub keep_words: bool,
}

/// A worktree that is gone.
#[derive(Clone, Debug)]
pub struct Removed {
    /// The worktree, as it was.
    pub described: Described,
    /// The ports it gave back.
    pub released: Vec<Allocation>,
    /// The branch that was deleted with it.
    pub deleted_branch: Option<String>,
    /// Whether one stood in it.
    pub stood_in: bool,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Removes a worktree with `git worktree remove`, which refuses what it always refuses, and then
/// releases all its ports.
pub fn remove(ctx: &mut Context, request: &RemoveRequest) -> Result<Removed> {
    let repo = ctx.repo()?;
    let worktree = match &request.worktree {
        Some(name) => find(&repo, name)?,
        None => repo.current()?,
    };
    let token = token_of(&worktree);
    let described = describe(ctx, &repo, worktree.clone())?;
    let branch = worktree.branch_name();
    let stood_in = repo.worktree.as_ref() == Some(&worktree.path);
    let mut arguments = vec![os("worktree"), os("remove")];
    arguments.extend((0..request.force.min(2)).map(|_| os("--force")));
    arguments.extend([os("--"), worktree.path.clone().into_os_string()]);
    {
        let _lock = lock(&repo)?;
        let _going_on = ctx.going_on(|| format!("removing the files of '{}'", worktree.path.display()));
        let command = || git_of(&repo.common_dir).args(&arguments);
        let is_left = || worktree.path.join(".git").exists();
        let ran = attempt::run(&repo.common_dir, &command, "worktree remove", request.keep_words, &is_left);
        if let Err(error) = ran
            && !identity::finish_removal(&worktree, copies::ENV_FILE)
        {
            return Err(error);
        }
    }
    let mut removed =
        Removed { described, released: Vec::new(), deleted_branch: None, stood_in, warnings: Vec::new() };
    if let Some(token) = token {
        match release::release_worktree(ctx, &token, "worktree removed") {
            Ok(released) => removed.released = released,
            Err(error) => {
                removed.warnings.push(format!("its ports are still recorded: {error}"));
                removed.warnings.push("when the registry is back, run 'git port cleanup'".to_owned());
            }
        }
    }
    if request.delete_branch
        && let Some(branch) = branch
    {
        delete_branch(&repo.common_dir, &branch, request.force > 0)?;
        removed.deleted_branch.clone_from(&removed.described.branch);
    }
    Ok(removed)
}

fn delete_branch(common_dir: &Path, branch: &OsStr, force: bool) -> Result<()> {
    let flag = if force { "-D" } else { "-d" };
    match attempt::delete_branch(common_dir, flag, branch) {
        Ok(()) => Ok(()),
        Err(error) => {
            let words = error.to_string();
            let reason = words.lines().next().unwrap_or_default().replace("git branch failed: error: ", "");
            Err(Error::new(
                ErrorKind::Refused,
                format!("the worktree is removed, but its branch stays: {reason}"),
            )
            .hint(format!("to delete it all the same: git branch -D {}", branch.to_string_lossy())))
        }
    }
}
