//! `git port trust`

use crate::api::views::template::{TrustChangedView, TrustedListView};
use crate::context::Context;
use crate::error::Result;
use crate::ops::trust;
use crate::output::{Output, escape};

/// Trust the templates that come with a repository
///
/// Until then they are not used. Trust is for this path and this content: after a change they are to be
/// trusted anew.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    git port trust            trust what is in .git-port/templates now\n  \
    git port trust --list     what is trusted, in all repositories\n  \
    git port trust --revoke   trust nothing of this repository any more")]
pub(super) struct Args {
    /// Show what is trusted, in all repositories
    #[arg(long, conflicts_with = "revoke")]
    list: bool,
    /// Trust nothing of this repository any more
    #[arg(long)]
    revoke: bool,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        if self.list {
            let trusted = trust::list(ctx)?;
            if out.is_json() {
                out.object(TrustedListView::from(trusted.as_slice()));
            } else if trusted.is_empty() {
                out.status("No repository is trusted.");
            } else {
                for one in &trusted {
                    let hash = one.sha256.get(..12).unwrap_or(&one.sha256);
                    out.line(&format!("{} ({hash}, {})", escape(&one.repository), one.trusted_at));
                }
            }
            return Ok(0);
        }
        let changed = if self.revoke { trust::revoke(ctx)? } else { trust::trust(ctx)? };
        if out.is_json() {
            out.object(TrustChangedView::from(&changed));
            return Ok(0);
        }
        let repository = escape(&changed.repository);
        match (self.revoke, changed.changed) {
            (true, true) => out.line(&format!("No longer trusted: {repository}")),
            (true, false) => out.line(&format!("Nothing was trusted: {repository}")),
            (false, new) => {
                let names = changed.templates.join(", ");
                let word = if new { "Trusted" } else { "Already trusted" };
                out.line(&format!("{word}: {repository} ({names})"));
            }
        }
        Ok(0)
    }
}
