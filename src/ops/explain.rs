//! What an error code means, and what to do about it.

use crate::error::{Error, ErrorKind, Result};

/// A code, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The code.
    pub code: &'static str,
    /// What it means, on one line.
    pub means: &'static str,
    /// How it comes about.
    pub why: &'static str,
    /// What to do, in the order in which to try it.
    pub remedies: &'static [&'static str],
    /// The statuses with which a command ends that fails so.
    pub exit_statuses: Vec<u8>,
    /// Whether the same request may succeed a little later.
    pub retryable: bool,
}

/// code, what it means, how it comes about, what to do
type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

const CODES: &[Row] = &[
    (
        "usage",
        "the request is malformed",
        "A word, an option or an argument is unknown, missing, or not of its kind.",
        &["read the message: it names the word", "see the usage: git port <command> -h"],
    ),
    (
        "not_found",
        "there is no such thing",
        "No port, service, project, template or program of that name is known. Nothing is wrong with the \
         registry.",
        &["see what there is: git port list --all", "give the worktree a port: git port get <service>"],
    ),
    (
        "conflict",
        "somebody else has the port, or has written the file; or it was refused without --force",
        "A port has one owner, and a file that git-port did not write is not written over. With exit status 5 \
         it is something that may take away what is not yours.",
        &[
            "take the next free port: leave out the number",
            "see whose it is: git port check <port>",
            "do not stop a process that you did not start; have its owner decide",
        ],
    ),
    (
        "range_full",
        "no port is left in the ranges",
        "Every port of the environment's ranges is allocated, reserved, avoided, or in use by a program that \
         knows nothing of git-port.",
        &[
            "release what belongs to worktrees that are gone: git port cleanup",
            "see who has them: git port list --all",
            "add a range: git port range set --environment dev 8000-8999 20000-29999",
        ],
    ),
    (
        "reserved",
        "the port is reserved",
        "The configuration or 'git port reserve' keeps it free for a program outside of git-port.",
        &["take another: leave out the number", "see why: git port range list"],
    ),
    (
        "not_a_repository",
        "there is no usable repository here",
        "The command needs to know in which worktree it stands, and it stands in none, or git refuses to use \
         the repository.",
        &["go to the worktree, or name it: git port -C <path> …", "see what git says: git status"],
    ),
    (
        "worktree",
        "git refused or failed",
        "git was asked to make, change or remove a worktree. Its own words are in the message, its own exit \
         status is passed on.",
        &["see the worktrees: git worktree list", "commit or stash what is in the way, then try again"],
    ),
    (
        "config",
        "a configuration file or a variable is wrong",
        "The message names the file, the line and the key, or the variable.",
        &["mend it there", "see what is in force: git port range list"],
    ),
    (
        "busy",
        "others hold the registry for too long",
        "Commands wait in line for the registry. The line did not move for ten seconds. Of the MCP server: too \
         many calls in a row.",
        &["try again in a moment", "an agent that loops: stop, a worktree's ports stay the same"],
    ),
    (
        "unavailable",
        "the registry cannot be reached",
        "The disk is full or does not answer, or the server of a shared registry cannot be reached. What was \
         allocated is still readable from the worktree: get, env and run go on.",
        &["make room, or have the server looked at", "see what is wrong: git port doctor"],
    ),
    (
        "registry_damaged",
        "the registry is damaged, and could not be restored",
        "A damaged registry is restored from a backup and from the copies that the worktrees carry, by itself; \
         this time there was nothing to restore it from.",
        &["see what can be done: git port doctor --fix"],
    ),
    (
        "registry_newer",
        "a newer git-port wrote the registry",
        "An older program would not understand what is in it, so it keeps its hands off.",
        &["update git-port", "or use another registry: git port --registry <path> …"],
    ),
    (
        "denied",
        "the system does not allow it",
        "This user, or the sandbox this runs in, may not write the registry or the file, or may not use the \
         port. What was allocated before is still readable: get, env and run go on.",
        &[
            "have it run outside of the sandbox: git port get",
            "an agent: call the tool get-port of the MCP server, which runs outside",
            "or name a registry that may be written: git port --registry <path> …",
        ],
    ),
    (
        "internal",
        "a mistake in git-port",
        "It met something that it holds to be impossible.",
        &["report it, with the message and the command", "see whether all is well: git port doctor"],
    ),
];

/// Returns the explanation of this code.
pub fn explain(code: &str) -> Result<Explained> {
    explain_all().into_iter().find(|one| one.code == code).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("there is no error code '{code}'"))
            .hint("see which there are: git port explain")
    })
}

/// Returns the explanation of every code.
pub fn explain_all() -> Vec<Explained> {
    let explained = |(code, means, why, remedies): &Row| {
        let kinds = || ErrorKind::all().filter(|kind| kind.code() == *code);
        Explained {
            code,
            means,
            why,
            remedies,
            exit_statuses: kinds().map(ErrorKind::exit_status).collect(),
            retryable: kinds().any(ErrorKind::is_retryable),
        }
    };
    CODES.iter().map(explained).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_and_no_other() {
        let mut explained: Vec<&str> = explain_all().iter().map(|one| one.code).collect();
        explained.sort_unstable();
        let mut known: Vec<&str> = ErrorKind::all().map(ErrorKind::code).collect();
        known.sort_unstable();
        known.dedup();
        assert_eq!(explained, known);
    }
}
