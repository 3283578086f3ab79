//! `git port init`

use serde::Serialize;

use crate::api::views::AllocationView;
use crate::context::Context;
use crate::error::Result;
use crate::ops::init;
use crate::output::{Output, text};

/// Set up this repository: configuration, hook, ports
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct View<'a> {
    dry_run: bool,
    config_file: String,
    written: bool,
    hook: bool,
    allocations: Vec<AllocationView>,
    warnings: &'a [String],
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let initialized = init::init(ctx, self.dry_run)?;
        out.warnings(&initialized.warnings);
        if out.is_json() {
            out.object(View {
                dry_run: initialized.dry_run,
                config_file: initialized.config_file.to_string_lossy().into_owned(),
                written: initialized.written.is_some() && !initialized.dry_run,
                hook: initialized.hook.is_some(),
                allocations: initialized
                    .placed
                    .iter()
                    .map(|one| AllocationView::placed(one, &ctx.host.name))
                    .collect(),
                warnings: &initialized.warnings,
            });
        } else {
            text::initialized(out, &initialized);
        }
        Ok(0)
    }
}
