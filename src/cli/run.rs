//! `git port run`

use std::ffi::OsString;

use super::session;
use crate::context::Context;
use crate::error::Result;
use crate::ops::run::{self, Noted, RunRequest};
use crate::output::Output;
use crate::registry::{EnvironmentName, ServiceName};

/// Run a program on the worktree's ports
///
/// Its ports are in its environment; a known server that ignores PORT gets the flag it needs. Signals and
/// the exit status pass through.
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "exec",
    after_help = "Examples:\n  \
    git port run -- npm run dev\n  \
    git port run --service api -- uvicorn main:app --reload\n  \
    git port run --open -- npx vite"
)]
pub(super) struct Args {
    /// The service it is; PORT is its port [default: the primary one]
    #[arg(short, long, value_name = "name")]
    service: Option<ServiceName>,
    /// The environment of the ports [default: dev]
    #[arg(short, long, value_name = "name")]
    environment: Option<EnvironmentName>,
    /// Add no flags to the command
    #[arg(long)]
    no_flags: bool,
    /// Open the browser when it listens
    #[arg(long)]
    open: bool,
    /// Note which conversation or agent asks [default: $GIT_PORT_SESSION]
    #[arg(long, value_name = "name")]
    session: Option<String>,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "command")]
    command: Vec<OsString>,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let request = RunRequest {
            command: self.command,
            service: self.service,
            environment: self.environment,
            flags: !self.no_flags,
            open: self.open,
            session: session(self.session, ctx)?,
        };
        // The program has standard output; what we say goes to standard error.
        let narrator = out.narrator();
        run::run(ctx, &request, move |noted| match noted {
            Noted::Flags(command) => narrator.status(&format!("+ {command}")),
            Noted::Listening(port, url) => {
                if narrator.is_verbose() {
                    narrator.status(&format!("listening on {}", url.unwrap_or_else(|| port.to_string())));
                }
            }
            Noted::Drift { port, elsewhere } => {
                let ports: Vec<String> = elsewhere.iter().map(ToString::to_string).collect();
                narrator.warning(&format!("it listens on {}, not on its own port {port}", ports.join(", ")));
                narrator.hint("give it the port: its own flag, or $PORT in its configuration");
            }
            Noted::Trouble(message) => narrator.warning(&message),
        })
    }
}
