//! Publishers that nobody watches are read seldom, and much at a time: their reads are deferred.
//!
//! An encoder sends each frame in a segment of its own. To be woken for each and to read it at once is most of what a
//! publisher costs, and lets players have it early; where there are none, what comes may as well wait in the kernel.
//! Nothing is lost by it: once somebody wants the stream, [`Action::Read`] brings in what is there. To a player on the
//! same shard nothing is written before; one on another gets what was read so far, and the rest follows at once.
//!
//! What else the publisher says waits as well. Only its end is heard at once: an end of publishing over a connection that
//! stays open may be up to 100 ms late, and the name is taken until then.

use super::connection::{Activity, Connection, Phase, Role};
use super::{Action, ConnectionId, Server};
use crate::Time;
use crate::hub::ChannelId;
use alloc::collections::BTreeSet;
use core::time::Duration;

/// How long bytes of a publisher that nobody watches may wait. 100 ms: ten wake-ups a second for any number of them,
/// instead of about seventy for each, and neither an encoder nor a person notices.
const INTERVAL: Duration = Duration::from_millis(100);

/// Silence after which a connection is read eagerly again, so that one that says nothing costs nothing. 200 ms: by then it
/// was looked at in vain.
const SILENCE: Duration = Duration::from_millis(200);

/// Bytes that are not kept waiting: with so many, a connection is read before its time. 64 KiB: as much as a driver reads
/// at once, so that a publisher of 5 Mb/s and more, or a whole file pushed at full speed, sets the pace itself.
const LOW_WATER: usize = 64 << 10;

/// The connections whose reads are deferred, and when they are looked at next.
#[derive(Debug, Default)]
pub(super) struct DeferredReads {
    connections: BTreeSet<ConnectionId>,
    /// Set while there are any.
    due: Option<Time>,
}

impl DeferredReads {
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.due
    }

    fn insert(&mut self, now: Time, id: ConnectionId) {
        self.connections.insert(id);
        self.due.get_or_insert(now + INTERVAL);
    }

    fn remove(&mut self, id: ConnectionId) -> bool {
        let was_there = self.connections.remove(&id);
        if self.connections.is_empty() {
            self.due = None;
        }
        was_there
    }
}

impl Server {
    /// How many bytes a connection's socket should have before it says that it is readable; an end or an error it says
    /// at once. 1, but for publishers that nobody watches. It changes with [`handle_input`](Self::handle_input) and
    /// with [`Action::Read`].
    ///
    /// A socket that cannot be told so may go on saying it for every byte: that costs more and changes nothing else.
    #[must_use]
    pub fn low_water(&self, id: ConnectionId) -> usize {
        if self.deferred.connections.contains(&id) {
            LOW_WATER
        } else {
            1
        }
    }

    /// After a read of a connection: takes it easy from now on if all that it does is to publish what nobody watches,
    /// and not if it has just said that it is in a hurry.
    pub(super) fn defer(&mut self, now: Time, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        let is_unwatched = |role: &Role| self.is_unwatched(role.channel);
        if connection.may_be_deferred() && connection.roles.iter().all(is_unwatched) {
            self.deferred.insert(now, id);
        } else {
            self.deferred.remove(id);
        }
    }

    /// Somebody waits for what a connection sends, or will not do nothing but publish any more: reads it, now and
    /// eagerly from now on. Returns whether it was read seldom until now.
    pub(super) fn read_now(&mut self, id: ConnectionId) -> bool {
        let was_deferred = self.deferred.remove(id);
        if was_deferred {
            self.actions.push_back(Action::Read(id));
        }
        was_deferred
    }

    /// As [`read_now`](Self::read_now), for the publisher of `channel` if it is one of ours.
    pub(super) fn read_publisher_now(&mut self, channel: ChannelId) {
        let publisher = self.streams.get(channel).and_then(|stream| stream.publisher.as_ref());
        if let Some(id) = publisher.map(|publisher| publisher.connection) {
            self.read_now(id);
        }
    }

    /// Has all connections read whose turn has come. O(those whose reads are deferred).
    pub(super) fn read_deferred(&mut self, now: Time) {
        if self.deferred.due.is_none_or(|due| now < due) {
            return;
        }
        self.deferred.due = Some(now + INTERVAL);
        for id in self.deferred.connections.clone() {
            let is_silent = self
                .connections
                .get(id)
                .is_none_or(|it| now.since(it.last_input) >= SILENCE);
            if is_silent {
                self.read_now(id);
            } else {
                self.actions.push_back(Action::Read(id));
            }
        }
    }

    /// Whether media of the stream has come, and nobody here or on another shard plays it or wants to.
    fn is_unwatched(&self, channel: ChannelId) -> bool {
        let stream = self.streams.get(channel);
        stream.is_some_and(|stream| stream.channel.stats().frames > 0 && !stream.is_watched())
    }
}

impl Connection {
    /// Whether its peer waits for nothing that reading late would delay: it publishes, does nothing else, and wants
    /// acknowledgements seldom.
    fn may_be_deferred(&self) -> bool {
        self.phase == Phase::Open
            && !self.protocol.is_local()
            && !self.roles.is_empty()
            && self
                .roles
                .iter()
                .all(|role| matches!(role.activity, Activity::Publishing { .. }))
            && self
                .protocol
                .ack_every()
                .is_none_or(|bytes| bytes as usize >= LOW_WATER)
    }
}
