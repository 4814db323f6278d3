//! Whole servers, those who are connected to them, and the time.

use crate::actor::{Actor, Role};
use crate::journal::Journal;
use crate::media::{Source, Stamp, is_coded};
use crate::plan::{Fault, Plan};
use crate::rng::Rng;
use headwater_core::server::{ConnectionId, Event, Kick, Protocol, Server, ShardId, ShardMessage};
use headwater_core::{StreamKey, Time};
use headwater_driver::memory::{MemoryWorker, Peer};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How often actors act.
const TICK: Duration = Duration::from_millis(10);
/// How long those who are connected have to find each other once all is well, beside [`SETTLING`]: for a publisher to be let
/// in, for the kinds of media to be known, and for a keyframe to come.
const RECOVERY: Duration = Duration::from_secs(4);
/// A connection that is there may still end in this time: it fell silent for too long, or has another kind of media.
const SETTLING: Duration = Duration::from_secs(1);
/// After that a player gets everything.
const CLEAN: Duration = Duration::from_millis(800);
/// How long a worker may keep a connection that broke. It reads what came before, if it has to know about it.
const MAX_BROKEN: Duration = Duration::from_secs(1);
/// How late it may be.
const MAX_DELAY: Duration = Duration::from_secs(1);
/// How long after all have left nothing of them may be there.
const QUIET: Duration = Duration::from_secs(60);
/// How long connections may take to close: for what waits to leave, and for the peer to close its side too.
const DRAIN: Duration = Duration::from_secs(4);
/// Deadlines that a worker may have in a second of virtual time.
const MAX_WAKES: u64 = 1_000;

pub struct World {
    pub now: Time,
    pub rng: Rng,
    pub plan: Rc<Plan>,
    pub journal: Rc<RefCell<Journal>>,
    pub shards: Vec<Shard>,
    pub sources: Vec<Source>,
    links: BTreeMap<(u16, u16), VecDeque<(Time, ShardMessage)>>,
    /// The longest that a message between workers takes.
    max_link_delay: u64,
    actors: Vec<Actor>,
    /// Everybody who ever connected.
    peers: Vec<Peer>,
    /// Connections that broke, with their workers, and ticks for which these have known.
    broken: Vec<(usize, Peer, u32)>,
    /// What has begun and not ended.
    open: HashSet<(ConnectionId, Began)>,
    /// Turns that workers have taken.
    steps: u64,
}

/// One worker.
pub struct Shard {
    pub worker: MemoryWorker,
    /// Connections of the program's own that have something to take.
    pub awake: HashSet<ConnectionId>,
    paused_until: Time,
    /// Deadlines in the present second.
    wakes: (u64, u64),
}

/// What has an end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Began {
    Connection,
    Publish(StreamKey),
    Play(StreamKey),
}

impl World {
    pub fn new(seed: u64, journal: Rc<RefCell<Journal>>) -> World {
        let mut rng = Rng::new(seed);
        let plan = Rc::new(Plan::draw(&mut rng));
        let config = Arc::new(plan.config.clone());
        let shard = |shard| Shard {
            worker: MemoryWorker::new(Server::new(config.clone(), ShardId(shard), plan.shards, seed)),
            awake: HashSet::new(),
            paused_until: Time::ZERO,
            wakes: (0, 0),
        };
        let mut world = World {
            now: plan.start,
            shards: (0..plan.shards).map(shard).collect(),
            rng,
            plan: plan.clone(),
            journal,
            sources: Vec::new(),
            links: BTreeMap::new(),
            max_link_delay: 0,
            actors: Vec::new(),
            peers: Vec::new(),
            broken: Vec::new(),
            open: HashSet::new(),
            steps: 0,
        };
        for (index, part) in plan.parts.iter().enumerate() {
            let returns = world.now + world.rng.millis(0, 500);
            world.actors.push(Actor::new(index, *part, returns));
        }
        world.note(0, || format!("{plan:#?}"));
        world
    }

    /// The whole story. Returns the turns that workers took, and the time that passed.
    pub fn run(&mut self) -> (u64, Duration) {
        let plan = self.plan.clone();
        let end = self.now + plan.trouble;
        while self.now < end {
            if self.rng.once_in(plan.fault_every) {
                self.go_wrong();
            }
            self.tick();
        }
        self.heal();
        self.pass(SETTLING);
        self.pass_until(RECOVERY, World::has_recovered);
        let from = self.now;
        self.pass(CLEAN);
        let to = self.now;
        self.pass_until(MAX_DELAY, |world| world.missing(from, to).is_none());
        let missing = self.missing(from, to);
        assert!(missing.is_none(), "{}", missing.unwrap_or_default());
        if !plan.ends_by_shutdown {
            self.all_leave();
            self.wait_for_nothing();
        }
        self.shut_down();
        (self.steps, self.now.since(plan.start))
    }

