//! Reads one configuration file. Whatever is wrong with it is told with its path and line.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::setting::{Assignment, Form, Setting, Shape, Written, Wrong, parse, shape, with_nearest};
use super::{ConfigError, Origin, shortened};
use crate::system::{SystemError, files};

/// Which of the files it is: what one may say, another may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The user's own, for all repositories.
    User,
    /// `.git-port.toml`, which comes with the repository.
    Worktree,
    /// `git-port.toml` in the common git directory.
    Clone,
}

/// A configuration is written by hand. A larger file is a mistake, or made to keep git-port busy.
const LARGEST: usize = 256 * 1024;

/// Returns what the file says; none if there is no such file.
pub(super) fn load(path: &Path, role: Role) -> Result<Option<Vec<Assignment>>, ConfigError> {
    // A repository may bring a link to a terminal or a pipe, on which reading waits. The user's file may
    // well be '/dev/null'.
    if role == Role::Worktree && path.exists() && !path.is_file() {
        return Err(ConfigError::new(format_args!("'{}' is not a file", path.display())));
    }
    let text = files::load_text(path).map_err(|error| match &error {
        SystemError::File { source, .. } => ConfigError::new(format_args!("{error}: {}", source.kind())),
        _ => ConfigError::new(error),
    })?;
    text.map(|text| parse_text(&text, path, role)).transpose()
}

/// Returns what the text of a file says, in the order of its lines.
pub(super) fn parse_text(text: &str, path: &Path, role: Role) -> Result<Vec<Assignment>, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > LARGEST {
        let message = format!("'{}' is larger than {} KiB", path.display(), LARGEST / 1024);
        return Err(ConfigError::new(message));
    }
    let lines = Lines(text.match_indices('\n').map(|(at, _)| at).collect());
    let document = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(String::new(), |span| format!(", line {}", lines.at(span.start)));
        let why = error.message().lines().next().unwrap_or_default().to_owned();
        ConfigError::new(format_args!("bad syntax in '{}'{line}: {why}", path.display()))
    })?;
    let mut reader = Reader { path, role, lines, assignments: Vec::new() };
    reader.table(&[], document.get_ref())?;
    Ok(reader.assignments)
}

/// The offsets of the line ends of a text.
struct Lines(Vec<usize>);

impl Lines {
    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}

struct Reader<'a> {
    path: &'a Path,
    role: Role,
    lines: Lines,
    assignments: Vec<Assignment>,
}

impl Reader<'_> {
    fn table(&mut self, parents: &[&str], table: &DeTable<'_>) -> Result<(), ConfigError> {
        let mut entries: Vec<_> = table.iter().collect();
        // The crate sorts a table by its keys; a service's place in the file has a meaning.
        entries.sort_by_key(|(key, _)| key.span().start);
        for (name, value) in entries {
            let line = self.lines.at(name.span().start);
            let path = [parents, &[name.get_ref().as_ref()]].concat();
            if path == ["registry"] && self.role != Role::User {
                self.pass_over(line);
                continue;
            }
            self.check_place(&path, line)?;
            match shape(&path) {
                Shape::Unknown => return Err(self.unknown(parents, name.get_ref(), line)),
                Shape::Value => self.assign(&path, &self.written(value))?,
                Shape::Table(_) | Shape::Names => {
                    let DeValue::Table(table) = value.get_ref() else {
                        let message = format!("expected a table, not {}", type_name(value.get_ref()));
                        return Err(self.bad(&path, Wrong { message, line: Some(line) }));
                    };
                    if let ["services", _] = path[..] {
                        self.assign(&path, &Written { form: Form::Other("a table"), line: Some(line) })?;
                    }
                    self.table(&path, table)?;
                }
            }
        }
        Ok(())
    }

    fn assign(&mut self, path: &[&str], value: &Written) -> Result<(), ConfigError> {
        let setting: Setting = parse(path, value).map_err(|wrong| self.bad(path, wrong))?;
        let origin = Origin::File(self.path.to_owned());
        self.assignments.push(Assignment { key: path.join("."), setting, origin });
        Ok(())
    }

    /// Ignores a place of the registry that a repository names: whoever clones it must not have his ports
    /// written wherever it says. Ports are no reason to stop, so it is told, and no more. The place is not
    /// repeated, because it may carry a password.
    fn pass_over(&mut self, line: usize) {
        let warning = format!(
            "'registry' in '{}', line {line}, is ignored: put it into the user's configuration file, or set \
             the variable 'GIT_PORT_REGISTRY'",
            self.path.display()
        );
        let origin = Origin::File(self.path.to_owned());
        let setting = Setting::PassedOver(warning);
        self.assignments.push(Assignment { key: "registry".to_owned(), setting, origin });
    }

    /// Fails if the key may not stand in this file.
    fn check_place(&self, path: &[&str], line: usize) -> Result<(), ConfigError> {
        let (message, hint) = match (path, self.role) {
            // All repositories would be one project.
            (["project"], Role::User) => {
                ("this file is for all repositories", "put it into the repository's '.git-port.toml'")
            }
            _ => return Ok(()),
        };
        let place = format!("'{}', line {line}", self.path.display());
        Err(ConfigError::new(format_args!("'{}' may not stand in {place}: {message}", path.join(".")))
            .hint(hint))
    }

    fn bad(&self, path: &[&str], wrong: Wrong) -> ConfigError {
        let line = wrong.line.map_or(String::new(), |line| format!(", line {line}"));
        let key = shortened(&path.join("."));
        ConfigError::new(format_args!(
            "bad setting '{key}' in '{}'{line}: {}",
            self.path.display(),
            wrong.message
        ))
    }

    fn unknown(&self, parents: &[&str], key: &str, line: usize) -> ConfigError {
        let keys = if let Shape::Table(keys) = shape(parents) { keys } else { &[] };
        let beginning = [parents, &[""]].concat().join(".");
        let place = format!("'{}', line {line}", self.path.display());
        let shown = shortened(&format!("{beginning}{key}"));
        let error = ConfigError::new(format_args!("unknown key '{shown}' in {place}"));
        with_nearest(error, key, keys, &beginning)
    }

    fn written(&self, value: &Spanned<DeValue<'_>>) -> Written {
        let form = match value.get_ref() {
            DeValue::String(text) => Form::Text(text.clone().into_owned()),
            DeValue::Boolean(value) => Form::Boolean(*value),
            DeValue::Array(items) => Form::List(items.iter().map(|item| self.written(item)).collect()),
            DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(number) => Form::Integer(number),
                Err(_) => Form::Other("an integer of this size"),
            },
            other => Form::Other(type_name(other)),
        };
        Written { form, line: Some(self.lines.at(value.span().start)) }
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests;
