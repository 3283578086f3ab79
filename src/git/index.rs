//! What git tracks: read from a worktree's index.

use std::path::Path;

use super::GitError;
use super::program::{git_in, read};
use super::worktree::Worktree;

/// Says whether git tracks this file of the worktree, which may be missing. `path` is relative to its top.
pub fn is_tracked(worktree: &Worktree, path: &Path) -> Result<bool, GitError> {
    if let Some(tracked) = ask_library(worktree, path) {
        return Ok(tracked);
    }
    // An index of a kind that libgit2 does not know: sparse, split, SHA-256.
    let mut question = std::ffi::OsString::from(":(top,literal)");
    question.push(path);
    let listed = git_in(&worktree.path).args(["ls-files", "-z", "--"]).arg(question);
    Ok(!read(listed)?.is_empty())
}

fn ask_library(worktree: &Worktree, path: &Path) -> Option<bool> {
    let index = git2::Repository::open(&worktree.path).ok()?.index().ok()?;
    // While a merge is unfinished the file stands there in other stages than 0.
    Some((0..=3).any(|stage| index.get_path(path, stage).is_some()))
}
