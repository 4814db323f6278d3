//! The whole server as one state machine: what every driver drives.
//!
//! A [`Server`] serves the connections of one thread. Bytes and time go in, bytes, [`Action`]s and one deadline come
//! out; there is no socket, clock, thread or lock in it. Every rule is here: who may publish, what a late player gets
//! first, whom to drop, what HTTP is answered. So it is the same on every runtime, and runs in memory under test.
//!
//! # The loop of a driver
//!
//! After *any* call, take [`poll_action`](Server::poll_action) until it returns `None`, then sleep until a socket is
//! ready or [`poll_timeout`](Server::poll_timeout) has come.
//!
//! | The world did | Call |
//! |--|--|
//! | a connection came | [`accept`](Server::accept) |
//! | bytes came | [`handle_input`](Server::handle_input); read only while [`wants_input`](Server::wants_input), and after all else while [`yields`](Server::yields) |
//! | `Action::Read` | as if bytes had come: somebody waits for them. Only a driver that asks [`is_urgent`](Server::is_urgent) leaves some unread |
//! | the peer closed its side | [`handle_eof`](Server::handle_eof) |
//! | the socket failed | [`handle_reset`](Server::handle_reset) |
//! | the socket has room, or `Action::Wake` | [`output`](Server::output) until empty or the socket is full |
//! | the deadline passed | [`handle_timeout`](Server::handle_timeout) |
//! | another worker sent a message | [`handle_shard`](Server::handle_shard) |
//! | the program itself publishes or plays | [`publish`](Server::publish), [`send_frame`](Server::send_frame), [`play`](Server::play); [`poll_local`](Server::poll_local) at `Action::Wake` |
//! | a question of `Action::Ask` is answered | [`answer`](Server::answer); never, if nothing is asked |
//! | `Action::Measure` | [`handle_process`](Server::handle_process) |
//! | somebody wants to know what there is | [`streams`](Server::streams), [`connections`](Server::connections), [`stats`](Server::stats) |
//! | the operator decides something else | [`reconfigure`](Server::reconfigure) |
//! | the operator wants somebody to be gone | [`kick`](Server::kick) |
//! | the operator wants it to stop | [`shutdown`](Server::shutdown), until [`is_drained`](Server::is_drained) |
//!
//! # Memory
//!
//! What one peer can make a server hold is bounded by [`Limits`](crate::Limits); what all can together, by
//! [`Config::memory_budget`]. [`ServerStats::memory_held`] is the sum: payloads of frames, each once, however many wait for it;
//! outputs, unfinished messages, input that waits, rings, names, and frames on their way to other workers. Above the budget those that
//! are the least use to others go first, until an eighth of it is free. As long as newcomers are refused, room is made again every
//! five seconds:
//!
//! | what goes, the largest first | |
//! |---|---|
//! | copies of streams from other workers that have been left by their last player | [`relief_rings`](ServerStats::relief_rings) |
//! | connections that hold messages without an end or the like, and publish nothing or have for five seconds; of the address that holds the most so first | [`relief_unfinished`](ServerStats::relief_unfinished) |
//! | players whose output has not been drained for a second, by what waits there and for how long | [`relief_players`](ServerStats::relief_players) |
//! | GOP caches that nobody watches, frames for players that lag, then other GOP caches | [`relief_rings`](ServerStats::relief_rings) |
//! | newcomers: requests to publish or play are refused (503, `NetStream.Publish.Failed`, `NetStream.Play.Failed`) | [`relief_refused`](ServerStats::relief_refused) |
//! | players whose output is full, and at last the publisher that holds the most, or all frames of a stream from another worker, or of the program's own, that holds more | [`relief_publishers`](ServerStats::relief_publishers) |

