//! Where the registry is kept.
//!
//! A backend knows rows, locks and retries. It knows no rules: those are in `registry` and run inside
//! [`write()`], over the rows they are given. What belongs together happens in one exclusive transaction:
//! read, choose, probe, insert. Programs are started and files written only after the commit.
//!
//! Times are whole milliseconds since 1970 in UTC; paths are bytes, because git's are.

pub mod care;
mod migrate;
mod paths;
pub mod postgres;
pub mod sqlite;

use std::path::PathBuf;

use jiff::Timestamp;

use crate::registry::{
    Allocation, EnvironmentName, Event, HealthCheck, Port, PortRange, ProjectName, Protocol, RangeRecord,
    Reservation, RunRecord, ServiceName, Token, WorktreeRecord,
};
use crate::system::files::Trace;

/// Why the registry did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Others held its lock for too long.
    #[error("the registry '{registry}' is locked by another process")]
    Busy {
        /// Which registry.
        registry: String,
    },
    /// It cannot be opened or written: the disk is full, the server is down.
    #[error("the registry '{registry}' cannot be used: {why}")]
    Unavailable {
        /// Which registry.
        registry: String,
        /// What is wrong.
        why: String,
    },
    /// The system does not allow it.
    #[error("cannot {act} the registry '{registry}': {why}")]
    Denied {
        /// "open", "write".
        act: &'static str,
        /// Which registry.
        registry: String,
        /// What is wrong.
        why: String,
    },
    /// What is named is refused, whoever asks: it is no file, others may write there, the server does not
    /// let this user in.
    #[error("cannot {act} the registry '{registry}': {why}")]
    Refused {
        /// "open", "use".
        act: &'static str,
        /// Which registry.
        registry: String,
        /// What is wrong.
        why: String,
    },
    /// It is damaged, or is no registry.
    #[error("the registry '{registry}' is damaged: {why}")]
    Damaged {
        /// Which registry.
        registry: String,
        /// What is wrong.
        why: String,
    },
    /// What names it makes no sense. The name is not repeated: it may hold a password.
    #[error("the registry cannot be used: {why}")]
    Address {
        /// What is wrong.
        why: String,
    },
    /// It was moved elsewhere, and is kept as it was then.
    #[error("the registry '{registry}' was moved to '{to}'")]
    Moved {
        /// Which registry.
        registry: String,
        /// Where it is now.
        to: String,
    },
    /// A newer git-port wrote it and does not let this one in.
    #[error(
        "the registry '{registry}' needs a newer git-port (its version is {found}, this one knows {known})"
    )]
    Newer {
        /// Which registry.
        registry: String,
        /// The version it has.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// A row would break a promise: the last guard, if a rule above is wrong.
    #[error("the registry refused a row: {why}")]
    Constraint {
        /// Which promise.
        why: String,
    },
    /// Anything else.
    #[error("the registry '{registry}' failed: {why}")]
    Failed {
        /// Which registry.
        registry: String,
        /// What the backend said.
        why: String,
    },
}

/// Which allocations to return; every part that is set must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// On this machine.
    pub host: Option<String>,
    /// For this protocol.
    pub protocol: Option<Protocol>,
    /// With this port.
    pub port: Option<Port>,
    /// Of this project.
    pub project: Option<ProjectName>,
    /// Of this worktree.
    pub worktree: Option<Token>,
    /// Of this service.
    pub service: Option<ServiceName>,
    /// In this environment.
    pub environment: Option<EnvironmentName>,
    /// Asked for by this session.
    pub session: Option<String>,
    /// Of this user.
    pub user: Option<String>,
    /// With this public host name, in whatever case.
    pub public_hostname: Option<String>,
    /// Held for the whole team.
    pub shared: bool,
    /// Live ones, or released ones.
    pub live: Option<bool>,
}

impl Filter {
    /// Returns the filter for everything that is promised.
    pub fn live() -> Self {
        Self { live: Some(true), ..Self::default() }
    }

    /// Says whether it lets this one through, which no store has. Who holds what for a team only a store
    /// can tell.
    pub fn fits(&self, one: &Allocation) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, value: Option<&T>) -> bool {
            wanted.is_none() || wanted == value
        }
        let name = |text: &String| text.to_ascii_lowercase();
        is(self.host.as_ref(), Some(&one.host))
            && is(self.protocol.as_ref(), Some(&one.protocol))
            && is(self.port.as_ref(), Some(&one.port))
            && is(self.project.as_ref(), Some(&one.project))
            && is(self.worktree.as_ref(), one.worktree.as_ref())
            && is(self.service.as_ref(), Some(&one.service))
            && is(self.environment.as_ref(), Some(&one.environment))
            && is(self.session.as_ref(), one.session.as_ref())
            && is(self.user.as_ref(), one.user.as_ref())
            && is(
                self.public_hostname.as_ref().map(name).as_ref(),
                one.public_hostname.as_ref().map(name).as_ref(),
            )
            && self.live.is_none_or(|live| live == one.released_at.is_none())
    }
}

