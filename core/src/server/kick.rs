//! Kicks: an operator ends connections, and keeps them away for a while.

use super::address::Address;
use super::connection::{Activity, Connection, Phase, Role};
use super::refusal::Refusal;
use super::shard::{Body, ShardId};
use super::{ConnectionId, Server};
use crate::hub::ChannelId;
use crate::{EndCause, StreamKey, Time};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

/// What an operator wants to be gone: for [`Server::kick`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kick {
    /// What is ended.
    pub what: Kicked,
    /// How long it is kept away. Not at all by default, and then an encoder is back as soon as it tries again: OBS after 2 s.
    pub ban: Duration,
    /// The operator that wants it, for those that look at the bans. None by default: the application does.
    pub by: Option<IpAddr>,
}

/// What is ended by a [`Kick`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kicked {
    /// One connection. The ban is for its address and the streams that it published or played: others may have them.
    Connection(ConnectionId),
    /// All connections that publish or play a stream, or want to. The ban is for everybody: an encoder may come back from
    /// another address.
    Stream(StreamKey),
}

impl Kick {
    /// Ends one connection.
    #[must_use]
    pub const fn connection(id: ConnectionId) -> Self {
        Kick {
            what: Kicked::Connection(id),
            ban: Duration::ZERO,
            by: None,
        }
    }

    /// Ends a stream and all its players.
    #[must_use]
    pub const fn stream(key: StreamKey) -> Self {
        Kick {
            what: Kicked::Stream(key),
            ban: Duration::ZERO,
            by: None,
        }
    }

    /// Keeps them away for so long.
    #[must_use]
    pub const fn with_ban(mut self, ban: Duration) -> Self {
        self.ban = ban;
        self
    }

    /// Says which operator wants it.
    #[must_use]
    pub const fn by(mut self, operator: Option<IpAddr>) -> Self {
        self.by = operator;
        self
    }
}

impl Server {
    /// Ends connections of this shard. Returns how many: to end a stream everywhere, tell every shard.
    ///
    /// Each is told in the words of its protocol, and closed once that has left. A ban holds on all shards: what it concerns
    /// is refused with `NetStream.Publish.Denied`, `NetStream.Play.Failed`, or 403 with `Retry-After`.
    ///
    /// Cost: O(connections) for a stream.
    pub fn kick(&mut self, now: Time, kick: &Kick) -> usize {
        let now = self.advance(now);
        let kicked = self.end_kicked(now, kick);
        self.work_off(now);
        kicked
    }

    /// As [`kick`](Self::kick), within another call.
    pub(super) fn end_kicked(&mut self, now: Time, kick: &Kick) -> usize {
        let ids = match &kick.what {
            Kicked::Connection(id) => {
                self.ban_connection(now, *id, kick);
                Vec::from([*id])
            }
            Kicked::Stream(key) => {
                self.ban(now, key, None, kick);
                self.connections_of(key)
            }
        };
        let kicked = ids
            .into_iter()
            .filter(|&id| self.dismiss(now, id, Refusal::Kicked, EndCause::Kicked));
        kicked.count()
    }

    /// The connections that publish or play a stream, or want to.
    fn connections_of(&self, key: &StreamKey) -> Vec<ConnectionId> {
        let Some(channel) = self.streams.find(key) else {
            return Vec::new();
        };
        let connections = self.connections.iter();
        let those = connections.filter(|(_, it)| it.roles.iter().any(|role| role.concerns(channel)));
        those.map(|(id, _)| id).collect()
    }

    /// Ends what a connection does, and then itself. Returns whether it was not ending already.
    pub(super) fn dismiss(&mut self, now: Time, id: ConnectionId, refusal: Refusal, cause: EndCause) -> bool {
        let open = self.connections.get_mut(id).filter(|it| it.phase == Phase::Open);
        let Some(connection) = open else {
            return false;
        };
        let was_closing = connection.protocol.is_closing();
        let roles: Vec<_> = connection.roles.iter().map(|role| role.stream).collect();
        for stream in roles {
            self.cut_role(now, id, stream, refusal, cause);
        }
        self.withdraw_question(now, id, refusal);
        if let Some(connection) = self.connections.get_mut(id) {
            connection.protocol.close(now);
        }
        self.connections.touch(id);
        !was_closing
    }

    /// Keeps the address of a connection from the streams that it publishes or plays.
    fn ban_connection(&mut self, now: Time, id: ConnectionId, kick: &Kick) {
        let Some(Connection { peer, roles, .. }) = self.connections.get(id) else {
            return;
        };
        let address = (*peer).into();
        let keys = roles.iter().filter_map(|role| self.streams.get(role.channel));
        let keys: Vec<_> = keys.map(|stream| stream.key.clone()).collect();
        for key in keys {
            self.ban(now, &key, Some(address), kick);
        }
    }

    /// Why a peer may not have a stream with one of these names, if it is banned from it.
    pub(super) fn banned<'k>(
        &self,
        now: Time,
        id: ConnectionId,
        keys: impl IntoIterator<Item = &'k StreamKey>,
    ) -> Option<Refusal> {
        let address = self.connections.get(id)?.peer.into();
        let spans = keys.into_iter().filter_map(|key| self.bans.left(now, key, address));
        spans.max().map(|left| Refusal::Banned { left })
    }

    /// Keeps an address, or everybody, from a stream, here and on all other shards.
    fn ban(&mut self, now: Time, key: &StreamKey, address: Option<Address>, kick: &Kick) {
        let &Kick { ban: span, by, .. } = kick;
        if span.is_zero() {
            return;
        }
        self.bans.add(now, key.clone(), address, span, by);
        let own = self.shard;
        for shard in (0..self.shards).map(ShardId).filter(|&it| it != own) {
            self.send(shard, key, Body::Ban { address, span, by });
        }
    }
}

impl Role {
    /// Whether the stream of `channel` is what it publishes or plays, or wants to.
    fn concerns(&self, channel: ChannelId) -> bool {
        let undecoded = match self.activity {
            Activity::Seeking { undecoded, .. } => undecoded,
            _ => None,
        };
        [Some(self.channel), undecoded].contains(&Some(channel))
    }
}
