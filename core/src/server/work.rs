//! How much [work](crate::work) input makes in a second: that of one connection, and that of all.

use crate::Time;

/// How many connections may make as much as one may
/// ([`max_work_per_second`](crate::Limits::max_work_per_second)) before all have to share. 8: with the default about 50 ms of
/// a second at the dearest, and what 700 encoders make.
const FULL_SHARES: u64 = 8;

/// The least that is shared out, as a part of what one may make. A 16th: with the default 16 Ki, five times what an encoder
/// makes, so that streams go on however many there are.
const LEAST_SHARE: u64 = 16;

/// The work of one connection in the present second.
#[derive(Debug, Default)]
pub(super) struct WorkMeter {
    /// The seconds until then wrap after a hundred years.
    second: u32,
    /// The work of that second; what is beyond 4 Gi, which takes a minute to do, counts as that.
    present: u32,
    /// All work of the session until now.
    total: u64,
}

impl WorkMeter {
    /// Takes down that all work of the session so far is `total`, here and among the work `of_all`.
    pub(super) fn note(&mut self, now: Time, total: u64, of_all: &mut WorkOfAll) {
        self.add(now, total.saturating_sub(self.total), of_all);
        self.total = total;
    }

    /// Takes down `work` beyond that of the session, here and among the work `of_all`.
    pub(super) fn add(&mut self, now: Time, work: u64, of_all: &mut WorkOfAll) {
        let is_new = short_second(now) != self.second;
        if is_new {
            self.second = short_second(now);
            self.present = 0;
        }
        of_all.add(now, work, is_new);
        self.present = self.present.saturating_add(u32::try_from(work).unwrap_or(u32::MAX));
    }

    /// The work of the present second.
    pub(super) const fn present(&self, now: Time) -> u64 {
        if short_second(now) == self.second {
            self.present as u64
        } else {
            0
        }
    }
}

/// The work of all connections in the present second.
#[derive(Debug, Default)]
pub(super) struct WorkOfAll {
    second: u64,
    work: u64,
    /// The connections that have made some.
    makers: u64,
}

impl WorkOfAll {
    fn add(&mut self, now: Time, work: u64, is_new_maker: bool) {
        if second(now) != self.second {
            *self = WorkOfAll {
                second: second(now),
                ..WorkOfAll::default()
            };
        }
        self.work += work;
        self.makers += u64::from(is_new_maker);
    }

    /// How much one connection may make in the present second, if one alone may make `max`.
    pub(super) fn share(&self, now: Time, max: u64) -> u64 {
        let for_all = FULL_SHARES.saturating_mul(max);
        if second(now) != self.second || self.work <= for_all {
            return max;
        }
        (for_all / self.makers.max(1)).clamp(max / LEAST_SHARE, max)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "only whether it is another second matters"
)]
const fn short_second(now: Time) -> u32 {
    second(now) as u32
}

const fn second(now: Time) -> u64 {
    now.as_millis() / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn work_is_counted_by_the_second() {
        let mut meter = WorkMeter::default();
        let present =
            [(0, 10), (999, 30), (1_000, 35), (1_001, 36), (5_500, 36), (5_501, 50)].map(|(millis, total)| {
                meter.note(Time::from_millis(millis), total, &mut WorkOfAll::default());
                meter.present(Time::from_millis(millis))
            });
        assert_eq!(present, [10, 30, 5, 6, 0, 14]);
        assert_eq!(meter.present(Time::from_millis(6_000)), 0);
    }

    #[test]
    fn all_share_once_they_make_much_together() {
        let (mut of_all, mut meters) = (WorkOfAll::default(), [(); 100].map(|()| WorkMeter::default()));
        let shares: Vec<_> = (1..=100)
            .map(|count: usize| {
                let now = Time::from_millis(1_000);
                meters[count - 1].note(now, 900, &mut of_all);
                of_all.share(now, 1_000)
            })
            .collect();
        assert_eq!(shares[..8], [1_000; 8]);
        assert_eq!((shares[8], shares[9], shares[99]), (888, 800, 80));
        assert_eq!(of_all.share(Time::from_millis(2_000), 1_000), 1_000);
    }

    #[test]
    fn an_encoder_has_its_share_however_many_there_are() {
        let (now, mut of_all) = (Time::from_millis(1_000), WorkOfAll::default());
        for _ in 0..10_000 {
            WorkMeter::default().note(now, 3 << 10, &mut of_all);
        }
        assert_eq!(of_all.share(now, 256 << 10), 16 << 10);
    }
}
