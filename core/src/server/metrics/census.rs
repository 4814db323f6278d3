//! What there is on a worker at the moment.

use super::{StreamCounts, Tally};
use crate::server::connection::{Activity, Connection, Phase};
use crate::server::{Server, StreamView, Transport};
use crate::{StreamKey, Time};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// What a connection does, in the order in which one is looked for: the first that fits.
pub(in crate::server) const ROLES: [&str; 3] = ["publisher", "player", "other"];

/// Connections and what waits for them.
#[derive(Debug, Clone, Default)]
pub(in crate::server) struct Census {
    /// Connections that are open, by what they speak and do: one of [`ROLES`].
    pub(in crate::server) connections: BTreeMap<(Transport, &'static str), u64>,
    /// Bytes that wait to be written.
    pub(in crate::server) queued: u64,
    /// Players of each stream, by what they speak.
    pub(in crate::server) players: BTreeMap<StreamKey, BTreeMap<Transport, u64>>,
}

/// All that metrics are made of, as one worker sees it.
#[derive(Debug, Default)]
pub(in crate::server) struct Sight {
    pub(in crate::server) tally: Tally,
    pub(in crate::server) census: Census,
    /// What each of the named streams has come to, those included that are in their grace time.
    pub(in crate::server) streams: BTreeMap<StreamKey, StreamCounts>,
    /// What all others ever have.
    pub(in crate::server) unnamed: StreamCounts,
}

/// How long a stream has been there, for an order: those come first that were published first, and last those that nobody has
/// published, by name.
pub(in crate::server) type Seniority = (bool, Option<Time>, StreamKey);

impl Census {
    pub(in crate::server) fn add(&mut self, other: Census) {
        for (key, count) in other.connections {
            *self.connections.entry(key).or_default() += count;
        }
        self.queued += other.queued;
        for (key, players) in other.players {
            let sums = self.players.entry(key).or_default();
            for (transport, count) in players {
                *sums.entry(transport).or_default() += count;
            }
        }
    }
}

impl Server {
    /// Those of our streams that were there first, at most `count` of them, those included that are in their grace time.
    /// O(n log n).
    pub(in crate::server) fn oldest_streams(&self, count: usize) -> Vec<Seniority> {
        let mut found = BTreeMap::<&StreamKey, Option<Time>>::new();
        let there = self.streams.iter().filter(|(_, stream)| stream.is_there());
        let live = there.map(|(_, stream)| (&stream.key, stream.publisher.as_ref().map(|it| it.since)));
        for (key, since) in self.ledger.names().chain(live) {
            let first = found.entry(key).or_default();
            *first = first.iter().copied().chain(since).min();
        }
        let mut oldest: Vec<_> = found
            .into_iter()
            .map(|(key, since)| (since.is_none(), since, key))
            .collect();
        oldest.sort();
        oldest.truncate(count);
        oldest
            .into_iter()
            .map(|(last, since, key)| (last, since, key.clone()))
            .collect()
    }

    /// Looks at everything. `views`: our streams; `named`: those that are named. O(connections + streams).
    pub(in crate::server) fn sight(&mut self, views: &[StreamView], named: &BTreeSet<StreamKey>) -> Sight {
        self.settle_traffic();
        let live = views.iter().map(|view| {
            let stream = self.streams.find(&view.key).and_then(|id| self.streams.get(id));
            let counts = StreamCounts {
                since: stream.and_then(|it| it.publisher.as_ref()).map(|it| it.since),
                ..StreamCounts::of_view(view)
            };
            (view.key.clone(), counts)
        });
        let (streams, unnamed) = self.ledger.look(&live.collect::<Vec<_>>(), named);
        Sight {
            tally: self.tally.clone(),
            census: self.census(),
            streams,
            unnamed,
        }
    }

    fn census(&self) -> Census {
        let mut census = Census::default();
        let mut players = BTreeMap::<_, BTreeMap<Transport, u64>>::new();
        for (_, connection) in self.connections.iter() {
            if connection.phase == Phase::Closed {
                continue;
            }
            let transport = connection.protocol.kind();
            *census.connections.entry((transport, role(connection))).or_default() += 1;
            census.queued += connection.protocol.queued() as u64;
            for role in &connection.roles {
                if matches!(role.activity, Activity::Playing { until: None, .. }) {
                    *players.entry(role.channel).or_default().entry(transport).or_default() += 1;
                }
            }
        }
        let named = players.into_iter().filter_map(|(channel, players)| {
            let stream = self.streams.get(channel)?;
            Some((stream.key.clone(), players))
        });
        census.players = named.collect();
        census
    }

    /// Counts what connections have sent and been sent since the last time.
    fn settle_traffic(&mut self) {
        for connection in self.connections.iter_mut() {
            self.tally.settle(connection);
        }
    }
}

impl Tally {
    /// Counts what a connection has sent and been sent since the last time, for what it speaks now: so no counter goes back
    /// when it goes over to a WebSocket.
    pub(in crate::server) fn settle(&mut self, connection: &mut Connection) {
        let transport = connection.protocol.kind();
        let sent = connection.protocol.output_ref().sent();
        let before = core::mem::replace(&mut connection.settled, (connection.bytes_in, sent));
        *self.received.entry(transport).or_default() += connection.bytes_in.saturating_sub(before.0);
        *self.sent.entry(transport).or_default() += sent.saturating_sub(before.1);
    }
}

fn role(connection: &Connection) -> &'static str {
    let [publisher, player, other] = ROLES;
    let mut role = other;
    for activity in connection.roles.iter().map(|role| &role.activity) {
        match activity {
            Activity::Publishing { .. } => return publisher,
            Activity::Playing { .. } => role = player,
            _ => {}
        }
    }
    role
}
