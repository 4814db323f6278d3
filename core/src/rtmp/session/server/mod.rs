//! The server's side of the conversation.

mod commands;
mod early;
mod streams;

use self::early::Early;
use self::streams::Streams;
use super::link::Link;
use super::machine::{Machine, Reports};
use super::state::{ConnectionState, ConnectionStep, Ended, StreamState, StreamStep};
use super::{Anomaly, Event, MessageStreamId, ProtocolError, SessionConfig, Status, StatusCode, replies};
use crate::media::Content;
use crate::rtmp::chunk::{Message, MessageTypeId};
use crate::rtmp::handshake::ServerHandshake;
use crate::rtmp::message::{self, Control, LimitType, UserControl};
use crate::{EndCause, FrameAt, Output, RequestId, StateError, StreamKey, Time, Timer};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

/// One RTMP connection, seen from the server: bytes and times in, events and bytes out.
///
/// After any call that changes something, take events from [`handle_input`](Self::handle_input) until `None`, send
/// what [`output`](Self::output) holds, and wait until [`poll_timeout`](Self::poll_timeout) or for the socket.
///
/// A client asks for three things, each an event that pauses the session until it is answered with
/// [`accept`](Self::accept) or [`reject`](Self::reject): to connect, to publish, to play. Everything else is answered
/// here. What was accepted ends exactly once, with [`Event::PublishEnded`] or [`Event::PlayEnded`].
///
/// Memory: about 1 KiB while a stream is played, with an empty output; see [`held_memory`](Self::held_memory).
#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct ServerSession {
    #[cfg_attr(feature = "server", serde(skip))]
    config: Arc<SessionConfig>,
    state: ConnectionState,
    /// Gone once it is done.
    #[cfg_attr(feature = "server", serde(skip))]
    handshake: Option<ServerHandshake>,
    link: Link,
    streams: Streams,
    /// What the application has to decide on. Nothing is read meanwhile, so there is never a second.
    #[cfg_attr(feature = "server", serde(skip))]
    request: Option<Request>,
    last_request: RequestId,
    /// Whether it has been let publish or play. Until then the command timer runs; later it may take its time between
    /// two streams, as HaishinKit does.
    was_admitted: bool,
    /// `app` and `tcUrl`: names are relative to them.
    base: Option<Box<Base>>,
    early: Early,
    #[cfg_attr(feature = "server", serde(skip))]
    reports: Reports<Event>,
}

/// What a session has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SessionStats {
    /// Bytes taken from the peer.
    pub bytes_received: u64,
    /// Bytes that left for the peer.
    pub bytes_sent: u64,
    /// Anomalies.
    pub anomalies: u64,
}

/// What names are relative to.
#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
struct Base {
    app: Box<str>,
    tc_url: Box<str>,
}

#[derive(Debug)]
struct Request {
    id: RequestId,
    kind: RequestKind,
    /// When it came.
    asked: Time,
}

#[derive(Debug)]
enum RequestKind {
    Connect {
        transaction_id: f64,
        object_encoding: u8,
        is_enhanced: bool,
    },
    Publish(MessageStreamId),
    Play {
        stream: MessageStreamId,
        /// Whether what was played before shall be forgotten.
        reset: bool,
    },
}

impl ServerSession {
    /// A session on a connection that was accepted at `now`. `seed` becomes the random bytes of the handshake.
    #[must_use]
    pub fn new(config: Arc<SessionConfig>, now: Time, seed: u64) -> Self {
        let mut link = Link::new(&config, now);
        link.start(Timer::Handshake, config.limits.handshake_timeout);
        ServerSession {
            state: ConnectionState::Handshaking,
            handshake: Some(ServerHandshake::new(seed)),
            link,
            streams: Streams::default(),
            request: None,
            last_request: RequestId::NONE,
            was_admitted: false,
            base: None,
            early: Early::default(),
            reports: Reports::new(),
            config,
        }
    }

