//! The shape of what the program prints, as promised: the fields of its objects, and how it refuses.

use std::path::Path;

use git_port::output::escape;
use serde_json::Value;

use super::TestEnv;

/// Fields, and which JSON type each has; `?` is for one that may be null.
type Fields = &'static [(&'static str, &'static str)];

pub const ALLOCATION: Fields = &[
    ("port", "integer"),
    ("protocol", "string"),
    ("host", "string"),
    ("project", "string"),
    ("worktree", "string?"),
    ("branch", "string?"),
    ("service", "string"),
    ("environment", "string"),
    ("primary", "boolean"),
    ("state", "string"),
    ("status", "string"),
    ("service_type", "string?"),
    ("description", "string?"),
    ("public_hostname", "string?"),
    ("pinned", "boolean"),
    ("session", "string?"),
    ("variable", "string"),
    ("url", "string?"),
    ("process", "object?"),
    ("allocated_at", "time"),
    ("last_used_at", "time?"),
    ("last_checked_at", "time?"),
    ("released_at", "time?"),
];

pub const RANGE: Fields = &[
    ("environment", "string?"),
    ("project", "string?"),
    ("start", "integer"),
    ("end", "integer"),
    ("total", "integer"),
    ("allocated", "integer"),
    ("active", "integer"),
    ("reserved", "integer"),
    ("available", "integer"),
    ("utilization", "number"),
];

pub const EVENT: Fields = &[
    ("at", "time"),
    ("event", "string"),
    ("port", "integer?"),
    ("protocol", "string"),
    ("project", "string?"),
    ("service", "string?"),
    ("environment", "string?"),
    ("worktree", "string?"),
    ("branch", "string?"),
    ("session", "string?"),
    ("reason", "string"),
];

/// Fails unless the object has every one of the fields, each of its type.
#[track_caller]
pub fn has(object: &Value, fields: Fields) {
    for (name, kind) in fields {
        let value = object.get(*name).unwrap_or_else(|| panic!("no '{name}' in {object}"));
        let may_be_null = kind.ends_with('?');
        let fits = match kind.trim_end_matches('?') {
            _ if value.is_null() => may_be_null,
            "integer" => value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "object" => value.is_object(),
            "time" => value.as_str().is_some_and(|text| text.ends_with('Z') && is_time(text)),
            _ => value.is_string(),
        };
        assert!(fits, "'{name}' is no {kind}: {value}");
    }
}

fn is_time(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok()
}

/// Fails unless the answer has the version and a list under each of the names, and returns the first.
#[track_caller]
pub fn lists<'a>(answer: &'a Value, names: &[&str]) -> &'a Vec<Value> {
    assert_eq!(answer["version"], 1, "{answer}");
    for name in names {
        assert!(answer[name].is_array(), "no list '{name}' in {answer}");
    }
    answer[names[0]].as_array().unwrap()
}

/// Fails unless this is an error with this code, and returns its message.
#[track_caller]
pub fn error<'a>(answer: &'a Value, code: &str) -> &'a str {
    assert_eq!(answer["version"], 1, "{answer}");
    let error = &answer["error"];
    assert_eq!(error["code"], code, "{answer}");
    assert!(error["hints"].is_array() && error["retryable"].is_boolean(), "{answer}");
    error["message"].as_str().unwrap_or_else(|| panic!("no message in {answer}"))
}

/// A command line; its exit status; the code of its error; and what the message must name.
pub type Refusal<'a> = (&'a [&'a str], i32, &'a str, &'a str);

/// Fails unless every line is refused as it should be, in words and as an object, without a change of the
/// registry.
#[track_caller]
pub fn refuses(env: &TestEnv, dir: &Path, refusals: &[Refusal<'_>]) {
    let books = env.books();
    for (line, status, code, named) in refusals {
        let named = escape(named);
        let run = env.git_port(dir, *line);
        assert_eq!(run.status, *status, "{line:?}: {run:#?}");
        assert!(run.stdout.is_empty(), "{line:?}: {run:#?}");
        let first = run.stderr.lines().next().unwrap_or_default();
        assert!(first.starts_with("error: "), "{line:?}: {run:#?}");
        assert!(run.stderr.contains(&named), "{line:?} does not name {named}: {run:#?}");
        assert!(!run.stderr.contains("panicked"), "{line:?}: {run:#?}");
        assert_eq!(run.stderr.replace('\n', ""), escape(&run.stderr.replace('\n', "")), "{line:?}");

        let run = env.git_port(dir, line.iter().chain(&["--json"]));
        assert_eq!(run.status, *status, "{line:?}: {run:#?}");
        assert_eq!(run.stdout.lines().count(), 1, "{line:?}: {run:#?}");
        assert!(run.stderr.is_empty(), "{line:?}: {run:#?}");
        let object = run.object();
        let message = escape(error(&object, code));
        assert!(message.contains(&named), "{line:?} does not name {named}: {message}");
    }
    assert_eq!(env.books(), books, "something was changed");
}
