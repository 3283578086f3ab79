//! Is a worktree gone for good?
//!
//! A pure function over what was observed. git's own word "prunable" is no evidence: git calls a
//! worktree prunable when its disk is not mounted or its parent may not be read. Here, absence counts
//! only where the nearest folder that does exist lies on the file system, and behind the mount point,
//! on which the worktree was last seen; and three verdicts alone ever release a port.

use std::fmt;

/// What was seen where the worktree's top folder should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tree {
    /// Its `.git` leads to the worktree's own administrative directory.
    Ours,
    /// Something stands there that is not this worktree: no `.git`, a damaged one, another repository.
    NotOurs,
    /// Nothing is there, and the disk it was on is.
    Absent,
    /// It cannot be told: another file system is there, or reading failed.
    Unreadable,
}

/// What was seen where the worktree's administrative directory should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admin {
    /// It holds the worktree's token.
    Ours {
        /// `git worktree lock` protects it.
        locked: bool,
    },
    /// No administrative directory of the repository holds the token.
    Absent,
    /// It cannot be told.
    Unreadable,
}

/// What was seen where the repository's common directory should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repository {
    /// It holds the repository's identity.
    Ours,
    /// A repository is there with another identity, or none: cloned again, or replaced.
    NotOurs,
    /// Nothing is there, and the disk it was on is.
    Absent,
    /// It cannot be told.
    Unreadable,
}

/// All that was observed of one worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Its top folder, where its administrative directory says it is now, else where it was last seen.
    pub tree: Tree,
    /// Its administrative directory.
    pub admin: Admin,
    /// Its repository.
    pub repository: Repository,
    /// Whether it is the main worktree, which lives and dies with the repository.
    pub main: bool,
}

/// What became of a worktree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is there.
    Live,
    /// It is not there, but `git worktree lock` says it will be.
    Locked,
    /// It cannot be told.
    Unreachable,
    /// Something is there that contradicts the records; a person should look.
    Broken,
    /// git removed it.
    Removed,
    /// Its folder is gone; git does not know yet.
    Missing,
    /// It is gone together with its repository.
    RepositoryGone,
}

impl Verdict {
    /// Says whether an allocation of such a worktree is orphaned. No other verdict ever releases.
    pub fn is_gone(self) -> bool {
        matches!(self, Self::Removed | Self::Missing | Self::RepositoryGone)
    }

    /// Returns the verdict in words, as a reason for keeping or releasing.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Live => "its worktree is there",
            Self::Locked => "its worktree is locked",
            Self::Unreachable => {
                "its worktree cannot be reached: its disk may not be mounted, or it may not be read"
            }
            Self::Broken => "something else stands where its worktree was",
            Self::Removed => "its worktree was removed",
            Self::Missing => "its worktree's folder is gone",
            Self::RepositoryGone => "its repository is gone",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

/// Returns what became of the worktree that was observed so.
#[expect(clippy::match_same_arms, reason = "the order of the arms is the rule")]
pub fn judge(seen: Observation) -> Verdict {
    match (seen.repository, seen.admin, seen.tree) {
        (Repository::Unreadable, _, _) => Verdict::Unreachable,
        // The token is the proof of life: whoever holds it, at whatever path, is the worktree.
        (Repository::Ours, Admin::Ours { .. }, Tree::Ours) => Verdict::Live,
        (Repository::Ours, Admin::Ours { .. }, _) if seen.main => Verdict::Live,
        (Repository::Ours, Admin::Ours { locked: true }, _) => Verdict::Locked,
        (Repository::Ours, Admin::Ours { locked: false }, Tree::Absent) => Verdict::Missing,
        (Repository::Ours, Admin::Absent, Tree::Absent | Tree::NotOurs) => Verdict::Removed,
        (Repository::Absent, _, Tree::Absent) => Verdict::RepositoryGone,
        // The main worktree's folder may outlive its `.git`.
        (Repository::Absent, _, Tree::NotOurs) if seen.main => Verdict::RepositoryGone,
        (_, Admin::Unreadable, _) | (_, _, Tree::Unreadable) => Verdict::Unreachable,
        // Its `.git` is gone or leads elsewhere; the administrative directory was pruned under a living
        // tree; the repository was moved, or cloned again.
        _ => Verdict::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREES: [Tree; 4] = [Tree::Ours, Tree::NotOurs, Tree::Absent, Tree::Unreadable];
    const ADMINS: [Admin; 4] =
        [Admin::Ours { locked: false }, Admin::Ours { locked: true }, Admin::Absent, Admin::Unreadable];
    const REPOSITORIES: [Repository; 4] =
        [Repository::Ours, Repository::NotOurs, Repository::Absent, Repository::Unreadable];

    fn every(mut check: impl FnMut(Observation, Verdict)) {
        for tree in TREES {
            for admin in ADMINS {
                for repository in REPOSITORIES {
                    for main in [false, true] {
                        let seen = Observation { tree, admin, repository, main };
                        check(seen, judge(seen));
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_unreadable_is_ever_released() {
        every(|seen, verdict| {
            let unreadable = seen.tree == Tree::Unreadable
                || seen.admin == Admin::Unreadable && seen.repository != Repository::Absent
                || seen.repository == Repository::Unreadable;
            assert!(!(unreadable && verdict.is_gone()), "{seen:?} gave {verdict:?}");
        });
    }

    #[test]
    fn nothing_that_stands_there_and_is_ours_is_ever_released() {
        every(|seen, verdict| {
            assert!(!(seen.tree == Tree::Ours && verdict.is_gone()), "{seen:?} gave {verdict:?}");
        });
    }

    #[test]
    fn a_locked_worktree_of_a_known_repository_is_never_released() {
        every(|seen, verdict| {
            let locked = seen.admin == Admin::Ours { locked: true } && seen.repository == Repository::Ours;
            assert!(!(locked && verdict.is_gone()), "{seen:?} gave {verdict:?}");
        });
    }

    #[test]
    fn the_three_ways_to_be_gone() {
        let seen = |tree, admin, repository| judge(Observation { tree, admin, repository, main: false });
        assert_eq!(seen(Tree::Absent, Admin::Absent, Repository::Ours), Verdict::Removed);
        assert_eq!(seen(Tree::NotOurs, Admin::Absent, Repository::Ours), Verdict::Removed);
        assert_eq!(seen(Tree::Absent, Admin::Ours { locked: false }, Repository::Ours), Verdict::Missing);
        assert_eq!(seen(Tree::Absent, Admin::Absent, Repository::Absent), Verdict::RepositoryGone);
        // Cloned again, moved, pruned under a living tree: kept.
        assert_eq!(seen(Tree::Absent, Admin::Absent, Repository::NotOurs), Verdict::Broken);
        assert_eq!(seen(Tree::Ours, Admin::Absent, Repository::Absent), Verdict::Broken);
        assert_eq!(seen(Tree::Ours, Admin::Absent, Repository::Ours), Verdict::Broken);
        assert_eq!(seen(Tree::NotOurs, Admin::Ours { locked: false }, Repository::Ours), Verdict::Broken);
    }
}
