//! What a user can do. Each operation takes a request and returns data; it prints nothing and parses
//! nothing that was typed.

mod adopt;
pub mod agent;
pub mod allocate;
pub mod at_hand;
pub mod audit;
pub mod catalogue;
pub mod check;
pub mod cleanup;
pub mod copies;
pub mod dashboard;
pub mod discover;
pub mod doctor;
pub mod env;
pub mod explain;
pub mod export;
pub mod followers;
pub mod health;
pub mod history;
pub mod hook;
pub mod import;
pub mod init;
pub mod integrate;
pub mod list;
pub mod machine;
pub mod names;
mod pending;
pub mod range;
pub mod recovery;
pub mod registry;
pub mod release;
pub mod run;
pub mod service;
pub mod standing;
pub mod stats;
pub mod suggest;
pub mod template;
pub mod trust;
pub mod update;
pub mod watch;
pub mod wiring;
pub mod worktree;

pub use standing::Standing;
