//! `git port health`

use std::time::Duration;

use crate::api::views::health::HealthView;
use crate::context::Context;
use crate::error::Result;
use crate::ops::health::{self, Examined, HealthRequest};
use crate::ops::list::ListRequest;
use crate::output::{Output, text};
use crate::registry::{EnvironmentName, Health};
use crate::system::watch::{Nudge, Watch};

/// Exit status where a service that runs does not answer well.
const FAILING: u8 = 1;

/// Ask the services whether they answer
///
/// Exits with 1 if one that somebody listens for does not answer well.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of all projects
    #[arg(short, long)]
    all: bool,
    /// In one environment
    #[arg(short, long, value_name = "name")]
    environment: Option<EnvironmentName>,
    /// How long each may take
    #[arg(long, value_name = "duration", default_value = "2s")]
    timeout: String,
    /// Go on asking, until it is stopped
    #[arg(long)]
    watch: bool,
    /// How often, with --watch
    #[arg(long, value_name = "duration", default_value = "10s")]
    interval: String,
    /// Show so many earlier answers
    #[arg(long, value_name = "count", default_value_t = 10)]
    history: u32,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let list =
            ListRequest { all: self.all, environment: self.environment.clone(), ..ListRequest::default() };
        let request = HealthRequest { list, patience: patience(&self.timeout)?, history: self.history };
        let interval = patience(&self.interval)?;
        // It notices the signals that end it, and nothing else.
        let signals = if self.watch { Some(Watch::start()?) } else { None };
        loop {
            let examined = health::health(ctx, &request)?;
            if out.is_json() {
                out.object(HealthView::new(&examined));
            } else {
                text::health(out, &examined);
            }
            out.flush();
            match &signals {
                None => return Ok(if examined.iter().any(is_failing) { FAILING } else { 0 }),
                Some(signals) if signals.wait(interval) == Some(Nudge::Stop) => return Ok(0),
                Some(_) if !out.is_json() => out.line(""),
                Some(_) => {}
            }
        }
    }
}

/// What nobody listens for is not running, which is no failure.
fn is_failing(examined: &Examined) -> bool {
    examined.check.as_ref().is_some_and(|check| check.health == Health::Failing)
}

fn patience(text: &str) -> Result<Duration> {
    Ok(Duration::try_from(super::duration(text)?).unwrap_or(Duration::ZERO))
}
