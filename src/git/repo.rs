//! Finds the repository one stands in.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::GitError;
use super::program::{git, git_in, git_of, read};
use super::worktree::link_target;
use crate::system::command::Command;
use crate::system::files;

/// A repository, seen from one of its worktrees or from inside its common directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repo {
    /// The directory all worktrees share, without symbolic links.
    pub common_dir: PathBuf,
    /// The administrative directory of the worktree one stands in; the common directory for the main one.
    pub git_dir: PathBuf,
    /// The top folder of the worktree one stands in; none in a bare repository or inside `.git`.
    pub worktree: Option<PathBuf>,
}

impl Repo {
    /// Returns the repository that the current folder is in, as git would find it.
    ///
    /// `redirected` says that variables such as `GIT_DIR` name the repository, as they do in a hook; then,
    /// and where libgit2 cannot open what git can (reftable, SHA-256), git itself is asked.
    pub fn discover(redirected: bool) -> Result<Self, GitError> {
        if redirected {
            return ask_git(git, Path::new("."));
        }
        open_with_library(Path::new(".")).unwrap_or_else(|| ask_git(git, Path::new(".")))
    }

    /// Returns the repository that this folder is in, whatever the environment says.
    pub fn at(folder: &Path) -> Result<Self, GitError> {
        open_with_library(folder).unwrap_or_else(|| ask_git(|| git_in(folder), folder))
    }

    /// Says whether one stands in the main worktree, or in no worktree.
    pub fn is_main(&self) -> bool {
        self.git_dir == self.common_dir
    }

    /// Returns the top folder of the main worktree; none where there is none, as in a bare repository.
    pub fn main_worktree(&self) -> Option<PathBuf> {
        if self.is_main() && self.worktree.is_some() {
            return self.worktree.clone();
        }
        let setting = |key: &str| {
            let asked = git_of(&self.common_dir).args(["config", "--get", key]);
            read(asked).ok().map(|value| String::from_utf8_lossy(&value).trim_end().to_owned())
        };
        if is_bare(&self.common_dir).unwrap_or_else(|| setting("core.bare").as_deref() == Some("true")) {
            return None;
        }
        if self.common_dir.file_name() == Some(".git".as_ref()) {
            return self.common_dir.parent().map(Path::to_owned);
        }
        let configured = setting("core.worktree")?;
        Some(files::canonical(&self.common_dir.join(configured)))
    }

    /// Returns the folder whose name is the project's name: the main worktree, or what stands for it in a
    /// bare repository (`shop.git`, or the folder around `.bare`).
    pub fn project_folder(&self) -> PathBuf {
        if let Some(main) = self.main_worktree() {
            return main;
        }
        let hidden =
            self.common_dir.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        match self.common_dir.parent() {
            Some(parent) if hidden => parent.to_owned(),
            _ => self.common_dir.clone(),
        }
    }

    /// Returns the folder that a relative path for a new worktree starts from: the main worktree, or what
    /// stands in its place beside the other worktrees.
    pub fn base_folder(&self) -> PathBuf {
        self.main_worktree().unwrap_or_else(|| self.common_dir.clone())
    }
}

/// Returns what libgit2 says; none where git must be asked: it can open what libgit2 cannot, and says best
/// why it will not. That there is no repository at all, libgit2 knows as well as git.
fn open_with_library(folder: &Path) -> Option<Result<Repo, GitError>> {
    let none: [&str; 0] = [];
    match git2::Repository::open_ext(folder, git2::RepositoryOpenFlags::empty(), none) {
        Ok(repository) => Some(Ok(Repo {
            common_dir: files::canonical(repository.commondir()),
            git_dir: files::canonical(repository.path()),
            worktree: stands_in(&repository, folder),
        })),
        Err(error) if error.code() == git2::ErrorCode::NotFound && folder.is_dir() => {
            let message = "not a git repository (or any of the parent directories): .git".to_owned();
            Some(Err(GitError::NotARepository { message }))
        }
        Err(_) => None,
    }
}

/// libgit2 names a worktree also for one who stands inside `.git`, and takes one that was moved by hand, or
/// copied, to be where it was; git does not.
fn stands_in(repository: &git2::Repository, folder: &Path) -> Option<PathBuf> {
    let top = files::canonical(repository.workdir()?);
    let here = files::canonical(folder);
    let git_dir = files::canonical(repository.path());
    if here.starts_with(&git_dir) {
        return None;
    }
    if here.starts_with(&top) {
        return Some(top);
    }
    let leads_here = |top: &&Path| link_target(top).is_some_and(|target| target == git_dir);
    here.ancestors().find(leads_here).map(Path::to_owned)
}

fn is_bare(common_dir: &Path) -> Option<bool> {
    if super::nearby::is_usual(common_dir) {
        return Some(false);
    }
    git2::Repository::open(common_dir).ok().map(|repository| repository.is_bare())
}

fn ask_git(command: impl Fn() -> Command, folder: &Path) -> Result<Repo, GitError> {
    let ask = |question: &str| -> Result<PathBuf, GitError> {
        let mut answer = read(command().args(["rev-parse", question])).map_err(|error| match error {
            GitError::Failed { stderr, .. } => GitError::NotARepository { message: stderr },
            other => other,
        })?;
        if answer.ends_with(b"\n") {
            answer.pop();
        }
        Ok(files::canonical(&folder.join(path_from(answer))))
    };
    let git_dir = ask("--git-dir")?;
    let common_dir = ask("--git-common-dir")?;
    Ok(Repo { git_dir, common_dir, worktree: ask("--show-toplevel").ok() })
}

/// Returns the path that git printed.
#[cfg(unix)]
pub(crate) fn path_from(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(bytes).into()
}

/// Returns the path that git printed.
#[cfg(not(unix))]
pub(crate) fn path_from(bytes: Vec<u8>) -> PathBuf {
    OsString::from(String::from_utf8_lossy(&bytes).into_owned()).into()
}
