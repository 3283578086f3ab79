//! CSV and TSV.

use super::fields::Columns;
use super::{Document, ParseError};

/// Says whether one of these column names is that of a port.
pub(super) fn has_port<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    Columns::new(names).is_some()
}

pub(super) fn parse(text: &str, delimiter: u8) -> Result<Document, ParseError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let line = |position: Option<&csv::Position>| {
        position.and_then(|position| usize::try_from(position.line()).ok())
    };
    let header = reader.headers().map_err(|error| ParseError::new(line(error.position()), &error))?.clone();
    let Some(columns) = Columns::new(header.iter()) else {
        return Err(ParseError::new(1, "no column is called 'port'")
            .hint("the first line names the columns: port,service,environment,…"));
    };
    let mut document = Document::default();
    for record in reader.records() {
        let record = record.map_err(|error| ParseError::new(line(error.position()), &error))?;
        let at = line(record.position());
        if record.len() > header.len() {
            let message = format!("{} values for {} columns", record.len(), header.len());
            return Err(ParseError::new(at, message).hint("put quotes around a value that holds a separator"));
        }
        if record.iter().all(|value| value.trim().is_empty()) {
            continue;
        }
        let values: Vec<&str> = record.iter().map(unguarded).collect();
        columns.add(&mut document, at, &values, true)?;
    }
    Ok(document)
}

/// A spreadsheet would run a value that begins like a formula, so the export guards it with a quote.
pub(super) fn guarded(value: &str) -> String {
    if value.starts_with(['=', '+', '-', '@', '\'']) { format!("'{value}") } else { value.to_owned() }
}

fn unguarded(value: &str) -> &str {
    value.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@', '\''])).unwrap_or(value)
}
