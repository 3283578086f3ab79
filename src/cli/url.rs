//! `git port url`

use crate::api::views::{AllocationView, AllocationsView};
use crate::context::Context;
use crate::error::Result;
use crate::ops::env::{self, Located};
use crate::output::Output;
use crate::registry::{EnvironmentName, ServiceName};

/// Print the URL of a service
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The service [default: the primary one]
    #[arg(value_name = "service")]
    service: Option<ServiceName>,
    /// The environment [default: dev]
    #[arg(short, long, value_name = "name")]
    environment: Option<EnvironmentName>,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let Located { allocation, url } = env::locate(ctx, self.service, self.environment)?;
        if out.is_json() {
            let allocations = vec![AllocationView::recorded(&allocation, &ctx.host.name)];
            out.object(AllocationsView { allocations, warnings: ctx.take_notes() });
        } else {
            out.line(&url);
        }
        Ok(0)
    }
}
