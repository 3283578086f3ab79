//! The answers in words.

mod doctor;
mod health;
mod import;
pub mod template;

use std::path::Path;

use super::{Cell, Output, Style, Table, escape};
use crate::ops::allocate::{Allocated, Placed};
use crate::ops::audit::Audited;
use crate::ops::check::Checked;
use crate::ops::cleanup::CleanedUp;
use crate::ops::init::{Initialized, Proposed};
use crate::ops::list::Listed;
use crate::ops::machine::{self, Process};
use crate::ops::range::RangesInForce;
use crate::ops::stats::{RangeStats, Summary};
use crate::ops::suggest::Suggested;
use crate::ops::worktree::{Created, Removed, WithPorts};
use crate::registry::allocator::Probe;
use crate::registry::{Allocation, Event, RangeRecord, State};

pub use doctor::diagnosis;
pub use health::health;
pub use import::imported;

/// Prints what `allocate` did.
pub fn allocated(out: &Output, allocated: &Allocated, usage: Option<&str>) {
    let created = allocated.placed.iter().any(|placed| placed.created);
    let title = if created { "Port allocated!" } else { "Port already allocated." };
    out.line(&out.paint(if created { Style::Good } else { Style::Plain }, title));
    for placed in &allocated.placed {
        let allocation = &placed.allocation;
        out.line("");
        out.line(&format!("Port: {}", out.paint(Style::Strong, &allocation.port.to_string())));
        out.line(&format!("Service: {}", allocation.service));
        out.line(&format!("Environment: {}", allocation.environment));
        if let Some(description) = &allocation.description {
            out.line(&format!("Description: {}", escape(description)));
        }
    }
    if let Some(usage) = usage {
        out.line("");
        out.line(&format!("Use: {}", escape(usage)));
    }
}

/// Prints what `worktree create` made.
pub fn created(out: &Output, created: &Created) {
    let described = &created.described;
    out.line(&out.paint(Style::Good, "Worktree created!"));
    out.line("");
    let branch = described.branch.clone().unwrap_or_else(|| "(detached HEAD)".to_owned());
    out.line(&format!("Branch: {}", escape(&branch)));
    out.line(&format!("Path: {}", escape(&described.worktree.path.to_string_lossy())));
    ports(out, &created.placed);
    if let Some(usage) = &created.usage {
        out.line(&format!("Use: {}", escape(usage)));
    }
}

/// Prints a line for each port that was given.
pub fn ports(out: &Output, placed: &[Placed]) {
    for one in placed {
        let allocation = &one.allocation;
        let port = out.paint(Style::Strong, &allocation.port.to_string());
        let service = if placed.len() > 1 { format!(" ({})", allocation.service) } else { String::new() };
        out.line(&format!("Allocated Port: {port}{service}"));
    }
}

/// Prints what `worktree remove` removed.
pub fn removed(out: &Output, removed: &Removed) {
    out.line(&format!("Worktree removed: {}", escape(&removed.described.worktree.name())));
    let count = removed.released.len();
    out.line(&format!("Released {count} {}", if count == 1 { "port" } else { "ports" }));
    if let Some(branch) = &removed.deleted_branch {
        out.line(&format!("Deleted branch: {}", escape(branch)));
    }
}

/// Prints allocations; with their projects, if they are of several.
pub fn allocations(out: &Output, listed: &[Listed], with_project: bool) {
    let mut table = Table::new(&[
        "PORT",
        "HOST",
        "USER",
        "PROJECT",
        "SERVICE",
        "ENVIRONMENT",
        "STATE",
        "PROCESS",
        "WORKTREE",
        "BRANCH",
        "DESCRIPTION",
    ]);
    // Whose machine it is matters where there are several.
    let with_host = listed.iter().any(|one| one.host != listed[0].host);
    for one in listed {
        let allocation = &one.allocation;
        let user = allocation.user.as_deref().filter(|_| with_host).unwrap_or_default();
        let protocol = if allocation.protocol.name() == "udp" { "/udp" } else { "" };
        let service = if allocation.primary {
            format!("{} *", allocation.service)
        } else {
            allocation.service.to_string()
        };
        table.row(vec![
            Cell::new(format!("{}{protocol}", allocation.port)).style(Style::Strong),
            Cell::new(if with_host { one.host.as_str() } else { "" }),
            Cell::new(user),
            Cell::new(if with_project { allocation.project.as_str() } else { "" }),
            Cell::new(service),
            Cell::new(allocation.environment.as_str()),
            state(one.state),
            Cell::new(one.process.as_ref().map(process).unwrap_or_default()),
            Cell::new(place(out, allocation)),
            Cell::new(allocation.branch.as_deref().unwrap_or_default()),
            Cell::new(allocation.description.as_deref().unwrap_or_default()),
        ]);
    }
    table.print(out);
}

