//! git-port's own document: what a registry holds, without loss and in one order, so that the same
//! registry always gives the same bytes.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::json::unreadable;
use super::{Document, Export, ParseError, Row};
use crate::registry::{Allocation, Place, Port, PortRange, RangeRecord, Reservation, WorktreeRecord};

// These names and the fields below reach disk; they are added to, never changed.
pub(super) const KIND: &str = "git-port export";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Whole {
    version: u32,
    kind: String,
    #[serde(default)]
    hosts: Vec<HostText>,
    #[serde(default)]
    allocations: Vec<AllocationText>,
    #[serde(default)]
    worktrees: Vec<WorktreeText>,
    #[serde(default)]
    ranges: Vec<RangeText>,
    #[serde(default)]
    reservations: Vec<ReservationText>,
}

#[derive(Serialize, Deserialize)]
struct HostText {
    key: String,
    name: String,
}

/// git's paths are bytes. One that is no text is written as the hexadecimal digits of its bytes.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PathText {
    Text(String),
    Bytes { bytes: String },
}

#[derive(Serialize, Deserialize)]
struct AllocationText {
    port: u16,
    protocol: String,
    host: String,
    user: Option<String>,
    project: String,
    worktree: Option<String>,
    path: Option<PathText>,
    branch: Option<String>,
    service: String,
    environment: String,
    primary: bool,
    status: String,
    service_type: Option<String>,
    description: Option<String>,
    public_hostname: Option<String>,
    pinned: bool,
    session: Option<String>,
    allocated_at: Timestamp,
    last_used_at: Option<Timestamp>,
    last_checked_at: Option<Timestamp>,
    released_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct WorktreeText {
    token: String,
    host: String,
    project: String,
    repository: String,
    common_dir: PathText,
    admin_dir: PathText,
    path: PathText,
    branch: Option<String>,
    main: bool,
    device: u64,
    filesystem: u64,
    mount: PathText,
    seen_at: Timestamp,
    missing_since: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct RangeText {
    environment: Option<String>,
    project: Option<String>,
    ranges: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct ReservationText {
    range: String,
    reason: Option<String>,
}

/// Returns the document of these rows.
pub(super) fn render(export: &Export) -> String {
    let mut allocations: Vec<&Allocation> = export.allocations.iter().collect();
    // The row's number is left out, for it differs from registry to registry, and so it must not order.
    allocations.sort_by_key(|one| {
        let whose = (one.project.clone(), one.service.clone(), one.environment.clone());
        (one.host.clone(), one.port, one.protocol, one.released_at, whose, one.allocated_at, one.path.clone())
    });
    let mut hosts = export.hosts.clone();
    hosts.sort();
    let mut worktrees: Vec<&WorktreeRecord> = export.worktrees.iter().collect();
    worktrees.sort_by(|a, b| a.token.cmp(&b.token));
    let whole = Whole {
        version: VERSION,
        kind: KIND.to_owned(),
        hosts: hosts.into_iter().map(|(key, name)| HostText { key, name }).collect(),
        allocations: allocations.into_iter().map(AllocationText::from).collect(),
        worktrees: worktrees.into_iter().map(WorktreeText::from).collect(),
        ranges: export.ranges.iter().map(RangeText::from).collect(),
        reservations: export
            .reservations
            .iter()
            .map(|one| ReservationText { range: one.range.to_string(), reason: one.reason.clone() })
            .collect(),
    };
    // Our own structs always serialise; their maps have string keys.
    let mut text = harmless(&serde_json::to_string_pretty(&whole).unwrap_or_default());
    text.push('\n');
    text
}

/// Writes what is neither ASCII nor a letter or digit as an escape: it might act on a terminal.
fn harmless(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if (c.is_ascii() && c != '\u{7f}') || c.is_alphanumeric() {
            text.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}")));
        }
    }
    text
}

/// Returns what such a document says.
pub(super) fn parse(text: &str) -> Result<Document, ParseError> {
    let whole: Whole = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    if whole.version > VERSION {
        let message = format!("a newer git-port wrote this (its version is {})", whole.version);
        return Err(ParseError::new(None, message).hint("update git-port"));
    }
    let rows = whole.allocations.into_iter().enumerate().map(|(index, one)| {
        one.row().map_err(|message| ParseError::new(None, format!("allocation {}: {message}", index + 1)))
    });
    let worktrees = whole.worktrees.into_iter().enumerate().map(|(index, one)| {
        one.record().map_err(|message| ParseError::new(None, format!("worktree {}: {message}", index + 1)))
    });
    let ranges =
        whole.ranges.into_iter().map(|one| one.record().map_err(|error| ParseError::new(None, error)));
    let reservations = whole.reservations.into_iter().map(|one| {
        let range = one.range.parse().map_err(|error| ParseError::new(None, error))?;
        Ok(Reservation { range, reason: one.reason })
    });
    Ok(Document {
        own: true,
        rows: rows.collect::<Result<_, _>>()?,
        worktrees: worktrees.collect::<Result<_, _>>()?,
        hosts: whole.hosts.into_iter().map(|host| (host.key, host.name)).collect(),
        ranges: ranges.collect::<Result<_, ParseError>>()?,
        reservations: reservations.collect::<Result<_, ParseError>>()?,
        skipped: Vec::new(),
    })
}

/// Reads what a field holds; what is wrong with it is said in the words of its type.
fn read<T: std::str::FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}

