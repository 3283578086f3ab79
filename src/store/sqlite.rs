//! The registry in one SQLite file: opening, locking, durability.
//!
//! WAL with every commit synced, so that what was acknowledged survives a power cut, and `BEGIN
//! IMMEDIATE` behind a lock on a file of its own. SQLite's own waiting is unfair and gives up under
//! load; the system's lock queues, and is taken only after the database is open, because a process that
//! locks first makes every other one a first opener and a last closer. On network file systems, where
//! WAL does not work, the rollback journal is used.
//!
//! The file may be replaced under a process that has it open, as a restored backup does; what is then
//! written goes into a ghost. So the file's identity is compared before every write. A symbolic link in
//! its place is refused, because it turns whatever file it leads to into a registry.

mod care;
mod columns;
mod file;
mod notes;
mod rows;

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::care::Care;
use super::migrate::{APPLICATION_ID, MIN_READER, MIN_WRITER, SQLITE, VERSION};
use super::{Rows, Store, StoreError, Transaction, Verdict};
use crate::system::clock::Clock;
use crate::system::files::Trace;
use crate::system::lock::{Lock, Patience};
use crate::system::{SystemError, files};
use file::{
    Identity, beside, failure, fold_log, identity, immutable, is_for_want_of_writing, is_full, is_scarce,
    log_size, on_network, safe_folder,
};
use rows::SqliteRows;

/// Below this size the write-ahead log is left as it is when a command ends: folding it into the
/// database costs more than the whole command.
const WAL_LEFT_ALONE: u64 = 128 * 1024;

/// How often the file may be replaced while somebody waits for the lock, before he gives up.
const REPLACED_AT_MOST: u32 = 5;

/// What every connection is opened with.
const ALWAYS: OpenFlags = OpenFlags::SQLITE_OPEN_NO_MUTEX.union(OpenFlags::SQLITE_OPEN_NOFOLLOW);

/// The registry in a file.
pub struct SqliteStore {
    path: PathBuf,
    patience: Patience,
    /// The user's home, down from which every folder must be safe.
    home: Option<PathBuf>,
    open: Option<Open>,
    /// What time it is, for whoever looks after the file.
    now: Option<Timestamp>,
    looked_after: bool,
    wrote: bool,
    /// Held while this store mends the registry.
    mending: Option<Lock>,
}

struct Open {
    connection: Connection,
    writable: bool,
    identity: Option<Identity>,
}

impl SqliteStore {
    /// Returns the registry in this file, which need not exist. A writer waits in line at most
    /// `patience`.
    pub fn new(path: &Path, patience: impl Into<Patience>) -> Self {
        // The folders may be reached through links, as a home often is; the file itself may not.
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let path = match (absolute.parent(), absolute.file_name()) {
            (Some(folder), Some(name)) => files::canonical(folder).join(name),
            _ => absolute,
        };
        Self {
            path,
            patience: patience.into(),
            home: None,
            open: None,
            now: None,
            looked_after: false,
            wrote: false,
            mending: None,
        }
    }

    /// Has every folder from this home down to the registry's checked, too: nobody else may replace one.
    #[must_use]
    pub fn in_home(mut self, home: Option<&Path>) -> Self {
        self.home = home.map(files::canonical);
        self
    }

    fn failure(&self, act: &'static str, error: &rusqlite::Error) -> StoreError {
        failure(&self.path, act, error)
    }

    /// Opens whatever can be read: the file, the file as it lies on a read-only disk, or nothing yet.
    fn reading(&mut self) -> Result<&mut Open, StoreError> {
        let current = self.open.take().filter(|open| open.identity == identity(&self.path));
        let open = match current {
            Some(open) => open,
            None => self.open_for_reading()?,
        };
        Ok(self.open.insert(open))
    }

