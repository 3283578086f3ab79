//! What the machine really does: who listens on the ports that are allocated.
//!
//! However many allocations are asked about, the machine is looked at once, and only the owners of their
//! ports are looked for; each worktree is judged once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::error::Result;
use crate::git::{Repo, observe, worktree};
use crate::registry::liveness::judge;
use crate::registry::states::{self, Holder, Listening};
use crate::registry::{Allocation, Port, Protocol, RunRecord, State, Token, WorktreeRecord};
use crate::store::{self, Filter};
use crate::system::listeners::{self, Listener};
use crate::system::process::{self, ProcessId};

pub use crate::system::process::Process;

/// How an allocation stands on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How it stands.
    pub state: State,
    /// Whether any socket listens on its port; none if that cannot be told.
    pub in_use: Option<bool>,
    /// Who listens: a process of its worktree if there is one, else the first.
    pub process: Option<Process>,
}

/// One look at some ports of the machine.
#[derive(Debug, Default)]
pub struct Machine {
    listeners: BTreeMap<(Port, Protocol), Vec<Listener>>,
    visible: bool,
    owners: HashMap<u64, Vec<Process>>,
    /// The processes that `git port run` started, by worktree and by allocation. They count as the
    /// worktree's wherever they run, and so does what they start.
    runs: Runs,
}

/// What `git port run` started and still runs.
#[derive(Debug, Default)]
struct Runs {
    of_worktrees: HashMap<Token, Vec<ProcessId>>,
    of_allocations: HashMap<i64, ProcessId>,
}

impl Machine {
    /// Looks at these ports, and at nothing if there are none.
    pub fn look(ports: impl IntoIterator<Item = (Port, Protocol)>) -> Self {
        let wanted: BTreeSet<(Port, Protocol)> = ports.into_iter().collect();
        if wanted.is_empty() {
            return Self::default();
        }
        let all = listeners::listeners();
        let of_interest: Vec<Listener> = all
            .listeners
            .into_iter()
            .filter(|listener| wanted.contains(&(listener.port, listener.protocol)))
            .collect();
        let owners = listeners::owners(&of_interest);
        let mut listeners: BTreeMap<(Port, Protocol), Vec<Listener>> = BTreeMap::new();
        for listener in of_interest {
            listeners.entry((listener.port, listener.protocol)).or_default().push(listener);
        }
        Self { listeners, visible: all.visible, owners, runs: Runs::default() }
    }

    /// Says whether any socket listens on a port that was looked at; none if that cannot be told.
    pub fn in_use(&self, port: Port, protocol: Protocol) -> Option<bool> {
        if self.listeners.contains_key(&(port, protocol)) {
            return Some(true);
        }
        self.visible.then_some(false)
    }

    /// Returns the processes that may be read of those that listen on a port that was looked at.
    pub fn processes(&self, port: Port, protocol: Protocol) -> Vec<&Process> {
        let listeners = self.listeners.get(&(port, protocol)).into_iter().flatten();
        let mut processes: Vec<&Process> =
            listeners.filter_map(|listener| self.owners.get(&listener.inode)).flatten().collect();
        processes.sort_unstable_by_key(|process| process.id.pid);
        processes.dedup_by_key(|process| process.id.pid);
        processes
    }

    /// Says whether `git port run` started this process in that worktree, or started what started it.
    fn is_run(&self, pid: u32, worktree: &Token) -> bool {
        let runs = self.runs.of_worktrees.get(worktree).into_iter().flatten();
        runs.into_iter().any(|run| process::descends_from(pid, run.pid) && process::is_alive(run))
    }

