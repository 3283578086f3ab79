//! `git port url`

use crate::api::views::{AllocationView, AllocationsView};
use crate::context::Context;
use crate::error::Result;
use crate::ops::env::{self, Located};
use crate::output::Output;
use crate::registry::{EnvironmentName, ServicePath};

/// Print the URL of a service
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
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let project = self.service.as_ref().and_then(|path| path.project.clone());
        let service = self.service.map(|path| path.service);
        let Located { allocation, url } = env::locate(ctx, project, service, self.environment)?;
        if out.is_json() {
            let allocations = vec![AllocationView::recorded(&allocation, &ctx.host.name)];
            out.object(AllocationsView { allocations, warnings: ctx.take_notes() });
        } else {
            out.line(&url);
        }
        Ok(0)
    }
}