mod action;
mod address;
pub mod admin;
mod admission;
mod authorize;
mod bans;
mod buckets;
mod config;
mod connection;
mod connections;
mod contest;
mod deadlines;
mod directory;
mod ending;
mod event;
mod first_byte;
mod fnv;
mod front_page;
mod grace;
mod half_closed;
mod holders;
mod idle;
mod journal;
mod kick;
mod local;
mod memory;
mod metrics;
mod overdue;
mod play;
mod publish;
mod question;
mod recent;
mod reconfigure;
pub mod record;
mod refusal;
mod refusals;
mod registrar;
mod relief;
mod replica;
mod replication;
mod request_rate;
mod routes;
mod session;
mod shard;
mod stats;
mod stream;
mod urgency;
mod view;
mod waits;
mod work;

pub use action::{Action, ConnectionId, Protocol, Refused};
pub use admin::{AdminConfig, ProcessFigures, Token};
pub use config::{Config, HttpAbsent, Takeover};
pub use event::{Event, LAG_EPISODE, PUBLISHER_SILENCE, Peer, PlayTotals, PublishTotals, StreamInfo};
pub use kick::{Kick, Kicked};
pub use local::LocalEvent;
pub use question::{Answer, AuthorizeConfig, AuthorizeRequest, Denial, Grant, Intent, Otherwise, Question, Ticket};
pub use shard::{ShardId, ShardMessage};
pub use stats::ServerStats;
pub use urgency::MAX_DEFERRED;
pub use view::{ConnectionView, PublisherView, RoleKind, RoleView, StreamView, TrackView, Transport};

use crate::hub::Hub;
use crate::output::BufferPool;
use crate::time::PerSecond;
use crate::{EndCause, Output, Time};
use admin::{Feed, Gatherings, Operators};
use admission::{Admission, Admissions};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use authorize::Request;
use bans::Bans;
use connection::{Activity, Connection, LastWrite, Phase, Role};
use connections::Connections;
use contest::Contests;
use core::mem;
use core::net::SocketAddr;
use core::time::Duration;
use directory::Directory;
use idle::IdleReplicas;
use journal::Journal;
use memory::Memory;
use metrics::{Closing, Ledger, Tally};
use recent::RecentRefusals;
use record::Recording;
use refusal::{BAD_REQUEST, Refusal};
use registrar::{REGISTRAR, Registrar};
use relief::Relief;
use request_rate::RequestRate;
use session::{Failure, ProtocolEvent, Session, Shared};
use stream::Stream;
use tracing::debug;
use waits::Waits;
use work::{WorkMeter, WorkOfAll};

/// The server of one thread.
#[derive(Debug)]
pub struct Server {
    config: Arc<Config>,
    shared: Shared,
    shard: ShardId,
    shards: u16,
    /// The latest time that we were told.
    now: Time,
    seed: u64,
    tickets: u64,
    connections: Connections,
    work: WorkOfAll,
    admissions: Admissions,
    /// The connections of operators, and what they have asked all workers.
    operators: Operators,
    gatherings: Gatherings,
    /// Events for them.
    feed: Feed,
    /// What peers did wrong and was read over, by name.
    anomalies: BTreeMap<&'static str, u64>,
    /// If that is us.
    registrar: Option<Box<Registrar>>,
    contests: Contests,
    bans: Bans,
    journal: Journal,
    request_rate: RequestRate,
    /// Places of players that wait for streams to come.
    waits: Waits,
    recent: RecentRefusals,
    streams: Hub<Stream>,
    /// Those of them that nobody plays, and that another worker still sends.
    idle: IdleReplicas,
    /// The streams whose home we are.
    directory: Directory,
    /// Messages of ours to ourselves.
    inbox: VecDeque<ShardMessage>,
    actions: VecDeque<Action>,
    /// Events for [`poll_event`](Server::poll_event).
    events: VecDeque<Event>,
    /// Recordings for [`poll_recording`](Server::poll_recording).
    recordings: VecDeque<Recording>,
    is_shutting_down: bool,
    stats: ServerStats,
    tally: Tally,
    ledger: Ledger,
    /// What `output` returns for a connection that is gone.
    nothing: Output,
    /// What the outputs of all connections use in turns.
    buffer_pool: BufferPool,
    /// What there is of everything that counts.
    memory: Memory,
    relief: Relief,
}

