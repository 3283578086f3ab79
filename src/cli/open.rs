//! `git port open`

use super::service::{self, ServiceArgs};
use crate::context::Context;
use crate::error::Result;
use crate::ops::env;
use crate::output::Output;

/// Open a service in the browser
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// By a host name of the worktree's own, as topic.shop.localhost
    ///
    /// Chrome, Edge and Firefox find every name under localhost on this machine, and keep cookies and what
    /// pages store apart by it. Other programs often do not find it.
    #[arg(long)]
    named: bool,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let opened = env::open(ctx, &self.service.request(), self.named)?;
        if out.is_json() {
            service::object_at(ctx, out, &opened.allocation, &opened.url);
        } else {
            out.status(&format!("Opening {}", opened.url));
        }
        Ok(0)
    }
}