    fn open_for_reading(&self) -> Result<Open, StoreError> {
        if !self.exists()? {
            return self.open_empty();
        }
        // SQLite opens a file that may not be written for reading, but WAL wants to write beside it.
        let attempts = [
            (self.path.clone(), OpenFlags::SQLITE_OPEN_READ_WRITE),
            (immutable(&self.path), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI),
        ];
        let mut first_failure = None;
        for (path, flags) in attempts {
            // The file as it lies there is not the registry while the log beside it holds more.
            if flags.contains(OpenFlags::SQLITE_OPEN_URI) && log_size(&self.path) > 0 {
                continue;
            }
            let opened = Connection::open_with_flags(path, flags | ALWAYS)
                .and_then(|connection| self.settle(&connection).map(|version| (connection, version)));
            match opened {
                Ok((connection, 0)) => {
                    if !notes::is_initialised(&self.path) {
                        // Somebody is about to fill it.
                        return self.open_empty();
                    }
                    // Whoever says so had filled it before: if that was since we looked, another look tells.
                    let again = self.settle(&connection);
                    if again.map_err(|error| self.failure("open", &error))? == 0 {
                        return Err(self.damaged("it has been emptied"));
                    }
                    return self.open_for_reading();
                }
                Ok((connection, version)) => {
                    self.admit(&connection, version, "min_reader")?;
                    let writable = connection.is_readonly("main") == Ok(false) && version == VERSION;
                    return Ok(Open { connection, writable, identity: identity(&self.path) });
                }
                Err(error) => {
                    let may_be_readable = is_for_want_of_writing(&error);
                    let first = first_failure.get_or_insert(error);
                    if !may_be_readable {
                        return Err(self.failure("open", first));
                    }
                }
            }
        }
        let error = first_failure.unwrap_or(rusqlite::Error::InvalidQuery);
        Err(self.failure("open", &error))
    }

    /// Nothing was ever recorded; a question must not make a registry.
    fn open_empty(&self) -> Result<Open, StoreError> {
        let connection = Connection::open_in_memory().map_err(|error| self.failure("open", &error))?;
        migrate(&connection, 0).map_err(|error| self.failure("open", &error))?;
        Ok(Open { connection, writable: false, identity: None })
    }

    /// Says whether there is a file with something in it. An empty one is what a process leaves that was
    /// killed between making the file and filling it; but where there was a registry before, it is not
    /// replaced by an empty one.
    fn exists(&self) -> Result<bool, StoreError> {
        if self.find_missing()?.is_none() {
            return Ok(true);
        }
        // Whoever mends it has looked already, and puts a new one there.
        if self.mending.is_some() || !notes::is_initialised(&self.path) {
            return Ok(false);
        }
        // Whoever says that it was made had made it before: if that was since we looked, another look tells.
        self.find_missing()?.map_or(Ok(true), |why| Err(self.damaged(why)))
    }

