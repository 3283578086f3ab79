//! Puts what a tool is to know of git-port into the tool's own file. The text is inserted: whatever else is in
//! the file, comments and line ends included, stays byte for byte.

mod jsonc;

use serde_json::Value;
use toml_edit::{Document, DocumentMut, Item, Table, TomlError};

use super::block::{self, Comment, Found};
use super::variables::TemplateError;

/// One thing that a file is to say.
#[derive(Clone, Copy, Debug)]
pub enum Edit {
    /// JSON: the member at this path is this value, unless there is one.
    Member(&'static [&'static str], &'static str),
    /// JSON: the array at this path has this element, unless one in it holds `mark`.
    Element {
        /// Where the array is; the whole document, if empty.
        path: &'static [&'static str],
        /// What tells that it is there already.
        mark: &'static str,
        /// The element.
        value: &'static str,
    },
    /// JSON: the shell command at this path runs this one, too.
    Command(&'static [&'static str], &'static str),
    /// TOML: this key of this table is this text, unless there is one.
    Key(&'static str, &'static str, &'static str),
    /// TOML: the script under this key of this table has this line.
    Script(&'static str, &'static str, &'static str),
    /// TOML: these tables, as a block of git-port's own.
    Tables(&'static str),
    /// A block of git-port's own, in a file with such comments.
    Block(Comment, &'static str),
}

/// Returns the text with these edits made; the very same, if they are in it already.
pub fn merge(text: &str, edits: &[Edit]) -> Result<String, TemplateError> {
    let mut merged = text.to_owned();
    for edit in edits {
        merged = match *edit {
            Edit::Member(path, value) => {
                let (keys, last) = path.split_at(path.len().saturating_sub(1));
                let last = last.first().copied().unwrap_or_default();
                jsonc::member(&merged, keys, last, &parsed(value)?)?
            }
            Edit::Element { path, mark, value } => jsonc::element(&merged, path, mark, &parsed(value)?)?,
            Edit::Command(path, command) => jsonc::command(&merged, path, command)?,
            Edit::Key(table, key, value) => toml(&merged, table, |table| {
                if !table.contains_key(key) {
                    table.insert(key, toml_edit::value(value));
                }
                Ok(())
            })?,
            Edit::Script(table, key, line) => script(&merged, table, key, line)?,
            Edit::Tables(tables) => {
                let merged = in_block(&merged, Comment::Hash, tables)?;
                document(&merged).map_err(|_| {
                    TemplateError::new("it says something else of the same tables")
                        .hint("put the text in by hand")
                })?;
                merged
            }
            Edit::Block(comment, lines) => in_block(&merged, comment, lines)?,
        };
    }
    Ok(merged)
}

fn parsed(value: &str) -> Result<Value, TemplateError> {
    serde_json::from_str(value)
        .map_err(|error| TemplateError::new(format!("the built-in text is no JSON: {error}")))
}

/// Puts the lines into git-port's own block, or a new one behind what there is.
fn in_block(text: &str, comment: Comment, lines: &str) -> Result<String, TemplateError> {
    let wrapped = block::wrap(comment, lines)?;
    let bytes = match block::find(comment, text.as_bytes()) {
        Found::Block(place) => block::replace(text.as_bytes(), place, &wrapped),
        Found::Damaged => {
            return Err(TemplateError::new("the marks of git-port's block in it are damaged")
                .hint("leave one pair of '>>> git-port >>>' and '<<< git-port <<<', or none"));
        }
        // A blank line before it, where there is something.
        Found::Nothing if text.trim().is_empty() => block::append(text.as_bytes(), &wrapped),
        Found::Nothing => {
            let blank = if text.ends_with("\n\n") || text.ends_with("\r\n\r\n") { "" } else { "\n" };
            let apart =
                if text.ends_with('\n') { format!("{blank}{wrapped}") } else { format!("\n{wrapped}") };
            block::append(text.as_bytes(), &apart)
        }
    };
    String::from_utf8(bytes).map_err(|_| TemplateError::new("it is not UTF-8 text"))
}

fn document(text: &str) -> Result<DocumentMut, TemplateError> {
    text.parse().map_err(|error| no_toml(&error))
}

fn no_toml(error: &TomlError) -> TemplateError {
    let why = error.message().lines().next().unwrap_or_default();
    TemplateError::new(format!("it is no TOML: {why}")).hint("put the text in by hand")
}

/// Changes one table of the document, which is made if there is none.
fn toml(
    text: &str,
    table: &str,
    change: impl FnOnce(&mut Table) -> Result<(), TemplateError>,
) -> Result<String, TemplateError> {
    let mut document = document(text)?;
    let by_hand = || TemplateError::new(format!("its '{table}' is no table")).hint("put the text in by hand");
    if document.to_string() != text {
        return Err(TemplateError::new("it would not stay as it is").hint("put the text in by hand"));
    }
    let is_new = !document.contains_key(table);
    let found = document.entry(table).or_insert(Item::Table(Table::new()));
    let found = found.as_table_mut().ok_or_else(by_hand)?;
    if is_new && !text.trim().is_empty() {
        found.decor_mut().set_prefix("\n");
    }
    change(found)?;
    Ok(document.to_string())
}

/// Ensures a line of the script under this key of this table, which is made if there is none.
fn script(text: &str, table: &str, key: &str, line: &str) -> Result<String, TemplateError> {
    let by_hand = || TemplateError::new(format!("its '{key}' is no text")).hint("put the text in by hand");
    let parsed = Document::parse(text).map_err(|error| no_toml(&error))?;
    let Some(item) = parsed.get(table).and_then(|table| table.get(key)) else {
        return toml(text, table, |table| {
            table.insert(key, toml_edit::value(line));
            Ok(())
        });
    };
    let old = item.as_str().ok_or_else(by_hand)?;
    if old.contains(line) {
        return Ok(text.to_owned());
    }
    let place = item.span().ok_or_else(by_hand)?;
    let raw = text.get(place.clone()).unwrap_or_default();
    let several = raw.ends_with("'''") || raw.ends_with("\"\"\"");
    let end = place.end - if several { 3 } else { 1 };
    let added = match (several, old.is_empty()) {
        (_, true) => line.to_owned(),
        (true, _) if old.ends_with('\n') => {
            format!("{line}{}", if text.contains("\r\n") { "\r\n" } else { "\n" })
        }
        (true, _) => format!("\n{line}"),
        (false, _) => format!("; {line}"),
    };
    Ok([&text[..end], &added, &text[end..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_has_one_line_more() {
        let merged = |text: &str| merge(text, &[Edit::Script("setup", "script", "git-port x")]).unwrap();
        for (old, new) in [
            ("", "[setup]\nscript = \"git-port x\"\n"),
            ("[setup]\nscript = \"npm i\" # ours\n", "[setup]\nscript = \"npm i; git-port x\" # ours\n"),
            ("[setup]\nscript = '''\na\nb\n'''\n", "[setup]\nscript = '''\na\nb\ngit-port x\n'''\n"),
            ("[setup]\nscript = \"\"\"a\"\"\"", "[setup]\nscript = \"\"\"a\ngit-port x\"\"\""),
            ("setup = { script = '' }", "setup = { script = 'git-port x' }"),
            ("a = 1\n", "a = 1\n\n[setup]\nscript = \"git-port x\"\n"),
        ] {
            assert_eq!(merged(old), new);
            assert_eq!(merged(new), new);
        }
        assert!(merge("[setup]\nscript = 7\n", &[Edit::Script("setup", "script", "x")]).is_err());
    }

    #[test]
    fn a_table_has_one_key_more() {
        let merged = |text: &str| merge(text, &[Edit::Key("pre-start", "git-port", "x")]);
        assert_eq!(
            merged("# ours\n[pre-start]\na = \"b\"  # c\n\n[list]\n").unwrap(),
            "# ours\n[pre-start]\na = \"b\"  # c\ngit-port = \"x\"\n\n[list]\n"
        );
        assert!(merged("pre-start = \"a\"\n").is_err());
        assert!(merged("[[pre-start]]\na = \"b\"\n").is_err());
    }
}
