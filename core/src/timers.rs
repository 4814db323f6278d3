//! The deadlines of one connection.

use crate::{Limits, Output, Time};
use core::fmt;
use core::time::Duration;

/// What a connection may be waiting for. RTMP, HTTP and WebSocket share the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub enum Timer {
    /// The end of the handshake, counted from accept.
    Handshake,
    /// A request to publish or play.
    Command,
    /// Media from a publisher; anything from a peer between two streams.
    Idle,
    /// The next ping to a player.
    Ping,
    /// The next look at whether waiting output leaves.
    Stall,
    /// The last replies to leave a closing connection.
    Close,
}

impl Timer {
    const ALL: [Timer; 6] = [
        Timer::Handshake,
        Timer::Command,
        Timer::Idle,
        Timer::Ping,
        Timer::Stall,
        Timer::Close,
    ];

    words! {
        /// What errors call it.
        pub fn name in NAMES {
            Timer::Handshake => "handshake",
            Timer::Command => "command",
            Timer::Idle => "idle",
            Timer::Ping => "ping",
            Timer::Stall => "stall",
            Timer::Close => "close",
        }
    }
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One deadline per [`Timer`], and which comes first.
#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Timers {
    /// [`Time::NEVER`] where the timer is off.
    deadlines: [Time; Timer::ALL.len()],
    first: Option<(Time, Timer)>,
}

impl Timers {
    pub(crate) const fn new() -> Self {
        Timers {
            deadlines: [Time::NEVER; Timer::ALL.len()],
            first: None,
        }
    }

    /// Starts `timer`, or moves it.
    pub(crate) fn set(&mut self, timer: Timer, at: Time) {
        match self.deadlines.get_mut(timer as usize) {
            Some(deadline) if *deadline != at => *deadline = at,
            _ => return,
        }
        self.first = Timer::ALL
            .into_iter()
            .zip(self.deadlines)
            .filter(|(_, at)| *at != Time::NEVER)
            .min_by_key(|(_, at)| *at)
            .map(|(timer, at)| (at, timer));
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.deadlines.get(timer as usize).is_some_and(|at| *at != Time::NEVER)
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.set(timer, Time::NEVER);
    }

    pub(crate) fn clear_all(&mut self) {
        *self = Timers::new();
    }

    /// The earliest deadline and its name. O(1).
    pub(crate) const fn first(&self) -> Option<(Time, Timer)> {
        self.first
    }

    /// The timers that are due at `now`.
    #[cfg(feature = "server")]
    pub(crate) fn due(&self, now: Time) -> impl Iterator<Item = Timer> {
        let timers = Timer::ALL.into_iter().zip(self.deadlines);
        timers.filter(move |(_, at)| *at <= now).map(|(timer, _)| timer)
    }

    /// Stops and returns the earliest timer that is due at `now`.
    pub(crate) fn take_due(&mut self, now: Time) -> Option<Timer> {
        let (at, timer) = self.first?;
        (at <= now).then(|| {
            self.clear(timer);
            timer
        })
    }
}

/// Notices a socket that takes nothing.
///
/// It looks at the output twice per [`Limits::stall_timeout`], never while bytes are queued or sent, so it costs the
/// hot path nothing. A look fails if most of what waited at the one before is still there; the second failure in a row
/// is a stall. So a stall is seen after 1 to 1.5 times the limit.
///
/// A socket that waits for room is offered bytes before each look: what it takes then may be room that it had all the time, which
/// the system did not report, and must not look like progress later.
#[derive(Debug, Default)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct StallWatch {
    /// [`Output::sent`] that the next look wants to see.
    wanted: u64,
    failed: bool,
}

impl StallWatch {
    /// Bytes that must leave between two looks, if as many wait: below any stream's rate, above what a peer needs that
    /// reads a byte now and then to look alive.
    const MIN_PROGRESS: usize = 8 << 10;

    /// The time from one look to the next.
    pub(crate) fn interval(limits: &Limits) -> Duration {
        limits.stall_timeout / 2
    }

    /// Takes a look: whether `output` has stalled.
    pub(crate) fn look(&mut self, output: &Output) -> bool {
        let fails = output.sent() < self.wanted;
        let stalled = self.failed && fails;
        self.failed = fails;
        self.wanted = output.sent() + output.len().min(Self::MIN_PROGRESS) as u64;
        stalled
    }
}

/// Notices a peer that says nothing: nothing at all or, if it publishes, no media.
///
/// What counts for a publisher is a whole coded frame, as pings, acknowledgements, headers and empty messages are none. Where a
/// large one is slow to come, its bytes count too, if there are enough of them. They are looked at when the time is over,
/// never when they come.
#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct SilenceWatch {
    /// When it was last heard.
    heard: Time,
    /// Bytes of unfinished media at the last look since.
    under_way: usize,
}

