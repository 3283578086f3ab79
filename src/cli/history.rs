//! `git port history`

use crate::api::views::{EventView, HistoryView};
use crate::context::Context;
use crate::error::Result;
use crate::ops::history;
use crate::output::{Output, text};
use crate::registry::Port;

/// Show what happened, newest first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only to this port [default: to all]
    #[arg(value_name = "port")]
    port: Option<Port>,
    /// Show at most so many events
    #[arg(short = 'n', long, value_name = "count", default_value_t = 50)]
    limit: u32,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let events = history::history(ctx, self.port, self.limit)?;
        if out.is_json() {
            out.object(HistoryView { events: events.iter().map(EventView::from).collect() });
        } else if events.is_empty() {
            out.status("Nothing has happened yet.");
        } else {
            text::history(out, &events);
        }
        Ok(0)
    }
}
