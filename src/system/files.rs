//! Reads and writes files. A file is replaced whole or not at all, and no symbolic link is followed to
//! the file that is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::SystemError;

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Its owner alone.
    Private,
    /// Everybody the umask lets.
    Public,
    /// As [`Access::Public`], and it may be run.
    Program,
}

impl Access {
    #[cfg(unix)]
    fn mode(self) -> u32 {
        match self {
            Self::Private => 0o600,
            Self::Public => 0o666,
            Self::Program => 0o777,
        }
    }
}

/// The names of files that are being written, as a pattern of gitignore(5).
pub const TEMPORARY: &str = ".git-port-*.tmp";

/// Files larger than this are not ours and are not read.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Returns the contents; none if there is no such file.
pub fn load(path: &Path) -> Result<Option<Vec<u8>>, SystemError> {
    let Some(bytes) = load_up_to(path, LARGEST)? else { return Ok(None) };
    if bytes.len() as u64 > LARGEST {
        return Err(SystemError::Unsafe { path: path.to_owned(), why: "is larger than 4 MiB" });
    }
    Ok(Some(bytes))
}

/// Returns the contents, or, of a file that is larger than this, its beginning with one byte too many;
/// none if there is no such file.
pub fn load_up_to(path: &Path, largest: u64) -> Result<Option<Vec<u8>>, SystemError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(SystemError::file("read", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(largest + 1).read_to_end(&mut bytes).map_err(SystemError::file("read", path))?;
    Ok(Some(bytes))
}

/// Returns what is on standard input, or its beginning with one byte too many.
pub fn load_input(largest: u64) -> Result<Vec<u8>, SystemError> {
    let mut bytes = Vec::new();
    let input = io::stdin().lock().take(largest + 1).read_to_end(&mut bytes);
    input.map_err(SystemError::file("read", Path::new("standard input")))?;
    Ok(bytes)
}

/// Returns the contents as text; none if there is no such file.
pub fn load_text(path: &Path) -> Result<Option<String>, SystemError> {
    let Some(bytes) = load(path)? else { return Ok(None) };
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| SystemError::Unsafe { path: path.to_owned(), why: "is not UTF-8 text" })
}

/// The largest file that people keep settings in, in bytes.
const MODEST: u64 = 1024 * 1024;

/// Returns the text of a file that somebody else wrote; none where it is no file, too large or no text.
pub fn load_modest(path: &Path) -> Option<String> {
    // What a link leads to may be a device that never ends.
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    if metadata.len() > MODEST {
        return None;
    }
    load_text(path).ok().flatten()
}

/// Says whether not even the folder may be looked into, so that nobody can tell whether the file is there.
pub fn is_hidden(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// Says whether an error means that nothing is there (and not that it cannot be told).
pub fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Replaces the file with this contents in one step: readers see the old or the new, also after a crash.
///
/// A symbolic link at `path` is refused.
pub fn replace(path: &Path, contents: &[u8], access: Access) -> Result<(), SystemError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    replace_from(dir, path, contents, access)
}

/// As [`replace`]; it is written in this folder of the same file system, and then moved to its place.
pub fn replace_from(dir: &Path, path: &Path, contents: &[u8], access: Access) -> Result<(), SystemError> {
    refuse_symlink(path)?;
    let file = draft(dir, path, "write", contents, access)?;
    file.persist(path).map_err(|error| SystemError::file("write", path)(error.error))?;
    Ok(())
}

/// As [`replace_from`], without waiting until it is on the disk: after a power cut it may be anything.
pub fn replace_unsynced(dir: &Path, path: &Path, contents: &[u8], access: Access) -> Result<(), SystemError> {
    refuse_symlink(path)?;
    let file = draft_unsynced(dir, path, "write", contents, access)?;
    file.persist(path).map_err(|error| SystemError::file("write", path)(error.error))?;
    Ok(())
}

/// Creates the file with this contents unless it is there already. Returns whether it was created.
///
/// Of several processes at once exactly one creates it, and nobody ever sees it half written.
pub fn create(path: &Path, contents: &[u8], access: Access) -> Result<bool, SystemError> {
    create_from(path.parent().unwrap_or(Path::new(".")), path, contents, access)
}

/// As [`create`]; it is written in this folder of the same file system, and then moved to its place.
pub fn create_from(dir: &Path, path: &Path, contents: &[u8], access: Access) -> Result<bool, SystemError> {
    let file = draft(dir, path, "create", contents, access)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(SystemError::file("create", path)(error.error)),
    }
}

/// Writes a file for this path in this folder, under a name of its own, and waits until it is on the disk.
fn draft(
    dir: &Path,
    path: &Path,
    act: &'static str,
    contents: &[u8],
    access: Access,
) -> Result<tempfile::NamedTempFile, SystemError> {
    let file = draft_unsynced(dir, path, act, contents, access)?;
    file.as_file().sync_all().map_err(SystemError::file(act, path))?;
    Ok(file)
}

fn draft_unsynced(
    dir: &Path,
    path: &Path,
    act: &'static str,
    contents: &[u8],
    access: Access,
) -> Result<tempfile::NamedTempFile, SystemError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".git-port-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(access.mode()));
    }
    #[cfg(not(unix))]
    let _ = access;
    let mut file = builder.tempfile_in(dir).map_err(SystemError::file(act, path))?;
    file.write_all(contents).map_err(SystemError::file(act, path))?;
    Ok(file)
}

