//! JSON as text that may be shown: nothing in it acts on a terminal, or hides from whoever reads it.

use std::fmt::Write;

use serde::Serialize;

/// Returns the object on one line.
pub fn render(body: &impl Serialize) -> String {
    // Serialising our own structs cannot fail; their maps have string keys.
    hide(&serde_json::to_string(body).unwrap_or_default())
}

/// Says whether a character could act on a terminal: control characters (C0, DEL, C1), marks that reorder or
/// hide text, and what stood for invalid UTF-8.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffd}' | '\u{e0000}'..='\u{e007f}')
}

/// JSON escapes C0 by itself; the rest would reach a terminal that shows it.
fn hide(json: &str) -> String {
    let mut hidden = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unsafe(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(hidden, "\\u{unit:04x}");
            }
        } else {
            hidden.push(c);
        }
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_json_says_the_same() {
        let text = "a\u{9b}\u{202e}\u{e0041}é";
        let hidden = render(&text);
        assert!(!hidden.contains('\u{202e}'));
        assert_eq!(serde_json::from_str::<String>(&hidden).unwrap(), text);
    }
}
