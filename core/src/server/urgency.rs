//! Whether what a connection sends is urgent: somebody waits for it.
//!
//! An encoder sends each frame in a segment of its own. To be woken for each and to read it at once is most of what a
//! publisher costs, and lets players have it early; where there are none, what comes may as well wait in the kernel. So a
//! driver may ask [`Server::is_urgent`] after each read, and read what is not urgent seldom and much at a time. One that
//! never asks reads everything at once, and is right too.
//!
//! Nothing is lost by waiting: once somebody wants the stream, [`Action::Read`] brings in what is there. To a player on the
//! same shard nothing is written before; one on another gets what was read so far, and the rest follows at once. What else
//! the publisher says waits as well, but its end is heard at once.

use super::connection::{Activity, Connection, Phase, Role};
use super::{Action, ConnectionId, Server};
use crate::hub::ChannelId;
use core::mem;

/// The most bytes of input that is not [urgent](Server::is_urgent) that a driver may leave unread. 64 KiB: as much as a driver
/// reads at once, so that a publisher of 5 Mb/s and more, or a whole file pushed at full speed, sets the pace itself.
pub const MAX_DEFERRED: usize = 64 << 10;

impl Server {
    /// Whether what the connection sends is to be read as soon as it comes, as it always may be. If not, it publishes what
    /// nobody watches: up to [`MAX_DEFERRED`] bytes may wait in its socket for a moment, and an end or an error is still to
    /// be read at once. 100 ms are a good moment: neither an encoder nor a person notices.
    ///
    /// Ask after [`handle_input`](Self::handle_input). What it then says holds until the next, or until
    /// [`Action::Read`] says that it has become urgent. O(1).
    #[must_use]
    pub fn is_urgent(&self, id: ConnectionId) -> bool {
        self.connections.get(id).is_none_or(|connection| !connection.may_wait)
    }

    /// After a read of a connection: what it sends next may wait if all that it does is to publish what nobody watches, and
    /// it has not just said that it is in a hurry.
    pub(super) fn note_urgency(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        let is_unwatched = |role: &Role| self.is_unwatched(role.channel);
        let may_wait = connection.only_publishes() && connection.roles.iter().all(is_unwatched);
        if let Some(connection) = self.connections.get_mut(id) {
            connection.may_wait = may_wait;
        }
    }

    /// Somebody waits for what a connection sends, or it does more than publish from now on: has it read if what it sends
    /// could wait until now.
    pub(super) fn read_now(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id)
            && mem::take(&mut connection.may_wait)
        {
            self.actions.push_back(Action::Read(id));
        }
    }

    /// As [`read_now`](Self::read_now), for the publisher of `channel` if it is one of ours.
    pub(super) fn read_publisher_now(&mut self, channel: ChannelId) {
        let publisher = self.streams.get(channel).and_then(|stream| stream.publisher.as_ref());
        if let Some(id) = publisher.map(|publisher| publisher.connection) {
            self.read_now(id);
        }
    }

    /// Has a socket read, whether or not it has reported anything.
    pub(super) fn look_into(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.may_wait = false;
        }
        self.actions.push_back(Action::Read(id));
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
    fn only_publishes(&self) -> bool {
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
                .is_none_or(|bytes| bytes as usize >= MAX_DEFERRED)
    }
}
