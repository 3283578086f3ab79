//! The registry in one SQLite file: opening, locking, durability.
//!
//! WAL with `synchronous=FULL`, so that what was acknowledged survives a power cut, and `BEGIN
//! IMMEDIATE` behind a lock on a file of its own. SQLite's own waiting is unfair and gives up under
//! load; the system's lock queues, and is taken only after the database is open, because a process that
//! locks first makes every other one a first opener and a last closer. On network file systems, where
//! WAL does not work, the rollback journal is used.
//!
//! The file may be replaced under a process that has it open, as a restored backup does; what is then
//! written goes into a ghost. So the file's identity is compared before every write.

mod columns;
mod rows;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::migrate::{APPLICATION_ID, MIN_READER, MIN_WRITER, SQLITE, VERSION};
use super::{Rows, Store, StoreError, Transaction, Verdict};
use crate::system::lock::Lock;
use crate::system::{SystemError, files};
use rows::SqliteRows;

/// Below this size the write-ahead log is left as it is when a command ends: folding it into the
/// database costs more than the whole command.
const WAL_LEFT_ALONE: u64 = 128 * 1024;

/// The registry in a file.
pub struct SqliteStore {
    path: PathBuf,
    patience: Duration,
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
    pub fn new(path: &Path, patience: Duration) -> Self {
        Self { path: files::canonical(path), patience, open: None }
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
        let missing = match fs::metadata(&self.path) {
            Ok(metadata) => metadata.len() == 0,
            Err(error) if files::is_absent(&error) => true,
            Err(error) => return Err(self.denied("open", &error.to_string())),
        };
        if missing {
            // Nothing was ever recorded; a question must not make a registry.
            let connection = Connection::open_in_memory().map_err(|error| self.failure("open", &error))?;
            migrate(&connection, 0).map_err(|error| self.failure("open", &error))?;
            return Ok(Open { connection, writable: false, identity: None });
        }
        let attempts = [
            (self.path.clone(), OpenFlags::SQLITE_OPEN_READ_WRITE),
            (self.path.clone(), OpenFlags::SQLITE_OPEN_READ_ONLY),
            (immutable(&self.path), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI),
        ];
        let mut first_failure = None;
        for (path, flags) in attempts {
            let opened = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
                .and_then(|connection| self.settle(&connection).map(|version| (connection, version)));
            match opened {
                Ok((connection, version)) => {
                    self.admit(&connection, version, "min_reader")?;
                    let writable = connection.is_readonly("main") == Ok(false) && version == VERSION;
                    return Ok(Open { connection, writable, identity: identity(&self.path) });
                }
                Err(error) => first_failure = first_failure.or(Some(error)),
            }
        }
        let error = first_failure.unwrap_or(rusqlite::Error::InvalidQuery);
        Err(self.failure("open", &error))
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
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let exists = fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() > 0);
        if exists {
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
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        files::create_private_dir(folder).map_err(|error| self.system_failure("open", &error))?;
        safe_folder(folder).map_err(|why| self.denied("open", &why))?;
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
        connection.busy_timeout(self.patience)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "synchronous", "full")?;
        let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if application != APPLICATION_ID && (application, version) != (0, 0) {
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

    fn lock(&self) -> Result<Lock, StoreError> {
        let mut path = self.path.clone().into_os_string();
        path.push(".lock");
        Lock::acquire(Path::new(&path), self.patience).map_err(|error| self.system_failure("write", &error))
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
        self.writing()?;
        let _lock = self.lock()?;
        let path = self.path.clone();
        let failed = |error: rusqlite::Error| failure(&path, "write", &error);
        // Whoever held the lock may have put another file in its place.
        let open = self.writing()?;
        let transaction =
            open.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        match work(&mut SqliteRows::new(&transaction, &path)) {
            Verdict::Commit => transaction.commit().map_err(failed),
            Verdict::Rollback => transaction.rollback().map_err(failed),
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
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        if open.writable && fs::metadata(log).is_ok_and(|metadata| metadata.len() > WAL_LEFT_ALONE) {
            let _ = open.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
        }
    }
}

/// Applies the scripts that are missing, all or none.
fn migrate(connection: &Connection, version: i64) -> Result<(), rusqlite::Error> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let applied = (|| {
        let done = usize::try_from(version).unwrap_or(0);
        for script in SQLITE.iter().skip(done) {
            connection.execute_batch(script)?;
        }
        for (key, value) in [("min_reader", MIN_READER), ("min_writer", MIN_WRITER)] {
            let sql = "INSERT INTO notes (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
            connection.execute(sql, (key, value.to_string()))?;
        }
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        connection.pragma_update(None, "user_version", VERSION)
    })();
    connection.execute_batch(if applied.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    applied
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
