//! The events of all workers, as they come: `GET /api/v1/events`, in Server-Sent Events.
//!
//! One worker is the *sequencer*, where all events come together: it gives each a number, keeps the last ones for readers that
//! come back, and passes them on to the workers that have readers. While there is no reader, and there has been none of late,
//! workers tell it nothing, and an event costs a look at a flag.
//!
//! ```text
//!   reader        its worker                 all workers             sequencer
//!     ── GET ───────▶  ── Ask(Tell) ────────────▶ tell from here on
//!                      ◀── Part ────────────────
//!     ◀── 200 ──────   ── Watch ────────────────────────────────────▶
//!     ◀── opened ───   ◀── Watched, with what the reader has missed ──
//!                                                 ── Told ───────────▶  numbers, keeps
//!     ◀── event ────   ◀── Events ────────────────────────────────────
//! ```
//!
//! No worker waits for another. Between two workers one batch is under way at a time; what comes meanwhile waits in an
//! [`Outbox`] or among what the sequencer keeps, and what these have no room for is left out. A reader whose output is full misses
//! events, too. What is missing shows as a gap in the numbers, and the reader is told of it.

mod outbox;
mod reader;
mod sequencer;
mod told;

use super::gather::AdminMessage;
use super::problem::Problem;
use crate::server::shard::{Message, ShardId};
use crate::server::{ConnectionId, Event, REGISTRAR, Server};
use crate::{RequestId, Time};
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;
use outbox::{Batch, Outbox};
use reader::{Opening, Pen, Reader};
pub(super) use reader::{Watch, response};
use sequencer::Sequencer;
use told::Told;

/// How often each reader is sent something, so that proxies on the way and both ends see that the other is there. 5 s: proxies
/// give up after a minute, and a reader that has closed its sending side has
/// [`half_closed_timeout`](crate::Limits::half_closed_timeout), twice as long, to take something.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The worker where all events come together: the registrar, which workers talk to anyway.
const SEQUENCER: ShardId = REGISTRAR;

/// What a worker knows of events and of their readers.
#[derive(Debug, Default)]
pub(in crate::server) struct Feed {
    /// Whether events are told to the sequencer.
    is_telling: bool,
    /// On their way there.
    outbox: Outbox,
    readers: Vec<Reader>,
    /// Whether the sequencer was told that there are readers here.
    is_watching: bool,
    /// When the readers are sent something next, if there are any.
    heartbeat: Option<Time>,
    /// Nothing is in it on the other workers.
    sequencer: Sequencer,
}

/// Between workers.
#[derive(Debug)]
pub(in crate::server) enum FeedMessage {
    // To the sequencer.
    /// What was told at the sender.
    Told(Batch),
    /// A reader has come to the sender.
    Watch { reader: ConnectionId, after: After },
    /// The sender has no readers any more.
    Unwatch,
    /// The last `Events` have arrived.
    EventsTaken,

    // From the sequencer.
    /// Events are to be told.
    Tell,
    /// No events are to be told.
    Quiet,
    /// The last `Told` has arrived.
    ToldTaken,
    /// Where a reader starts.
    Watched { reader: ConnectionId, start: Start },
    /// What the sender has numbered.
    Events(Vec<Told>),
}

/// Where a reader starts.
#[derive(Debug)]
pub(in crate::server) struct Start {
    /// Behind the event with this number.
    after: u64,
    /// Whether it has missed events, nobody knows how many.
    has_missed: bool,
    /// Events that have come already, and that it has not seen.
    past: Vec<Told>,
}

/// The last event that a reader has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum After {
    /// The last one that there is.
    Now,
    Event(u64),
    /// One that this run of the server knows nothing of.
    Unknown,
}

impl Feed {
    pub(in crate::server) fn poll_timeout(&self) -> Option<Time> {
        [self.heartbeat, self.sequencer.until()].into_iter().flatten().min()
    }

    /// A connection is gone.
    pub(super) fn forget(&mut self, id: ConnectionId) {
        self.readers.retain(|reader| reader.connection != id);
        if self.readers.is_empty() {
            self.heartbeat = None;
        }
    }

    fn position(&self, connection: ConnectionId) -> Option<usize> {
        self.readers.iter().position(|it| it.connection == connection)
    }

