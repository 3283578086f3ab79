//! An allocation: this port belongs to this project, worktree, service and environment.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::Timestamp;

use super::port::{Port, Protocol};
use super::scope::{EnvironmentName, ProjectName, ServiceName, host_label};
use super::worktree::Token;

/// What the registry records about an allocation. The names reach disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// The port is promised.
    #[default]
    Allocated,
    /// The port is promised, and a process of the worktree was seen on it.
    Active,
    /// The port was given back; the row remembers whose it was.
    Released,
}

impl Status {
    /// Returns the name as it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allocated => "allocated",
            Self::Active => "active",
            Self::Released => "released",
        }
    }

    /// Says whether the port is promised.
    pub fn is_live(self) -> bool {
        self != Self::Released
    }
}

/// A text that is not the name of a status or state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a state (one of allocated, active, foreign, orphaned, released, unknown)")]
pub struct InvalidState(String);

impl FromStr for Status {
    type Err = InvalidState;

    fn from_str(text: &str) -> Result<Self, InvalidState> {
        match text {
            "allocated" => Ok(Self::Allocated),
            "active" => Ok(Self::Active),
            "released" => Ok(Self::Released),
            _ => Err(InvalidState(text.to_owned())),
        }
    }
}

/// How an allocation stands when one looks: what is recorded, and what the machine says to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Promised; nobody listens.
    Allocated,
    /// A process of that worktree listens.
    Active,
    /// Somebody else's process listens.
    Foreign,
    /// The worktree is gone for good.
    Orphaned,
    /// Given back.
    Released,
    /// Cannot be determined, as in a sandbox.
    Unknown,
}

impl State {
    /// Every state, in the order in which they are counted and shown.
    pub const ALL: [Self; 6] =
        [Self::Allocated, Self::Active, Self::Foreign, Self::Orphaned, Self::Released, Self::Unknown];

    /// Returns the name as it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allocated => "allocated",
            Self::Active => "active",
            Self::Foreign => "foreign",
            Self::Orphaned => "orphaned",
            Self::Released => "released",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for State {
    type Err = InvalidState;

    fn from_str(text: &str) -> Result<Self, InvalidState> {
        Self::ALL.into_iter().find(|state| state.name() == text).ok_or_else(|| InvalidState(text.to_owned()))
    }
}

/// One row of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// The row's number; 0 until it is stored.
    pub id: i64,
    /// The key of the machine the port is on.
    pub host: String,
    /// The user the allocation was made for.
    pub user: Option<String>,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port.
    pub port: Port,
    /// The project it belongs to.
    pub project: ProjectName,
    /// The worktree it belongs to; none for a service outside git.
    pub worktree: Option<Token>,
    /// Where that worktree was last seen: a label.
    pub path: Option<PathBuf>,
    /// The branch that was checked out there: a label, and what a re-created branch is remembered by.
    pub branch: Option<String>,
    /// The service.
    pub service: ServiceName,
    /// The environment.
    pub environment: EnvironmentName,
    /// Whether this is the port `PORT` stands for.
    pub primary: bool,
    /// What is recorded.
    pub status: Status,
    /// What kind of service it is: `web`, `api`, `db`.
    pub service_type: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// The name it is reached by from outside.
    pub public_hostname: Option<String>,
    /// Never released by a cleanup.
    pub pinned: bool,
    /// Which conversation or agent asked for it.
    pub session: Option<String>,
    /// When it was promised.
    pub allocated_at: Timestamp,
    /// When it was last asked for or run.
    pub last_used_at: Option<Timestamp>,
    /// When the machine was last asked about it.
    pub last_checked_at: Option<Timestamp>,
    /// When it was given back.
    pub released_at: Option<Timestamp>,
}

impl Allocation {
    /// Returns `project/service`, as messages name an allocation's owner.
    pub fn owner(&self) -> String {
        format!("{}/{}", self.project, self.service)
    }

    /// Returns the name of the variable that carries the port: `PORT` for the primary one,
    /// `<SERVICE>_PORT` for the others.
    pub fn variable(&self) -> String {
        if self.primary { "PORT".to_owned() } else { format!("{}_PORT", self.service.variable_stem()) }
    }

    /// Returns the URL a browser or client on this machine would use; none where HTTP makes no sense.
    pub fn url(&self) -> Option<String> {
        let speaks_http = self.protocol == Protocol::Tcp
            && !matches!(
                self.service_type.as_deref().unwrap_or(self.service.as_str()),
                "db" | "database"
                    | "postgres"
                    | "postgresql"
                    | "mysql"
                    | "mariadb"
                    | "mongo"
                    | "mongodb"
                    | "redis"
                    | "valkey"
                    | "memcached"
                    | "cache"
                    | "queue"
                    | "rabbitmq"
                    | "kafka"
                    | "smtp"
                    | "grpc"
                    | "debugger"
                    | "tcp"
            );
        speaks_http.then(|| format!("http://localhost:{}", self.port))
    }

    /// Returns a URL for people, with a host name of the worktree's own: `http://topic.shop.localhost:8001`.
    /// Browsers find every name under `localhost` on this machine (RFC 6761), and keep what pages store, and
    /// cookies, apart by it; many programs do not find it.
    pub fn named_url(&self) -> Option<String> {
        self.url()?;
        let project = host_label(self.project.as_str());
        let folder = self.path.as_ref().and_then(|path| path.file_name());
        let folder = folder.map(|name| host_label(&name.to_string_lossy())).unwrap_or_default();
        // Most folders of worktrees are called `{project}-{branch}`.
        let own = folder.strip_prefix(&format!("{project}-")).unwrap_or(&folder);
        let host = if own.is_empty() || own == project { project } else { format!("{own}.{project}") };
        Some(format!("http://{host}.localhost:{}", self.port))
    }
}
