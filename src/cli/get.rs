//! `git port get`

use super::session;
use crate::api::views::{AllocationView, AllocationsView};
use crate::context::Context;
use crate::error::Result;
use crate::ops::env::{self, GetRequest};
use crate::output::Output;
use crate::registry::{EnvironmentName, ServicePath};

/// Print the worktree's port, allocating it if there is none
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The service, or <project>/<service> [default: the primary one]
    ///
    /// Of another project it is that of the worktree with the same branch, else of the main worktree,
    /// else the one without a worktree; nothing is allocated there.
    #[arg(value_name = "service")]
    service: Option<ServicePath>,
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
            project: self.service.as_ref().and_then(|path| path.project.clone()),
            service: self.service.map(|path| path.service),
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
