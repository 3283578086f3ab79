//! The settings there are: their keys, and how a value as it was written becomes one.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;

use super::{
    ConfigError, Fill, HookRepositories, Origin, check_variable_name, duration, is_unprintable, nearest,
};
use crate::registry::{EnvironmentName, Port, PortRange, ProjectName, Protocol, ServiceName, check_hostname};

/// One setting with its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Setting {
    Project(ProjectName),
    Registry(String),
    /// It may not be set where it is; in words.
    PassedOver(String),
    /// The service exists.
    Service(ServiceName),
    ServiceField(ServiceName, ServiceField),
    Derived(String, String),
    WorktreePath(String),
    WorktreeFill(Fill),
    WorktreeEnvFile(String),
    Ranges(EnvironmentName, Vec<PortRange>),
    ProjectRanges(ProjectName, Vec<PortRange>),
    AllocationRandom(bool),
    Reserved(Vec<PortRange>),
    MaxPerUser(u32),
    MaxPerHost(u32),
    CleanupAuto(bool),
    CleanupInterval(SignedDuration),
    CleanupOlderThan(SignedDuration),
    HookRepositories(HookRepositories),
}

/// One setting of a service.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ServiceField {
    Variables(Vec<String>),
    Type(String),
    Protocol(Protocol),
    Prefer(Port),
    Description(String),
    Health(String),
    PublicHostname(String),
}

/// A setting, the dotted key it has, and who says so.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Assignment {
    pub(super) key: String,
    pub(super) setting: Setting,
    pub(super) origin: Origin,
}

/// What stands at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A table with these keys.
    Table(&'static [&'static str]),
    /// A table whose keys are names that users choose.
    Names,
    /// A value.
    Value,
    /// Nothing: there is no such key.
    Unknown,
}

const ROOT: &[&str] = &[
    "project",
    "registry",
    "services",
    "env",
    "worktree",
    "ranges",
    "projects",
    "allocation",
    "cleanup",
    "hook",
];
const SERVICE: &[&str] =
    &["variables", "type", "protocol", "prefer", "description", "health", "public_hostname"];

/// Returns what stands at this key.
pub(super) fn shape(path: &[&str]) -> Shape {
    match path {
        [] => Shape::Table(ROOT),
        ["project" | "registry"] | ["ranges" | "env", _] => Shape::Value,
        ["services" | "projects" | "ranges" | "env"] => Shape::Names,
        ["services", _] => Shape::Table(SERVICE),
        ["projects", _] => Shape::Table(&["range"]),
        ["worktree"] => Shape::Table(&["path", "fill", "env_file"]),
        ["allocation"] => Shape::Table(&["strategy", "reserved", "max_per_user", "max_per_host"]),
        ["cleanup"] => Shape::Table(&["auto", "interval", "older_than"]),
        ["hook"] => Shape::Table(&["repositories"]),
        [parents @ .., key] => match shape(parents) {
            Shape::Table(keys) if keys.contains(key) => Shape::Value,
            _ => Shape::Unknown,
        },
    }
}

/// A value as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Written {
    pub(super) form: Form,
    /// The line of the file; none in a variable.
    pub(super) line: Option<usize>,
}

/// The type a value was written in.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    Text(String),
    Integer(i64),
    Boolean(bool),
    List(Vec<Written>),
    /// The value of a variable, which has no type: text, a number, or a list with commas.
    Variable(String),
    /// A type that no setting takes.
    Other(&'static str),
}

/// What is wrong with a value, and in which line it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) line: Option<usize>,
}

impl Written {
    /// Returns a value of a variable.
    pub(super) fn variable(text: &str) -> Self {
        Self { form: Form::Variable(text.to_owned()), line: None }
    }

    fn wrong(&self, message: impl fmt::Display) -> Wrong {
        Wrong { message: message.to_string(), line: self.line }
    }

    fn expected(&self, what: &str) -> Wrong {
        let found = match &self.form {
            Form::Text(_) => "a string",
            Form::Integer(_) => "an integer",
            Form::Boolean(_) => "a boolean",
            Form::List(_) => "an array",
            Form::Variable(text) => return self.wrong(format_args!("expected {what}, not '{text}'")),
            Form::Other(found) => found,
        };
        self.wrong(format_args!("expected {what}, not {found}"))
    }

    fn string(&self, what: &str) -> Result<&str, Wrong> {
        match &self.form {
            Form::Text(text) | Form::Variable(text) => Ok(text),
            _ => Err(self.expected(what)),
        }
    }

