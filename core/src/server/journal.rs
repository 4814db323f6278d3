//! The journal: which lines about peers are worth a place in the log.
//!
//! A line costs a peer a request and us a place on the disk, so each address has a share, and all have one together. What
//! is left out is counted, and the log says so.

use super::address::Address;
use super::buckets::{Bucket, Buckets, Rate};
use super::event::{Event, Peer};
use super::refusals::Refusals;
use super::{ConnectionId, Server};
use crate::hub::ChannelId;
use crate::{StreamKey, Time};
use alloc::collections::BTreeMap;
use core::mem;
use core::net::SocketAddr;
use core::time::Duration;
use tracing::warn;

/// Lines about the peers at one address. 4,000 at once: a thousand players behind one proxy, or of a load test, that wait,
/// begin and end. Then 50 in a second: 25 of them come and go in every second; for one that only wants to fill the log up
/// that is 0.6 GB in a day.
const LINES_PER_ADDRESS: Rate = Rate {
    burst: 4_000,
    every: Duration::from_millis(20),
};

/// Lines about all peers. 20,000 at once: all players of a full worker that lose their stream. Then 200 in a second: 2.5 GB
/// in a day, however many attack.
const LINES: Rate = Rate {
    burst: 20_000,
    every: Duration::from_millis(5),
};

/// How long after the first line that was left out the log says how many there were, and how long after a line about
/// ourselves the next comes. 10 s: seldom enough to be no burden.
const REPORT_AFTER: Duration = Duration::from_secs(10);

/// Bytes of a stream's name for which a line counts once more. 64: few names are longer, and a line with one of 511 bytes,
/// escaped, has 2 KB.
const NAME: usize = 64;

/// Addresses whose lines are counted one by one until then. 64: the ones that began.
const MAX_COUNTED: usize = 64;

/// Decides which lines about peers are logged, and how often the worker says that it has too much to do. Cost of a line:
/// O(log addresses).
#[derive(Debug)]
pub(super) struct Journal {
    /// "The worker is full."
    pub(super) full: Seldom,
    /// "A worker cannot keep up."
    pub(super) behind: Seldom,
    /// "Memory is short", for each rung of the ladder.
    pub(super) relief: [Seldom; 5],
    all: Bucket,
    by_address: Buckets<Address>,
    refusals: Refusals,
    /// Since the last report.
    left_out: LeftOut,
}

#[derive(Debug, Default)]
struct LeftOut {
    lines: u64,
    by_address: BTreeMap<Address, u64>,
    report_at: Option<Time>,
}

impl Journal {
    pub(super) fn new() -> Self {
        Journal {
            full: Seldom::default(),
            behind: Seldom::default(),
            relief: Default::default(),
            all: Bucket::default(),
            by_address: Buckets::new(LINES_PER_ADDRESS),
            refusals: Refusals::default(),
            left_out: LeftOut::default(),
        }
    }

    /// Whether a line is logged about what a peer at this address did with `stream`, if with any.
    pub(super) fn admits(&mut self, now: Time, address: impl Into<Address>, stream: &str) -> bool {
        let address = address.into();
        let is_admitted = self.by_address.has_token(now, &address) && self.all.has_token(now, LINES);
        if is_admitted {
            let cost = 1 + u32::try_from(stream.len() / NAME).unwrap_or(u32::MAX);
            self.by_address.take(now, &address, cost);
            self.all.take(now, LINES, cost);
        } else {
            self.left_out.count(now, address);
        }
        is_admitted
    }

    /// Whether it is logged that this peer was refused to publish `stream`: once for all its attempts.
    pub(super) fn admits_refusal(&mut self, now: Time, peer: SocketAddr, stream: &str) -> bool {
        self.refusals.is_news(now, peer.into(), stream) && self.admits(now, peer, stream)
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.left_out.report_at
    }

    /// Says what was left out, when it is time.
    pub(super) fn handle_timeout(&mut self, now: Time) {
        if self.left_out.report_at.is_some_and(|at| at <= now) {
            self.report();
        }
    }

    /// Says what was left out, if there was anything.
    pub(super) fn report(&mut self) {
        let LeftOut { lines, by_address, .. } = mem::take(&mut self.left_out);
        if let Some((peer, of_peer)) = by_address.iter().max_by_key(|(_, lines)| **lines) {
            warn!(lines, most_about = %peer, of_those = of_peer, "log lines left out");
        }
    }
}

/// A line that is logged at once, and then no more than once in ten seconds, with how often it would have been.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    times: u64,
    next: Time,
}

