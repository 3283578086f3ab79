//! `git port shell-init`

use clap::ValueEnum;

use crate::error::Result;
use crate::output::Output;

/// Print a shell function that makes a worktree and goes there
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Print a shell function that makes a worktree and goes there\n\n\
        A program cannot change the folder of the shell it was started from; a function can. 'gpw' takes \
        what 'git port worktree' takes. 'gpw create' goes into the new worktree and lists its ports, \
        'gpw cd <worktree>' goes to one, 'gpw cd' to the main one, and 'gpw remove' goes there when the \
        folder one stands in is gone.",
    after_help = "Examples:\n  \
        eval \"$(git port shell-init bash)\"    in ~/.bashrc\n  \
        eval \"$(git port shell-init zsh)\"     in ~/.zshrc\n  \
        git port shell-init fish | source     in ~/.config/fish/config.fish\n  \
        gpw create feature-api                then, at any time"
)]
pub(super) struct Args {
    /// The shell; sh stands for every POSIX shell
    #[arg(value_name = "shell")]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Sh,
    Fish,
}

impl Args {
    #[expect(clippy::unnecessary_wraps, reason = "every command returns alike")]
    pub(super) fn run(self, out: &Output) -> Result<u8> {
        out.raw(match self.shell {
            Shell::Bash | Shell::Zsh | Shell::Sh => include_bytes!("shell_init/gpw.sh").as_slice(),
            Shell::Fish => include_bytes!("shell_init/gpw.fish"),
        });
        Ok(0)
    }
}
