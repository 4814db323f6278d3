//! How much [work](crate::work) the input of a connection makes in a second.

use crate::Time;

/// The work of one connection in the present second.
#[derive(Debug, Default)]
pub(super) struct WorkMeter {
    second: u64,
    /// All work until the present second, and until now.
    before: u64,
    total: u64,
}

impl WorkMeter {
    /// Takes down that all work so far is `total`.
    pub(super) fn note(&mut self, now: Time, total: u64) {
        if second(now) != self.second {
            self.second = second(now);
            self.before = self.total;
        }
        self.total = total;
    }

    /// The work of the present second.
    pub(super) const fn present(&self, now: Time) -> u64 {
        if second(now) == self.second {
            self.total.saturating_sub(self.before)
        } else {
            0
        }
    }
}

const fn second(now: Time) -> u64 {
    now.as_millis() / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted_by_the_second() {
        let mut meter = WorkMeter::default();
        let present =
            [(0, 10), (999, 30), (1_000, 35), (1_001, 36), (5_500, 36), (5_501, 50)].map(|(millis, total)| {
                meter.note(Time::from_millis(millis), total);
                meter.present(Time::from_millis(millis))
            });
        assert_eq!(present, [10, 30, 5, 6, 0, 14]);
        assert_eq!(meter.present(Time::from_millis(6_000)), 0);
    }
}
