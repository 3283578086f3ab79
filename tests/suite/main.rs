//! Tests of the whole program, in one binary.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[cfg(target_os = "linux")]
mod audit;
#[cfg(unix)]
mod dev_servers;
#[cfg(unix)]
mod differential;
#[cfg(unix)]
mod env_formats;
mod hooks;
#[cfg(target_os = "linux")]
mod listeners;
#[cfg(target_os = "linux")]
mod liveness;
#[cfg(unix)]
mod plain_git;
mod smoke;
#[allow(dead_code, reason = "no test needs every part of it")]
mod support;
mod tidy;
#[cfg(target_os = "linux")]
mod watch;
#[cfg(unix)]
mod worktree;