impl Seldom {
    /// It was the case once more. Returns how often since the last line, if it is time for the next.
    pub(super) fn note(&mut self, now: Time) -> Option<u64> {
        self.times += 1;
        (self.next <= now).then(|| {
            self.next = now + REPORT_AFTER;
            mem::take(&mut self.times)
        })
    }
}

impl LeftOut {
    fn count(&mut self, now: Time, address: Address) {
        self.lines += 1;
        if self.by_address.len() < MAX_COUNTED || self.by_address.contains_key(&address) {
            *self.by_address.entry(address).or_default() += 1;
        }
        self.report_at.get_or_insert(now + REPORT_AFTER);
    }
}

impl Server {
    /// Tells an event that its peer has caused.
    pub(super) fn report(&mut self, now: Time, event: Event) {
        if let Some(peer) = event.peer() {
            self.report_about(now, peer.address.into(), event);
        }
    }

    /// Logs an event, if the address that it is about has not used up its share of the log, and keeps it for observers.
    pub(super) fn report_about(&mut self, now: Time, address: Address, event: Event) {
        let stream = event.stream().map_or("", StreamKey::as_str);
        let is_logged = match &event {
            _ if event.is_detail() => true,
            Event::PublishRefused { peer, .. } => self.journal.admits_refusal(now, peer.address, stream),
            _ => self.journal.admits(now, address, stream),
        };
        if is_logged {
            event.log();
        }
        self.keep_event(event);
    }

    /// Tells an event to readers, and keeps it for observers, if there are any of them.
    pub(super) fn keep_event(&mut self, event: Event) {
        self.tell(&event);
        if self.config.keeps_events {
            self.events.push_back(event);
        }
    }

    /// What an event about a connection and a stream is about.
    pub(super) fn subject(&self, id: ConnectionId, channel: ChannelId) -> Option<(Peer, StreamKey)> {
        let peer = self.connections.get(id)?.peer(id);
        Some((peer, self.streams.get(channel)?.key.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::net::Ipv4Addr;

    fn peer(host: u32) -> SocketAddr {
        (Ipv4Addr::from_bits(host), 40_000).into()
    }

    fn admitted(journal: &mut Journal, now: Time, host: u32, lines: usize) -> usize {
        (0..lines).filter(|_| journal.admits(now, peer(host), "live/x")).count()
    }

    #[test]
    fn one_address_leaves_the_log_to_others() {
        let mut journal = Journal::new();
        assert_eq!(admitted(&mut journal, Time::ZERO, 1, 100_000), 4_000);
        assert_eq!(admitted(&mut journal, Time::ZERO, 2, 3_000), 3_000);
        assert_eq!(admitted(&mut journal, Time::from_millis(1_000), 1, 100_000), 50);
        assert_eq!(journal.left_out.lines, 96_000 + 99_950);
    }

    #[test]
    fn a_line_with_a_long_name_counts_for_several() {
        let (mut journal, name) = (Journal::new(), "x".repeat(511));
        let admitted = (0..4_000)
            .filter(|_| journal.admits(Time::ZERO, peer(1), &name))
            .count();
        assert_eq!(admitted, 4_000 / 8);
    }

    #[test]
    fn many_addresses_fill_the_log_no_faster_than_it_may_grow() {
        let mut journal = Journal::new();
        let mut flood = |now| (0..100_000).filter(|host| journal.admits(now, peer(*host), "")).count();
        assert_eq!(flood(Time::ZERO), 20_000);
        assert_eq!(flood(Time::from_millis(1_000)), 200);
        assert_eq!(journal.left_out.by_address.len(), MAX_COUNTED);
    }

    #[test]
    fn a_line_about_ourselves_comes_once_in_ten_seconds() {
        let mut seldom = Seldom::default();
        let lines: Vec<_> = (0..25_000)
            .filter_map(|millis| seldom.note(Time::from_millis(millis)))
            .collect();
        assert_eq!(lines, [1, 10_000, 10_000]);
    }

    #[test]
    fn what_was_left_out_is_reported_once() {
        let mut journal = Journal::new();
        assert_eq!(admitted(&mut journal, Time::ZERO, 1, 4_000), 4_000);
        assert_eq!(journal.poll_timeout(), None);
        assert_eq!(admitted(&mut journal, Time::ZERO, 1, 1_000), 0);
        let at = Time::ZERO + REPORT_AFTER;
        assert_eq!(journal.poll_timeout(), Some(at));
        journal.handle_timeout(at);
        assert_eq!((journal.left_out.lines, journal.poll_timeout()), (0, None));
    }
}
