//! The refusals of late, so that a peer which got nothing can be told why, or its operator can.

use super::event::Peer;
use super::question::Intent;
use super::{ConnectionId, Server};
use crate::{StreamKey, Time};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// Refusals that a worker remembers. 256: an encoder or player that has just failed is among them on a busy server too. Beyond
/// that the oldest is forgotten. With the longest names and reasons they take 300 KiB of each worker.
const MAX: usize = 256;

/// Characters of a reason that are kept. 128: ours are shorter, and those that the world gives are for one line.
const MAX_REASON: usize = 128;

/// The newest refusals, the newest last.
#[derive(Debug, Default)]
pub(super) struct RecentRefusals {
    newest: VecDeque<RecentRefusal>,
}

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecentRefusal {
    pub(super) at: Time,
    pub(super) connection: ConnectionId,
    pub(super) address: SocketAddr,
    pub(super) stream: StreamKey,
    pub(super) intent: Intent,
    /// Which rule refused, in one word for programs.
    pub(super) rule: &'static str,
    /// For people.
    pub(super) reason: Box<str>,
}

impl RecentRefusals {
    /// O(1).
    fn add(&mut self, refusal: RecentRefusal) {
        if self.newest.len() >= MAX {
            self.newest.pop_front();
        }
        self.newest.push_back(refusal);
    }

    /// The newest that `are_meant`, at most `count`, the newest first. O(what is remembered).
    pub(super) fn find(&self, count: usize, are_meant: impl Fn(&RecentRefusal) -> bool) -> Vec<RecentRefusal> {
        let meant = self.newest.iter().rev().filter(|it| are_meant(it));
        meant.take(count).cloned().collect()
    }
}

impl Server {
    /// Remembers that a peer was refused something. O(1), and an allocation for the reason.
    pub(super) fn remember_refusal(
        &mut self,
        now: Time,
        peer: Peer,
        stream: &StreamKey,
        intent: Intent,
        rule: &'static str,
        reason: &str,
    ) {
        let end = reason.char_indices().nth(MAX_REASON).map(|(end, _)| end);
        self.recent.add(RecentRefusal {
            at: now,
            connection: peer.connection,
            address: peer.address,
            stream: stream.clone(),
            intent,
            rule,
            reason: end.and_then(|end| reason.get(..end)).unwrap_or(reason).into(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use core::net::Ipv4Addr;

    #[test]
    fn the_newest_refusals_are_remembered_and_no_more() {
        let mut recent = RecentRefusals::default();
        for number in 0..10_000 {
            recent.add(RecentRefusal {
                at: Time::from_millis(number),
                connection: ConnectionId::from_token(number),
                address: (Ipv4Addr::LOCALHOST, 40_000).into(),
                stream: StreamKey::new(&format!("live/{}", number % 2)).unwrap(),
                intent: Intent::Play,
                rule: "absent",
                reason: "no such stream".into(),
            });
        }
        let found = recent.find(3, |it| it.stream.name() == "1");
        assert_eq!(
            found.iter().map(|it| it.at.as_millis()).collect::<Vec<_>>(),
            [9_999, 9_997, 9_995]
        );
        assert_eq!(recent.find(usize::MAX, |_| true).len(), MAX);
    }
}
