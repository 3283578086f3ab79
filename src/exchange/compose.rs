//! Compose files: the ports that services publish on this machine.
//!
//! <https://github.com/compose-spec/compose-spec/blob/main/05-services.md#ports>

use std::collections::HashSet;

use serde_json::Value;

use super::{Document, ParseError, Row, Skipped, fields};
use crate::registry::{Port, PortRange, Protocol, ServiceName};

pub(super) fn parse(text: &str) -> Result<Document, ParseError> {
    let value: Value = serde_saphyr::from_str(text).map_err(|error| unreadable(&error.to_string()))?;
    let mut document = Document::default();
    let Some(services) = value.get("services").and_then(Value::as_object) else {
        return Err(ParseError::new(None, "this is no Compose file: it has no 'services'"));
    };
    let project = value.get("name").and_then(Value::as_str).and_then(|name| interpolate(name).ok());
    let project = project.as_deref().map(fields::project);
    for (name, service) in services {
        let mut taken: HashSet<ServiceName> = HashSet::new();
        for port in service.get("ports").and_then(Value::as_array).into_iter().flatten() {
            let published = match port {
                Value::String(text) => short(text),
                Value::Number(number) => short(&number.to_string()),
                Value::Object(long) => self::long(long),
                _ => Err(Unpublished::Malformed),
            };
            let what = || match port {
                Value::String(text) => format!("{name}: {text}"),
                other => format!("{name}: {other}"),
            };
            match published {
                Ok(published) => {
                    for (port, target) in published.ports {
                        let row =
                            Row { protocol: published.protocol, project: project.clone(), ..Row::new(port) };
                        // A service has one port, so its others are told apart by what they lead to.
                        let text = if taken.is_empty() { name.clone() } else { format!("{name}-{target}") };
                        let mut service = ServiceName::from_text(&text);
                        if taken.contains(&service) {
                            service = ServiceName::from_text(&format!("{name}-{port}"));
                        }
                        taken.insert(service.clone());
                        document.rows.push(Row { service: Some(service), ..row });
                    }
                }
                Err(Unpublished::Malformed) => {
                    let message = format!("'{}' does not publish a port as Compose writes it", what());
                    return Err(ParseError::new(None, message));
                }
                Err(Unpublished::Because(reason)) => {
                    document.skipped.push(Skipped::new(None, what(), reason));
                }
            }
        }
    }
    Ok(document)
}

/// The YAML reader names the line at the beginning or the end of what it says.
fn unreadable(text: &str) -> ParseError {
    let first = text.lines().next().unwrap_or_default();
    let number = |at: usize| {
        let digits: String = text[at..].chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().ok()
    };
    let line = text.find("line ").and_then(|at| number(at + "line ".len()));
    ParseError::new(line, format!("this is not YAML: {first}"))
}

struct Published {
    /// The port of this machine, and the container's.
    ports: Vec<(Port, Port)>,
    protocol: Protocol,
}

enum Unpublished {
    /// Nothing of this machine is named, or it cannot be told what.
    Because(String),
    Malformed,
}

impl Unpublished {
    fn because(reason: &str) -> Self {
        Self::Because(reason.to_owned())
    }
}

/// Reads `[[ip:]host:]container[/protocol]`, each of them a port or a range.
fn short(text: &str) -> Result<Published, Unpublished> {
    let text = interpolate(text)?;
    let (text, protocol) = match text.split_once('/') {
        Some((text, protocol)) => (text, protocol.parse().map_err(|_| Unpublished::Malformed)?),
        None => (text.as_str(), Protocol::Tcp),
    };
    let (host, target) =
        text.rsplit_once(':').ok_or_else(|| Unpublished::because("it names no port of this machine"))?;
    // An IPv6 address has colons of its own, and stands in brackets.
    let host = match host.rsplit_once(':') {
        Some((_, "")) | None if host.is_empty() => {
            return Err(Unpublished::because("it names no port of this machine"));
        }
        Some((_, "")) => return Err(Unpublished::because("it names no port of this machine")),
        Some((_, host)) => host,
        None => host,
    };
    pair(host, target, protocol)
}