    /// Returns a text that is meant for people or programs as it is.
    fn text(&self) -> Result<String, Wrong> {
        let text = self.string("a string")?;
        if text.is_empty() {
            return Err(self.wrong("it must not be empty"));
        }
        self.harmless(text)
    }

    fn harmless(&self, text: &str) -> Result<String, Wrong> {
        if text.chars().any(is_unprintable) {
            // The text is not repeated here: it may be a URL with a password.
            return Err(self.wrong("control characters are not allowed in it"));
        }
        Ok(text.to_owned())
    }

    fn parsed<T: FromStr<Err: fmt::Display>>(&self) -> Result<T, Wrong> {
        self.string("a string")?.trim().parse().map_err(|error| self.wrong(error))
    }

    fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, Wrong> {
        let known: Vec<_> = choices.iter().map(|(name, _)| format!("'{name}'")).collect();
        let known = known.join(" or ");
        let text = self.string(&known)?.trim();
        let chosen = choices.iter().find(|(name, _)| *name == text);
        let unknown = || self.wrong(format_args!("expected {known}, not '{text}'"));
        chosen.map(|(_, value)| *value).ok_or_else(unknown)
    }

    fn boolean(&self) -> Result<bool, Wrong> {
        const WORDS: &[(&str, bool)] = &[
            ("true", true),
            ("false", false),
            ("1", true),
            ("0", false),
            ("yes", true),
            ("no", false),
            ("on", true),
            ("off", false),
        ];
        let expected = || self.expected("true or false");
        match &self.form {
            Form::Boolean(value) => Ok(*value),
            Form::Variable(text) => {
                let word = WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text.trim()));
                word.map(|(_, value)| *value).ok_or_else(expected)
            }
            _ => Err(expected()),
        }
    }

    fn duration(&self) -> Result<SignedDuration, Wrong> {
        duration(self.string("a string")?).map_err(|error| self.wrong(error))
    }

    fn port(&self) -> Result<Port, Wrong> {
        match &self.form {
            Form::Integer(number) => number.to_string().parse().map_err(|error| self.wrong(error)),
            Form::Variable(_) => self.parsed(),
            _ => Err(self.expected("a port")),
        }
    }

    fn range(&self) -> Result<PortRange, Wrong> {
        match &self.form {
            Form::Integer(_) => self.port().map(PortRange::single),
            Form::Text(_) | Form::Variable(_) => self.parsed(),
            _ => Err(self.expected("a range of ports")),
        }
    }

    /// Returns the items of a list; a single value is a list of one.
    fn items(&self) -> Vec<Self> {
        match &self.form {
            Form::List(items) => items.clone(),
            Form::Variable(text) => {
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Self::variable).collect()
            }
            _ => vec![self.clone()],
        }
    }

    fn count(&self) -> Result<u32, Wrong> {
        let number = match &self.form {
            Form::Integer(number) => u32::try_from(*number).ok(),
            Form::Variable(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.filter(|number| *number > 0).ok_or_else(|| self.expected("a number from 1 on"))
    }

    fn ranges(&self) -> Result<Vec<PortRange>, Wrong> {
        self.items().iter().map(Self::range).collect()
    }

    /// Returns ranges to allocate from: at least one, none of them twice.
    fn own_ranges(&self) -> Result<Vec<PortRange>, Wrong> {
        let ranges = self.ranges()?;
        if ranges.is_empty() {
            return Err(self.wrong("at least one range is needed"));
        }
        if let Some((one, other)) = first_overlap(&ranges) {
            return Err(self.wrong(format_args!("the ranges '{one}' and '{other}' overlap")));
        }
        Ok(ranges)
    }

    fn variables(&self) -> Result<Vec<String>, Wrong> {
        let named = |item: &Self| {
            let name = item.string("the name of a variable")?;
            check_variable_name(name).map_err(|error| item.wrong(error))?;
            Ok(name.to_owned())
        };
        self.items().iter().map(named).collect()
    }

    fn hostname(&self) -> Result<String, Wrong> {
        let name = self.text()?;
        check_hostname(&name).map_err(|error| self.wrong(error))?;
        Ok(name)
    }

    /// Returns the name of a file at the top of a worktree: nowhere else, and none that git reads.
    fn file_name(&self) -> Result<String, Wrong> {
        let name = self.text()?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let lower = name.to_ascii_lowercase();
        let is_gits = lower == ".git"
            || [".gitattributes", ".gitignore", ".gitmodules", ".mailmap", ".git-port.toml"]
                .contains(&&*lower);
        let valid = name.len() <= 80
            && name.bytes().all(plain)
            && name.bytes().any(|b| b.is_ascii_alphanumeric())
            && !name.starts_with('-')
            && !name.ends_with('.');
        if !valid || is_gits {
            return Err(self.wrong(format_args!(
                "'{name}' is not the name of a file at the top of a worktree (ASCII letters, digits, '.', '-' \
                 and '_'; 80 at most; none that git reads)"
            )));
        }
        Ok(name)
    }

    fn template(&self) -> Result<String, Wrong> {
        match &self.form {
            Form::Integer(number) => Ok(number.to_string()),
            Form::Boolean(value) => Ok(value.to_string()),
            _ => self.harmless(self.string("a string, an integer or a boolean")?),
        }
    }
}

/// Returns two of the ranges that share a port.
pub(super) fn first_overlap(ranges: &[PortRange]) -> Option<(PortRange, PortRange)> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).find(|pair| pair[0].overlaps(pair[1])).map(|pair| (pair[0], pair[1]))
}

