//! Tests of the whole program, in one binary.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub
)]

mod allocate;
#[cfg(target_os = "linux")]
mod audit;
mod check;
mod cleanup;
mod completions;
#[cfg(unix)]
mod concurrency;
mod config;
#[cfg(unix)]
mod dev_servers;
#[cfg(unix)]
mod differential;
mod docs;
mod env;
#[cfg(unix)]
mod env_formats;
mod get;
mod help;
mod history;
mod hooks;
mod init;
#[cfg(target_os = "linux")]
mod inject;
#[cfg(unix)]
mod install;
#[cfg(unix)]
mod kills;
mod list;
#[cfg(target_os = "linux")]
mod listeners;
#[cfg(unix)]
mod parallel_create;
#[cfg(unix)]
mod plain_git;
#[cfg(unix)]
mod random_walk;
mod range;
#[cfg(unix)]
mod registry_faults;
mod release;
mod reserve;
mod seeds;
mod smoke;
mod stats;
#[cfg(unix)]
mod store_contract;
mod streams;
#[allow(dead_code, reason = "no test needs every part of it")]
mod support;
mod tidy;
mod update;
mod url;
#[cfg(unix)]
mod worktree;