    /// What is to be told to the sequencer, if it may be told anything now.
    fn next_message(&mut self) -> Option<FeedMessage> {
        if mem::replace(&mut self.is_watching, !self.readers.is_empty()) && self.readers.is_empty() {
            return Some(FeedMessage::Unwatch);
        }
        self.outbox.take().map(FeedMessage::Told)
    }
}

/// Every worker: what it tells.
impl Server {
    /// Events are to be told from here on. If we are the sequencer, they are kept for the reader that is about to come.
    pub(super) fn tell_events(&mut self, now: Time) {
        self.feed.is_telling = true;
        if self.shard == SEQUENCER {
            self.open_sequencer(now);
        }
    }

    /// Tells an event to the sequencer, if there are readers. Allocates nothing if not.
    pub(in crate::server) fn tell(&mut self, event: &Event) {
        if self.feed.is_telling
            && let Some(told) = Told::new(event, &self.config.admin, self.now, self.shard)
        {
            let told = told.counted(&self.memory);
            self.feed.outbox.push(told);
        }
    }

    /// Sends what has come together since the last call. Returns whether there was anything.
    pub(in crate::server) fn flush_feed(&mut self) -> bool {
        let message = self.feed.next_message();
        let has_any = message.is_some();
        if let Some(message) = message {
            self.send_feed(SEQUENCER, message);
            self.work_off(self.now);
        }
        has_any
    }

    fn send_feed(&mut self, to: ShardId, message: FeedMessage) {
        self.send_message(to, Message::Admin(AdminMessage::Feed(message)));
    }

    pub(super) fn handle_feed(&mut self, now: Time, from: ShardId, message: FeedMessage) {
        match message {
            FeedMessage::Told(batch) => self.note_told(from, batch),
            FeedMessage::Watch { reader, after } => self.watch(now, from, reader, after),
            FeedMessage::Unwatch => self.feed.sequencer.unwatch(now, from),
            FeedMessage::EventsTaken => {
                self.feed.sequencer.note_taken(from);
                self.pass_on(from);
            }
            FeedMessage::Tell => self.feed.is_telling = true,
            FeedMessage::Quiet => {
                self.feed.is_telling = false;
                self.feed.outbox.clear();
            }
            FeedMessage::ToldTaken => self.feed.outbox.note_taken(),
            FeedMessage::Watched { reader, start } => self.begin_reader(now, reader, &start),
            FeedMessage::Events(told) => {
                self.send_feed(from, FeedMessage::EventsTaken);
                self.offer(now, &told);
            }
        }
    }

    pub(in crate::server) fn expire_feed(&mut self, now: Time) {
        if self.feed.heartbeat.is_some_and(|at| at <= now) {
            self.feed.heartbeat = Some(now + HEARTBEAT);
            for index in 0..self.feed.readers.len() {
                self.with_reader(now, index, Reader::beat);
            }
        }
        self.expire_sequencer(now);
    }
}

/// A worker with readers.
impl Server {
    /// Whether one more reader may come.
    pub(super) fn admit_reader(&self) -> Result<(), Problem> {
        let max = self.config.admin.max_event_readers;
        if self.is_shutting_down {
            return Err(Problem::shutting_down());
        }
        if self.feed.readers.len() >= max {
            return Err(Problem::too_many_readers(max));
        }
        Ok(())
    }

    /// Answers one that only wants to know whether it could read.
    pub(super) fn respond_head(&mut self, now: Time, connection: ConnectionId, request: RequestId) {
        if let Some(connection) = self.connections.get_mut(connection)
            && let Some(session) = connection.protocol.admin_mut()
        {
            // An error means that the peer waits for nothing any more.
            let _ = session.start_response(now, request, &response());
        }
        self.connections.touch(connection);
    }

    /// All workers tell their events, but for those that are `missing`: begins to answer a reader.
    pub(super) fn open_reader(
        &mut self,
        now: Time,
        connection: ConnectionId,
        request: RequestId,
        watch: Watch,
        missing: Vec<u16>,
    ) {
        // Others may have come meanwhile.
        if let Err(problem) = self.admit_reader() {
            return self.respond(now, connection, request, &problem.response());
        }
        self.respond_head(now, connection, request);
        if self
            .connections
            .get(connection)
            .is_some_and(|it| it.protocol.is_responding())
        {
            let (after, opening) = (watch.after, Opening { missing });
            self.feed.readers.push(Reader::new(connection, watch, opening));
            self.feed.is_watching = true;
            self.feed.heartbeat.get_or_insert(now + HEARTBEAT);
            self.send_feed(
                SEQUENCER,
                FeedMessage::Watch {
                    reader: connection,
                    after,
                },
            );
        }
    }

