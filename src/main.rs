//! The `git-port` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(git_port::cli::main(std::env::args_os()))
}
