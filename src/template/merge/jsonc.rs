//! JSON, with comments and commas as editors allow them: read far enough to know where something is to be
//! inserted, and never written anew.

use std::ops::Range;

use serde_json::Value;

use crate::template::variables::TemplateError;

/// Nobody's settings are nested deeper.
const DEEPEST: usize = 64;

/// A value, and where it stands.
struct Node {
    place: Range<usize>,
    kind: Kind,
}

enum Kind {
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Text(String),
    Other,
}

fn broken(what: &str) -> TemplateError {
    TemplateError::new(format!("it is no JSON: {what}")).hint("put the text in by hand")
}

fn not_a(what: &str, path: &[&str]) -> TemplateError {
    let name = if path.is_empty() { "it".to_owned() } else { format!("its '{}'", path.join(".")) };
    TemplateError::new(format!("{name} is no {what}")).hint("put the text in by hand")
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Passes over white space and comments.
    fn skip(&mut self) -> Result<(), TemplateError> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{feff}']).len();
            self.at += blank;
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.at += rest.find("*/").ok_or_else(|| broken("a comment has no end"))? + 2;
            } else {
                return Ok(());
            }
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn value(&mut self, depth: usize) -> Result<Node, TemplateError> {
        if depth > DEEPEST {
            return Err(broken("it is nested too deep"));
        }
        self.skip()?;
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Kind::Text(self.string()?),
            Some(_) => {
                let rest = self.rest();
                let end = rest.find([',', '}', ']', ' ', '\t', '\r', '\n', '/']).unwrap_or(rest.len());
                let word = rest.get(..end).unwrap_or_default();
                if serde_json::from_str::<Value>(word).is_err() {
                    return Err(broken("a value is none"));
                }
                self.at += end;
                Kind::Other
            }
            None => return Err(broken("it ends too early")),
        };
        Ok(Node { place: start..self.at, kind })
    }

    fn object(&mut self, depth: usize) -> Result<Kind, TemplateError> {
        self.at += 1;
        let mut members = Vec::new();
        loop {
            self.skip()?;
            if self.take(b'}') {
                return Ok(Kind::Object(members));
            }
            if self.peek() != Some(b'"') {
                return Err(broken("a name is missing"));
            }
            let name = self.string()?;
            self.skip()?;
            if !self.take(b':') {
                return Err(broken("a ':' is missing"));
            }
            members.push((name, self.value(depth + 1)?));
            self.skip()?;
            if !self.take(b',') && self.peek() != Some(b'}') {
                return Err(broken("a ',' is missing"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Kind, TemplateError> {
        self.at += 1;
        let mut elements = Vec::new();
        loop {
            self.skip()?;
            if self.take(b']') {
                return Ok(Kind::Array(elements));
            }
            elements.push(self.value(depth + 1)?);
            self.skip()?;
            if !self.take(b',') && self.peek() != Some(b']') {
                return Err(broken("a ',' is missing"));
            }
        }
    }

    fn string(&mut self) -> Result<String, TemplateError> {
        let mut escaped = false;
        for (index, byte) in self.rest().bytes().enumerate().skip(1) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    let quoted = self.rest().get(..=index).unwrap_or_default();
                    let text = serde_json::from_str(quoted).map_err(|_| broken("a text is none"))?;
                    self.at += index + 1;
                    return Ok(text);
                }
                _ => {}
            }
        }
        Err(broken("a text has no end"))
    }
}

fn read(text: &str) -> Result<Node, TemplateError> {
    let mut reader = Reader { text, at: 0 };
    let node = reader.value(0)?;
    reader.skip()?;
    if reader.at < text.len() {
        return Err(broken("something follows its end"));
    }
    Ok(node)
}

/// How the file is laid out.
struct Style {
    unit: String,
    end: &'static str,
}

impl Style {
    fn of(text: &str) -> Self {
        let indented = text.lines().find(|line| line.starts_with([' ', '\t']) && !line.trim().is_empty());
        let unit =
            indented.map_or("  ", |line| line.get(..line.len() - line.trim_start().len()).unwrap_or("  "));
        // The first line that is indented is so by one step, but in a file that begins inside.
        let unit = if unit.starts_with('\t') { "\t" } else { unit };
        Self { unit: unit.to_owned(), end: if text.contains("\r\n") { "\r\n" } else { "\n" } }
    }

    /// Returns the value as it stands on a line with this indentation.
    fn write(&self, value: &Value, indent: &str) -> String {
        let inner = format!("{indent}{}", self.unit);
        let list = |open: char, items: Vec<String>, close: char| {
            if items.is_empty() {
                return format!("{open}{close}");
            }
            let between = format!(",{}{inner}", self.end);
            format!("{open}{end}{inner}{}{end}{indent}{close}", items.join(&between), end = self.end)
        };
        match value {
            Value::Object(members) => {
                let member = |(name, value): (&String, &Value)| {
                    format!("{}: {}", Value::String(name.clone()), self.write(value, &inner))
                };
                list('{', members.iter().map(member).collect(), '}')
            }
            // Words on one line, as everybody writes them.
            Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Array(items) => {
                list('[', items.iter().map(|item| self.write(item, &inner)).collect(), ']')
            }
            other => other.to_string(),
        }
    }
}

/// Returns the text with one more item, the last one of this object or array.
fn insert(text: &str, whole: &Node, items: &[Range<usize>], item: &dyn Fn(&Style, &str) -> String) -> String {
    let style = Style::of(text);
    let line_indent = |at: usize| {
        let line = text.get(..at).unwrap_or_default().rsplit('\n').next().unwrap_or_default();
        line.get(..line.len() - line.trim_start().len()).unwrap_or_default().to_owned()
    };
    let outer = line_indent(whole.place.start);
    let inner = format!("{outer}{}", style.unit);
    let close = whole.place.end - 1;
    let inside = text.get(whole.place.start..close).unwrap_or_default();
    let Some(last) = items.last() else {
        // Comments in it stay before what is inserted.
        let kept = whole.place.start + inside.trim_end().len();
        let gap = text.get(kept..close).unwrap_or_default();
        let gap = if gap.contains('\n') { gap.to_owned() } else { format!("{}{outer}", style.end) };
        let item = item(&style, &inner);
        return [&text[..kept], style.end, &inner, &item, &gap, &text[close..]].concat();
    };
    let first = items.first().map_or(last.start, |first| first.start);
    if !text.get(whole.place.start..first).unwrap_or_default().contains('\n') {
        // All on one line stays on one line.
        let mut reader = Reader { text, at: last.end };
        let comma = reader.skip().is_ok() && reader.take(b',');
        let at = if comma { reader.at } else { last.end };
        let item = item(&style, &outer);
        return [&text[..at], if comma { " " } else { ", " }, &item, &text[at..]].concat();
    }
    let inner = line_indent(first);
    let mut reader = Reader { text, at: last.end };
    let comma = reader.skip().is_ok() && reader.take(b',');
    let after = if comma { reader.at } else { last.end };
    // What is said of the last item on its own line stays with it.
    let line = text.get(after..close).unwrap_or_default();
    let stays = line.find('\n').map_or(0, |end| line.get(..end).unwrap_or_default().trim_end().len());
    let item = item(&style, &inner);
    [
        &text[..last.end],
        if comma { "" } else { "," },
        &text[last.end..after + stays],
        style.end,
        &inner,
        &item,
        &text[after + stays..],
    ]
    .concat()
}

/// Returns the text, or an empty document where there is none.
fn start<'a>(text: &'a str, empty: &'a str) -> &'a str {
    if text.trim_matches(['\u{feff}', ' ', '\t', '\r', '\n']).is_empty() { empty } else { text }
}

/// Walks down as far as the members are there. Returns the last one found, and how many names led to it.
fn descend<'a>(root: &'a Node, path: &[&str]) -> Result<(&'a Node, usize), TemplateError> {
    let mut node = root;
    for (depth, name) in path.iter().enumerate() {
        let Kind::Object(members) = &node.kind else { return Err(not_a("object", &path[..depth])) };
        // Of two with one name the last counts.
        match members.iter().rev().find(|(known, _)| known == name) {
            Some((_, member)) => node = member,
            None => return Ok((node, depth)),
        }
    }
    Ok((node, path.len()))
}

