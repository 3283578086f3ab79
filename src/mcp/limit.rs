//! How often an agent may call: as often as it works, not as often as it can loop.

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};

/// How many calls may come at once.
const BURST: u32 = 120;

/// How long it takes until one more may come.
const EACH: Duration = Duration::from_millis(500);

/// Calls that may still come; they come back with time.
#[derive(Debug)]
pub(super) struct Limit {
    left: u32,
    since: Instant,
}

impl Limit {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: BURST, since: now }
    }

    /// Takes one call, or fails with how long to wait.
    pub(super) fn admit(&mut self, now: Instant) -> Result<()> {
        while self.left < BURST && now.duration_since(self.since) >= EACH {
            self.left += 1;
            self.since += EACH;
        }
        if self.left == BURST {
            self.since = now;
        }
        if self.left == 0 {
            return Err(Error::new(ErrorKind::Busy, format!("more than {BURST} calls in a row"))
                .hint("stop: do not call in a loop, a worktree's ports stay the same")
                .hint("wait ten seconds before the next call"));
        }
        self.left -= 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_stopped_and_comes_back_slowly() {
        let start = Instant::now();
        let mut limit = Limit::new(start);
        let calls = (0..1000).filter(|_| limit.admit(start).is_ok()).count();
        assert_eq!(calls, BURST as usize);
        let later = start + EACH * 3;
        assert_eq!((0..10).filter(|_| limit.admit(later).is_ok()).count(), 3);
        // Whoever works at a human pace never meets it.
        let mut now = later;
        for _ in 0..1000 {
            now += Duration::from_secs(1);
            limit.admit(now).unwrap();
        }
    }
}
