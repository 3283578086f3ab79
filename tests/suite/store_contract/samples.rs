//! Rows to store: the plainest there can be, and the fullest.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use git_port::registry::{
    Allocation, EnvironmentName, Event, EventKind, Place, Port, PortRange, Protocol, Status, Token,
    WorktreeRecord,
};
use git_port::store::StoreError;
use jiff::Timestamp;

/// An error of whoever uses the store.
#[derive(Debug)]
pub(super) enum Failure {
    Rule(&'static str),
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

pub(super) fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

pub(super) fn range(start: u16, end: u16) -> PortRange {
    PortRange::new(port(start), port(end)).unwrap()
}

pub(super) fn time(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(millisecond).unwrap()
}

pub(super) fn token(seed: u8) -> Token {
    Token::from_random([seed; 16])
}

/// A path no text can hold.
pub(super) fn odd_path(end: u8) -> PathBuf {
    PathBuf::from(OsString::from_vec(vec![b'/', 0xff, b'\n', b'\'', 0xc3, end]))
}

/// An allocation of a worktree with nothing set that need not be.
pub(super) fn plain(number: u16, service: &str) -> Allocation {
    Allocation {
        id: 0,
        host: "here".to_owned(),
        user: None,
        protocol: Protocol::Tcp,
        port: port(number),
        project: "shop".parse().unwrap(),
        worktree: Some(token(1)),
        path: None,
        branch: None,
        service: service.parse().unwrap(),
        environment: EnvironmentName::dev(),
        primary: false,
        status: Status::Allocated,
        service_type: None,
        description: None,
        public_hostname: None,
        pinned: false,
        session: None,
        allocated_at: time(1_000),
        last_used_at: None,
        last_checked_at: None,
        released_at: None,
    }
}

/// An allocation with everything set.
pub(super) fn full(number: u16) -> Allocation {
    Allocation {
        user: Some("Zoë 'O\"".to_owned()),
        protocol: Protocol::Udp,
        path: Some(odd_path(1)),
        branch: Some("feat/ü\u{1f600}".to_owned()),
        environment: EnvironmentName::test(),
        primary: true,
        status: Status::Active,
        service_type: Some("api".to_owned()),
        description: Some("line\nline; --".to_owned()),
        public_hostname: Some("shop.example".to_owned()),
        pinned: true,
        session: Some(String::new()),
        allocated_at: time(-1),
        last_used_at: Some(time(0)),
        last_checked_at: Some(time(253_402_200_000_000)),
        ..plain(number, "web")
    }
}

pub(super) fn released(allocation: Allocation, at: i64) -> Allocation {
    Allocation { status: Status::Released, released_at: Some(time(at)), ..allocation }
}

pub(super) fn worktree(seed: u8) -> WorktreeRecord {
    WorktreeRecord {
        token: token(seed),
        host: "here".to_owned(),
        project: "été.2".parse().unwrap(),
        repository: token(200),
        common_dir: odd_path(2),
        admin_dir: odd_path(3),
        path: odd_path(seed),
        branch: Some("main".to_owned()),
        main: true,
        place: Place { device: u64::MAX, filesystem: 1 << 63, mount: odd_path(4) },
        seen_at: time(5),
        missing_since: Some(time(6)),
    }
}

pub(super) fn event(number: Option<u16>, reason: &str) -> Event {
    Event {
        at: time(7),
        kind: EventKind::Reserved,
        host: "here".to_owned(),
        port: number.map(port),
        protocol: Protocol::Tcp,
        project: None,
        service: None,
        environment: None,
        path: None,
        branch: None,
        session: None,
        reason: reason.to_owned(),
    }
}

pub(super) fn ports_of(allocations: &[Allocation]) -> Vec<u16> {
    allocations.iter().map(|allocation| allocation.port.number()).collect()
}

#[track_caller]
pub(super) fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Constraint { .. })), "{result:?}");
}
