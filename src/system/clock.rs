//! What time it is. Tests fix it.

use jiff::Timestamp;

/// The clock.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The system's.
    System,
    /// Always this time.
    Fixed(Timestamp),
}

impl Clock {
    /// Returns the time, in whole milliseconds, which is what the registry keeps.
    pub fn now(self) -> Timestamp {
        match self {
            #[expect(clippy::disallowed_methods, reason = "the one place that asks")]
            Self::System => {
                Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or_default()
            }
            Self::Fixed(time) => time,
        }
    }
}
