//! `git port completions`, and the answers to a shell that completes a line.

use std::ffi::OsString;

use clap::ValueEnum;
use clap_complete::CompleteEnv;

use crate::error::Result;
use crate::output::Output;

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
    let completer = CompleteEnv::with_factory(|| super::command().bin_name("git-port")).bin("git-port");
    completer.try_complete(args.to_vec(), current_dir.as_deref()).unwrap_or(false)
}
