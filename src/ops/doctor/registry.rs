//! The registry: its file, its folder, its backups, and what is promised in it.

use std::fs;
use std::path::Path;

use super::{Diagnosis, Severity};
use crate::context::Context;
use crate::error::Result;
use crate::ops::audit;
use crate::ops::recovery;
use crate::ops::run;
use crate::store::{self, Filter, StoreError};
use crate::system::process;

/// A backup that is older, while more was written since, is worth a word, in hours.
const STALE: i64 = 7 * 24;

/// Looks at the registry. Returns whether it can be read.
pub(super) fn registry(ctx: &mut Context, diagnosis: &mut Diagnosis) -> bool {
    let now = ctx.clock.now();
    let store = match ctx.store() {
        Ok(store) => store,
        Err(error) => {
            diagnosis.unknown("registry", &error);
            return false;
        }
    };
    let location = store.location();
    let made = store.file().is_none_or(|file| file.exists());
    let Some(care) = store.care() else {
        let answered = store::read(store, |rows| rows.note("min_reader"));
        match answered {
            Ok(_) => diagnosis.ok("registry", format!("the registry '{location}' answers")),
            Err(error) => diagnosis.unknown("registry", &error.into()),
        }
        return diagnosis.findings.last().is_some_and(|finding| finding.severity == Severity::Ok);
    };
    folder(care.folder(), care.find_danger(), diagnosis);
    let condition = care.examine(now).and_then(|()| care.check());
    let backups = care.backups();
    let usable = match condition {
        Ok(()) => {
            let state = if made { "is whole" } else { "is yet to be made" };
            diagnosis.ok("registry", format!("the registry '{location}' {state}"));
            true
        }
        Err(StoreError::Damaged { why, .. }) => {
            mend(ctx, diagnosis, format!("the registry '{location}' is damaged: {why}"));
            diagnosis.findings.last().is_some_and(|finding| finding.fixed)
        }
        Err(error) => {
            diagnosis.unknown("registry", &error.into());
            false
        }
    };
    if let Some(backup) = backups.first() {
        let hours = now.duration_since(backup.made_at).as_hours();
        let made = backup.made_at.strftime("%Y-%m-%d %H:%M:%S UTC");
        if hours > STALE && usable {
            // Whoever writes next makes one; so nothing was written, or it failed.
            diagnosis.add(
                Severity::Ok,
                "backup",
                format!("the last backup of the registry is of {made}; the next change makes another"),
                None,
            );
        } else {
            diagnosis.ok("backup", format!("the registry was backed up at {made}"));
        }
    }
    usable
}

fn folder(folder: &Path, danger: Option<String>, diagnosis: &mut Diagnosis) {
    let shown = folder.display();
    if let Some(why) = danger {
        diagnosis.error(
            "state-folder",
            format!("the registry is not written: {why}"),
            &format!("chmod go-w '{shown}'"),
        );
        return;
    }
    match fs::read_dir(folder) {
        Ok(_) => {}
        Err(error) if crate::system::files::is_absent(&error) => return,
        Err(error) => {
            let hint = format!("chmod u+rwx '{shown}'");
            diagnosis.error("state-folder", format!("the folder '{shown}' cannot be read: {error}"), &hint);
            return;
        }
    }
    if let Err(error) = tempfile::Builder::new().prefix(".git-port-").tempfile_in(folder) {
        let hint = format!("chmod u+rwx '{shown}'");
        diagnosis.error("state-folder", format!("the folder '{shown}' cannot be written: {error}"), &hint);
        return;
    }
    diagnosis.ok("state-folder", format!("the folder '{shown}' is safe"));
}

fn mend(ctx: &mut Context, diagnosis: &mut Diagnosis, message: String) {
    let mut told = Vec::new();
    diagnosis.mend(Severity::Error, "registry", message, || {
        if let Some(recovered) = recovery::recover(ctx)? {
            told = recovered.messages;
        }
        Ok(())
    });
    if let Some(finding) = diagnosis.findings.last_mut()
        && finding.fixed
    {
        for words in told {
            finding.message.push_str("; ");
            finding.message.push_str(&words);
        }
    }
}

/// Looks at what is promised on this machine.
pub(super) fn allocations(ctx: &mut Context, diagnosis: &mut Diagnosis) {
    match audit::audit(ctx) {
        Ok(audited) => {
            for conflict in &audited.conflicts {
                let allocation = &conflict.listed.allocation;
                diagnosis.warn(
                    "conflict",
                    format!(
                        "port {} of {} is used by {}",
                        allocation.port, conflict.expected, conflict.actual
                    ),
                    &format!("git port check {}", allocation.port),
                );
            }
            let orphaned = audited.orphaned.len();
            if orphaned > 0 {
                let noun = if orphaned == 1 { "port belongs" } else { "ports belong" };
                diagnosis.warn(
                    "orphaned",
                    format!("{orphaned} {noun} to worktrees that are gone"),
                    "git port cleanup",
                );
            }
            if audited.conflicts.is_empty() && orphaned == 0 {
                let count = audited.allocated;
                let noun = if count == 1 { "port is" } else { "ports are" };
                diagnosis.ok("allocations", format!("{count} {noun} allocated, none in conflict"));
            }
        }
        Err(error) => diagnosis.unknown("allocations", &error),
    }
    if let Err(error) = leftover_runs(ctx, diagnosis) {
        diagnosis.unknown("runs", &error);
    }
}

fn leftover_runs(ctx: &mut Context, diagnosis: &mut Diagnosis) -> Result<()> {
    let host = ctx.host.key.clone();
    let mut dead = store::read(ctx.store()?, |rows| rows.runs(&host))?;
    dead.retain(|one| !process::is_alive(&run::identity(one)));
    if dead.is_empty() {
        return Ok(());
    }
    let noun = if dead.len() == 1 { "program is" } else { "programs are" };
    let message = format!("{} {noun} recorded as running, but ended long ago", dead.len());
    diagnosis.mend(Severity::Warning, "runs", message, || {
        let here = Filter { host: Some(host.clone()), ..Filter::live() };
        store::write(ctx.store()?, |tx| -> Result<(), StoreError> {
            let live = tx.allocations(&here)?;
            for one in &dead {
                tx.delete_run(one.allocation)?;
                let row = live.iter().find(|row| row.id == one.allocation);
                if let Some(row) = row.filter(|row| row.status == crate::registry::Status::Active) {
                    let status = crate::registry::Status::Allocated;
                    tx.update_allocation(&crate::registry::Allocation { status, ..row.clone() })?;
                }
            }
            Ok(())
        })?;
        Ok(())
    });
    Ok(())
}
