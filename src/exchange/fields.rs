//! The fields of a row, whatever the document calls them: CSV, Markdown, JSON rows and SCAR's table.

use std::collections::HashMap;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{Document, ParseError, Row, Skipped};
use crate::registry::{
    EnvironmentName, Port, PortRange, ProjectName, Protocol, ServiceName, Status, check_hostname,
};

/// What a column holds, and the names it goes by, the most telling first.
const NAMES: &[(&str, &[&str])] = &[
    ("port", &["port", "host_port", "port_number", "published", "published_port", "ports"]),
    ("protocol", &["protocol", "proto"]),
    ("project", &["project", "project_name", "codebase", "repository", "repo"]),
    ("service", &["service", "service_name", "app", "application", "name", "label"]),
    ("environment", &["environment", "env", "stage"]),
    ("status", &["status"]),
    ("path", &["worktree", "worktree_path", "path"]),
    ("branch", &["branch"]),
    ("primary", &["primary"]),
    ("service_type", &["service_type", "type", "kind"]),
    ("description", &["description", "purpose", "notes", "note", "comment", "used_for", "usage"]),
    ("public_hostname", &["public_hostname", "cloudflare_hostname", "domain"]),
    ("url", &["url"]),
    ("pinned", &["pinned"]),
    ("session", &["session", "conversation_id"]),
    ("user", &["user", "owner"]),
    ("allocated_at", &["allocated_at", "created_at", "allocated"]),
    ("last_used_at", &["last_used_at", "last_used", "last_seen_at"]),
    ("last_checked_at", &["last_checked_at", "last_checked"]),
    ("released_at", &["released_at"]),
];

/// Which column of a document holds what.
#[derive(Clone, Debug)]
pub(super) struct Columns(HashMap<&'static str, usize>);

impl Columns {
    /// Returns the columns by their names as they are written; none if no column holds a port.
    pub(super) fn new<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Option<Self> {
        let names: Vec<String> = names
            .into_iter()
            .map(|name| name.as_ref().trim().to_ascii_lowercase().replace([' ', '-'], "_"))
            .collect();
        let mut columns = HashMap::new();
        for (field, spellings) in NAMES {
            let at = spellings.iter().find_map(|spelling| names.iter().position(|name| name == spelling));
            if let Some(at) = at {
                columns.insert(*field, at);
            }
        }
        columns.contains_key("port").then_some(Self(columns))
    }

    /// Adds the row that these values make, or what to say of it.
    pub(super) fn add<S: AsRef<str>>(
        &self,
        document: &mut Document,
        line: Option<usize>,
        values: &[S],
        strict: bool,
    ) -> Result<(), ParseError> {
        let value = |field: &str| {
            let at = *self.0.get(field)?;
            let value = values.get(at)?.as_ref().trim();
            (!value.is_empty()).then_some(value)
        };
        add(document, line, &value, strict)
    }
}

/// Adds the rows that one record makes. Where the document is prose, a cell without a port is passed over;
/// where it is data, it is an error.
pub(super) fn add<'a>(
    document: &mut Document,
    line: Option<usize>,
    value: &dyn Fn(&str) -> Option<&'a str>,
    strict: bool,
) -> Result<(), ParseError> {
    let Some(cell) = value("port") else {
        let what = value("service").or_else(|| value("description")).unwrap_or_default();
        document.skipped.push(Skipped::new(line, what, "it has no port"));
        return Ok(());
    };
    let (range, protocol) = match ports(cell) {
        Ok(ports) => ports,
        Err(error) if strict => return Err(ParseError::new(line, error)),
        Err(error) => {
            document.skipped.push(Skipped::new(line, cell, error));
            return Ok(());
        }
    };
    let mut row = Row::new(range.start());
    row.line = line;
    row.protocol = match value("protocol") {
        Some(name) => name.to_ascii_lowercase().parse().map_err(|error| ParseError::new(line, error))?,
        None => protocol,
    };
    row.project = value("project").map(project);
    row.environment = match value("environment") {
        Some(name) => Some(environment(name).map_err(|error| ParseError::new(line, error))?),
        None => None,
    };
    row.status = match value("status").map(str::to_ascii_lowercase).as_deref() {
        None | Some("allocated") => Status::Allocated,
        Some("active" | "in_use") => Status::Active,
        Some("released") => Status::Released,
        Some(other) if strict => {
            return Err(ParseError::new(
                line,
                format!("'{other}' is not a status (one of allocated, active, released)"),
            ));
        }
        Some(_) => Status::Allocated,
    };
    row.path = value("path").map(PathBuf::from).filter(|path| path.is_absolute());
    let text = |field: &str| value(field).map(str::to_owned);
    row.branch = text("branch");
    row.user = text("user");
    row.service_type = text("service_type");
    row.description = text("description");
    row.session = text("session");
    row.primary = value("primary").map(is_true);
    row.pinned = value("pinned").is_some_and(is_true);
    row.public_hostname = match value("public_hostname") {
        Some(name) => Some(name.to_owned()),
        None => value("url").and_then(host_of),
    }
    .filter(|name| check_hostname(name).is_ok());
    for (field, slot) in [
        ("allocated_at", &mut row.allocated_at),
        ("last_used_at", &mut row.last_used_at),
        ("last_checked_at", &mut row.last_checked_at),
        ("released_at", &mut row.released_at),
    ] {
        match value(field).map(time) {
            Some(Ok(time)) => *slot = Some(time),
            Some(Err(message)) if strict => return Err(ParseError::new(line, message)),
            _ => {}
        }
    }
    let name = value("service").map_or_else(|| format!("port-{}", range.start()), str::to_owned);
    for port in range.ports() {
        // A service has one port, so the others of a range are services of their own.
        let name = if port == range.start() { name.clone() } else { format!("{name}-{port}") };
        document.rows.push(Row { port, service: Some(ServiceName::from_text(&name)), ..row.clone() });
    }
    Ok(())
}

