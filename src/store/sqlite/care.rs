//! Checking, backing up and restoring the registry's file.
//!
//! `integrity_check` notices whatever changed in an index or a row that one repeats; a value that no
//! index repeats is read and parsed instead. Neither notices that the newest changes are gone, as after
//! somebody deleted the write-ahead log, or its checksums do not fit any more (sqlite.org, "How To Corrupt
//! An SQLite Database File"): for that, the lock's file remembers the number of the last event.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::backup::{Backup as Copying, StepResult};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::file::{beside, identity, immutable, log_size, on_network, safe_folder};
use super::notes::{self, Notes, belonging, dated, list_backups};
use super::rows::SqliteRows;
use super::{ALWAYS, SqliteStore};
use crate::store::care::{Backup, Care, Restored};
use crate::store::migrate::{APPLICATION_ID, VERSION};
use crate::store::{Filter, Rows, StoreError};
use crate::system::files::{self, Access};
use crate::system::lock::Lock;

/// A registry that is larger is not checked in passing.
const CHECKED_BELOW: u64 = 4 * 1024 * 1024;
/// How long a check holds good, and a backup, in milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1000;
/// After so many events there is another backup.
const EVENTS: i64 = 20;
/// How many backups are kept.
const KEPT: usize = 3;
/// A registry that is larger is not backed up in passing.
const BACKED_UP_BELOW: u64 = 64 * 1024 * 1024;
/// How long the copying for a backup in passing may take.
const BUDGET: Duration = Duration::from_millis(50);
/// The same where there has been no backup for a week: better once slow than never.
const LARGE_BUDGET: Duration = Duration::from_secs(2);
/// How many pages are copied before the clock is looked at.
const PAGES: i32 = 128;

/// What was found when somebody looked.
enum Condition {
    Sound,
    /// The file is whole, but less is in it than there was.
    Behind(String),
    Damaged(String),
}

/// Returns the number of the last event; 0 if nothing has happened.
pub(super) fn last_event(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'events'";
    Ok(connection.query_row(sql, [], |row| row.get(0)).optional()?.unwrap_or_default())
}

/// How much of a registry is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Its pages and indexes.
    Pages,
    /// The rows that ports depend on, too.
    Rows,
    /// Everything.
    All,
}

/// Says what is wrong with a registry, if anything is.
fn find_damage(connection: &Connection, path: &Path, depth: Depth) -> Result<Option<String>, StoreError> {
    let failed = |error: &rusqlite::Error| super::failure(path, "read", error);
    let verdict = connection.query_row("PRAGMA integrity_check(1)", [], |row| {
        // It quotes the damaged file, so it need not be text.
        Ok(String::from_utf8_lossy(row.get_ref(0)?.as_bytes().unwrap_or_default()).into_owned())
    });
    let verdict = match verdict.map_err(|error| failed(&error)) {
        Ok(verdict) => verdict,
        Err(StoreError::Damaged { why, .. }) => return Ok(Some(why)),
        Err(error) => return Err(error),
    };
    if verdict != "ok" {
        return Ok(Some(verdict.lines().next().unwrap_or_default().trim_start_matches("*** ").to_owned()));
    }
    let version: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|e| failed(&e))?;
    if depth == Depth::Pages || version > VERSION {
        // A newer git-port may have words in it that this one does not know.
        return Ok(None);
    }
    let mut rows = SqliteRows::new(connection, path);
    let read = rows
        .allocations(&Filter::default())
        .and_then(|_| rows.all_worktrees())
        .and_then(|()| rows.ranges())
        .and_then(|_| rows.reservations())
        .and_then(|_| rows.counted())
        .and_then(|()| if depth == Depth::All { rows.events(None, u32::MAX).map(|_| ()) } else { Ok(()) });
    match read {
        Ok(()) => Ok(None),
        Err(StoreError::Damaged { why, .. }) => Ok(Some(why)),
        Err(error) => Err(error),
    }
}

impl SqliteStore {
    pub(super) fn damaged(&self, why: impl Into<String>) -> StoreError {
        StoreError::Damaged { registry: self.path.display().to_string(), why: why.into() }
    }

    pub(super) fn lock_file(&self) -> PathBuf {
        beside(&self.path, ".lock")
    }

    /// The file that is there from when a registry was set aside to when all was merged in.
    fn mending_file(&self) -> PathBuf {
        beside(&self.path, ".mending")
    }

    fn backups_folder(&self) -> PathBuf {
        belonging(&self.path, "backups")
    }

