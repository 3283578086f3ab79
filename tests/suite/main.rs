//! Tests of the whole program, in one binary.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[cfg(unix)]
mod concurrency;
#[cfg(unix)]
mod dev_servers;
#[cfg(unix)]
mod differential;
#[cfg(unix)]
mod env_formats;
mod hooks;
#[cfg(unix)]
mod registry_faults;
mod smoke;
#[cfg(unix)]
mod store_contract;
#[allow(dead_code, reason = "no test needs every part of it")]
mod support;
mod tidy;
