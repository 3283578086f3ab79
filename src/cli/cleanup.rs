//! `git port cleanup`

use crate::api::views::CleanupView;
use crate::context::Context;
use crate::error::Result;
use crate::ops::cleanup::{self, CleanupRequest};
use crate::output::{Output, text};

/// Release ports of worktrees that are gone, forget old ones
#[derive(Debug, clap::Args)]
#[command(visible_alias = "prune")]
pub(super) struct Args {
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Forget what was released longer ago than this [default: 30d]
    #[arg(long, value_name = "duration")]
    older_than: Option<String>,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let older_than = self.older_than.as_deref().map(super::duration).transpose()?;
        let cleaned = cleanup::cleanup(ctx, &CleanupRequest { dry_run: self.dry_run, older_than })?;
        out.warnings(&cleaned.warnings);
        if out.is_json() {
            out.object(CleanupView::new(&cleaned, &ctx.host.name));
        } else {
            text::cleaned(out, &cleaned);
        }
        Ok(0)
    }
}
