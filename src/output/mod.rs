//! Standard output and standard error. The answer goes to the one, everything else to the other.
//!
//! Names come from branches, folders and other people's configuration, so whatever could move the cursor,
//! hide or reorder text is shown as an escape.

mod table;
pub mod text;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::api::json::{self, is_unsafe};
use crate::api::views::{ErrorView, Versioned};
use crate::config::Environment;
use crate::error::Error;

pub use table::{Cell, Table};

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How text stands out. No meaning rests on it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// What one looks for.
    Strong,
    /// What one may overlook.
    Faint,
    /// All is well.
    Good,
    /// Look here.
    Warning,
    /// This failed.
    Bad,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "31",
        }
    }
}

/// The two streams of a command.
pub struct Output {
    json: bool,
    quiet: bool,
    verbose: bool,
    color: bool,
    color_on_stderr: bool,
    width: Option<usize>,
    pending: RefCell<Vec<u8>>,
    failure: RefCell<Option<io::Error>>,
}

/// Returns the columns of the terminal that standard output is; `COLUMNS` wins, as with git.
fn terminal_width(environment: &Environment) -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let told = environment.os("COLUMNS").and_then(|columns| columns.to_str()?.parse().ok());
    told.or_else(|| terminal_size::terminal_size().map(|(width, _)| width.0.into()))
        .filter(|width| *width > 0)
}

/// Breaks prose into lines of at most this many columns; a longer word has a line of its own.
fn wrapped(text: &str, indent: &str, columns: usize) -> String {
    let mut broken = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        if column > 0 && column + 1 + word.width() > columns {
            broken.push('\n');
            broken.push_str(indent);
            column = indent.width();
        } else if column > 0 {
            broken.push(' ');
            column += 1;
        }
        broken.push_str(word);
        column += word.width();
    }
    broken
}

/// How much of an answer waits to be written.
const PENDING: usize = 64 * 1024;