fn long(long: &serde_json::Map<String, Value>) -> Result<Published, Unpublished> {
    let text = |name: &str| match long.get(name) {
        Some(Value::String(text)) => interpolate(text).map(Some),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        _ => Ok(None),
    };
    let target = text("target")?.ok_or(Unpublished::Malformed)?;
    let Some(published) = text("published")?.filter(|text| !text.is_empty()) else {
        return Err(Unpublished::because("it names no port of this machine"));
    };
    let protocol = match text("protocol")? {
        Some(name) => name.parse().map_err(|_| Unpublished::Malformed)?,
        None => Protocol::Tcp,
    };
    pair(&published, &target, protocol)
}

fn pair(host: &str, target: &str, protocol: Protocol) -> Result<Published, Unpublished> {
    let host: PortRange = host.parse().map_err(|_| Unpublished::Malformed)?;
    let target: PortRange = target.parse().map_err(|_| Unpublished::Malformed)?;
    let ports = if host.size() == target.size() {
        host.ports().zip(target.ports()).collect()
    } else if target.size() == 1 {
        // Compose picks one of them when it starts, so the first stands for all.
        vec![(host.start(), target.start())]
    } else {
        return Err(Unpublished::Malformed);
    };
    Ok(Published { ports, protocol })
}

/// Puts in the defaults of variables: what they hold is not this document's.
fn interpolate(text: &str) -> Result<String, Unpublished> {
    let mut value = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        value.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            value.push('$');
            rest = after;
            continue;
        }
        let (inner, after) = match after.strip_prefix('{') {
            Some(after) => {
                let end = closing(after).ok_or(Unpublished::Malformed)?;
                (&after[..end], &after[end + 1..])
            }
            None => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                after.split_at(end)
            }
        };
        let name_end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
        let (name, operator) = inner.split_at(name_end);
        let default = operator.strip_prefix(":-").or_else(|| operator.strip_prefix('-'));
        match default {
            Some(default) => value.push_str(&interpolate(default)?),
            None => {
                return Err(Unpublished::Because(format!("the variable '{name}' has no default")));
            }
        }
        rest = after;
    }
    value.push_str(rest);
    Ok(value)
}

/// Where the brace that was opened before this text is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(text: &str) -> String {
        match short(text) {
            Ok(published) => {
                let pairs = published.ports.iter().map(|(port, target)| format!("{port}:{target}"));
                format!("{}/{}", pairs.collect::<Vec<_>>().join(" "), published.protocol)
            }
            Err(Unpublished::Malformed) => "malformed".to_owned(),
            Err(Unpublished::Because(reason)) => reason,
        }
    }

    #[test]
    fn every_short_form_of_the_specification() {
        for (text, expected) in [
            ("3000", "it names no port of this machine"),
            ("3000-3005", "it names no port of this machine"),
            ("8000:8000", "8000:8000/tcp"),
            ("9090-9091:8080-8081", "9090:8080 9091:8081/tcp"),
            ("8000-9000:80", "8000:80/tcp"),
            ("49100:22", "49100:22/tcp"),
            ("127.0.0.1:8001:8001", "8001:8001/tcp"),
            ("127.0.0.1:5000-5001:5000-5001", "5000:5000 5001:5001/tcp"),
            ("127.0.0.1::8001", "it names no port of this machine"),
            ("[::1]:8001:80", "8001:80/tcp"),
            (":80", "it names no port of this machine"),
            ("6060:6060/udp", "6060:6060/udp"),
            ("${WEB_PORT:-8080}:80", "8080:80/tcp"),
            ("${A:-${B-8081}}:80", "8081:80/tcp"),
            ("${WEB_PORT}:80", "the variable 'WEB_PORT' has no default"),
            ("$WEB_PORT:80", "the variable 'WEB_PORT' has no default"),
            ("${WEB_PORT:80", "malformed"),
            ("web:80", "malformed"),
            ("1-2:3-5", "malformed"),
        ] {
            assert_eq!(ports(text), expected, "{text}");
        }
    }
}
