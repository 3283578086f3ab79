//! Text in, text out: the files and lines that programs read their ports from.

pub mod agents;
pub mod block;
pub mod compose;
pub mod detect;
pub mod dev_command;
pub mod dotenv;
pub mod frameworks;
pub mod merge;
pub mod render;
pub mod server_flags;
pub mod shell;
pub mod variables;
pub mod wiring;

pub use render::{ServiceValues, Values};
pub use shell::Format;
pub use variables::{Scene, ServicePort, TemplateError, Variable};
