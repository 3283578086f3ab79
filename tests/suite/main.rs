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
mod check;
mod cleanup;
mod completions;
mod config;
mod env;
#[cfg(unix)]
mod env_formats;
mod get;
mod history;
mod hooks;
mod init;
mod list;
mod range;
mod release;
mod reserve;
mod seeds;
mod smoke;
mod stats;
mod streams;
mod support;
mod update;
mod url;
