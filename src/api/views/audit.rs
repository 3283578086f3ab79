//! How registry and machine agree, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::AllocationView;
use crate::ops::audit::Audited;

/// How registry and machine agree.
#[derive(Debug, JsonSchema, Serialize)]
pub struct AuditView {
    /// How many ports of this machine are promised.
    pub allocated: usize,
    /// On how many of them somebody listens.
    pub in_use: usize,
    /// On how many of them nobody listens.
    pub not_running: usize,
    /// On how many of them that cannot be told.
    pub unknown: usize,
    /// Those that somebody else's process has.
    pub conflicts: Vec<ConflictView>,
    /// Those whose worktree is gone.
    pub orphaned: Vec<AllocationView>,
}

/// A port that somebody else's process has.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ConflictView {
    /// The port.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// Who should have it: `project/service`.
    pub expected: String,
    /// Who has it, in words.
    pub actual: String,
}

impl From<&Audited> for AuditView {
    fn from(audited: &Audited) -> Self {
        let conflict = |one: &crate::ops::audit::Conflict| ConflictView {
            port: one.listed.allocation.port.number(),
            protocol: one.listed.allocation.protocol.name(),
            expected: one.expected.clone(),
            actual: one.actual.clone(),
        };
        Self {
            allocated: audited.allocated,
            in_use: audited.in_use,
            not_running: audited.not_running,
            unknown: audited.unknown,
            conflicts: audited.conflicts.iter().map(conflict).collect(),
            orphaned: audited.orphaned.iter().map(AllocationView::from).collect(),
        }
    }
}
