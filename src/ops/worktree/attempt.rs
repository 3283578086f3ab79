//! Runs `git worktree add` until it succeeds or fails for a reason of its own.
//!
//! git is not safe against itself: a `git worktree add`, `gc` or `prune` of somebody else makes ours fail
//! half-way, on a neighbour's half-written files, and a new branch stays behind so that the very same
//! command fails for ever. Among git-port's own processes a lock prevents that; against plain git there is
//! only trying again, with what the failure left behind cleared away.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::{CREATE_VARIABLE, failed};
use crate::error::{Error, Result};
use crate::git::program::{git, git_in, git_of, read};
use crate::git::{GitError, Repo, branches, half_made};
use crate::system::command::{Command, exit_code};
use crate::system::random_bytes;

/// How often a lost race is run again.
const TRIES: u32 = 12;

/// How `git worktree add` is run.
pub(super) struct Add<'a> {
    /// The repository, where it is known.
    pub(super) repo: Option<&'a Repo>,
    /// The folder it is run in, whatever the environment says; else the current one.
    pub(super) folder: Option<&'a Path>,
    /// git's arguments: `worktree add` and what follows, after settings for this once.
    pub(super) arguments: Vec<OsString>,
    /// Keep git's standard output off ours.
    pub(super) stdout_on_stderr: bool,
    /// Keep git's words for an error message, instead of passing them on.
    pub(super) keep_words: bool,
    /// Leave no new branch behind, also where git refuses for a reason of its own and leaves one.
    pub(super) leave_no_branch: bool,
}

impl Add<'_> {
    /// Runs it, and returns git's exit status, and its words if they are kept.
    ///
    /// `stands` says whether the worktree is there although git failed, as when a hook fails.
    pub(super) fn run(&self, stands: &dyn Fn() -> bool) -> Result<(u8, String)> {
        let branch = new_branch(&self.arguments);
        let is_new = match (self.repo, &branch) {
            (Some(repo), Some(branch)) => !branches::exists(repo, branch)?,
            _ => false,
        };
        let mut tries = 0;
        loop {
            tries += 1;
            let (status, words, held) = self.once()?;
            let lost = status != 0 && !stands() && is_race(&held);
            // What fails may be no race, but what a killed git left. It goes first: with it there, git does
            // not even remove a branch.
            let cleared = status != 0 && self.repo.is_some_and(|repo| half_made::clear(&repo.common_dir));
            // A new branch that git made for a worktree it did not make is in everybody's way.
            if is_new
                && (lost || ((self.leave_no_branch || cleared) && status != 0 && !stands()))
                && let (Some(repo), Some(branch)) = (self.repo, &branch)
            {
                // git refuses if somebody has checked it out meanwhile; then it is not litter.
                let _ = delete_branch(&repo.common_dir, "-D", branch);
            }
            if !(lost || cleared && !stands()) || tries == TRIES {
                if !self.keep_words {
                    crate::system::command::pass_on(&held);
                }
                return Ok((status, words));
            }
            thread::sleep(pause(tries));
        }
    }

    fn once(&self) -> Result<(u8, String, Vec<u8>)> {
        let command = self.folder.map_or_else(git, git_in).args(&self.arguments).env(CREATE_VARIABLE, "1");
        once(command, self.stdout_on_stderr, self.keep_words)
    }
}

/// Runs git once. Returns the status, git's words, and those of its lines that were held back.
fn once(command: Command, stdout_on_stderr: bool, keep_words: bool) -> Result<(u8, String, Vec<u8>)> {
    if keep_words {
        let output = command.output()?;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        return Ok((exit_code(output.status), words, output.stderr));
    }
    // What git says of a race that is run again would only alarm.
    let is_complaint = |line: &[u8]| line.starts_with(b"fatal: ") || line.starts_with(b"error: ");
    let (status, held) = command.inherit_stdin().status_holding_back(stdout_on_stderr, &is_complaint)?;
    Ok((exit_code(status), String::new(), held))
}

/// Runs another command of `git worktree` with words of ours, again after a race as long as there is
/// something left to do, and fails as git failed.
pub(super) fn run(
    common_dir: &Path,
    command: &dyn Fn() -> Command,
    name: &str,
    keep_words: bool,
    is_left: &dyn Fn() -> bool,
) -> Result<()> {
    let mut tries = 0;
    loop {
        tries += 1;
        let (status, words, held) = once(command(), true, keep_words)?;
        if status == 0 {
            return Ok(());
        }
        if tries == TRIES || !is_race(&held) || !is_left() {
            if !keep_words {
                crate::system::command::pass_on(&held);
            }
            return Err(failed_with(name, status, &words));
        }
        thread::sleep(pause(tries));
        half_made::clear(common_dir);
    }
}

