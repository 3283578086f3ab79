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
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let opened = env::open(ctx, &self.service.request())?;
        if out.is_json() {
            service::object(ctx, out, &opened.allocation);
        } else {
            out.status(&format!("Opening {}", opened.url));
        }
        Ok(0)
    }
}
