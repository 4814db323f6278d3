//! Publishing and playing in process: connections of the program's own, which have frames instead of bytes.
//!
//! They obey the same rules as the others: one publisher for a name, takeover, grace time, bans, bounds of a slow player. Only
//! the world is not asked about them, and they are not ended for their silence: the program is trusted. All of them have one
//! address, `0.0.0.0:0`: bounds and bans for an address are for all of them together.
//!
//! ```text
//!   send_frame ──▶ ┌───────┐ ──▶ the stream
//!                  │ Local │
//!   poll_local ◀── └───────┘ ◀── the stream
//! ```

use super::authorize::Request;
use super::session::{PlayAsk, PlayRequest, ProtocolEvent, PublishRequest, Session};
use super::{ConnectionId, Refused, Server};
use crate::http::HeaderFields;
use crate::hub::Tracks;
use crate::rtmp::MessageStreamId;
use crate::{EndCause, Frame, FrameAt, Limits, Output, RequestId, StateError, Target, Time};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::mem;
use core::net::{Ipv4Addr, SocketAddr};

/// What a connection of the program's own hears: by [`Server::poll_local`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalEvent {
    /// A publish has the name, or will take it over with its first frame. A play is admitted, and may have to wait.
    Accepted,
    /// The kinds of media that a play will have, before its first frame. When others come, it ends.
    Tracks(Tracks),
    /// A frame of what is played, on a timeline that begins with 0: headers first, then the GOP cache, as for any player.
    Frame(Frame),
    /// The publish or play is refused, or a publish under way ended by the server, for this reason. It is the last event.
    Refused(Box<str>),
    /// The play is over, or the server has closed a publish. It is the last event.
    Ended(EndCause),
}

/// The one message stream of such a connection, which knows none.
const STREAM: MessageStreamId = MessageStreamId(0);

/// What stands for the address of the program itself.
const PEER: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl Server {
    /// Publishes a stream in process. [`send_frame`](Self::send_frame) takes its frames, [`poll_local`](Self::poll_local)
    /// says how it goes, and [`handle_eof`](Self::handle_eof) ends it.
    ///
    /// # Errors
    /// [`Refused`] if the server takes no more connections: this is one.
    pub fn publish(&mut self, now: Time, target: impl Into<Target>) -> Result<ConnectionId, Refused> {
        let request = Request::Publish(PublishRequest {
            request: RequestId::NONE,
            stream: STREAM,
            target: Box::new(target.into()),
            waits: true,
            fields: HeaderFields::default(),
        });
        self.begin_local(now, &request)
    }

    /// Plays a stream in process: [`poll_local`](Self::poll_local) gives its frames whenever [`Action::Wake`](super::Action::Wake)
    /// names the connection, and [`handle_eof`](Self::handle_eof) ends it.
    ///
    /// If the stream is not there, the play waits for it as an RTMP player does, up to
    /// [`Config::rtmp_wait`](super::Config::rtmp_wait). The query says what it can say for a player (`merge=MILLISECONDS`). A
    /// program that does not take its frames misses some as any slow player does, and holds nobody up.
    ///
    /// # Errors
    /// [`Refused`] if the server takes no more connections: this is one.
    pub fn play(&mut self, now: Time, target: impl Into<Target>) -> Result<ConnectionId, Refused> {
        let request = Request::Play(PlayRequest {
            request: RequestId::NONE,
            stream: STREAM,
            target: Box::new(target.into()),
            undecoded: None,
            ask: PlayAsk {
                head_only: false,
                needs_tracks: true,
                waits_accepted: true,
                merge: None,
            },
            fields: HeaderFields::default(),
        });
        self.begin_local(now, &request)
    }

    /// Takes the next frame of a [publish in process](Self::publish). Until the publish has started, frames wait.
    ///
    /// Cost: that of a frame from a socket, without its copy.
    ///
    /// # Errors
    /// The frame is not taken if the publish is over, if as many bytes wait ([`Frame::memory`]) as
    /// [`Limits::max_buffered_bytes`] allows, or if its payload is larger than [`Limits::max_message_len`].
    pub fn send_frame(&mut self, now: Time, id: ConnectionId, frame: Frame) -> Result<(), StateError> {
        let now = self.advance(now);
        let limits = &self.config.limits;
        let Some(connection) = self.connections.get_mut(id) else {
            return Err(StateError::NotPublishing);
        };
        let Some(local) = connection.protocol.local_mut() else {
            return Err(StateError::NotPublishing);
        };
        let len = frame.payload.len();
        local.push(frame, limits)?;
        connection.last_input = now;
        connection.bytes_in += len as u64;
        connection.is_silent = false;
        // What comes behind a first frame that claims the name waits with it.
        if connection.is_claiming() {
            self.connections.touch(id);
        } else {
            self.feed(now, id, &[]);
        }
        self.work_off(now);
        Ok(())
    }

    /// The next event of a connection of the program's own, refilled from its stream. `None` until
    /// [`Action::Wake`](super::Action::Wake) names it again, and for any other connection.
    ///
    /// Cost per frame: one reference count, and a place in a queue.
    pub fn poll_local(&mut self, now: Time, id: ConnectionId) -> Option<LocalEvent> {
        self.output(now, id);
        let local = self.connections.get_mut(id)?.protocol.local_mut()?;
        let event = local.pop();
        // Its last event was taken: nothing is left of it.
        if local.is_closing() {
            self.connections.touch(id);
            self.work_off(self.now);
        }
        event
    }

    fn begin_local(&mut self, now: Time, request: &Request) -> Result<ConnectionId, Refused> {
        let now = self.advance(now);
        let id = self.insert(now, PEER, |shared, _| {
            Session::Local(Box::new(Local::new(shared.session.limits.output_high_water)))
        })?;
        self.admit(now, id, request, Time::NEVER);
        self.connections.touch(id);
        self.work_off(now);
        Ok(id)
    }
}