impl Server {
    /// The server of thread `shard` of `shards`. `seed` is any number; it only fills handshakes.
    #[must_use]
    pub fn new(config: Arc<Config>, shard: ShardId, shards: u16, seed: u64) -> Self {
        Server {
            shared: Shared::new(&config),
            shard,
            shards,
            now: Time::ZERO,
            seed,
            tickets: 0,
            connections: Connections::new(shard, shards),
            work: WorkOfAll::default(),
            admissions: Admissions::default(),
            operators: Operators::default(),
            gatherings: Gatherings::default(),
            feed: Feed::default(),
            anomalies: BTreeMap::new(),
            registrar: (shard == REGISTRAR).then(|| Box::new(Registrar::new(&config, shards))),
            contests: Contests::default(),
            bans: Bans::default(),
            journal: Journal::new(),
            request_rate: RequestRate::new(&config),
            waits: Waits::default(),
            recent: RecentRefusals::default(),
            streams: Hub::new(),
            idle: IdleReplicas::default(),
            directory: Directory::new(config.grace, config.max_publishes_per_second_per_address),
            inbox: VecDeque::new(),
            actions: VecDeque::new(),
            events: VecDeque::new(),
            recordings: VecDeque::new(),
            is_shutting_down: false,
            stats: ServerStats::default(),
            tally: Tally::default(),
            ledger: Ledger::default(),
            nothing: Output::new(),
            buffer_pool: BufferPool::new(),
            memory: Memory::default(),
            relief: Relief::default(),
            config,
        }
    }