    /// The sequencer says where a reader starts.
    fn begin_reader(&mut self, now: Time, connection: ConnectionId, start: &Start) {
        let workers = self.shards;
        if let Some(index) = self.feed.position(connection) {
            self.with_reader(now, index, |reader, pen| reader.begin(pen, workers, start));
        }
    }

    /// Events have come from the sequencer.
    fn offer(&mut self, now: Time, told: &[Told]) {
        for index in 0..self.feed.readers.len() {
            self.with_reader(now, index, |reader, pen| reader.offer(pen, told));
        }
    }

    /// An operator's socket takes what waits for it: tells a reader what it has missed. Its connection is being visited.
    pub(in crate::server) fn refill_reader(&mut self, now: Time, id: ConnectionId) {
        if let Some(index) = self.feed.position(id) {
            self.fill_reader(now, index, Reader::tell_missed);
        }
    }

    /// Ends the answers to readers: the server shuts down.
    pub(in crate::server) fn end_readers(&mut self, now: Time) {
        // What this worker has just told comes first.
        while self.flush_feed() {}
        for index in 0..self.feed.readers.len() {
            self.with_reader(now, index, |_, pen| pen.end());
        }
        self.feed.readers.clear();
        self.feed.heartbeat = None;
        self.work_off(now);
    }

    /// Has a reader write to its peer, whose connection is then to be visited.
    fn with_reader(&mut self, now: Time, index: usize, write: impl FnOnce(&mut Reader, &mut Pen<'_>)) {
        self.fill_reader(now, index, write);
        if let Some(reader) = self.feed.readers.get(index) {
            self.connections.touch(reader.connection);
        }
    }

    fn fill_reader(&mut self, now: Time, index: usize, write: impl FnOnce(&mut Reader, &mut Pen<'_>)) {
        if let Some(reader) = self.feed.readers.get_mut(index)
            && let Some(connection) = self.connections.get_mut(reader.connection)
            && let Some(session) = connection.protocol.admin_mut()
        {
            self.buffer_pool.acquire(session.output());
            write(reader, &mut Pen::new(now, session, &self.config.admin));
            connection.may_have_more = reader.is_behind();
        }
    }
}

/// The sequencer.
impl Server {
    /// Has the workers tell their events, and keeps them.
    fn open_sequencer(&mut self, now: Time) {
        if self.feed.sequencer.open(now) {
            self.send_to_all(|| FeedMessage::Tell);
        }
    }

    fn watch(&mut self, now: Time, from: ShardId, reader: ConnectionId, after: After) {
        self.open_sequencer(now);
        let start = self.feed.sequencer.watch(from, after);
        self.send_feed(from, FeedMessage::Watched { reader, start });
    }

    /// A worker has told events: they are numbered, kept, and passed on.
    fn note_told(&mut self, from: ShardId, batch: Batch) {
        self.send_feed(from, FeedMessage::ToldTaken);
        self.feed.sequencer.note(batch);
        for shard in self.feed.sequencer.watching().collect::<Vec<_>>() {
            self.pass_on(shard);
        }
    }

    /// Sends a worker the next events, unless the last ones are under way.
    fn pass_on(&mut self, to: ShardId) {
        if let Some(events) = self.feed.sequencer.take(to) {
            self.send_feed(to, FeedMessage::Events(events));
        }
    }

    /// There has been no reader for a while: workers are to tell nothing.
    fn expire_sequencer(&mut self, now: Time) {
        if self.feed.sequencer.until().is_some_and(|until| until <= now) {
            self.feed.sequencer.close();
            self.send_to_all(|| FeedMessage::Quiet);
        }
    }

    fn send_to_all(&mut self, message: fn() -> FeedMessage) {
        for shard in (0..self.shards).map(ShardId) {
            self.send_feed(shard, message());
        }
    }
}
