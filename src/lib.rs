//! git-port gives every git worktree its own ports, and keeps the books.
//!
//! The code map. A module imports only what stands below it; a test holds that.
//!
//! - [`cli`]: the command line; one file per command
//! - [`mcp`]: tools and resources for agents, over the Model Context Protocol
//! - [`web`]: the page of `git port dashboard`, and its JSON over HTTP
//! - [`output`]: words for people, on stdout and stderr
//! - [`api`]: JSON for programs
//! - [`ops`]: what a user can do; returns data
//! - [`context`]: opens things on first use
//! - [`error`]: names what went wrong
//! - [`config`]: configuration files and environment variables
//! - [`store`]: where the registry is kept
//! - [`git`]: repositories, worktrees, hooks
//! - [`system`]: programs, sockets, files, clock, directories
//! - [`exchange`]: documents that hold ports, git-port's own and those of other tools
//! - [`template`]: text in, text out
//! - [`registry`]: the rules

pub mod api;
pub mod cli;
pub mod config;
pub mod context;
pub mod error;
pub mod exchange;
pub mod git;
pub mod mcp;
pub mod ops;
pub mod output;
pub mod registry;
pub mod store;
pub mod system;
pub mod template;
pub mod web;
