//! `git port explain`

use serde::Serialize;

use crate::error::Result;
use crate::ops::explain::{self, Explained};
use crate::output::Output;

/// Explain an error code, and what to do about it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    git port explain               every code on a line\n  \
    git port explain range_full")]
pub(super) struct Args {
    /// The code, as --json prints it [default: all]
    #[arg(value_name = "code")]
    code: Option<String>,
}

#[derive(Serialize)]
struct View {
    codes: Vec<CodeView>,
}

#[derive(Serialize)]
struct CodeView {
    code: &'static str,
    means: &'static str,
    why: &'static str,
    remedies: &'static [&'static str],
    exit_statuses: Vec<u8>,
    retryable: bool,
}

impl Args {
    pub(super) fn run(self, out: &Output) -> Result<u8> {
        let Some(code) = self.code else {
            let all = explain::explain_all();
            if !out.is_json() {
                let width = all.iter().map(|one| one.code.len()).max().unwrap_or_default();
                for one in &all {
                    out.line(&format!("{:width$}  {}", one.code, one.means));
                }
                return Ok(0);
            }
            show(out, all);
            return Ok(0);
        };
        let explained = explain::explain(&code)?;
        if out.is_json() {
            show(out, vec![explained]);
            return Ok(0);
        }
        let Explained { code, means, why, remedies, exit_statuses, retryable } = explained;
        out.prose(&format!("{code}: {means}"), "");
        out.line("");
        out.prose(why, "");
        out.line("");
        for remedy in remedies {
            out.prose(&format!("- {remedy}"), "  ");
        }
        let statuses: Vec<String> = exit_statuses.iter().map(u8::to_string).collect();
        let again = if retryable { "the same request may succeed later" } else { "it fails again as it is" };
        out.line(&format!("\nExit status {}; {again}.", statuses.join(" or ")));
        Ok(0)
    }
}

fn show(out: &Output, explained: Vec<Explained>) {
    let view = |one| {
        let Explained { code, means, why, remedies, exit_statuses, retryable } = one;
        CodeView { code, means, why, remedies, exit_statuses, retryable }
    };
    out.object(View { codes: explained.into_iter().map(view).collect() });
}
