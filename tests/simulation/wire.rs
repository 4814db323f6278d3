//! The network between an actor and the server.

use headwater_core::Time;
use headwater_driver::memory::Peer;
use std::collections::VecDeque;
use std::time::Duration;

/// One connection, seen from the actor's end.
#[derive(Debug)]
pub struct Wire {
    pub peer: Peer,
    /// The worker at the other end.
    pub shard: usize,
    up: VecDeque<(Time, Vec<u8>)>,
    down: VecDeque<(Time, Vec<u8>)>,
    pub delay: Duration,
    /// What the actor sends does not arrive until then.
    pub up_stalled: Time,
    /// The server's socket is full until then.
    pub down_stalled: Time,
    /// The system has no memory for the server's socket until then.
    pub short_until: Time,
    /// The code of the error that says so.
    pub shortage: i32,
    /// Bytes that the server can write in a tick; no limit if `None`.
    pub rate: Option<usize>,
    /// Whether the actor's side closes when all has arrived.
    pub is_finishing: bool,
    /// When something arrived at the server's socket last.
    arrived: Time,
    /// Since when something has arrived there all the time.
    steady_since: Time,
    /// Whether the worker is told that there is something to read.
    is_reported: bool,
    /// Whether reads and writes fail for want of memory.
    is_short: bool,
    /// Whether the actor has closed its side.
    has_finished: bool,
    /// Reads of the server so far, and for how long it has not read on though it wants to.
    reads: (usize, Duration),
    /// For how long the server has written nothing since the actor closed its side.
    silence: Duration,
}

/// What arrives all the time does so after that at the latest.
const STEADY: Duration = Duration::from_millis(400);

/// There is no buffer, for Linux.
pub const ENOBUFS: i32 = 105;
/// There is no memory.
pub const ENOMEM: i32 = 12;

impl Wire {
    pub fn new(peer: Peer, shard: usize) -> Wire {
        Wire {
            peer,
            shard,
            up: VecDeque::new(),
            down: VecDeque::new(),
            delay: Duration::ZERO,
            up_stalled: Time::ZERO,
            down_stalled: Time::ZERO,
            short_until: Time::ZERO,
            shortage: ENOBUFS,
            rate: None,
            is_finishing: false,
            arrived: Time::ZERO,
            steady_since: Time::ZERO,
            is_reported: true,
            is_short: false,
            has_finished: false,
            reads: (0, Duration::ZERO),
            silence: Duration::ZERO,
        }
    }

    /// From now on the worker is told that there is something to read, or is not.
    pub fn set_reported(&mut self, is_reported: bool) {
        self.is_reported = is_reported;
        self.peer.set_reported(is_reported);
    }

    fn set_short(&mut self, is_short: bool) {
        self.is_short = is_short;
        self.peer.set_fault(is_short.then_some(self.shortage));
    }

    /// The connection breaks, which is told.
    pub fn reset(&mut self) {
        self.set_reported(true);
        self.set_short(false);
        self.peer.reset();
    }

    /// For how long the server has not read on in what is there, though it could. `wants_input`: whether it would.
    pub fn note_unread(&mut self, wants_input: bool, span: Duration) -> Duration {
        let (reads, waited) = self.reads;
        let waits =
            wants_input && self.is_reported && !self.is_short && self.peer.unread() > 0 && self.peer.reads() == reads;
        self.reads = (self.peer.reads(), if waits { waited + span } else { Duration::ZERO });
        self.reads.1
    }

    /// For how long the server has written nothing though it has read all that the actor had to say.
    pub fn note_silence(&mut self, span: Duration) -> Duration {
        if self.has_finished && self.is_reported && self.peer.unread() == 0 {
            self.silence += span;
        }
        self.silence
    }

    /// For how long something has arrived at the server's socket all the time, up to now.
    pub fn steady_for(&self, now: Time) -> Duration {
        match now.since(self.arrived) < STEADY {
            true => now.since(self.steady_since),
            false => Duration::ZERO,
        }
    }

    pub fn say(&mut self, now: Time, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.up.push_back((now + self.delay, bytes));
        }
    }

    /// Carries what is due in both directions, and returns what the actor receives.
    pub fn carry(&mut self, now: Time) -> Vec<u8> {
        self.set_short(self.short_until > now);
        if self.is_short {
            // What has arrived cannot be read.
            self.steady_since = now;
        }
        if self.up_stalled <= now {
            while let Some((_, bytes)) = self.up.pop_front_if(|(at, _)| *at <= now) {
                self.peer.send(&bytes);
                if now.since(self.arrived) >= STEADY {
                    self.steady_since = now;
                }
                self.arrived = now;
            }
            if self.is_finishing && self.up.is_empty() {
                self.peer.finish();
                self.has_finished = true;
            }
        }
        self.peer.set_window(match self.rate {
            _ if self.down_stalled > now => 0,
            Some(rate) => rate,
            None => usize::MAX,
        });
        let bytes = self.peer.take();
        if !bytes.is_empty() {
            self.silence = Duration::ZERO;
            self.down.push_back((now + self.delay, bytes));
        }
        let mut received = Vec::new();
        while let Some((_, bytes)) = self.down.pop_front_if(|(at, _)| *at <= now) {
            received.extend(bytes);
        }
        received
    }

    /// Whether the server has said all, and it has come.
    pub fn is_over(&self) -> bool {
        self.peer.is_shut_down() && self.down.is_empty()
    }

    /// The network is good from now on.
    pub fn heal(&mut self) {
        self.delay = Duration::ZERO;
        self.up_stalled = Time::ZERO;
        self.down_stalled = Time::ZERO;
        self.short_until = Time::ZERO;
        self.set_short(false);
        self.rate = None;
        self.peer.set_max_read(usize::MAX);
        self.peer.set_max_write(usize::MAX);
        self.set_reported(true);
    }
}
