//! Processes: which one it is, where it runs, and whether it still does.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

use std::path::PathBuf;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use other as system;

/// How many generations are followed: more than any machine has, and an end to a walk among processes
/// that change meanwhile.
const GENERATIONS: usize = 1000;

/// The identity of a process. Numbers are used again, but not with the same start in the same boot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProcessId {
    /// Its number.
    pub pid: u32,
    /// When it started: in clock ticks since the boot on Linux (proc(5), `starttime`), in seconds since
    /// 1970 elsewhere.
    pub started: u64,
    /// The boot it started in; empty where the start is a date already.
    pub boot: String,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its identity.
    pub id: ProcessId,
    /// What people call it.
    pub name: String,
    /// Its arguments, the program first. Bytes that are no text are replaced.
    pub command: Vec<String>,
    /// The folder it runs in; none if that may not be read. A folder that was deleted keeps its name.
    pub cwd: Option<PathBuf>,
    /// The process that started it, or took it over.
    pub parent: Option<u32>,
    /// Its process group, to which a terminal sends signals.
    pub group: Option<u32>,
    /// Its session: the terminal or service it was started from.
    pub session: Option<u32>,
}

/// Returns the process with this number; none if there is none, or it has ended and only waits to be
/// noticed.
pub fn find(pid: u32) -> Option<Process> {
    system::find(pid)
}

/// Says whether this very process still runs. A zombie does not.
pub fn is_alive(id: &ProcessId) -> bool {
    system::identity(id.pid).as_ref() == Some(id)
}

/// Says whether a process is another, or was started by it, or by one that it started.
pub fn descends_from(pid: u32, ancestor: u32) -> bool {
    std::iter::successors(Some(pid), |pid| system::parent(*pid)).take(GENERATIONS).any(|one| one == ancestor)
}

/// Returns what a process has started that still runs, and what that has started.
pub fn descendants(pid: u32) -> Vec<ProcessId> {
    let below = pids().into_iter().filter(|one| *one != pid && descends_from(*one, pid));
    below.filter_map(system::identity).collect()
}

/// Returns the numbers of all processes, in ascending order.
pub(super) fn pids() -> Vec<u32> {
    system::pids()
}

/// Says whether a program of this name runs, whoever started it. False where that cannot be told.
pub fn is_any_running(name: &str) -> bool {
    #[cfg(target_os = "linux")]
    return pids().into_iter().filter_map(find).any(|process| process.name == name);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = name;
        false
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
