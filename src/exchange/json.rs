//! JSON: git-port's own export, or objects that have a port each.

use serde_json::{Map, Value};

use super::fields::Columns;
use super::{Document, ParseError, own};

/// Returns the error of the JSON reader, with its line.
pub(super) fn unreadable(error: &serde_json::Error) -> ParseError {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    ParseError::new(Some(error.line()).filter(|line| *line > 0), text)
}

pub(super) fn parse(text: &str) -> Result<Document, ParseError> {
    let value: Value = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    if value.get("kind").and_then(Value::as_str) == Some(own::KIND) {
        return own::parse(text);
    }
    let list = ["allocations", "ports", "rows"].iter().find_map(|name| value.get(*name));
    match list.unwrap_or(&value) {
        Value::Array(rows) => parse_rows(rows),
        _ => Err(ParseError::new(None, "this JSON is no export of git-port and no list of ports")
            .hint("write a list of objects: [{\"port\": 3000, \"service\": \"web\"}]")),
    }
}

pub(super) fn parse_rows(rows: &[Value]) -> Result<Document, ParseError> {
    let mut document = Document::default();
    for (index, row) in rows.iter().enumerate() {
        let wrong = |message: String| ParseError::new(None, format!("row {}: {message}", index + 1));
        let Value::Object(object) = row else { return Err(wrong("it is no object".to_owned())) };
        add(&mut document, object).map_err(|error| wrong(error.message))?;
    }
    Ok(document)
}

pub(super) fn add(document: &mut Document, object: &Map<String, Value>) -> Result<(), ParseError> {
    let Some(columns) = Columns::new(object.keys()) else {
        return Err(ParseError::new(None, "it has no 'port'"));
    };
    let values: Vec<String> = object.values().map(text_of).collect();
    columns.add(document, None, &values, true)
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
