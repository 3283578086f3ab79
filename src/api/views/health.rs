//! The objects about whether services answer.

use jiff::Timestamp;
use serde::Serialize;

use super::AllocationView;
use crate::ops::health::Examined;
use crate::registry::HealthCheck;

/// How services do.
#[derive(Debug, Serialize)]
pub struct HealthView {
    /// The services.
    pub services: Vec<ExaminedView>,
}

/// A service and how it does.
#[derive(Debug, Serialize)]
pub struct ExaminedView {
    /// The allocation.
    pub allocation: AllocationView,
    /// This look at it; null for what cannot be asked.
    pub check: Option<CheckView>,
    /// Earlier looks, newest first.
    pub history: Vec<CheckView>,
}

/// One look at a service.
#[derive(Debug, Serialize)]
pub struct CheckView {
    /// When.
    pub at: Timestamp,
    /// `up`, `failing` (it answered that something is wrong) or `down` (it did not answer).
    pub health: &'static str,
    /// How long the answer took, in milliseconds.
    pub latency_ms: f64,
    /// The answer in words.
    pub detail: String,
}

impl From<&HealthCheck> for CheckView {
    fn from(check: &HealthCheck) -> Self {
        let latency_ms = (check.latency.as_secs_f64() * 1e6).round() / 1e3;
        Self { at: check.at, health: check.health.name(), latency_ms, detail: check.detail.clone() }
    }
}

impl HealthView {
    /// Returns the view of services that were asked.
    pub fn new(examined: &[Examined]) -> Self {
        let view = |one: &Examined| ExaminedView {
            allocation: AllocationView::from(&one.listed),
            check: one.check.as_ref().map(CheckView::from),
            history: one.history.iter().map(CheckView::from).collect(),
        };
        Self { services: examined.iter().map(view).collect() }
    }
}