impl Output {
    /// Returns the streams, with colour as chosen, or as `NO_COLOR`, `CLICOLOR_FORCE` and `TERM` say.
    pub fn new(
        environment: &Environment,
        choice: ColorChoice,
        json: bool,
        quiet: bool,
        verbose: bool,
    ) -> Self {
        let is_set = |name: &str| environment.os(name).is_some_and(|value| value != "0");
        let wanted = |terminal: bool| match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                let forbidden = environment.os("NO_COLOR").is_some()
                    || environment.os("TERM").is_some_and(|term| term == "dumb");
                is_set("CLICOLOR_FORCE") || (terminal && !forbidden)
            }
        };
        Self {
            json,
            quiet,
            verbose,
            color: wanted(io::stdout().is_terminal()),
            color_on_stderr: wanted(io::stderr().is_terminal()),
            width: if verbose { None } else { terminal_width(environment) },
            pending: RefCell::default(),
            failure: RefCell::new(None),
        }
    }

    /// Returns another pair of streams like these, for a thread that tells what goes on meanwhile.
    #[must_use]
    pub fn narrator(&self) -> Self {
        Self { pending: RefCell::default(), failure: RefCell::new(None), ..*self }
    }

    /// Says whether a program reads the answer.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Says whether only the answer and errors are wanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Says whether more than usual is wanted.
    pub fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Says whether somebody watches standard error and wants to know what goes on.
    pub fn is_watched(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Returns how many columns a line of the answer may take; none where nobody cuts it.
    fn width(&self) -> Option<usize> {
        self.width
    }

    /// Returns the text in this style, for standard output.
    pub fn paint(&self, style: Style, text: &str) -> String {
        painted(self.color, style, text)
    }

    /// Prints an object for a program: the whole answer.
    pub fn object(&self, body: impl Serialize) {
        self.write(format!("{}\n", json::render(&Versioned::new(body))).as_bytes());
    }

    /// Prints a line of the answer for people. It must have been escaped where that matters.
    pub fn line(&self, line: &str) {
        self.write(format!("{line}\n").as_bytes());
    }

    /// Prints prose, in lines as long as the terminal has room for; what follows the first begins with this.
    pub fn prose(&self, text: &str, indent: &str) {
        self.line(&wrapped(text, indent, self.width.unwrap_or(usize::MAX)));
    }

    /// Prints bytes as they are: a value, a path, a file.
    pub fn raw(&self, bytes: &[u8]) {
        self.write(bytes);
    }

    /// A table of a thousand lines is one write, not a thousand.
    fn write(&self, bytes: &[u8]) {
        self.pending.borrow_mut().extend_from_slice(bytes);
        if self.pending.borrow().len() > PENDING {
            self.flush();
        }
    }

    /// Sends what was printed on its way: for a command that goes on.
    pub fn flush(&self) {
        let pending = std::mem::take(&mut *self.pending.borrow_mut());
        let mut failure = self.failure.borrow_mut();
        if failure.is_none() && !pending.is_empty() {
            let mut stdout = io::stdout().lock();
            *failure = stdout.write_all(&pending).and_then(|()| stdout.flush()).err();
        }
    }

    /// Tells what is going on, unless only the answer is wanted.
    pub fn status(&self, message: &str) {
        if !self.quiet {
            self.tell(&escape(message));
        }
    }

    /// Warns.
    pub fn warning(&self, message: &str) {
        let label = painted(self.color_on_stderr, Style::Warning, "warning:");
        self.tell(&format!("{label} {}", escape(message)));
    }

    /// Tells all of them.
    pub fn warnings<'a>(&self, messages: impl IntoIterator<Item = &'a String>) {
        // With --json they are in the object.
        if !self.json {
            messages.into_iter().for_each(|message| self.warning(message));
        }
    }

    /// Says what to do.
    pub fn hint(&self, message: &str) {
        if !self.quiet {
            let label = painted(self.color_on_stderr, Style::Faint, "hint:");
            self.tell(&format!("{label} {}", escape(message)));
        }
    }

    /// Reports a failure: for a program as the answer, for people on standard error.
    pub fn error(&self, error: &Error) {
        if self.json {
            self.object(ErrorView::from(error));
        } else {
            self.complain(error);
        }
    }

    /// Reports a failure in words, whoever reads the answer.
    pub fn complain(&self, error: &Error) {
        let label = painted(self.color_on_stderr, Style::Bad, "error:");
        self.tell(&format!("{label} {}", escape(&error.full_message())));
        for hint in &error.hints {
            self.hint(hint);
        }
    }

    /// On a terminal both streams are read as one, so what was printed before comes before.
    fn tell(&self, line: &str) {
        self.flush();
        // Nobody is left to tell that standard error is closed.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// Returns what went wrong with standard output. A reader that has seen enough is no failure, as
    /// for every Unix tool that ends a pipe.
    pub fn finish(&self) -> Option<io::Error> {
        self.flush();
        self.failure.borrow_mut().take().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.flush();
    }
}

fn painted(color: bool, style: Style, text: &str) -> String {
    match style.code() {
        code if color && !code.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
        _ => text.to_owned(),
    }
}

/// Returns the text with everything that could act on a terminal shown as an escape: control characters
/// (C0, DEL, C1), marks that reorder or hide text, and what stood for invalid UTF-8.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            let _ = write!(escaped, "\\u{{{:x}}}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_a_terminal() {
        assert_eq!(escape("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(escape("\u{9b}31m \u{202e}x\u{200b} \u{7f}"), "\\u{9b}31m \\u{202e}x\\u{200b} \\u{7f}");
        assert_eq!(escape("日本 été"), "日本 été");
    }

    #[test]
    fn prose_is_broken_between_words() {
        let text = "- one two three fourteenletters 日本 five";
        assert_eq!(wrapped(text, "  ", 14), "- one two\n  three\n  fourteenletters\n  日本 five");
        assert_eq!(wrapped(text, "  ", usize::MAX), text);
        assert_eq!(wrapped("", "", 5), "");
    }
}
