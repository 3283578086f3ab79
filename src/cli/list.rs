//! `git port list`

use std::path::PathBuf;

use crate::api::views::{AllocationView, AllocationsView};
use crate::context::Context;
use crate::error::Result;
use crate::ops::list::{self, ListRequest};
use crate::output::{Output, text};
use crate::registry::{EnvironmentName, ProjectName, State};

/// List allocations: of this project, or of all outside a repository
#[derive(Debug, clap::Args)]
#[expect(clippy::option_option, reason = "an option whose value may be left out")]
#[command(visible_alias = "ls")]
#[command(after_help = "Examples:\n  \
    git port list                      this project\n  \
    git port list --worktree           this worktree\n  \
    git port list --all --state active what runs, in all projects\n  \
    git port list --all --host build1  of a team's machine")]
pub(super) struct Args {
    /// Of one worktree [default: the one you stand in]
    #[arg(short, long, value_name = "path")]
    worktree: Option<Option<PathBuf>>,
    /// Of one project [default: the one you stand in]
    #[arg(short, long, value_name = "name")]
    project: Option<Option<ProjectName>>,
    /// In one environment
    #[arg(short, long, value_name = "name")]
    environment: Option<EnvironmentName>,
    /// In one state: allocated, active, foreign, orphaned, released, unknown
    #[arg(short, long, value_name = "state")]
    state: Option<State>,
    /// Asked for by one conversation or agent
    #[arg(long, value_name = "name")]
    session: Option<String>,
    /// On one machine, by its name
    #[arg(long, value_name = "name")]
    host: Option<String>,
    /// Your own, on whatever machine
    #[arg(long)]
    mine: bool,
    /// Of all projects
    #[arg(short, long)]
    all: bool,
    /// Released ones too
    #[arg(long)]
    released: bool,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let request = ListRequest {
            worktree: self.worktree.map(Option::unwrap_or_default),
            project: self.project,
            environment: self.environment,
            port: None,
            state: self.state,
            session: self.session,
            host: self.host,
            mine: self.mine,
            all: self.all,
            released: self.released,
        };
        let listed = list::list(ctx, &request)?;
        if out.is_json() {
            let allocations = listed.iter().map(AllocationView::from).collect();
            out.object(AllocationsView { allocations, warnings: Vec::new() });
        } else if listed.is_empty() {
            out.status("No ports are allocated.");
            out.hint("allocate one: git port allocate <service>, or git port worktree create <branch>");
        } else {
            let first = &listed[0].allocation.project;
            let several = self.all || listed.iter().any(|one| one.allocation.project != *first);
            text::allocations(out, &listed, several);
        }
        Ok(0)
    }
}