impl SilenceWatch {
    /// Bytes of unfinished media that break a silence, if so many have come since it began. 4 KiB: 1.1 kbit/s over the 30 s of
    /// [`Limits::idle_timeout`], slower than any link that a picture is sent by, and more than a byte now and then.
    const MIN_PROGRESS: usize = 4 << 10;

    pub(crate) const fn new(now: Time) -> Self {
        SilenceWatch {
            heard: now,
            under_way: 0,
        }
    }

    /// It said something that counts.
    pub(crate) const fn hear(&mut self, now: Time) {
        *self = SilenceWatch::new(now);
    }

    /// So long it could not be heard, because we did not listen.
    pub(crate) fn excuse(&mut self, span: Duration) {
        self.heard = self.heard + span;
    }

    /// When a silence of `span` is over.
    pub(crate) fn due(&self, span: Duration) -> Time {
        self.heard + span
    }

    /// Whether a look at `now` would find that it has been silent for `span`. `under_way`: bytes of unfinished media.
    pub(crate) fn is_over(&self, now: Time, span: Duration, under_way: usize) -> bool {
        let has_progress = under_way >= self.under_way.saturating_add(Self::MIN_PROGRESS);
        self.due(span) <= now && !has_progress
    }

    /// Takes a look: when to take the next one, or `None` if it [is over](Self::is_over).
    pub(crate) fn look(&mut self, now: Time, span: Duration, under_way: usize) -> Option<Time> {
        if self.is_over(now, span, under_way) {
            return None;
        }
        if self.due(span) <= now {
            *self = SilenceWatch { heard: now, under_way };
        }
        Some(self.due(span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Buf;

    #[test]
    fn bytes_of_a_frame_break_a_silence_if_they_are_many() {
        const SPAN: Duration = Duration::from_secs(30);
        let seconds = |seconds: u64| Time::from_millis(seconds * 1_000);
        let mut watch = SilenceWatch::new(Time::ZERO);
        watch.hear(seconds(1));
        assert_eq!(watch.look(seconds(30), SPAN, 5_000), Some(seconds(31)), "too early");
        assert_eq!(watch.look(seconds(31), SPAN, 5_000), Some(seconds(61)));
        assert_eq!(
            watch.look(seconds(61), SPAN, 9_095),
            None,
            "one byte less than 4 KiB more"
        );
        assert_eq!(watch.look(seconds(61), SPAN, 9_096), Some(seconds(91)));
        assert_eq!(watch.look(seconds(91), SPAN, 4_096), None, "another frame, no larger");
        watch.excuse(Duration::from_secs(5));
        assert_eq!(watch.look(seconds(91), SPAN, 0), Some(seconds(96)));
        watch.hear(seconds(92));
        assert_eq!(
            watch.look(seconds(122), SPAN, 4_096),
            Some(seconds(152)),
            "it begins anew"
        );
    }

    #[test]
    fn fires_in_deadline_order_and_once() {
        let mut timers = Timers::new();
        assert_eq!(timers.first(), None);
        timers.set(Timer::Ping, Time::from_millis(20));
        timers.set(Timer::Idle, Time::from_millis(10));
        timers.set(Timer::Close, Time::from_millis(30));
        timers.clear(Timer::Close);
        assert_eq!(timers.first(), Some((Time::from_millis(10), Timer::Idle)));
        assert!(timers.is_set(Timer::Ping) && !timers.is_set(Timer::Close));
        assert_eq!(timers.take_due(Time::from_millis(9)), None);
        assert_eq!(timers.take_due(Time::from_millis(50)), Some(Timer::Idle));
        assert_eq!(timers.take_due(Time::from_millis(50)), Some(Timer::Ping));
        assert_eq!(timers.take_due(Time::from_millis(50)), None);
        assert_eq!(timers.first(), None);
    }

    #[test]
    fn a_socket_that_takes_nothing_fails_two_looks() {
        let mut output = Output::new();
        let mut watch = StallWatch::default();
        assert!(!watch.look(&output));
        output.write(&[0; 100]);
        assert!(!watch.look(&output), "first sight of what waits");
        assert!(!watch.look(&output), "first failure");
        assert!(watch.look(&output));
    }

    #[test]
    fn a_socket_that_takes_a_byte_now_and_then_stalls_too() {
        let mut output = Output::new();
        let mut watch = StallWatch::default();
        output.write(&[0; 100_000]);
        let stalled = (0..3).map(|_| {
            output.advance(1);
            watch.look(&output)
        });
        assert!(stalled.eq([false, false, true]));
    }

    #[test]
    fn a_socket_that_keeps_up_never_stalls() {
        let mut output = Output::new();
        let mut watch = StallWatch::default();
        for _ in 0..10 {
            assert!(!watch.look(&output));
            output.write(&[0; 100_000]);
            assert!(!watch.look(&output));
            output.advance(StallWatch::MIN_PROGRESS);
            assert!(!watch.look(&output));
            output.advance(output.remaining());
        }
    }
}
