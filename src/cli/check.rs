//! `git port check`

use crate::api::views::CheckedView;
use crate::context::Context;
use crate::error::Result;
use crate::ops::check::{self, Checked};
use crate::output::{Output, text};
use crate::registry::{Port, Protocol};

/// Exit status where a port is taken.
const TAKEN: u8 = 1;
/// Exit status where it cannot be determined.
const UNDETERMINED: u8 = 3;

/// Say whether a port is free, and whose it is if not
///
/// Exits with 0 if all are free, 1 if one is taken, 3 if it cannot be determined.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    git port check 8080                who has it\n  \
    git port check 8080 >/dev/null || echo taken")]
pub(super) struct Args {
    /// The ports
    #[arg(required = true, value_name = "port")]
    ports: Vec<Port>,
    /// tcp or udp
    #[arg(long, value_name = "protocol", default_value = "tcp")]
    protocol: Protocol,
}

impl Args {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let checked = check::check(ctx, &self.ports, self.protocol)?;
        if out.is_json() {
            out.object(CheckedView::from(checked.as_slice()));
        } else {
            text::checked(out, &checked);
        }
        let answers: Vec<Option<bool>> = checked.iter().map(Checked::is_free).collect();
        Ok(if answers.contains(&Some(false)) {
            TAKEN
        } else if answers.contains(&None) {
            UNDETERMINED
        } else {
            0
        })
    }
}
