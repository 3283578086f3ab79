//! `git port hook`

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use clap::Subcommand;
use serde::Serialize;

use crate::context::Context;
use crate::error::Result;
use crate::git::hooks::Mechanism;
use crate::ops::hook;
use crate::output::Output;

/// Install the hook that gives plain git worktree add its ports
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Examples:\n  \
    git port hook install              in this repository\n  \
    git port hook install --global     wherever a .git-port.toml is\n  \
    git port hook status")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install it in this repository
    Install(Where),
    /// Remove it, and nothing else
    Uninstall(Where),
    /// Say whether it is installed and would run
    Status(Where),
    /// What git runs
    #[command(hide = true)]
    PostCheckout {
        /// What git passes: old commit, new commit, 1 for a branch
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

#[derive(Debug, clap::Args)]
struct Where {
    /// For all repositories
    #[arg(long)]
    global: bool,
}

#[derive(Serialize)]
struct View {
    mechanisms: Vec<String>,
    changed: bool,
    fires: Option<bool>,
    notes: Vec<String>,
}

/// Says whether git runs us as a hook, which must end with 0 whatever happens.
pub(super) fn is_entry_point(args: &[OsString]) -> bool {
    args.get(1).is_some_and(|arg| arg == "hook") && args.get(2).is_some_and(|arg| arg == "post-checkout")
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        match self.command {
            Command::Install(Where { global }) => {
                let installed = hook::install(ctx, global)?;
                let mechanism = describe(&installed.mechanism);
                if out.is_json() {
                    let (changed, notes) = (installed.changed, installed.notes);
                    out.object(View { mechanisms: vec![mechanism], changed, fires: None, notes });
                } else {
                    out.warnings(&installed.notes);
                    let verb = if installed.changed { "Installed" } else { "Already installed" };
                    out.line(&format!("{verb}: {mechanism}"));
                }
            }
            Command::Uninstall(Where { global }) => {
                let uninstalled = hook::uninstall(ctx, global)?;
                if out.is_json() {
                    let (mechanisms, notes) = (uninstalled.removed, uninstalled.notes);
                    out.object(View { changed: !mechanisms.is_empty(), mechanisms, fires: None, notes });
                } else {
                    out.warnings(&uninstalled.notes);
                    uninstalled.removed.iter().for_each(|removed| out.line(&format!("Removed: {removed}")));
                    if uninstalled.removed.is_empty() {
                        out.line("Nothing was installed");
                    }
                }
            }
            Command::Status(Where { global }) => return status(ctx, out, global),
            Command::PostCheckout { arguments } => post_checkout(ctx, out, &arguments),
        }
        Ok(0)
    }
}

fn status(ctx: &mut Context, out: &Output, global: bool) -> Result<u8> {
    let status = hook::status(ctx, global)?;
    let mechanisms: Vec<String> = status.installed.iter().map(describe).collect();
    let negative = u8::from(!status.fires);
    if out.is_json() {
        let notes = status.problems.iter().map(|problem| problem.message.clone()).collect();
        out.object(View { mechanisms, changed: false, fires: Some(status.fires), notes });
        return Ok(negative);
    }
    for mechanism in &mechanisms {
        out.line(&format!("Installed: {mechanism}"));
    }
    if mechanisms.is_empty() {
        out.line("Not installed");
        out.hint("install it: git port hook install");
    } else if !status.fires {
        out.line("It would not run");
    }
    for problem in &status.problems {
        out.warning(&problem.message);
        out.hint(&problem.hint);
    }
    Ok(negative)
}

/// Nothing that happens here may keep git from its work, so nothing is reported as a failure.
fn post_checkout(ctx: &mut Context, out: &Output, arguments: &[OsString]) {
    match catch_unwind(AssertUnwindSafe(|| hook::post_checkout(ctx, arguments))) {
        Ok(Ok(placed)) => {
            for one in placed {
                out.status(&format!("Allocated Port: {} ({})", one.allocation.port, one.allocation.service));
            }
        }
        Ok(Err(error)) => out.warning(&format!("this worktree has no ports yet: {}", error.full_message())),
        Err(_) => out.warning("this worktree has no ports yet: git-port failed"),
    }
}

fn describe(mechanism: &Mechanism) -> String {
    match mechanism {
        Mechanism::ConfigHook => "the configuration 'hook.git-port'".to_owned(),
        Mechanism::HookFile(path) => path.to_string_lossy().into_owned(),
        Mechanism::Template(path) => format!("the template '{}' for new clones", path.to_string_lossy()),
    }
}
