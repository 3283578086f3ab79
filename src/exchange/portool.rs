//! portool: its ledger `registry.json` (versions 1 to 4), or what `portool ls --json` prints.
//!
//! The ledger knows blocks of ports, and the names of the ports in them stand in each worktree's manifest.
//! So from the ledger comes the first port of each block, which is `PORT`, and the rest is reserved;
//! `portool ls --json` has the names.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::json::unreadable;
use super::{Document, ParseError, Row, fields};
use crate::registry::{EnvironmentName, Port, PortRange, Reservation, ServiceName};

pub(super) fn parse(text: &str) -> Result<Document, ParseError> {
    let value: Value = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    let mut document = Document::default();
    if let Some(version) = value.get("format_version") {
        if version != 1 {
            let message = format!("'portool ls --json' of version {version} is not known here");
            return Err(ParseError::new(None, message));
        }
        if let Some(error) = value.get("error").and_then(Value::as_str) {
            return Err(ParseError::new(None, format!("portool itself failed: {error}")));
        }
        for entry in list(&value, "allocations") {
            let name = entry.get("project").and_then(Value::as_str).unwrap_or_default();
            let path = entry.get("path").and_then(Value::as_str).unwrap_or_default();
            worktree(&mut document, name, path, entry)?;
        }
    } else {
        let version = value.get("version").and_then(Value::as_u64);
        if !version.is_some_and(|version| (1..=4).contains(&version)) {
            return Err(ParseError::new(None, "this is no ledger of portool of version 1 to 4")
                .hint("give what 'portool ls --all --json' prints"));
        }
        let none = Map::new();
        for project in value.get("projects").and_then(Value::as_object).unwrap_or(&none).values() {
            let name = project.get("name").and_then(Value::as_str).unwrap_or_default();
            let worktrees = project.get("worktrees").and_then(Value::as_object).unwrap_or(&none);
            for (path, entry) in worktrees {
                worktree(&mut document, name, path, entry)?;
            }
        }
    }
    for entry in list(&value, "reservations") {
        let range = block(entry)?;
        let reason = entry.get("label").and_then(Value::as_str).unwrap_or("portool");
        document.reservations.push(Reservation { range, reason: Some(reason.to_owned()) });
    }
    Ok(document)
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn block(entry: &Value) -> Result<PortRange, ParseError> {
    let port = |index: usize| {
        let number = entry.get("block")?.get(index)?.as_u64()?;
        u16::try_from(number).ok().and_then(Port::new)
    };
    port(0)
        .zip(port(1))
        .and_then(|(start, end)| PortRange::new(start, end))
        .ok_or_else(|| ParseError::new(None, format!("'{}' is no block of ports", entry["block"])))
}

fn worktree(document: &mut Document, project: &str, path: &str, entry: &Value) -> Result<(), ParseError> {
    let range = block(entry)?;
    let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
    let time = |name: &str| entry.get(name).and_then(Value::as_str).and_then(|time| fields::time(time).ok());
    let row = |port: Port| Row {
        project: Some(fields::project(project)),
        path: Some(PathBuf::from(path)),
        branch: text("branch"),
        environment: Some(EnvironmentName::dev()),
        description: text("label"),
        pinned: entry.get("pinned").and_then(Value::as_bool).unwrap_or_default(),
        allocated_at: time("allocated_at"),
        last_used_at: time("last_seen_at"),
        ..Row::new(port)
    };
    let Some(ports) = entry.get("ports").and_then(Value::as_object) else {
        document.rows.push(Row { primary: Some(true), ..row(range.start()) });
        let rest = range.ports().nth(1).and_then(|second| PortRange::new(second, range.end()));
        if let Some(range) = rest {
            let reason = Some(format!("portool's block of {project}"));
            document.reservations.push(Reservation { range, reason });
        }
        return Ok(());
    };
    for (name, number) in ports {
        let port = number.as_u64().and_then(|number| u16::try_from(number).ok()).and_then(Port::new);
        let Some(port) = port else {
            return Err(ParseError::new(None, format!("'{number}' is no port ('{name}' of '{path}')")));
        };
        let stem = name.strip_suffix("PORT").unwrap_or(name).trim_end_matches('_');
        let service = (!stem.is_empty()).then(|| ServiceName::from_text(&stem.replace('_', "-")));
        document.rows.push(Row { primary: service.is_none().then_some(true), service, ..row(port) });
    }
    Ok(())
}