    /// Takes a connection from `peer` in.
    ///
    /// # Errors
    /// [`Refused`] says why not; drop the socket.
    pub fn accept(&mut self, now: Time, protocol: Protocol, peer: SocketAddr) -> Result<ConnectionId, Refused> {
        let now = self.advance(now);
        // One address, whether or not the socket takes IPv6 as well.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let id = self.insert(now, peer, |shared, seed| {
            session::Session::new(protocol, shared, now, seed)
        })?;
        self.connections.touch(id);
        self.work_off(now);
        Ok(id)
    }

    /// Takes what a socket gave, all of it.
    ///
    /// While a request of the peer waits for its answer the rest is kept here, and [`wants_input`](Self::wants_input)
    /// says to read no more: what a slow answer holds up waits in the kernel. An HTTP player is read on, up to
    /// [`Limits::max_pipelined`](crate::Limits::max_pipelined), so that its end is noticed.
    pub fn handle_input(&mut self, now: Time, id: ConnectionId, input: &[u8]) {
        let now = self.advance(now);
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.last_input = now;
        connection.bytes_in += input.len() as u64;
        connection.is_silent = false;
        if connection.phase != Phase::Open {
            return;
        }
        if connection.pending_input.is_empty() && !connection.is_kept_waiting() {
            self.feed(now, id, input);
        } else {
            self.keep(now, id, input);
            self.connections.touch(id);
        }
        self.work_off(now);
    }

    /// Whether to read from the connection.
    #[must_use]
    pub fn wants_input(&self, id: ConnectionId) -> bool {
        self.connections.get(id).is_some_and(Connection::wants_input)
    }

    /// Whether the input of the connection has made more work in this second than
    /// [`Limits::max_work_per_second`](crate::Limits::max_work_per_second), or than its share where the input of all makes much
    /// more. What comes behind it is to be read when there is nothing else to do, and a little at a time, until all of it has
    /// been.
    #[must_use]
    pub fn yields(&self, now: Time, id: ConnectionId) -> bool {
        let share = self.work.share(now, self.config.limits.max_work_per_second);
        self.connections
            .get(id)
            .is_some_and(|connection| connection.work.present(now) > share)
    }

    /// Whether the connection ends once what is left for its peer has left.
    #[must_use]
    pub fn is_closing(&self, id: ConnectionId) -> bool {
        let connection = self.connections.get(id);
        connection.is_some_and(|it| it.phase != Phase::Open || it.protocol.is_closing())
    }

    /// The peer closed its side: there is nothing more to read.
    ///
    /// An HTTP player goes on: it may have closed only its sending side. It has to take something every
    /// [`Limits::half_closed_timeout`](crate::Limits::half_closed_timeout). Anything else ends; what is left of the output
    /// still goes out, and [`Action::Close`] follows. Told again, it changes nothing.
    pub fn handle_eof(&mut self, now: Time, id: ConnectionId) {
        let now = self.advance(now);
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        match connection.phase {
            Phase::Open if connection.half_closed.is_some() => {}
            Phase::Open => self.half_close(now, id),
            Phase::Lingering { .. } => self.drop_connection(id, Closing::Closed),
            Phase::Closed => {}
        }
        self.work_off(now);
    }

    /// The socket failed: nothing more can be written, and nothing is left to read that the server wants. Say so whether or
    /// not it [`wants_input`](Self::wants_input).
    pub fn handle_reset(&mut self, now: Time, id: ConnectionId) {
        let now = self.advance(now);
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.protocol.output().clear();
        self.run(now, id, |protocol| protocol.handle_eof(now));
        self.end_roles(id, EndCause::Eof);
        self.drop_connection(id, Closing::Reset);
        self.work_off(now);
    }

    /// The deadline of [`poll_timeout`](Self::poll_timeout) has passed. Too early does nothing.
    pub fn handle_timeout(&mut self, now: Time) {
        let now = self.advance(now);
        self.streams.handle_timeout(now);
        self.directory.handle_timeout(now);
        self.expire_idle(now);
        self.review_contests(now);
        self.expire_refused(now);
        self.expire_gatherings(now);
        self.expire_feed(now);
        self.journal.handle_timeout(now);
        while let Some(id) = self.connections.pop_due(now) {
            self.connections.touch(id);
            let Some(connection) = self.connections.get(id).filter(|it| it.due() <= now) else {
                continue;
            };
            match connection.phase {
                Phase::Open => {
                    self.expire_waits(now, id);
                    self.expire_question(now, id);
                    self.expire_grants(now, id);
                    self.expire_peer(now, id);
                }
                Phase::Lingering { .. } => self.drop_connection(id, Closing::Closed),
                Phase::Closed => {}
            }
        }
        self.work_off(now);
        self.assert_counted();
    }

    /// Takes in what the worker `from` sent by [`Action::ToShard`].
    pub fn handle_shard(&mut self, now: Time, from: ShardId, message: ShardMessage) {
        let now = self.advance(now);
        self.handle_message(now, from, message);
        self.work_off(now);
    }

    /// What to write to the connection now, refilled from its stream while below the high-water mark.
    ///
    /// Write it, call [`advance`](bytes::Buf::advance) with what the socket took, and call this again until it is empty
    /// or the socket is full. Cost per frame: no allocation and no copy of a payload of 256 bytes or more.
    pub fn output(&mut self, now: Time, id: ConnectionId) -> &mut Output {
        let now = self.advance(now);
        if let Some(connection) = self.connections.get_mut(id)
            && connection.phase == Phase::Open
        {
            // Asked again after a write, most players have nothing more.
            let is_waking = mem::take(&mut connection.is_waking);
            let was_full = connection.is_input_paused && !connection.is_paused();
            if is_waking || connection.may_have_more || connection.protocol.is_closing() {
                self.refill(now, id);
                self.conclude(now, id);
            }
            // Its replies have left: what it has sent meanwhile comes next.
            if was_full {
                self.connections.touch(id);
            }
            if self.connections.has_touched() {
                self.work_off(now);
            }
        }
        let Some(connection) = self.connections.get_mut(id) else {
            return &mut self.nothing;
        };
        let output = connection.protocol.output();
        connection.last_write.note(now, output.sent());
        if let Some(half_closed) = &mut connection.half_closed {
            half_closed.note_progress(now, output.sent(), self.config.limits.half_closed_timeout);
        }
        self.buffer_pool.release(output);
        output
    }

    /// The driver has worked for us for so long, whether or not it was in our calls: what is not spent on waiting. For metrics.
    pub fn note_busy(&mut self, span: Duration) {
        self.tally.busy += span;
    }

    /// The next thing to do for the server.
    pub fn poll_action(&mut self) -> Option<Action> {
        loop {
            if let Some(action) = self.actions.pop_front() {
                if let Action::Close(id) = action {
                    self.forget(id);
                }
                return Some(action);
            }
            if let Some(token) = self.streams.poll_wake() {
                let id = ConnectionId::from_token(token);
                if let Some(connection) = self.connections.get_mut(id) {
                    connection.is_waking = true;
                }
                return Some(Action::Wake(id));
            }
            // Once all else is done, so that it is many events or changes in one message.
            if !self.flush_feed() && !self.send_changes() {
                return None;
            }
        }
    }

    /// The next event, in order, if [`Config::keeps_events`] says that they are kept.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). O(1).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        [
            self.connections.poll_timeout(),
            self.streams.poll_timeout(),
            self.directory.poll_timeout(),
            self.idle.poll_timeout(),
            self.contests.poll_timeout(),
            self.admissions.poll_timeout(),
            self.gatherings.poll_timeout(),
            self.feed.poll_timeout(),
            self.journal.poll_timeout(),
            self.relief.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Ends every stream cleanly and takes no more connections. Go on driving until [`is_drained`](Self::is_drained). Operators
    /// that are connected are answered until then, but for readers of events, whose answers end.
    pub fn shutdown(&mut self, now: Time) {
        let now = self.advance(now);
        self.is_shutting_down = true;
        let is_admin = |it: &Connection| matches!(*it.protocol, Session::Admin(_));
        let others = self.connections.iter().filter(|(_, it)| !is_admin(it));
        for id in others.map(|(id, _)| id).collect::<Vec<_>>() {
            self.dismiss(now, id, Refusal::ShuttingDown, EndCause::Closed);
        }
        self.work_off(now);
        self.end_readers(now);
        self.journal.report();
    }

    /// Whether no connection is left, but for those of operators when it shuts down. O(1) until few are left.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let is_done = |it: &Connection| matches!(*it.protocol, Session::Admin(_)) && !it.has_output();
        self.connections.is_empty() || self.is_shutting_down && self.connections.iter().all(|(_, it)| is_done(it))
    }

    /// Counters since the start, and what there is now.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        let (counted, roleless) = self.registrar.as_ref().map_or((0, 0), |it| it.counts());
        ServerStats {
            connections: self.connections.len(),
            counted,
            roleless,
            streams: self.streams.len() - self.idle.len(),
            idle_replicas: self.idle.len(),
            names: self.directory.len(),
            memory_held: self.memory_held(),
            memory_under_way: self.memory.under_way(),
            memory_budget: self.config.memory_budget,
            ..self.stats
        }
    }
}

