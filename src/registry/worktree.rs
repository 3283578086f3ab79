//! What is remembered about a worktree: its identity, where it was, and on which file system.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::Timestamp;

use super::scope::ProjectName;

/// The random name a worktree is known by, wherever it is moved: 32 hexadecimal digits.
///
/// It lies in the worktree's administrative directory, which git moves, keeps and deletes with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(String);

/// A text that is not a token: a damaged or foreign file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a worktree's token is 32 hexadecimal digits")]
pub struct InvalidToken;

impl Token {
    /// Returns the token made of these random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(bytes)))
    }

    /// Returns the token as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let text = text.trim_end();
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 32 && text.bytes().all(hexadecimal) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidToken)
    }
}

/// The file system a folder lies on, so that a folder that is absent can be told from a disk that is.
///
/// Device numbers are reused, so the file system's own id counts; both are kept because some file
/// systems have no id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `st_dev`; 0 where there is none.
    pub device: u64,
    /// `f_fsid`; 0 where the file system has none.
    pub filesystem: u64,
    /// The mount point it was reached through; empty where that is not known.
    pub mount: PathBuf,
}

impl Place {
    /// Says whether both are the same file system, reached through the same mount point.
    pub fn is_same(&self, other: &Self) -> bool {
        let same_filesystem = if self.filesystem != 0 && other.filesystem != 0 {
            self.filesystem == other.filesystem
        } else {
            self.device == other.device
        };
        same_filesystem && self.mount == other.mount
    }
}

/// A worktree as the registry remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreeRecord {
    /// Its identity.
    pub token: Token,
    /// The key of the machine it is on.
    pub host: String,
    /// The project it is a worktree of.
    pub project: ProjectName,
    /// The identity of the repository (a [`Token`] of its own, in the common directory).
    pub repository: Token,
    /// The repository's common directory.
    pub common_dir: PathBuf,
    /// The worktree's administrative directory; the common directory itself for the main worktree.
    pub admin_dir: PathBuf,
    /// Its top folder.
    pub path: PathBuf,
    /// The branch checked out there: a label.
    pub branch: Option<String>,
    /// Whether it is the main worktree.
    pub main: bool,
    /// The file system of `path`.
    pub place: Place,
    /// When it was last found alive.
    pub seen_at: Timestamp,
    /// When it was first found missing since then.
    pub missing_since: Option<Timestamp>,
}
