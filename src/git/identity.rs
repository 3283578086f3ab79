//! Who a repository and a worktree are, wherever they are moved: random tokens beside git's own files.
//!
//! The names of these files reach disk and never change. git moves, keeps and deletes a worktree's
//! administrative directory with the worktree, and our files in it.

use std::path::{Path, PathBuf};

use super::GitError;
use super::repo::path_from;
use super::worktree::Worktree;
use crate::registry::Token;
use crate::system::files::{self, Access};
use crate::system::random_bytes;

/// The folder in the common directory that holds what belongs to the whole repository.
const FOLDER: &str = "git-port";
/// The file in it that holds the repository's token, and the directory it was made for.
const REPOSITORY: &str = "repo-id";
/// The file in a linked worktree's administrative directory that holds its token.
const LINKED: &str = "git-port-id";
/// The file beside it that holds its copy of its allocations.
const LINKED_COPY: &str = "git-port.json";
/// The file that says for which state of the registry that copy was seen to be right.
const LINKED_SEAL: &str = "git-port-seal";

/// Returns the file that holds a worktree's token.
pub fn token_file(worktree: &Worktree) -> PathBuf {
    if worktree.main {
        worktree.admin_dir.join(FOLDER).join("main-id")
    } else {
        worktree.admin_dir.join(LINKED)
    }
}

/// Returns the file that holds a worktree's own copy of its allocations.
pub fn copy_file(worktree: &Worktree) -> PathBuf {
    if worktree.main {
        worktree.admin_dir.join(FOLDER).join("main.json")
    } else {
        worktree.admin_dir.join(LINKED_COPY)
    }
}

/// Returns the file that notes what a worktree is still to get.
pub fn pending_file(worktree: &Worktree) -> PathBuf {
    worktree.admin_dir.join("git-port.pending")
}

/// Notes what a worktree is still to get.
pub fn write_pending(worktree: &Worktree, contents: &[u8]) -> Result<(), GitError> {
    let file = pending_file(worktree);
    Ok(files::replace_from(&workshop(&file), &file, contents, Access::Private)?)
}

/// Writes a worktree's own copy of its allocations.
pub fn write_copy(worktree: &Worktree, contents: &[u8]) -> Result<(), GitError> {
    let file = copy_file(worktree);
    Ok(files::replace_from(&workshop(&file), &file, contents, Access::Private)?)
}

/// Returns the file that says for which state of the registry a worktree's copy was seen to be right.
pub fn seal_file(worktree: &Worktree) -> PathBuf {
    if worktree.main {
        worktree.admin_dir.join(FOLDER).join("main-seal")
    } else {
        worktree.admin_dir.join(LINKED_SEAL)
    }
}

/// Writes that file. It may be lost with the power: then the registry is asked again.
pub fn write_seal(worktree: &Worktree, seal: &[u8]) -> Result<(), GitError> {
    let file = seal_file(worktree);
    Ok(files::replace_unsynced(&workshop(&file), &file, seal, Access::Private)?)
}

/// Returns the folder in which a file is written before it takes its place. git removes a worktree's
/// administrative directory entry by entry, and fails if one is added meanwhile; so nothing stands there
/// that is not finished.
fn workshop(file: &Path) -> PathBuf {
    let admin_dir = file.parent().unwrap_or(Path::new("."));
    let common_dir = admin_dir.parent().filter(|folder| folder.ends_with("worktrees")).and_then(Path::parent);
    common_dir
        .map(|folder| folder.join(FOLDER))
        .filter(|folder| folder.is_dir())
        .unwrap_or(admin_dir.to_owned())
}

/// Finishes what `git worktree remove` began: all of git's own is gone, but git could not remove a folder,
/// because a file of ours came in between. `ours` is the one at the top of the worktree. Returns whether
/// the worktree is gone.
pub fn finish_removal(worktree: &Worktree, ours: &str) -> bool {
    let is_absent =
        |path: &Path| std::fs::symlink_metadata(path).is_err_and(|error| files::is_absent(&error));
    let of_git = ["HEAD", "commondir", "gitdir", "index"];
    if worktree.main || !of_git.iter().all(|name| is_absent(&worktree.admin_dir.join(name))) {
        return false;
    }
    let in_admin_dir = [token_file(worktree), copy_file(worktree), seal_file(worktree)];
    let at_top = [worktree.path.join(ours)];
    // Whoever writes there may not have noticed yet.
    for _ in 0..5 {
        for (folder, known) in [(&worktree.path, &at_top[..]), (&worktree.admin_dir, &in_admin_dir[..])] {
            empty(folder, known);
        }
        if is_absent(&worktree.path) && is_absent(&worktree.admin_dir) {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    false
}

/// Removes a folder in which these files are left, and nothing else but what is being written.
fn empty(folder: &Path, known: &[PathBuf]) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let left: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let is_temporary = |path: &Path| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        name.starts_with(b".git-port-") && name.ends_with(b".tmp")
    };
    if left.iter().all(|path| known.contains(path) || is_temporary(path)) {
        for path in &left {
            let _ = files::remove(path);
        }
        let _ = std::fs::remove_dir(folder);
    }
}

