//! `git port update`

use crate::api::views::{AllocationView, AllocationsView};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ops::update::{self, UpdateRequest};
use crate::output::Output;
use crate::registry::{Port, Protocol, ServiceName};

/// Change what is noted about an allocation
///
/// An empty text removes what was noted.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    git port update 8001 --description \"the shop's front end\"\n  \
    git port update 8001 --pin         no cleanup releases it")]
pub(super) struct Args {
    /// The port
    #[arg(value_name = "port")]
    port: Port,
    /// What it is for
    #[arg(long, value_name = "text")]
    description: Option<String>,
    /// What kind of service it is: web, api, db, …
    #[arg(long = "type", value_name = "kind")]
    service_type: Option<String>,
    /// The name it is reached by from outside
    #[arg(long, value_name = "name", value_parser = super::public_hostname)]
    public_hostname: Option<String>,
    /// Another name for the service
    #[arg(long, value_name = "name")]
    service: Option<ServiceName>,
    /// Keep it, whatever becomes of its worktree
    #[arg(long, conflicts_with = "unpin")]
    pin: bool,
    /// Let a cleanup release it again
    #[arg(long)]
    unpin: bool,
    /// tcp or udp
    #[arg(long, value_name = "protocol", default_value = "tcp")]
    protocol: Protocol,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let request = UpdateRequest {
            description: self.description,
            service_type: self.service_type,
            public_hostname: self.public_hostname,
            service: self.service,
            pinned: (self.pin || self.unpin).then_some(self.pin),
        };
        let UpdateRequest { description, service_type, public_hostname, service, pinned } = &request;
        if [description, service_type, public_hostname].iter().all(|field| field.is_none())
            && service.is_none()
            && pinned.is_none()
        {
            return Err(
                Error::usage("nothing is named to change").hint("see what can be: git port update -h")
            );
        }
        let updated = update::update(ctx, self.port, self.protocol, &request)?;
        out.warnings(&updated.warnings);
        if out.is_json() {
            let allocations = vec![AllocationView::recorded(&updated.allocation, &ctx.host.name)];
            out.object(AllocationsView { allocations, warnings: updated.warnings });
        } else {
            out.line(&format!("Port {} updated", updated.allocation.port));
        }
        Ok(0)
    }
}
