//! `LocalDB`'s `~/.localdb/runtime/.port-registry.json`: one port for each project's studio.

use jiff::Timestamp;
use serde_json::Value;

use super::json::unreadable;
use super::{Document, ParseError, Row, fields};
use crate::registry::{EnvironmentName, Port, ServiceName};

pub(super) fn parse(text: &str) -> Result<Document, ParseError> {
    let value: Value = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    let Some(ports) = value.get("ports").and_then(Value::as_object) else {
        return Err(ParseError::new(None, "this is no registry of LocalDB: it has no 'ports'"));
    };
    let mut document = Document::default();
    for (name, entry) in ports {
        let port = entry.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
        let Some(port) = port.and_then(Port::new) else {
            return Err(ParseError::new(None, format!("project '{name}' has no port from 1 to 65535")));
        };
        let since = entry.get("allocated_at").and_then(Value::as_i64);
        // The process may be another one by now, so its number is not kept.
        document.rows.push(Row {
            project: Some(fields::project(name)),
            service: Some(ServiceName::from_text("studio")),
            environment: Some(EnvironmentName::dev()),
            allocated_at: since.and_then(|since| Timestamp::from_millisecond(since).ok()),
            ..Row::new(port)
        });
    }
    Ok(document)
}