/// Returns the file whose lock serialises the making and removing of worktrees.
pub fn lock_file(common_dir: &Path) -> Result<PathBuf, GitError> {
    let folder = common_dir.join(FOLDER);
    files::create_private_dir(&folder)?;
    Ok(folder.join("lock"))
}

/// Returns a worktree's token; none if it has none yet. Tokens in a copied repository are the original's.
pub fn find_token(worktree: &Worktree) -> Result<Option<Token>, GitError> {
    let common_dir = if worktree.main {
        Some(worktree.admin_dir.as_path())
    } else {
        worktree.admin_dir.ancestors().nth(2)
    };
    if let Some(common_dir) = common_dir
        && let Some(bytes) = files::load(&common_dir.join(FOLDER).join(REPOSITORY))?
        && is_copy(common_dir, &bytes)
    {
        return Ok(None);
    }
    load_token(&token_file(worktree))
}

/// Returns a worktree's token, giving it one if need be.
pub fn token(worktree: &Worktree) -> Result<Token, GitError> {
    ensure(&token_file(worktree), &[])
}

/// Gives a worktree the token it had before its file was lost. Returns the one it has now: another
/// process may have been first.
pub fn restore_token(worktree: &Worktree, token: &Token) -> Result<Token, GitError> {
    create(&token_file(worktree), token, &[])
}

/// Gives a worktree this token in place of one that is damaged.
pub fn replace_token(worktree: &Worktree, token: &Token) -> Result<(), GitError> {
    Ok(files::replace(&token_file(worktree), &contents(token, &[]), Access::Public)?)
}

/// Returns a repository's token, giving it one if need be.
///
/// A copy of a repository brings the original's token along. The token's file names the directory it was
/// made for, so that a copy is noticed (the original still answers there) and told from a move.
pub fn repository_token(common_dir: &Path) -> Result<Token, GitError> {
    let file = common_dir.join(FOLDER).join(REPOSITORY);
    let here = common_dir.as_os_str().as_encoded_bytes();
    if let Some(bytes) = files::load(&file)? {
        let (first, home) = split(&bytes);
        let token = parse(&file, first)?;
        if home == here {
            return Ok(token);
        }
        if !is_copy(common_dir, &bytes) {
            files::replace(&file, &contents(&token, here), Access::Public)?;
            return Ok(token);
        }
        forget_original(common_dir)?;
    }
    ensure(&file, here)
}

/// Says whether a repository with this file of its token is a copy: the one the file was made for is still
/// where it was, and has the same token.
fn is_copy(common_dir: &Path, bytes: &[u8]) -> bool {
    let (token, home) = split(bytes);
    if home == common_dir.as_os_str().as_encoded_bytes() {
        return false;
    }
    let original = path_from(home.to_vec()).join(FOLDER).join(REPOSITORY);
    files::load(&original).ok().flatten().is_some_and(|bytes| split(&bytes).0 == token)
}

/// Drops what a copied repository brought along of the original's identity and ports.
fn forget_original(common_dir: &Path) -> Result<(), GitError> {
    for name in ["main-id", "main.json"] {
        files::remove(&common_dir.join(FOLDER).join(name))?;
    }
    for entry in std::fs::read_dir(common_dir.join("worktrees")).into_iter().flatten().flatten() {
        for name in [LINKED, LINKED_COPY] {
            files::remove(&entry.path().join(name))?;
        }
    }
    // Last, because it is what tells that there is anything to drop.
    Ok(files::remove(&common_dir.join(FOLDER).join(REPOSITORY))?)
}

/// Returns the repository's token without making one.
pub fn find_repository_token(common_dir: &Path) -> Result<Option<Token>, GitError> {
    load_token(&common_dir.join(FOLDER).join(REPOSITORY))
}

