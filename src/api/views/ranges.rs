//! The objects about ranges: how full they are, which hold, what is reserved.

use schemars::JsonSchema;
use serde::Serialize;

use super::AllocationView;
use crate::ops::range::RangesInForce;
use crate::ops::stats::{RangeStats, Summary};
use crate::registry::{RangeRecord, Reservation};

/// How full the ranges are.
#[derive(Debug, JsonSchema, Serialize)]
pub struct StatsView {
    /// The ranges.
    pub ranges: Vec<RangeView>,
    /// The warnings that are due.
    pub warnings: Vec<String>,
}

/// How full one range is.
#[derive(Debug, JsonSchema, Serialize)]
pub struct RangeView {
    /// The environment it is for.
    pub environment: Option<String>,
    /// The project it is for.
    pub project: Option<String>,
    /// Its first port.
    pub start: u16,
    /// Its last port.
    pub end: u16,
    /// How many ports it has.
    pub total: u32,
    /// How many are promised.
    pub allocated: u32,
    /// How many of those run.
    pub active: u32,
    /// How many are reserved.
    pub reserved: u32,
    /// How many are neither promised nor reserved.
    pub available: u32,
    /// The promised share in percent.
    pub utilization: f64,
}

impl From<&RangeStats> for RangeView {
    fn from(stats: &RangeStats) -> Self {
        Self {
            environment: stats.environment.as_ref().map(ToString::to_string),
            project: stats.project.as_ref().map(ToString::to_string),
            start: stats.range.start().number(),
            end: stats.range.end().number(),
            total: stats.total,
            allocated: stats.allocated,
            active: stats.active,
            reserved: stats.reserved,
            available: stats.available,
            utilization: stats.utilization(),
        }
    }
}

impl From<&[RangeStats]> for StatsView {
    fn from(stats: &[RangeStats]) -> Self {
        Self {
            ranges: stats.iter().map(RangeView::from).collect(),
            warnings: stats.iter().filter_map(RangeStats::warning).collect(),
        }
    }
}

/// A project's ports at a glance.
#[derive(Debug, JsonSchema, Serialize)]
pub struct SummaryView {
    /// The project.
    pub project: String,
    /// Its own ranges.
    pub ranges: Vec<RangeView>,
    /// The warnings that are due.
    pub warnings: Vec<String>,
    /// Its live allocations.
    pub allocations: Vec<AllocationView>,
}

impl From<&Summary> for SummaryView {
    fn from(summary: &Summary) -> Self {
        let StatsView { ranges, warnings } = StatsView::from(summary.ranges.as_slice());
        let allocations = summary.services.iter().map(AllocationView::from).collect();
        Self { project: summary.project.to_string(), ranges, warnings, allocations }
    }
}

/// All ranges and reservations in force.
#[derive(Debug, JsonSchema, Serialize)]
pub struct RangesView {
    /// The ranges, in the order in which each environment or project uses them.
    pub ranges: Vec<RangeInForceView>,
    /// The reserved ports.
    pub reserved: Vec<ReservedView>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// One range in force.
#[derive(Debug, JsonSchema, Serialize)]
pub struct RangeInForceView {
    /// The environment it is for.
    pub environment: Option<String>,
    /// The project it is for.
    pub project: Option<String>,
    /// Its first port.
    pub start: u16,
    /// Its last port.
    pub end: u16,
    /// Where it was set.
    pub origin: String,
}

/// One run of reserved ports.
#[derive(Debug, JsonSchema, Serialize)]
pub struct ReservedView {
    /// Its first port.
    pub start: u16,
    /// Its last port.
    pub end: u16,
    /// Why.
    pub reason: Option<String>,
}

impl From<&Reservation> for ReservedView {
    fn from(one: &Reservation) -> Self {
        Self { start: one.range.start().number(), end: one.range.end().number(), reason: one.reason.clone() }
    }
}

/// Returns one view for each range of a record.
pub fn ranges_of(record: &RangeRecord, origin: &str) -> Vec<RangeInForceView> {
    let (environment, project, ranges) = match record {
        RangeRecord::Environment(name, ranges) => (Some(name.to_string()), None, ranges),
        RangeRecord::Project(name, ranges) => (None, Some(name.to_string()), ranges),
    };
    ranges
        .iter()
        .map(|range| RangeInForceView {
            environment: environment.clone(),
            project: project.clone(),
            start: range.start().number(),
            end: range.end().number(),
            origin: origin.to_owned(),
        })
        .collect()
}

impl From<&RangesInForce> for RangesView {
    fn from(in_force: &RangesInForce) -> Self {
        Self {
            ranges: in_force
                .ranges
                .iter()
                .flat_map(|range| ranges_of(&range.record, &range.origin))
                .collect(),
            reserved: in_force.reserved.iter().map(ReservedView::from).collect(),
            warnings: Vec::new(),
        }
    }
}
