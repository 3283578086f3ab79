//! `git port url`

use crate::api::views::{AllocationView, AllocationsView};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::ops::env::{self, GetRequest};
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
        let request = GetRequest {
            service: self.service,
            environment: self.environment,
            allocate: true,
            session: None,
        };
        let allocation = env::get(ctx, &request)?;
        let Some(url) = allocation.url() else {
            let message = format!("'{}' is no service that one opens in a browser", allocation.service);
            return Err(Error::new(ErrorKind::NotFound, message)
                .hint(format!("its port: git port get {}", allocation.service)));
        };
        if out.is_json() {
            let allocations = vec![AllocationView::recorded(&allocation, &ctx.host.name)];
            out.object(AllocationsView { allocations, warnings: Vec::new() });
        } else {
            out.line(&url);
        }
        Ok(0)
    }
}