    pub fn note(&self, value: u64, text: impl FnOnce() -> String) {
        self.journal.borrow_mut().note(self.now, value, text);
    }

    pub fn is_paused(&self, shard: usize) -> bool {
        self.shards[shard].paused_until > self.now
    }

    pub fn accept(&mut self, shard: usize, protocol: Protocol, host: u8) -> Peer {
        let address = ([192, 0, 2, host], 40_000).into();
        let peer = self.shards[shard].worker.connect(self.now, protocol, address).unwrap();
        self.peers.push(peer.clone());
        peer
    }

    /// A connection is gone without a word.
    pub fn note_break(&mut self, shard: usize, peer: Peer) {
        self.broken.push((shard, peer, 0));
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.tick();
        }
    }

    /// Lets time pass until `is_done`, or for `span` at the most.
    fn pass_until(&mut self, span: Duration, is_done: impl Fn(&World) -> bool) {
        let end = self.now + span;
        while self.now < end && !is_done(self) {
            self.pass(TICK * 10);
        }
    }

    /// Lets a tick pass, with all that is due in it.
    fn tick(&mut self) {
        self.let_pass(TICK);
        self.for_actors(|actor, world| actor.act(world));
        self.settle();
        self.check_broken();
    }

    fn for_actors(&mut self, mut what: impl FnMut(&mut Actor, &mut World)) {
        let mut actors = mem::take(&mut self.actors);
        for actor in &mut actors {
            what(actor, self);
        }
        self.actors = actors;
    }

    /// Lets time pass without the actors, stopping wherever something is due.
    fn let_pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(due) = self.due().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.settle();
        }
        self.now = end;
    }

    /// When something happens by itself.
    fn due(&self) -> Option<Time> {
        let deadlines = self.shards.iter().filter_map(|shard| {
            let due = shard.worker.poll_timeout()?;
            Some(due.max(shard.paused_until))
        });
        let messages = self.links.iter().filter_map(|((_, to), queue)| {
            let (due, _) = queue.front()?;
            Some((*due).max(self.shards[usize::from(*to)].paused_until))
        });
        deadlines.chain(messages).min()
    }

    /// Does what drivers do, until there is nothing more to do at this moment.
    fn settle(&mut self) {
        let first = self.rng.index(self.shards.len());
        for _ in 0..100_000 {
            let mut is_busy = false;
            for turn in 0..self.shards.len() {
                let shard = (first + turn) % self.shards.len();
                if !self.is_paused(shard) {
                    self.steps += 1;
                    is_busy |= self.receive(shard) | self.expire(shard) | self.serve(shard);
                }
            }
            if !is_busy {
                for (index, shard) in self.shards.iter().enumerate() {
                    let due = shard.worker.poll_timeout();
                    assert!(
                        self.is_paused(index) || due.is_none_or(|due| due > self.now),
                        "worker {index} wants to be woken too late, at {due:?}"
                    );
                }
                return;
            }
        }
        panic!("the servers never come to rest");
    }

    fn receive(&mut self, shard: usize) -> bool {
        let to = u16::try_from(shard).unwrap();
        let mut has_received = false;
        for from in 0..self.plan.shards {
            let Some(queue) = self.links.get_mut(&(from, to)) else {
                continue;
            };
            while let Some((_, message)) = queue.pop_front_if(|(at, _)| *at <= self.now) {
                self.shards[shard].worker.handle_shard(self.now, ShardId(from), message);
                has_received = true;
            }
        }
        has_received
    }

    fn expire(&mut self, index: usize) -> bool {
        let shard = &mut self.shards[index];
        let is_due = shard.worker.poll_timeout().is_some_and(|due| due <= self.now);
        if is_due {
            shard.worker.handle_timeout(self.now);
            let second = self.now.as_millis() / 1_000;
            let (present, count) = shard.wakes;
            shard.wakes = (second, if present == second { count + 1 } else { 1 });
            assert!(shard.wakes.1 < MAX_WAKES, "worker {index} wakes up all the time");
        }
        is_due
    }

    fn serve(&mut self, index: usize) -> bool {
        let from = u16::try_from(index).unwrap();
        let (now, links, rng, max) = (self.now, &mut self.links, &mut self.rng, self.max_link_delay);
        let shard = &mut self.shards[index];
        let has_more = shard.worker.serve(now, |to, message| {
            let queue = links.entry((from, to.0)).or_default();
            let before = queue.back().map_or(now, |(at, _)| *at);
            let at = (now + rng.millis(0, max)).max(before);
            queue.push_back((at, message));
        });
        while let Some(id) = shard.worker.poll_local() {
            shard.awake.insert(id);
        }
        while let Some(event) = self.shards[index].worker.poll_event() {
            self.observe(index, event);
        }
        has_more
    }

    /// Whatever begins ends, once.
    fn observe(&mut self, shard: usize, event: Event) {
        self.note(shard as u64, || format!("worker {shard}: {event:?}"));
        let Some(id) = event.peer().map(|peer| peer.connection) else {
            return;
        };
        let (what, begins) = match &event {
            Event::Connected { .. } => (Began::Connection, true),
            Event::Disconnected { .. } => (Began::Connection, false),
            Event::PublishStarted { stream, .. } => (Began::Publish(stream.clone()), true),
            Event::PublishEnded { stream, .. } => (Began::Publish(stream.clone()), false),
            Event::PlayStarted { stream, .. } => (Began::Play(stream.clone()), true),
            Event::PlayEnded { stream, .. } => (Began::Play(stream.clone()), false),
            _ => return,
        };
        let key = (id, what);
        if begins {
            assert!(self.open.insert(key), "it began twice: {event:?}");
        } else {
            assert!(self.open.remove(&key), "it ended without a beginning: {event:?}");
        }
    }
}

