//! The environment variables: a copy of them all, and what the ones of git-port set.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::setting::{Assignment, Shape, Written, parse, shape, with_nearest};
use super::{ConfigError, Origin, Settings, shortened};
use crate::registry::{EnvironmentName, Port, ProjectName};

/// A copy of the process's variables, so that nothing else asks for them and tests can choose them.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// Returns the variables of this process.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks for them")]
    pub fn capture() -> Self {
        Self::from_vars(std::env::vars_os())
    }

    /// Returns an environment of these variables. Of two with one name the last counts.
    pub fn from_vars(vars: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>) -> Self {
        let variables = vars.into_iter().map(|(name, value)| (folded(name.into()), value.into()));
        Self { variables: variables.collect() }
    }

    /// Returns the value; an empty one counts as none.
    pub fn os(&self, name: &str) -> Option<&OsStr> {
        self.set(name).filter(|value| !value.is_empty())
    }

    /// Returns the value as text; an empty one counts as none. One that is not UTF-8 is an error that
    /// names the variable.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ConfigError> {
        self.os(name).map(|value| utf8(name, value)).transpose()
    }

    fn set(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(&folded(name.into())).map(OsString::as_os_str)
    }
}

/// On Windows `Path` and `PATH` are one variable.
fn folded(name: OsString) -> OsString {
    if cfg!(windows) { name.to_ascii_uppercase() } else { name }
}

fn utf8<'a>(name: &str, value: &'a OsStr) -> Result<&'a str, ConfigError> {
    value
        .to_str()
        .ok_or_else(|| ConfigError::new(format_args!("the value of the variable '{name}' is not UTF-8 text")))
}

/// The first part of every variable that is a setting.
const PREFIX: &str = "GIT_PORT_";

/// The tables whose settings have a variable. The other variables that begin with `GIT_PORT_` are left
/// alone: git-port itself writes `GIT_PORT_PROJECT`, `GIT_PORT_WORKTREE` and `GIT_PORT_ENVIRONMENT` for
/// programs. Were they read as settings, then a shell that has sourced the file of one worktree would
/// put the ports of the next under the first one's project.
const SECTIONS: &[&str] =
    &["services", "env", "worktree", "ranges", "projects", "allocation", "cleanup", "hook"];

/// The variables of older set-ups that stand for one setting.
const PLAIN: &[(&str, &[&str])] = &[
    ("RESERVED_PORTS", RESERVED),
    ("PORT_AUTO_CLEANUP", &["cleanup", "auto"]),
    ("PORT_ALLOCATION_STRATEGY", &["allocation", "strategy"]),
];

const RESERVED: &[&str] = &["allocation", "reserved"];

/// Returns what the variables set, given what everything before them has set.
pub(super) fn assignments(
    environment: &Environment,
    before: &Settings,
) -> Result<Vec<Assignment>, ConfigError> {
    let mut assignments = Vec::new();
    for (stem, name) in [
        ("DEV", EnvironmentName::dev()),
        ("TEST", EnvironmentName::test()),
        ("PROD", EnvironmentName::production()),
    ] {
        assignments.extend(range_of_pair(environment, before, stem, &name)?);
    }
    for (variable, path) in PLAIN {
        if let Some(value) = environment.set(variable) {
            assignments.extend(assignment(variable, path, value)?);
        }
    }
    for (variable, value) in &environment.variables {
        // A name that is not UTF-8 is none of ours.
        let Some(variable) = variable.to_str() else { continue };
        if let Some(rest) = variable.strip_prefix(PREFIX)
            && let Some(path) = setting_path(rest, value, before)?
        {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            assignments.extend(assignment(variable, &path, value)?);
        }
    }
    Ok(assignments)
}

/// Returns what one variable sets; nothing if it is empty, unless a list is meant.
fn assignment(variable: &str, path: &[&str], value: &OsStr) -> Result<Option<Assignment>, ConfigError> {
    if value.is_empty() && path != RESERVED {
        return Ok(None);
    }
    let text = utf8(variable, value)?;
    let setting = parse(path, &Written::variable(text)).map_err(|wrong| {
        // The place of the registry may hold a password, so it is not repeated.
        let shown = if path == ["registry"] { "…" } else { text };
        bad(variable, shown, wrong.message)
    })?;
    let origin = Origin::Variable(variable.to_owned());
    Ok(Some(Assignment { key: path.join("."), setting, origin }))
}

fn bad(variable: &str, value: &str, why: impl std::fmt::Display) -> ConfigError {
    let value = shortened(value);
    ConfigError::new(format_args!("bad setting '{value}' in the variable '{variable}': {why}"))
}

