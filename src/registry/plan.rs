//! What a cleanup would do: computed first, shown by `--dry-run`, then carried out as it stands.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::allocation::Allocation;
use super::liveness::Verdict;
use super::worktree::Token;

/// An allocation that stays, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The allocation.
    pub allocation: Allocation,
    /// Why, in words.
    pub reason: String,
}

/// What a cleanup does with each allocation it looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanupPlan {
    /// Orphaned: to be released.
    pub release: Vec<Allocation>,
    /// Released long ago: to be forgotten.
    pub forget: Vec<Allocation>,
    /// Live allocations that stay although something about them was noticed.
    pub keep: Vec<Kept>,
}

impl CleanupPlan {
    /// Says whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.release.is_empty() && self.forget.is_empty()
    }
}

/// What became of a worktree, and for how long it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What became of it.
    pub verdict: Verdict,
    /// Whether a worktree that is gone was seen so long enough ago to act without being asked: a move
    /// by hand takes a moment, and a disk may be between two mounts.
    pub ripe: bool,
}

/// What a plan is made from.
pub struct CleanupFacts<'a> {
    /// Every allocation of this host, live and released.
    pub allocations: Vec<Allocation>,
    /// What became of each worktree. One that is not in here is not touched.
    pub verdicts: &'a HashMap<Token, Judged>,
    /// Now.
    pub now: Timestamp,
    /// How long a released row is remembered.
    pub older_than: SignedDuration,
}

/// Returns what a cleanup would do. `in_use` says whether any socket has the port of an allocation:
/// an orphaned port that somebody still serves on is kept until that process ends.
pub fn plan(facts: CleanupFacts<'_>, in_use: &mut dyn FnMut(&Allocation) -> bool) -> CleanupPlan {
    let mut plan = CleanupPlan::default();
    for allocation in facts.allocations {
        if !allocation.status.is_live() {
            let released = allocation.released_at.unwrap_or(allocation.allocated_at);
            if facts.now.duration_since(released) >= facts.older_than {
                plan.forget.push(allocation);
            }
            continue;
        }
        let Some(token) = &allocation.worktree else { continue };
        let reason = match facts.verdicts.get(token) {
            None => "its worktree is not recorded".to_owned(),
            Some(Judged { verdict: Verdict::Live, .. }) => continue,
            Some(Judged { verdict, .. }) if !verdict.is_gone() => verdict.to_string(),
            Some(Judged { verdict, .. }) if allocation.pinned => format!("{verdict}, but it is pinned"),
            Some(Judged { verdict, ripe: false }) => format!("{verdict}, but only just"),
            Some(Judged { verdict, .. }) if in_use(&allocation) => {
                format!("{verdict}, but a process still listens on it")
            }
            Some(_) => {
                plan.release.push(allocation);
                continue;
            }
        };
        plan.keep.push(Kept { allocation, reason });
    }
    plan
}
