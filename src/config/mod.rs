//! Configuration: what the files and the environment variables say, merged into one [`Settings`].
//!
//! Every source is reduced to the same list of assignments, the built-in values too; [`load`] applies
//! them in order, so that the last one wins. Nothing here runs a command, and no setting names one.

mod environment;
mod file;
mod layers;
mod nearest;
mod place;
mod setting;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use jiff::fmt::friendly::SpanParser;
use jiff::{SignedDuration, SpanRelativeTo};

use crate::registry::{EnvironmentName, Port, PortRange, ProjectName, Protocol, RangeRecord, ServiceName};

pub use environment::Environment;
pub use layers::load;
pub use nearest::nearest;
pub use place::set_registry;

/// What is wrong with a configuration file or a variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// What is wrong and where: the file and the line, or the variable.
    pub message: String,
    /// What to do.
    pub hints: Vec<String>,
}

impl ConfigError {
    fn new(message: impl fmt::Display) -> Self {
        Self { message: printable(&message.to_string()), hints: Vec::new() }
    }

    fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hints.push(printable(&hint.to_string()));
        self
    }
}

/// Where to read from; any source may be absent.
#[derive(Clone, Debug)]
pub struct Sources<'a> {
    /// The environment variables.
    pub environment: &'a Environment,
    /// The user's own file; see [`user_file`].
    pub user_file: Option<PathBuf>,
    /// Whether it is an error if that file is missing.
    pub user_file_required: bool,
    /// The folder that has the `.git-port.toml`.
    pub worktree_root: Option<&'a Path>,
    /// The folder that has the `git-port.toml` which is private to this clone.
    pub common_dir: Option<&'a Path>,
    /// The ranges kept in the registry: a layer between the built-in ones and the user's file.
    pub registry_ranges: &'a [RangeRecord],
}

/// Everything that can be configured, with the value that is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The project's name, if a file gives one.
    pub project: Option<ProjectName>,
    /// The services in the order of the file; the first is the primary one.
    pub services: Vec<ServiceSettings>,
    /// Derived variables in the order of the file. The values are templates.
    pub derived: Vec<(String, String)>,
    /// How new worktrees are made.
    pub worktree: WorktreeSettings,
    /// The ordered ranges of each environment; none is empty.
    pub ranges: BTreeMap<EnvironmentName, Vec<PortRange>>,
    /// The ordered ranges of projects that have their own; none is empty.
    pub projects: BTreeMap<ProjectName, Vec<PortRange>>,
    /// How ports are chosen.
    pub allocation: AllocationSettings,
    /// When to clean up.
    pub cleanup: CleanupSettings,
    /// Where hooks act.
    pub hook: HookSettings,
    /// Where the registry is: a path, or a URL that may carry a password.
    pub registry: Option<String>,
    /// Whether there is a `.git-port.toml` at the worktree's root.
    pub configured: bool,
    /// What is allowed but likely a mistake.
    pub warnings: Vec<String>,
    /// What a repository may not set, and was ignored.
    pub passed_over: Vec<String>,
    origins: BTreeMap<String, Origin>,
}

impl Settings {
    /// Returns where the value of a dotted key, as `ranges.dev`, came from; none if nothing set it.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.origins.get(key)
    }

    /// Returns the settings of this service, if it is configured.
    pub fn service(&self, name: &ServiceName) -> Option<&ServiceSettings> {
        self.services.iter().find(|service| service.name == *name)
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is the default.
    BuiltIn,
    /// `git port range set` put it there.
    Registry,
    /// This configuration file.
    File(PathBuf),
    /// The environment variable of this name.
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::Registry => f.write_str("the registry"),
            Self::File(path) => path.display().fmt(f),
            Self::Variable(name) => write!(f, "the variable '{name}'"),
        }
    }
}

/// One configured service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSettings {
    /// Its name.
    pub name: ServiceName,
    /// The variables that carry its port; `<SERVICE>_PORT` unless configured.
    pub variables: Vec<String>,
    /// What sort of service it is.
    pub service_type: Option<String>,
    /// Its transport.
    pub protocol: Protocol,
    /// The port to try first.
    pub prefer: Option<Port>,
    /// What it is for.
    pub description: Option<String>,
    /// Where its health can be asked for.
    pub health: Option<String>,
    /// The name it is known by outside.
    pub public_hostname: Option<String>,
}

impl ServiceSettings {
    fn new(name: ServiceName) -> Self {
        Self {
            variables: vec![format!("{}_PORT", name.variable_stem())],
            name,
            service_type: None,
            protocol: Protocol::default(),
            prefer: None,
            description: None,
            health: None,
            public_hostname: None,
        }
    }
}

