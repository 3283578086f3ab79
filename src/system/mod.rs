//! The machine: programs, sockets, files, mounts, clock, directories. Knows no rules.

pub mod answer;
pub mod browser;
pub mod child;
pub mod clock;
pub mod command;
pub mod dirs;
pub mod files;
pub mod host;
pub mod listen;
pub mod listeners;
pub mod lock;
pub mod mounts;
pub mod probe;
pub mod process;
pub mod slow;
pub mod watch;

use std::io;
use std::path::{Path, PathBuf};

/// Something the system did not do.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// A file or folder could not be read or written.
    #[error("cannot {act} '{}'", path.display())]
    File {
        /// What was attempted: "read", "write".
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot run '{program}'")]
    Program {
        /// Its name.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is not what it must be, so it is left alone.
    #[error("'{}' {why}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A lock was not given up in time.
    #[error("'{}' is locked by another process", path.display())]
    Locked {
        /// The lock's file.
        path: PathBuf,
    },
    /// Nothing says where a user's files go.
    #[error("cannot tell where the home directory is")]
    NoHome,
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
}

impl SystemError {
    /// Returns a mapper for the failure of one act on one path.
    pub fn file(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { act, path, source }
    }

    /// Returns the system's own error kind, where there is one.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::File { source, .. } | Self::Program { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}

/// Returns 16 random bytes.
pub fn random_bytes() -> Result<[u8; 16], SystemError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| SystemError::Random(error.to_string()))?;
    Ok(bytes)
}
