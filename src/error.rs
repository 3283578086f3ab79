//! What went wrong: one table from kind to exit status and JSON code, and every conversion from below.

use std::fmt;

use crate::config::ConfigError;
use crate::git::GitError;
use crate::registry::allocation::InvalidState;
use crate::registry::{InvalidName, InvalidPort};
use crate::store::StoreError;
use crate::system::SystemError;
use crate::template::TemplateError;

/// A kind of failure. Scripts rely on the codes and exit statuses (see the JSON reference).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is malformed.
    Usage,
    /// There is no such thing.
    NotFound,
    /// Somebody else has it.
    Conflict,
    /// No port is left.
    RangeFull,
    /// The port is reserved.
    Reserved,
    /// The request needs `--force` or `--yes`.
    Refused,
    /// There is no usable repository here.
    NotARepository,
    /// git refused or failed.
    Worktree,
    /// A configuration file or variable is wrong.
    Config,
    /// The registry is locked by others for too long.
    Busy,
    /// The registry cannot be reached.
    Unavailable,
    /// The registry is damaged.
    RegistryDamaged,
    /// The registry was written by a newer git-port.
    RegistryNewer,
    /// The system does not allow it.
    Denied,
    /// A bug.
    Internal,
}

/// kind, code in JSON, exit status, whether the same request may succeed later, status in HTTP
const KINDS: &[(ErrorKind, &str, u8, bool, u16)] = &[
    (ErrorKind::Usage, "usage", 129, false, 400),
    (ErrorKind::NotFound, "not_found", 1, false, 404),
    (ErrorKind::Conflict, "conflict", 4, false, 409),
    (ErrorKind::RangeFull, "range_full", 4, false, 409),
    (ErrorKind::Reserved, "reserved", 5, false, 409),
    (ErrorKind::Refused, "conflict", 5, false, 409),
    (ErrorKind::NotARepository, "not_a_repository", 128, false, 400),
    (ErrorKind::Worktree, "worktree", 128, false, 422),
    (ErrorKind::Config, "config", 128, false, 422),
    (ErrorKind::Busy, "busy", 6, true, 503),
    (ErrorKind::Unavailable, "unavailable", 6, true, 503),
    (ErrorKind::RegistryDamaged, "registry_damaged", 128, false, 500),
    (ErrorKind::RegistryNewer, "registry_newer", 128, false, 500),
    (ErrorKind::Denied, "denied", 128, false, 403),
    (ErrorKind::Internal, "internal", 128, false, 500),
];

impl ErrorKind {
    /// Returns every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        KINDS.iter().map(|(kind, ..)| *kind)
    }

    fn row(self) -> (&'static str, u8, bool, u16) {
        KINDS
            .iter()
            .find(|(kind, ..)| *kind == self)
            .map_or(("internal", 128, false, 500), |(_, code, status, retryable, http)| {
                (code, *status, *retryable, *http)
            })
    }

    /// Returns the code that JSON carries.
    pub fn code(self) -> &'static str {
        self.row().0
    }

    /// Returns the exit status.
    pub fn exit_status(self) -> u8 {
        self.row().1
    }

    /// Returns the status of an answer in HTTP.
    pub fn http_status(self) -> u16 {
        self.row().3
    }

    /// Says whether the same request may succeed a little later.
    pub fn is_retryable(self) -> bool {
        self.row().2
    }
}

