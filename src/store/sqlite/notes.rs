//! The small files beside a registry: that it was made, when it was looked after, and which repositories
//! it knows.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::file::beside;
use crate::store::care::Backup;
use crate::store::paths::{path_bytes, path_from};
use crate::system::SystemError;
use crate::system::files::{self, Access};

/// How a backup's name tells its time.
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// When the registry was looked after. It is kept in the file that says that there is a registry at all:
/// without one, a missing or empty file is a registry yet to be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    /// When all of it was last checked, in milliseconds.
    pub(super) checked: i64,
    /// When it was last backed up.
    pub(super) backed_up: i64,
    /// The number of the last event by then.
    pub(super) events: i64,
}

fn marker(registry: &Path) -> PathBuf {
    beside(registry, ".initialised")
}

/// Says whether there ever was a registry here.
pub(super) fn is_initialised(registry: &Path) -> bool {
    fs::symlink_metadata(marker(registry)).is_ok()
}

impl Notes {
    /// Returns the notes; none if no registry was ever made here.
    pub(super) fn load(registry: &Path) -> Option<Self> {
        let text = files::load(&marker(registry)).ok().flatten()?;
        let mut numbers = text.split(|byte| !byte.is_ascii_digit()).filter(|word| !word.is_empty());
        let mut next = || std::str::from_utf8(numbers.next()?).ok()?.parse().ok();
        Some(Self {
            checked: next().unwrap_or_default(),
            backed_up: next().unwrap_or_default(),
            events: next().unwrap_or_default(),
        })
    }

    /// Writes the notes.
    pub(super) fn save(self, registry: &Path) -> Result<(), SystemError> {
        let Self { checked, backed_up, events } = self;
        let text = format!("checked {checked}\nbacked up {backed_up}\nevents {events}\n");
        files::replace(&marker(registry), text.as_bytes(), Access::Private)
    }
}

/// Returns the path of what belongs to a registry. Two of them may lie in one folder, so only the usual
/// one has its things under their bare names.
pub(super) fn belonging(registry: &Path, name: &str) -> PathBuf {
    if registry.file_name() == Some("registry.db".as_ref()) {
        return registry.with_file_name(name);
    }
    beside(registry, &format!(".{name}"))
}

/// Returns the name of what is made now, with this beginning and ending.
pub(super) fn dated(start: &str, now: Timestamp, end: &str) -> String {
    format!("{start}{}{end}", now.strftime(TIME))
}

/// Returns the backups in this folder, the newest first.
pub(super) fn list_backups(folder: &Path) -> Vec<Backup> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut backups: Vec<Backup> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let time = name.to_str()?.strip_prefix("registry-")?.strip_suffix(".db")?;
            let time = jiff::civil::DateTime::strptime(TIME, time).ok()?;
            let made_at = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
            Some(Backup { path: entry.path(), made_at })
        })
        .collect();
    backups.sort_by_key(|backup| std::cmp::Reverse(backup.made_at));
    backups
}

/// Returns the repositories that the registry knew.
pub(super) fn list_repositories(registry: &Path) -> Vec<PathBuf> {
    let bytes = files::load(&belonging(registry, "repositories")).ok().flatten().unwrap_or_default();
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| path_from(line.to_vec())).collect()
}

/// Adds repositories that are not yet known. The registry's lock is held.
pub(super) fn add_repositories(registry: &Path, common_dirs: &[PathBuf]) -> io::Result<()> {
    if common_dirs.is_empty() {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    let mut file = options.open(belonging(registry, "repositories"))?;
    let mut known = Vec::new();
    file.read_to_end(&mut known)?;
    let mut addition = Vec::new();
    if !known.is_empty() && !known.ends_with(b"\n") {
        // A line that was cut off by a power cut stays a line of its own.
        addition.push(b'\n');
    }
    for common_dir in common_dirs {
        let line = path_bytes(common_dir);
        let is = |one: &[u8]| one == line.as_slice();
        let there =
            known.split(|byte| *byte == b'\n').any(is) || addition.split(|byte| *byte == b'\n').any(is);
        if !there && !line.contains(&b'\n') {
            addition.extend_from_slice(&line);
            addition.push(b'\n');
        }
    }
    if addition.iter().all(|byte| *byte == b'\n') {
        return Ok(());
    }
    file.write_all(&addition)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_noted_once() {
        let dir = tempfile::tempdir().unwrap();
        let registry = dir.path().join("registry.db");
        for common_dirs in [&["/a/.git", "/b/.git"][..], &["/b/.git", "/c\n/.git", "/c/.git"], &[]] {
            let common_dirs: Vec<PathBuf> = common_dirs.iter().map(PathBuf::from).collect();
            add_repositories(&registry, &common_dirs).unwrap();
        }
        let known: Vec<PathBuf> = ["/a/.git", "/b/.git", "/c/.git"].map(PathBuf::from).into();
        assert_eq!(list_repositories(&registry), known);
    }

    #[test]
    fn notes_are_what_was_noted() {
        let dir = tempfile::tempdir().unwrap();
        let registry = dir.path().join("other.db");
        assert_eq!(Notes::load(&registry), None);
        let notes = Notes { checked: 1, backed_up: 22, events: 333 };
        notes.save(&registry).unwrap();
        assert_eq!(Notes::load(&registry), Some(notes));
        assert_eq!(belonging(&registry, "backups"), dir.path().join("other.db.backups"));
    }
}