    /// Consumes from the front of `input`, stopping after the first event. `Ok(None)` means that all of `input` was
    /// taken, or that the session is paused (see [`is_paused`](Self::is_paused)) and the rest stays with you.
    ///
    /// Events and output depend on the bytes and the times alone, not on how the bytes were cut into calls.
    ///
    /// # Errors
    /// [`ProtocolError`] once the peer broke the protocol and all streams have been reported as ended. The session is
    /// closing then, and every later call returns the same error.
    pub fn handle_input(&mut self, now: Time, input: &mut &[u8]) -> Result<Option<Event>, ProtocolError> {
        self.step_input(now, input)
    }

    /// The peer will send no more. Call it until `Ok(None)`, after all input.
    ///
    /// # Errors
    /// None; the result has the form of [`handle_input`](Self::handle_input).
    pub fn handle_eof(&mut self, now: Time) -> Result<Option<Event>, ProtocolError> {
        Ok(self.step_eof(now))
    }

    /// Does what is due at `now`. Call it until `Ok(None)`, not before [`poll_timeout`](Self::poll_timeout); earlier
    /// calls do nothing.
    ///
    /// # Errors
    /// [`ProtocolError::Timeout`] if the peer let a deadline pass; as [`handle_input`](Self::handle_input).
    pub fn handle_timeout(&mut self, now: Time) -> Result<Option<Event>, ProtocolError> {
        self.step_timeout(now)
    }

    /// Whether nothing is under way that [the state](crate::server::record) would leave out.
    #[cfg(feature = "server")]
    pub(crate) fn is_at_rest(&self) -> bool {
        self.handshake.is_none()
            && self.request.is_none()
            && self.early.is_empty()
            && self.reports.failure.is_none()
            && self.reports.events.is_empty()
            && self.link.is_at_rest()
    }

    /// Whether the next byte is of sound or pictures, behind the head of their message.
    #[cfg(feature = "server")]
    pub(crate) fn is_in_media(&self) -> bool {
        self.handshake.is_none() && self.link.is_in_media()
    }

    /// The reader of what comes, and the size of the chunks that leave.
    #[cfg(feature = "server")]
    pub(crate) fn into_framing(self) -> (crate::rtmp::chunk::ChunkDecoder, crate::rtmp::chunk::ChunkSize) {
        self.link.into_framing()
    }

    /// Goes on with `config`, of which a restored session has none yet.
    #[cfg(feature = "server")]
    pub(crate) fn set_config(&mut self, config: Arc<SessionConfig>) {
        self.config = config;
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). O(1), and it holds still while media flows.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Time> {
        match self.link.timers.first() {
            Some((at, _)) => Some(at),
            None => None,
        }
    }

    /// Whether [`handle_timeout`](Self::handle_timeout) at `now` would end something because of what the peer has not done.
    #[cfg(feature = "server")]
    pub(crate) fn is_overdue(&self, now: Time) -> bool {
        self.link.is_overdue(now, self.idle_span())
    }

    /// What that deadline is about.
    #[must_use]
    pub const fn next_timer(&self) -> Option<Timer> {
        match self.link.timers.first() {
            Some((_, timer)) => Some(timer),
            None => None,
        }
    }

    /// Bytes from the peer between two acknowledgements of ours: half the window that it announced, or ours if it
    /// announced none. A peer may send no more than its window before it hears of the next.
    #[must_use]
    pub const fn ack_every(&self) -> u32 {
        self.link.ack_every
    }

