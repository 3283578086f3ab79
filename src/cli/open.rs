//! `git port open`

use crate::context::Context;
use crate::error::Result;
use crate::ops::env;
use crate::output::Output;
use crate::registry::{EnvironmentName, ServiceName};

/// Open a service in the browser
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The service [default: the primary one]
    service: Option<ServiceName>,
    /// The environment [default: dev]
    #[arg(short, long, value_name = "name")]
    environment: Option<EnvironmentName>,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let opened = env::open(ctx, self.service, self.environment)?;
        if out.is_json() {
            out.object(crate::api::views::AllocationsView {
                allocations: vec![crate::api::views::AllocationView::recorded(
                    &opened.allocation,
                    &ctx.host.name,
                )],
                warnings: ctx.take_notes(),
            });
        } else {
            out.status(&format!("Opening {}", opened.url));
        }
        Ok(0)
    }
}
