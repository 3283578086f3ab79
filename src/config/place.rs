//! Writes where the registry is into the user's file, and leaves the rest of it as it is.

use std::path::Path;

use super::ConfigError;
use crate::system::files::{self, Access};

/// Sets `registry` in the user's configuration file.
pub fn set_registry(file: &Path, place: &str) -> Result<(), ConfigError> {
    let failed = |error: &dyn std::fmt::Display| {
        ConfigError::new(format_args!("'{}' cannot be written: {error}", file.display()))
    };
    let text = files::load_text(file).map_err(|error| failed(&error))?.unwrap_or_default();
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    }
    files::replace(file, with_registry(&text, place).as_bytes(), Access::Private)
        .map_err(|error| failed(&error))
}

/// Returns the text with this place of the registry: in the line where it stands, else in a first one, since
/// what follows the head of a table belongs to the table.
fn with_registry(text: &str, place: &str) -> String {
    // The strings of JSON are strings of TOML, too.
    let line = format!("registry = {}", serde_json::Value::from(place));
    let is_key = |text: &str| {
        text.trim_start().strip_prefix("registry").is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let mut lines: Vec<&str> = text.lines().collect();
    let head = lines.iter().position(|line| line.trim_start().starts_with('[')).unwrap_or(lines.len());
    match lines[..head].iter().position(|line| is_key(line)) {
        Some(at) => lines[at] = &line,
        None => lines.insert(0, &line),
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_stays_as_it_is() {
        assert_eq!(with_registry("", "a\"b"), "registry = \"a\\\"b\"\n");
        let text = "# mine\nregistry='x' # old\n[env]\nregistry = 'no'\n";
        assert_eq!(with_registry(text, "y"), "# mine\nregistry = \"y\"\n[env]\nregistry = 'no'\n");
        assert_eq!(with_registry("[hook]\n", "y"), "registry = \"y\"\n[hook]\n");
    }
}