/// Returns the error for git's status and, of its words, the last complaint.
fn failed_with(name: &str, status: u8, words: &str) -> Error {
    let told = words.lines().rev().find(|line| line.starts_with("fatal: ") || line.starts_with("error: "));
    let told = told.map_or("", |line| line.split_once(": ").map_or(line, |(_, rest)| rest));
    failed(name, status, told.to_owned())
}

/// Runs `git worktree add` with words of ours, and fails as git failed.
pub(super) fn add(
    repo: &Repo,
    folder: Option<&Path>,
    arguments: Vec<OsString>,
    keep_words: bool,
    stands: &dyn Fn() -> bool,
) -> Result<()> {
    let repo = Some(repo);
    let add = Add { repo, folder, arguments, stdout_on_stderr: true, keep_words, leave_no_branch: true };
    let (status, words) = add.run(stands)?;
    if status == 0 {
        return Ok(());
    }
    Err(failed_with("worktree add", status, &words))
}

/// Says whether git failed on files that another git was just writing: an administrative directory, the
/// configuration, a lock. Paths are the same in every language.
fn is_race(words: &[u8]) -> bool {
    let words = String::from_utf8_lossy(words);
    let marks = ["commondir", "/worktrees/", ".lock", "config file", ".git/config", "/config:"];
    // "already exists" names the path of the worktree itself, which may well lie in a folder 'worktrees'.
    let permanent = [
        "already exists",
        "already checked out",
        "already used by worktree",
        "is a missing but",
        "Permission denied",
        "Read-only file system",
    ];
    marks.iter().any(|mark| words.contains(mark)) && !permanent.iter().any(|mark| words.contains(mark))
}

/// Returns the branch that `-b` makes. `-B` takes over one that may be there.
fn new_branch(arguments: &[OsString]) -> Option<OsString> {
    let mut words = arguments.iter().take_while(|word| *word != "--");
    words.find(|word| *word == "-b")?;
    words.next().cloned()
}

/// Deletes a branch with `-d` or `-D`. git reads every worktree for that, and fails on one that is just made.
pub(super) fn delete_branch(common_dir: &Path, flag: &str, branch: &OsStr) -> Result<(), GitError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match read(git_of(common_dir).args(["branch", "--quiet", flag, "--"]).arg(branch)) {
            Err(error) if tries < TRIES && is_race(error.to_string().as_bytes()) => {
                thread::sleep(pause(tries));
            }
            deleted => return deleted.map(|_| ()),
        }
        half_made::clear(common_dir);
    }
}

/// Waits longer each time, and never as long as those who lost at the same moment.
fn pause(tries: u32) -> Duration {
    let jitter = random_bytes().map_or(0, |bytes| u64::from(bytes[0]));
    Duration::from_millis(30 + u64::from(tries) * 40 + jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_race_is_told_from_a_refusal() {
        for words in [
            "fatal: failed to read .git/worktrees/n7/commondir: Success",
            "error: could not lock config file .git/config: File exists",
            "fatal: Unable to create '/r/.git/packed-refs.lock': File exists.",
            "fatal: could not open '/r/.git/worktrees/n7/HEAD' for writing: No such file or directory",
        ] {
            assert!(is_race(words.as_bytes()), "{words}");
        }
        for words in [
            "fatal: 'topic' is already used by worktree at '/r/worktrees/topic'",
            "fatal: '/r/worktrees/topic' already exists",
            "fatal: a branch named 'topic' already exists",
            "fatal: invalid reference: nope",
            "fatal: cannot lock ref 'refs/heads/x': Unable to create '/r/.git/refs/heads/x.lock': Permission denied",
            "",
        ] {
            assert!(!is_race(words.as_bytes()), "{words}");
        }
    }

    #[test]
    fn the_new_branch_is_found() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(
            new_branch(&words("worktree add --track -b topic -- /x origin/topic")),
            Some("topic".into())
        );
        assert_eq!(new_branch(&words("worktree add -- -b x")), None);
        assert_eq!(new_branch(&words("worktree add -B topic /x")), None);
    }
}
