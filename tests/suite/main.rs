//! Tests of the whole program, in one binary.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[cfg(unix)]
mod differential;
#[cfg(unix)]
mod env_formats;
mod hooks;
#[cfg(unix)]
mod plain_git;
mod smoke;
mod support;
#[cfg(unix)]
mod worktree;
