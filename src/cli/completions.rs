//! `git port completions`, and the answers to a shell that completes a line.

use std::ffi::OsString;

use clap::ValueEnum;
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};

use crate::config::Environment;
use crate::context::Context;
use crate::error::Result;
use crate::ops::names::{self, Kind};
use crate::output::{Output, escape};

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    git port completions bash > ~/.local/share/bash-completion/completions/git-port\n  \
    git port completions zsh > \"${fpath[1]}/_git-port\"\n  \
    git port completions fish > ~/.config/fish/conf.d/git-port.fish")]
pub(super) struct Args {
    /// The shell
    #[arg(value_name = "shell")]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Args {
    #[expect(clippy::unnecessary_wraps, reason = "every command returns alike")]
    pub(super) fn run(self, out: &Output) -> Result<u8> {
        out.raw(match self.shell {
            Shell::Bash => include_bytes!("completions/git-port.bash"),
            Shell::Zsh => include_bytes!("completions/_git-port"),
            Shell::Fish => include_bytes!("completions/git-port.fish"),
        });
        Ok(0)
    }
}

/// Answers a completion script, which asks through variables. Says whether one asked; `COMPLETE` may mean
/// something else to somebody else.
pub(super) fn answer(args: &[OsString]) -> bool {
    let current_dir = std::env::current_dir().ok();
    let factory = || with_names(super::grammar::command(), "").bin_name("git-port");
    let completer = CompleteEnv::with_factory(factory).bin("git-port");
    completer.try_complete(args.to_vec(), current_dir.as_deref()).unwrap_or(false)
}

/// Has the arguments of a command, and of those below it, completed with the names there are.
fn with_names(command: clap::Command, parent: &str) -> clap::Command {
    let path = format!("{parent} {}", command.get_name());
    let command = command.mut_args(|arg| {
        let kinds = kinds(&path, arg.get_id().as_str());
        if kinds.is_empty() { arg } else { arg.add(ArgValueCandidates::new(|| names(kinds))) }
    });
    command.mut_subcommands(|below| with_names(below, &path))
}

/// Returns what an argument names. Arguments that are called alike name the same in every command.
fn kinds(command: &str, argument: &str) -> &'static [Kind] {
    match (command.trim_start_matches(" git-port "), argument) {
        ("allocate", "words") => &[Kind::Services, Kind::Environments],
        ("get" | "url" | "open", "service") => &[Kind::ServicesAnywhere],
        ("release", "targets") => &[Kind::Services, Kind::Ports],
        ("range set" | "range unset", "name") => &[Kind::Environments, Kind::Projects],
        ("template", "name") => &[Kind::Templates],
        ("check", "ports") | ("history" | "update", "port") => &[Kind::Ports],
        ("unreserve", "range") => &[Kind::Reservations],
        ("worktree remove" | "worktree path", "worktree") => &[Kind::Worktrees],
        (_, "service") => &[Kind::Services],
        (_, "environment") => &[Kind::Environments],
        (_, "project") => &[Kind::Projects],
        _ => &[],
    }
}

fn names(kinds: &[Kind]) -> Vec<CompletionCandidate> {
    // Without a registry there are no names, and nobody to tell.
    let Ok(mut ctx) = Context::new(Environment::capture(), None) else { return Vec::new() };
    let found = kinds.iter().flat_map(|kind| names::names(&mut ctx, *kind));
    // What a terminal would obey, or a shell split, is not offered.
    let plain = found.filter(|(name, _)| !name.chars().any(|c| c.is_control() || c.is_whitespace()));
    let about = |text: String| (!text.is_empty()).then(|| escape(&text).into());
    plain.map(|(name, text)| CompletionCandidate::new(name).help(about(text))).collect()
}
