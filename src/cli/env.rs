//! `git port env`

use crate::context::Context;
use crate::error::{Error, Result};
use crate::ops::env::{self, Environmental};
use crate::output::Output;
use crate::registry::EnvironmentName;
use crate::template::shell::{self, Format};

/// Print the worktree's variables
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    eval \"$(git port env)\"\n  \
    git port env --format fish | source\n  \
    git port env --format powershell | Invoke-Expression\n  \
    git port env --format github >> \"$GITHUB_ENV\"")]
pub(super) struct Args {
    /// sh, fish, powershell, dotenv, json or github
    #[arg(long, value_name = "format", default_value = "sh")]
    format: String,
    /// The environment [default: dev]
    #[arg(short, long, value_name = "name")]
    environment: Option<EnvironmentName>,
    /// Allocate nothing
    #[arg(long)]
    no_allocate: bool,
}

impl Args {
    /// Answers from the worktree's own copy, if that is sure to be right.
    pub(super) fn run_at_hand(&self, ctx: &mut Context, out: &Output) -> Option<Result<u8>> {
        let format = self.format(out).ok()?;
        let environmental = env::find_env_at_hand(ctx, self.environment.as_ref())?;
        Some(environmental.and_then(|environmental| print(out, format, &environmental)))
    }

    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let format = self.format(out)?;
        let environmental = env::env(ctx, self.environment.as_ref(), !self.no_allocate)?;
        print(out, format, &environmental)
    }

    fn format(&self, out: &Output) -> Result<Format> {
        let format: Format = self.format.parse().map_err(|error: crate::template::TemplateError| Error {
            hints: error.hints.clone(),
            ..Error::usage(error)
        })?;
        Ok(if out.is_json() { Format::Json } else { format })
    }
}

fn print(out: &Output, format: Format, environmental: &Environmental) -> Result<u8> {
    let text = shell::render(format, &environmental.variables)?;
    out.raw(text.as_bytes());
    if !text.ends_with('\n') && !text.is_empty() {
        out.raw(b"\n");
    }
    Ok(0)
}
