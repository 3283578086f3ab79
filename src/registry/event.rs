//! What happened to a port, in the words that reach disk.

use std::path::PathBuf;
use std::str::FromStr;

use jiff::Timestamp;

use super::allocation::Allocation;
use super::port::{Port, Protocol};
use super::scope::{EnvironmentName, ProjectName, ServiceName};

/// What kind of change an event records. The names reach disk and JSON; a test pins them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A port was promised.
    Allocated,
    /// A port was given back.
    Released,
    /// A service got another port on request.
    Moved,
    /// Metadata changed.
    Updated,
    /// A released row was dropped for good.
    Forgotten,
    /// A port or range was reserved.
    Reserved,
    /// A reservation was lifted.
    Unreserved,
    /// A range of an environment or project was set.
    RangeSet,
    /// A range was unset.
    RangeUnset,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Allocated,
        Self::Released,
        Self::Moved,
        Self::Updated,
        Self::Forgotten,
        Self::Reserved,
        Self::Unreserved,
        Self::RangeSet,
        Self::RangeUnset,
    ];

    /// Returns the name as it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allocated => "allocated",
            Self::Released => "released",
            Self::Moved => "moved",
            Self::Updated => "updated",
            Self::Forgotten => "forgotten",
            Self::Reserved => "reserved",
            Self::Unreserved => "unreserved",
            Self::RangeSet => "range-set",
            Self::RangeUnset => "range-unset",
        }
    }
}

/// A text that names no kind of event: a registry written by something newer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a kind of event")]
pub struct InvalidEventKind(String);

impl FromStr for EventKind {
    type Err = InvalidEventKind;

    fn from_str(text: &str) -> Result<Self, InvalidEventKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| InvalidEventKind(text.to_owned()))
    }
}

/// One recorded change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// On which machine (its key).
    pub host: String,
    /// The port it happened to; none for a range.
    pub port: Option<Port>,
    /// Its protocol.
    pub protocol: Protocol,
    /// Whose it was.
    pub project: Option<ProjectName>,
    /// The service.
    pub service: Option<ServiceName>,
    /// The environment.
    pub environment: Option<EnvironmentName>,
    /// Where the worktree was.
    pub path: Option<PathBuf>,
    /// Its branch.
    pub branch: Option<String>,
    /// Which conversation or agent asked.
    pub session: Option<String>,
    /// Why, in words: "worktree removed", "moved from 8001 by --new".
    pub reason: String,
}

impl Event {
    /// Returns the event that says this happened to a port, or to a range, that belongs to nobody.
    pub fn of_nobody(
        host: &str,
        kind: EventKind,
        at: Timestamp,
        port: Option<Port>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            at,
            kind,
            host: host.to_owned(),
            port,
            protocol: Protocol::Tcp,
            project: None,
            service: None,
            environment: None,
            path: None,
            branch: None,
            session: None,
            reason: reason.into(),
        }
    }

    /// Returns the event that says this happened to an allocation.
    pub fn of(allocation: &Allocation, kind: EventKind, at: Timestamp, reason: impl Into<String>) -> Self {
        Self {
            at,
            kind,
            host: allocation.host.clone(),
            port: Some(allocation.port),
            protocol: allocation.protocol,
            project: Some(allocation.project.clone()),
            service: Some(allocation.service.clone()),
            environment: Some(allocation.environment.clone()),
            path: allocation.path.clone(),
            branch: allocation.branch.clone(),
            session: allocation.session.clone(),
            reason: reason.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_disk_never_change() {
        let names: Vec<_> = EventKind::ALL.into_iter().map(EventKind::name).collect();
        assert_eq!(
            names.join(" "),
            "allocated released moved updated forgotten reserved unreserved range-set range-unset"
        );
        assert!(EventKind::ALL.into_iter().all(|kind| kind.name().parse() == Ok(kind)));
    }
}
