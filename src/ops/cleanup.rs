//! Releases what belongs to worktrees that are gone, and forgets what was released long ago.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::{copies, followers, run, worktree};
use crate::config::{self, Settings};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::git::observe;
use crate::registry::allocator::Probe;
use crate::registry::liveness::{Verdict, judge};
use crate::registry::plan::{self, CleanupFacts, CleanupPlan, Judged};
use crate::registry::{Allocation, Event, EventKind, Status, Token, WorktreeRecord};
use crate::store::{self, Filter, Rows, Transaction};
use crate::system::probe;

/// How long a worktree must have been missing before its ports are released without being asked.
const GRACE: SignedDuration = SignedDuration::from_mins(10);

/// The note that says when a cleanup last ran on a machine, in milliseconds: each looks after its own.
fn last_cleanup(host: &str) -> String {
    format!("last_cleanup {host}")
}

/// How much history is kept.
const EVENTS_KEPT: u32 = 10_000;

/// What to clean up.
#[derive(Clone, Debug, Default)]
pub struct CleanupRequest {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Forget what was released longer ago than this; else as configured.
    pub older_than: Option<SignedDuration>,
}

/// What was done, or would be.
#[derive(Clone, Debug)]
pub struct CleanedUp {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The plan that was followed.
    pub plan: CleanupPlan,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Reads how long ago a port must have been released to be forgotten: `30d`.
pub fn older_than(text: &str) -> Result<SignedDuration> {
    config::duration(text).map_err(|error| Error { hints: error.hints.clone(), ..Error::usage(error) })
}

/// Releases orphaned allocations and forgets old ones, or says which.
pub fn cleanup(ctx: &mut Context, request: &CleanupRequest) -> Result<CleanedUp> {
    if let Some(repo) = ctx.find_repo()? {
        // One who stands in a repository that was moved must not be told that it is gone. Where that
        // fails, less is known, and more is kept.
        let _ = worktree::follow_moves(ctx, &repo);
    }
    let settings = settings(ctx)?;
    let older_than = request.older_than.unwrap_or(settings.cleanup.older_than);
    let worktrees = worktrees(ctx)?;
    let verdicts: HashMap<Token, Judged> = worktrees
        .iter()
        .map(|(record, verdict)| (record.token.clone(), Judged { verdict: *verdict, ripe: true }))
        .collect();
    let plan = make_plan(ctx, &verdicts, older_than)?;
    if request.dry_run {
        return Ok(CleanedUp { dry_run: true, plan, warnings: Vec::new() });
    }
    run::settle(ctx)?;
    let warnings = follow(ctx, &plan, &verdicts, &worktrees)?;
    note_time(ctx)?;
    Ok(CleanedUp { dry_run: false, plan, warnings })
}

/// Cleans up in passing, at most once in each `cleanup.interval`. What is gone is released only when it
/// was seen gone a while ago. Never fails: whoever came for a port gets one.
pub(super) fn automatic(ctx: &mut Context, settings: &Settings) {
    if !settings.cleanup.auto {
        return;
    }
    let now = ctx.clock.now();
    let host = ctx.host.key.clone();
    let interval = settings.cleanup.interval;
    let Ok(store) = ctx.store() else { return };
    if store::read(store, |rows| is_due(rows, &host, now, interval)).unwrap_or(false)
        && claim(store, &host, now, interval).unwrap_or(false)
    {
        let _ = automatically(ctx, settings, now);
    }
}

fn is_due(
    rows: &mut dyn Rows,
    host: &str,
    now: Timestamp,
    interval: SignedDuration,
) -> Result<bool, store::StoreError> {
    let last = rows.note(&last_cleanup(host))?.and_then(|last| last.parse().ok());
    let last = last.and_then(|last| Timestamp::from_millisecond(last).ok());
    // A clock that went backwards proves nothing either way; the next interval will do.
    Ok(last.is_some_and(|last| now.duration_since(last).abs() >= interval))
}

/// Of many who find at once that it is due, one does it. Should that one be killed, the next interval
/// will do, too.
fn claim(
    store: &mut dyn store::Store,
    host: &str,
    now: Timestamp,
    interval: SignedDuration,
) -> Result<bool, store::StoreError> {
    store::write(store, |tx| {
        let due = is_due(tx, host, now, interval)?;
        if due {
            tx.put_note(&last_cleanup(host), &now.as_millisecond().to_string())?;
        }
        Ok(due)
    })
}

/// Starts counting with the first allocation: in a new registry there is nothing to clean up.
pub(super) fn begin(tx: &mut dyn Transaction, host: &str, now: Timestamp) -> Result<(), store::StoreError> {
    match tx.note(&last_cleanup(host))? {
        Some(_) => Ok(()),
        None => tx.put_note(&last_cleanup(host), &now.as_millisecond().to_string()),
    }
}

fn automatically(ctx: &mut Context, settings: &Settings, now: Timestamp) -> Result<()> {
    let _ = run::settle(ctx);
    let worktrees = worktrees(ctx)?;
    let judged = |(record, verdict): &(WorktreeRecord, Verdict)| {
        let ripe = record.missing_since.is_some_and(|since| now.duration_since(since) >= GRACE);
        (record.token.clone(), Judged { verdict: *verdict, ripe: ripe || *verdict == Verdict::Removed })
    };
    let verdicts: HashMap<Token, Judged> = worktrees.iter().map(judged).collect();
    let plan = make_plan(ctx, &verdicts, settings.cleanup.older_than)?;
    follow(ctx, &plan, &verdicts, &worktrees)?;
    note_time(ctx)
}

fn note_time(ctx: &mut Context) -> Result<()> {
    let now = ctx.clock.now().as_millisecond().to_string();
    let key = last_cleanup(&ctx.host.key);
    Ok(store::write(ctx.store()?, |tx| tx.put_note(&key, &now))?)
}

/// Releases what belongs to those of these worktrees that have been gone for long enough, as every other
/// cleanup would. Returns what was released, as it is now, and what was kept.
pub(super) fn release_gone(
    ctx: &mut Context,
    worktrees: &[(WorktreeRecord, Verdict)],
    ripe: &HashSet<Token>,
) -> Result<CleanupPlan> {
    let gone: Vec<(WorktreeRecord, Verdict)> =
        worktrees.iter().filter(|(record, _)| ripe.contains(&record.token)).cloned().collect();
    let judged = |(record, verdict): &(WorktreeRecord, Verdict)| {
        (record.token.clone(), Judged { verdict: *verdict, ripe: true })
    };
    let verdicts: HashMap<Token, Judged> = gone.iter().map(judged).collect();
    let mut plan = make_plan(ctx, &verdicts, SignedDuration::MAX)?;
    plan.keep.retain(|kept| kept.allocation.worktree.as_ref().is_some_and(|token| ripe.contains(token)));
    follow(ctx, &plan, &verdicts, &gone)?;
    let now = ctx.clock.now();
    for allocation in &mut plan.release {
        allocation.status = Status::Released;
        allocation.released_at = Some(now);
    }
    Ok(plan)
}

fn settings(ctx: &mut Context) -> Result<Settings> {
    let repo = ctx.find_repo()?;
    let top = repo.as_ref().and_then(|repo| repo.worktree.clone());
    ctx.settings(repo.as_ref(), top.as_deref())
}

/// Returns what became of every worktree of this machine.
pub fn worktrees(ctx: &mut Context) -> Result<Vec<(WorktreeRecord, Verdict)>> {
    let host = ctx.host.key.clone();
    let records = store::read(ctx.store()?, |rows| rows.worktrees(&host))?;
    let _going_on = ctx.going_on(|| format!("looking at {} worktrees", records.len()));
    Ok(records
        .into_iter()
        .map(|record| {
            let verdict = judge(observe::observe(&record));
            (record, verdict)
        })
        .collect())
}

fn make_plan(
    ctx: &mut Context,
    verdicts: &HashMap<Token, Judged>,
    older_than: SignedDuration,
) -> Result<CleanupPlan> {
    let here = Filter { host: Some(ctx.host.key.clone()), ..Filter::default() };
    let allocations = store::read(ctx.store()?, |rows| rows.allocations(&here))?;
    let facts = CleanupFacts { allocations, verdicts, now: ctx.clock.now(), older_than };
    Ok(plan::plan(facts, &mut |allocation| {
        probe::probe(allocation.port, allocation.protocol) == Probe::InUse
    }))
}

/// Carries out a plan as it stands. A row that changed since is left alone.
fn follow(
    ctx: &mut Context,
    plan: &CleanupPlan,
    verdicts: &HashMap<Token, Judged>,
    worktrees: &[(WorktreeRecord, Verdict)],
) -> Result<Vec<String>> {
    let now = ctx.clock.now();
    store::write(ctx.store()?, |tx| {
        for allocation in &plan.release {
            let verdict = allocation.worktree.as_ref().and_then(|token| verdicts.get(token));
            let reason = verdict.map_or("its worktree is gone", |judged| judged.verdict.reason());
            release(tx, allocation, now, reason)?;
        }
        for allocation in &plan.forget {
            tx.delete_allocation(allocation.id)?;
            tx.append_event(&Event::of(allocation, EventKind::Forgotten, now, "released long ago"))?;
        }
        for (record, verdict) in worktrees {
            let kept = plan.keep.iter().any(|kept| kept.allocation.worktree.as_ref() == Some(&record.token));
            let missing_since = verdict.is_gone().then(|| record.missing_since.unwrap_or(now));
            if verdict.is_gone() && !kept {
                tx.delete_worktree(&record.token)?;
            } else if missing_since != record.missing_since {
                tx.put_worktree(&WorktreeRecord { missing_since, ..record.clone() })?;
            }
        }
        tx.trim_events(EVENTS_KEPT)
    })?;
    let mut warnings = Vec::new();
    for (record, verdict) in worktrees {
        if *verdict == Verdict::Missing {
            // git still keeps its administrative directory, and our copy in it promises ports.
            warnings.extend(copies::withdraw(record));
        }
    }
    warnings.extend(followers::tell(ctx, &plan.release));
    Ok(warnings)
}

/// Releases one allocation, if it still stands as it was seen.
pub(super) fn release(
    tx: &mut dyn Transaction,
    allocation: &Allocation,
    now: Timestamp,
    reason: &str,
) -> Result<bool, store::StoreError> {
    let same = Filter {
        host: Some(allocation.host.clone()),
        protocol: Some(allocation.protocol),
        port: Some(allocation.port),
        ..Filter::live()
    };
    let Some(current) = tx.allocations(&same)?.into_iter().find(|current| current.id == allocation.id) else {
        return Ok(false);
    };
    let released = Allocation { status: Status::Released, released_at: Some(now), ..current };
    tx.update_allocation(&released)?;
    tx.append_event(&Event::of(&released, EventKind::Released, now, reason))?;
    Ok(true)
}