    /// Refuses to write into a registry that is being mended by another, or that is behind what was
    /// committed.
    pub(super) fn check_whole(&self, connection: &Connection, lock: &Lock) -> Result<(), StoreError> {
        if self.mending.is_some() {
            return Ok(());
        }
        if self.mending_file().exists() {
            return Err(self.damaged("it is being restored"));
        }
        let last = last_event(connection).map_err(|error| self.failure("read", &error))?;
        match lock.left() {
            Some(left) if left > last.unsigned_abs() => Err(self.behind(left, last)),
            _ => Ok(()),
        }
    }

    fn behind(&self, left: u64, last: i64) -> StoreError {
        self.damaged(behind(left, last))
    }

    /// Sees to it that a registry in use is known to have been made, and checks all of it once a day.
    pub(super) fn look_after(&mut self) -> Result<(), StoreError> {
        if self.looked_after {
            return Ok(());
        }
        let known = Notes::load(&self.path);
        let mut notes = known.unwrap_or_default();
        if let (Some(now), Some(open)) = (self.now.map(Timestamp::as_millisecond), &self.open) {
            let size = fs::metadata(&self.path).map_or(0, |metadata| metadata.len()) + log_size(&self.path);
            let due = (now - notes.checked).abs() >= DAY;
            if due && size < CHECKED_BELOW && self.mending.is_none() {
                if let Some(why) = find_damage(&open.connection, &self.path, Depth::Rows)? {
                    return Err(self.damaged(why));
                }
                notes.checked = now;
            }
            if known.is_none() {
                notes.backed_up = now;
            }
        }
        if known != Some(notes) {
            notes.save(&self.path).map_err(|error| self.system_failure("write", &error))?;
        }
        self.looked_after = true;
        Ok(())
    }

    /// Looks at the file as if for the first time.
    fn condition(&mut self) -> Result<Condition, StoreError> {
        self.open = None;
        let left = Lock::left_in(&self.lock_file());
        let opened = self.reading().map(|_| ());
        match opened {
            Err(StoreError::Damaged { why, .. }) => return Ok(Condition::Damaged(why)),
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        let Some(open) = &self.open else { return Ok(Condition::Sound) };
        if let Some(why) = find_damage(&open.connection, &self.path, Depth::All)? {
            return Ok(Condition::Damaged(why));
        }
        let last = last_event(&open.connection).map_err(|error| self.failure("read", &error))?;
        match left {
            Some(left) if open.identity.is_some() && left > last.unsigned_abs() => {
                Ok(Condition::Behind(behind(left, last)))
            }
            _ => Ok(Condition::Sound),
        }
    }

    /// Moves the registry's files away, together: an old log beside a new file would damage that one.
    fn set_aside(&mut self, now: Timestamp) -> Result<Option<PathBuf>, StoreError> {
        self.open = None;
        let there: Vec<&str> = ["", "-wal", "-shm", "-journal"]
            .into_iter()
            .filter(|ending| fs::symlink_metadata(beside(&self.path, ending)).is_ok())
            .collect();
        if there.is_empty() {
            return Ok(None);
        }
        let name = self.path.file_name().unwrap_or_default().to_owned();
        let quarantine = belonging(&self.path, "quarantine");
        let first = quarantine.join(dated("", now, ""));
        let folder = std::iter::once(first.clone())
            .chain((2..1000).map(|number| beside(&first, &format!("-{number}"))))
            .find(|folder| !folder.exists())
            .unwrap_or(first);
        files::create_private_dir(&folder).map_err(|error| self.system_failure("write", &error))?;
        for ending in there {
            let mut to = name.clone();
            to.push(ending);
            fs::rename(beside(&self.path, ending), folder.join(to))
                .map_err(|error| self.denied("write", &error.to_string()))?;
        }
        Ok(Some(folder))
    }

    /// Returns the newest good backup in which more has happened than this many events.
    fn find_backup(&self, after: i64) -> Option<Backup> {
        let is_good = |backup: &Backup| self.events_of(&backup.path).is_some_and(|events| events > after);
        self.backups().into_iter().find(is_good)
    }

    /// Puts the newest good backup in the place of the registry; returns it, or none if there is none.
    fn put_back(&self) -> Result<Option<Backup>, StoreError> {
        if let Some(backup) = self.find_backup(-1) {
            let failed = |error: std::io::Error| self.denied("write", &error.to_string());
            let copy = tempfile::Builder::new()
                .prefix(".git-port-")
                .suffix(".tmp")
                .tempfile_in(Care::folder(self))
                .map_err(failed)?;
            fs::copy(&backup.path, copy.path()).map_err(failed)?;
            copy.as_file().sync_all().map_err(failed)?;
            copy.persist(&self.path).map_err(|error| failed(error.error))?;
            return Ok(Some(backup));
        }
        Ok(None)
    }

    /// Returns the number of the last event in a backup; none if the backup is not good.
    fn events_of(&self, backup: &Path) -> Option<i64> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | ALWAYS;
        let connection = Connection::open_with_flags(immutable(backup), flags).ok()?;
        let value = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let version = value("user_version").ok().filter(|version| *version >= 1)?;
        let ours = value("application_id") == Ok(APPLICATION_ID)
            && self.admit(&connection, version, "min_writer").is_ok()
            && matches!(find_damage(&connection, &self.path, Depth::All), Ok(None));
        if ours { last_event(&connection).ok() } else { None }
    }