    /// Notes what runs of what `git port run` recorded for these allocations. What it left behind when it
    /// was killed counts as long as that very process runs, and no longer.
    fn note_runs(&mut self, recorded: Vec<RunRecord>, allocations: &[Allocation]) {
        for run in recorded {
            let id = ProcessId { pid: run.pid, started: run.started, boot: run.boot };
            if !process::is_alive(&id) {
                continue;
            }
            let owner = allocations.iter().find(|allocation| allocation.id == run.allocation);
            if let Some(token) = owner.and_then(|allocation| allocation.worktree.clone()) {
                self.runs.of_worktrees.entry(token).or_default().push(id.clone());
            }
            self.runs.of_allocations.insert(run.allocation, id);
        }
    }
}

/// Returns how these allocations stand, in the same order.
pub fn look(ctx: &mut Context, allocations: &[Allocation]) -> Result<Vec<Seen>> {
    let ports = asked(ctx, allocations).map(|allocation| (allocation.port, allocation.protocol));
    let mut machine = Machine::look(ports);
    judge_all(ctx, &mut machine, allocations)
}

/// Only live allocations of this machine are looked at.
fn asked<'a>(ctx: &Context, allocations: &'a [Allocation]) -> impl Iterator<Item = &'a Allocation> {
    let here = ctx.host.key.clone();
    allocations.iter().filter(move |allocation| allocation.host == here && allocation.status.is_live())
}

/// Returns how these allocations stand, given a look at their ports. One of another machine stands as it
/// is recorded.
pub fn judge_all(ctx: &mut Context, machine: &mut Machine, allocations: &[Allocation]) -> Result<Vec<Seen>> {
    let here = ctx.host.key.clone();
    let recorded = store::read(ctx.store()?, |rows| rows.runs(&here))?;
    if !recorded.is_empty() {
        let ids: Vec<Token> =
            allocations.iter().filter_map(|allocation| allocation.worktree.clone()).collect();
        let live = Filter { host: Some(here.clone()), ..Filter::live() };
        // A server may serve a port of its worktree for which something else was started.
        let mut all = store::read(ctx.store()?, |rows| rows.allocations(&live))?;
        all.retain(|allocation| allocation.worktree.as_ref().is_some_and(|token| ids.contains(token)));
        machine.note_runs(recorded, &all);
    }
    let machine = &*machine;
    let tokens: BTreeSet<Token> =
        asked(ctx, allocations).filter_map(|allocation| allocation.worktree.clone()).collect();
    let records =
        if tokens.is_empty() { Vec::new() } else { store::read(ctx.store()?, |rows| rows.worktrees(&here))? };
    let gone: BTreeSet<&Token> = records
        .iter()
        .filter(|record| tokens.contains(&record.token) && judge(observe::observe(record)).is_gone())
        .map(|record| &record.token)
        .collect();
    let in_use = |allocation: &&Allocation| {
        machine.in_use(allocation.port, allocation.protocol) == Some(true) && allocation.worktree.is_some()
    };
    let places = if asked(ctx, allocations).any(|allocation| in_use(&allocation)) {
        Places::of(&records, &tokens)
    } else {
        Places::default()
    };
    let seen = |allocation: &Allocation| {
        if allocation.host != here || !allocation.status.is_live() {
            return Seen { state: states::recorded(allocation.status), in_use: None, process: None };
        }
        let gone = allocation.worktree.as_ref().is_some_and(|token| gone.contains(token));
        let (listening, process) = listening(machine, &places, allocation);
        let running = machine.runs.of_allocations.get(&allocation.id);
        if let (Listening::Nobody | Listening::Hidden, Some(id), false) = (listening, running, gone) {
            // It was started for this port and does not listen yet, or it cannot be seen to.
            let process = process::find(id.pid);
            return Seen { state: State::Active, in_use: listening.in_use(), process };
        }
        Seen {
            state: states::state(allocation.status, gone, listening),
            in_use: listening.in_use(),
            process: process.cloned(),
        }
    };
    Ok(allocations.iter().map(seen).collect())
}

