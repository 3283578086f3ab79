//! `git port watch`

use std::time::Duration;

use serde::Serialize;

use crate::api::views::AllocationView;
use crate::context::Context;
use crate::error::Result;
use crate::ops::service;
use crate::ops::watch::{self, Happened, WatchRequest};
use crate::output::{Output, escape};

/// Release ports of worktrees that disappear, while it runs
///
/// Worktrees that appear without any hook get their ports, too. With --json each event is an object on a
/// line of its own.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How long a worktree must be gone [default: 3s]
    #[arg(long, value_name = "duration")]
    grace: Option<String>,
    /// How often to look without being nudged [default: 1m]
    #[arg(long, value_name = "duration")]
    rescan: Option<String>,
    /// Run it from now on, as a service of this user
    #[arg(long, conflicts_with = "uninstall")]
    install: bool,
    /// Remove that service
    #[arg(long)]
    uninstall: bool,
}

#[derive(Serialize)]
struct EventView {
    event: &'static str,
    worktree: Option<String>,
    allocations: Vec<AllocationView>,
    message: Option<String>,
}

#[derive(Serialize)]
struct ServiceView {
    path: String,
    changed: bool,
    notes: Vec<String>,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        if self.install || self.uninstall {
            return self.set_up(ctx, out);
        }
        let default = WatchRequest::default();
        let request = WatchRequest {
            grace: duration(self.grace.as_deref())?.unwrap_or(default.grace),
            rescan: duration(self.rescan.as_deref())?
                .unwrap_or(default.rescan)
                .max(Duration::from_millis(100)),
        };
        let host = ctx.host.name.clone();
        watch::watch(ctx, request, &mut |happened| {
            if out.is_json() {
                out.object(view(&happened, &host));
            } else {
                out.line(&escape(&words(&happened)));
            }
            out.flush();
        })?;
        Ok(0)
    }

    fn set_up(&self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let done = if self.install { service::install(ctx)? } else { service::uninstall(ctx)? };
        let path = done.path.to_string_lossy().into_owned();
        if out.is_json() {
            out.object(ServiceView { path, changed: done.changed, notes: done.notes });
            return Ok(0);
        }
        out.warnings(&done.notes);
        out.line(&escape(&match (self.install, done.changed) {
            (true, true) => format!("Installed: {path}"),
            (true, false) => format!("Already installed: {path}"),
            (false, true) => format!("Removed: {path}"),
            (false, false) => "Nothing was installed".to_owned(),
        }));
        Ok(0)
    }
}

fn duration(text: Option<&str>) -> Result<Option<Duration>> {
    let duration = text.map(super::duration).transpose()?;
    Ok(duration.map(|duration| Duration::try_from(duration).unwrap_or(Duration::ZERO)))
}

fn words(happened: &Happened) -> String {
    match happened {
        Happened::Started { worktrees } => format!("watching {worktrees} worktrees"),
        Happened::Allocated { worktree, allocation } => {
            format!("allocated {} to {} ({})", allocation.port, allocation.owner(), worktree.display())
        }
        Happened::Vanished { worktree, verdict } => format!("vanished {}: {verdict}", worktree.display()),
        Happened::Returned { worktree } => format!("returned {}", worktree.display()),
        Happened::Released { allocation } => {
            format!("released {} of {}", allocation.port, allocation.owner())
        }
        Happened::Trouble { message } => format!("trouble: {message}"),
        Happened::Stopped => "stopped".to_owned(),
    }
}

fn view(happened: &Happened, host: &str) -> EventView {
    let path = |path: &std::path::Path| Some(path.to_string_lossy().into_owned());
    let empty = |event| EventView { event, worktree: None, allocations: Vec::new(), message: None };
    match happened {
        Happened::Started { worktrees } => {
            EventView { message: Some(format!("{worktrees} worktrees")), ..empty("started") }
        }
        Happened::Allocated { worktree, allocation } => EventView {
            worktree: path(worktree),
            allocations: vec![AllocationView::recorded(allocation, host)],
            ..empty("allocated")
        },
        Happened::Vanished { worktree, verdict } => {
            EventView { worktree: path(worktree), message: Some(verdict.to_string()), ..empty("vanished") }
        }
        Happened::Returned { worktree } => EventView { worktree: path(worktree), ..empty("returned") },
        Happened::Released { allocation } => EventView {
            worktree: allocation.path.as_deref().and_then(path),
            allocations: vec![AllocationView::recorded(allocation, host)],
            ..empty("released")
        },
        Happened::Trouble { message } => EventView { message: Some(message.clone()), ..empty("trouble") },
        Happened::Stopped => empty("stopped"),
    }
}
