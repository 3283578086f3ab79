//! All that the dashboard shows at a glance, as JSON.

use jiff::Timestamp;
use serde::Serialize;

use super::{AllocationView, EventView, RangesView, StatsView};
use crate::ops::dashboard::Overview;
use crate::registry::Event;

/// All at a glance.
#[derive(Debug, Serialize)]
pub struct OverviewView {
    /// When it was looked at.
    pub at: Timestamp,
    /// What people call this machine.
    pub host: String,
    /// Whose dashboard it is.
    pub user: Option<String>,
    /// All live allocations.
    pub allocations: Vec<RowView>,
    /// How full the ranges are.
    pub stats: StatsView,
    /// The ranges and reservations in force.
    pub ranges: RangesView,
    /// What happened last, newest first.
    pub events: Vec<EventView>,
}

/// An allocation, and what tells it from every other, before and after.
#[derive(Debug, Serialize)]
pub struct RowView {
    /// The number of its row.
    pub id: i64,
    /// The allocation.
    #[serde(flatten)]
    pub allocation: AllocationView,
}

impl OverviewView {
    /// Returns the view of a look at this time, on the machine that people call `host`, for `user`.
    pub fn new(overview: &Overview, at: Timestamp, host: &str, user: Option<&str>) -> Self {
        let row = |listed: &crate::ops::list::Listed| RowView {
            id: listed.allocation.id,
            allocation: AllocationView::from(listed),
        };
        Self {
            at,
            host: host.to_owned(),
            user: user.map(str::to_owned),
            allocations: overview.listed.iter().map(row).collect(),
            stats: StatsView::from(overview.stats.as_slice()),
            ranges: RangesView::from(&overview.ranges),
            events: overview.events.iter().map(|event: &Event| EventView::from(event)).collect(),
        }
    }
}
