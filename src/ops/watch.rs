//! Releases the ports of worktrees that disappear, and gives ports to those that appear, while it runs.
//!
//! What the system says of changed folders only makes it look sooner. It looks again every minute, and
//! what counts is what every other command goes by: the tokens, and [`crate::registry::liveness`]. A
//! worktree that is gone gets a grace, because a move is a removal followed by an arrival.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::cleanup;
use super::worktree::welcome;
use crate::context::Context;
use crate::error::Result;
use crate::git::Repo;
use crate::registry::liveness::Verdict;
use crate::registry::{Allocation, Token, WorktreeRecord};
use crate::system::watch::{Nudge, Watch};

/// How long changes are given to come to rest: git makes a worktree in many small steps.
const REST: Duration = Duration::from_millis(200);
/// After this long one looks although they have not come to rest.
const RESTLESS: Duration = Duration::from_secs(2);

/// How long one waits for the registry.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// How soon one looks again after a look that failed.
const RETRY: Duration = Duration::from_secs(5);

/// How to watch.
#[derive(Clone, Copy, Debug)]
pub struct WatchRequest {
    /// How long a worktree must have been gone.
    pub grace: Duration,
    /// How often to look without being nudged.
    pub rescan: Duration,
}

impl Default for WatchRequest {
    fn default() -> Self {
        Self { grace: Duration::from_secs(3), rescan: Duration::from_mins(1) }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Happened {
    /// The watch is on.
    Started {
        /// Over how many worktrees.
        worktrees: usize,
    },
    /// A worktree got its ports.
    Allocated {
        /// Its top folder.
        worktree: PathBuf,
        /// One of them.
        allocation: Box<Allocation>,
    },
    /// A worktree is not there any more.
    Vanished {
        /// Its top folder.
        worktree: PathBuf,
        /// What became of it.
        verdict: Verdict,
    },
    /// It came back in time.
    Returned {
        /// Its top folder.
        worktree: PathBuf,
    },
    /// A port was given back.
    Released {
        /// The allocation, as it was.
        allocation: Box<Allocation>,
    },
    /// Something is wrong, but the watch goes on.
    Trouble {
        /// What.
        message: String,
    },
    /// The watch is over.
    Stopped,
}

/// A worktree that is gone.
struct Missing {
    since: Instant,
    /// Its grace is over, and a port of it is kept all the same, for somebody still listens on it.
    kept: bool,
}

/// Watches until it is asked to stop, and tells what happens.
pub fn watch(ctx: &mut Context, request: WatchRequest, tell: &mut dyn FnMut(Happened)) -> Result<()> {
    let mut watch = Watch::start()?;
    let mut missing: HashMap<Token, Missing> = HashMap::new();
    let mut refused: BTreeSet<String> = BTreeSet::new();
    let mut last_trouble = None;
    let mut started = false;
    let mut settled = false;
    loop {
        let trouble = |message: String| Happened::Trouble { message };
        let mut failed = false;
        match look(ctx, request, &mut missing, tell) {
            Ok(records) => {
                last_trouble = None;
                for (folder, why) in arm(&mut watch, &records) {
                    // There may be hundreds of folders, and one reason.
                    let seconds = request.rescan.as_secs().max(1);
                    let message = format!(
                        "cannot watch '{}' ({why}); looking every {seconds} seconds instead",
                        folder.display()
                    );
                    if refused.insert(why) {
                        tell(trouble(message));
                    }
                }
                if !started {
                    started = true;
                    tell(Happened::Started { worktrees: records.len() });
                }
            }
            Err(error) => {
                failed = true;
                let message = Some(error.full_message());
                if last_trouble != message {
                    tell(trouble(error.full_message()));
                    last_trouble = message;
                }
            }
        }
        let waiting = missing.values().filter(|missing| !missing.kept);
        let soonest = waiting.map(|missing| request.grace.saturating_sub(missing.since.elapsed())).min();
        let patience = match soonest {
            _ if failed => request.rescan.min(RETRY),
            // What changed between the look and the watch has nudged nobody.
            _ if !settled => REST,
            Some(soonest) => soonest.max(REST),
            None => request.rescan,
        };
        match watch.wait(patience) {
            Some(Nudge::Stop) => break,
            Some(Nudge::Changed | Nudge::Doubt) if rest(&watch) == Some(Nudge::Stop) => break,
            nudge => settled = nudge.is_none(),
        }
    }
    tell(Happened::Stopped);
    Ok(())
}

/// Waits until changes come to rest. Returns the nudge to stop, if there was one.
fn rest(watch: &Watch) -> Option<Nudge> {
    let since = Instant::now();
    while since.elapsed() < RESTLESS {
        match watch.wait(REST) {
            None => return None,
            Some(Nudge::Stop) => return Some(Nudge::Stop),
            Some(_) => {}
        }
    }
    None
}

/// Watches where worktrees appear and where the known ones are.
fn arm(watch: &mut Watch, records: &[WorktreeRecord]) -> Vec<(PathBuf, String)> {
    let mut folders = BTreeSet::new();
    let mut entries = BTreeSet::new();
    for record in records {
        let worktrees = record.common_dir.join("worktrees");
        if worktrees.is_dir() {
            folders.insert(worktrees);
        } else {
            // git makes the folder with the first linked worktree, and removes it with the last.
            entries.insert(worktrees);
        }
        entries.insert(record.path.clone());
        entries.insert(record.common_dir.clone());
    }
    watch.set(folders, entries)
}

/// Looks once: releases what has been gone for long enough, and finds what is new.
fn look(
    ctx: &mut Context,
    request: WatchRequest,
    missing: &mut HashMap<Token, Missing>,
    tell: &mut dyn FnMut(Happened),
) -> Result<Vec<WorktreeRecord>> {
    let judged = cleanup::worktrees(ctx)?;
    let mut ripe = HashSet::new();
    for (record, verdict) in &judged {
        let worktree = record.path.clone();
        if !verdict.is_gone() {
            if missing.remove(&record.token).is_some() {
                tell(Happened::Returned { worktree });
            }
            continue;
        }
        let gone = missing.entry(record.token.clone()).or_insert_with(|| {
            tell(Happened::Vanished { worktree, verdict: *verdict });
            Missing { since: Instant::now(), kept: false }
        });
        if gone.since.elapsed() >= request.grace {
            ripe.insert(record.token.clone());
        }
    }
    if !ripe.is_empty() {
        let plan = cleanup::release_gone(ctx, &judged, &ripe)?;
        for allocation in plan.release {
            tell(Happened::Released { allocation: Box::new(allocation) });
        }
        let is_kept =
            |token: &Token| plan.keep.iter().any(|kept| kept.allocation.worktree.as_ref() == Some(token));
        missing.retain(|token, _| !ripe.contains(token) || is_kept(token));
        for token in &ripe {
            if let Some(gone) = missing.get_mut(token) {
                gone.kept = true;
            }
        }
        ripe.retain(|token| !is_kept(token));
    }
    let settings = ctx.settings(None, None)?;
    cleanup::automatic(ctx, &settings);
    for common_dir in common_dirs(&judged) {
        if let Err(error) = give_ports(ctx, common_dir, tell) {
            tell(Happened::Trouble { message: error.full_message() });
        }
    }
    Ok(judged.into_iter().map(|(record, _)| record).filter(|record| !ripe.contains(&record.token)).collect())
}

fn common_dirs(judged: &[(WorktreeRecord, Verdict)]) -> BTreeSet<PathBuf> {
    let alive = judged.iter().filter(|(_, verdict)| *verdict == Verdict::Live);
    alive.map(|(record, _)| record.common_dir.clone()).collect()
}

/// Gives ports to the worktrees of a repository that have none, whoever made them and however.
fn give_ports(ctx: &mut Context, common_dir: PathBuf, tell: &mut dyn FnMut(Happened)) -> Result<()> {
    let repo = Repo { git_dir: common_dir.clone(), common_dir, worktree: None };
    for (worktree, allocated) in welcome(ctx, &repo)? {
        for placed in allocated.placed.into_iter().filter(|placed| placed.created) {
            tell(Happened::Allocated {
                worktree: worktree.path.clone(),
                allocation: Box::new(placed.allocation),
            });
        }
    }
    Ok(())
}
