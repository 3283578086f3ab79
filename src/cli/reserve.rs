//! `git port reserve` and `git port unreserve`

use crate::api::views::{RangesView, ReservedView};
use crate::context::Context;
use crate::error::Result;
use crate::ops::range;
use crate::output::Output;
use crate::registry::PortRange;

/// Keep ports from being allocated automatically
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    git port reserve 8051 --reason \"the proxy\"\n  \
    git port reserve 8100-8110")]
pub(super) struct ReserveArgs {
    /// A port, or a range: 8100-8110
    #[arg(value_name = "port or range")]
    range: PortRange,
    /// Why
    #[arg(long, value_name = "text")]
    reason: Option<String>,
}

impl ReserveArgs {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let warnings = range::reserve(ctx, self.range, self.reason.clone())?;
        out.warnings(&warnings);
        if out.is_json() {
            let (start, end) = (self.range.start().number(), self.range.end().number());
            let reserved = vec![ReservedView { start, end, reason: self.reason }];
            out.object(RangesView { ranges: Vec::new(), reserved, warnings });
        } else {
            out.line(&format!("Reserved {}", self.range));
        }
        Ok(0)
    }
}

/// Let reserved ports be allocated again
#[derive(Debug, clap::Args)]
pub(super) struct UnreserveArgs {
    /// A port or range, as it was reserved
    #[arg(value_name = "port or range")]
    range: PortRange,
}

impl UnreserveArgs {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        range::unreserve(ctx, self.range)?;
        if out.is_json() {
            out.object(RangesView { ranges: Vec::new(), reserved: Vec::new(), warnings: Vec::new() });
        } else {
            out.line(&format!("{} is no longer reserved", self.range));
        }
        Ok(0)
    }
}
