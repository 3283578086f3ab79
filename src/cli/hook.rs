//! `git port hook`

mod agent;

use std::ffi::OsString;
use std::time::Duration;

use clap::Subcommand;
use serde::Serialize;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::git::hooks::Mechanism;
use crate::ops::hook;
pub(super) use crate::ops::hook::is_idle;
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
    /// What Claude Code runs
    #[command(hide = true)]
    Claude(Happened),
    /// What Codex runs
    #[command(hide = true)]
    Codex(Happened),
    /// What Conductor runs
    #[command(hide = true)]
    Conductor(Happened),
    /// What Cursor runs
    #[command(hide = true)]
    Cursor(Happened),
    /// What Emdash runs
    #[command(hide = true)]
    Emdash(Happened),
    /// What Gemini CLI runs
    #[command(hide = true)]
    Gemini(Happened),
    /// What git-worktree-runner runs
    #[command(hide = true)]
    Gtr(Happened),
    /// What worktrunk runs
    #[command(hide = true)]
    Worktrunk(Happened),
    /// What Zed runs
    #[command(hide = true)]
    Zed(Happened),
}

#[derive(Debug, clap::Args)]
struct Happened {
    /// What has happened
    #[arg(value_name = "event")]
    event: agent::Event,
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

/// Returns what git passes if it runs us as a hook.
pub(super) fn arguments(args: &[OsString]) -> Option<&[OsString]> {
    match args {
        [_, hook, name, rest @ ..] if hook == "hook" && name == "post-checkout" => Some(rest),
        _ => None,
    }
}

/// Says whether an agent, or an app around one, runs us as its hook.
pub(super) fn is_agents(args: &[OsString]) -> bool {
    matches!(args, [_, hook, name, ..] if hook == "hook" && agent::HOSTS.iter().any(|host| name == host))
}

impl Args {
    /// Says how long git-port waits for locks, where git or an agent waits for git-port.
    pub(super) fn patience(&self) -> Option<Duration> {
        match self.command {
            Command::Install(_) | Command::Uninstall(_) | Command::Status(_) => None,
            Command::PostCheckout { .. } => Some(hook::PATIENCE),
            _ => Some(agent::PATIENCE),
        }
    }

    /// Says whether there is anything to do, before the registry is opened for it: a hook for all
    /// repositories is called in many that have no use for ports.
    pub(super) fn has_work(&self, ctx: &mut Context, out: &Output) -> bool {
        if !matches!(self.command, Command::PostCheckout { .. }) {
            return true;
        }
        hook::is_wanted(ctx).unwrap_or_else(|error| {
            tell_failure(out, &error);
            false
        })
    }

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
            Command::PostCheckout { .. } => post_checkout(ctx, out),
            Command::Claude(one) => agent::answer("claude", one.event, ctx, out),
            Command::Codex(one) => agent::answer("codex", one.event, ctx, out),
            Command::Conductor(one) => agent::answer("conductor", one.event, ctx, out),
            Command::Cursor(one) => agent::answer("cursor", one.event, ctx, out),
            Command::Emdash(one) => agent::answer("emdash", one.event, ctx, out),
            Command::Gemini(one) => agent::answer("gemini", one.event, ctx, out),
            Command::Gtr(one) => agent::answer("gtr", one.event, ctx, out),
            Command::Worktrunk(one) => agent::answer("worktrunk", one.event, ctx, out),
            Command::Zed(one) => agent::answer("zed", one.event, ctx, out),
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
fn post_checkout(ctx: &mut Context, out: &Output) {
    match hook::post_checkout(ctx) {
        Ok(placed) => {
            for one in placed {
                out.status(&format!("Allocated Port: {} ({})", one.allocation.port, one.allocation.service));
            }
        }
        Err(error) => tell_failure(out, &error),
    }
}

fn tell_failure(out: &Output, error: &Error) {
    out.warning(&format!("this worktree has no ports yet: {}", error.full_message()));
}

fn describe(mechanism: &Mechanism) -> String {
    match mechanism {
        Mechanism::ConfigHook => "the configuration 'hook.git-port'".to_owned(),
        Mechanism::HookFile(path) => path.to_string_lossy().into_owned(),
        Mechanism::Template(path) => format!("the template '{}' for new clones", path.to_string_lossy()),
    }
}