    /// Whether a request waits for [`accept`](Self::accept) or [`reject`](Self::reject), or twice
    /// [`Limits::output_high_water`](crate::Limits::output_high_water) of output wait for a peer that asks and does not
    /// read. Input stays with the caller until then, and the peer's silence is not held against it.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        Machine::is_paused(self)
    }

    /// Grants the request `id` and tells the peer.
    ///
    /// # Errors
    /// [`StateError::StaleRequest`] if it was answered, or ended before it was.
    pub fn accept(&mut self, now: Time, id: RequestId) -> Result<(), StateError> {
        let request = self.take_request(now, id)?;
        self.was_admitted |= !matches!(request.kind, RequestKind::Connect { .. });
        match request.kind {
            RequestKind::Connect {
                transaction_id,
                object_encoding,
                is_enhanced,
            } => {
                let size = self.config.window_ack_size;
                self.link.control(Control::WindowAckSize(size));
                self.link.control(Control::SetPeerBandwidth {
                    size,
                    limit: LimitType::Dynamic,
                });
                self.link.set_chunk_size(&self.config);
                self.link
                    .command(&replies::connected(transaction_id, object_encoding, is_enhanced));
                self.advance(ConnectionStep::Accept);
            }
            RequestKind::Publish(stream) => {
                self.streams.step(stream, StreamStep::Accept, None);
                self.link.silence.hear(self.link.now);
                self.link.user_control(UserControl::StreamBegin(stream));
                self.status(stream, Status::new(StatusCode::PublishStart, "Started publishing."));
                let early = self.early.release();
                self.reports
                    .events
                    .extend(early.into_iter().map(|frame| Event::Frame { stream, frame }));
            }
            RequestKind::Play { stream, reset } => {
                self.streams.step(stream, StreamStep::Accept, None);
                self.link.user_control(UserControl::StreamBegin(stream));
                if reset {
                    self.status(stream, Status::new(StatusCode::PlayReset, "Playing and resetting."));
                }
                self.status(stream, Status::new(StatusCode::PlayStart, "Started playing."));
                let controls = self.streams.recall(stream);
                let events = controls.map(|control| Event::PlayControl { stream, control });
                self.reports.events.extend(events);
            }
        }
        self.restart_timers();
        Ok(())
    }

    /// Refuses the request `id` and tells the peer why. The connection closes once that has left, unless it publishes or
    /// plays something else.
    ///
    /// # Errors
    /// [`StateError::StaleRequest`] if it was answered, or ended before it was.
    pub fn reject(&mut self, now: Time, id: RequestId, status: Status) -> Result<(), StateError> {
        let request = self.take_request(now, id)?;
        match request.kind {
            RequestKind::Connect { transaction_id, .. } => {
                self.link.command(&replies::error(transaction_id, &status));
                self.end(EndCause::Closed);
            }
            RequestKind::Publish(stream) | RequestKind::Play { stream, .. } => {
                self.streams.step(stream, StreamStep::Reject, None);
                self.status(stream, status);
                self.end_unless_busy();
            }
        }
        Ok(())
    }

    /// Sends `frame` to the player on `stream`.
    ///
    /// Cost: nothing is allocated once the output has grown, payloads of 256 bytes and more are not copied.
    ///
    /// # Errors
    /// [`StateError::NotPlaying`], [`StateError::OutputFull`] above [`Limits::max_output`](crate::Limits::max_output),
    /// [`StateError::FrameTooLarge`]. Nothing is sent then.
    pub fn send_frame<'a>(&mut self, stream: MessageStreamId, frame: impl Into<FrameAt<'a>>) -> Result<(), StateError> {
        self.streams.played(stream)?;
        self.link.send_frame(stream, frame.into())
    }

    /// Tells the player on `stream` that the publisher it waited for is there.
    ///
    /// # Errors
    /// [`StateError::NotPlaying`].
    pub fn publish_notify(&mut self, stream: MessageStreamId) -> Result<(), StateError> {
        self.streams.played(stream)?;
        self.status(stream, Status::new(StatusCode::PlayPublishNotify, "Now published."));
        Ok(())
    }

    /// Ends the play on `stream`: the player is told that nothing more comes, and the connection closes once that has
    /// left, unless it publishes or plays something else.
    ///
    /// # Errors
    /// [`StateError::NotPlaying`].
    pub fn end_play(&mut self, now: Time, stream: MessageStreamId, cause: EndCause) -> Result<(), StateError> {
        self.link.tick(now);
        self.streams.played(stream)?;
        let status = match cause {
            // An error: after `PlayUnpublishNotify` rtmpdump is content with its empty file.
            EndCause::Absent => Status::new(StatusCode::PlayStreamNotFound, "No such stream."),
            _ => Status::new(StatusCode::PlayUnpublishNotify, "No longer published."),
        };
        self.status(stream, status);
        self.link.user_control(UserControl::StreamEof(stream));
        self.step(stream, StreamStep::Stop, None, cause);
        self.end_unless_busy();
        Ok(())
    }

    /// Ends the publish on `stream`: the publisher is told why, and the connection closes once that has left, unless it
    /// publishes or plays something else.
    ///
    /// # Errors
    /// [`StateError::NotPublishing`].
    pub fn end_publish(
        &mut self,
        now: Time,
        stream: MessageStreamId,
        status: Status,
        cause: EndCause,
    ) -> Result<(), StateError> {
        self.link.tick(now);
        self.streams.published(stream)?;
        self.status(stream, status);
        self.step(stream, StreamStep::Stop, None, cause);
        self.end_unless_busy();
        Ok(())
    }

    /// Closes the connection once the output has left, or [`Limits::close_timeout`](crate::Limits::close_timeout) is
    /// over. Whatever is still published or played ends.
    pub fn close(&mut self, now: Time) {
        self.link.tick(now);
        self.end(EndCause::Closed);
    }

    /// Whether the session is over: only output is left, if that. Input is discarded.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        Machine::is_closing(self)
    }

    /// Whether the connection can go: the session is closing, every event was taken, and the output has left or had its
    /// time.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let is_silent = self.state == ConnectionState::Closed || self.link.output.is_empty();
        self.is_closing() && is_silent && self.reports.events.is_empty()
    }

    /// Whether more frames should be sent: less output waits than
    /// [`Limits::output_high_water`](crate::Limits::output_high_water).
    #[must_use]
    pub fn can_send(&self) -> bool {
        !self.is_closing() && self.link.output.len() < self.config.limits.output_high_water
    }

    /// What to write to the socket; advance it by what the socket took.
    pub const fn output(&mut self) -> &mut Output {
        &mut self.link.output
    }

    /// What is to be written to the socket.
    #[must_use]
    pub const fn output_ref(&self) -> &Output {
        &self.link.output
    }

    /// Bytes of memory held, but for the output: see [`Output::held_memory`].
    #[must_use]
    #[expect(clippy::arithmetic_side_effects, reason = "what is in memory at once")]
    pub fn held_memory(&self) -> usize {
        let base = self
            .base
            .as_ref()
            .map_or(0, |base| size_of::<Base>() + base.app.len() + base.tc_url.len());
        let events = self.reports.events.capacity() * size_of::<Event>();
        size_of::<Self>()
            + self.link.held_memory()
            + self.streams.held_memory()
            + self.early.held_memory()
            + self.handshake.as_ref().map_or(0, ServerHandshake::held_memory)
            + base
            + events
    }

    /// Forgets what has come and was not taken yet, as nothing will be read any more.
    #[cfg(feature = "server")]
    pub(crate) fn discard_input(&mut self) {
        self.link.discard_input();
        self.early = Early::default();
    }

    /// Work that the input has made so far, as [`Limits::max_work_per_second`](crate::Limits::max_work_per_second) counts it.
    #[must_use]
    pub const fn work(&self) -> u64 {
        self.link.work()
    }

    /// What has been done so far. O(1).
    #[must_use]
    pub const fn stats(&self) -> SessionStats {
        SessionStats {
            bytes_received: self.link.bytes_received,
            bytes_sent: self.link.output.sent(),
            anomalies: self.reports.anomalies,
        }
    }

    fn handle_media(&mut self, message: Message) -> Result<Option<Event>, ProtocolError> {
        // What comes from somebody that nobody knows is not worth a look.
        if self.state != ConnectionState::Connected {
            return Ok(Some(self.note_anomaly(Anomaly::UnexpectedMedia)));
        }
        let msid = message.msid;
        let publishing = self.streams.resolve_if(msid, StreamState::Publishing);
        let content = message::content(message, &self.config.limits);
        Ok(Some(match (content, publishing) {
            (Content::Frame(frame), Some(stream)) => {
                if frame.class.is_coded() {
                    self.link.silence.hear(self.link.now);
                }
                Event::Frame { stream, frame }
            }
            // An encoder may not read that one of its streams has ended, and goes on sending it beside the others: what comes
            // then is early for none of them, however much it is.
            (Content::Frame(frame), None) => {
                let is_early = !self.streams.was_published(msid);
                match self.early.offer(&frame, is_early, &self.config.limits) {
                    Ok(true) => return Ok(None),
                    Err(error) if !self.is_busy() => return Err(error),
                    Ok(false) | Err(_) => self.note_anomaly(Anomaly::UnexpectedMedia),
                }
            }
            (Content::MetadataCleared, Some(stream)) => Event::MetadataCleared { stream },
            (Content::MetadataCleared, None) => self.note_anomaly(Anomaly::UnexpectedMedia),
            (Content::Nothing, _) => self.note_anomaly(Anomaly::UnusableMedia),
        }))
    }

    /// Whether something is published or played, or asked for.
    fn is_busy(&self) -> bool {
        self.request.is_some() || self.streams.any(StreamState::Publishing) || self.streams.any(StreamState::Playing)
    }

    /// What was done on one stream is over: closes the connection if that was all.
    fn end_unless_busy(&mut self) {
        if self.is_busy() {
            self.restart_timers();
        } else {
            self.end(EndCause::Closed);
        }
    }

    /// Starts the timers that belong to what is being done now, and stops the others.
    fn restart_timers(&mut self) {
        let limits = &self.config.limits;
        let is_publishing = self.streams.any(StreamState::Publishing);
        let is_playing = self.streams.any(StreamState::Playing);
        for timer in [Timer::Handshake, Timer::Command, Timer::Idle, Timer::Ping] {
            self.link.timers.clear(timer);
        }
        if is_playing || (self.was_admitted && !is_publishing) {
            self.link.start(Timer::Ping, limits.ping_interval);
        }
        if self.request.is_some() || (is_playing && !is_publishing) {
            return; // the peer waits for us, or for the stream
        }
        // What else it does is no news of a publisher.
        if !(self.link.hears_media && is_publishing) {
            self.link.silence.hear(self.link.now);
        }
        self.link.hears_media = is_publishing;
        if self.was_admitted {
            self.link
                .timers
                .set(Timer::Idle, self.link.silence.due(self.idle_span()));
        } else {
            self.link.start(Timer::Command, limits.command_timeout);
        }
    }

    /// How long the peer may be silent: a publisher has media to send all the time, others only speak when pinged.
    fn idle_span(&self) -> Duration {
        let limits = &self.config.limits;
        if self.streams.any(StreamState::Publishing) {
            limits.idle_timeout
        } else {
            limits.ping_interval.saturating_add(limits.idle_timeout)
        }
    }

    fn take_request(&mut self, now: Time, id: RequestId) -> Result<Request, StateError> {
        self.link.tick(now);
        let request = self.request.take_if(|request| request.id == id);
        let request = request.ok_or(StateError::StaleRequest)?;
        // Nothing was read meanwhile.
        self.link.silence.excuse(self.link.now.since(request.asked));
        Ok(request)
    }

    /// Asks the application, and reads nothing until it answers.
    fn request(&mut self, kind: RequestKind) -> RequestId {
        let id = self.last_request.next();
        self.last_request = id;
        let asked = self.link.now;
        self.request = Some(Request { id, kind, asked });
        self.restart_timers();
        id
    }

    /// Takes `stream` through `step` and reports what that ends, with `cause`.
    fn step(&mut self, stream: MessageStreamId, step: StreamStep, key: Option<&StreamKey>, cause: EndCause) -> Ended {
        let ended = self.streams.step(stream, step, key.cloned());
        match ended {
            Ended::Publish => self.reports.events.push_back(Event::PublishEnded { stream, cause }),
            Ended::Play => self.reports.events.push_back(Event::PlayEnded { stream, cause }),
            Ended::Nothing => {}
        }
        ended
    }

    fn status(&mut self, stream: MessageStreamId, status: Status) {
        self.link.stream_command(stream, &replies::on_status(&status));
    }

    /// Takes a step that cannot be wrong.
    fn advance(&mut self, step: ConnectionStep) {
        if let Ok(state) = self.state.after(step) {
            self.state = state;
        }
    }
}

