//! What must be true of the servers, after every step and at the end.

use crate::actor::{Actor, Role};
use crate::media::{Source, Stamp, is_coded};
use crate::scarcity::{ONE_STEP, Scarcity};
use crate::world::{Shard, TICK, World};
use headwater_core::server::{Config, ConnectionId, Event, RoleKind, Takeover, Transport};
use headwater_core::{EndCause, StreamKey, Time, Timer};
use headwater_driver::memory::Peer;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// How long a worker may keep a connection that broke. It reads what came before, if it has to know about it.
const MAX_BROKEN: Duration = Duration::from_secs(1);
/// After that a publisher that sends all the time has been heard: as long as one may be silent without being replaced.
const HEARD: Duration = Takeover::SILENCE_SAME_ADDRESS;
/// Deadlines that a worker may have in a second of virtual time.
const MAX_WAKES: u64 = 1_000;

/// How long what has arrived may wait to be read by a worker that wants it. Reads are deferred by 100 ms.
const MAX_UNREAD: Duration = Duration::from_millis(250);

/// What it has seen of the servers.
#[derive(Debug, Default)]
pub struct Oracle {
    /// Everybody who ever connected.
    peers: Vec<Peer>,
    /// Connections that broke, with their workers, and ticks for which these have known.
    broken: Vec<(usize, Peer, u32)>,
    /// What has begun and not ended.
    open: HashSet<(ConnectionId, Began)>,
    /// Connections of players that were said to lag.
    lagging: HashSet<ConnectionId>,
    operators: HashSet<ConnectionId>,
    /// Players that have got a frame in this tick and not the one before it.
    skipped: Vec<(String, ConnectionId, Stamp)>,
    /// Deadlines of each worker in the present second.
    wakes: HashMap<usize, (u64, u64)>,
    /// The sources of each stream that have given way to another, as players of each worker have seen.
    replaced: HashMap<(usize, usize), BTreeSet<u32>>,
}

/// What has an end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Began {
    Connection,
    Publish(StreamKey),
    Play(StreamKey),
}

impl Oracle {
    pub fn note_peer(&mut self, peer: Peer) {
        self.peers.push(peer);
    }

    pub fn note_break(&mut self, shard: usize, peer: Peer) {
        self.broken.push((shard, peer, 0));
    }

    /// A player has got a frame, and `skipped` is one that lies between that and the last.
    pub fn note_skipped(&mut self, player: &str, id: ConnectionId, skipped: Stamp) {
        self.skipped.push((player.to_owned(), id, skipped));
    }

    /// A worker's deadline has come. That is not to happen all the time.
    pub fn note_wake(&mut self, now: Time, shard: usize) {
        let second = now.as_millis() / 1_000;
        let wakes = self.wakes.entry(shard).or_default();
        let (present, count) = *wakes;
        *wakes = (second, if present == second { count + 1 } else { 1 });
        assert!(wakes.1 < MAX_WAKES, "worker {shard} wakes up all the time");
    }

    /// Whatever begins ends, once.
    pub fn note_event(&mut self, event: &Event) {
        let Some(id) = event.peer().map(|peer| peer.connection) else {
            return;
        };
        if let Event::Connected { peer } = event
            && peer.protocol == Transport::Admin
        {
            self.operators.insert(id);
        }
        let (what, begins) = match event {
            Event::Connected { .. } => (Began::Connection, true),
            Event::Disconnected { .. } => (Began::Connection, false),
            Event::PublishStarted { stream, .. } => (Began::Publish(stream.clone()), true),
            Event::PublishEnded { stream, .. } => (Began::Publish(stream.clone()), false),
            Event::PlayStarted { stream, .. } => (Began::Play(stream.clone()), true),
            Event::PlayEnded { stream, .. } => (Began::Play(stream.clone()), false),
            Event::PlayLags { .. } => {
                self.lagging.insert(id);
                return;
            }
            _ => return,
        };
        let key = (id, what);
        if begins {
            assert!(self.open.insert(key), "it began twice: {event:?}");
        } else {
            assert!(self.open.remove(&key), "it ended without a beginning: {event:?}");
        }
    }

    /// A player has seen another source after these.
    pub fn note_replaced(&mut self, shard: usize, stream: usize, sources: &BTreeSet<u32>) {
        self.replaced.entry((shard, stream)).or_default().extend(sources);
    }

