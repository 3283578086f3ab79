//! Writes allocations as other programs and people read them.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::{ExportFormat, delimited, own, proxies};
use crate::registry::{Allocation, RangeRecord, Reservation, WorktreeRecord};

/// What is exported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Export {
    /// The key of the machine the export is made on: only its ports mean something to its programs.
    pub host: String,
    /// Machines: their keys, and what people call them.
    pub hosts: Vec<(String, String)>,
    /// The allocations.
    pub allocations: Vec<Allocation>,
    /// Their worktrees.
    pub worktrees: Vec<WorktreeRecord>,
    /// The ranges.
    pub ranges: Vec<RangeRecord>,
    /// The reservations.
    pub reservations: Vec<Reservation>,
}

/// Returns the document in this format. The same rows give the same bytes.
pub fn render(export: &Export, format: ExportFormat) -> String {
    if format == ExportFormat::Json {
        return own::render(export);
    }
    let mut rows: Vec<&Allocation> =
        export.allocations.iter().filter(|one| one.host == export.host).collect();
    rows.sort_by_key(|one| (one.port, one.protocol, one.released_at, one.owner(), one.path.clone()));
    let live: Vec<&Allocation> = rows.iter().copied().filter(|one| one.status.is_live()).collect();
    match format {
        ExportFormat::Json => own::render(export),
        ExportFormat::Csv => csv(&rows),
        ExportFormat::Markdown => markdown(&rows),
        ExportFormat::Dotenv => dotenv(&live),
        ExportFormat::Compose => compose(&live),
        ExportFormat::Caddy => proxies::caddy(&live),
        ExportFormat::Traefik => proxies::traefik(&live),
        ExportFormat::Nginx => proxies::nginx(&live),
    }
}

/// The columns of CSV; the importer knows them by these names.
const COLUMNS: [&str; 18] = [
    "port",
    "protocol",
    "project",
    "service",
    "environment",
    "status",
    "worktree",
    "branch",
    "primary",
    "service_type",
    "description",
    "public_hostname",
    "pinned",
    "session",
    "allocated_at",
    "last_used_at",
    "last_checked_at",
    "released_at",
];

fn csv(rows: &[&Allocation]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing into memory does not fail.
    let _ = writer.write_record(COLUMNS);
    for one in rows {
        let text = |text: &Option<String>| text.as_deref().map(shown).unwrap_or_default();
        let time = |time: Option<jiff::Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
        let record = [
            one.port.to_string(),
            one.protocol.to_string(),
            one.project.to_string(),
            one.service.to_string(),
            one.environment.to_string(),
            one.status.name().to_owned(),
            path(one),
            text(&one.branch),
            one.primary.to_string(),
            text(&one.service_type),
            text(&one.description),
            text(&one.public_hostname),
            one.pinned.to_string(),
            text(&one.session),
            one.allocated_at.to_string(),
            time(one.last_used_at),
            time(one.last_checked_at),
            time(one.released_at),
        ];
        let _ = writer.write_record(record.iter().map(|value| delimited::guarded(value)));
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

fn path(one: &Allocation) -> String {
    one.path.as_ref().map(|path| shown(&path.to_string_lossy())).unwrap_or_default()
}

/// Returns the text on one line, with what a terminal would act on as an escape.
fn shown(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        let harmless = (' '..='~').contains(&c) || c.is_alphanumeric();
        if harmless || (!c.is_control() && !c.is_whitespace() && u32::from(c) < 0x2000 && u32::from(c) > 0xa0)
        {
            line.push(c);
        } else {
            line.extend(c.escape_unicode());
        }
    }
    line
}

fn markdown(rows: &[&Allocation]) -> String {
    let header = "| Port | Project | Service | Environment | Status | Branch | Worktree | Description |\n\
        | ---: | --- | --- | --- | --- | --- | --- | --- |\n";
    let mut text = header.to_owned();
    for one in rows {
        let protocol = if one.protocol.name() == "udp" { "/udp" } else { "" };
        let _ = writeln!(
            text,
            "| {}{protocol} | {} | {} | {} | {} | {} | {} | {} |",
            one.port,
            cell(one.project.as_str()),
            cell(one.service.as_str()),
            one.environment,
            one.status.name(),
            cell(one.branch.as_deref().unwrap_or_default()),
            cell(&one.path.as_ref().map(|path| path.to_string_lossy()).unwrap_or_default()),
            cell(one.description.as_deref().unwrap_or_default()),
        );
    }
    text
}

/// Escapes what Markdown would act on, so that a name stays a name.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    let shown = shown(text);
    for (at, c) in shown.char_indices() {
        let within = at > 0 && shown[at + c.len_utf8()..].starts_with(|c: char| c.is_ascii_alphanumeric());
        if matches!(c, '\\' | '|' | '*' | '`' | '[' | ']' | '<' | '>' | '&' | '~') || (c == '_' && !within) {
            cell.push('\\');
        }
        cell.push(c);
    }
    cell
}

/// Returns a name for each allocation: that of its service, with as much of its project, its worktree and
/// its environment before it as tells it from the others, and its port at last.
fn names(rows: &[&Allocation], join: &str) -> Vec<String> {
    let slug = |text: &str| {
        let slug: String = text
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .collect();
        slug.trim_matches('-').replace('-', join)
    };
    let label = |one: &Allocation| {
        let folder = one.path.as_ref().and_then(|path| path.file_name());
        folder.map(|name| slug(&name.to_string_lossy())).unwrap_or_default()
    };
    let part = |one: &Allocation, level: usize| {
        let mut parts = vec![slug(one.service.as_str())];
        if level > 0 {
            parts.insert(0, slug(one.project.as_str()));
        }
        if level > 1 {
            parts.insert(1, label(one));
        }
        if level > 2 {
            parts.push(slug(one.environment.as_str()));
        }
        if level > 3 {
            parts.push(format!("{}{join}{}", one.port, one.protocol));
        }
        parts.retain(|part| !part.is_empty());
        parts.join(join)
    };
    let mut named: Vec<String> = rows.iter().map(|one| part(one, 0)).collect();
    for level in 1..=4 {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for name in &named {
            *counts.entry(name.clone()).or_default() += 1;
        }
        for (name, one) in named.iter_mut().zip(rows) {
            if counts.get(name).is_some_and(|count| *count > 1) {
                *name = part(one, level);
            }
        }
    }
    named
}

fn dotenv(rows: &[&Allocation]) -> String {
    let mut text = String::from("# Ports of git-port.\n");
    for (name, one) in names(rows, "_").iter().zip(rows) {
        let mut name = name.to_ascii_uppercase();
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            name.insert(0, '_');
        }
        let _ = writeln!(text, "{name}_PORT={}", one.port);
    }
    text
}

fn compose(rows: &[&Allocation]) -> String {
    let mut text = String::from(
        "# Ports of git-port. On the right is the port inside the container: set it to what listens there.\n\
         services:",
    );
    if rows.is_empty() {
        text.push_str(" {}");
    }
    text.push('\n');
    for (name, one) in names(rows, "-").iter().zip(rows) {
        let protocol = if one.protocol.name() == "udp" { "/udp" } else { "" };
        let port = one.port;
        let _ = writeln!(
            text,
            "  \"{name}\":\n    ports: !override\n      - \"127.0.0.1:{port}:{port}{protocol}\""
        );
    }
    text
}