    /// Opens what now is in the registry's place, and makes it what it has to be.
    fn begin_anew(&mut self) -> Result<usize, StoreError> {
        let open = self.make_or_migrate()?;
        let mode = if on_network(Care::folder(self)) { "truncate" } else { "wal" };
        open.connection
            .pragma_update_and_check(None, "journal_mode", mode, |_| Ok(()))
            .map_err(|error| self.failure("write", &error))?;
        let live = "SELECT count(*) FROM allocations WHERE status <> 'released'";
        let count = open
            .connection
            .query_row(live, [], |row| row.get::<_, i64>(0))
            .map_err(|error| self.failure("read", &error))?;
        self.open = Some(open);
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// Copies the registry as it is now into a file of its own, which is checked. None if that took
    /// longer than it may, or another makes one.
    pub(super) fn make_backup(
        &self,
        source: &Connection,
        now: Timestamp,
        budget: Option<Duration>,
    ) -> Result<Option<PathBuf>, StoreError> {
        let since = Instant::now();
        let is_late = || budget.is_some_and(|budget| since.elapsed() > budget);
        let folder = self.backups_folder();
        let failed = |error: rusqlite::Error| self.failure("back up", &error);
        let system = |error: std::io::Error| self.denied("back up", &error.to_string());
        files::create_private_dir(&folder).map_err(|error| self.system_failure("back up", &error))?;
        let Ok(_lock) = Lock::acquire(&folder.join("lock"), Duration::ZERO) else { return Ok(None) };
        remove_leftovers(&folder);
        let copy = tempfile::Builder::new()
            .prefix(".git-port-")
            .suffix(".tmp")
            .tempfile_in(&folder)
            .map_err(system)?;
        let mut target = Connection::open_with_flags(copy.path(), OpenFlags::SQLITE_OPEN_READ_WRITE | ALWAYS)
            .map_err(failed)?;
        // It is synced once, when it is whole.
        target.pragma_update(None, "synchronous", "off").map_err(failed)?;
        {
            let copying = Copying::new(source, &mut target).map_err(failed)?;
            loop {
                match copying.step(PAGES).map_err(failed)? {
                    StepResult::Done => break,
                    StepResult::More if !is_late() => {}
                    _ => return Ok(None),
                }
            }
        }
        // One file, that needs no other beside it.
        target.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(())).map_err(failed)?;
        if let Some(why) = find_damage(&target, &self.path, Depth::Pages)? {
            return Err(self.damaged(why));
        }
        drop(target);
        copy.as_file().sync_all().map_err(system)?;
        let path = folder.join(dated("registry-", now, ".db"));
        copy.persist(&path).map_err(|error| system(error.error))?;
        sync_folder(&folder);
        // Never the one just made, even if the clock went backwards since the others.
        let others = list_backups(&folder).into_iter().filter(|backup| backup.path != path);
        for old in others.skip(KEPT - 1) {
            let _ = files::remove(&old.path);
        }
        Ok(Some(path))
    }
}

fn behind(left: u64, last: i64) -> String {
    let lost = left.saturating_sub(last.unsigned_abs());
    format!("its last {lost} {} gone", if lost == 1 { "change is" } else { "changes are" })
}

/// Removes what a process that was killed has left; the folder's lock is held.
fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(".git-port-") {
            let _ = files::remove(&entry.path());
        }
    }
}