/// Returns the administrative directory that holds this token, wherever git has put it.
pub fn find_admin_dir(common_dir: &Path, token: &Token) -> Result<Option<PathBuf>, GitError> {
    let folder = common_dir.join("worktrees");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if files::is_absent(&error) => return Ok(None),
        Err(error) => return Err(crate::system::SystemError::file("read", &folder)(error).into()),
    };
    for entry in entries {
        let admin_dir = entry.map_err(crate::system::SystemError::file("read", &folder))?.path();
        if load_token(&admin_dir.join(LINKED))?.as_ref() == Some(token) {
            return Ok(Some(admin_dir));
        }
    }
    Ok(None)
}

fn load_token(file: &Path) -> Result<Option<Token>, GitError> {
    let Some(bytes) = files::load(file)? else { return Ok(None) };
    parse(file, split(&bytes).0).map(Some)
}

fn parse(file: &Path, bytes: &[u8]) -> Result<Token, GitError> {
    let damaged = |why: String| GitError::Damaged { path: file.to_owned(), why };
    std::str::from_utf8(bytes)
        .map_err(|error| damaged(error.to_string()))?
        .parse()
        .map_err(|error| damaged(format!("{error}")))
}

fn ensure(file: &Path, home: &[u8]) -> Result<Token, GitError> {
    if let Some(token) = load_token(file)? {
        return Ok(token);
    }
    create(file, &Token::from_random(random_bytes()?), home)
}

fn create(file: &Path, token: &Token, home: &[u8]) -> Result<Token, GitError> {
    if let Some(folder) = file.parent().filter(|folder| folder.ends_with(FOLDER)) {
        files::create_private_dir(folder)?;
    }
    if files::create_from(&workshop(file), file, &contents(token, home), Access::Public)? {
        return Ok(token.clone());
    }
    // Another process was first; its token counts.
    load_token(file)?
        .ok_or_else(|| GitError::Damaged { path: file.to_owned(), why: "it keeps vanishing".to_owned() })
}

fn contents(token: &Token, home: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{token}\n").into_bytes();
    if !home.is_empty() {
        bytes.extend_from_slice(home);
        bytes.push(b'\n');
    }
    bytes
}

fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_repository_keeps_its_token_and_a_copied_one_gets_another() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two, three) = (dir.path().join("one"), dir.path().join("two"), dir.path().join("three"));
        std::fs::create_dir(&one).unwrap();
        let token = repository_token(&one).unwrap();
        assert_eq!(repository_token(&one).unwrap(), token);
        std::fs::rename(&one, &two).unwrap();
        assert_eq!(repository_token(&two).unwrap(), token);
        std::fs::create_dir_all(three.join(FOLDER)).unwrap();
        std::fs::copy(two.join(FOLDER).join("repo-id"), three.join(FOLDER).join("repo-id")).unwrap();
        assert_ne!(repository_token(&three).unwrap(), token);
        assert_eq!(repository_token(&two).unwrap(), token);
    }

    #[test]
    fn a_removal_is_finished_only_where_git_has_removed_all_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let admin_dir = dir.path().join("worktrees/topic");
        std::fs::create_dir_all(&admin_dir).unwrap();
        let worktree = Worktree {
            admin_dir: admin_dir.clone(),
            path: dir.path().join("topic"),
            main: false,
            locked: false,
        };
        token(&worktree).unwrap();
        write_copy(&worktree, b"{}").unwrap();
        std::fs::File::create(admin_dir.join("gitdir")).unwrap();
        let finish = || finish_removal(&worktree, ".env");
        assert!(!finish());
        std::fs::remove_file(admin_dir.join("gitdir")).unwrap();
        std::fs::create_dir(&worktree.path).unwrap();
        for name in [".env", ".git-port-x.tmp", "notes"] {
            std::fs::File::create(worktree.path.join(name)).unwrap();
        }
        assert!(!finish());
        assert!(worktree.path.join("notes").exists() && worktree.path.join(".env").exists());
        std::fs::remove_file(worktree.path.join("notes")).unwrap();
        assert!(finish());
        assert!(!worktree.path.exists());
        assert!(!admin_dir.exists());
    }

    #[test]
    fn a_damaged_token_is_named_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let worktree = Worktree {
            admin_dir: dir.path().to_owned(),
            path: dir.path().to_owned(),
            main: false,
            locked: false,
        };
        std::fs::File::create(token_file(&worktree)).unwrap();
        assert!(matches!(token(&worktree), Err(GitError::Damaged { .. })));
    }
}