/// Ensures a member of the object at this path.
pub(super) fn member(text: &str, path: &[&str], name: &str, value: &Value) -> Result<String, TemplateError> {
    let text = start(text, "{}\n");
    let root = read(text)?;
    let (node, depth) = descend(&root, path)?;
    let Kind::Object(members) = &node.kind else { return Err(not_a("object", &path[..depth])) };
    if depth == path.len() && members.iter().any(|(known, _)| known == name) {
        return Ok(text.to_owned());
    }
    // What is missing on the way is made with it.
    let mut missing: Vec<&str> = path[depth..].to_vec();
    missing.push(name);
    let (first, below) = missing.split_first().map_or((name, &[][..]), |(first, below)| (*first, below));
    let nested = below.iter().rev().fold(value.clone(), |inner, name| {
        Value::Object([((*name).to_owned(), inner)].into_iter().collect())
    });
    let places: Vec<Range<usize>> = members.iter().map(|(_, member)| member.place.clone()).collect();
    let item = |style: &Style, indent: &str| {
        format!("{}: {}", Value::String(first.to_owned()), style.write(&nested, indent))
    };
    Ok(insert(text, node, &places, &item))
}

/// Ensures an element of the array at this path.
pub(super) fn element(text: &str, path: &[&str], mark: &str, value: &Value) -> Result<String, TemplateError> {
    let text = start(text, if path.is_empty() { "[]\n" } else { "{}\n" });
    let root = read(text)?;
    let (node, depth) = descend(&root, path)?;
    if depth < path.len() {
        let (name, above) = path.split_last().map_or(("", path), |(last, above)| (*last, above));
        return member(text, above, name, &Value::Array(vec![value.clone()]));
    }
    let Kind::Array(elements) = &node.kind else { return Err(not_a("array", path)) };
    let says = |element: &Node| text.get(element.place.clone()).is_some_and(|text| text.contains(mark));
    if elements.iter().any(says) {
        return Ok(text.to_owned());
    }
    let places: Vec<Range<usize>> = elements.iter().map(|element| element.place.clone()).collect();
    Ok(insert(text, node, &places, &|style, indent| style.write(value, indent)))
}

