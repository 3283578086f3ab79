//! Repositories, worktrees, identity and hooks. git2 reads; the `git` program changes.

pub mod branches;
pub mod checkout;
pub mod diff;
pub mod half_made;
pub mod hooks;
pub mod identity;
pub mod index;
pub mod nearby;
pub mod observe;
pub mod program;
pub mod repo;
pub mod worktree;

use std::path::PathBuf;

use crate::system::SystemError;

pub use repo::Repo;
pub use worktree::Worktree;

/// Something git, or reading a repository, did not do.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// A file, program or lock failed.
    #[error(transparent)]
    System(#[from] SystemError),
    /// There is no repository here, or git will not use it. Carries git's own words.
    #[error("{message}")]
    NotARepository {
        /// git's words, without "fatal:".
        message: String,
    },
    /// The repository has no worktree here.
    #[error("'{}' is not inside a worktree", path.display())]
    NoWorktree {
        /// Where one stands.
        path: PathBuf,
    },
    /// `git` ran and failed. Its own message has gone to standard error, or is in `stderr`.
    #[error("git {command} failed{}", if stderr.is_empty() { String::new() } else { format!(": {stderr}") })]
    Failed {
        /// The subcommand.
        command: String,
        /// Its exit status.
        status: u8,
        /// What it said, if that was not passed on.
        stderr: String,
    },
    /// The `git` that is installed is too old.
    #[error("git {found} is too old (git-port needs 2.17 or newer)")]
    TooOld {
        /// Its version.
        found: String,
    },
    /// A file of the repository is not what it must be.
    #[error("'{}' is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A hook cannot be installed without harm.
    #[error("{message}")]
    HookRefused {
        /// What stands in the way.
        message: String,
        /// What to do by hand.
        hint: String,
    },
}
