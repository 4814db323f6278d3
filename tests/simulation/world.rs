//! Whole servers, those who are connected to them, and the time.

use crate::actor::{Actor, How, Role};
use crate::application::{Application, Reply};
use crate::journal::Journal;
use crate::marks::Marks;
use crate::media::Source;
use crate::oracle::Oracle;
use crate::plan::{End, Fault, Plan, Trouble};
use crate::rng::Rng;
use crate::scarcity::Scarcity;
use crate::swarm::Outcome;
use crate::wire::{ENOBUFS, ENOMEM};
use headwater_core::server::record::{RecordConfig, Recording};
use headwater_core::server::{Config, ConnectionId, Event, Kick, Protocol, Server, ShardId, ShardMessage};
use headwater_core::{StreamKey, Time};
use headwater_driver::memory::{MemoryWorker, Peer};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs;
use std::mem;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How often actors act.
pub const TICK: Duration = Duration::from_millis(10);
/// How long those who are connected have to find each other once all is well, beside [`SETTLING`]: for a publisher to be let
/// in, for the kinds of media to be known, and for a keyframe to come.
const RECOVERY: Duration = Duration::from_secs(4);
/// How long a publisher may still have nothing to send: that has half-closed players end, and its own connection.
const SILENCE: Duration = Duration::from_secs(3);
/// A connection that is there may still end in this time: it fell silent for too long, or has another kind of media.
const SETTLING: Duration = Duration::from_secs(1);
/// After that a player gets everything.
const CLEAN: Duration = Duration::from_millis(800);
/// How late it may be.
const MAX_DELAY: Duration = Duration::from_secs(1);
/// How long after all have left nothing of them may be there.
const QUIET: Duration = Duration::from_secs(60);
/// How long connections may take to close: for what waits to leave, and for the peer to close its side too.
const DRAIN: Duration = Duration::from_secs(4);
/// How long a shutdown may take while everything goes wrong: what waits to leave has 5 s, and a worker may pause.
const DRAIN_IN_TROUBLE: Duration = Duration::from_secs(12);

/// Turns in a moment: more than it takes to read what comes of a large message three bytes at a time.
const MAX_TURNS: u32 = 2_000_000;

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
    pub actors: Vec<Actor>,
    pub oracle: Oracle,
    application: Application,
    pub marks: Marks,
    /// The configuration in force.
    config: Arc<Config>,
    /// Troubles that have not come yet.
    troubles: VecDeque<Trouble>,
    ticks: u64,
    /// Turns that workers have taken.
    steps: u64,
    /// Where recordings of connections that failed go.
    record_to: Option<PathBuf>,
}

/// One worker.
pub struct Shard {
    pub worker: MemoryWorker,
    /// Connections of the program's own that have something to take.
    pub awake: HashSet<ConnectionId>,
    paused_until: Time,
}

impl World {
    pub fn new(plan: &Plan, journal: Rc<RefCell<Journal>>, record_to: Option<PathBuf>) -> World {
        let mut plan = plan.clone();
        if record_to.is_some() {
            plan.config.record = Some(RecordConfig::default());
            plan.other_config.record = Some(RecordConfig::default());
        }
        let plan = Rc::new(plan);
        let config = Arc::new(plan.config.clone());
        let shard = |shard| Shard {
            worker: MemoryWorker::new(Server::new(config.clone(), ShardId(shard), plan.shards, plan.seed)),
            awake: HashSet::new(),
            paused_until: Time::ZERO,
        };
        World {
            now: plan.start,
            shards: (0..plan.shards).map(shard).collect(),
            rng: Rng::new(!plan.seed),
            journal,
            sources: Vec::new(),
            links: BTreeMap::new(),
            max_link_delay: 0,
            actors: (0..plan.parts.len()).map(|index| Actor::new(&plan, index)).collect(),
            oracle: Oracle::default(),
            application: Application::new(&plan.habits, plan.config.authorize),
            marks: Marks::default(),
            config,
            troubles: plan.troubles.iter().copied().collect(),
            ticks: 0,
            steps: 0,
            record_to,
            plan,
        }
    }

    /// The whole story.
    pub fn run(mut self) -> Outcome {
        let plan = self.plan.clone();
        while self.ticks < plan.ticks {
            self.tick_in_trouble();
        }
        match plan.end {
            End::ShutdownInTrouble => self.shut_down_in_trouble(),
            End::AllLeave | End::Shutdown => {
                self.heal();
                self.pass_until(SILENCE, |world| !world.is_any_silent());
                self.pass(SETTLING);
                self.pass_until(RECOVERY, World::has_recovered);
                let from = self.now;
                self.pass(CLEAN);
                let to = self.now;
                self.pass_until(MAX_DELAY, |world| world.missing(from, to).is_none());
                let missing = self.missing(from, to);
                assert!(missing.is_none(), "{}", missing.unwrap_or_default());
                self.check_flags();
                if plan.end == End::AllLeave {
                    self.all_leave();
                    self.let_pass(QUIET);
                    self.check_nothing_is_left();
                }
                self.shut_down();
            }
        }
        for shard in &self.shards {
            self.marks.note_stats(&shard.worker.server().stats());
        }
        Outcome {
            hash: 0,
            steps: self.steps,
            span: self.now.since(plan.start),
            marks: self.marks,
        }
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
        self.oracle.note_peer(peer.clone());
        peer
    }

