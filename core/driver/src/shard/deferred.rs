//! Deferred reads: connections whose input is not [urgent](headwater_core::server::Server::is_urgent) are read seldom, all of
//! them together, and much at a time.
//!
//! Ten wake-ups a second serve any number of publishers that nobody watches, instead of about seventy for each.

use headwater_core::Time;
use headwater_core::server::{ConnectionId, MAX_DEFERRED};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long bytes of a publisher that nobody watches may wait. 100 ms: ten wake-ups a second for any number of them,
/// and neither an encoder nor a person notices.
const INTERVAL: Duration = Duration::from_millis(100);

/// Silence after which a connection is read eagerly again, so that one that says nothing costs nothing. 200 ms: by then it
/// was looked at in vain.
const SILENCE: Duration = Duration::from_millis(200);

/// Bytes that are not kept waiting: with so many, a connection is read before its time.
pub(super) const LOW_WATER: usize = MAX_DEFERRED;

/// The connections whose reads are deferred, and when they are looked at next.
#[derive(Debug, Default)]
pub(super) struct DeferredReads {
    /// With the time of the last read that found something.
    connections: BTreeMap<ConnectionId, Time>,
    /// Set while there are any.
    due: Option<Time>,
}

impl DeferredReads {
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.due
    }

    /// Something was read from a connection, and what follows may wait.
    pub(super) fn insert(&mut self, now: Time, id: ConnectionId) {
        self.connections.insert(id, now);
        self.due.get_or_insert(now + INTERVAL);
    }

    pub(super) fn remove(&mut self, id: ConnectionId) {
        self.connections.remove(&id);
        if self.connections.is_empty() {
            self.due = None;
        }
    }

    /// If their turn has come, names all of them to `read`. Those that have been silent are deferred no more, and flagged.
    pub(super) fn take_turn(&mut self, now: Time, mut read: impl FnMut(ConnectionId, bool)) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        self.connections.retain(|id, last_input| {
            let is_silent = now.since(*last_input) >= SILENCE;
            read(*id, is_silent);
            !is_silent
        });
        self.due = (!self.connections.is_empty()).then(|| now + INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_core::server::{Config, Protocol, Server, ShardId};
    use std::sync::Arc;

    fn ids<const COUNT: usize>() -> [ConnectionId; COUNT] {
        let mut server = Server::new(Arc::new(Config::default()), ShardId(0), 1, 7);
        let address = ([192, 0, 2, 1], 40_000).into();
        [(); COUNT].map(|()| server.accept(Time::ZERO, Protocol::Rtmp, address).unwrap())
    }

    /// Those whose turn comes at `millis`, each with whether it was silent.
    fn turn(deferred: &mut DeferredReads, millis: u64) -> Vec<(ConnectionId, bool)> {
        let mut read = Vec::new();
        deferred.take_turn(Time::from_millis(millis), |id, is_silent| read.push((id, is_silent)));
        read
    }

    #[test]
    fn all_have_their_turn_together_each_100_ms() {
        let [first, second] = ids();
        let mut deferred = DeferredReads::default();
        assert_eq!(deferred.poll_timeout(), None);
        deferred.insert(Time::ZERO, first);
        deferred.insert(Time::from_millis(90), second);
        assert_eq!(deferred.poll_timeout(), Some(Time::from_millis(100)));
        assert_eq!(turn(&mut deferred, 99), []);
        assert_eq!(turn(&mut deferred, 100), [(first, false), (second, false)]);
        assert_eq!(deferred.poll_timeout(), Some(Time::from_millis(200)));
    }

    #[test]
    fn one_that_is_silent_is_deferred_no_more() {
        let [silent, busy] = ids();
        let mut deferred = DeferredReads::default();
        deferred.insert(Time::ZERO, silent);
        deferred.insert(Time::from_millis(100), busy);
        assert_eq!(turn(&mut deferred, 200), [(silent, true), (busy, false)]);
        assert_eq!(turn(&mut deferred, 300), [(busy, true)]);
        assert_eq!(deferred.poll_timeout(), None, "nothing is left to wake up for");
    }

    #[test]
    fn nothing_wakes_up_for_those_that_are_removed() {
        let [id] = ids();
        let mut deferred = DeferredReads::default();
        deferred.insert(Time::ZERO, id);
        deferred.remove(id);
        assert_eq!(deferred.poll_timeout(), None);
        assert_eq!(turn(&mut deferred, 100), []);
    }
}
