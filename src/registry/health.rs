//! Does a service answer? One look at it, as it is recorded.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

/// Whether a service answered. The names reach disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answered, and well.
    Up,
    /// It answered that something is wrong.
    Failing,
    /// It did not answer.
    Down,
}

impl Health {
    /// Returns the name as it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Failing => "failing",
            Self::Down => "down",
        }
    }
}

/// A text that names no health: a registry written by something newer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a health (one of up, failing, down)")]
pub struct InvalidHealth(String);

impl FromStr for Health {
    type Err = InvalidHealth;

    fn from_str(text: &str) -> Result<Self, InvalidHealth> {
        [Self::Up, Self::Failing, Self::Down]
            .into_iter()
            .find(|health| health.name() == text)
            .ok_or_else(|| InvalidHealth(text.to_owned()))
    }
}

/// One look at a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The row of the allocation it is about.
    pub allocation: i64,
    /// When it was looked at.
    pub at: Timestamp,
    /// Whether it answered.
    pub health: Health,
    /// How long the answer took, or how long one waited.
    pub latency: Duration,
    /// The answer in words: `200 OK`, `connection refused`.
    pub detail: String,
}
