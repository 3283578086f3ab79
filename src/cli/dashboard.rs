//! `git port dashboard`

use serde::Serialize;

use crate::context::Context;
use crate::error::Result;
use crate::ops::recovery;
use crate::output::Output;
use crate::web::{self, Dashboard};

/// Show every port at a glance, in the browser
///
/// Serves a page for this user on this machine until it is stopped. Started again, it opens the page of
/// the one that runs. The address it prints lets one browser in, once, within ten minutes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    git port dashboard                 opens the page in the browser\n  \
    git port dashboard --no-open       prints its address, as for another machine")]
pub(super) struct Args {
    /// Open the browser, even without a terminal
    #[arg(long, conflicts_with = "no_open")]
    open: bool,
    /// Open no browser
    #[arg(long)]
    no_open: bool,
}

#[derive(Serialize)]
struct DashboardView {
    url: String,
    invitation: String,
    token_file: String,
    pid: u32,
    running: bool,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let (home, dashboard) = web::dashboard(ctx)?;
        let invitation = home.invite()?;
        let (pid, running) = match &dashboard {
            Dashboard::Running(pid) => (*pid, true),
            Dashboard::Ours(_) => (std::process::id(), false),
        };
        if out.is_json() {
            let token_file = home.token_file().to_string_lossy().into_owned();
            out.object(DashboardView {
                url: home.url(),
                invitation: invitation.clone(),
                token_file,
                pid,
                running,
            });
        } else {
            out.line(&invitation);
        }
        out.flush();
        let wanted = self.open || !self.no_open && !out.is_json() && out.is_watched();
        if wanted && let Err(error) = home.open(&invitation) {
            out.warning(&format!("no browser opens ({}); open the address yourself", error.full_message()));
        }
        match dashboard {
            Dashboard::Running(pid) => out.status(&format!("The dashboard runs already (pid {pid}).")),
            Dashboard::Ours(server) => {
                out.status("The dashboard runs until you press Ctrl-C.");
                // What was claimed is done with; from here on each call has its own.
                recovery::leave(ctx);
                server.serve()?;
            }
        }
        Ok(0)
    }
}
