//! What `git port run` started: who is on a port, wherever the process has gone.

use jiff::Timestamp;

/// A program that was started for an allocation. It counts as long as that very process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// The row of the allocation whose port it was given as `PORT`.
    pub allocation: i64,
    /// The key of the machine it runs on.
    pub host: String,
    /// Its process number.
    pub pid: u32,
    /// When the process started, as the system counts it; with the number and the boot its identity.
    pub started: u64,
    /// The boot it started in; empty where the start is a date already.
    pub boot: String,
    /// Its command line, for people.
    pub command: String,
    /// When it was started.
    pub at: Timestamp,
}
