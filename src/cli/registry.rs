//! `git port registry`

use clap::Subcommand;

use crate::api::views::MovedView;
use crate::context::Context;
use crate::error::Result;
use crate::ops::registry::{self, MoveRequest};
use crate::output::Output;

/// Move the registry to a server that a team shares, or back to a file
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Examples:\n  \
    git port registry move postgres://me@db.example.org/ports\n  \
    git port registry move ~/.local/state/git-port/registry.db")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Move it with all that is in it, and have your configuration name the new one
    Move {
        /// postgres://<user>@<host>:<port>/<database>, or a file
        #[arg(value_name = "url or path")]
        to: String,
        /// Also if other machines use it
        #[arg(short, long)]
        force: bool,
    },
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let Command::Move { to, force } = self.command;
        let moved = registry::move_to(ctx, &MoveRequest { to, force })?;
        out.warnings(&moved.warnings);
        if out.is_json() {
            out.object(MovedView::from(&moved));
        } else {
            out.line(&format!("Registry moved to {}", moved.to));
            let (allocations, worktrees, events) = (moved.allocations, moved.worktrees, moved.events);
            out.status(&format!(
                "{allocations} allocations, {worktrees} worktrees and {events} events, compared one by one; \
                 the one at '{}' is kept as it was, and refuses whoever comes to it",
                moved.from
            ));
        }
        Ok(0)
    }
}
