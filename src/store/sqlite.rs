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

mod columns;
mod rows;

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::migrate::{APPLICATION_ID, MIN_READER, MIN_WRITER, SQLITE, VERSION};
use super::{Rows, Store, StoreError, Transaction, Verdict};
use crate::system::lock::{Lock, Patience};
use crate::system::{SystemError, files};
use rows::SqliteRows;

/// Below this size the write-ahead log is left as it is when a command ends: folding it into the
/// database costs more than the whole command.
const WAL_LEFT_ALONE: u64 = 128 * 1024;

/// With less room than this on its disk, the write-ahead log is not left alone.
#[cfg(unix)]
const SCARCE: u64 = 1024 * 1024;

/// How often the file may be replaced while somebody waits for the lock, before he gives up.
const REPLACED_AT_MOST: u32 = 5;

/// What every connection is opened with.
const ALWAYS: OpenFlags = OpenFlags::SQLITE_OPEN_NO_MUTEX.union(OpenFlags::SQLITE_OPEN_NOFOLLOW);

/// The registry in a file.
pub struct SqliteStore {
    path: PathBuf,
    patience: Patience,
    open: Option<Open>,
}

struct Open {
    connection: Connection,
    writable: bool,
    identity: Option<Identity>,
}

/// Device and inode: a restored file has another.
type Identity = (u64, u64);

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
        Self { path, patience: patience.into(), open: None }
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
                // Somebody is about to fill it.
                Ok((_, 0)) => return self.open_empty(),
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
    /// killed between making the file and filling it.
    fn exists(&self) -> Result<bool, StoreError> {
        let metadata = match fs::symlink_metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if files::is_absent(&error) => return Ok(false),
            Err(error) => return Err(self.denied("open", &error.to_string())),
        };
        if metadata.is_symlink() {
            return Err(self.denied("open", "it is a symbolic link"));
        }
        if !metadata.is_file() {
            return Err(self.denied("open", "it is not a file"));
        }
        Ok(metadata.len() > 0)
    }

    fn writing(&mut self) -> Result<&mut Open, StoreError> {
        let current = self.open.take().filter(|open| open.writable && open.identity == identity(&self.path));
        let open = match current {
            Some(open) => open,
            None => self.open_for_writing()?,
        };
        Ok(self.open.insert(open))
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
        self.create_or_migrate(flags | OpenFlags::SQLITE_OPEN_CREATE)
    }

    /// Makes the file, or brings it to this version, while nobody else does.
    fn create_or_migrate(&self, flags: OpenFlags) -> Result<Open, StoreError> {
        let folder = self.folder();
        files::create_private_dir(folder).map_err(|error| self.system_failure("open", &error))?;
        self.check_folder()?;
        let _lock = self.lock()?;
        // The file is made private before SQLite makes its companions, which copy its mode.
        files::create(&self.path, b"", files::Access::Private)
            .map_err(|error| self.system_failure("open", &error))?;
        let connection =
            Connection::open_with_flags(&self.path, flags).map_err(|error| self.failure("open", &error))?;
        let version = self.settle(&connection).map_err(|error| self.failure("open", &error))?;
        self.admit(&connection, version, "min_writer")?;
        if version < VERSION {
            if version == 0 {
                let mode = if on_network(folder) { "truncate" } else { "wal" };
                connection
                    .pragma_update_and_check(None, "journal_mode", mode, |_| Ok(()))
                    .map_err(|error| self.failure("write", &error))?;
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
        let mut path = self.path.clone().into_os_string();
        path.push(".lock");
        Lock::acquire(Path::new(&path), self.patience).map_err(|error| self.system_failure("write", &error))
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    fn check_folder(&self) -> Result<(), StoreError> {
        safe_folder(self.folder()).map_err(|why| self.denied("open", &why))
    }

    fn denied(&self, act: &'static str, why: &str) -> StoreError {
        StoreError::Denied { act, registry: self.path.display().to_string(), why: why.to_owned() }
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
        let _lock = self.locked_for_writing()?;
        let path = self.path.clone();
        let failed = |error: rusqlite::Error| failure(&path, "write", &error);
        let is_scarce = is_scarce(self.folder());
        let open = self.writing()?;
        if is_scarce {
            // Before the log takes the last room, which folding it may need, too.
            fold_log(&open.connection);
        }
        let mut made_room = false;
        loop {
            let transaction =
                open.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
            let ended = match work(&mut SqliteRows::new(&transaction, &path)) {
                Verdict::Commit => transaction.commit(),
                // SQLite may have undone it already, as it does on a full disk; that is no second failure.
                Verdict::Rollback => transaction.finish(),
            };
            match ended {
                Err(error) if !made_room && is_full(&error) => {
                    made_room = fold_log(&open.connection);
                    if !made_room {
                        return Err(failed(error));
                    }
                }
                ended => return ended.map_err(failed),
            }
        }
    }

    fn location(&self) -> String {
        self.path.display().to_string()
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.path.clone())
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

/// Returns how long the write-ahead log is; 0 if there is none.
fn log_size(registry: &Path) -> u64 {
    let mut log = registry.to_owned().into_os_string();
    log.push("-wal");
    fs::metadata(log).map_or(0, |metadata| metadata.len())
}

/// Folds the log into the database, which gives its room back: a port can be released on a full disk.
fn fold_log(connection: &Connection) -> bool {
    let folded = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    folded == Ok(0)
}

/// Says whether the disk is about to be full.
#[cfg(unix)]
fn is_scarce(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < SCARCE)
}

#[cfg(not(unix))]
fn is_scarce(_folder: &Path) -> bool {
    false
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
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

/// Says whether opening failed because WAL wants to write even when one only reads.
fn is_for_want_of_writing(error: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure};
    let codes = [CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure];
    error.sqlite_error_code().is_some_and(|code| codes.contains(&code))
}

fn failure(path: &Path, act: &'static str, error: &rusqlite::Error) -> StoreError {
    let registry = path.display().to_string();
    let why = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { registry },
        Some(ErrorCode::DiskFull) => StoreError::Unavailable { registry, why: "the disk is full".to_owned() },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged { registry, why },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            StoreError::Denied { act, registry, why }
        }
        Some(ErrorCode::ConstraintViolation) => StoreError::Constraint { why },
        Some(ErrorCode::SystemIoFailure) => StoreError::Unavailable { registry, why },
        _ => StoreError::Failed { registry, why },
    }
}

