//! `git port stats` and `git port summary`

use crate::api::views::{StatsView, SummaryView};
use crate::context::Context;
use crate::error::Result;
use crate::ops::stats::{self, RangeStats};
use crate::output::{Output, text};
use crate::registry::{EnvironmentName, ProjectName};

/// Say how full the ranges are
#[derive(Debug, clap::Args)]
pub(super) struct StatsArgs {
    /// One environment's ranges [default: all]
    #[arg(value_name = "environment")]
    environment: Option<EnvironmentName>,
}

impl StatsArgs {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let stats = stats::stats(ctx, self.environment.as_ref())?;
        if out.is_json() {
            out.object(StatsView::from(stats.as_slice()));
        } else {
            match self.environment {
                Some(_) => text::range_statistics(out, &stats),
                None => text::all_statistics(out, &stats),
            }
            warn(out, &stats);
        }
        Ok(0)
    }
}

/// Show a project's ranges and services
#[derive(Debug, clap::Args)]
pub(super) struct SummaryArgs {
    /// The project [default: the one you stand in]
    #[arg(value_name = "project")]
    project: Option<ProjectName>,
}

impl SummaryArgs {
    pub(super) fn run(self, ctx: &mut Context, out: &Output) -> Result<u8> {
        let summary = stats::summary(ctx, self.project.as_ref())?;
        if out.is_json() {
            out.object(SummaryView::from(&summary));
        } else {
            text::summary(out, &summary);
            warn(out, &summary.ranges);
        }
        Ok(0)
    }
}

fn warn(out: &Output, stats: &[RangeStats]) {
    for range in stats {
        if let Some(warning) = range.warning() {
            out.warning(&warning);
        }
    }
}
