//! Tests of the whole program, in one binary.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[cfg(target_os = "linux")]
mod audit;
#[cfg(unix)]
mod env_formats;
mod hooks;
#[cfg(target_os = "linux")]
mod listeners;
mod smoke;
mod support;
