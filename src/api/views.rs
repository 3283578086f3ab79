//! One struct for each JSON object, converted from what an operation returned.
//!
//! Fields may be added without a new version; none is ever removed, renamed or given another meaning.
//! Absent values are `null`. Times are RFC 3339 in UTC.

mod audit;
pub mod dashboard;
pub mod doctor;
pub mod health;
mod import;
mod ranges;
mod registry;
pub mod template;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Error;
use crate::ops::allocate::Placed;
use crate::ops::check::Checked;
use crate::ops::cleanup::CleanedUp;
use crate::ops::list::Listed;
use crate::ops::machine::Process;
use crate::ops::worktree::{Created, Described, Removed, WithPorts};
use crate::registry::{Allocation, Event, State, states};

pub use audit::{AuditView, ConflictView};
pub use import::{ExportView, ImportView, ImportedView, SkippedView};
pub use ranges::{RangeInForceView, RangeView, RangesView, ReservedView, StatsView, SummaryView, ranges_of};
pub use registry::MovedView;

/// The version of every object.
const VERSION: u32 = 1;

/// Anything that is an object of its own, with its version in front.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    body: T,
}

impl<T> Versioned<T> {
    /// Returns the object with its version.
    pub fn new(body: T) -> Self {
        Self { version: VERSION, body }
    }
}

/// The process that has a port.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ProcessView {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: Option<String>,
    /// The folder it runs in.
    pub cwd: Option<String>,
}

impl From<&Process> for ProcessView {
    fn from(process: &Process) -> Self {
        Self {
            pid: process.id.pid,
            name: Some(process.name.clone()),
            cwd: process.cwd.as_ref().map(|cwd| cwd.to_string_lossy().into_owned()),
        }
    }
}

/// An allocation.
#[derive(Debug, JsonSchema, Serialize)]
pub struct AllocationView {
    /// The port.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// What people call the machine.
    pub host: String,
    /// The user who has it.
    pub user: Option<String>,
    /// The project.
    pub project: String,
    /// The absolute path of the worktree; null for a service outside git.
    pub worktree: Option<String>,
    /// The branch that was checked out there.
    pub branch: Option<String>,
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// Whether `PORT` stands for it.
    pub primary: bool,
    /// How it stands now.
    pub state: &'static str,
    /// What is recorded.
    pub status: &'static str,
    /// What kind of service it is.
    pub service_type: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// The name it is reached by from outside.
    pub public_hostname: Option<String>,
    /// Whether a cleanup leaves it alone.
    pub pinned: bool,
    /// Which conversation or agent asked for it.
    pub session: Option<String>,
    /// The variable that carries it.
    pub variable: String,
    /// Its URL, where HTTP makes sense.
    pub url: Option<String>,
    /// Who listens on it.
    pub process: Option<ProcessView>,
    /// When it was promised.
    pub allocated_at: Timestamp,
    /// When it was last run.
    pub last_used_at: Option<Timestamp>,
    /// When the machine was last asked about it.
    pub last_checked_at: Option<Timestamp>,
    /// When it was given back.
    pub released_at: Option<Timestamp>,
    /// Whether this very request made it; only where something was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<bool>,
}

impl AllocationView {
    fn of(allocation: &Allocation, state: State, host: &str) -> Self {
        Self {
            port: allocation.port.number(),
            protocol: allocation.protocol.name(),
            host: host.to_owned(),
            user: allocation.user.clone(),
            project: allocation.project.to_string(),
            worktree: allocation.path.as_ref().map(|path| path.to_string_lossy().into_owned()),
            branch: allocation.branch.clone(),
            service: allocation.service.to_string(),
            environment: allocation.environment.to_string(),
            primary: allocation.primary,
            state: state.name(),
            status: allocation.status.name(),
            service_type: allocation.service_type.clone(),
            description: allocation.description.clone(),
            public_hostname: allocation.public_hostname.clone(),
            pinned: allocation.pinned,
            session: allocation.session.clone(),
            variable: allocation.variable(),
            url: allocation.url(),
            process: None,
            allocated_at: allocation.allocated_at,
            last_used_at: allocation.last_used_at,
            last_checked_at: allocation.last_checked_at,
            released_at: allocation.released_at,
            created: None,
        }
    }

    /// Returns the view of an allocation about which nothing but the record is known.
    pub fn recorded(allocation: &Allocation, host: &str) -> Self {
        Self::of(allocation, states::recorded(allocation.status), host)
    }

    /// Returns the view of an allocation that was asked for.
    pub fn placed(placed: &Placed, host: &str) -> Self {
        Self { created: Some(placed.created), ..Self::recorded(&placed.allocation, host) }
    }
}

