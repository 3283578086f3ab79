//! Templates in words.

use crate::ops::template::{Known, Origin};
use crate::output::{Cell, Output, Style, Table, escape};

/// Prints which templates there are.
pub fn templates(out: &Output, known: &[Known]) {
    let mut table = Table::new(&["NAME", "FILE", "WHAT IT DOES", "RESTS ON"]);
    for one in known {
        let style = if one.trusted { Style::Strong } else { Style::Faint };
        let own = if one.origin == Origin::BuiltIn { Style::Plain } else { Style::Good };
        table.row(vec![
            Cell::new(&one.name).style(style),
            Cell::new(one.file.as_deref().unwrap_or("-")),
            Cell::new(&one.about).style(own),
            Cell::new(one.tried.as_deref().unwrap_or("-")),
        ]);
    }
    table.print(out);
}

/// Prints a diff as the answer.
pub fn diff(out: &Output, diff: &str) {
    diff.lines().for_each(|line| out.line(&painted(out, line)));
}

/// Shows a diff before the answer.
pub fn diff_on_stderr(out: &Output, diff: &str) {
    if !out.is_quiet() {
        diff.lines().for_each(|line| out.tell(&harmless(line)));
    }
}

fn painted(out: &Output, line: &str) -> String {
    let style = match line.as_bytes().first() {
        Some(b'+') => Style::Good,
        Some(b'-') => Style::Bad,
        Some(b'@') => Style::Faint,
        _ => Style::Plain,
    };
    out.paint(style, &harmless(line))
}

/// Tabs are what makefiles are made of; everything else that a terminal would act on is escaped.
fn harmless(line: &str) -> String {
    line.split('\t').map(escape).collect::<Vec<_>>().join("\t")
}
