//! The objects of `import` and `export`.

use serde::Serialize;

use super::{AllocationView, ErrorBody, ReservedView};
use crate::error::Error;
use crate::ops::import::Imported;
use crate::registry::import::{Candidate, Noted};

/// What an import did, or would do.
#[derive(Debug, Serialize)]
pub struct ImportView {
    /// Whether nothing was to be changed.
    pub dry_run: bool,
    /// The allocations that are new.
    pub added: Vec<ImportedView>,
    /// Those that were there already.
    pub same: Vec<ImportedView>,
    /// Those that are in the way of somebody; with any of them nothing is imported.
    pub conflicts: Vec<ImportedView>,
    /// New ones too, that lie outside the range of their environment or are reserved.
    pub out_of_range: Vec<ImportedView>,
    /// What was left out.
    pub skipped: Vec<SkippedView>,
    /// Allocations that gave way.
    pub replaced: Vec<AllocationView>,
    /// The ports that are newly reserved.
    pub reservations: Vec<ReservedView>,
    /// Ranges and reservations that are there already and say otherwise, in words.
    pub unclear: Vec<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// Why nothing was imported; only then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorBody>,
}

/// A row that is an allocation.
#[derive(Debug, Serialize)]
pub struct ImportedView {
    /// The allocation.
    #[serde(flatten)]
    pub allocation: AllocationView,
    /// The line it stands on.
    pub line: Option<usize>,
    /// What is to be said of it.
    pub reason: Option<String>,
}

/// A row that was left out.
#[derive(Debug, Serialize)]
pub struct SkippedView {
    /// The port, if it has one.
    pub port: Option<u16>,
    /// The line it stands on.
    pub line: Option<usize>,
    /// What it is.
    pub what: String,
    /// Why it was left out.
    pub reason: String,
}

impl ImportView {
    /// Returns the view of an import on the machine that people call `host`.
    pub fn new(imported: &Imported, error: Option<&Error>, host: &str) -> Self {
        let plan = &imported.plan;
        let view = |candidate: &Candidate, reason: Option<&String>| ImportedView {
            allocation: AllocationView::recorded(&candidate.allocation, host),
            line: candidate.line,
            reason: reason.cloned(),
        };
        let plain = |list: &[Candidate]| list.iter().map(|one| view(one, None)).collect();
        let noted = |list: &[Noted]| list.iter().map(|one| view(&one.candidate, Some(&one.reason))).collect();
        let left = plan.skipped.iter().map(|one| SkippedView {
            port: Some(one.candidate.allocation.port.number()),
            line: one.candidate.line,
            what: one.candidate.allocation.owner(),
            reason: one.reason.clone(),
        });
        let no_port = imported.skipped.iter().map(|one| SkippedView {
            port: None,
            line: one.line,
            what: one.what.clone(),
            reason: one.reason.clone(),
        });
        Self {
            dry_run: imported.dry_run,
            added: plain(&plan.added),
            same: plain(&plan.same),
            conflicts: noted(&plan.conflicts),
            out_of_range: noted(&plan.out_of_range),
            skipped: left.chain(no_port).collect(),
            replaced: plan.replaced.iter().map(|one| AllocationView::recorded(one, host)).collect(),
            reservations: plan.reservations.iter().map(ReservedView::from).collect(),
            unclear: plan.unclear.clone(),
            warnings: imported.warnings.clone(),
            error: error.map(ErrorBody::from),
        }
    }
}

/// Where a document was written, or the document, if it is no JSON itself.
#[derive(Debug, Serialize)]
pub struct ExportView {
    /// Its format.
    pub format: &'static str,
    /// The file it was written into; null if it is in `text`.
    pub output: Option<String>,
    /// The document; null if it is in a file.
    pub text: Option<String>,
    /// How many allocations were exported.
    pub count: usize,
}