/// Returns the URI that reads a file as it lies there, without its companions: what is left on a disk
/// that may not be written.
fn immutable(path: &Path) -> PathBuf {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*byte));
            }
            other => uri.push_str(&format!("%{other:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    uri.into()
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<Identity> {
    // An open file cannot be replaced there.
    fs::metadata(path).ok().map(|_| (0, 0))
}

/// Refuses a folder in which somebody else could put a file of his in place of ours.
#[cfg(unix)]
fn safe_folder(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(folder).map_err(|error| error.to_string())?;
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user && metadata.uid() != 0 {
        return Err(format!("its folder '{}' belongs to another user", folder.display()));
    }
    let open_to_all = metadata.mode() & 0o002 != 0 && metadata.mode() & 0o1000 == 0;
    if open_to_all {
        return Err(format!("its folder '{}' may be written by everybody", folder.display()));
    }
    Ok(())
}

#[cfg(not(unix))]
fn safe_folder(_folder: &Path) -> Result<(), String> {
    Ok(())
}

/// Says whether the folder is on a network file system, by the numbers of statfs(2): there the shared
/// memory that WAL needs does not work.
#[cfg(target_os = "linux")]
fn on_network(folder: &Path) -> bool {
    const NETWORK: &[i64] = &[
        0x6969,      // NFS
        0x517b,      // SMB
        0xff53_4d42, // CIFS
        0xfe53_4d42, // SMB2
        0x0102_1997, // 9p
        0x6573_5546, // FUSE
        0x5346_414f, // AFS
        0x0bd0_0bd0, // Lustre
        0x4750_4653, // GPFS
        0x00c3_6400, // Ceph
    ];
    rustix::fs::statfs(folder).is_ok_and(|statfs| NETWORK.contains(&(statfs.f_type & 0xffff_ffff)))
}

#[cfg(not(target_os = "linux"))]
fn on_network(_folder: &Path) -> bool {
    false
}
