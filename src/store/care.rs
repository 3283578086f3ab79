//! What keeps a registry in a file from being lost: it is checked, backed up, and put together again.
//!
//! A store knows files, not worktrees, so mending has two parts. [`Care::restore`] sets a damaged registry
//! aside and puts the newest good backup in its place; then the operations merge in what the worktrees
//! know, and call [`Care::finish`]. Until then nobody else writes.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::StoreError;

/// A backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its file.
    pub path: PathBuf,
    /// When it was made.
    pub made_at: Timestamp,
}

/// What was done with a registry that could not be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What was wrong.
    pub why: String,
    /// The backup that is in its place now; none if there was no good one, or the registry itself is
    /// whole and only its last changes are gone.
    pub backup: Option<Backup>,
    /// How many live allocations there are now.
    pub allocations: usize,
    /// Where the damaged files are; none if nothing was there to set aside.
    pub quarantine: Option<PathBuf>,
}

/// The care of a registry in a file.
pub trait Care {
    /// Opens the registry for reading and says whether it can be trusted. Whoever writes from now on
    /// checks it as a whole, where that was not done for a day.
    fn examine(&mut self, now: Timestamp) -> Result<(), StoreError>;

    /// Checks all that is in the registry.
    fn check(&mut self) -> Result<(), StoreError>;

    /// Sets a registry aside that cannot be trusted, and puts the newest good backup, or an empty one, in
    /// its place. None if nothing is wrong (any more). From now to [`Care::finish`] only this store
    /// writes.
    fn restore(&mut self, now: Timestamp) -> Result<Option<Restored>, StoreError>;

    /// Lets others write again.
    fn finish(&mut self) -> Result<(), StoreError>;

    /// Makes a backup, if this store has written and one is due. Returns whether it was made.
    fn back_up(&mut self, now: Timestamp) -> Result<bool, StoreError>;

    /// Returns the backups there are, the newest first.
    fn backups(&self) -> Vec<Backup>;

    /// Returns the common directories of the repositories that ever had ports, as they are known outside
    /// the registry.
    fn repositories(&self) -> Vec<PathBuf>;

    /// Returns the folder the registry is in.
    fn folder(&self) -> &Path;

    /// Says why the registry must not be written where it is; none if all is well.
    fn find_danger(&self) -> Option<String>;
}
