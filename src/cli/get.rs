//! `git port get`

use super::service::{self, ServiceArgs};
use super::session;
use crate::context::Context;
use crate::error::Result;
use crate::ops::env::{self, GetRequest};
use crate::output::Output;

/// Print the worktree's port, allocating it if there is none
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// Allocate nothing; exit with 1 if there is none
    #[arg(long)]
    no_allocate: bool,
    /// Note which conversation or agent asks [default: $GIT_PORT_SESSION]
    #[arg(long, value_name = "name")]
    session: Option<String>,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let session = session(self.session, ctx)?;
        let request = GetRequest { allocate: !self.no_allocate, session, ..self.service.request() };
        let allocation = env::get(ctx, &request)?;
        if out.is_json() {
            service::object(ctx, out, &allocation);
        } else {
            out.line(&allocation.port.to_string());
        }
        Ok(0)
    }
}
