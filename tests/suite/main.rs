//! Tests of the whole program, in one binary.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub
)]

#[cfg(unix)]
mod agent;
mod allocate;
#[cfg(target_os = "linux")]
mod at_hand;
#[cfg(target_os = "linux")]
mod audit;
mod check;
mod cleanup;
mod completions;
#[cfg(unix)]
mod concurrency;
mod config;
#[cfg(target_os = "linux")]
mod dashboard;
#[cfg(unix)]
mod dev_servers;
#[cfg(unix)]
mod differential;
mod discovery;
mod docs;
#[cfg(unix)]
mod doctor;
mod env;
#[cfg(unix)]
mod env_formats;
mod explain;
mod export;
mod front_ends;
mod get;
mod health;
mod help;
mod history;
mod hooks;
#[cfg(unix)]
mod import;
mod init;
#[cfg(target_os = "linux")]
mod inject;
#[cfg(unix)]
mod install;
#[cfg(unix)]
mod integrate;
#[cfg(unix)]
mod kills;
mod list;
#[cfg(target_os = "linux")]
mod listeners;
#[cfg(target_os = "linux")]
mod liveness;
#[cfg(unix)]
mod mcp;
#[cfg(unix)]
mod package;
mod parallel_create;
#[cfg(unix)]
mod plain_git;
#[cfg(target_os = "linux")]
mod power_loss;
#[cfg(unix)]
mod random_walk;
mod range;
#[cfg(unix)]
mod registry;
#[cfg(unix)]
mod registry_care;
#[cfg(unix)]
mod registry_faults;
mod release;
mod reserve;
#[cfg(target_os = "linux")]
mod run;
#[cfg(unix)]
mod sandbox;
mod seeds;
mod shell_init;
mod smoke;
mod stats;
#[cfg(unix)]
mod store_contract;
mod streams;
mod suggest;
mod support;
#[cfg(unix)]
mod team;
mod template;
mod tidy;
mod trust;
mod update;
mod url;
#[cfg(target_os = "linux")]
mod watch;
#[cfg(unix)]
mod worktree;
