//! Puts a lost or damaged registry together again: from its newest good backup, from the copies that the
//! worktrees carry, and from their files of variables.

mod sources;

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::copies;
use crate::context::Context;
use crate::error::{ErrorKind, Result};
use crate::registry::{Allocation, Event, EventKind, Status, Token};
use crate::store::care::Restored;
use crate::store::{self, Filter, StoreError, Transaction};

pub use sources::{Carried, Source, carried};

/// What was done about a registry that could not be trusted, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// What was found and done.
    pub messages: Vec<String>,
    /// What is left to do.
    pub hints: Vec<String>,
}

/// Looks at the registry before a command does, and mends it if it must be. Returns what was done.
///
/// Never fails: where it cannot be mended, the command itself will say what is wrong, or do without.
fn attend(ctx: &mut Context) -> Option<Recovered> {
    let now = ctx.clock.now();
    let care = ctx.store().ok()?.care()?;
    match care.examine(now) {
        Err(StoreError::Damaged { .. }) => recover(ctx).ok().flatten(),
        _ => None,
    }
}

/// Makes a backup after a command, if one is due. Never fails: the command has done its work.
pub fn leave(ctx: &mut Context) {
    let now = ctx.clock.now();
    if let Some(care) = ctx.opened_store().and_then(|store| store.care()) {
        let _ = care.back_up(now);
    }
}

/// Runs a command on a registry that can be trusted. One that turns out to be damaged on the way is mended,
/// and the command, of which nothing was committed then, is run again. `tell` hears what was mended.
pub fn attended<T>(
    ctx: &mut Context,
    tell: &mut dyn FnMut(&Recovered),
    command: &mut dyn FnMut(&mut Context) -> Result<T>,
) -> Result<T> {
    let first = attend(ctx);
    first.iter().for_each(&mut *tell);
    let mut answered = command(ctx);
    if first.is_none()
        && answered.as_ref().is_err_and(|error| error.kind == ErrorKind::RegistryDamaged)
        && let Ok(mended) = recover(ctx)
    {
        // Nothing to mend means that another process has mended it, or made it, since.
        mended.iter().for_each(&mut *tell);
        answered = command(ctx);
    }
    leave(ctx);
    answered
}

/// Mends the registry, unless nothing is wrong with it or another process has mended it meanwhile.
pub fn recover(ctx: &mut Context) -> Result<Option<Recovered>> {
    let now = ctx.clock.now();
    let Some(care) = ctx.store()?.care() else { return Ok(None) };
    let Some(restored) = care.restore(now)? else { return Ok(None) };
    let known = care.repositories();
    let repositories = repositories(ctx, known)?;
    let found = carried(ctx, &repositories);
    let merged = merge(ctx, &found, true)?;
    if let Some(care) = ctx.store()?.care() {
        care.finish()?;
    }
    for token in &merged.outdated {
        copies::refresh(ctx, token);
    }
    Ok(Some(describe(&restored, &merged, !repositories.is_empty())))
}

/// Returns the repositories that are known: to the registry, outside of it, and the one one stands in.
fn repositories(ctx: &mut Context, known: Vec<PathBuf>) -> Result<BTreeSet<PathBuf>> {
    let host = ctx.host.key.clone();
    let recorded = store::read(ctx.store()?, |rows| rows.worktrees(&host))?;
    let mut found: BTreeSet<PathBuf> = known.into_iter().collect();
    found.extend(recorded.into_iter().map(|record| record.common_dir));
    // One that git refuses to use is left to the command to complain about.
    found.extend(ctx.find_repo().ok().flatten().map(|repo| repo.common_dir));
    found.retain(|common_dir| common_dir.is_dir());
    Ok(found)
}

/// What came of merging.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// How many allocations of the registry stand as before.
    pub kept: usize,
    /// How many were put back from copies.
    pub put_back: usize,
    /// How many were put back from files of variables.
    pub from_env_files: usize,
    /// How many the registry had, but their worktree has not any more.
    pub released: usize,
    /// Those whose port is another's now.
    pub conflicts: Vec<Allocation>,
    /// The worktrees whose copies do not say any more what the registry says.
    pub outdated: BTreeSet<Token>,
}

/// Puts back what the worktrees carry and the registry has never heard of. Where `follow` is set, the
/// registry comes from a backup, and what it says of a worktree yields to what that worktree says.
pub fn merge(ctx: &mut Context, found: &[Carried], follow: bool) -> Result<Merged> {
    let now = ctx.clock.now();
    let host = ctx.host.clone();
    let merged = store::write(ctx.store()?, |tx| -> Result<Merged, StoreError> {
        let mut merged = Merged::default();
        tx.put_host(&host.key, &host.name)?;
        for carried in found {
            // Nothing is remembered of a worktree that has no ports.
            if follow && !carried.allocations.is_empty() {
                remember(tx, carried)?;
            }
        }
        if follow {
            for carried in found.iter().filter(|carried| carried.source == Source::Copy) {
                for stale in live_of(tx, &carried.record.token)? {
                    if !carried.allocations.iter().any(|one| is_same(one, &stale)) {
                        let released =
                            Allocation { status: Status::Released, released_at: Some(now), ..stale };
                        tx.update_allocation(&released)?;
                        let reason = "its worktree had given it back before the registry was lost";
                        tx.append_event(&Event::of(&released, EventKind::Released, now, reason))?;
                        merged.released += 1;
                    }
                }
            }
        }
        let mut claims: Vec<(&Carried, &Allocation)> = found
            .iter()
            .flat_map(|carried| carried.allocations.iter().map(move |allocation| (carried, allocation)))
            .collect();
        // A copy that could not be brought up to date may still promise what was given to another since.
        claims.sort_by_key(|(_, allocation)| std::cmp::Reverse(allocation.allocated_at));
        for (carried, claim) in claims {
            settle(tx, carried, claim, now, &mut merged)?;
        }
        let live = Filter::live();
        merged.kept = tx.allocations(&live)?.len() - merged.put_back - merged.from_env_files;
        Ok(merged)
    })?;
    Ok(merged)
}