/// Makes a new name in a folder last; not every system has that.
fn sync_folder(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

impl Care for SqliteStore {
    fn examine(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.now = Some(now);
        let left = Lock::left_in(&self.lock_file());
        self.reading()?;
        if self.mending.is_none() && self.mending_file().exists() {
            return Err(self.damaged("it is being restored"));
        }
        let Some(open) = self.open.as_ref().filter(|open| open.identity.is_some()) else { return Ok(()) };
        let last = last_event(&open.connection).map_err(|error| self.failure("read", &error))?;
        // It was read before: whoever writes meanwhile leaves a larger number after his commit.
        match left {
            Some(left) if left > last.unsigned_abs() => Err(self.behind(left, last)),
            _ => Ok(()),
        }
    }

    fn check(&mut self) -> Result<(), StoreError> {
        match self.condition()? {
            Condition::Sound => Ok(()),
            Condition::Behind(why) | Condition::Damaged(why) => Err(self.damaged(why)),
        }
    }

    fn restore(&mut self, now: Timestamp) -> Result<Option<Restored>, StoreError> {
        self.now = Some(now);
        self.check_folder()?;
        // Of several that find the damage, one mends it; the others wait here, and find nothing to mend.
        let mending = Lock::acquire(&beside(&self.path, ".mending.lock"), self.patience)
            .map_err(|error| self.system_failure("write", &error))?;
        let lock = self.lock()?;
        let interrupted = self.mending_file().exists();
        let condition = self.condition()?;
        if matches!(condition, Condition::Sound) && !interrupted {
            return Ok(None);
        }
        if !interrupted && !notes::is_initialised(&self.path) {
            // It may be anybody's file.
            let why = match condition {
                Condition::Damaged(why) | Condition::Behind(why) => why,
                Condition::Sound => String::new(),
            };
            return Err(self.damaged(why));
        }
        files::replace(&self.mending_file(), b"", Access::Private)
            .map_err(|error| self.system_failure("write", &error))?;
        let mut restored = Restored {
            why: "mending it was interrupted".to_owned(),
            backup: None,
            allocations: 0,
            quarantine: None,
        };
        match condition {
            Condition::Sound => {}
            Condition::Behind(why) => {
                restored.why = why;
                let last = match &self.open {
                    Some(open) => last_event(&open.connection).unwrap_or_default(),
                    None => 0,
                };
                // A backup holds what was in the log, too, so it may be ahead of what is left.
                if self.find_backup(last).is_some() {
                    restored.quarantine = self.set_aside(now)?;
                    restored.backup = self.put_back()?;
                }
            }
            Condition::Damaged(why) => {
                restored.why = why;
                restored.quarantine = self.set_aside(now)?;
                restored.backup = self.put_back()?;
            }
        }
        self.mending = Some(mending);
        restored.allocations = self.begin_anew()?;
        sync_folder(Care::folder(self));
        drop(lock);
        Ok(Some(restored))
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        if self.mending.is_none() {
            return Ok(());
        }
        let lock = self.lock()?;
        let last = last_event(&self.reading()?.connection).map_err(|error| self.failure("read", &error))?;
        lock.leave(last.unsigned_abs());
        let now = self.now.map_or(0, Timestamp::as_millisecond);
        let notes = Notes { checked: now, events: last, ..Notes::load(&self.path).unwrap_or_default() };
        notes.save(&self.path).map_err(|error| self.system_failure("write", &error))?;
        files::remove(&self.mending_file()).map_err(|error| self.system_failure("write", &error))?;
        self.mending = None;
        Ok(())
    }

    fn back_up(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let Some(open) = self.open.as_ref().filter(|open| self.wrote && open.writable) else {
            return Ok(false);
        };
        // What is written into a file that was replaced meanwhile is not the registry.
        if open.identity != identity(&self.path) || self.mending_file().exists() {
            return Ok(false);
        }
        let events = last_event(&open.connection).map_err(|error| self.failure("read", &error))?;
        let notes = Notes::load(&self.path).unwrap_or_default();
        let milliseconds = now.as_millisecond();
        let due = (events - notes.events).abs() >= EVENTS || (milliseconds - notes.backed_up).abs() >= DAY;
        let size = fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        if !due || size > BACKED_UP_BELOW {
            return Ok(false);
        }
        let overdue = (milliseconds - notes.backed_up).abs() >= 7 * DAY;
        let budget = if overdue { LARGE_BUDGET } else { BUDGET };
        let made = self.make_backup(&open.connection, now, Some(budget))?.is_some();
        if made {
            Notes { backed_up: milliseconds, events, ..notes }
                .save(&self.path)
                .map_err(|error| self.system_failure("back up", &error))?;
        }
        Ok(made)
    }

    fn backups(&self) -> Vec<Backup> {
        list_backups(&self.backups_folder())
    }

    fn repositories(&self) -> Vec<PathBuf> {
        notes::list_repositories(&self.path)
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    fn find_danger(&self) -> Option<String> {
        let folder = Care::folder(self);
        if folder.exists() { safe_folder(folder, self.home.as_deref()).err() } else { None }
    }
}
