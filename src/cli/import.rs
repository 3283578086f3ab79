//! `git port import`

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::api::views::ImportView;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exchange::Format;
use crate::ops::import::{self, ImportRequest, Source};
use crate::output::{Output, text};
use crate::registry::import::OnConflict;
use crate::registry::{EnvironmentName, ProjectName};

/// Take ports over from a document of git-port or of another tool
///
/// It happens in one transaction, whole or not at all. A row that names neither a project nor a worktree
/// belongs to the worktree you stand in, as with 'allocate'.
#[derive(Debug, clap::Args)]
#[command(after_help = "Signs:\n  \
    +  new    =  there already    ~  conflict    -  skipped\n  \
    !  new, but outside the range of its environment, or reserved\n\n\
    Examples:\n  \
    git port import ports.json                 what 'git port export' wrote\n  \
    git port import --dry-run compose.yaml     what would be done\n  \
    git port import ports.md -e production --project edge\n  \
    pg_dump -t remote_agent_port_allocations scar | git port import -\n  \
    git port import --from listening           what runs now in your worktrees")]
pub(super) struct Args {
    /// The file, or - for standard input
    #[arg(value_name = "file", required_unless_present = "from")]
    file: Option<PathBuf>,
    /// Its format [default: found out by name and content]
    #[arg(long, value_name = "format", value_parser = format_names(), hide_possible_values = true)]
    #[arg(long_help = "Its format: json, csv, tsv, markdown, dotenv, compose, services, scar, localdb or \
        portool [default: found out by name and content]")]
    format: Option<String>,
    /// Take over what listens now
    #[arg(long, value_name = "what", conflicts_with_all = ["file", "format"], value_enum)]
    from: Option<From>,
    /// Only say what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// What to do with a row that somebody is in the way of
    #[arg(long, value_name = "what", value_enum, default_value = "fail")]
    on_conflict: Policy,
    /// The project of rows that name none
    #[arg(short, long, value_name = "name")]
    project: Option<ProjectName>,
    /// The environment of rows that name none [default: dev]
    #[arg(short, long, value_name = "name")]
    environment: Option<EnvironmentName>,
    /// Take production ports from ranges of dev and test
    #[arg(short, long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum From {
    /// What listens now in worktrees of known repositories
    Listening,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Policy {
    /// Import nothing
    Fail,
    /// Leave it out
    Skip,
    /// Take the port, unless its worktree is alive
    Replace,
}

fn format_names() -> clap::builder::PossibleValuesParser {
    Format::ALL.map(Format::name).into()
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let source = match self.file {
            None => Source::Listening,
            Some(file) if file.as_os_str() == "-" => Source::Stdin,
            Some(file) => Source::File(file),
        };
        let format = |name: String| Format::ALL.into_iter().find(|format| format.name() == name);
        let request = ImportRequest {
            source,
            format: self.format.and_then(format),
            dry_run: self.dry_run,
            on_conflict: match self.on_conflict {
                Policy::Fail => OnConflict::Fail,
                Policy::Skip => OnConflict::Skip,
                Policy::Replace => OnConflict::Replace,
            },
            project: self.project,
            environment: self.environment,
            force: self.force,
        };
        let imported = told_meanwhile(out, || import::import(ctx, &request))?;
        let refusal = import::refusal(&imported);
        out.warnings(&imported.warnings);
        if out.is_json() {
            out.object(ImportView::new(&imported, refusal.as_ref(), &ctx.host.name));
        } else {
            text::imported(out, &imported);
            if let Some(error) = &refusal {
                out.error(error);
            }
        }
        Ok(refusal.as_ref().map_or(0, Error::exit_status))
    }
}

/// Does the work, and tells whoever watches how long it has been going on.
fn told_meanwhile<T>(out: &Output, work: impl FnOnce() -> T) -> T {
    if !out.is_watched() {
        return work();
    }
    let narrator = out.narrator();
    let (done, ended) = mpsc::channel::<()>();
    let started = Instant::now();
    let teller = thread::spawn(move || {
        while ended.recv_timeout(Duration::from_secs(1)) == Err(mpsc::RecvTimeoutError::Timeout) {
            narrator.status(&format!("importing, {} s so far", started.elapsed().as_secs()));
        }
    });
    let answer = work();
    drop(done);
    // It ends at once, and a failure of it would be no failure of the import.
    let _ = teller.join();
    answer
}