/// The machinery below the calls above.
impl Server {
    /// One more connection, with a session of its own.
    fn insert(
        &mut self,
        now: Time,
        peer: SocketAddr,
        session: impl FnOnce(&Shared, u64) -> session::Session,
    ) -> Result<ConnectionId, Refused> {
        if self.is_shutting_down {
            return Err(Refused::ShuttingDown);
        }
        self.seed = self
            .seed
            .wrapping_mul(0x5851_F42D_4C95_7F2D)
            .wrapping_add(0x1405_7B7E_F767_814F);
        let session = session(&self.shared, self.seed);
        let session = self.shared.recorded(session, now, self.seed);
        let admission = match &*session {
            // Neither is ever one too many, nor told that it may stay.
            Session::Admin(_) | Session::Local(_) => Admission::Open,
            _ => self.admission(),
        };
        let id = self.connections.insert(|generation| Connection {
            generation,
            peer,
            protocol: session,
            admission,
            is_role_told: false,
            roles: Vec::new(),
            is_input_paused: admission == Admission::Awaited,
            pending_input: Vec::new(),
            half_closed: None,
            armed: Time::NEVER,
            counted: 0,
            since: now,
            last_input: now,
            bytes_in: 0,
            last_write: LastWrite::none(now),
            settled: (0, 0),
            phase: Phase::Open,
            is_silent: false,
            may_wait: false,
            is_touched: false,
            looks: 0,
            is_waking: false,
            may_have_more: false,
            said: None,
            requests: PerSecond::default(),
            work: WorkMeter::default(),
            has_failed: false,
        });
        self.stats.accepted += 1;
        if let Some(connection) = self.connections.get(id) {
            let peer = connection.peer(id);
            self.report(now, Event::Connected { peer });
        }
        self.note_arrival(now, id);
        Ok(id)
    }

