//! Looks at what is left of a worktree, for the rule that says whether it is gone.

use std::path::{Path, PathBuf};

use super::{GitError, identity, worktree};
use crate::registry::liveness::{Admin, Observation, Repository, Tree};
use crate::registry::{Place, Token, WorktreeRecord};
use crate::system::mounts::{Presence, presence};

/// Returns what is to be seen of a recorded worktree. Reads a few small files, starts no program.
pub fn observe(record: &WorktreeRecord) -> Observation {
    let repository = repository(record);
    let (admin, admin_dir) = admin(record, repository);
    let moved = admin_dir.as_deref().and_then(|admin_dir| worktree::recorded_path(admin_dir).ok().flatten());
    let mut seen = tree(moved.as_deref().unwrap_or(&record.path), record, admin_dir.as_deref());
    // git's own note of the place may be torn, or out of date after a move by hand: it stands where it
    // stands.
    if seen != Tree::Ours
        && moved.is_some_and(|moved| moved != record.path)
        && tree(&record.path, record, admin_dir.as_deref()) == Tree::Ours
    {
        seen = Tree::Ours;
    }
    Observation { tree: seen, admin, repository, main: record.main }
}

fn repository(record: &WorktreeRecord) -> Repository {
    match presence(&record.common_dir) {
        Presence::Unreadable => Repository::Unreadable,
        Presence::Absent(nearest) => {
            absence(&nearest, &record.place, Repository::Absent, Repository::Unreadable)
        }
        Presence::Present => match identity::find_repository_token(&record.common_dir) {
            Ok(Some(token)) if token == record.repository => Repository::Ours,
            Ok(_) => Repository::NotOurs,
            Err(_) => Repository::Unreadable,
        },
    }
}

fn admin(record: &WorktreeRecord, repository: Repository) -> (Admin, Option<PathBuf>) {
    match repository {
        Repository::Absent | Repository::NotOurs => return (Admin::Absent, None),
        Repository::Unreadable => return (Admin::Unreadable, None),
        Repository::Ours => {}
    }
    if record.main {
        return (Admin::Ours { locked: false }, Some(record.common_dir.clone()));
    }
    match find_admin_dir(record, &record.token) {
        Ok(Some(admin_dir)) => {
            let locked = !matches!(presence(&admin_dir.join("locked")), Presence::Absent(_));
            (Admin::Ours { locked }, Some(admin_dir))
        }
        Ok(None) => (Admin::Absent, None),
        Err(_) => (Admin::Unreadable, None),
    }
}

/// Looks where the administrative directory was last seen first; a repository may have hundreds.
fn find_admin_dir(record: &WorktreeRecord, token: &Token) -> Result<Option<PathBuf>, GitError> {
    if identity::find_token(&recorded(record))?.as_ref() == Some(token) {
        return Ok(Some(record.admin_dir.clone()));
    }
    identity::find_admin_dir(&record.common_dir, token)
}

fn tree(path: &Path, record: &WorktreeRecord, admin_dir: Option<&Path>) -> Tree {
    match presence(path) {
        Presence::Unreadable => Tree::Unreadable,
        Presence::Absent(nearest) => absence(&nearest, &record.place, Tree::Absent, Tree::Unreadable),
        Presence::Present => match presence(&path.join(".git")) {
            Presence::Unreadable => Tree::Unreadable,
            // An empty mount point is not an empty worktree.
            Presence::Absent(nearest) => absence(&nearest, &record.place, Tree::NotOurs, Tree::Unreadable),
            Presence::Present if record.main => Tree::Ours,
            Presence::Present => match worktree::link_target(path) {
                Some(target) if Some(target.as_path()) == admin_dir => Tree::Ours,
                Some(target) if target == record.admin_dir && !has_new_owner(record) => Tree::Ours,
                _ => Tree::NotOurs,
            },
        },
    }
}

/// Says whether the administrative directory belongs to another worktree by now: git uses a name again as
/// soon as it is free.
fn has_new_owner(record: &WorktreeRecord) -> bool {
    let found = identity::find_token(&recorded(record));
    found.is_ok_and(|found| found.is_some_and(|token| token != record.token))
}

fn recorded(record: &WorktreeRecord) -> worktree::Worktree {
    worktree::Worktree {
        admin_dir: record.admin_dir.clone(),
        path: record.path.clone(),
        main: record.main,
        locked: false,
    }
}

/// Absence counts only on the file system the worktree was on.
fn absence<T>(nearest: &Place, recorded: &Place, absent: T, unreadable: T) -> T {
    if nearest.is_same(recorded) { absent } else { unreadable }
}
