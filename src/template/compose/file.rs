//! Reads a Compose file: its services, what they publish, and the files it includes.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::registry::Port;
use crate::template::variables::{TemplateError, printable};

/// What a Compose file says, as far as ports go.
#[derive(Clone, Debug, Default)]
pub struct ComposeFile {
    /// The name of its project, if it gives one.
    pub name: Option<String>,
    /// Its services, in the order of the file: without configuration the first is the primary one.
    pub services: Vec<(String, ComposeService)>,
    /// The files it includes, by paths that start at its own folder.
    pub includes: Vec<String>,
}

/// A service of a Compose file.
#[derive(Clone, Debug, Default)]
pub struct ComposeService {
    /// The image it is made from.
    pub image: Option<String>,
    /// The name of its container, which no second container may have.
    pub container_name: Option<String>,
    /// What it publishes; none for what cannot be given a port of its own.
    pub ports: Vec<Option<Published>>,
}

/// A port that is published: the text of the host's side, if any, and of the container's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub(super) host: Option<String>,
    pub(super) container: String,
    pub(super) protocol: Option<String>,
}

#[derive(Deserialize)]
struct File {
    name: Option<String>,
    services: Option<Ordered<Option<Service>>>,
    include: Option<Vec<Include>>,
}

#[derive(Deserialize)]
struct Service {
    image: Option<String>,
    container_name: Option<String>,
    ports: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Include {
    Path(String),
    Long { path: Paths },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Paths {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Number(u16),
    Text(String),
    Long { target: Scalar, published: Option<Scalar>, protocol: Option<String> },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Number(u64),
    Text(String),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// A map in the order of the file.
struct Ordered<V>(Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Ordered<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<V>(std::marker::PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Pairs<V> {
            type Value = Ordered<V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of services")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Ordered(pairs))
            }
        }
        deserializer.deserialize_map(Pairs(std::marker::PhantomData))
    }
}

/// Reads a Compose file. `label` is what an error calls it.
pub fn parse(label: &str, text: &str) -> Result<ComposeFile, TemplateError> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map_or_else(String::new, |at| format!(", line {}", at.line()));
        let why = error.to_string();
        let why = why.lines().next().unwrap_or_default().trim_start_matches("error: ");
        TemplateError::new(format!("cannot read '{}'{line}: {}", printable(label), printable(why)))
    })?;
    let paths = |include| match include {
        Include::Path(path) | Include::Long { path: Paths::One(path) } => vec![path],
        Include::Long { path: Paths::Several(paths) } => paths,
    };
    let service = |service: Option<Service>| {
        let Some(Service { image, container_name, ports }) = service else {
            return ComposeService::default();
        };
        let ports = ports.unwrap_or_default().iter().map(Published::of).collect();
        ComposeService { image, container_name, ports }
    };
    let services = file.services.map(|services| services.0).unwrap_or_default();
    Ok(ComposeFile {
        name: file.name,
        services: services.into_iter().map(|(name, found)| (name, service(found))).collect(),
        includes: file.include.unwrap_or_default().into_iter().flat_map(paths).collect(),
    })
}

impl Published {
    /// Returns what an entry publishes; none for what cannot be given a port of its own.
    fn of(entry: &Entry) -> Option<Self> {
        match entry {
            Entry::Number(port) => Some(Self { host: None, container: port.to_string(), protocol: None }),
            Entry::Text(text) => Self::of_text(text),
            Entry::Long { target, published, protocol } => Self {
                host: published.as_ref().map(ToString::to_string),
                container: target.to_string(),
                protocol: protocol.clone().filter(|protocol| protocol != "tcp"),
            }
            .if_known(),
        }
    }

    /// Returns it if it is a port of a known protocol: a number, or a variable.
    fn if_known(self) -> Option<Self> {
        let plain = |text: &str| {
            default_of(text).parse::<u16>().is_ok()
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "${}_:-".contains(c))
        };
        let variable = |text: &str| {
            let name = text.strip_prefix("${").and_then(|text| text.strip_suffix('}')).unwrap_or_default();
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let host = self.host.as_deref().unwrap_or_default();
        let protocol = self.protocol.as_deref().unwrap_or("tcp");
        let known = plain(&self.container)
            && (host.is_empty() || plain(host) || variable(host))
            && ["tcp", "udp", "sctp"].contains(&protocol);
        known.then_some(self)
    }

    /// Reads `[ip:][host:]container[/protocol]`; an IPv6 address stands in brackets or not.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let (text, protocol) = match text.rsplit_once('/') {
            Some((text, protocol)) => (text, Some(protocol.to_owned()).filter(|protocol| protocol != "tcp")),
            None => (text, None),
        };
        let parts = split(text);
        let (container, rest) = parts.split_last()?;
        let host = rest.last().map(|host| (*host).to_owned());
        Self { host, container: (*container).to_owned(), protocol }.if_known()
    }

    /// Returns the port of this machine that it names, or that its variable has by default.
    pub fn port(&self) -> Option<Port> {
        default_of(self.host.as_deref()?).parse().ok()
    }

    /// Returns the port of the container.
    pub fn target(&self) -> Option<Port> {
        default_of(&self.container).parse().ok()
    }

    /// Returns the variable that the port of this machine is taken from.
    pub fn variable(&self) -> Option<&str> {
        let inner = self.host.as_deref()?.strip_prefix("${")?.strip_suffix('}')?;
        Some(inner.split_once([':', '-']).map_or(inner, |(name, _)| name))
    }

    /// Returns the entry that publishes it, to this machine alone, on the port of a variable.
    pub(super) fn on(&self, variable: &str, port: Option<String>) -> String {
        let default = port.or_else(|| self.host.as_deref().map(|host| default_of(host).to_owned()));
        let protocol = self.protocol.as_ref().map_or_else(String::new, |protocol| format!("/{protocol}"));
        let default = default.unwrap_or_default();
        format!("127.0.0.1:${{{variable}:-{default}}}:{}{protocol}", self.container)
    }
}

/// Splits at the colons that do not stand within `${…}`.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_u32);
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

/// Returns `3000` of `${PORT:-3000}` and of `${PORT-3000}`, and any other text as it is.
fn default_of(text: &str) -> &str {
    let inner = text.strip_prefix("${").and_then(|text| text.strip_suffix('}'));
    inner.and_then(|inner| inner.split_once('-')).map_or(text, |(_, default)| default)
}
