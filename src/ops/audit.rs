//! Compares the registry with the machine.

use super::list::{self, Listed};
use super::machine;
use crate::context::Context;
use crate::error::Result;
use crate::registry::State;
use crate::store::{self, Filter};

/// A port that somebody else's process has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The allocation.
    pub listed: Listed,
    /// Who should have it: `project/service`.
    pub expected: String,
    /// Who has it, in words.
    pub actual: String,
}

/// How registry and machine agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audited {
    /// How many ports of this machine are promised.
    pub allocated: usize,
    /// On how many of them somebody listens.
    pub in_use: usize,
    /// On how many of them nobody listens.
    pub not_running: usize,
    /// On how many of them that cannot be told.
    pub unknown: usize,
    /// Those that somebody else's process has.
    pub conflicts: Vec<Conflict>,
    /// Those whose worktree is gone.
    pub orphaned: Vec<Listed>,
}

/// Returns how all live allocations of this machine stand against what the machine does.
pub fn audit(ctx: &mut Context) -> Result<Audited> {
    let filter = Filter { host: Some(ctx.host.key.clone()), ..Filter::live() };
    let allocations = store::read(ctx.store()?, |rows| rows.allocations(&filter))?;
    let mut audited = Audited { allocated: allocations.len(), ..Audited::default() };
    for listed in list::states(ctx, allocations)? {
        match listed.in_use {
            Some(true) => audited.in_use += 1,
            Some(false) => audited.not_running += 1,
            None => audited.unknown += 1,
        }
        match listed.state {
            State::Foreign => audited.conflicts.push(conflict(listed)),
            State::Orphaned => audited.orphaned.push(listed),
            _ => {}
        }
    }
    Ok(audited)
}

fn conflict(listed: Listed) -> Conflict {
    let actual = listed.process.as_ref().map_or_else(|| "unknown process".to_owned(), machine::describe);
    Conflict { expected: listed.allocation.owner(), actual, listed }
}