/// What goes wrong, and what is well again.
impl World {
    fn go_wrong(&mut self) {
        let fault = self.rng.pick(&self.plan.clone().faults);
        let mut actors = mem::take(&mut self.actors);
        let index = self.rng.index(actors.len());
        let actor = &mut actors[index];
        self.note(4, || format!("{fault:?} ({})", actor.name));
        self.apply(fault, actor);
        self.actors = actors;
    }

    fn apply(&mut self, fault: Fault, actor: &mut Actor) {
        let now = self.now;
        let (span, size) = (self.rng.millis(10, 3_000), self.rng.pick(&[1, 3, 11, 100, 700]));
        match fault {
            Fault::Reset => actor.hang_up(self),
            Fault::Leave => actor.leave(self),
            Fault::Silence => actor.fall_silent(self, span),
            Fault::KickOne => {
                if let Some(id) = actor.id() {
                    self.kick(&Kick::connection(id));
                }
            }
            Fault::KickStream => {
                let key = StreamKey::new(&format!("live/s{}", actor.part.stream)).unwrap();
                let ban = self.rng.pick(&[Duration::ZERO, Duration::from_millis(600)]);
                self.kick(&Kick::stream(key).with_ban(ban));
            }
            Fault::Pause => {
                let shard = self.rng.index(self.shards.len());
                self.shards[shard].paused_until = now + span;
            }
            Fault::Leap => self.now = now + span * self.rng.pick(&[1, 1, 5]),
            Fault::SlowLinks => self.max_link_delay = self.rng.pick(&[0, 5, 50, 300]),
            Fault::ReceivingStalls => {
                actor.takes_from = now + span;
                if let Some(wire) = actor.wire() {
                    wire.down_stalled = now + span;
                }
            }
            _ => {
                let Some(wire) = actor.wire() else { return };
                match fault {
                    Fault::SmallPieces if self.rng.once_in(2) => wire.peer.set_max_read(size.max(3)),
                    Fault::SmallPieces => wire.peer.set_max_write(size),
                    Fault::Delay => wire.delay = span / 8,
                    Fault::SendingStalls => wire.up_stalled = now + span,
                    Fault::ReceivingIsSlow => wire.rate = Some(size),
                    Fault::HalfClose => wire.is_finishing = true,
                    Fault::Unreported => wire.peer.set_reported(false),
                    _ => unreachable!("{fault:?} is for more than a connection"),
                }
            }
        }
    }

    fn kick(&mut self, kick: &Kick) {
        for shard in 0..self.shards.len() {
            if !self.is_paused(shard) {
                self.shards[shard].worker.server_mut().kick(self.now, kick);
            }
        }
    }

