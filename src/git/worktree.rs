//! The worktrees of a repository, read from its administrative directories without starting a program.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::GitError;
use super::program::{git_in, read};
use super::repo::{Repo, path_from};
use crate::system::{SystemError, files};

/// A worktree, as its administrative directory describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worktree {
    /// Its administrative directory; the common directory for the main one.
    pub admin_dir: PathBuf,
    /// Its top folder, which may be gone.
    pub path: PathBuf,
    /// Whether it is the main worktree.
    pub main: bool,
    /// Whether `git worktree lock` protects it.
    pub locked: bool,
}

impl Worktree {
    /// Returns the worktree with this top folder whose hook git runs with this `GIT_DIR`.
    pub fn of_hook(top: &Path, git_dir: &Path) -> Option<Self> {
        let (path, admin_dir) = (top.canonicalize().ok()?, git_dir.canonicalize().ok()?);
        // A linked worktree's has a file that leads to the common one (gitrepository-layout(5)).
        let main = !admin_dir.join("commondir").exists();
        Some(Self { locked: !main && admin_dir.join("locked").exists(), admin_dir, path, main })
    }

    /// Returns the name of its folder, by which people call it.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_else(|| OsStr::new("/")).to_string_lossy().into_owned()
    }

    /// Returns the branch that is checked out, also in the midst of a rebase or bisect; none if HEAD is
    /// detached.
    pub fn branch(&self) -> Option<String> {
        self.branch_name().map(|name| name.to_string_lossy().into_owned())
    }

    /// Returns the same branch as the bytes it is.
    pub fn branch_name(&self) -> Option<OsString> {
        let line = |name: &str| {
            let bytes = files::load(&self.admin_dir.join(name)).ok().flatten()?;
            Some(bytes.trim_ascii_end().to_owned())
        };
        let branch = |reference: &[u8]| {
            Some(path_from(reference.strip_prefix(b"refs/heads/")?.to_owned()).into_os_string())
        };
        let head = line("HEAD")?;
        if let Some(reference) = head.strip_prefix(b"ref: ") {
            if reference == b"refs/heads/.invalid" {
                // With reftable the file is a decoy; only git knows.
                let asked = git_in(&self.path).args(["symbolic-ref", "-q", "HEAD"]);
                return branch(read(asked).ok()?.trim_ascii_end());
            }
            return branch(reference);
        }
        let rebased = ["rebase-merge/head-name", "rebase-apply/head-name"].into_iter().find_map(line);
        let bisected = || line("BISECT_START").map(|name| path_from(name).into_os_string());
        rebased.as_deref().and_then(branch).or_else(bisected)
    }

    /// Returns the commit that is checked out; none on a branch without commits.
    pub fn head(&self) -> Option<String> {
        if let Ok(repository) = git2::Repository::open(&self.path) {
            return repository.head().ok()?.target().map(|oid| oid.to_string());
        }
        let asked = git_in(&self.path).args(["rev-parse", "-q", "--verify", "HEAD"]);
        read(asked).ok().map(|oid| String::from_utf8_lossy(&oid).trim_end().to_owned())
    }

    /// Returns the top folder of the worktree that this folder is a mere copy of: the administrative
    /// directory that its `.git` leads to belongs to one that still stands elsewhere.
    pub fn original(&self) -> Option<PathBuf> {
        if self.main {
            return None;
        }
        let recorded = recorded_path(&self.admin_dir).ok().flatten()?;
        let stands = recorded != self.path
            && link_target(&recorded).is_some_and(|target| target == self.admin_dir)
            // One folder may be mounted in two places.
            && !files::is_same(&recorded, &self.path);
        stands.then_some(recorded)
    }

    /// Says whether git has this file at the top of the worktree in its index. Where libgit2 cannot tell,
    /// it has not.
    pub fn tracks(&self, name: &str) -> bool {
        let index = git2::Repository::open(&self.path).and_then(|repository| repository.index());
        index.is_ok_and(|index| index.get_path(Path::new(name), 0).is_some())
    }

    /// Says whether git has come as far as to write its `HEAD`; before, it finds no repository there.
    pub fn has_head(&self) -> bool {
        fs::symlink_metadata(self.admin_dir.join("HEAD")).is_ok_and(|metadata| metadata.len() > 0)
    }

    /// Says whether the folder's `.git` leads back to this administrative directory. A copy of a
    /// repository carries the administrative directories of the original's worktrees along.
    pub fn is_connected(&self) -> bool {
        self.main || link_target(&self.path).is_some_and(|target| target == self.admin_dir)
    }
}

/// Returns where the `.git` file at the top of a linked worktree leads.
pub fn link_target(top: &Path) -> Option<PathBuf> {
    let bytes = files::load(&top.join(".git")).ok().flatten()?;
    let target = bytes.strip_prefix(b"gitdir: ")?;
    let target = path_from(target.strip_suffix(b"\n").unwrap_or(target).to_vec());
    Some(files::canonical(&top.join(target)))
}

impl Repo {
    /// Returns the worktree one stands in.
    pub fn current(&self) -> Result<Worktree, GitError> {
        let Some(path) = self.worktree.clone() else {
            return Err(GitError::NoWorktree { path: self.git_dir.clone() });
        };
        let main = self.is_main();
        let locked = !main && self.git_dir.join("locked").exists();
        Ok(Worktree { admin_dir: self.git_dir.clone(), path, main, locked })
    }

    /// Returns all worktrees, the main one first, then by path. One that is half made is left out.
    pub fn worktrees(&self) -> Result<Vec<Worktree>, GitError> {
        let mut worktrees = self.linked_worktrees()?;
        worktrees.sort_by(|one, other| one.path.cmp(&other.path));
        if let Some(path) = self.main_worktree() {
            worktrees
                .insert(0, Worktree { admin_dir: self.common_dir.clone(), path, main: true, locked: false });
        }
        Ok(worktrees)
    }

    /// Returns the administrative directories of all linked worktrees, half-made ones too, in order.
    pub fn admin_dirs(&self) -> Result<Vec<PathBuf>, GitError> {
        let folder = self.common_dir.join("worktrees");
        let failed = |source| SystemError::File { act: "read", path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if files::is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(failed(error).into()),
        };
        let entries = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut admin_dirs = entries.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        admin_dirs.retain(|path| path.is_dir());
        admin_dirs.sort();
        Ok(admin_dirs)
    }

    fn linked_worktrees(&self) -> Result<Vec<Worktree>, GitError> {
        let mut worktrees = Vec::new();
        for admin_dir in self.admin_dirs()? {
            if let Some(path) = recorded_path(&admin_dir)? {
                let locked = admin_dir.join("locked").exists();
                worktrees.push(Worktree { admin_dir, path, main: false, locked });
            }
        }
        Ok(worktrees)
    }
}

/// Returns the top folder that an administrative directory names; none if it does not (yet).
pub fn recorded_path(admin_dir: &Path) -> Result<Option<PathBuf>, GitError> {
    let Some(bytes) = files::load(&admin_dir.join("gitdir"))? else { return Ok(None) };
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    if bytes.is_empty() {
        return Ok(None);
    }
    // Since git 2.48 it may be relative to the administrative directory.
    let link = files::canonical(&admin_dir.join(path_from(bytes.to_vec())));
    Ok(link.parent().map(Path::to_owned))
}
