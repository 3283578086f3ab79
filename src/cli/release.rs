//! `git port release`

use std::path::PathBuf;

use crate::api::views::{AllocationView, ReleasedView};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ops::release::{self, ReleaseRequest, Target};
use crate::output::Output;
use crate::registry::{EnvironmentName, ProjectName, Protocol};

/// Give ports back
#[derive(Debug, clap::Args)]
#[expect(clippy::option_option, reason = "an option whose value may be left out")]
#[command(visible_alias = "rm")]
#[command(after_help = "Examples:\n  \
    git port release web               a service of this worktree\n  \
    git port release 8001 8002         these ports, whosever they are\n  \
    git port release --worktree        all of this worktree")]
pub(super) struct Args {
    /// Ports, or services of this worktree
    #[arg(value_name = "port or service")]
    targets: Vec<String>,
    /// All of one worktree's [default: the one you stand in]
    #[arg(short, long, value_name = "path")]
    worktree: Option<Option<PathBuf>>,
    /// Services of this project that have no worktree
    #[arg(long, value_name = "name")]
    project: Option<ProjectName>,
    /// Only in this environment
    #[arg(short, long, value_name = "name")]
    environment: Option<EnvironmentName>,
    /// Only tcp or udp
    #[arg(long, value_name = "protocol")]
    protocol: Option<Protocol>,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        if self.targets.is_empty() && self.worktree.is_none() {
            return Err(Error::usage("nothing is named to release")
                .hint("git port release <port or service>, or git port release --worktree"));
        }
        let target = |word: &String| -> Result<Target> {
            Ok(if word.starts_with(|c: char| c.is_ascii_digit()) {
                Target::Port(word.parse()?)
            } else {
                Target::Service(word.parse()?)
            })
        };
        let request = ReleaseRequest {
            targets: self.targets.iter().map(target).collect::<Result<_>>()?,
            worktree: self.worktree.map(Option::unwrap_or_default),
            project: self.project,
            environment: self.environment,
            protocol: self.protocol,
        };
        let done = release::release(ctx, &request)?;
        out.warnings(&done.warnings);
        if out.is_json() {
            let view = |allocation| AllocationView::recorded(allocation, &ctx.host.name);
            out.object(ReleasedView {
                released: done.released.iter().map(view).collect(),
                warnings: done.warnings,
            });
        } else {
            for allocation in &done.released {
                out.line(&format!("Port {} released successfully", allocation.port));
            }
        }
        Ok(0)
    }
}