/// The largest range that is taken for ports, and not for the range they come from.
const MANY: u32 = 64;

/// Reads `3000`, `:3000`, `localhost:3000`, `3000-3009`, `3000/tcp`.
fn ports(cell: &str) -> Result<(PortRange, Protocol), String> {
    let cell = cell.trim().trim_matches('`').trim();
    let (number, protocol) = match cell.split_once('/') {
        Some((number, name)) => {
            let protocol = name.trim().to_ascii_lowercase().parse::<Protocol>();
            (number, protocol.map_err(|error| error.to_string())?)
        }
        None => (cell, Protocol::Tcp),
    };
    let number = number.rsplit_once(':').map_or(number, |(_, number)| number).replace('\u{2013}', "-");
    let range: PortRange = if number.contains('-') {
        number.trim().parse().map_err(|error| format!("{error}"))?
    } else {
        PortRange::single(number.trim().parse::<Port>().map_err(|error| error.to_string())?)
    };
    if range.size() > MANY {
        return Err(format!("'{range}' are {} ports, which is a range and no service", range.size()));
    }
    Ok((range, protocol))
}

/// Returns the project of a document's own word for it.
pub(super) fn project(text: &str) -> ProjectName {
    text.parse().unwrap_or_else(|_| ProjectName::from_folder(text))
}

/// Returns the environment of a document's own word for it.
pub(super) fn environment(text: &str) -> Result<EnvironmentName, crate::registry::InvalidName> {
    match text.to_ascii_lowercase().as_str() {
        "dev" | "development" | "local" => Ok(EnvironmentName::dev()),
        "test" | "testing" | "ci" => Ok(EnvironmentName::test()),
        "prod" | "production" | "live" => Ok(EnvironmentName::production()),
        other => other.parse(),
    }
}

/// Returns the time; one without a zone is in UTC, for so those who write such times mean them.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    // PostgreSQL writes '2025-12-19 15:45:00+00'.
    let written = text.replacen(' ', "T", 1);
    let bare_hours = written.len() > 3 && matches!(written.as_bytes()[written.len() - 3], b'+' | b'-');
    let padded = if bare_hours && written.contains('T') { format!("{written}:00") } else { written.clone() };
    let zoned = padded.parse::<Timestamp>().ok();
    let civil = || {
        let time: DateTime = written.parse().ok()?;
        time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    // The registry keeps milliseconds.
    zoned
        .or_else(civil)
        .and_then(|time| Timestamp::from_millisecond(time.as_millisecond()).ok())
        .ok_or_else(|| format!("'{text}' is no time (write 2025-12-19T15:45:00Z)"))
}

fn is_true(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "true" | "t" | "yes" | "y" | "1" | "x")
}

/// The host of a URL that leads outside this machine.
fn host_of(url: &str) -> Option<String> {
    let rest = url.trim_matches(['<', '>', '`']).split_once("://")?.1;
    let host = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
    let host = host.split(':').next()?;
    let local = host.is_empty()
        || host == "localhost"
        || host.ends_with(".localhost")
        || host.starts_with("127.")
        || host.starts_with('[')
        || host == "0.0.0.0";
    (!local).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_every_spelling() {
        for (cell, expected) in [
            ("3000", "3000/tcp"),
            (":3000", "3000/tcp"),
            ("`3000`", "3000/tcp"),
            ("localhost:3000", "3000/tcp"),
            ("3000-3002", "3000-3002/tcp"),
            ("3000\u{2013}3002", "3000-3002/tcp"),
            ("53/udp", "53/udp"),
        ] {
            let (range, protocol) = ports(cell).unwrap();
            assert_eq!(format!("{range}/{protocol}"), expected);
        }
        for cell in ["", "n/a", "0", "70000", "3000-2000", "8000-8999", "3000/sctp", "-"] {
            assert!(ports(cell).is_err(), "{cell}");
        }
    }

    #[test]
    fn a_time_without_a_zone_is_in_utc() {
        for text in [
            "2025-12-19 15:45:00",
            "2025-12-19T15:45:00Z",
            "2025-12-19 15:45:00+00",
            "2025-12-19 17:45:00+02",
            "2025-12-19 15:45:00.000123",
        ] {
            assert_eq!(time(text).unwrap().to_string(), "2025-12-19T15:45:00Z", "{text}");
        }
        assert!(time("yesterday").is_err());
    }
}
