//! The console blocks of the documents: each command is run, and what it prints is what is shown.
//!
//! `GIT_PORT_TESTS_BLESS=1` writes what came in place of what is shown; read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Run, TestEnv};

/// Ports are shown as on a machine that has nothing else on it; 8000 is avoided.
const SHOWN: u16 = 8001;

/// How many ports a document may need.
const PORTS: u16 = 40;

/// A place where the commands of a document run, one after the other.
pub(super) struct Stage {
    env: TestEnv,
    dir: PathBuf,
    /// Whether what programs say besides their answer is shown, too.
    with_stderr: bool,
}

impl Stage {
    pub(super) fn new(env: TestEnv, dir: &Path, with_stderr: bool) -> Self {
        Self { env, dir: dir.to_owned(), with_stderr }
    }

    /// Runs a line as a shell at `$ ` would, and returns what it prints, as a document shows it.
    pub(super) fn run(&mut self, line: &str) -> String {
        if let Some(to) = line.strip_prefix("cd ") {
            self.dir = self.dir.join(to).canonicalize().unwrap();
            return String::new();
        }
        let mut line = line.to_owned();
        for index in 0..PORTS {
            line = line.replace(&(SHOWN + index).to_string(), &self.env.port(index).to_string());
        }
        let line = line.replace("cargo run --release --", "git-port").replace("/home/me", &self.root());
        let redirected = if self.with_stderr { format!("exec 2>&1; {line}") } else { line };
        let output = self.env.command("sh", &self.dir).args(["-c", &redirected]).output();
        let run = Run::of(output.unwrap());
        let mut shown = run.stdout.replace(&self.root(), "/home/me");
        for index in 0..PORTS {
            let (real, short) = (self.env.port(index).to_string(), (SHOWN + index).to_string());
            // A table keeps its columns.
            shown = shown.replace(&format!("{real}  "), &format!("{short:<width$}  ", width = real.len()));
            shown = shown.replace(&real, &short);
        }
        let mut kept = String::new();
        for line in shown.lines() {
            kept.push_str(line.trim_end());
            kept.push('\n');
        }
        kept
    }

    fn root(&self) -> String {
        self.env.root().to_str().unwrap().to_owned()
    }
}

/// The lines without what depends on the width of a number.
fn squeezed(text: &str) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(words).collect()
}

/// Runs the document's commands and compares; returns how many there were. `with_stderr` is for documents
/// that show what programs say besides their answer.
#[track_caller]
pub(super) fn is_as_shown(document: &str, env: TestEnv, dir: &Path, with_stderr: bool) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = fs::read_to_string(&path).unwrap();
    let mut stage = Stage::new(env, dir, with_stderr);
    let (mut written, mut count, mut wrong) = (String::new(), 0, String::new());
    let mut in_console = false;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        written.push_str(line);
        written.push('\n');
        match line {
            "```console" => in_console = true,
            "```" => in_console = false,
            _ => {}
        }
        let Some(command) = line.strip_prefix("$ ").filter(|_| in_console) else { continue };
        let mut shown = String::new();
        while let Some(next) = lines.next_if(|next| *next != "```" && !next.starts_with("$ ")) {
            shown.push_str(next);
            shown.push('\n');
        }
        let comes = stage.run(command);
        if squeezed(&comes) != squeezed(&shown) {
            wrong.push_str(&format!("$ {command}\n{comes}\nin place of\n{shown}\n"));
        }
        written.push_str(&comes);
        count += 1;
    }
    if std::env::var_os("GIT_PORT_TESTS_BLESS").is_some() {
        fs::write(path, written).unwrap();
    } else {
        assert!(wrong.is_empty(), "{document}:\n{wrong}");
    }
    count
}