/// Replaces what is in a file that is there, in one step; its mode and its owner stay.
///
/// A symbolic link at `path` is refused.
pub fn rewrite(path: &Path, contents: &[u8]) -> Result<(), SystemError> {
    refuse_symlink(path)?;
    let failed = |source| SystemError::file("write", path)(source);
    let dir = path.parent().unwrap_or(Path::new("."));
    let before = fs::metadata(path).map_err(failed)?;
    let mut builder = tempfile::Builder::new();
    let mut file = builder
        .prefix(".git-port-")
        .suffix(".tmp")
        .tempfile_in(dir)
        .map_err(SystemError::file("write", path))?;
    file.write_all(contents).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let now = file.as_file().metadata().map_err(failed)?;
        if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
            fchown(file.as_file(), Some(before.uid()), Some(before.gid())).map_err(failed)?;
        }
    }
    // After the owner: chown(2) clears bits of the mode.
    file.as_file().set_permissions(before.permissions()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Adds a line at the end of a text file, which is made if need be, unless it has that line.
pub fn ensure_line(path: &Path, line: &str) -> Result<(), SystemError> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(SystemError::file("create", dir))?;
    }
    let failed = |source| SystemError::file("write", path)(source);
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
    // Forty worktrees may be made at once; each wants its line, and one is enough.
    file.lock().map_err(failed)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(failed)?;
    if text.split(|byte| *byte == b'\n').any(|existing| existing == line.as_bytes()) {
        return Ok(());
    }
    let mut addition = String::new();
    if !text.is_empty() && !text.ends_with(b"\n") {
        addition.push('\n');
    }
    addition.push_str(line);
    addition.push('\n');
    file.write_all(addition.as_bytes()).map_err(failed)
}

/// Which file stands at a path and when it was last changed, as the system tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Tells this state of the file from every other, if `age` is more than the system's clock ticks for
    /// the file system's times.
    pub text: String,
    /// How long ago it was changed; nothing, if its date is to come. None if there is no such file.
    pub age: Option<std::time::Duration>,
    /// How long it is.
    pub size: u64,
}

/// Returns the trace of a file, or of there being none; none where that cannot be told, or
/// it is not a file.
#[cfg(unix)]
pub fn trace(path: &Path) -> Option<Trace> {
    use std::os::unix::fs::MetadataExt;
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if is_absent(&error) => return Some(Trace::default()),
        Err(_) => return None,
    };
    if !metadata.is_file() {
        return None;
    }
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    let text = format!("{}:{}:{}:{seconds}.{nanoseconds}", metadata.dev(), metadata.ino(), metadata.size());
    let age = metadata.modified().ok()?.elapsed().unwrap_or_default();
    Some(Trace { text, age: Some(age), size: metadata.size() })
}

/// Returns the trace of a file; none where the system does not tell enough.
#[cfg(not(unix))]
pub fn trace(_path: &Path) -> Option<Trace> {
    None
}

/// Says whether a file or folder belongs to the user who runs this.
#[cfg(unix)]
pub fn is_own(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(metadata) == rustix::process::geteuid().as_raw()
}

/// Returns how long ago a file or folder was changed; none if it is not there, or has a date to come.
pub fn age(path: &Path) -> Option<std::time::Duration> {
    fs::symlink_metadata(path).ok()?.modified().ok()?.elapsed().ok()
}

/// Removes the file; it may be gone already.
pub fn remove(path: &Path) -> Result<(), SystemError> {
    match fs::remove_file(path) {
        Err(error) if !is_absent(&error) => Err(SystemError::file("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Makes a folder, with its parents, that its owner alone may enter.
pub fn create_private_dir(path: &Path) -> Result<(), SystemError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(SystemError::file("create", path))
}

/// Fails if the path is a symbolic link: what it leads to is not ours to write.
pub fn refuse_symlink(path: &Path) -> Result<(), SystemError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_symlink() => {
            Err(SystemError::Unsafe { path: path.to_owned(), why: "is a symbolic link" })
        }
        _ => Ok(()),
    }
}

/// Says whether both paths lead to the very same file or folder.
#[cfg(unix)]
pub fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    identity(one).is_some_and(|one| identity(other) == Some(one))
}

/// Says whether both paths lead to the very same file or folder.
#[cfg(not(unix))]
pub fn is_same(one: &Path, other: &Path) -> bool {
    canonical(one) == canonical(other)
}

/// Returns the path without symbolic links and `..`, resolving as much of it as exists.
///
/// A folder that was deleted under a linked parent still compares equal to what was recorded of it.
pub fn canonical(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut rest = Vec::new();
    let mut existing = absolute.as_path();
    loop {
        if let Ok(resolved) = existing.canonicalize() {
            return rest.iter().rev().fold(resolved, |path, name| path.join(name));
        }
        match (existing.parent(), existing.file_name()) {
            (Some(parent), Some(name)) => {
                rest.push(name.to_owned());
                existing = parent;
            }
            _ => return absolute,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_is_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        replace(&path, b"one", Access::Private).unwrap();
        replace(&path, b"two", Access::Private).unwrap();
        assert_eq!(load_text(&path).unwrap().as_deref(), Some("two"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing left beside it");
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_is_never_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        fs::File::create(&victim).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        let error = replace(&link, b"x", Access::Public).unwrap_err();
        assert!(error.to_string().ends_with("is a symbolic link"));
        assert_eq!(fs::read(&victim).unwrap(), b"");
    }

    #[test]
    fn a_line_is_added_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("info/exclude");
        ensure_line(&path, "/.git-port.env").unwrap();
        ensure_line(&path, "/.git-port.env").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "/.git-port.env\n");
    }

    #[test]
    fn of_two_creators_one_wins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id");
        assert!(create(&path, b"one", Access::Public).unwrap());
        assert!(!create(&path, b"two", Access::Public).unwrap());
        assert_eq!(load(&path).unwrap().unwrap(), b"one");
    }
}
