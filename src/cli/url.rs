//! `git port url`

use super::service::{self, ServiceArgs};
use crate::context::Context;
use crate::error::Result;
use crate::ops::env;
use crate::output::Output;

/// Print the URL of a service
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    service: ServiceArgs,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let located = env::locate(ctx, &self.service.request())?;
        if out.is_json() {
            service::object(ctx, out, &located.allocation);
        } else {
            out.line(&located.url);
        }
        Ok(0)
    }
}
