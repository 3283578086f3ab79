//! The registry's file and its folder, as the system sees them; and what SQLite's failures mean.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

use crate::store::StoreError;

/// Device and inode: a restored file has another.
pub(super) type Identity = (u64, u64);

/// Returns the path of a file beside the registry's, with this ending.
pub(super) fn beside(registry: &Path, ending: &str) -> PathBuf {
    let mut path = registry.to_owned().into_os_string();
    path.push(ending);
    path.into()
}

/// Returns how long the write-ahead log is; 0 if there is none.
pub(super) fn log_size(registry: &Path) -> u64 {
    fs::metadata(beside(registry, "-wal")).map_or(0, |metadata| metadata.len())
}

/// Folds the log into the database, which gives its room back: a port can be released on a full disk.
pub(super) fn fold_log(connection: &Connection) -> bool {
    let folded = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    folded == Ok(0)
}

pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Says whether opening failed because WAL wants to write even when one only reads.
pub(super) fn is_for_want_of_writing(error: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure};
    let codes = [CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure];
    error.sqlite_error_code().is_some_and(|code| codes.contains(&code))
}

pub(super) fn failure(path: &Path, act: &'static str, error: &rusqlite::Error) -> StoreError {
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
pub(super) fn immutable(path: &Path) -> PathBuf {
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
pub(super) fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
pub(super) fn identity(path: &Path) -> Option<Identity> {
    // An open file cannot be replaced there.
    fs::metadata(path).ok().map(|_| (0, 0))
}

/// Refuses a folder in which somebody else could put a file of his in place of ours, and one that he could
/// replace as a whole: that holds for every folder from the user's home down.
#[cfg(unix)]
pub(super) fn safe_folder(folder: &Path, home: Option<&Path>) -> Result<(), String> {
    let home = home.filter(|home| folder.starts_with(home));
    for part in folder.ancestors() {
        safe_part(part, part == folder)?;
        if home.is_none_or(|home| part == home) {
            break;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn safe_part(part: &Path, own: bool) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(part).map_err(|error| error.to_string())?;
    let user = rustix::process::geteuid().as_raw();
    let what = if own { "its folder" } else { "the folder above it," };
    let shown = part.display();
    if metadata.uid() != user && metadata.uid() != 0 {
        return Err(format!("{what} '{shown}' belongs to another user"));
    }
    let sticky = metadata.mode() & 0o1000 != 0;
    if metadata.mode() & 0o002 != 0 && !sticky {
        return Err(format!("{what} '{shown}' may be written by everybody"));
    }
    // Many systems give each user a group of his own, with his number, and let it write.
    if metadata.mode() & 0o020 != 0 && !sticky && metadata.gid() != user && metadata.gid() != 0 {
        return Err(format!("{what} '{shown}' may be written by its group"));
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn safe_folder(_folder: &Path, _home: Option<&Path>) -> Result<(), String> {
    Ok(())
}

/// Says whether the folder is on a network file system, by the numbers of statfs(2): there the shared
/// memory that WAL needs does not work.
#[cfg(target_os = "linux")]
pub(super) fn on_network(folder: &Path) -> bool {
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
pub(super) fn on_network(_folder: &Path) -> bool {
    false
}

/// With less room than this on its disk, the write-ahead log is not left alone.
#[cfg(unix)]
const SCARCE: u64 = 1024 * 1024;

/// Says whether the disk is about to be full.
#[cfg(unix)]
pub(super) fn is_scarce(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < SCARCE)
}

/// Says whether the disk is about to be full.
#[cfg(not(unix))]
pub(super) fn is_scarce(_folder: &Path) -> bool {
    false
}
