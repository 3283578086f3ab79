//! Every call of the `git` program.

use std::fmt;
use std::path::Path;

use super::GitError;
use crate::system::command::{Command, exit_code};

/// The variables that tie a git process to one repository (`git rev-parse --local-env-vars`), but for
/// those that carry configuration: `git -c x=y port` goes on to hold in the programs we start.
const REPOSITORY_VARIABLES: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Returns `git`, about the repository that the environment and the current folder name.
pub fn git() -> Command {
    Command::new("git")
}

/// Returns `git`, about the repository at this folder, whatever the environment says.
pub fn git_in(dir: &Path) -> Command {
    Command::new("git").without_env(REPOSITORY_VARIABLES).arg("-C").arg(dir)
}

/// Returns `git`, about the repository with this common directory, wherever its worktrees are: a
/// repository that `GIT_DIR` named is not found from its main worktree, and one that stands in the folder
/// of a bare repository may not be looked for (`safe.bareRepository`).
pub fn git_of(common_dir: &Path) -> Command {
    git_in(common_dir).arg("--git-dir").arg(common_dir)
}

/// Runs a git command to its end and returns what it printed.
pub fn read(command: Command) -> Result<Vec<u8>, GitError> {
    let arguments = command.arguments();
    let output = command.output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let mut words = arguments.iter().map(|word| word.to_string_lossy().into_owned());
    let name = loop {
        match words.next() {
            Some(word) if word == "-C" || word == "-c" || word == "--git-dir" => _ = words.next(),
            Some(word) => break word,
            None => break String::new(),
        }
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stderr = stderr.trim().trim_start_matches("fatal: ").to_owned();
    Err(GitError::Failed { command: name, status: exit_code(output.status), stderr })
}

/// A version of git.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    /// Returns this version.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Reads `git version 2.47.3` and its longer forms (`2.39.5 (Apple Git-154)`).
    fn parse(text: &str) -> Option<Self> {
        let number = text.trim().strip_prefix("git version ")?;
        let mut parts = number.split(|c: char| !c.is_ascii_digit());
        Some(Self { major: parts.next()?.parse().ok()?, minor: parts.next()?.parse().ok()? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Returns the version of the `git` on `PATH`, which must be 2.17 or newer.
pub fn version() -> Result<Version, GitError> {
    let text = String::from_utf8_lossy(&read(git().arg("--version"))?).into_owned();
    match Version::parse(&text) {
        Some(version) if version >= Version::new(2, 17) => Ok(version),
        _ => Err(GitError::TooOld { found: text.trim().to_owned() }),
    }
}

/// Returns the version of the git in this file; none if it is no git.
pub fn version_of(program: &Path) -> Option<Version> {
    let text = read(Command::new(program).arg("--version")).ok()?;
    Version::parse(&String::from_utf8_lossy(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_several_makers_are_read() {
        for text in ["git version 2.47.3", "git version 2.47.windows.1", "git version 2.47 (Apple Git-154)\n"]
        {
            assert_eq!(Version::parse(text), Some(Version::new(2, 47)), "{text}");
        }
        assert_eq!(Version::parse("hub"), None);
        assert!(Version::new(2, 9) < Version::new(2, 17));
    }
}
