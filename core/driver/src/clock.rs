//! Core's time from the monotonic clock.

use headwater_core::Time;
use std::time::{Duration, Instant};

/// A clock whose copies agree, so that workers may compare times.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that stands at [`Time::ZERO`] now.
    #[must_use]
    pub fn start() -> Self {
        Clock { origin: Instant::now() }
    }

    /// The time now.
    #[must_use]
    pub fn now(self) -> Time {
        Time::ZERO + self.origin.elapsed()
    }

    /// The system's word for `time`; `None` if it never comes.
    #[must_use]
    pub fn instant(self, time: Time) -> Option<Instant> {
        (time < Time::NEVER)
            .then(|| self.origin.checked_add(Duration::from_micros(time.as_micros())))
            .flatten()
    }
}
