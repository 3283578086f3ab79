//! `git port mcp`

use std::io::{self, IsTerminal};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::mcp;

/// Serve agents over the Model Context Protocol, on standard input and output
///
/// An agent starts it by itself once it is told to; 'git port integrate' tells it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    claude mcp add git-port -- git-port mcp\n  \
    git port integrate cursor --write  or whichever you use")]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self, ctx: &mut Context) -> Result<u8> {
        let Self {} = self;
        if io::stdin().is_terminal() {
            return Err(Error::usage("a program is to speak on standard input, and this is a terminal")
                .hint("tell an agent to start it: git port integrate --list"));
        }
        mcp::serve(ctx)?;
        Ok(0)
    }
}