    /// The sources that have given way to others on a worker. Whatever comes late of an old subscription, none of them is shown
    /// to players that come from now on.
    pub fn replaced(&self, shard: usize, stream: usize) -> BTreeSet<u32> {
        self.replaced.get(&(shard, stream)).cloned().unwrap_or_default()
    }

    /// A worker that is `awake` closes what broke, soon.
    pub fn check_broken(&mut self, is_awake: impl Fn(usize) -> bool) {
        self.broken.retain_mut(|(shard, peer, ticks)| {
            *ticks += u32::from(is_awake(*shard));
            assert!(TICK * *ticks <= MAX_BROKEN, "{} broke and is not closed", peer.id());
            !peer.is_closed()
        });
    }

    /// All has ended, but for connections of operators: these are answered until the process ends.
    pub fn check_ends(&self) {
        let is_operator = |id: &ConnectionId| self.operators.contains(id);
        let mut open = self.open.iter().filter(|(id, _)| !is_operator(id));
        assert!(open.next().is_none(), "not ended: {:?}", self.open);
        for peer in &self.peers {
            assert!(
                peer.is_closed() || is_operator(&peer.id()),
                "{} is not closed",
                peer.id()
            );
        }
    }
}

impl World {
    /// The workers hold no more than [`Config::max_memory`] says that so many connections and streams can, together, as a ring may
    /// keep what came from another worker; and where memory is scarce, each holds no more than its budget, but for what comes until
    /// it decides who goes. What is on its way to other workers comes on top.
    pub fn check_memory(&self) {
        let is_scarce = matches!(self.plan.scarcity, Some(Scarcity::Memory(_)));
        // Workers know names until they are told that these are forgotten.
        let (mut all_held, mut all_max) = (0, 16 << 10);
        for (index, shard) in self.shards.iter().enumerate() {
            let stats = shard.worker.server().stats();
            let (held, budget) = (stats.memory_held, stats.memory_budget);
            let connections = stats.connections as u64;
            // A name that nobody has is known for its grace time.
            let streams = (stats.streams + stats.idle_replicas).max(stats.names) as u64;
            // What a worker holds whoever is there is none of its peers' and counted nowhere.
            let max = |config: &Config| config.max_memory(connections, streams) - config.max_memory(0, 0);
            all_max += max(&self.plan.config).max(max(&self.plan.other_config));
            // It counts by itself, and with the payloads.
            all_held += held.saturating_sub(2 * stats.memory_under_way) as u64;
            let most = budget + budget / 16 + ONE_STEP + stats.memory_under_way;
            assert!(
                !is_scarce || held <= most,
                "worker {index} holds {held} of {budget} bytes: {stats:?}"
            );
        }
        assert!(all_held <= all_max, "the workers hold {all_held} of {all_max} bytes");
    }

    /// What a worker wants to read it reads soon, whether it has deferred it or not.
    pub fn check_reads(&mut self) {
        self.for_actors(|actor, world| {
            let Some(wire) = actor.wire() else { return };
            let (server, id) = (world.shards[wire.shard].worker.server(), wire.peer.id());
            let wants_input = !world.is_paused(wire.shard) && server.wants_input(id) && !server.yields(world.now, id);
            let waited = wire.note_unread(wants_input, TICK);
            let name = &actor.name;
            assert!(waited <= MAX_UNREAD, "what {name} has sent is not read for {waited:?}");
        });
    }

    /// A connection that is half-closed, and takes nothing for its time, plays no more.
    pub fn check_half_closed(&mut self) {
        let timeouts = [&self.plan.config, &self.plan.other_config].map(|it| it.limits.half_closed_timeout);
        let min = timeouts[0].min(timeouts[1]);
        let max = timeouts[0].max(timeouts[1]) + self.plan.half_closed_slack();
        self.for_actors(|actor, world| {
            let Some(wire) = actor.wire().filter(|wire| !world.is_paused(wire.shard)) else {
                return;
            };
            let silence = wire.note_silence(TICK);
            if silence >= min && wire.peer.is_closed() {
                world.marks.note_half_closed_timeout();
            }
            if silence > max {
                let connections = world.shards[wire.shard].worker.server().connections(world.now);
                let view = connections.iter().find(|it| it.id == wire.peer.id());
                let plays = view.is_some_and(|it| it.roles.iter().any(|role| role.kind == RoleKind::Plays));
                let name = &actor.name;
                assert!(
                    !plays,
                    "{name} is half-closed, has taken nothing for {silence:?}, and plays"
                );
            }
        });
    }