    /// A connection is gone without a word.
    pub fn note_break(&mut self, shard: usize, peer: Peer) {
        self.oracle.note_break(shard, peer);
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
        self.ticks += 1;
        let (shards, now) = (&self.shards, self.now);
        self.oracle.check_broken(|shard| shards[shard].paused_until <= now);
        self.check_skipped();
        self.check_reads();
        self.check_half_closed();
    }

    /// The same, and before it what goes wrong in this tick.
    fn tick_in_trouble(&mut self) {
        let tick = self.ticks;
        while let Some(trouble) = self.troubles.pop_front_if(|trouble| trouble.tick <= tick) {
            self.go_wrong(trouble);
        }
        self.tick();
    }

    fn is_any_silent(&self) -> bool {
        self.actors.iter().any(|actor| actor.is_silent(self))
    }

    pub fn for_actors(&mut self, mut what: impl FnMut(&mut Actor, &mut World)) {
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
        let answers = self.application.due(|shard| !self.is_paused(shard));
        deadlines.chain(messages).chain(answers).min()
    }

    /// Does what drivers do, until there is nothing more to do at this moment.
    fn settle(&mut self) {
        let first = self.rng.index(self.shards.len());
        for _ in 0..MAX_TURNS {
            let mut is_busy = false;
            for turn in 0..self.shards.len() {
                let shard = (first + turn) % self.shards.len();
                if !self.is_paused(shard) {
                    self.steps += 1;
                    is_busy |= self.receive(shard) | self.expire(shard) | self.answer(shard) | self.serve(shard);
                }
            }
            if !is_busy {
                self.check_memory();
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
            self.oracle.note_wake(self.now, index);
        }
        is_due
    }

    /// The application answers a worker.
    fn answer(&mut self, index: usize) -> bool {
        let mut has_answered = false;
        while let Some(reply) = self.application.poll(self.now, index) {
            self.note(8, || {
                format!("the application answers worker {index}: {:?}", reply.answer)
            });
            if reply.is_stale {
                self.answer_in_vain(index, reply);
            } else {
                self.shards[index].worker.answer(self.now, reply.ticket, reply.answer);
            }
            has_answered = true;
        }
        has_answered
    }

    /// An answer that was overtaken, by another one or by the end of its time, does nothing.
    fn answer_in_vain(&mut self, index: usize, reply: Reply) {
        self.take_events(index);
        let there = |server: &Server, now| (server.stats(), format!("{:?}", server.connections(now)));
        let worker = &mut self.shards[index].worker;
        let before = there(worker.server(), self.now);
        worker.answer(self.now, reply.ticket, reply.answer);
        assert_eq!(there(worker.server(), self.now), before, "a stale answer has an effect");
        let event = worker.poll_event();
        assert!(event.is_none(), "a stale answer has an effect: {event:?}");
        self.marks.note_stale_answer();
    }

    fn serve(&mut self, index: usize) -> bool {
        let from = u16::try_from(index).unwrap();
        let (now, links, rng, max) = (self.now, &mut self.links, &mut self.rng, self.max_link_delay);
        let marks = &mut self.marks;
        let shard = &mut self.shards[index];
        let has_more = shard.worker.serve(now, |to, message| {
            marks.note_message(&message);
            let queue = links.entry((from, to.0)).or_default();
            let before = queue.back().map_or(now, |(at, _)| *at);
            let at = (now + rng.millis(0, max)).max(before);
            queue.push_back((at, message));
        });
        while let Some(id) = shard.worker.poll_local() {
            shard.awake.insert(id);
        }
        while let Some((ticket, question)) = shard.worker.poll_question() {
            self.application.ask(now, index, ticket, &question, rng);
        }
        self.take_events(index);
        while let Some(recording) = self.shards[index].worker.poll_recording() {
            self.write(&recording);
        }
        has_more
    }

    /// A server started with `--replay` plays such a file.
    fn write(&self, recording: &Recording) {
        if let Some(dir) = &self.record_to {
            let name = format!(
                "seed-{}-{}-{}.recording",
                self.plan.seed,
                recording.kind(),
                recording.conn()
            );
            fs::write(dir.join(name), recording.to_bytes()).expect("HEADWATER_RECORD is a folder");
        }
    }

    fn take_events(&mut self, index: usize) {
        while let Some(event) = self.shards[index].worker.poll_event() {
            self.observe(index, event);
        }
    }

    fn observe(&mut self, shard: usize, event: Event) {
        self.note(shard as u64, || format!("worker {shard}: {event:?}"));
        self.marks.note_event(&event);
        if let Event::PublishStarted { peer, .. } | Event::PlayStarted { peer, .. } = &event {
            let publishes = matches!(event, Event::PublishStarted { .. });
            self.application.note_begin(peer.connection, publishes);
        }
        self.oracle.note_event(&event);
        self.check_heard(&event);
    }
}

/// What goes wrong, and what is well again.
impl World {
    fn go_wrong(&mut self, trouble: Trouble) {
        let mut actors = mem::take(&mut self.actors);
        let index = trouble.victim % actors.len();
        let actor = &mut actors[index];
        self.note(4, || format!("{:?} ({})", trouble.fault, actor.name));
        self.apply(trouble, actor);
        self.actors = actors;
    }

