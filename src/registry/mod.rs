//! The rules: ports and ranges, choosing a port, when a worktree is gone, what a cleanup would do.
//!
//! Plain functions over values. Nothing here opens a file, a socket or a database, or asks for the time.

pub mod allocation;
pub mod allocator;
pub mod avoided;
pub mod event;
pub mod health;
pub mod import;
pub mod liveness;
pub mod plan;
pub mod port;
pub mod ranges;
pub mod run;
pub mod scope;
pub mod states;
pub mod suggestion;
pub mod used;
pub mod worktree;

pub use allocation::{Allocation, State, Status};
pub use event::{Event, EventKind};
pub use health::{Health, HealthCheck};
pub use port::{InvalidPort, Port, PortRange, Protocol};
pub use ranges::{RangeRecord, Ranges, Reservation};
pub use run::RunRecord;
pub use scope::{EnvironmentName, InvalidName, ProjectName, ServiceName, ServicePath, check_hostname};
pub use used::{PortUse, Used};
pub use worktree::{Place, Token, WorktreeRecord};