impl Machine for ServerSession {
    type Event = Event;

    fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    fn reports(&mut self) -> &mut Reports<Event> {
        &mut self.reports
    }

    fn is_paused(&self) -> bool {
        // Frames alone fill it up to the mark and by one more; what lies above are replies.
        let max = self.config.limits.output_high_water.saturating_mul(2);
        self.request.is_some() || (self.link.output.len() >= max && !Machine::is_closing(self))
    }

    fn is_closing(&self) -> bool {
        matches!(self.state, ConnectionState::Closing | ConnectionState::Closed)
    }

    fn handle_handshake(&mut self, input: &mut &[u8]) -> Result<bool, ProtocolError> {
        let Some(handshake) = &mut self.handshake else {
            return Ok(false);
        };
        if handshake.handle_input(input, &mut self.link.output)? {
            self.handshake = None;
            self.advance(ConnectionStep::HandshakeDone);
            self.restart_timers();
        }
        Ok(true)
    }

    fn handle_message(&mut self, message: Message) -> Result<Option<Event>, ProtocolError> {
        match message.type_id {
            MessageTypeId::AUDIO | MessageTypeId::VIDEO | MessageTypeId::DATA_AMF0 | MessageTypeId::DATA_AMF3 => {
                self.handle_media(message)
            }
            MessageTypeId::COMMAND_AMF0 | MessageTypeId::COMMAND_AMF3 => self.handle_command(message),
            type_id => Ok(Some(self.note_anomaly(Anomaly::UnknownMessage(type_id)))),
        }
    }