    fn advance(&mut self, now: Time) -> Time {
        self.now = self.now.max(now);
        self.now
    }

    /// Runs the protocol machine of a connection over `input`, and keeps what it leaves while it is paused.
    fn feed(&mut self, now: Time, id: ConnectionId, mut input: &[u8]) {
        self.note_first_byte(id, input);
        self.run(now, id, |protocol| protocol.handle_input(now, &mut input));
        if let Some(connection) = self.connections.get_mut(id)
            && connection.phase == Phase::Open
            && !connection.protocol.is_closing()
        {
            connection.work.note(now, connection.protocol.work(), &mut self.work);
            connection.is_input_paused = connection.is_paused();
            self.keep(now, id, input);
            self.end_input(now, id);
        }
        self.announce_published(now, id);
        self.note_urgency(id);
        self.connections.touch(id);
    }

    /// Keeps what came behind a request until that is answered.
    fn keep(&mut self, now: Time, id: ConnectionId, input: &[u8]) {
        let max = self.config.limits.max_pipelined;
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let waiting = connection.pending_input.len() + input.len();
        if connection.reads_on() && waiting > max {
            connection.protocol.note_waiting(now, waiting);
            self.fail(now, id, &Failure::TooMuchPipelined { max });
        } else {
            connection.pending_input.extend_from_slice(input);
        }
    }

    /// Says that a publisher has sent nothing for a while.
    fn note_silence(&mut self, now: Time, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.silence_due().is_none_or(|due| now < due) {
            return;
        }
        connection.is_silent = true;
        let silent = now.since(connection.last_input);
        let publishing = |role: &&Role| matches!(role.activity, Activity::Publishing { .. });
        let Some(channel) = connection.roles.iter().find(publishing).map(|role| role.channel) else {
            return;
        };
        if let Some((peer, stream)) = self.subject(id, channel) {
            self.report(now, Event::PublisherSilent { peer, stream, silent });
        }
    }

    /// Takes steps of a protocol machine until it has nothing to say, and acts on each.
    fn run(
        &mut self,
        now: Time,
        id: ConnectionId,
        mut step: impl FnMut(&mut record::RecordedSession) -> Result<Option<ProtocolEvent>, Failure>,
    ) {
        loop {
            let Some(connection) = self.connections.get_mut(id) else {
                return;
            };
            self.buffer_pool.acquire(connection.protocol.output());
            let was_claiming = connection.is_claiming();
            match step(&mut connection.protocol) {
                Ok(Some(event)) => {
                    self.act_on(now, id, event);
                    // What comes after its first frame waits with that. A claim that goes on already was made by another step,
                    // and this one is about time: what it ends ends now.
                    if !was_claiming
                        && let Some(connection) = self
                            .connections
                            .get_mut(id)
                            .filter(|connection| connection.is_claiming())
                    {
                        connection.is_input_paused = true;
                        return;
                    }
                }
                Ok(None) => return,
                Err(failure) => {
                    self.fail(now, id, &failure);
                    return;
                }
            }
        }
    }