    fn apply(&mut self, trouble: Trouble, actor: &mut Actor) {
        let now = self.now;
        let Trouble { fault, span, size, .. } = trouble;
        match fault {
            Fault::Reset => actor.hang_up(self),
            Fault::Leave => actor.leave(self),
            Fault::LeaveHalfClosed => actor.leave_half_closed(self),
            Fault::Silence => actor.fall_silent(self, span),
            Fault::KickOne => {
                if let Some(id) = actor.id() {
                    self.kick(&Kick::connection(id));
                }
                self.drop_local(actor, size);
            }
            Fault::KickStream => {
                let key = StreamKey::new(&format!("live/s{}", actor.part.stream)).unwrap();
                let ban = if size > 5 {
                    Duration::from_millis(600)
                } else {
                    Duration::ZERO
                };
                self.kick(&Kick::stream(key).with_ban(ban));
                self.drop_local(actor, size);
            }
            Fault::Pause => {
                let shard = trouble.victim % self.shards.len();
                self.shards[shard].paused_until = now + span;
            }
            Fault::Reconfigure => {
                let config = if size > 5 {
                    &self.plan.other_config
                } else {
                    &self.plan.config
                };
                self.reconfigure(config.clone());
            }
            Fault::Leap => self.now = now + span * if size > 50 { 5 } else { 1 },
            Fault::SlowLinks => self.max_link_delay = span.as_millis() as u64 / 10,
            Fault::ReceivingStalls => {
                actor.takes_from = now + span;
                if let Some(wire) = actor.wire() {
                    wire.down_stalled = now + span;
                }
            }
            _ => {
                let Some(wire) = actor.wire() else { return };
                match fault {
                    Fault::SmallPieces if span.as_millis() % 2 == 0 => wire.peer.set_max_read(size.max(3)),
                    Fault::SmallPieces => wire.peer.set_max_write(size),
                    Fault::Delay => wire.delay = span / 8,
                    Fault::SendingStalls => wire.up_stalled = now + span,
                    Fault::ReceivingIsSlow => wire.rate = Some(size),
                    Fault::Shortage => {
                        wire.short_until = now + span;
                        wire.shortage = if size > 5 { ENOBUFS } else { ENOMEM };
                    }
                    Fault::HalfClose => wire.is_finishing = true,
                    Fault::Unreported => wire.set_reported(false),
                    _ => unreachable!("{fault:?} is for more than a connection"),
                }
            }
        }
    }

    /// The program drops a publish or play of its own before it has heard what became of it.
    fn drop_local(&mut self, actor: &mut Actor, size: usize) {
        if actor.part.how == How::Local && size < 100 {
            actor.hang_up(self);
        }
    }

    fn reconfigure(&mut self, config: Config) {
        self.config = Arc::new(config);
        for shard in &mut self.shards {
            shard.worker.server_mut().reconfigure(self.now, self.config.clone());
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
        if self.plan.scarcity.is_some() {
            let mut config = Config::clone(&self.config);
            Scarcity::lift(&mut config);
            self.reconfigure(config);
        }
        self.application.heal(self.now);
        self.for_actors(|actor, world| actor.heal(world));
    }

    fn all_leave(&mut self) {
        self.note(6, || "all leave".into());
        self.for_actors(|actor, world| {
            let may_listen_on = !matches!(actor.part.role, Role::Hostile(_));
            if may_listen_on && world.rng.once_in(2) {
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
        self.oracle.check_ends();
    }

    fn shut_down_in_trouble(&mut self) {
        self.note(7, || "the server is shut down".into());
        for shard in &mut self.shards {
            shard.worker.shutdown(self.now);
        }
        let end = self.now + DRAIN_IN_TROUBLE;
        while self.now < end && !self.shards.iter().all(|shard| shard.worker.is_drained()) {
            self.tick_in_trouble();
        }
        for (index, shard) in self.shards.iter().enumerate() {
            assert!(shard.worker.is_drained(), "worker {index} is not drained in time");
        }
        // Those that are cut off are closed by the end of their worker.
        if self.shards.iter().all(|shard| shard.worker.server().is_drained()) {
            self.oracle.check_ends();
        }
    }
}
