//! Documents that hold ports: git-port's own, and those of other tools. Text in, rows out; rows in, text
//! out.
//!
//! Nothing here knows what the registry holds, where one stands, or what exists on disk. A row says only
//! what its document says; what it does not say is decided where the rows are carried out.

mod compose;
mod delimited;
pub mod detect;
mod dotenv;
mod fields;
mod json;
mod localdb;
mod markdown;
pub mod own;
mod portool;
mod proxies;
mod render;
mod scar;
mod services;

use std::path::PathBuf;

use jiff::Timestamp;

use crate::registry::{
    EnvironmentName, Port, ProjectName, Protocol, RangeRecord, Reservation, ServiceName, Status, Token,
    WorktreeRecord,
};

pub use render::{Export, render};

/// The largest document that is read, in bytes.
pub const LARGEST: u64 = 64 * 1024 * 1024;

/// What kind of document is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// git-port's own export, or rows as JSON objects.
    Json,
    /// Values with commas between them, the first line being names.
    Csv,
    /// Values with tabs between them, the first line being names.
    Tsv,
    /// The tables of a Markdown document.
    Markdown,
    /// A file of variables.
    Dotenv,
    /// A Compose file.
    Compose,
    /// `services(5)`: names for well-known ports.
    Services,
    /// SCAR's table `remote_agent_port_allocations`.
    Scar,
    /// `LocalDB`'s `.port-registry.json`.
    Localdb,
    /// portool's `registry.json`, or what `portool ls --json` prints.
    Portool,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 10] = [
        Self::Json,
        Self::Csv,
        Self::Tsv,
        Self::Markdown,
        Self::Dotenv,
        Self::Compose,
        Self::Services,
        Self::Scar,
        Self::Localdb,
        Self::Portool,
    ];

    /// Returns the name that the command line takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Markdown => "markdown",
            Self::Dotenv => "dotenv",
            Self::Compose => "compose",
            Self::Services => "services",
            Self::Scar => "scar",
            Self::Localdb => "localdb",
            Self::Portool => "portool",
        }
    }
}

/// What kind of document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Everything; git-port reads it back without loss.
    Json,
    /// A line for each allocation.
    Csv,
    /// A table.
    Markdown,
    /// A variable for each port.
    Dotenv,
    /// An override file for Compose.
    Compose,
    /// A Caddyfile.
    Caddy,
    /// Traefik's dynamic configuration.
    Traefik,
    /// Server blocks of nginx.
    Nginx,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [Self; 8] = [
        Self::Json,
        Self::Csv,
        Self::Markdown,
        Self::Dotenv,
        Self::Compose,
        Self::Caddy,
        Self::Traefik,
        Self::Nginx,
    ];

    /// Returns the name that the command line takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Markdown => "markdown",
            Self::Dotenv => "dotenv",
            Self::Compose => "compose",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
            Self::Nginx => "nginx",
        }
    }
}

/// One port, as a document names it. What the document does not say is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line it stands on; none where the document has no lines to speak of.
    pub line: Option<usize>,
    /// The port.
    pub port: Port,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The key of the machine; only git-port's own documents say it.
    pub host: Option<String>,
    /// The user.
    pub user: Option<String>,
    /// The project.
    pub project: Option<ProjectName>,
    /// The worktree's token; only git-port's own documents say it.
    pub token: Option<Token>,
    /// Where the worktree is or was.
    pub path: Option<PathBuf>,
    /// The branch.
    pub branch: Option<String>,
    /// The service; none for the one that `PORT` stands for.
    pub service: Option<ServiceName>,
    /// The environment.
    pub environment: Option<EnvironmentName>,
    /// Whether `PORT` stands for it.
    pub primary: Option<bool>,
    /// What is recorded.
    pub status: Status,
    /// The kind of service.
    pub service_type: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// The name it is reached by from outside.
    pub public_hostname: Option<String>,
    /// Whether a cleanup leaves it alone.
    pub pinned: bool,
    /// Which conversation or agent asked for it.
    pub session: Option<String>,
    /// When it was promised.
    pub allocated_at: Option<Timestamp>,
    /// When it was last run.
    pub last_used_at: Option<Timestamp>,
    /// When the machine was last asked about it.
    pub last_checked_at: Option<Timestamp>,
    /// When it was given back.
    pub released_at: Option<Timestamp>,
}

impl Row {
    /// Returns a row that says nothing but the port.
    pub fn new(port: Port) -> Self {
        Self {
            line: None,
            port,
            protocol: Protocol::Tcp,
            host: None,
            user: None,
            project: None,
            token: None,
            path: None,
            branch: None,
            service: None,
            environment: None,
            primary: None,
            status: Status::Allocated,
            service_type: None,
            description: None,
            public_hostname: None,
            pinned: false,
            session: None,
            allocated_at: None,
            last_used_at: None,
            last_checked_at: None,
            released_at: None,
        }
    }
}

/// Something in a document that is no port, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The line it stands on.
    pub line: Option<usize>,
    /// What it is.
    pub what: String,
    /// Why it is passed over.
    pub reason: String,
}

impl Skipped {
    fn new(line: Option<usize>, what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { line, what: what.into(), reason: reason.into() }
    }
}

/// What a document says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Whether git-port wrote it, so that its rows are what a registry held, and are taken as they are.
    pub own: bool,
    /// The ports.
    pub rows: Vec<Row>,
    /// The worktrees.
    pub worktrees: Vec<WorktreeRecord>,
    /// Machines: their keys, and what people call them.
    pub hosts: Vec<(String, String)>,
    /// The ranges.
    pub ranges: Vec<RangeRecord>,
    /// The reservations.
    pub reservations: Vec<Reservation>,
    /// What was passed over.
    pub skipped: Vec<Skipped>,
}

/// A document that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line that is wrong, if it is one.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hints: Vec<String>,
}

impl ParseError {
    fn new(line: impl Into<Option<usize>>, message: impl std::fmt::Display) -> Self {
        Self { line: line.into(), message: message.to_string(), hints: Vec::new() }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// Returns what a document of this format says.
pub fn parse(format: Format, text: &str) -> Result<Document, ParseError> {
    // Excel begins its files with a mark that no format knows.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Json => json::parse(text),
        Format::Csv => delimited::parse(text, b','),
        Format::Tsv => delimited::parse(text, b'\t'),
        Format::Markdown => markdown::parse(text),
        Format::Dotenv => Ok(dotenv::parse(text)),
        Format::Compose => compose::parse(text),
        Format::Services => services::parse(text),
        Format::Scar => scar::parse(text),
        Format::Localdb => localdb::parse(text),
        Format::Portool => portool::parse(text),
    }
}