/// A failure as it leaves an operation.
#[derive(Debug)]
pub struct Error {
    /// What kind it is.
    pub kind: ErrorKind,
    /// What is wrong, in git's manner: lower case, no final stop, the subject in single quotes.
    pub message: String,
    /// What to do, each a command that runs or a sentence.
    pub hints: Vec<String>,
    /// git's own exit status, where git was the one to fail.
    pub git_status: Option<u8>,
    /// What caused it.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Returns an error of this kind that says this.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new(), git_status: None, source: None }
    }

    /// Returns an error about a malformed request.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Usage, message.to_string())
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds the cause of a cause: what the system said below the message.
    fn with_cause(mut self, error: SystemError) -> Self {
        self.source = match error {
            SystemError::File { source, .. } | SystemError::Program { source, .. } => Some(Box::new(source)),
            _ => None,
        };
        self
    }

    /// Returns the message, and what caused it, on one line.
    pub fn full_message(&self) -> String {
        let mut message = self.message.clone();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            message.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        message
    }

    /// Returns the exit status of a command that ends with it.
    pub fn exit_status(&self) -> u8 {
        self.git_status.unwrap_or_else(|| self.kind.exit_status())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<InvalidPort> for Error {
    fn from(error: InvalidPort) -> Self {
        Self::usage(error)
    }
}

impl From<InvalidName> for Error {
    fn from(error: InvalidName) -> Self {
        Self::usage(error)
    }
}

impl From<InvalidState> for Error {
    fn from(error: InvalidState) -> Self {
        Self::usage(error)
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self { hints: error.hints, ..Self::new(ErrorKind::Config, error.message) }
    }
}

impl From<TemplateError> for Error {
    fn from(error: TemplateError) -> Self {
        Self { hints: error.hints, ..Self::new(ErrorKind::Config, error.message) }
    }
}

impl From<SystemError> for Error {
    fn from(error: SystemError) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match (&error, error.io_kind()) {
            (SystemError::Locked { .. }, _) => ErrorKind::Busy,
            (SystemError::Program { .. }, _) => ErrorKind::NotFound,
            (_, Some(Io::StorageFull | Io::QuotaExceeded)) => ErrorKind::Unavailable,
            _ => ErrorKind::Denied,
        };
        Self::new(kind, error.to_string()).with_cause(error)
    }
}

impl From<GitError> for Error {
    fn from(error: GitError) -> Self {
        match error {
            GitError::System(error) => error.into(),
            GitError::NotARepository { message } => {
                // git explains at length; its first line is the message, the rest are its hints.
                let mut lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
                let first = lines.next().unwrap_or("not a git repository").to_owned();
                let hints = lines.map(str::to_owned).collect();
                let error = Self { hints, ..Self::new(ErrorKind::NotARepository, first) };
                error.hint("run it inside a repository, or name one: git port -C <path> …")
            }
            GitError::NoWorktree { .. } => Self::new(ErrorKind::NotARepository, error.to_string())
                .hint("run it inside a worktree: git worktree list"),
            GitError::Failed { status, .. } => {
                Self { git_status: Some(status), ..Self::new(ErrorKind::Worktree, error.to_string()) }
            }
            GitError::TooOld { .. } => Self::new(ErrorKind::Worktree, error.to_string()),
            GitError::Damaged { .. } => {
                Self::new(ErrorKind::Worktree, error.to_string()).hint("run 'git port doctor'")
            }
            GitError::HookRefused { message, hint } => Self::new(ErrorKind::Refused, message).hint(hint),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let (kind, hint) = match &error {
            StoreError::Busy { .. } => (ErrorKind::Busy, "try again in a moment"),
            StoreError::Unavailable { registry, .. } if registry.starts_with("postgres://") => {
                (ErrorKind::Unavailable, "see whether its server runs and can be reached from here")
            }
            StoreError::Unavailable { .. } => {
                (ErrorKind::Unavailable, "make room, or name another registry: --registry <path>")
            }
            StoreError::Denied { .. } | StoreError::Refused { .. } => {
                (ErrorKind::Denied, "name a registry that can be written: --registry <path>")
            }
            StoreError::Damaged { .. } => {
                (ErrorKind::RegistryDamaged, "see what can be done: git port doctor --fix")
            }
            StoreError::Address { .. } => {
                (ErrorKind::Config, "write it as postgres://<user>@<host>:<port>/<database>")
            }
            StoreError::Moved { .. } => {
                (ErrorKind::Config, "name the new one in the user's configuration: registry = \"…\"")
            }
            StoreError::Newer { .. } => {
                (ErrorKind::RegistryNewer, "update git-port, or name another registry: --registry <path>")
            }
            // The last guard: another was faster, or a document holds what is held already.
            StoreError::Constraint { .. } => (ErrorKind::Conflict, "see who has what: git port list --all"),
            StoreError::Failed { .. } => (ErrorKind::Internal, "please report this"),
        };
        let sandboxed = matches!(error, StoreError::Denied { .. });
        let error = Self::new(kind, error.to_string());
        if sandboxed { error.hint(OUTSIDE).hint(hint) } else { error.hint(hint) }
    }
}

/// What to do where a sandbox keeps git-port from writing. What is allocated can be read all the same.
pub const OUTSIDE: &str = "in a sandbox: have it run outside, or call git-port's MCP tool of the same purpose (git port explain denied)";