fn live_of(tx: &mut dyn Transaction, token: &Token) -> Result<Vec<Allocation>, StoreError> {
    tx.allocations(&Filter { worktree: Some(token.clone()), ..Filter::live() })
}

/// Stores a worktree. What is known of one that is not there now is more than can be seen.
fn remember(tx: &mut dyn Transaction, carried: &Carried) -> Result<(), StoreError> {
    if carried.present || tx.worktree(&carried.record.token)?.is_none() {
        tx.put_worktree(&carried.record)?;
    }
    Ok(())
}

/// Says whether both are the same promise.
fn is_same(one: &Allocation, other: &Allocation) -> bool {
    one.host == other.host
        && one.protocol == other.protocol
        && one.port == other.port
        && one.worktree == other.worktree
        && one.service == other.service
        && one.environment == other.environment
}

/// Puts one allocation back, unless it is there, was released, or its port is another's.
fn settle(
    tx: &mut dyn Transaction,
    carried: &Carried,
    claim: &Allocation,
    now: jiff::Timestamp,
    merged: &mut Merged,
) -> Result<(), StoreError> {
    let token = &carried.record.token;
    let of_port = Filter {
        host: Some(claim.host.clone()),
        protocol: Some(claim.protocol),
        port: Some(claim.port),
        ..Filter::default()
    };
    let rows = tx.allocations(&of_port)?;
    let was_released = |row: &Allocation| {
        is_same(row, claim) && row.released_at.is_some_and(|released| released >= claim.allocated_at)
    };
    match rows.iter().find(|row| row.status.is_live()) {
        Some(row) if is_same(row, claim) => return Ok(()),
        Some(_) => {
            merged.conflicts.push(Allocation { path: Some(carried.record.path.clone()), ..claim.clone() });
            merged.outdated.insert(token.clone());
            return Ok(());
        }
        None if rows.iter().any(was_released) => {
            merged.outdated.insert(token.clone());
            return Ok(());
        }
        None => {}
    }
    let others = live_of(tx, token)?;
    let same_environment: Vec<&Allocation> =
        others.iter().filter(|other| other.environment == claim.environment).collect();
    if same_environment.iter().any(|other| other.service == claim.service && other.protocol == claim.protocol)
    {
        // The service has another port by now.
        merged.outdated.insert(token.clone());
        return Ok(());
    }
    let restored = Allocation {
        path: Some(carried.record.path.clone()),
        primary: claim.primary && !same_environment.iter().any(|other| other.primary),
        ..claim.clone()
    };
    tx.insert_allocation(&restored)?;
    remember(tx, carried)?;
    let reason = match carried.source {
        Source::Copy => "restored from its worktree's copy",
        Source::EnvFile => "restored from its worktree's file of variables",
    };
    tx.append_event(&Event::of(&restored, EventKind::Allocated, now, reason))?;
    match carried.source {
        Source::Copy => merged.put_back += 1,
        Source::EnvFile => {
            merged.from_env_files += 1;
            merged.outdated.insert(token.clone());
        }
    }
    Ok(())
}

fn describe(restored: &Restored, merged: &Merged, any_repository: bool) -> Recovered {
    let mut sources = Vec::new();
    match &restored.backup {
        Some(backup) => {
            let time = backup.made_at.strftime("%Y-%m-%d %H:%M:%S UTC");
            sources.push(format!("{} from the backup of {time}", merged.kept));
        }
        None if restored.quarantine.is_none() && restored.allocations > 0 => {
            sources.push(format!("kept {}", merged.kept));
        }
        None => {}
    }
    sources.push(format!("{} from worktrees' copies", merged.put_back));
    if merged.from_env_files > 0 {
        sources.push(format!("{} from files of variables", merged.from_env_files));
    }
    let (count, sources) = (merged.put_back + merged.from_env_files + merged.kept, join(&sources));
    let noun = if count == 1 { "allocation" } else { "allocations" };
    let place = restored.quarantine.as_ref();
    let place = place.map(|place| format!("; the damaged file is in '{}'", place.display()));
    let mut recovered = Recovered::default();
    recovered.messages.push(format!(
        "the registry was damaged ({}); restored {count} {noun}: {sources}{}",
        restored.why,
        place.unwrap_or_default()
    ));
    for conflict in &merged.conflicts {
        recovered.messages.push(format!(
            "port {} of {} is another's now; the worktree gets a new one at its next command",
            conflict.port,
            super::allocate::describe(conflict)
        ));
    }
    if restored.backup.is_none() && !any_repository {
        recovered.messages.push("no repository is known from which more could be restored".to_owned());
        recovered.hints.push("run 'git port doctor --fix' in each repository".to_owned());
    }
    recovered
}

fn join(parts: &[String]) -> String {
    match parts {
        [parts @ .., last] if !parts.is_empty() => format!("{} and {last}", parts.join(", ")),
        parts => parts.concat(),
    }
}
