//! What `get`, `url` and `open` share: which service is meant, and the one allocation that answers.

use crate::api::views::{AllocationView, AllocationsView};
use crate::context::Context;
use crate::ops::env::GetRequest;
use crate::output::Output;
use crate::registry::{Allocation, EnvironmentName, ServicePath};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct ServiceArgs {
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

impl ServiceArgs {
    /// Returns the request for its port, to be allocated if there is none.
    pub(super) fn request(self) -> GetRequest {
        let (project, service) = match self.service {
            Some(path) => (path.project, Some(path.service)),
            None => (None, None),
        };
        GetRequest { project, service, environment: self.environment, allocate: true, session: None }
    }
}

/// Prints the allocation as the answer's object.
pub(super) fn object(ctx: &mut Context, out: &Output, allocation: &Allocation) {
    let allocations = vec![AllocationView::recorded(allocation, &ctx.host.name)];
    out.object(AllocationsView { allocations, warnings: ctx.take_notes() });
}

/// The same, with this URL in it.
pub(super) fn object_at(ctx: &mut Context, out: &Output, allocation: &Allocation, url: &str) {
    let mut view = AllocationView::recorded(allocation, &ctx.host.name);
    view.url = Some(url.to_owned());
    out.object(AllocationsView { allocations: vec![view], warnings: ctx.take_notes() });
}
