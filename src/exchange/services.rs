//! `services(5)`: names for well-known ports. They become reservations, for nobody asked for them.

use std::collections::HashSet;

use super::{Document, ParseError, Skipped};
use crate::registry::{Port, PortRange, Reservation};

/// Returns the name, the port and the protocol of a line without its comment.
pub(super) fn line(line: &str) -> Option<(&str, Port, &str)> {
    let mut words = line.split('#').next()?.split_whitespace();
    let name = words.next()?;
    let (port, protocol) = words.next()?.split_once('/')?;
    Some((name, port.parse().ok()?, protocol))
}

pub(super) fn parse(text: &str) -> Result<Document, ParseError> {
    let mut document = Document::default();
    let mut known = HashSet::new();
    for (index, content) in text.lines().enumerate() {
        let at = index + 1;
        let content = content.split('#').next().unwrap_or_default().trim();
        if content.is_empty() {
            continue;
        }
        let Some((name, port, protocol)) = line(content) else {
            return Err(ParseError::new(at, format!("'{content}' is not a service (write 'name port/tcp')")));
        };
        if !matches!(protocol, "tcp" | "udp") {
            document.skipped.push(Skipped::new(Some(at), content, format!("{protocol} ports are not kept")));
            continue;
        }
        let range = PortRange::single(port);
        // TCP and UDP, and aliases on lines of their own, reserve the same port; the first name stays.
        if known.insert(port) {
            document.reservations.push(Reservation { range, reason: Some(name.to_owned()) });
        }
    }
    Ok(document)
}