impl From<&Allocation> for AllocationText {
    fn from(one: &Allocation) -> Self {
        Self {
            port: one.port.number(),
            protocol: one.protocol.to_string(),
            host: one.host.clone(),
            user: one.user.clone(),
            project: one.project.to_string(),
            worktree: one.worktree.as_ref().map(ToString::to_string),
            path: one.path.as_deref().map(PathText::from),
            branch: one.branch.clone(),
            service: one.service.to_string(),
            environment: one.environment.to_string(),
            primary: one.primary,
            status: one.status.name().to_owned(),
            service_type: one.service_type.clone(),
            description: one.description.clone(),
            public_hostname: one.public_hostname.clone(),
            pinned: one.pinned,
            session: one.session.clone(),
            allocated_at: one.allocated_at,
            last_used_at: one.last_used_at,
            last_checked_at: one.last_checked_at,
            released_at: one.released_at,
        }
    }
}

impl AllocationText {
    fn row(self) -> Result<Row, String> {
        let port = Port::new(self.port).ok_or("'0' is not a port (a port is a number from 1 to 65535)")?;
        let status: crate::registry::Status = read(&self.status)?;
        if status.is_live() != self.released_at.is_none() {
            return Err(format!("it is {}, which does not fit its 'released_at'", self.status));
        }
        Ok(Row {
            protocol: read(&self.protocol)?,
            host: Some(self.host),
            user: self.user,
            project: Some(read(&self.project)?),
            token: self.worktree.as_deref().map(read).transpose()?,
            path: self.path.map(PathText::path).transpose()?,
            branch: self.branch,
            service: Some(read(&self.service)?),
            environment: Some(read(&self.environment)?),
            primary: Some(self.primary),
            status,
            service_type: self.service_type,
            description: self.description,
            public_hostname: self.public_hostname,
            pinned: self.pinned,
            session: self.session,
            allocated_at: Some(self.allocated_at),
            last_used_at: self.last_used_at,
            last_checked_at: self.last_checked_at,
            released_at: self.released_at,
            ..Row::new(port)
        })
    }
}

impl From<&WorktreeRecord> for WorktreeText {
    fn from(one: &WorktreeRecord) -> Self {
        Self {
            token: one.token.to_string(),
            host: one.host.clone(),
            project: one.project.to_string(),
            repository: one.repository.to_string(),
            common_dir: one.common_dir.as_path().into(),
            admin_dir: one.admin_dir.as_path().into(),
            path: one.path.as_path().into(),
            branch: one.branch.clone(),
            main: one.main,
            device: one.place.device,
            filesystem: one.place.filesystem,
            mount: one.place.mount.as_path().into(),
            seen_at: one.seen_at,
            missing_since: one.missing_since,
        }
    }
}

impl WorktreeText {
    fn record(self) -> Result<WorktreeRecord, String> {
        Ok(WorktreeRecord {
            token: read(&self.token)?,
            host: self.host,
            project: read(&self.project)?,
            repository: read(&self.repository)?,
            common_dir: self.common_dir.path()?,
            admin_dir: self.admin_dir.path()?,
            path: self.path.path()?,
            branch: self.branch,
            main: self.main,
            place: Place { device: self.device, filesystem: self.filesystem, mount: self.mount.path()? },
            seen_at: self.seen_at,
            missing_since: self.missing_since,
        })
    }
}

impl From<&RangeRecord> for RangeText {
    fn from(record: &RangeRecord) -> Self {
        let texts = |ranges: &[PortRange]| ranges.iter().map(ToString::to_string).collect();
        match record {
            RangeRecord::Environment(name, ranges) => {
                Self { environment: Some(name.to_string()), project: None, ranges: texts(ranges) }
            }
            RangeRecord::Project(name, ranges) => {
                Self { environment: None, project: Some(name.to_string()), ranges: texts(ranges) }
            }
        }
    }
}

impl RangeText {
    fn record(self) -> Result<RangeRecord, String> {
        let ranges = self.ranges.iter().map(|range| read(range)).collect::<Result<Vec<PortRange>, _>>()?;
        match (self.environment, self.project) {
            (Some(name), None) => Ok(RangeRecord::Environment(read(&name)?, ranges)),
            (None, Some(name)) => Ok(RangeRecord::Project(read(&name)?, ranges)),
            _ => Err("a range belongs to an environment or to a project".to_owned()),
        }
    }
}

impl From<&Path> for PathText {
    fn from(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => {
                let bytes = path.as_os_str().as_encoded_bytes().iter();
                let bytes = bytes.fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"));
                Self::Bytes { bytes }
            }
        }
    }
}

impl PathText {
    fn path(self) -> Result<PathBuf, String> {
        let digits = match self {
            Self::Text(text) => return Ok(text.into()),
            Self::Bytes { bytes } => bytes,
        };
        let wrong = || format!("'{digits}' are no bytes in hexadecimal digits");
        if !digits.is_ascii() || digits.len() % 2 == 1 {
            return Err(wrong());
        }
        let bytes = (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong()))
            .collect::<Result<Vec<u8>, _>>()?;
        Ok(path_from(bytes))
    }
}

#[cfg(unix)]
fn path_from(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path_from(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}
