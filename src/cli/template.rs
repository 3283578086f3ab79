//! `git port template`

use crate::api::views::template::{TemplatedView, TemplatesView};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ops::template::{self, Act, Outcome, TemplateRequest, Templated};
use crate::output::{Output, escape, text};
use crate::registry::{EnvironmentName, ServiceName};

/// Print what a tool needs to take its port, or write it into its file
///
/// Every template works without git-port, too: the tool's own port is the fallback. Yours go into
/// ~/.config/git-port/templates/<name>.j2.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    git port template --list\n  \
    git port template vite                     print it\n  \
    git port template docker-compose --write   write the override file\n  \
    git port template dotenv --write --into .env.local\n  \
    git port template make --dry-run           show what would change")]
pub(super) struct Args {
    /// The template [default: show which there are]
    #[arg(value_name = "name")]
    name: Option<String>,
    /// Show the templates there are
    #[arg(short, long, conflicts_with_all = ["name", "write", "diff"])]
    list: bool,
    /// Write it into its file, if that is git-port's to write
    #[arg(short, long, requires = "name")]
    write: bool,
    /// Show how its file would change, and write nothing
    #[arg(long, conflicts_with = "write", requires = "name")]
    diff: bool,
    /// Show what --write would change, and write nothing
    #[arg(short = 'n', long, requires = "name", conflicts_with = "diff")]
    dry_run: bool,
    /// Another file than its own, from the top of the worktree
    #[arg(long, value_name = "file")]
    into: Option<String>,
    /// The service it is for [default: the primary one]
    #[arg(short, long, value_name = "name")]
    service: Option<ServiceName>,
    /// The environment [default: dev]
    #[arg(short, long, value_name = "name")]
    environment: Option<EnvironmentName>,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let Some(name) = self.name else {
            let known = template::list(ctx)?;
            if out.is_json() {
                out.object(TemplatesView::from(known.as_slice()));
            } else {
                text::template::templates(out, &known);
            }
            return Ok(0);
        };
        let act = match (self.write, self.dry_run, self.diff) {
            (_, true, _) => Act::DryRun,
            (true, false, _) => Act::Write,
            (_, _, true) => Act::Compare,
            _ => Act::Show,
        };
        let (service, environment) = (self.service, self.environment);
        let request = TemplateRequest { name, service, environment, into: self.into, act };
        let mut templated = template::template(ctx, &request)?;
        templated.warnings.extend(ctx.take_notes());
        if out.is_json() {
            if let Outcome::Conflict(error) = templated.outcome {
                return Err(error);
            }
            out.object(TemplatedView::from(&templated));
            return Ok(0);
        }
        out.warnings(&templated.warnings);
        Ok(answer(out, act, templated))
    }
}

/// The text is the answer wherever it was not written; the diff is, where it was asked for.
fn answer(out: &Output, act: Act, templated: Templated) -> u8 {
    let file = templated.file.as_deref().map(escape).unwrap_or_default();
    let diff = templated.diff.as_deref().unwrap_or_default();
    match templated.outcome {
        Outcome::Shown if act == Act::Compare => text::template::diff(out, diff),
        Outcome::Unchanged if act == Act::Compare => out.status(&format!("'{file}' would not change")),
        Outcome::Shown => {
            out.raw(templated.text.as_bytes());
            // The comment above the text says so, where the file has comments.
            if let (Some(tried), Some(check)) = (&templated.tried, &templated.check)
                && !templated.text.contains(check)
                && templated.name != "dotenv"
            {
                out.status(&format!("for {file} ({tried}); it works if {check}"));
            }
        }
        Outcome::Unchanged => out.status(&format!("'{file}' is up to date")),
        Outcome::Written => {
            text::template::diff_on_stderr(out, diff);
            out.line(&format!("Wrote {file}"));
            if let Some(check) = &templated.check {
                out.status(&format!("it works if {check}"));
            }
        }
        Outcome::WouldBeWritten => text::template::diff_on_stderr(out, diff),
        Outcome::ByHand(why) => {
            out.raw(templated.text.as_bytes());
            let place = if file.is_empty() { String::new() } else { format!(" for {file}") };
            out.status(&format!("printed{place}: {why}"));
        }
        Outcome::Conflict(error) => {
            out.raw(templated.text.as_bytes());
            return complain(out, &error);
        }
    }
    0
}

fn complain(out: &Output, error: &Error) -> u8 {
    out.complain(error);
    error.exit_status()
}
