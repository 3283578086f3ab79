//! `git port audit`

use crate::api::views::AuditView;
use crate::context::Context;
use crate::error::Result;
use crate::ops::audit;
use crate::output::{Output, text};

/// Exit status where somebody else's process has an allocated port.
const CONFLICT: u8 = 1;
/// Exit status where the machine does not let us look.
const UNDETERMINED: u8 = 3;

/// Compare the registry with what listens on this machine
///
/// Exits with 1 if somebody else's process has an allocated port, 3 if it cannot be determined who listens.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let Self {} = self;
        let audited = audit::audit(ctx)?;
        if out.is_json() {
            out.object(AuditView::from(&audited));
        } else {
            text::audited(out, &audited);
        }
        if !audited.orphaned.is_empty() {
            out.hint("release what is orphaned: git port cleanup");
        }
        Ok(match (audited.conflicts.is_empty(), audited.unknown) {
            (false, _) => CONFLICT,
            (true, 0) => 0,
            (true, _) => UNDETERMINED,
        })
    }
}