/// Returns who listens on an allocation's port, and the process to show.
fn listening<'a>(
    machine: &'a Machine,
    places: &Places,
    allocation: &Allocation,
) -> (Listening, Option<&'a Process>) {
    match machine.in_use(allocation.port, allocation.protocol) {
        None => return (Listening::Hidden, None),
        Some(false) => return (Listening::Nobody, None),
        Some(true) => {}
    }
    let processes = machine.processes(allocation.port, allocation.protocol);
    let token = allocation.worktree.as_ref();
    let recorded = token.and_then(|token| places.paths.get(token)).map(PathBuf::as_path);
    let top = token.and(recorded.or(allocation.path.as_deref()));
    let others: Vec<&Path> = places.all.iter().map(PathBuf::as_path).collect();
    let holder = |process: &'a Process| Holder {
        name: &process.name,
        cwd: process.cwd.as_deref(),
        recorded: token.is_some_and(|token| machine.is_run(process.id.pid, token)),
    };
    let holders: Vec<Holder<'_>> = processes.iter().map(|process| holder(process)).collect();
    let ours = top.and_then(|top| holders.iter().position(|holder| holder.is_of(top, &others)));
    let shown = processes.get(ours.unwrap_or(0)).copied();
    (states::listening(&holders, top, &others), shown)
}

/// Where worktrees are now.
#[derive(Default)]
struct Places {
    paths: HashMap<Token, PathBuf>,
    all: BTreeSet<PathBuf>,
}

impl Places {
    /// Returns where the recorded worktrees are, and all the others of the repositories of those that are
    /// asked about: a process in a worktree without ports is not one of the worktree around it.
    fn of(records: &[WorktreeRecord], asked: &BTreeSet<Token>) -> Self {
        let mut places = Self::default();
        for record in records {
            // git moves a worktree without telling us; its administrative directory knows.
            let moved = (!record.main).then(|| worktree::recorded_path(&record.admin_dir).ok().flatten());
            let path = moved.flatten().unwrap_or_else(|| record.path.clone());
            places.paths.insert(record.token.clone(), path.clone());
            places.all.insert(path);
        }
        let repositories: BTreeSet<&Path> = records
            .iter()
            .filter(|record| asked.contains(&record.token))
            .map(|record| record.common_dir.as_path())
            .collect();
        for common_dir in repositories {
            let (common_dir, git_dir) = (common_dir.to_owned(), common_dir.to_owned());
            let repo = Repo { common_dir, git_dir, worktree: None };
            places.all.extend(repo.worktrees().unwrap_or_default().into_iter().map(|one| one.path));
        }
        places
    }
}

/// Returns a process in words: `node (pid 4121) in /home/me/shop`.
pub fn describe(process: &Process) -> String {
    let cwd = process.cwd.as_ref().map(|cwd| format!(" in {}", cwd.display())).unwrap_or_default();
    format!("{} (pid {}){cwd}", process.name, process.id.pid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::command::Command;

    #[test]
    fn what_a_run_started_counts_as_long_as_the_run_lives() {
        let mut child = Command::new("sleep").arg("60").spawn_piped().unwrap();
        let (ours, other) = (Token::from_random([1; 16]), Token::from_random([2; 16]));
        let run = process::find(std::process::id()).unwrap().id;
        let machine = |run: ProcessId| Machine {
            runs: Runs { of_worktrees: HashMap::from([(ours.clone(), vec![run])]), ..Runs::default() },
            ..Machine::default()
        };
        assert!(machine(run.clone()).is_run(child.id(), &ours));
        assert!(!machine(run.clone()).is_run(child.id(), &other));
        // The number is the same, but it was used again.
        let another = ProcessId { started: run.started + 1, ..run };
        assert!(!machine(another).is_run(child.id(), &ours));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn nothing_asked_is_nothing_looked_at() {
        let machine = Machine::look([]);
        assert_eq!(machine.in_use(Port::new(8080).unwrap(), Protocol::Tcp), None);
    }
}
