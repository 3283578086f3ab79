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
    /// Answers from the worktree's own copy, if that is sure to be right.
    pub(super) fn run_at_hand(&self, ctx: &mut Context, out: &Output) -> Option<Result<u8>> {
        // The object has more in it than a copy.
        let false = out.is_json() else { return None };
        let allocation = env::find_at_hand(ctx, &self.service.clone().request())?;
        out.line(&allocation.port.to_string());
        Some(Ok(0))
    }

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
