//! The `git-port` program.

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let args: Vec<OsString> = std::env::args_os().collect();
    // execve(2) lets one; everything below counts on the program's name.
    anyhow::ensure!(!args.is_empty(), "git-port was started without its name");
    Ok(ExitCode::from(git_port::cli::main(args)))
}