    /// A publisher whose frames come all the time is neither silent nor replaced, however late its worker is: what it has sent
    /// is read before.
    pub fn check_heard(&self, event: &Event) {
        let peer = match event {
            Event::PublisherReplaced { peer, .. } if self.plan.hears_publishers() => peer,
            Event::PublishEnded {
                peer,
                cause: EndCause::Timeout(Timer::Idle),
                ..
            }
            | Event::PublisherSilent { peer, .. } => peer,
            _ => return,
        };
        let publisher = self.actors.iter().find(|actor| actor.id() == Some(peer.connection));
        if let Some(publisher) = publisher.filter(|it| it.part.role == Role::Publisher && it.source().is_some()) {
            let steady = publisher.steady_for(self.now);
            assert!(
                steady < HEARD,
                "{} was not heard for {steady:?}: {event:?}",
                publisher.name
            );
        }
    }

    /// A player that got one frame and a later one got all between, unless it was said by now that it lags, or a worker was so far
    /// behind that frames were kept from it.
    pub fn check_skipped(&mut self) {
        let was_behind = |shard: &Shard| shard.worker.server().stats().shards_behind > 0;
        for (player, id, skipped) in self.oracle.skipped.drain(..) {
            assert!(
                self.oracle.lagging.contains(&id) || self.shards.iter().any(was_behind),
                "{player} did not get {skipped}, and nobody said that it lags"
            );
        }
    }

    /// Whether all players are at the live edge of the streams that they want, which have all their kinds of media.
    pub fn has_recovered(&self) -> bool {
        self.players().all(|(player, source)| {
            source.is_some_and(|source| {
                source.is_complete(self.now) && source.latest().all(|stamp| player.screen.has_lately(stamp))
            })
        })
    }

    /// What a player has not got of what was published from `from` to `to`.
    pub fn missing(&self, from: Time, to: Time) -> Option<String> {
        self.players().find_map(|(player, source)| {
            let Some(source) = source else {
                return Some(format!("nobody publishes for {}", player.name));
            };
            let seen: HashSet<_> = player.screen.seen.iter().collect();
            let sent = source.sent.iter().filter(|sent| (from..to).contains(&sent.at));
            let mut stamps = sent
                .filter(|sent| is_coded(&sent.frame))
                .map(|sent| Stamp::of(&sent.frame));
            let missing = stamps.find(|stamp| !seen.contains(&(stamp.source, stamp.number)))?;
            Some(format!("{} lacks {missing}", player.name))
        })
    }

    /// A player that is at the live edge was told what there is, and no more.
    pub fn check_flags(&self) {
        for (player, source) in self.players() {
            let told = player.link.as_ref().and_then(|link| link.flags());
            if let (Some(flags), Some(source)) = (told, source) {
                let (told, is) = (
                    (flags.audio, flags.video),
                    (source.style.has_audio, source.style.has_video),
                );
                assert_eq!(
                    told, is,
                    "{} was told of sound and pictures, and it is otherwise",
                    player.name
                );
            }
        }
    }

    /// The players, with what is published for them.
    fn players(&self) -> impl Iterator<Item = (&Actor, Option<&Source>)> {
        let is_player = |actor: &&Actor| actor.part.role == Role::Player && !actor.part.is_absent;
        let players = self.actors.iter().filter(is_player);
        let is_source =
            |actor: &&Actor| actor.part.role == Role::Publisher && actor.part.stays && !actor.part.is_absent;
        players.filter_map(move |player| {
            let mut publishers = self.actors.iter().filter(is_source);
            let publisher = publishers.find(|actor| actor.part.stream == player.part.stream)?;
            let source = publisher.source().and_then(|source| self.sources.get(source));
            Some((player, source))
        })
    }

    /// Nothing is left of those who have left, and the servers sleep.
    pub fn check_nothing_is_left(&self) {
        for (index, shard) in self.shards.iter().enumerate() {
            let server = shard.worker.server();
            let (connections, streams) = (server.connections(self.now), server.streams(self.now));
            assert!(
                connections.is_empty(),
                "worker {index} has connections: {connections:?}"
            );
            assert!(streams.is_empty(), "worker {index} has streams: {streams:?}");
            let stats = server.stats();
            let kept = (stats.streams, stats.names, stats.memory_held);
            assert_eq!(kept, (0, 0, 0), "worker {index} keeps something");
            let due = shard.worker.poll_timeout();
            assert_eq!(due, None, "worker {index} has a deadline though nobody is there");
        }
        self.oracle.check_ends();
    }
}