    /// Says why there is nothing to open, if there is not.
    fn find_missing(&self) -> Result<Option<&'static str>, StoreError> {
        let metadata = match fs::symlink_metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if files::is_absent(&error) => return Ok(Some("it is gone")),
            Err(error) => return Err(self.denied("open", &error.to_string())),
        };
        if metadata.is_symlink() {
            return Err(self.refused("it is a symbolic link"));
        }
        if !metadata.is_file() {
            return Err(self.refused("it is not a file"));
        }
        Ok((metadata.len() == 0).then_some("it is empty"))
    }

    fn writing(&mut self) -> Result<&mut Open, StoreError> {
        let current = self.open.take().filter(|open| open.writable && open.identity == identity(&self.path));
        let open = match current {
            Some(open) => open,
            None => self.open_for_writing()?,
        };
        self.open = Some(open);
        self.look_after()?;
        let lost = StoreError::Failed { registry: self.location(), why: "it was closed".to_owned() };
        self.open.as_mut().ok_or(lost)
    }

    fn open_for_writing(&self) -> Result<Open, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | ALWAYS;
        if self.exists()? {
            let connection = Connection::open_with_flags(&self.path, flags)
                .map_err(|error| self.failure("open", &error))?;
            let version = self.settle(&connection).map_err(|error| self.failure("open", &error))?;
            self.admit(&connection, version, "min_writer")?;
            if connection.is_readonly("main") != Ok(false) {
                return Err(self.denied("write", "it is read-only"));
            }
            if version >= VERSION {
                return Ok(Open { connection, writable: true, identity: identity(&self.path) });
            }
        }
        files::create_private_dir(self.folder()).map_err(|error| self.system_failure("open", &error))?;
        self.check_folder()?;
        let lock = self.lock()?;
        // Another may have made it meanwhile, and lost it.
        self.exists()?;
        let made = self.make_or_migrate()?;
        if care::last_event(&made.connection) == Ok(0) {
            // What was left here is of a registry that its user has removed, with all that belonged to it.
            lock.leave(0);
        }
        Ok(made)
    }

    /// Makes the file, or brings it to this version, while nobody else does: the lock is held.
    fn make_or_migrate(&self) -> Result<Open, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | ALWAYS;
        // The file is made private before SQLite makes its companions, which copy its mode.
        files::create(&self.path, b"", files::Access::Private)
            .map_err(|error| self.system_failure("open", &error))?;
        let connection =
            Connection::open_with_flags(&self.path, flags).map_err(|error| self.failure("open", &error))?;
        let version = self.settle(&connection).map_err(|error| self.failure("open", &error))?;
        self.admit(&connection, version, "min_writer")?;
        if version < VERSION {
            if version == 0 {
                let mode = if on_network(self.folder()) { "truncate" } else { "wal" };
                connection
                    .pragma_update_and_check(None, "journal_mode", mode, |_| Ok(()))
                    .map_err(|error| self.failure("write", &error))?;
            } else {
                // However well a migration is tested, what was there before can be had again.
                let now = self.now.unwrap_or_else(|| Clock::System.now());
                self.make_backup(&connection, now, None)?;
            }
            migrate(&connection, version).map_err(|error| self.failure("write", &error))?;
        }
        Ok(Open { connection, writable: true, identity: identity(&self.path) })
    }

    /// Sets up a connection and returns the version of its schema.
    fn settle(&self, connection: &Connection) -> Result<i64, rusqlite::Error> {
        connection.busy_timeout(self.patience.standstill)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        // In WAL it is the same as `full`: the log is synced at each commit. With a rollback journal it
        // also syncs the folder, without which a power cut may bring back the journal of a transaction
        // that was acknowledged.
        connection.pragma_update(None, "synchronous", "extra")?;
        // In one view: while it is being made, one of these is there before the other.
        let view = connection.unchecked_transaction()?;
        let application: i64 = view.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let version: i64 = view.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let is_empty = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)";
        let ours = match (application, version) {
            (APPLICATION_ID, 1..) => true,
            // A new file, unless it is the database of a program that marks its own with nothing.
            (0, 0) => view.query_row(is_empty, [], |row| row.get(0))?,
            _ => false,
        };
        view.finish()?;
        if !ours {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB);
            return Err(rusqlite::Error::SqliteFailure(
                code,
                Some("it is not a registry of git-port".to_owned()),
            ));
        }
        Ok(version)
    }

    /// Refuses a registry that a newer program keeps to itself.
    fn admit(&self, connection: &Connection, version: i64, key: &str) -> Result<(), StoreError> {
        if version <= VERSION {
            return Ok(());
        }
        let minimum: i64 = connection
            .query_row("SELECT value FROM notes WHERE key = ?1", [key], |row| row.get::<_, String>(0))
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(version);
        if minimum <= VERSION {
            return Ok(());
        }
        Err(StoreError::Newer { registry: self.location(), found: version, known: VERSION })
    }

    /// Takes the lock with the database open, in that order.
    fn locked_for_writing(&mut self) -> Result<Lock, StoreError> {
        for _ in 0..REPLACED_AT_MOST {
            let opened = self.writing()?.identity;
            self.check_folder()?;
            let lock = self.lock()?;
            if opened == identity(&self.path) {
                return Ok(lock);
            }
            // Whoever held the lock put another file in its place, or none. Opening that one may need
            // the lock, so it is let go first.
        }
        Err(StoreError::Busy { registry: self.location() })
    }

    fn lock(&self) -> Result<Lock, StoreError> {
        Lock::acquire(&self.lock_file(), self.patience).map_err(|error| self.system_failure("write", &error))
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    fn check_folder(&self) -> Result<(), StoreError> {
        safe_folder(self.folder(), self.home.as_deref()).map_err(|why| self.refused(&why))
    }

    fn denied(&self, act: &'static str, why: &str) -> StoreError {
        StoreError::Denied { act, registry: self.path.display().to_string(), why: why.to_owned() }
    }

    fn refused(&self, why: &str) -> StoreError {
        StoreError::Refused { act: "open", registry: self.path.display().to_string(), why: why.to_owned() }
    }

    fn system_failure(&self, act: &'static str, error: &SystemError) -> StoreError {
        let registry = self.path.display().to_string();
        if matches!(error, SystemError::Locked { .. }) {
            return StoreError::Busy { registry };
        }
        let source = std::error::Error::source(error).map(ToString::to_string);
        let why = source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
        match error.io_kind() {
            Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) => {
                StoreError::Unavailable { registry, why: "the disk is full".to_owned() }
            }
            Some(std::io::ErrorKind::NotADirectory | std::io::ErrorKind::AlreadyExists) => {
                StoreError::Refused { act, registry, why }
            }
            _ => StoreError::Denied { act, registry, why },
        }
    }
}

