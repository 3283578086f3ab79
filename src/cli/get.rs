//! `git port get`

use super::session;
use crate::api::views::{AllocationView, AllocationsView};
use crate::context::Context;
use crate::error::Result;
use crate::ops::env::{self, GetRequest};
use crate::output::Output;
use crate::registry::{EnvironmentName, ServiceName};

/// Print the worktree's port, allocating it if there is none
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The service [default: the primary one]
    #[arg(value_name = "service")]
    service: Option<ServiceName>,
    /// The environment [default: dev]
    #[arg(short, long, value_name = "name")]
    environment: Option<EnvironmentName>,
    /// Allocate nothing; exit with 1 if there is none
    #[arg(long)]
    no_allocate: bool,
    /// Note which conversation or agent asks [default: $GIT_PORT_SESSION]
    #[arg(long, value_name = "name")]
    session: Option<String>,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let request = GetRequest {
            service: self.service,
            environment: self.environment,
            allocate: !self.no_allocate,
            session: session(self.session, ctx)?,
        };
        let allocation = env::get(ctx, &request)?;
        if out.is_json() {
            let allocations = vec![AllocationView::recorded(&allocation, &ctx.host.name)];
            out.object(AllocationsView { allocations, warnings: ctx.take_notes() });
        } else {
            out.line(&allocation.port.to_string());
        }
        Ok(0)
    }
}
