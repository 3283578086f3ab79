//! The configuration keys of hooks, as git-config(1) has them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{GitError, block};
use crate::git::program::{Version, git, git_in, read};
use crate::system::command::Command;

/// Where a key is read or written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    /// The repository's own file, which its worktrees share.
    Repository(&'a Path),
    /// The user's file.
    User,
    /// The machine's file.
    Machine,
    /// All that hold in this folder.
    Effective(&'a Path),
}

/// The first git that runs hooks named in its configuration.
pub(super) const HOOKS_SINCE: Version = Version::new(2, 54);

const EVENT: &str = "hook.git-port.event";
const COMMAND: &str = "hook.git-port.command";

/// What to add by hand where the configuration cannot be written.
const BY_HAND: &str = "add to git's configuration: [hook \"git-port\"] with event = post-checkout and command = git-port hook post-checkout";

impl Place<'_> {
    fn command(self) -> Command {
        match self {
            Self::Repository(dir) => git_in(dir).args(["config", "--local"]),
            Self::User => git().args(["config", "--global"]),
            Self::Machine => git().args(["config", "--system"]),
            Self::Effective(dir) => git_in(dir).arg("config"),
        }
    }

    /// Returns the value of a key, the last one if it has several.
    pub(super) fn find(self, key: &str) -> Result<Option<Vec<u8>>, GitError> {
        self.read(&["-z", "--get", key])
    }

    /// Returns the value of a key as a path; `~` stands for the home directory.
    pub(super) fn find_path(self, key: &str) -> Result<Option<PathBuf>, GitError> {
        Ok(self.read(&["-z", "--path", "--get", key])?.map(path))
    }

    /// Says whether a key is false; git's own rules say what is.
    fn is_false(self, key: &str) -> Result<bool, GitError> {
        Ok(self.read(&["-z", "--bool", "--get", key])?.is_some_and(|value| value == b"false"))
    }

    fn read(self, arguments: &[&str]) -> Result<Option<Vec<u8>>, GitError> {
        match read(self.command().args(arguments)) {
            Ok(mut value) => {
                value.pop_if(|byte| *byte == 0);
                Ok(Some(value))
            }
            // git-config(1): 1 means that there is no such key.
            Err(GitError::Failed { status: 1, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets a key to this one value.
    pub(super) fn set(self, key: &str, value: &OsStr) -> Result<(), GitError> {
        change(self.command().args(["--replace-all", key]).arg(value))
    }

    /// Removes a key; git removes its section, too, if nothing else is in it.
    pub(super) fn unset(self, key: &str) -> Result<(), GitError> {
        change(self.command().args(["--unset-all", key]))
    }

    /// Adds the hook. Returns whether it was not there already.
    pub(super) fn install(self, program: &Path) -> Result<bool, GitError> {
        let command = block::command(program);
        let there = self.has_hook()?;
        if there && self.find(COMMAND)?.as_ref() == Some(&command) {
            return Ok(false);
        }
        self.set(COMMAND, path(command).as_os_str())?;
        self.set(EVENT, OsStr::new("post-checkout"))?;
        Ok(true)
    }

    /// Removes the hook and all of its section. Returns whether there was one.
    pub(super) fn uninstall(self) -> Result<bool, GitError> {
        if self.read(&["-z", "--get-regexp", r"^hook\.git-port\."])?.is_none() {
            return Ok(false);
        }
        change(self.command().args(["--remove-section", "hook.git-port"]))?;
        Ok(true)
    }

    /// Returns what the hook runs; none if there is none.
    pub(super) fn find_command(self) -> Result<Option<Vec<u8>>, GitError> {
        self.find(COMMAND)
    }

    /// Says whether the hook is there.
    pub(super) fn has_hook(self) -> Result<bool, GitError> {
        Ok(self.find(COMMAND)?.is_some() && self.find(EVENT)?.is_some_and(|event| event == b"post-checkout"))
    }

    /// Returns the key that keeps the hook from running, if one does (git 2.54 and 2.55).
    pub(super) fn find_switch(self) -> Result<Option<&'static str>, GitError> {
        for key in ["hook.git-port.enabled", "hook.post-checkout.enabled"] {
            if self.is_false(key)? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }
}

fn change(command: Command) -> Result<(), GitError> {
    read(command).map(drop).map_err(|error| match error {
        GitError::Failed { stderr, .. } => GitError::HookRefused {
            message: format!("git's configuration cannot be changed: {stderr}"),
            hint: BY_HAND.to_owned(),
        },
        error => error,
    })
}

/// Returns a path that git printed.
pub(super) fn path(bytes: Vec<u8>) -> PathBuf {
    #[cfg(unix)]
    return <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into();
    #[cfg(not(unix))]
    String::from_utf8_lossy(&bytes).into_owned().into()
}