    fn act_on(&mut self, now: Time, id: ConnectionId, event: ProtocolEvent) {
        if event.is_request() && !self.admit_request(now, id) {
            return;
        }
        if let Some(failure) = event.failure() {
            self.keep_recording(id, failure);
        }
        match event {
            ProtocolEvent::Frame { stream, frame } => self.publish_frame(now, id, stream, frame),
            ProtocolEvent::MetadataCleared { stream } => self.clear_metadata(now, id, stream),
            ProtocolEvent::ConnectRequested { request, connect } => self.welcome(now, id, request, connect),
            ProtocolEvent::PublishRequested(publish) => self.authorize(now, id, Request::Publish(publish)),
            ProtocolEvent::PlayRequested(play) => self.authorize(now, id, Request::Play(play)),
            ProtocolEvent::PlayControl { stream, control } => self.control_play(now, id, stream, control),
            ProtocolEvent::PublishEnded { stream, cause } | ProtocolEvent::PlayEnded { stream, cause } => {
                self.end_role(id, stream, cause);
            }
            ProtocolEvent::Refused(reason) if self.note_refused_push(now, id, &reason) => {}
            ProtocolEvent::Refused(reason) => {
                self.tally.refuse("request", BAD_REQUEST);
                if let Some(connection) = self.connections.get(id) {
                    let (peer, reason) = (connection.peer(id), reason.to_string().into());
                    self.report(now, Event::RequestRefused { peer, reason });
                }
            }
            ProtocolEvent::Anomaly(name, what) => {
                self.note_anomaly(id, name);
                debug!(conn = %id, ?what, "anomaly");
            }
            ProtocolEvent::AdminRequested { request, head } => self.handle_admin(now, id, request, &head),
            ProtocolEvent::Answered | ProtocolEvent::Nothing => {}
        }
        self.deliver(now);
    }

    /// Counts what a peer did wrong, and which of the streams that it publishes is concerned.
    fn note_anomaly(&mut self, id: ConnectionId, name: &'static str) {
        self.stats.anomalies += 1;
        *self.anomalies.entry(name).or_default() += 1;
        let roles = self.connections.get(id).map_or(&[][..], |it| &it.roles);
        for role in roles {
            if matches!(role.activity, Activity::Publishing { .. })
                && let Some(stream) = self.streams.get_mut(role.channel)
                && let Some(publisher) = &mut stream.publisher
            {
                *publisher.anomalies.entry(name).or_default() += 1;
            }
        }
    }

    /// Counts a request, and ends a connection that makes too many.
    fn admit_request(&mut self, now: Time, id: ConnectionId) -> bool {
        let is_admitted = self.count_request(now, id);
        if !is_admitted {
            let max = self.config.limits.max_requests_per_second;
            self.fail(now, id, &Failure::TooManyRequests { max });
        }
        is_admitted
    }

    /// Counts a request. Returns whether the connection may make so many.
    fn count_request(&mut self, now: Time, id: ConnectionId) -> bool {
        let count = self.connections.get_mut(id).map_or(0, |it| it.requests.count(now));
        count <= self.config.limits.max_requests_per_second
    }

    /// Visits the connections that were touched until nothing is left to do: the end of each public call that may have
    /// touched one. What a visit calls touches connections and visits none.
    fn work_off(&mut self, now: Time) {
        loop {
            self.deliver(now);
            if let Some(id) = self.connections.pop_touched() {
                self.visit(now, id);
            } else if !self.relieve(now) {
                return;
            }
        }
    }

    /// Brings a connection that may have changed up to date: goes on with the input that waited for an answer, asks for its
    /// output to be written and its socket to be read again, arms its deadline.
    fn visit(&mut self, now: Time, id: ConnectionId) {
        self.note_role(id);
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.phase == Phase::Closed {
            self.count_connection(id);
            return;
        }
        if connection.protocol.is_closing() {
            // Whatever it has sent, nothing will come of it.
            connection.protocol.discard_input();
        }
        let resumes = !connection.is_paused() && mem::take(&mut connection.is_input_paused);
        let has_output = connection.has_output();
        // A connection whose socket takes nothing has been woken long since, but is to be read again.
        if resumes || (has_output && !connection.is_waking) {
            connection.is_waking = true;
            self.actions.push_back(Action::Wake(id));
        }
        if resumes {
            let pending_input = mem::take(&mut connection.pending_input);
            self.feed(now, id, &pending_input);
        } else {
            self.buffer_pool.release(connection.protocol.output());
            self.conclude(now, id);
            self.count_connection(id);
        }
    }
}
