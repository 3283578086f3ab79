//! SCAR's table `remote_agent_port_allocations`: from `pg_dump`, or its rows as CSV or JSON.

use super::fields::Columns;
use super::{Document, Format, ParseError, delimited, json};

const TABLE: &str = "remote_agent_port_allocations";

/// The columns in the order in which the table was made, for an INSERT that does not name them.
const COLUMNS: [&str; 13] = [
    "id",
    "port",
    "service_name",
    "description",
    "codebase_id",
    "conversation_id",
    "worktree_path",
    "environment",
    "status",
    "allocated_at",
    "released_at",
    "last_checked",
    "process_id",
];

/// Says whether the text is SQL that fills the table.
pub(super) fn is_dump(text: &str) -> bool {
    text.lines().any(|line| statement(line).is_some())
}

/// Which statement begins on a line, and what stands behind the table's name.
fn statement(line: &str) -> Option<(bool, &str)> {
    let line = line.trim_start();
    let (copy, rest) = if let Some(rest) = word(line, "COPY ") {
        (true, rest)
    } else {
        (false, word(line, "INSERT INTO ")?)
    };
    let at = rest.find(TABLE)?;
    let before = rest[..at].trim().replace('"', "");
    let after = rest[at + TABLE.len()..].trim_start_matches('"');
    let ends = !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    (ends && (before.is_empty() || before == "public.")).then_some((copy, after))
}

fn word<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.get(..word.len())
        .filter(|start| start.eq_ignore_ascii_case(word))
        .map(|_| line[word.len()..].trim_start())
}

pub(super) fn parse(text: &str) -> Result<Document, ParseError> {
    if is_dump(text) {
        return parse_dump(text);
    }
    match super::detect::detect(None, text) {
        Ok(Format::Json) => json::parse(text),
        Ok(Format::Tsv) => delimited::parse(text, b'\t'),
        _ if text.contains(TABLE) => Err(ParseError::new(None, format!("no rows of '{TABLE}' are in it"))
            .hint(format!("dump them: pg_dump --data-only -t {TABLE} <database>"))),
        _ => delimited::parse(text, b','),
    }
}

fn parse_dump(text: &str) -> Result<Document, ParseError> {
    let mut document = Document::default();
    let mut offset = 0;
    let mut number = 0;
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        number += 1;
        let start = offset;
        offset += line.len();
        let Some((copy, after)) = statement(line) else { continue };
        if copy {
            let names = names(after).ok_or_else(|| ParseError::new(number, "the columns are not named"))?;
            let columns = columns(&names, number)?;
            loop {
                let Some(row) = lines.next() else {
                    return Err(ParseError::new(number, "the data does not end with '\\.'")
                        .hint("the dump is cut short; make it again"));
                };
                number += 1;
                offset += row.len();
                let row = row.trim_end_matches(['\n', '\r']);
                if row == "\\." {
                    break;
                }
                let values: Vec<String> = row.split('\t').map(copied).collect();
                add(&mut document, &columns, &names, number, &values)?;
            }
        } else {
            let begin = start + (line.len() - line.trim_start().len());
            let end = insert(&mut document, &text[begin..], number)?;
            // What the statement spans is not looked at again: a description may hold a statement.
            while offset < begin + end {
                let Some(line) = lines.next() else { break };
                number += 1;
                offset += line.len();
            }
        }
    }
    Ok(document)
}

fn columns(names: &[String], line: usize) -> Result<Columns, ParseError> {
    Columns::new(names).ok_or_else(|| ParseError::new(line, "no column is called 'port'"))
}

fn add(
    document: &mut Document,
    columns: &Columns,
    names: &[String],
    line: usize,
    values: &[String],
) -> Result<(), ParseError> {
    if values.len() != names.len() {
        let message = format!("{} values for {} columns", values.len(), names.len());
        return Err(ParseError::new(line, message));
    }
    columns.add(document, Some(line), values, true)
}

fn names(text: &str) -> Option<Vec<String>> {
    let inner = text.split_once('(')?.1.split_once(')')?.0;
    Some(inner.split(',').map(|name| name.trim().trim_matches('"').to_owned()).collect())
}

/// Undoes the escapes of COPY's text format; NULL is empty, as everywhere here.
fn copied(value: &str) -> String {
    if value == "\\N" {
        return String::new();
    }
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(other) => other,
                None => '\\',
            },
            c => c,
        });
    }
    text
}

/// Reads `(columns) VALUES (…), (…);` and returns where it ends.
fn insert(document: &mut Document, text: &str, line: usize) -> Result<usize, ParseError> {
    let at = find_word(text, "VALUES").ok_or_else(|| ParseError::new(line, "the INSERT has no VALUES"))?;
    let names = names(&text[..at]).unwrap_or_else(|| COLUMNS.map(str::to_owned).to_vec());
    let columns = columns(&names, line)?;
    let mut reader = Reader { text, at: at + "VALUES".len(), counted: 0, line };
    loop {
        reader.blank();
        let begin = reader.line();
        if !reader.take('(') {
            return Err(ParseError::new(begin, "a '(' is missing in the INSERT"));
        }
        let mut values = Vec::new();
        loop {
            let Some(value) = reader.value() else {
                return Err(ParseError::new(begin, "a value of the INSERT never ends")
                    .hint("the dump is cut short; make it again"));
            };
            values.push(value);
            reader.blank();
            if reader.take(')') {
                break;
            }
            if !reader.take(',') {
                return Err(ParseError::new(reader.line(), "the INSERT is malformed"));
            }
        }
        add(document, &columns, &names, begin, &values)?;
        reader.blank();
        if !reader.take(',') {
            return Ok(reader.at);
        }
    }
}

/// Where a word begins, however it is written.
fn find_word(text: &str, word: &str) -> Option<usize> {
    text.as_bytes().windows(word.len()).position(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Up to where lines have been counted, and the number of the line there.
    counted: usize,
    line: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn line(&mut self) -> usize {
        self.line += self.text[self.counted..self.at].matches('\n').count();
        self.counted = self.at;
        self.line
    }

    fn blank(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    /// Reads one value, with a cast behind it; none if the text ends first.
    fn value(&mut self) -> Option<String> {
        self.blank();
        let escapes = self.rest().starts_with("E'") || self.rest().starts_with("e'");
        if escapes {
            self.at += 1;
        }
        let value = if self.take('\'') { self.quoted(escapes)? } else { self.bare()? };
        self.blank();
        if self.rest().starts_with("::") {
            let end = self.rest().find([',', ')'])?;
            self.at += end;
        }
        Some(value)
    }

    fn quoted(&mut self, escapes: bool) -> Option<String> {
        let mut value = String::new();
        loop {
            let c = self.rest().chars().next()?;
            self.at += c.len_utf8();
            match c {
                '\'' if self.take('\'') => value.push('\''),
                '\'' => return Some(value),
                '\\' if escapes => {
                    let next = self.rest().chars().next()?;
                    self.at += next.len_utf8();
                    value.push(match next {
                        'n' => '\n',
                        't' => '\t',
                        other => other,
                    });
                }
                c => value.push(c),
            }
        }
    }

    fn bare(&mut self) -> Option<String> {
        let end = self.rest().find([',', ')', ':'])?;
        let value = self.rest()[..end].trim().to_owned();
        self.at += end;
        Some(if value.eq_ignore_ascii_case("null") { String::new() } else { value })
    }
}