/// How new worktrees are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreeSettings {
    /// The template of the path, relative to the main worktree.
    pub path: String,
    /// How a new tree is filled.
    pub fill: Fill,
    /// The name of the file of variables at its top.
    pub env_file: String,
}

/// How a new tree is filled; the result is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fill {
    /// With several processes, where there are many files.
    #[default]
    Auto,
    /// As git does it by itself.
    Git,
}

/// How ports are chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllocationSettings {
    /// Whether a port is picked at random, and not the lowest.
    pub random: bool,
    /// Ports that are never allocated automatically.
    pub reserved: Vec<PortRange>,
    /// How many live ports a user may have, on all machines together.
    pub max_per_user: Option<u32>,
    /// How many live ports there may be on a machine.
    pub max_per_host: Option<u32>,
}

/// When to clean up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanupSettings {
    /// Whether commands clean up by themselves.
    pub auto: bool,
    /// How long to wait between two cleanups.
    pub interval: SignedDuration,
    /// How old a released allocation is when it is forgotten.
    pub older_than: SignedDuration,
}

/// Where hooks act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookSettings {
    /// In which repositories a global hook acts.
    pub repositories: HookRepositories,
}

/// In which repositories a global hook acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HookRepositories {
    /// Where a `.git-port.toml` is.
    #[default]
    Configured,
    /// Everywhere.
    All,
}

/// Returns the user's configuration file, and whether it must be there: one that `GIT_PORT_CONFIG`
/// names must, the usual one in `dirs_config` need not.
pub fn user_file(dirs_config: &Path, environment: &Environment) -> (PathBuf, bool) {
    match environment.os("GIT_PORT_CONFIG") {
        Some(path) => (PathBuf::from(path), true),
        None => (dirs_config.join("config.toml"), false),
    }
}

/// Returns the length of time that a text as `30d`, `1h` or `1d 12h` names. A day is 24 hours.
///
/// Months and years have no fixed length and are refused, as is less than nothing, and more
/// than a hundred years, from where arithmetic with dates would overflow.
pub fn duration(text: &str) -> Result<SignedDuration, ConfigError> {
    const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 36_500);
    let invalid = |why: &str| ConfigError::new(format_args!("'{text}' is not a duration ({why})"));
    let length = SpanParser::new()
        .parse_span(text.trim())
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .map_err(|_| invalid("write '30d', '1h' or '1d 12h'"))?;
    if length.is_negative() || length > LONGEST {
        return Err(invalid("it must not be negative, and at most 36500 days"));
    }
    Ok(length)
}

/// Variables by which a committed file could make somebody else's programs run or load something.
const DENIED: &[&str] = &[
    "PATH",
    "HOME",
    "SHELL",
    "IFS",
    "ENV",
    "BASH_ENV",
    "PROMPT_COMMAND",
    "PS1",
    "PS4",
    "USER",
    "TMPDIR",
    "NODE_OPTIONS",
    "NODE_PATH",
    "RUBYOPT",
    "RUBYLIB",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "BROWSER",
];
const DENIED_BEGINNINGS: &[&str] = &["LD_", "DYLD_", "GIT_", "SSH_", "PYTHON", "PERL5"];
const DENIED_END: &str = "_PROXY";

/// Fails unless a service or `[env]` may set the variable of this name.
pub fn check_variable_name(name: &str) -> Result<(), ConfigError> {
    let plain = |b: u8| b.is_ascii_uppercase() || b == b'_';
    let valid = name.len() <= 64
        && name.bytes().next().is_some_and(plain)
        && name.bytes().all(|b| plain(b) || b.is_ascii_digit());
    if !valid {
        return Err(ConfigError::new(format_args!(
            "'{name}' is not a variable name (upper-case letters, digits and '_', not beginning with a \
             digit; 64 at most)"
        )));
    }
    if DENIED.contains(&name)
        || DENIED_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || name.ends_with(DENIED_END)
    {
        return Err(ConfigError::new(format_args!(
            "the variable '{name}' may not be set: it may run or redirect programs"
        )));
    }
    Ok(())
}

/// Says whether a terminal would act on the character instead of showing it; the marks that reverse the
/// direction of text are among them.
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns the text as it may be shown: one line, of bearable length, that a terminal does not act on.
fn printable(text: &str) -> String {
    const MAX: usize = 1000;
    let mut shown = String::new();
    for c in text.chars() {
        if shown.len() > MAX {
            shown.push('…');
            break;
        }
        if is_unprintable(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Returns the beginning of a text, so that what follows it in a message is still seen.
fn shortened(text: &str) -> String {
    const MAX: usize = 200;
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