    /// Everything is well from now on, and only those are there that stay.
    fn heal(&mut self) {
        self.note(5, || "all is well".into());
        self.max_link_delay = 0;
        for shard in &mut self.shards {
            shard.paused_until = Time::ZERO;
        }
        self.for_actors(|actor, world| {
            actor.heal();
            if !actor.part.stays {
                actor.hang_up(world);
                actor.returns = Time::NEVER;
            }
        });
    }

    fn all_leave(&mut self) {
        self.note(6, || "all leave".into());
        self.for_actors(|actor, world| {
            if world.rng.once_in(2) {
                actor.leave(world);
                let now = world.now;
                if let Some(wire) = actor.wire() {
                    wire.is_finishing = true;
                    let _ = wire.carry(now);
                }
                actor.link = None;
            } else {
                actor.hang_up(world);
            }
            actor.returns = Time::NEVER;
        });
        self.settle();
    }
}

/// What must be true.
impl World {
    /// A worker closes what broke, soon.
    fn check_broken(&mut self) {
        let (now, shards) = (self.now, &self.shards);
        self.broken.retain_mut(|(shard, peer, ticks)| {
            *ticks += u32::from(shards[*shard].paused_until <= now);
            assert!(TICK * *ticks <= MAX_BROKEN, "{} broke and is not closed", peer.id());
            !peer.is_closed()
        });
    }

    /// Whether all players are at the live edge of the streams that they want.
    fn has_recovered(&self) -> bool {
        self.players().all(|(player, source)| {
            source.is_some_and(|source| source.latest().all(|stamp| player.screen.has_lately(stamp)))
        })
    }

    /// What a player has not got of what was published from `from` to `to`.
    fn missing(&self, from: Time, to: Time) -> Option<String> {
        self.players().find_map(|(player, source)| {
            let Some(source) = source else {
                return Some(format!("nobody publishes for {}", player.name));
            };
            let seen: HashSet<_> = player.screen.seen.iter().collect();
            let sent = source.sent.iter().filter(|(_, at)| (from..to).contains(at));
            let mut stamps = sent
                .filter(|(frame, _)| is_coded(frame))
                .map(|(frame, _)| Stamp::of(frame));
            let missing = stamps.find(|stamp| !seen.contains(&(stamp.source, stamp.number)))?;
            Some(format!("{} lacks {missing:?}", player.name))
        })
    }

    /// The players, with what is published for them.
    fn players(&self) -> impl Iterator<Item = (&Actor, Option<&Source>)> {
        let players = self.actors.iter().filter(|actor| actor.part.role == Role::Player);
        players.map(|player| {
            let publishes = |actor: &&Actor| actor.part.role == Role::Publisher && actor.part.stays;
            let mut publishers = self.actors.iter().filter(publishes);
            let publisher = publishers.find(|actor| actor.part.stream == player.part.stream);
            let source = publisher.and_then(Actor::source);
            (player, source.and_then(|source| self.sources.get(source)))
        })
    }

    /// Nothing is left of those who have left.
    fn wait_for_nothing(&mut self) {
        self.let_pass(QUIET);
        for (index, shard) in self.shards.iter().enumerate() {
            let server = shard.worker.server();
            let (connections, streams) = (server.connections(self.now), server.streams(self.now));
            assert!(
                connections.is_empty(),
                "worker {index} has connections: {connections:?}"
            );
            assert!(streams.is_empty(), "worker {index} has streams: {streams:?}");
            let stats = server.stats();
            assert_eq!((stats.streams, stats.names), (0, 0), "worker {index} keeps something");
        }
        self.check_ends();
    }

    fn shut_down(&mut self) {
        self.note(7, || "the server is shut down".into());
        for shard in &mut self.shards {
            shard.worker.shutdown(self.now);
        }
        self.settle();
        self.pass_until(DRAIN, |world| {
            world.shards.iter().all(|shard| shard.worker.is_drained())
        });
        for (index, shard) in self.shards.iter().enumerate() {
            let connections = shard.worker.server().connections(self.now);
            assert!(
                shard.worker.is_drained(),
                "worker {index} is not drained: {connections:?}"
            );
        }
        self.check_ends();
    }

    fn check_ends(&self) {
        assert!(self.open.is_empty(), "not ended: {:?}", self.open);
        for peer in &self.peers {
            assert!(peer.is_closed(), "{} is not closed", peer.id());
        }
    }
}