/// What the registry knows of one port that has or had an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRecord {
    /// The port.
    pub port: Port,
    /// Whether it is promised.
    pub live: bool,
    /// When it was last given back; none if it never was.
    pub released_at: Option<Timestamp>,
}

/// Reading, in one consistent view.
pub trait Rows {
    /// Returns the allocations that the filter lets through, by port, then newest first.
    fn allocations(&mut self, filter: &Filter) -> Result<Vec<Allocation>, StoreError>;
    /// Returns the ports of the range that have or had an owner, in ascending order.
    fn ports(
        &mut self,
        host: &str,
        protocol: Protocol,
        range: PortRange,
    ) -> Result<Vec<PortRecord>, StoreError>;
    /// Returns the ports of the range that somebody has on whatever machine, and has for the whole team.
    fn shared_ports(&mut self, protocol: Protocol, range: PortRange) -> Result<Vec<Port>, StoreError>;
    /// Returns the ranges whose ports are held for the whole team, in ascending order.
    fn shared_ranges(&mut self) -> Result<Vec<PortRange>, StoreError>;
    /// Returns the machines, each with its key and what people call it, by key.
    fn hosts(&mut self) -> Result<Vec<(String, String)>, StoreError>;
    /// Returns parts of the range of which every port is promised, in ascending order: those that can be
    /// told without reading what is in them, which may be none.
    fn full(
        &mut self,
        _host: &str,
        _protocol: Protocol,
        _range: PortRange,
    ) -> Result<Vec<PortRange>, StoreError> {
        Ok(Vec::new())
    }
    /// Returns the worktrees of a machine.
    fn worktrees(&mut self, host: &str) -> Result<Vec<WorktreeRecord>, StoreError>;
    /// Returns one worktree.
    fn worktree(&mut self, token: &Token) -> Result<Option<WorktreeRecord>, StoreError>;
    /// Returns the ranges kept in the registry.
    fn ranges(&mut self) -> Result<Vec<RangeRecord>, StoreError>;
    /// Returns the reservations kept in the registry, in ascending order.
    fn reservations(&mut self) -> Result<Vec<Reservation>, StoreError>;
    /// Returns at most `limit` events, newest first; of one port if one is given.
    fn events(&mut self, port: Option<Port>, limit: u32) -> Result<Vec<Event>, StoreError>;
    /// Returns at most `limit` looks at an allocation, newest first.
    fn health_checks(&mut self, allocation: i64, limit: u32) -> Result<Vec<HealthCheck>, StoreError>;
    /// Returns what runs on a machine by `git port run`, and what was left behind by one that was killed.
    fn runs(&mut self, host: &str) -> Result<Vec<RunRecord>, StoreError>;
    /// Returns what people call the machine with this key.
    fn host_name(&mut self, key: &str) -> Result<Option<String>, StoreError>;
    /// Returns a note that git-port keeps for itself.
    fn note(&mut self, key: &str) -> Result<Option<String>, StoreError>;
}

/// Reading and writing, while no one else writes.
pub trait Transaction: Rows {
    /// Stores a new allocation and returns its row number.
    fn insert_allocation(&mut self, allocation: &Allocation) -> Result<i64, StoreError>;
    /// Stores the allocation in place of the row with its number.
    fn update_allocation(&mut self, allocation: &Allocation) -> Result<(), StoreError>;
    /// Drops the row with this number.
    fn delete_allocation(&mut self, id: i64) -> Result<(), StoreError>;
    /// Stores the worktree in place of what is known of its token.
    fn put_worktree(&mut self, worktree: &WorktreeRecord) -> Result<(), StoreError>;
    /// Drops a worktree.
    fn delete_worktree(&mut self, token: &Token) -> Result<(), StoreError>;
    /// Stores the ranges of an environment or project; an empty list drops them.
    fn put_range(&mut self, range: &RangeRecord) -> Result<(), StoreError>;
    /// Holds the ports of the range for the whole team, whoever has them now; or no longer.
    fn share(&mut self, range: PortRange, shared: bool) -> Result<(), StoreError>;
    /// Stores a reservation.
    fn put_reservation(&mut self, reservation: &Reservation) -> Result<(), StoreError>;
    /// Drops a reservation. Returns whether there was one.
    fn delete_reservation(&mut self, range: PortRange) -> Result<bool, StoreError>;
    /// Adds an event to the history.
    fn append_event(&mut self, event: &Event) -> Result<(), StoreError>;
    /// Drops all events but the last `keep`.
    fn trim_events(&mut self, keep: u32) -> Result<(), StoreError>;
    /// Adds a look at an allocation, and drops all but its last `keep`.
    fn append_health_check(&mut self, check: &HealthCheck, keep: u32) -> Result<(), StoreError>;
    /// Stores what runs for an allocation, in place of what ran before.
    fn put_run(&mut self, run: &RunRecord) -> Result<(), StoreError>;
    /// Drops what runs for an allocation.
    fn delete_run(&mut self, allocation: i64) -> Result<(), StoreError>;
    /// Stores what people call the machine with this key.
    fn put_host(&mut self, key: &str, name: &str) -> Result<(), StoreError>;
    /// Stores a note that git-port keeps for itself.
    fn put_note(&mut self, key: &str, value: &str) -> Result<(), StoreError>;
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Keep what was written.
    Commit,
    /// Undo what was written.
    Rollback,
}