/// Returns the key of the setting that `GIT_PORT_` and this rest name; none if it is no setting.
fn setting_path(rest: &str, value: &OsStr, before: &Settings) -> Result<Option<Vec<String>>, ConfigError> {
    if rest == "REGISTRY" {
        return Ok(Some(vec!["registry".to_owned()]));
    }
    let key_in = |section: &str| {
        rest.strip_prefix(section.to_ascii_uppercase().as_str())?.strip_prefix('_').map(str::to_owned)
    };
    let found = SECTIONS.iter().find_map(|section| key_in(section).map(|key| (*section, key)));
    let Some((section, key)) = found else { return Ok(None) };
    // A service of the project 'git-port' may be named 'git-port-worktree-x'. Its port and URL are in
    // variables that begin as settings do; no setting but one of [env] ends so.
    let of_service = section != "env" && (rest.ends_with("_PORT") || rest.ends_with("_URL"));
    if value.is_empty() && rest != "ALLOCATION_RESERVED" || of_service {
        return Ok(None);
    }
    let names: Vec<&str> = match section {
        "env" => return Ok(Some(vec![section.to_owned(), key])),
        "ranges" => {
            let name = known_name(&key, before.ranges.keys().map(EnvironmentName::as_str));
            return Ok(Some(vec![section.to_owned(), name]));
        }
        "services" => before.services.iter().map(|service| service.name.as_str()).collect(),
        "projects" => before.projects.keys().map(ProjectName::as_str).collect(),
        _ => Vec::new(),
    };
    let named = shape(&[section]) == Shape::Names;
    let parents = if named { vec![section, ""] } else { vec![section] };
    let Shape::Table(keys) = shape(&parents) else { return Ok(None) };
    for known in keys {
        let Some(stem) = key.strip_suffix(known.to_ascii_uppercase().as_str()) else { continue };
        match stem.strip_suffix('_').filter(|stem| !stem.is_empty()) {
            Some(stem) if named => {
                let name = known_name(stem, names.into_iter());
                return Ok(Some(vec![section.to_owned(), name, (*known).to_owned()]));
            }
            None if !named && stem.is_empty() => {
                return Ok(Some(vec![section.to_owned(), (*known).to_owned()]));
            }
            _ => {}
        }
    }
    Err(unknown(section, &key, named, &names, keys))
}

/// Returns the error about a variable of this section which is no setting.
fn unknown(section: &str, key: &str, named: bool, names: &[&str], keys: &[&str]) -> ConfigError {
    let mut beginning = format!("{PREFIX}{}_", section.to_ascii_uppercase());
    let variable = format!("{beginning}{key}");
    if named {
        let known = names.iter().map(|name| stem_of(name)).find(|stem| {
            key.strip_prefix(stem.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        });
        let stem = known.unwrap_or_else(|| key.rsplit_once('_').map_or(key, |(stem, _)| stem).to_owned());
        beginning.push_str(&stem);
        beginning.push('_');
    }
    let keys: Vec<_> = keys.iter().map(|key| key.to_ascii_uppercase()).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let word = variable.strip_prefix(&beginning).unwrap_or_default();
    with_nearest(ConfigError::new(format_args!("unknown variable '{variable}'")), word, &keys, &beginning)
}

/// Returns the part of a variable's name that stands for this name.
fn stem_of(name: &str) -> String {
    name.to_uppercase().replace(['-', '.'], "_")
}

/// Returns the known name that the part of a variable stands for, or else that part in lower case.
fn known_name<'a>(stem: &str, mut known: impl Iterator<Item = &'a str>) -> String {
    known.find(|name| stem_of(name) == stem).map_or_else(|| stem.to_lowercase(), str::to_owned)
}

/// Returns the one range that `DEV_PORT_START` and `DEV_PORT_END` give an environment.
fn range_of_pair(
    environment: &Environment,
    before: &Settings,
    stem: &str,
    name: &EnvironmentName,
) -> Result<Option<Assignment>, ConfigError> {
    let variables = [format!("{stem}_PORT_START"), format!("{stem}_PORT_END")];
    let mut ends = [None, None];
    for (variable, end) in variables.iter().zip(&mut ends) {
        let Some(text) = environment.text(variable)? else { continue };
        let port = text.trim().parse::<Port>();
        *end = Some(port.map_err(|error| bad(variable, text, error))?);
    }
    let given = match ends {
        [None, None] => return Ok(None),
        [Some(_), _] => &variables[0],
        [None, Some(_)] => &variables[1],
    };
    let primary = before.ranges.get(name).and_then(|ranges| ranges.first());
    let start = ends[0].or(primary.map(|range| range.start()));
    let end = ends[1].or(primary.map(|range| range.end()));
    let (Some(start), Some(end)) = (start, end) else { return Ok(None) };
    let path = ["ranges", name.as_str()];
    let setting = parse(&path, &Written::variable(&format!("{start}-{end}"))).map_err(|wrong| {
        let text = environment.text(given).ok().flatten().unwrap_or_default();
        bad(given, text, wrong.message)
            .hint(format_args!("set both '{}' and '{}'", variables[0], variables[1]))
    })?;
    Ok(Some(Assignment { key: path.join("."), setting, origin: Origin::Variable(given.clone()) }))
}

#[cfg(test)]
mod tests;