impl From<&Listed> for AllocationView {
    fn from(listed: &Listed) -> Self {
        let process = listed.process.as_ref().map(ProcessView::from);
        Self { process, ..Self::of(&listed.allocation, listed.state, &listed.host) }
    }
}

/// Allocations, one or many.
#[derive(Debug, JsonSchema, Serialize)]
pub struct AllocationsView {
    /// The allocations.
    pub allocations: Vec<AllocationView>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// What was released.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ReleasedView {
    /// The allocations, as they are now.
    pub released: Vec<AllocationView>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// A worktree.
#[derive(Debug, JsonSchema, Serialize)]
pub struct WorktreeView {
    /// Its absolute path.
    pub path: String,
    /// The branch that is checked out.
    pub branch: Option<String>,
    /// The project.
    pub project: String,
    /// The commit that is checked out.
    pub head: Option<String>,
}

impl From<&Described> for WorktreeView {
    fn from(described: &Described) -> Self {
        Self {
            path: described.worktree.path.to_string_lossy().into_owned(),
            branch: described.branch.clone(),
            project: described.project.to_string(),
            head: described.head.clone(),
        }
    }
}

/// What `worktree create` made.
#[derive(Debug, JsonSchema, Serialize)]
pub struct CreatedView {
    /// The worktree.
    pub worktree: WorktreeView,
    /// Its ports.
    pub allocations: Vec<AllocationView>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// How to start its dev server.
    #[serde(rename = "use")]
    pub usage: Option<String>,
}

impl CreatedView {
    /// Returns the view of a new worktree on the machine that people call `host`.
    pub fn new(created: &Created, host: &str) -> Self {
        Self {
            worktree: WorktreeView::from(&created.described),
            allocations: created.placed.iter().map(|placed| AllocationView::placed(placed, host)).collect(),
            warnings: created.warnings.clone(),
            usage: created.usage.clone(),
        }
    }
}

/// What `worktree remove` removed.
#[derive(Debug, JsonSchema, Serialize)]
pub struct RemovedView {
    /// The worktree, as it was.
    pub worktree: WorktreeView,
    /// The ports it gave back.
    pub released: Vec<AllocationView>,
    /// The branch that went with it.
    pub deleted_branch: Option<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl RemovedView {
    /// Returns the view of a worktree that is gone from the machine that people call `host`.
    pub fn new(removed: &Removed, host: &str) -> Self {
        Self {
            worktree: WorktreeView::from(&removed.described),
            released: removed.released.iter().map(|one| AllocationView::recorded(one, host)).collect(),
            deleted_branch: removed.deleted_branch.clone(),
            warnings: removed.warnings.clone(),
        }
    }
}

/// The worktrees of a repository.
#[derive(Debug, JsonSchema, Serialize)]
pub struct WorktreesView {
    /// The worktrees, the main one first.
    pub worktrees: Vec<WorktreeWithPorts>,
}

/// A worktree with its ports.
#[derive(Debug, JsonSchema, Serialize)]
pub struct WorktreeWithPorts {
    /// The worktree.
    #[serde(flatten)]
    pub worktree: WorktreeView,
    /// Whether it is the main one.
    pub main: bool,
    /// Whether one stands in it.
    pub current: bool,
    /// Whether `git worktree lock` protects it.
    pub locked: bool,
    /// Its ports.
    pub allocations: Vec<AllocationView>,
}

impl From<&[WithPorts]> for WorktreesView {
    fn from(worktrees: &[WithPorts]) -> Self {
        let view = |one: &WithPorts| WorktreeWithPorts {
            worktree: WorktreeView::from(&one.described),
            main: one.described.worktree.main,
            current: one.current,
            locked: one.described.worktree.locked,
            allocations: one.allocations.iter().map(AllocationView::from).collect(),
        };
        Self { worktrees: worktrees.iter().map(view).collect() }
    }
}

/// What is known of some ports.
#[derive(Debug, JsonSchema, Serialize)]
pub struct CheckedView {
    /// The ports, in the order of the question.
    pub ports: Vec<CheckedPort>,
    /// The allocations of those that have an owner.
    pub allocations: Vec<AllocationView>,
}

/// What is known of one port.
#[derive(Debug, JsonSchema, Serialize)]
pub struct CheckedPort {
    /// The port.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// Whether anybody may have it; null if that cannot be determined.
    pub free: Option<bool>,
    /// Whether some socket has it; null if that cannot be determined.
    pub in_use: Option<bool>,
    /// Why it is reserved; null if it is not.
    pub reserved: Option<String>,
    /// Why it is never picked automatically; null if it may be.
    pub avoided: Option<&'static str>,
    /// Who listens on it.
    pub process: Option<ProcessView>,
}

impl From<&[Checked]> for CheckedView {
    fn from(checked: &[Checked]) -> Self {
        use crate::registry::allocator::Probe;
        let view = |one: &Checked| CheckedPort {
            port: one.port.number(),
            protocol: one.protocol.name(),
            free: one.is_free(),
            in_use: match one.probe {
                Probe::Free => Some(false),
                Probe::InUse => Some(true),
                Probe::Denied | Probe::Unknown => None,
            },
            reserved: one.reserved.clone(),
            avoided: one.avoided,
            process: one.process.as_ref().map(ProcessView::from),
        };
        Self {
            ports: checked.iter().map(view).collect(),
            allocations: checked
                .iter()
                .filter_map(|one| one.owner.as_ref())
                .map(AllocationView::from)
                .collect(),
        }
    }
}

/// What a cleanup did, or would do.
#[derive(Debug, JsonSchema, Serialize)]
pub struct CleanupView {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The orphaned allocations.
    pub released: Vec<AllocationView>,
    /// The old ones.
    pub forgotten: Vec<AllocationView>,
    /// Those that stay although something about them was noticed.
    pub kept: Vec<KeptView>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// An allocation that stays.
#[derive(Debug, JsonSchema, Serialize)]
pub struct KeptView {
    /// The allocation.
    pub allocation: AllocationView,
    /// Why it stays.
    pub reason: String,
}

impl CleanupView {
    /// Returns the view of a cleanup on the machine that people call `host`.
    pub fn new(cleaned: &CleanedUp, host: &str) -> Self {
        let plan = &cleaned.plan;
        let orphaned = |allocation: &Allocation| {
            let state = if cleaned.dry_run { State::Orphaned } else { State::Released };
            AllocationView::of(allocation, state, host)
        };
        Self {
            dry_run: cleaned.dry_run,
            released: plan.release.iter().map(orphaned).collect(),
            forgotten: plan.forget.iter().map(|one| AllocationView::recorded(one, host)).collect(),
            kept: plan
                .keep
                .iter()
                .map(|kept| KeptView {
                    allocation: AllocationView::recorded(&kept.allocation, host),
                    reason: kept.reason.clone(),
                })
                .collect(),
            warnings: cleaned.warnings.clone(),
        }
    }
}

/// What happened, newest first.
#[derive(Debug, JsonSchema, Serialize)]
pub struct HistoryView {
    /// The events.
    pub events: Vec<EventView>,
}

/// One thing that happened.
#[derive(Debug, JsonSchema, Serialize)]
pub struct EventView {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: &'static str,
    /// To which port; null for a range.
    pub port: Option<u16>,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// Whose it was.
    pub project: Option<String>,
    /// The service.
    pub service: Option<String>,
    /// The environment.
    pub environment: Option<String>,
    /// Where the worktree was.
    pub worktree: Option<String>,
    /// Its branch.
    pub branch: Option<String>,
    /// Who asked.
    pub session: Option<String>,
    /// Why.
    pub reason: String,
}

impl From<&Event> for EventView {
    fn from(event: &Event) -> Self {
        Self {
            at: event.at,
            event: event.kind.name(),
            port: event.port.map(crate::registry::Port::number),
            protocol: event.protocol.name(),
            project: event.project.as_ref().map(ToString::to_string),
            service: event.service.as_ref().map(ToString::to_string),
            environment: event.environment.as_ref().map(ToString::to_string),
            worktree: event.path.as_ref().map(|path| path.to_string_lossy().into_owned()),
            branch: event.branch.clone(),
            session: event.session.clone(),
            reason: event.reason.clone(),
        }
    }
}

/// A failure.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ErrorView {
    /// What went wrong.
    pub error: ErrorBody,
}

/// What went wrong.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ErrorBody {
    /// Which kind of failure.
    pub code: &'static str,
    /// In words.
    pub message: String,
    /// What to do.
    pub hints: Vec<String>,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

impl From<&Error> for ErrorBody {
    fn from(error: &Error) -> Self {
        Self {
            code: error.kind.code(),
            message: error.full_message(),
            hints: error.hints.clone(),
            retryable: error.kind.is_retryable(),
        }
    }
}

impl From<&Error> for ErrorView {
    fn from(error: &Error) -> Self {
        Self { error: ErrorBody::from(error) }
    }
}
