//! `git port init`

use serde::Serialize;

use crate::api::views::AllocationView;
use crate::context::Context;
use crate::error::Result;
use crate::ops::init::{self, Proposed};
use crate::output::{Output, text};
use crate::registry::Port;

/// Set up this repository: configuration, hook, ports
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Ask nothing: for scripts that say so to everything, for nothing is ever asked
    #[arg(short = 'y', long = "yes")]
    _yes: bool,
}

#[derive(Serialize)]
struct ServiceView<'a> {
    service: &'a str,
    service_type: &'a str,
    why: &'a str,
    prefer: Option<u16>,
}

#[derive(Serialize)]
struct GapView<'a> {
    code: &'a str,
    message: &'a str,
    fix: &'a str,
}

#[derive(Serialize)]
struct View<'a> {
    dry_run: bool,
    config_file: String,
    written: bool,
    hook: bool,
    services: Vec<ServiceView<'a>>,
    unwired: Vec<GapView<'a>>,
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
                services: initialized.proposed.iter().map(service).collect(),
                unwired: initialized
                    .unwired
                    .iter()
                    .map(|gap| GapView { code: gap.code, message: &gap.message, fix: &gap.fix })
                    .collect(),
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

fn service(proposed: &Proposed) -> ServiceView<'_> {
    let Proposed { found, prefer } = proposed;
    ServiceView {
        service: found.service.as_str(),
        service_type: found.service_type,
        why: &found.why,
        prefer: prefer.map(Port::number),
    }
}
