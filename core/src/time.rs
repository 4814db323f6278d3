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

/// How much came in the last half minute: six spans of 5 s and the present one.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// When the first came.
    began: Option<Time>,
    /// The number of the present span.
    span: u64,
    /// By the number of the span, modulo their number.
    spans: [u64; Window::SPANS],
}

impl Window {
    const SPANS: usize = 7;
    const SPAN: u64 = 5_000_000;

    /// So much more has come. O(1): an addition, and every 5 s a few numbers that are forgotten.
    pub(crate) fn add(&mut self, now: Time, amount: u64) {
        self.began.get_or_insert(now);
        self.move_to(now);
        if let Some(present) = self.spans.get_mut(Self::place(self.span)) {
            *present = present.saturating_add(amount);
        }
    }

    /// How much came in a second, on the average of the last 30 to 35 s, or of the time since the first came, in thousandths.
    pub(crate) fn millis_per_second(&self, now: Time) -> u64 {
        let Some(began) = self.began else { return 0 };
        let (span, count) = (now.0 / Self::SPAN, Self::SPANS as u64);
        let oldest = (span + 1).saturating_sub(count);
        let alive = (oldest..=span.min(self.span)).filter(|it| it + count > self.span);
        let sum: u64 = alive.filter_map(|it| self.spans.get(Self::place(it))).sum();
        let from = (oldest * Self::SPAN).max(began.0);
        // What came in less than a second is that of a second.
        let micros = now.0.saturating_sub(from).max(1_000_000);
        u64::try_from(u128::from(sum) * 1_000_000_000 / u128::from(micros)).unwrap_or(u64::MAX)
    }

    fn move_to(&mut self, now: Time) {
        let span = now.0 / Self::SPAN;
        let count = Self::SPANS as u64;
        for passed in (self.span + 1).max((span + 1).saturating_sub(count))..=span {
            if let Some(it) = self.spans.get_mut(Self::place(passed)) {
                *it = 0;
            }
        }
        self.span = span;
    }

    #[expect(clippy::cast_possible_truncation, reason = "it is less than the number of spans")]
    const fn place(span: u64) -> usize {
        (span % Self::SPANS as u64) as usize
    }
}

/// How fast a counter grows, on the average of about the last 30 s. The counter is somebody else's.
#[cfg(any(feature = "server", test))]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    since: Time,
    /// What the counter was then.
    base: u64,
    /// How much it grew by in the span before, if there was one.
    before: Option<u64>,
}

#[cfg(any(feature = "server", test))]
impl Meter {
    const SPAN: Duration = Duration::from_secs(30);

    /// A counter that is at `counter` now.
    pub(crate) const fn new(now: Time, counter: u64) -> Self {
        Meter {
            since: now,
            base: counter,
            before: None,
        }
    }

    /// To be told whenever the counter has grown. O(1): a comparison.
    #[inline]
    pub(crate) fn note(&mut self, now: Time, counter: u64) {
        let elapsed = now.since(self.since);
        if elapsed >= Self::SPAN {
            let grown = counter.saturating_sub(self.base);
            *self = Meter {
                before: Some(share(grown, Self::SPAN, elapsed)),
                ..Meter::new(now, counter)
            };
        }
    }

    /// How much it grows by in a second.
    pub(crate) fn per_second(&self, now: Time, counter: u64) -> u64 {
        let elapsed = now.since(self.since);
        let grown = counter.saturating_sub(self.base);
        match self.before {
            Some(before) if elapsed < Self::SPAN => {
                (grown + share(before, Self::SPAN - elapsed, Self::SPAN)) / Self::SPAN.as_secs()
            }
            _ => share(grown, Duration::from_secs(1), elapsed.max(Duration::from_secs(1))),
        }
    }
}

/// `amount` × `part` / `whole`.
#[cfg(any(feature = "server", test))]
fn share(amount: u64, part: Duration, whole: Duration) -> u64 {
    let share = u128::from(amount) * part.as_micros() / whole.as_micros().max(1);
    u64::try_from(share).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_the_average_of_half_a_minute() {
        let mut window = Window::default();
        assert_eq!(window.millis_per_second(Time::from_millis(1_000)), 0);
        for second in 100..200 {
            window.add(Time::from_millis(second * 1_000), 25);
        }
        // 35 s were seen, in which 34 s and a bit have passed.
        let rate = |window: &Window, seconds: u64| window.millis_per_second(Time::from_millis(seconds * 1_000));
        assert_eq!(rate(&window, 199), 25 * 35 * 1_000 / 34);
        // Then nothing more comes.
        assert!(rate(&window, 215) < 18_000, "{}", rate(&window, 215));
        assert_eq!(rate(&window, 240), 0);
        window.add(Time::from_millis(300_000), 50);
        assert!(rate(&window, 300) < 2_000);
    }

    #[test]
    fn a_young_window_counts_from_its_first() {
        let mut window = Window::default();
        for tenth in 0..=20 {
            window.add(Time::from_millis(57_000 + tenth * 100), 3);
        }
        assert_eq!(window.millis_per_second(Time::from_millis(59_000)), 31_500);
    }

    #[test]
    fn a_meter_follows_a_counter_over_half_a_minute() {
        let at = |seconds: u64| Time::from_millis(seconds * 1_000);
        let mut meter = Meter::new(at(0), 1_000);
        assert_eq!(meter.per_second(at(0), 1_500), 500);
        let mut counter = 1_000;
        for second in 1..=45 {
            counter += 100;
            meter.note(at(second), counter);
            assert_eq!(meter.per_second(at(second), counter), 100, "{second}");
        }
        // It stands still.
        assert_eq!(meter.per_second(at(55), counter), (1_500 + 500) / 30);
        assert_eq!(meter.per_second(at(60), counter), 50);
    }

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
