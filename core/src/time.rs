//! The machine's clock: a plain number that the caller supplies.

use core::fmt;
use core::ops::Add;
use core::time::Duration;

/// A moment, in microseconds since an origin that the driver picks.
///
/// Core never reads a clock: its owner passes the time in. A plain integer prints well in transcripts, comes
/// out of a property test and needs no `std`. Machines never let it run backwards: they take the maximum of what they
/// were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct Time(u64);

impl Time {
    /// The origin.
    pub const ZERO: Time = Time(0);
    /// A moment that never comes.
    pub const NEVER: Time = Time(u64::MAX);

    /// The moment `micros` microseconds after the origin.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Time(micros)
    }

    /// The moment `millis` milliseconds after the origin (saturating).
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Time(millis.saturating_mul(1_000))
    }

    /// Microseconds since the origin.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the origin.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    /// Saturates at [`Time::NEVER`].
    fn add(self, span: Duration) -> Time {
        Time(
            self.0
                .saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)),
        )
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} ms", self.0 / 1_000, self.0 % 1_000)
    }
}

/// How often something was the case in the present second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct PerSecond {
    /// The seconds until then wrap after a hundred years.
    second: u32,
    count: u32,
}

impl PerSecond {
    /// Counts one more; how many there are with it.
    pub(crate) fn count(&mut self, now: Time) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "only whether it is another second matters"
        )]
        let second = (now.as_millis() / 1_000) as u32;
        if second != self.second {
            *self = PerSecond { second, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count
    }
}

/// How much came in the last full second, and how much in the present one.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    second: u64,
    last: u64,
    present: u64,
}

impl Rate {
    /// So much more has come. O(1): an addition, and a move of the two numbers once a second.
    pub(crate) const fn add(&mut self, now: Time, amount: u64) {
        let second = now.0 / 1_000_000;
        if second != self.second {
            *self = Rate {
                second,
                last: self.of_last_second(now),
                present: 0,
            };
        }
        self.present = self.present.saturating_add(amount);
    }

    /// How much came in the second before the present one.
    pub(crate) const fn of_last_second(&self, now: Time) -> u64 {
        match (now.0 / 1_000_000).saturating_sub(self.second) {
            0 => self.last,
            1 => self.present,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_what_came_in_the_last_full_second() {
        let mut rate = Rate::default();
        for millis in [1_000, 1_500, 1_999, 2_000, 2_100] {
            rate.add(Time::from_millis(millis), 10);
        }
        let at = |millis| rate.of_last_second(Time::from_millis(millis));
        assert_eq!([2_100, 2_999, 3_000, 3_999, 4_000].map(at), [30, 30, 20, 20, 0]);
        rate.add(Time::from_millis(9_000), 5);
        assert_eq!(rate.of_last_second(Time::from_millis(9_500)), 0);
    }

    #[test]
    fn saturates_at_both_ends() {
        assert_eq!(Time::NEVER + Duration::from_secs(1), Time::NEVER);
        assert_eq!(Time::ZERO.since(Time::from_millis(5)), Duration::ZERO);
        assert_eq!((Time::from_millis(5) + Duration::from_micros(7)).as_micros(), 5_007);
    }
}