    fn handle_timer(&mut self, timer: Timer) -> Result<(), ProtocolError> {
        let limits = &self.config.limits;
        match timer {
            Timer::Handshake | Timer::Command => return Err(ProtocolError::Timeout(timer)),
            Timer::Idle => self.link.check_idle(self.idle_span())?,
            Timer::Ping => {
                self.link.ping();
                self.link.start(Timer::Ping, limits.ping_interval);
            }
            Timer::Stall => self.link.check_stall()?,
            Timer::Close => {
                self.link.output.clear();
                self.advance(ConnectionStep::CloseTimeout);
            }
        }
        Ok(())
    }

    fn end(&mut self, cause: EndCause) {
        if Machine::is_closing(self) {
            return;
        }
        let streams: Vec<_> = self.streams.ids().collect();
        for stream in streams {
            self.step(stream, StreamStep::Stop, None, cause);
        }
        self.advance(ConnectionStep::Close);
        self.request = None;
        self.handshake = None;
        self.early = Early::default();
        self.link.timers.clear_all();
        self.link.start(Timer::Close, self.config.limits.close_timeout);
    }

    fn anomaly(anomaly: Anomaly) -> Event {
        Event::Anomaly(anomaly)
    }

    fn pong(round_trip: Duration) -> Event {
        Event::PongReceived { round_trip }
    }
}
