//! Files of variables: `WEB_PORT=3000`, and the ports in `API_URL=http://localhost:3001`.

use std::collections::{HashMap, HashSet};

use super::{Document, Row, Skipped};
use crate::registry::{Port, ServiceName};

/// Where in a list the row of a service stands.
type Places = HashMap<Option<ServiceName>, usize>;

pub(super) fn parse(text: &str) -> Document {
    let mut document = Document::default();
    // A variable says it more plainly than a URL does, and the last assignment counts, as for a shell.
    let (mut urls, mut ports): (Vec<Row>, Vec<Row>) = (Vec::new(), Vec::new());
    let (mut url_places, mut places) = (Places::new(), Places::new());
    for (index, content) in text.lines().enumerate() {
        let line = Some(index + 1);
        let content = content.trim();
        let content = content.strip_prefix("export ").unwrap_or(content).trim_start();
        let Some((name, value)) = content.split_once('=').filter(|_| !content.starts_with('#')) else {
            continue;
        };
        let (name, value) = (name.trim(), unquoted(value));
        let upper = name.to_ascii_uppercase();
        if let Some(stem) = upper.strip_suffix("PORT").filter(|stem| stem.is_empty() || stem.ends_with('_')) {
            match value.parse::<Port>() {
                Ok(port) => put(&mut ports, &mut places, row(line, stem.trim_end_matches('_'), port)),
                Err(error) => document.skipped.push(Skipped::new(line, name, error.to_string())),
            }
        } else if let Some(stem) = upper.strip_suffix("_URL") {
            if let Some(port) = port_of(value) {
                put(&mut urls, &mut url_places, row(line, stem, port));
            } else if value.contains("://") {
                document.skipped.push(Skipped::new(line, name, "it names no port of this machine"));
            }
        }
    }
    let mut known: HashSet<Port> = ports.iter().map(|row| row.port).collect();
    for url in urls {
        if !places.contains_key(&url.service) && known.insert(url.port) {
            places.insert(url.service.clone(), ports.len());
            ports.push(url);
        }
    }
    // `PORT` and `WEB_PORT` of one number are one service, which has a name.
    let named: HashSet<Port> = ports.iter().filter(|row| row.service.is_some()).map(|row| row.port).collect();
    let main = ports.iter().find(|row| row.service.is_none()).map(|row| row.port);
    ports.retain(|row| row.service.is_some() || !named.contains(&row.port));
    let mut marked = false;
    for row in &mut ports {
        if Some(row.port) == main && !marked {
            row.primary = Some(true);
            marked = true;
        }
    }
    document.rows = ports;
    document
}

fn row(line: Option<usize>, stem: &str, port: Port) -> Row {
    let service = (!stem.is_empty()).then(|| ServiceName::from_text(&stem.replace('_', "-")));
    Row { line, service, ..Row::new(port) }
}

fn put(rows: &mut Vec<Row>, places: &mut Places, row: Row) {
    let at = *places.entry(row.service.clone()).or_insert(rows.len());
    match rows.get_mut(at) {
        Some(known) => *known = row,
        None => rows.push(row),
    }
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote) {
            return inner.split(quote).next().unwrap_or_default();
        }
    }
    value.split(" #").next().unwrap_or_default().trim_end()
}

/// The port of a URL that leads to this machine; elsewhere it is another machine's.
fn port_of(value: &str) -> Option<Port> {
    let authority = value.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let (host, port) = authority.rsplit('@').next()?.rsplit_once(':')?;
    let local = host == "localhost"
        || host.ends_with(".localhost")
        || host.starts_with("127.")
        || host == "[::1]"
        || host == "0.0.0.0"
        || host == "host.docker.internal";
    if local { port.parse().ok() } else { None }
}