fn process(process: &Process) -> String {
    format!("{} {}", process.name, process.id.pid)
}

fn place(out: &Output, allocation: &Allocation) -> String {
    let Some(path) = &allocation.path else { return String::new() };
    if out.is_verbose() { path.to_string_lossy().into_owned() } else { folder(path) }
}

fn folder(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn state(state: State) -> Cell {
    Cell::new(state.name()).style(match state {
        State::Active => Style::Good,
        State::Foreign | State::Orphaned => Style::Warning,
        State::Released | State::Unknown => Style::Faint,
        State::Allocated => Style::Plain,
    })
}

/// Prints worktrees with their ports.
pub fn worktrees(out: &Output, worktrees: &[WithPorts]) {
    let mut table = Table::new(&["", "WORKTREE", "BRANCH", "PORTS", "PATH"]);
    for one in worktrees {
        let ports: Vec<String> =
            one.allocations.iter().map(|listed| short(listed, one.allocations.len())).collect();
        let described = &one.described;
        let mark = if one.current { "*" } else { "" };
        let branch = described.branch.clone().unwrap_or_else(|| "(detached)".to_owned());
        table.row(vec![
            Cell::new(mark),
            Cell::new(described.worktree.name()),
            Cell::new(if described.worktree.locked { format!("{branch} (locked)") } else { branch }),
            Cell::new(ports.join(" ")).style(Style::Strong),
            Cell::new(if out.is_verbose() { described.worktree.path.to_string_lossy() } else { "".into() }),
        ]);
    }
    table.print(out);
}

fn short(listed: &Listed, of: usize) -> String {
    let allocation = &listed.allocation;
    let name = if of > 1 { format!("{}:", allocation.service) } else { String::new() };
    match listed.state {
        State::Allocated => format!("{name}{}", allocation.port),
        state => format!("{name}{}({state})", allocation.port),
    }
}

/// Prints what is known of ports.
pub fn checked(out: &Output, checked: &[Checked]) {
    for (index, one) in checked.iter().enumerate() {
        if index > 0 {
            out.line("");
        }
        let headline = match one.is_free() {
            Some(true) => format!("Port {} is available", one.port),
            Some(false) => format!("Port {} is taken", one.port),
            None => format!("Port {}: cannot be determined", one.port),
        };
        out.line(&out.paint(Style::Strong, &headline));
        if let Some(owner) = &one.owner {
            details(out, owner);
        }
        match (one.probe, &one.process) {
            (Probe::InUse, Some(process)) => {
                out.line(&format!("In use: by {}", escape(&machine::describe(process))));
            }
            (Probe::InUse, None) => out.line("In use: by a process that cannot be told"),
            (Probe::Denied, _) => out.line("In use: cannot be told, this user may not use the port"),
            (Probe::Unknown, _) => out.line("In use: cannot be told from here"),
            (Probe::Free, _) => {}
        }
        if let Some(reason) = &one.reserved {
            let reason = if reason.is_empty() { "yes" } else { reason };
            out.line(&format!("Reserved: {}", escape(reason)));
        }
        if let Some(reason) = one.avoided {
            out.line(&format!("Avoided: {reason}"));
        }
    }
}

fn details(out: &Output, owner: &Listed) {
    let allocation = &owner.allocation;
    out.line(&format!("Project: {}", escape(allocation.project.as_str())));
    out.line(&format!("Service: {}", allocation.service));
    out.line(&format!("Status: {}", owner.state));
    out.line(&format!("Environment: {}", allocation.environment));
    if let Some(description) = &allocation.description {
        out.line(&format!("Description: {}", escape(description)));
    }
    if let Some(path) = &allocation.path {
        out.line(&format!("Worktree: {}", escape(&path.to_string_lossy())));
    }
    if let Some(branch) = &allocation.branch {
        out.line(&format!("Branch: {}", escape(branch)));
    }
    out.line(&format!("Allocated: {}", allocation.allocated_at.strftime("%Y-%m-%d %H:%M:%S UTC")));
}

/// Prints how full the ranges of one environment are, at length.
pub fn range_statistics(out: &Output, stats: &[RangeStats]) {
    for (index, range) in stats.iter().enumerate() {
        if index > 0 {
            out.line("");
        }
        let whose = range.environment.as_ref().map(ToString::to_string).unwrap_or_default();
        out.line(&out.paint(Style::Strong, &format!("Port Range Statistics ({whose}):")));
        out.line("");
        out.line(&format!("Range: {}", range.range));
        out.line(&format!("Total Ports: {}", range.total));
        out.line(&format!("Allocated: {}", range.allocated));
        out.line(&format!("Active: {}", range.active));
        out.line(&format!("Reserved: {}", range.reserved));
        out.line(&format!("Available: {}", range.available));
        out.line(&format!("Utilization: {:.1}%", range.utilization()));
    }
}

/// Prints how full all ranges are.
pub fn all_statistics(out: &Output, stats: &[RangeStats]) {
    let headings = ["RANGE OF", "PORTS", "TOTAL", "ALLOCATED", "ACTIVE", "RESERVED", "AVAILABLE", "USED"];
    let mut table = Table::new(&headings);
    for range in stats {
        let whose = range.project.as_ref().map(ToString::to_string);
        let whose = whose.or_else(|| range.environment.as_ref().map(ToString::to_string)).unwrap_or_default();
        table.row(vec![
            Cell::new(whose),
            Cell::new(range.range.to_string()),
            Cell::new(range.total.to_string()),
            Cell::new(range.allocated.to_string()),
            Cell::new(range.active.to_string()),
            Cell::new(range.reserved.to_string()),
            Cell::new(range.available.to_string()),
            Cell::new(format!("{:.1}%", range.utilization())),
        ]);
    }
    table.print(out);
}

/// Prints a project's ports at a glance.
pub fn summary(out: &Output, summary: &Summary) {
    out.line(&out.paint(Style::Strong, &format!("Project {}", summary.project)));
    if summary.ranges.is_empty() {
        out.line("It has no range of its own; its ports come from those of the environments.");
    }
    out.line("");
    if !summary.ranges.is_empty() {
        all_statistics(out, &summary.ranges);
        out.line("");
    }
    if summary.services.is_empty() {
        out.line("No ports are allocated.");
    } else {
        allocations(out, &summary.services, false);
    }
}

/// Prints what a cleanup did, or would do.
pub fn cleaned(out: &Output, cleaned: &CleanedUp) {
    let plan = &cleaned.plan;
    let count = plan.release.len() + plan.forget.len();
    out.line(&match (count, cleaned.dry_run) {
        (0, _) => "Nothing to clean up".to_owned(),
        (_, true) => format!("Would clean up {count} stale port allocation(s)"),
        (_, false) => format!("Cleaned up {count} stale port allocation(s)"),
    });
    let mut table = Table::new(&["", "PORT", "PROJECT", "SERVICE", "WORKTREE", "WHY"]);
    let mut add = |verb: &str, allocation: &Allocation, why: &str| {
        table.row(vec![
            Cell::new(verb),
            Cell::new(allocation.port.to_string()).style(Style::Strong),
            Cell::new(allocation.project.as_str()),
            Cell::new(allocation.service.as_str()),
            Cell::new(place(out, allocation)),
            Cell::new(why),
        ]);
    };
    for allocation in &plan.release {
        add("release", allocation, "worktree gone");
    }
    for allocation in &plan.forget {
        add("forget", allocation, "released long ago");
    }
    for kept in &plan.keep {
        add("keep", &kept.allocation, &kept.reason);
    }
    if !table.is_empty() {
        out.line("");
        table.print(out);
    }
}

/// Prints how registry and machine agree.
pub fn audited(out: &Output, audited: &Audited) {
    out.line(&out.paint(Style::Strong, "Port Audit:"));
    out.line("");
    out.line(&format!("Allocated: {}", audited.allocated));
    out.line(&format!("In use: {}", audited.in_use));
    out.line(&format!("Not running: {}", audited.not_running));
    if audited.unknown > 0 {
        out.line(&format!("Cannot be told: {}", audited.unknown));
    }
    out.line(&format!("Conflicts: {}", audited.conflicts.len()));
    out.line(&format!("Orphaned: {}", audited.orphaned.len()));
    if !audited.conflicts.is_empty() {
        out.line("");
        let mut table = Table::new(&["PORT", "EXPECTED", "ACTUAL"]);
        for conflict in &audited.conflicts {
            table.row(vec![
                Cell::new(conflict.listed.allocation.port.to_string()).style(Style::Strong),
                Cell::new(&conflict.expected),
                Cell::new(&conflict.actual).style(Style::Warning),
            ]);
        }
        table.print(out);
    }
    if !audited.orphaned.is_empty() {
        out.line("");
        allocations(out, &audited.orphaned, true);
    }
}

/// Prints what happened, newest first.
pub fn history(out: &Output, events: &[Event]) {
    let mut table = Table::new(&["WHEN (UTC)", "EVENT", "PORT", "PROJECT", "SERVICE", "BRANCH", "WHY"]);
    for event in events {
        table.row(vec![
            Cell::new(event.at.strftime("%Y-%m-%d %H:%M:%S").to_string()).style(Style::Faint),
            Cell::new(event.kind.name()),
            Cell::new(event.port.map(|port| port.to_string()).unwrap_or_default()).style(Style::Strong),
            Cell::new(event.project.as_ref().map(ToString::to_string).unwrap_or_default()),
            Cell::new(event.service.as_ref().map(ToString::to_string).unwrap_or_default()),
            Cell::new(event.branch.as_deref().unwrap_or_default()),
            Cell::new(&event.reason),
        ]);
    }
    table.print(out);
}

/// Prints all ranges and reservations.
pub fn ranges(out: &Output, in_force: &RangesInForce) {
    let mut table = Table::new(&["RANGE OF", "PORTS", "SET BY"]);
    for one in &in_force.ranges {
        let (whose, list) = match &one.record {
            RangeRecord::Environment(name, list) => (name.to_string(), list),
            RangeRecord::Project(name, list) => (format!("project {name}"), list),
        };
        let list: Vec<String> = list.iter().map(ToString::to_string).collect();
        table.row(vec![
            Cell::new(whose),
            Cell::new(list.join(", ")).style(Style::Strong),
            Cell::new(&one.origin).style(Style::Faint),
        ]);
    }
    for one in &in_force.reserved {
        table.row(vec![
            Cell::new("reserved"),
            Cell::new(one.range.to_string()).style(Style::Strong),
            Cell::new(one.reason.as_deref().unwrap_or("the registry")).style(Style::Faint),
        ]);
    }
    table.print(out);
}

/// Prints what `init` set up.
pub fn initialized(out: &Output, initialized: &Initialized) {
    for Proposed { found, .. } in &initialized.proposed {
        out.line(&format!(
            "Found {}: {}",
            out.paint(Style::Strong, found.service.as_str()),
            escape(&found.why)
        ));
    }
    let file = folder(&initialized.config_file);
    match (&initialized.written, initialized.dry_run) {
        (Some(text), true) => {
            out.line(&format!("Would write {file}:"));
            out.line("");
            text.lines().for_each(|line| out.line(&format!("    {line}")));
            out.line("");
            out.line("Would install the post-checkout hook, and allocate.");
        }
        (Some(_), false) => out.line(&format!("Wrote {file}")),
        (None, _) => out.line(&format!("{file} is there already")),
    }
    if let Some((_, changed)) = &initialized.hook {
        out.line(if *changed {
            "Installed the post-checkout hook"
        } else {
            "The post-checkout hook is there already"
        });
    }
    ports(out, &initialized.placed);
    for gap in &initialized.unwired {
        out.line(&format!("{} {}", out.paint(Style::Warning, "Not wired:"), escape(&gap.message)));
        out.line(&format!("    {}", escape(&gap.fix)));
    }
    if initialized.written.is_some() && !initialized.dry_run {
        out.hint(&format!("commit it, so that every worktree has it: git add {file}"));
    }
}

/// Prints the suggestion: the port, bare, and why on standard error.
pub fn suggested(out: &Output, suggested: &Suggested) {
    out.line(&suggested.port.to_string());
    out.status(&suggested.reason);
}
