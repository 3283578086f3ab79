//! Tests of the whole program, in one binary.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod docs;
#[cfg(unix)]
mod env_formats;
mod help;
mod hooks;
#[cfg(unix)]
mod install;
mod smoke;
#[allow(dead_code, reason = "no test needs every part of it")]
mod support;
mod tidy;
