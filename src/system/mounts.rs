//! Which file system a path lies on, and where it is mounted.

use std::io;
use std::path::Path;
#[cfg(unix)]
use std::path::PathBuf;

use super::files;
use crate::registry::Place;

/// What stands at a path, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Something is there.
    Present,
    /// Nothing is there; the nearest folder above it that exists lies here.
    Absent(Place),
    /// It cannot be told.
    Unreadable,
}

/// Says what stands at the path. Only "no such file" and "not a directory" count as absence.
pub fn presence(path: &Path) -> Presence {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Presence::Present,
        Err(error) if files::is_absent(&error) => {
            nearest(path).map_or(Presence::Unreadable, Presence::Absent)
        }
        Err(_) => Presence::Unreadable,
    }
}

fn nearest(path: &Path) -> Option<Place> {
    for ancestor in path.ancestors().skip(1) {
        match place(ancestor) {
            Ok(place) => return Some(place),
            Err(error) if files::is_absent(&error) => {}
            Err(_) => return None,
        }
    }
    None
}

/// Returns the file system an existing path lies on.
#[cfg(unix)]
pub fn place(path: &Path) -> io::Result<Place> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path)?;
    let filesystem = rustix::fs::statvfs(path).map_or(0, |statvfs| statvfs.f_fsid);
    Ok(Place { device: metadata.dev(), filesystem, mount: mount_point(path) })
}

/// Returns the file system an existing path lies on; there is only the drive to tell it by.
#[cfg(not(unix))]
pub fn place(path: &Path) -> io::Result<Place> {
    std::fs::metadata(path)?;
    let mount = path.ancestors().last().map(Path::to_owned).unwrap_or_default();
    Ok(Place { device: 0, filesystem: 0, mount })
}

/// Returns the mount point that covers the path, by the kernel's own table; empty where there is none
/// (proc(5), `/proc/pid/mountinfo`).
#[cfg(unix)]
fn mount_point(path: &Path) -> PathBuf {
    let path = files::canonical(path);
    let Ok(Some(table)) = files::load(Path::new("/proc/self/mountinfo")) else { return PathBuf::new() };
    table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(unescape)
        .filter(|mount| path.starts_with(mount))
        .max_by_key(|mount| mount.as_os_str().len())
        .unwrap_or_default()
}

/// Undoes the kernel's octal escapes for space, tab, newline and backslash.
#[cfg(unix)]
fn unescape(field: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let octal = (*first == b'\\').then(|| tail.get(..3)).flatten();
        let value = octal
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|d| u8::from_str_radix(d, 8).ok());
        match value {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_escapes_are_undone() {
        assert_eq!(unescape(br"/mnt/a\040b\134c"), PathBuf::from(r"/mnt/a b\c"));
        assert_eq!(unescape(br"/plain"), PathBuf::from("/plain"));
    }

    #[test]
    fn an_absent_folder_is_placed_on_the_disk_of_its_parent() {
        let dir = tempfile::tempdir().unwrap();
        let here = place(dir.path()).unwrap();
        assert!(!here.mount.as_os_str().is_empty());
        assert_eq!(presence(&dir.path().join("gone/deeper")), Presence::Absent(here));
        assert_eq!(presence(dir.path()), Presence::Present);
    }

    #[test]
    fn another_file_system_is_another_place() {
        assert!(!place(Path::new("/proc")).unwrap().is_same(&place(Path::new("/")).unwrap()));
    }
}