impl Store for SqliteStore {
    fn view(&mut self, work: &mut dyn FnMut(&mut dyn Rows)) -> Result<(), StoreError> {
        let path = self.path.clone();
        let open = self.reading()?;
        let transaction = open.connection.transaction().map_err(|error| failure(&path, "read", &error))?;
        work(&mut SqliteRows::new(&transaction, &path));
        transaction.finish().map_err(|error| failure(&path, "read", &error))
    }

    fn transact(&mut self, work: &mut dyn FnMut(&mut dyn Transaction) -> Verdict) -> Result<(), StoreError> {
        let lock = self.locked_for_writing()?;
        let path = self.path.clone();
        let failed = |error: rusqlite::Error| failure(&path, "write", &error);
        let mut made_room = false;
        self.writing()?;
        let Some(mut open) = self.open.take() else {
            return Err(StoreError::Failed { registry: self.location(), why: "it was closed".to_owned() });
        };
        if is_scarce(self.folder()) {
            // Before the log takes the last room, which folding it may need, too.
            fold_log(&open.connection);
        }
        let ended = loop {
            let transaction =
                open.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
            self.check_whole(&transaction, &lock)?;
            let mut rows = SqliteRows::new(&transaction, &path);
            let verdict = work(&mut rows);
            let common_dirs = rows.into_common_dirs();
            let event = care::last_event(&transaction).unwrap_or_default();
            let ended = match verdict {
                Verdict::Commit => transaction.commit(),
                // SQLite may have undone it already, as it does on a full disk; that is no second failure.
                Verdict::Rollback => transaction.finish(),
            };
            match ended {
                Err(error) if !made_room && is_full(&error) => {
                    made_room = fold_log(&open.connection);
                    if !made_room {
                        break Err(failed(error));
                    }
                }
                ended => {
                    if ended.is_ok() && verdict == Verdict::Commit {
                        self.wrote = true;
                        lock.leave(event.unsigned_abs());
                        // Without it, one repository is not looked at if the registry is ever lost.
                        let _ = notes::add_repositories(&path, &common_dirs);
                    }
                    break ended.map_err(failed);
                }
            }
        };
        self.open = Some(open);
        ended
    }

    fn location(&self) -> String {
        self.path.display().to_string()
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.path.clone())
    }

    fn stamp(&mut self) -> Option<u64> {
        let open = self.reading().ok()?;
        // It counts what others commit (<https://www.sqlite.org/pragma.html#pragma_data_version>), from
        // anew for each connection; there is another one where the file was replaced.
        let (device, inode) = open.identity?;
        let version: i64 = open.connection.pragma_query_value(None, "data_version", |row| row.get(0)).ok()?;
        Some(version.unsigned_abs() ^ inode.rotate_left(32) ^ device.rotate_left(48))
    }

    fn traces(&self) -> Option<Vec<Trace>> {
        // Every commit writes into the log or into the file itself. What a server for files says of them
        // may be old.
        if on_network(self.folder()) {
            return None;
        }
        let file = files::trace(&self.path).filter(|file| file.age.is_some())?;
        let log = files::trace(&beside(&self.path, "-wal"))?;
        // Opening the file makes an empty one, and that is no change.
        let log = if log.size == 0 { Trace::default() } else { log };
        let mending = files::trace(&beside(&self.path, ".mending"))?;
        Some(vec![file, log, mending])
    }

    fn care(&mut self) -> Option<&mut dyn Care> {
        Some(self)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        let Some(open) = &self.open else { return };
        if open.writable && log_size(&self.path) > WAL_LEFT_ALONE {
            let _ = open.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
        }
    }
}

/// Applies the scripts that are missing, all or none.
fn migrate(connection: &Connection, version: i64) -> Result<(), rusqlite::Error> {
    let transaction = rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let done = usize::try_from(version).unwrap_or(0);
    for script in SQLITE.iter().skip(done) {
        transaction.execute_batch(script)?;
    }
    for (key, value) in [("min_reader", MIN_READER), ("min_writer", MIN_WRITER)] {
        let sql =
            "INSERT INTO notes (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
        transaction.execute(sql, (key, value.to_string()))?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}
