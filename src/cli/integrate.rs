//! `git port integrate`

use serde::Serialize;

use crate::api::views::ErrorBody;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ops::integrate::{self, Act, Merged};
use crate::output::text::template as text;
use crate::output::{Cell, Output, Style, Table};

/// Tell an agent or an app that makes worktrees about git-port
///
/// Prints what is to stand in the tool's files, or merges it into them: whatever else is there stays as it
/// is, and twice is once. No port stands in it, so the files can be committed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    git port integrate --list\n  \
    git port integrate claude                    print it\n  \
    git port integrate claude --write            merge it into the project's files\n  \
    git port integrate agents-md --dry-run")]
pub(super) struct Args {
    /// The tool [default: show which there are]
    #[arg(value_name = "tool")]
    tool: Option<String>,
    /// Show the tools there are
    #[arg(short, long, conflicts_with_all = ["tool", "write"])]
    list: bool,
    /// Write it into the tool's files
    #[arg(short, long, requires = "tool")]
    write: bool,
    /// Show what --write would change, and write nothing
    #[arg(short = 'n', long, requires = "tool")]
    dry_run: bool,
}

#[derive(Serialize)]
struct ListView {
    tools: Vec<ToolView>,
}

#[derive(Serialize)]
struct ToolView {
    name: &'static str,
    about: &'static str,
}

#[derive(Serialize)]
struct View {
    files: Vec<FileView>,
}

#[derive(Serialize)]
struct FileView {
    file: String,
    about: &'static str,
    text: String,
    diff: String,
    written: bool,
    error: Option<ErrorBody>,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let Some(tool) = self.tool else {
            list(out);
            return Ok(0);
        };
        let act = match (self.write, self.dry_run) {
            (_, true) => Act::DryRun,
            (true, false) => Act::Write,
            _ => Act::Show,
        };
        let files = integrate::integrate(ctx, &tool, act)?;
        let status = files.iter().find_map(|file| file.conflict.as_ref()).map_or(0, Error::exit_status);
        if out.is_json() {
            out.object(View { files: files.into_iter().map(view).collect() });
        } else {
            for file in &files {
                show(out, act, file);
            }
        }
        Ok(status)
    }
}

fn list(out: &Output) {
    let known = integrate::list();
    if out.is_json() {
        let tools = known.iter().map(|one| ToolView { name: one.name, about: one.about });
        out.object(ListView { tools: tools.collect() });
        return;
    }
    let mut table = Table::new(&["TOOL", "WHAT IT GETS"]);
    for one in known {
        table.row(vec![Cell::new(one.name).style(Style::Strong), Cell::new(one.about)]);
    }
    table.print(out);
}

fn show(out: &Output, act: Act, file: &Merged) {
    if let Some(error) = &file.conflict {
        out.complain(error);
    }
    match act {
        Act::Write if file.written => {
            text::diff_on_stderr(out, &file.diff);
            out.line(&format!("Wrote {}", file.file));
        }
        Act::Write | Act::DryRun if file.conflict.is_none() && file.diff.is_empty() => {
            out.status(&format!("'{}' is up to date", file.file));
        }
        Act::DryRun if file.conflict.is_none() => text::diff(out, &file.diff),
        // By hand, or only shown.
        _ => {
            out.status(&format!("{}: {}", file.file, file.about));
            out.raw(file.text.as_bytes());
        }
    }
}

fn view(merged: Merged) -> FileView {
    let Merged { file, about, text, diff, written, conflict } = merged;
    FileView { file, about, text, diff, written, error: conflict.as_ref().map(ErrorBody::from) }
}
