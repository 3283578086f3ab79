//! The object about a registry that was moved.

use schemars::JsonSchema;
use serde::Serialize;

use crate::ops::registry::Moved;

/// A registry that was moved.
#[derive(Debug, JsonSchema, Serialize)]
pub struct MovedView {
    /// Where it was.
    pub from: String,
    /// Where it is.
    pub to: String,
    /// How many allocations it has, live and released.
    pub allocations: usize,
    /// How many worktrees it knows.
    pub worktrees: usize,
    /// How many events of its history came along.
    pub events: usize,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl From<&Moved> for MovedView {
    fn from(moved: &Moved) -> Self {
        Self {
            from: moved.from.clone(),
            to: moved.to.clone(),
            allocations: moved.allocations,
            worktrees: moved.worktrees,
            events: moved.events,
            warnings: moved.warnings.clone(),
        }
    }
}