/// Returns the setting at this key with this value.
pub(super) fn parse(path: &[&str], value: &Written) -> Result<Setting, Wrong> {
    let wrong_name = |error: &dyn fmt::Display| value.wrong(error);
    Ok(match *path {
        ["project"] => Setting::Project(value.parsed()?),
        ["registry"] => Setting::Registry(value.text()?),
        ["services", name] => Setting::Service(name.parse().map_err(|error| wrong_name(&error))?),
        ["services", name, key] => {
            let name = name.parse().map_err(|error| wrong_name(&error))?;
            Setting::ServiceField(name, parse_service(key, value)?)
        }
        ["env", name] => {
            check_variable_name(name).map_err(|error| wrong_name(&error))?;
            Setting::Derived(name.to_owned(), value.template()?)
        }
        ["worktree", "path"] => Setting::WorktreePath(value.text()?),
        ["worktree", "fill"] => {
            Setting::WorktreeFill(value.choice(&[("auto", Fill::Auto), ("git", Fill::Git)])?)
        }
        ["worktree", "env_file"] => Setting::WorktreeEnvFile(value.file_name()?),
        ["ranges", name] => {
            Setting::Ranges(name.parse().map_err(|error| wrong_name(&error))?, value.own_ranges()?)
        }
        ["projects", name, "range"] => {
            Setting::ProjectRanges(name.parse().map_err(|error| wrong_name(&error))?, value.own_ranges()?)
        }
        ["allocation", "strategy"] => {
            Setting::AllocationRandom(value.choice(&[("sequential", false), ("random", true)])?)
        }
        ["allocation", "reserved"] => Setting::Reserved(value.ranges()?),
        ["allocation", "max_per_user"] => Setting::MaxPerUser(value.count()?),
        ["allocation", "max_per_host"] => Setting::MaxPerHost(value.count()?),
        ["cleanup", "auto"] => Setting::CleanupAuto(value.boolean()?),
        ["cleanup", "interval"] => Setting::CleanupInterval(value.duration()?),
        ["cleanup", "older_than"] => Setting::CleanupOlderThan(value.duration()?),
        ["hook", "repositories"] => Setting::HookRepositories(
            value.choice(&[("configured", HookRepositories::Configured), ("all", HookRepositories::All)])?,
        ),
        _ => return Err(value.wrong("there is no such setting")),
    })
}

fn parse_service(key: &str, value: &Written) -> Result<ServiceField, Wrong> {
    Ok(match key {
        "variables" => ServiceField::Variables(value.variables()?),
        "type" => ServiceField::Type(value.text()?),
        "protocol" => ServiceField::Protocol(value.parsed()?),
        "prefer" => ServiceField::Prefer(value.port()?),
        "description" => ServiceField::Description(value.text()?),
        "health" => ServiceField::Health(value.text()?),
        "public_hostname" => ServiceField::PublicHostname(value.hostname()?),
        _ => return Err(value.wrong("there is no such setting")),
    })
}

/// Adds the hint that says which key was likely meant, or else which there are; each is shown with the
/// `beginning` it has.
pub(super) fn with_nearest(error: ConfigError, key: &str, known: &[&str], beginning: &str) -> ConfigError {
    if let Some(near) = nearest(key, known.iter().copied()) {
        return error.hint(format_args!("did you mean '{beginning}{near}'?"));
    }
    let known: Vec<_> = known.iter().map(|known| format!("'{beginning}{known}'")).collect();
    error.hint(format_args!("known here: {}", known.join(", ")))
}
