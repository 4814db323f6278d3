//! Core's time from the monotonic clock.

use headwater_core::Time;
use std::time::Instant;

/// A clock whose copies agree, so that workers may compare times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Clock { origin: Instant::now() }
    }

    pub(crate) fn now(self) -> Time {
        Time::ZERO + self.origin.elapsed()
    }
}
