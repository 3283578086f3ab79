//! `git port doctor`

use crate::api::views::doctor::DiagnosisView;
use crate::context::Context;
use crate::error::Result;
use crate::ops::doctor::{self, DoctorRequest};
use crate::output::{Output, text};

/// Exit status where something is wrong.
const UNHEALTHY: u8 = 1;

/// Find what is wrong or not wired, and say the fix
///
/// Exits with 1 if something is wrong, and 0 if nothing is or all of it was mended.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Mend what is safe to mend; nothing of yours is deleted, no port is released
    #[arg(long)]
    fix: bool,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let diagnosis = doctor::doctor(ctx, &DoctorRequest { fix: self.fix })?;
        if out.is_json() {
            out.object(DiagnosisView::from(&diagnosis));
        } else {
            text::diagnosis(out, &diagnosis);
        }
        Ok(if diagnosis.is_healthy() { 0 } else { UNHEALTHY })
    }
}