/// Ensures that the shell command at this path runs this one, too, after what it runs already.
pub(super) fn command(text: &str, path: &[&str], command: &str) -> Result<String, TemplateError> {
    let text = start(text, "{}\n");
    let root = read(text)?;
    let (node, depth) = descend(&root, path)?;
    if depth < path.len() {
        let (name, above) = path.split_last().map_or(("", path), |(last, above)| (*last, above));
        return member(text, above, name, &Value::String(command.to_owned()));
    }
    let Kind::Text(old) = &node.kind else { return Err(not_a("text", path)) };
    if old.contains(command) {
        return Ok(text.to_owned());
    }
    let quote = node.place.end - 1;
    let joint = if old.trim().is_empty() { "" } else { "; " };
    Ok([&text[..quote], joint, command, &text[quote..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn mcp(text: &str) -> String {
        let value = json!({ "command": "git-port", "args": ["mcp"] });
        member(text, &["mcpServers"], "git-port", &value).unwrap()
    }

    #[test]
    fn what_is_missing_is_inserted_and_the_rest_stays() {
        let ours = "\"git-port\": {\n      \"args\": [\"mcp\"],\n      \"command\": \"git-port\"\n    }";
        assert_eq!(mcp(""), format!("{{\n  \"mcpServers\": {{\n    {ours}\n  }}\n}}\n"));
        assert_eq!(
            mcp("{\n  \"mcpServers\": {\n    \"a\": {} // the first\n  }\n}\n"),
            format!("{{\n  \"mcpServers\": {{\n    \"a\": {{}}, // the first\n    {ours}\n  }}\n}}\n")
        );
        // A comma behind the last one stays where it is.
        assert_eq!(
            mcp("{\n  \"mcpServers\": {\n    \"a\": {}, /* x */\n    // none yet\n  },\n}"),
            format!(
                "{{\n  \"mcpServers\": {{\n    \"a\": {{}}, /* x */\n    {ours}\n    // none yet\n  }},\n}}"
            )
        );
        assert_eq!(
            mcp("{\r\n\t\"mcpServers\": {\r\n\t\t// none\r\n\t}\r\n}"),
            "{\r\n\t\"mcpServers\": {\r\n\t\t// none\r\n\t\t\"git-port\": {\r\n\t\t\t\"args\": [\"mcp\"],\r\n\
             \t\t\t\"command\": \"git-port\"\r\n\t\t}\r\n\t}\r\n}"
        );
        assert!(mcp("{\"a\": 1}").starts_with("{\"a\": 1, \"mcpServers\": {"));
        // What somebody else has put there counts.
        let theirs = "{\"mcpServers\":{\"git-port\":{\"command\":\"/opt/git-port\"}}}";
        assert_eq!(mcp(theirs), theirs);
    }

    #[test]
    fn elements_and_commands_are_added_once() {
        let text = "[\n  { \"label\": \"x\" }\n]\n";
        let added = element(text, &[], "git-port", &json!({ "label": "git-port" })).unwrap();
        assert_eq!(added, "[\n  { \"label\": \"x\" },\n  {\n    \"label\": \"git-port\"\n  }\n]\n");
        assert_eq!(element(&added, &[], "git-port", &json!(1)).unwrap(), added);
        let run =
            command("{\"scripts\":{\"setup\":\"npm i\"}}", &["scripts", "setup"], "git-port x").unwrap();
        assert_eq!(run, "{\"scripts\":{\"setup\":\"npm i; git-port x\"}}");
        assert_eq!(command(&run, &["scripts", "setup"], "git-port x").unwrap(), run);
    }

    #[test]
    fn what_cannot_be_read_is_left_alone() {
        for text in [
            "{",
            "[]",
            "{\"mcpServers\": []}",
            "{\"mcpServers\": null}",
            "{a:1}",
            "{} {}",
            "{\"a\" 1}",
            "nope",
        ] {
            assert!(member(text, &["mcpServers"], "x", &json!(1)).is_err(), "{text}");
        }
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(member(&deep, &[], "x", &json!(1)).is_err());
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[ -~é\"\\\\/]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z/\"]{1,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_document_keeps_all_it_says(
            others in prop::collection::btree_map("[a-z]{1,5}", values(), 0..5),
            pretty in any::<bool>(),
        ) {
            let old = Value::Object(others.into_iter().collect());
            let text = if pretty { serde_json::to_string_pretty(&old) } else { serde_json::to_string(&old) }.unwrap();
            let merged = member(&text, &["mcp-servers"], "git-port", &json!({ "a": [1] })).unwrap();
            let mut new: Value = serde_json::from_str(&merged).unwrap();
            prop_assert_eq!(&new["mcp-servers"]["git-port"]["a"][0], 1);
            new.as_object_mut().unwrap().remove("mcp-servers");
            prop_assert_eq!(new, old);
            prop_assert_eq!(member(&merged, &["mcp-servers"], "git-port", &json!(2)).unwrap(), merged.clone());
            // Nothing but insertions: what was there is what is left, in order.
            let mut rest = merged.bytes();
            prop_assert!(text.bytes().all(|byte| rest.any(|one| one == byte)));
        }
    }
}