/// A publish or play of the program's own, in place of a session with a peer.
#[derive(Debug)]
pub(super) struct Local {
    phase: Phase,
    /// Frames that a publish has sent, and that are not published yet.
    input: VecDeque<Frame>,
    /// Bytes of memory that they take.
    input_bytes: usize,
    /// What the program has not taken yet.
    events: VecDeque<LocalEvent>,
    /// Bytes of memory that the frames among them take.
    event_bytes: usize,
    /// How many of these are enough.
    high_water: usize,
    /// Stands for the bytes of other sessions: nothing is written to it, but what was taken is counted.
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The request waits for its answer.
    Requested,
    Publishing,
    Playing,
    Closing,
}

impl Local {
    fn new(high_water: usize) -> Self {
        Local {
            phase: Phase::Requested,
            input: VecDeque::new(),
            input_bytes: 0,
            events: VecDeque::new(),
            event_bytes: 0,
            high_water,
            output: Output::new(),
        }
    }

    fn push(&mut self, frame: Frame, limits: &Limits) -> Result<(), StateError> {
        if !matches!(self.phase, Phase::Requested | Phase::Publishing) {
            return Err(StateError::NotPublishing);
        }
        let len = frame.payload.len();
        if len > limits.max_message_len as usize {
            return Err(StateError::FrameTooLarge { len });
        }
        let (waiting, max) = (self.input_bytes + frame.memory(), limits.max_buffered_bytes);
        if waiting > max {
            return Err(StateError::OutputFull { waiting, max });
        }
        self.input_bytes = waiting;
        self.input.push_back(frame);
        Ok(())
    }

    fn pop(&mut self) -> Option<LocalEvent> {
        let event = self.events.pop_front()?;
        if let LocalEvent::Frame(frame) = &event {
            self.event_bytes -= frame.memory();
            self.output.note_sent(frame.payload.len());
        }
        Some(event)
    }

    /// The next of the frames that were sent.
    pub(super) fn handle_input(&mut self) -> Option<ProtocolEvent> {
        if self.phase != Phase::Publishing {
            return None;
        }
        let frame = self.input.pop_front()?;
        self.input_bytes -= frame.memory();
        Some(ProtocolEvent::Frame { stream: STREAM, frame })
    }

    /// The program is done with it. A publish first sends what waits.
    pub(super) fn handle_eof(&mut self) -> Option<ProtocolEvent> {
        let (stream, cause) = (STREAM, EndCause::Eof);
        let was = self.phase;
        let has_more = matches!(was, Phase::Requested | Phase::Publishing) && !self.input.is_empty();
        if has_more {
            return None;
        }
        self.phase = Phase::Closing;
        match was {
            Phase::Publishing => Some(ProtocolEvent::PublishEnded { stream, cause }),
            Phase::Playing => Some(ProtocolEvent::PlayEnded { stream, cause }),
            Phase::Requested | Phase::Closing => None,
        }
    }

    /// Bytes of memory that are its own, but for what the program has not taken: those frames are the stream's.
    pub(super) fn owned_memory(&self) -> usize {
        mem::size_of::<Self>() + self.input.capacity() * mem::size_of::<Frame>() + self.input_bytes
    }

    pub(super) fn is_paused(&self) -> bool {
        self.phase == Phase::Requested
    }

    pub(super) fn is_closing(&self) -> bool {
        self.phase == Phase::Closing
    }

    pub(super) fn can_send(&self) -> bool {
        self.phase == Phase::Playing && self.event_bytes < self.high_water
    }

    /// Whether there is something to take.
    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(super) fn queued(&self) -> usize {
        self.event_bytes
    }

    pub(super) fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    pub(super) fn output_ref(&self) -> &Output {
        &self.output
    }

    pub(super) fn accept_publish(&mut self) {
        self.phase = Phase::Publishing;
        self.events.push_back(LocalEvent::Accepted);
    }

    pub(super) fn accept_play(&mut self) {
        self.phase = Phase::Playing;
        // As the replies of other sessions, it also has the first frames asked for.
        self.events.push_back(LocalEvent::Accepted);
    }

    pub(super) fn send_frame(&mut self, frame: FrameAt<'_>, starts: Option<Tracks>) {
        self.events.extend(starts.map(LocalEvent::Tracks));
        self.event_bytes += frame.frame.memory();
        self.events.push_back(LocalEvent::Frame(frame.to_frame()));
    }

    pub(super) fn refuse(&mut self, reason: &str) {
        self.close_with(LocalEvent::Refused(reason.into()));
    }

    pub(super) fn end(&mut self, cause: EndCause) {
        self.close_with(LocalEvent::Ended(cause));
    }

    fn close_with(&mut self, last: LocalEvent) {
        if mem::replace(&mut self.phase, Phase::Closing) != Phase::Closing {
            self.input = VecDeque::new();
            self.input_bytes = 0;
            self.events.push_back(last);
        }
    }
}