/// A registry that can be opened.
pub trait Store: Send {
    /// Runs `work` over one consistent view, without keeping writers out.
    fn view(&mut self, work: &mut dyn FnMut(&mut dyn Rows)) -> Result<(), StoreError>;

    /// Runs `work` in one transaction that excludes every other writer. What was written is durable
    /// when this returns.
    ///
    /// `work` may run more than once, after a lost race, so it must not change anything outside the
    /// transaction.
    fn transact(&mut self, work: &mut dyn FnMut(&mut dyn Transaction) -> Verdict) -> Result<(), StoreError>;

    /// Returns where the registry is, for people: a path, or a URL without its password.
    fn location(&self) -> String;

    /// Returns the file the registry is kept in, if it is one.
    fn file(&self) -> Option<PathBuf>;

    /// Returns a number that is another one after whoever has written, so that one who waits for changes
    /// need not read all of it; none where that cannot be told. Unless the backend knows better, it is made
    /// of the last event.
    fn stamp(&mut self) -> Option<u64> {
        let mut last = None;
        self.view(&mut |rows| last = rows.events(None, 1).ok()).ok()?;
        let number = |event: &Event| {
            let port = event.port.map_or(0, |port| u64::from(port.number()));
            (event.at.as_millisecond().unsigned_abs() << 16) ^ port
        };
        last.map(|events| events.first().map_or(0, number))
    }

    /// Returns what tells the present state of the registry from every other, without opening it; none
    /// where nothing does, as with a server.
    fn traces(&self) -> Option<Vec<Trace>> {
        None
    }

    /// Returns the care of the file; none where somebody else cares, as for a server.
    fn care(&mut self) -> Option<&mut dyn care::Care> {
        None
    }
}

/// Runs `work` over one consistent view and returns what it returns.
pub fn read<T, E: From<StoreError>>(
    store: &mut dyn Store,
    mut work: impl FnMut(&mut dyn Rows) -> Result<T, E>,
) -> Result<T, E> {
    let mut answer = None;
    let location = store.location();
    store
        .view(&mut |rows| answer = Some(stay(rows, &location).map_err(E::from).and_then(|()| work(rows))))?;
    answer.unwrap_or_else(|| Err(never_ran(store).into()))
}

/// Runs `work` in an exclusive transaction, commits if it returns `Ok`, and returns what it returns.
pub fn write<T, E: From<StoreError>>(
    store: &mut dyn Store,
    mut work: impl FnMut(&mut dyn Transaction) -> Result<T, E>,
) -> Result<T, E> {
    let location = store.location();
    write_anyway(store, |transaction| {
        stay(transaction, &location)?;
        work(transaction)
    })
}

/// The note that says where a registry was moved to.
const MOVED: &str = "moved";

/// Fails where the registry was moved elsewhere: what was written here would be lost.
fn stay<R: Rows + ?Sized>(rows: &mut R, location: &str) -> Result<(), StoreError> {
    match rows.note(MOVED)?.filter(|to| !to.is_empty()) {
        Some(to) => Err(StoreError::Moved { registry: location.to_owned(), to }),
        None => Ok(()),
    }
}

/// Notes that the registry is another from now on; or that it is this one, if none is named.
pub fn note_move(transaction: &mut dyn Transaction, to: Option<&str>) -> Result<(), StoreError> {
    transaction.put_note(MOVED, to.unwrap_or_default())
}

/// Says whether the registry was moved elsewhere.
pub fn is_moved(rows: &mut dyn Rows) -> Result<bool, StoreError> {
    Ok(rows.note(MOVED)?.is_some_and(|to| !to.is_empty()))
}

/// As [`write()`], also on a registry that was moved.
pub fn write_anyway<T, E: From<StoreError>>(
    store: &mut dyn Store,
    mut work: impl FnMut(&mut dyn Transaction) -> Result<T, E>,
) -> Result<T, E> {
    let mut answer = None;
    store.transact(&mut |transaction| {
        let result = work(transaction);
        let verdict = if result.is_ok() { Verdict::Commit } else { Verdict::Rollback };
        answer = Some(result);
        verdict
    })?;
    answer.unwrap_or_else(|| Err(never_ran(store).into()))
}

fn never_ran(store: &dyn Store) -> StoreError {
    StoreError::Failed { registry: store.location(), why: "the transaction was never run".to_owned() }
}
