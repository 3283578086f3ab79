//! Which format a document has, by its name and by what is in it.

use serde_json::Value;

use super::{Format, ParseError, delimited, scar, services};

/// Returns the format of a document; `name` is its file's, if it has one.
///
/// What only one tool writes is known by its content, whatever the file is called; a name decides among
/// the rest. Where neither does, the error names the formats it may be.
pub fn detect(name: Option<&str>, text: &str) -> Result<Format, ParseError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let named = name.and_then(by_name);
    if text.trim_start().starts_with(['{', '[']) && named != Some(Format::Markdown) {
        return Ok(json(text));
    }
    if scar::is_dump(text) {
        return Ok(Format::Scar);
    }
    if let Some(format) = named {
        return Ok(format);
    }
    let candidates = by_content(text);
    match candidates[..] {
        [format] => Ok(format),
        [] => {
            let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
            Err(ParseError::new(None, "it cannot be told what format this is")
                .hint(format!("name it: --format {}", names.join("|"))))
        }
        _ => {
            let names: Vec<&str> = candidates.iter().map(|format| format.name()).collect();
            Err(ParseError::new(None, format!("this may be {}", names.join(" or ")))
                .hint(format!("name its format: --format {}", names.join("|"))))
        }
    }
}

fn json(text: &str) -> Format {
    // A document that is no JSON is told so by its parser, with the line.
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(text) else { return Format::Json };
    if object.contains_key("format_version")
        || (object.contains_key("projects") && object.contains_key("version"))
    {
        return Format::Portool;
    }
    match object.get("ports") {
        Some(Value::Object(_)) => Format::Localdb,
        _ => Format::Json,
    }
}

fn by_name(name: &str) -> Option<Format> {
    let lower = name.to_ascii_lowercase();
    let (stem, extension) = lower.rsplit_once('.').unwrap_or((&lower, ""));
    if lower == ".env" || lower.starts_with(".env.") || extension == "env" {
        return Some(Format::Dotenv);
    }
    match extension {
        "csv" => Some(Format::Csv),
        "tsv" | "tab" => Some(Format::Tsv),
        "md" | "markdown" => Some(Format::Markdown),
        "yml" | "yaml" if stem.contains("compose") => Some(Format::Compose),
        "" if lower == "services" => Some(Format::Services),
        _ => None,
    }
}

fn by_content(text: &str) -> Vec<Format> {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let plain = || lines().filter(|line| !line.starts_with('#'));
    let mut found = Vec::new();
    let ruled = |line: &str| {
        line.contains('-') && line.contains('|') && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
    };
    let is_table = lines().any(ruled);
    if is_table {
        found.push(Format::Markdown);
    }
    if text.lines().any(|line| line.trim_end() == "services:") {
        found.push(Format::Compose);
    }
    if plain().next().is_some_and(|line| services::line(line).is_some()) {
        found.push(Format::Services);
    }
    let variable = |line: &str| {
        let line = line.strip_prefix("export ").unwrap_or(line);
        line.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
    };
    if plain().next().is_some() && plain().all(variable) {
        found.push(Format::Dotenv);
    }
    if let Some(header) = lines().next().filter(|_| !is_table) {
        for (format, delimiter) in [(Format::Csv, ','), (Format::Tsv, '\t')] {
            let names = header.split(delimiter).map(|name| name.trim().trim_matches('"'));
            if header.contains(delimiter) && delimited::has_port(names) {
                found.push(format);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_decides_and_else_the_content() {
        for (name, text, expected) in [
            (Some("ports.csv"), "x", "csv"),
            (Some(".env.local"), "A_PORT=1", "dotenv"),
            (Some("docker-compose.override.yml"), "", "compose"),
            (Some("compose.yaml"), "", "compose"),
            (Some("services"), "", "services"),
            (Some("registry.json"), r#"{"version":3,"projects":{}}"#, "portool"),
            (None, r#"{"ports":{"app":{"port":3000}}}"#, "localdb"),
            (None, r#"{"ports":[{"port":3000}]}"#, "json"),
            (None, "[", "json"),
            (None, "port,service\n1,a\n", "csv"),
            (None, "Service\tPort\na\t1\n", "tsv"),
            (None, "# Ports\n\n| Port | What |\n|---|---|\n", "markdown"),
            (None, "services:\n  web:\n", "compose"),
            (None, "# names\nssh 22/tcp\n", "services"),
            (None, "# x\nexport WEB_PORT=1\nB=2\n", "dotenv"),
            (
                Some("dump.csv"),
                "COPY public.remote_agent_port_allocations (id, port) FROM stdin;\n\\.\n",
                "scar",
            ),
        ] {
            assert_eq!(detect(name, text).map(Format::name), Ok(expected), "{name:?} {text:?}");
        }
    }

    #[test]
    fn what_is_ambiguous_is_told_with_the_candidates() {
        let error = detect(None, "| Port |\n| --- |\n\nservices:\n").unwrap_err();
        assert_eq!(error.message, "this may be markdown or compose");
        assert_eq!(detect(None, "hello").unwrap_err().message, "it cannot be told what format this is");
    }
}
