//! The server's side of an HTTP connection.

use super::HttpError;
use super::body::{Body, Content};
use super::config::HttpConfig;
use super::event::{HttpEvent, Transport};
use super::head::{HeadReader, Method, RequestHead};
use super::origin::{Access, ForeignOrigin};
use super::response::{self, Answer, Envelope, StatusCode};
use super::websocket::{self, Opcode, Received};
use crate::flv::{FlvItem, FlvReader, FlvWriter, TagFlags};
use crate::timers::{StallWatch, Timers};
use crate::{
    EndCause, Frame, FrameAt, FrameClass, FrameKind, Output, RequestId, StateError, StreamKey, Target, Time, Timer,
    TrackId, work,
};
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use core::mem;
use core::time::Duration;

/// One HTTP connection, seen from the server: requests one after the other, each to play or to publish a stream.
///
/// ```text
///   reading ── head ──▶ requested ── accept_play, start_play ──▶ playing ───── end_play ─────▶ reading
///      ▲                    │ └───────── accept_publish ───────▶ publishing ── end of body ──▶ reading
///      └────── reject ──────┘
/// ```
///
/// Instead of reading the next request, it closes where HTTP/1.0, `Connection: close`, a WebSocket, or content that was
/// not read leaves no other way.
///
/// After any call that takes `&mut self`, take events until `Ok(None)`, flush the output, then read the deadline.
///
/// It answers on its own what needs no knowledge of streams: preflights, methods that do not exist, broken requests.
/// Requests that are pipelined behind one under way stay with the caller.
///
/// Memory: some 400 bytes and the [`Output`] while playing; up to [`max_http_head`](crate::Limits::max_http_head) more
/// while a head arrives, the tag under way while publishing.
#[derive(Debug)]
pub struct HttpSession {
    config: Arc<HttpConfig>,
    now: Time,
    /// When a publisher last sent a byte.
    heard: Time,
    timers: Timers,
    stall: StallWatch,
    state: State,
    /// How what was going on ended; told before anything else happens.
    ended: Option<HttpEvent>,
    /// What ended the connection without an answer.
    failure: Option<HttpError>,
    last_request: RequestId,
    /// What the request under way may do.
    access: Access,
    /// The [work] that the input has made.
    work: u64,
    output: Output,
}

#[derive(Debug)]
enum State {
    /// Between requests, or inside a head.
    Reading(HeadReader),
    /// A request waits for its answer; its path has become the target that the caller holds.
    Requested {
        id: RequestId,
        request: Box<RequestHead>,
    },
    Playing(Player),
    Publishing(Box<Publisher>),
    /// Only output is left.
    Closing,
    Closed,
}

#[derive(Debug)]
struct Player {
    envelope: Envelope,
    keep_alive: bool,
    progress: Progress,
    /// Another request has arrived. It stays with the caller until this one is done.
    is_pipelined: bool,
    /// For [`Envelope::Message`].
    websocket: websocket::Reader,
}

/// How far a play has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Response head written.
    Accepted,
    /// The FLV header goes out with the first tag: mpegts.js wants more than its 13 bytes in the first piece it gets.
    Started(TagFlags),
    /// FLV header written.
    Streaming,
}

#[derive(Debug)]
struct Publisher {
    body: Body,
    flv: FlvReader,
    keep_alive: bool,
    /// Whether a frame has come: without any it was no push.
    has_frames: bool,
}

impl HttpSession {
    /// A session at the start of a connection that was accepted at `now`.
    #[must_use]
    pub fn new(config: Arc<HttpConfig>, now: Time) -> Self {
        let mut session = HttpSession {
            config,
            now,
            heard: now,
            timers: Timers::new(),
            stall: StallWatch::default(),
            state: State::Closed,
            ended: None,
            failure: None,
            last_request: RequestId::NONE,
            access: Access::default(),
            work: 0,
            output: Output::new(),
        };
        session.read_request();
        session
    }

    /// Consumes from the front of `input`, stopping after the first event. `Ok(None)` means that all of `input` was
    /// taken, or that the session is [paused](Self::is_paused) and the rest stays with you.
    ///
    /// Cost while publishing: each payload byte is copied once; two allocations a frame.
    ///
    /// # Errors
    /// What ended the connection without a word that the peer could read; repeated on later calls. What could be answered
    /// is [`HttpEvent::Refused`].
    pub fn handle_input(&mut self, now: Time, input: &mut &[u8]) -> Result<Option<HttpEvent>, HttpError> {
        self.advance_clock(now);
        loop {
            if let Some(event) = self.take_outcome()? {
                return Ok(Some(event));
            }
            match self.step(input) {
                Ok(Step::Event(event)) => return Ok(Some(event)),
                Ok(Step::NeedInput) => return Ok(None),
                Ok(Step::Again) => {}
                Err(error) => {
                    if let Some(event) = self.refuse(error) {
                        return Ok(Some(event));
                    }
                }
            }
        }
    }

    /// Says that the peer sends no more, after all it sent was taken. Call until `Ok(None)`.
    ///
    /// A play by plain HTTP goes on: the peer may have closed only its sending side, and if it is gone altogether, the
    /// next write says so. Anything else ends; what is in the output may still be sent.
    ///
    /// # Errors
    /// As [`handle_input`](Self::handle_input).
    pub fn handle_eof(&mut self, now: Time) -> Result<Option<HttpEvent>, HttpError> {
        self.advance_clock(now);
        if let Some(event) = self.take_outcome()? {
            return Ok(Some(event));
        }
        match &mut self.state {
            State::Closing | State::Closed => {}
            State::Playing(player) if player.envelope != Envelope::Message => player.keep_alive = false,
            State::Requested { request, .. } if !request.method.is_push() && request.websocket.is_none() => {
                request.keep_alive = false;
            }
            State::Publishing(publisher) if publisher.body == Body::UntilClose && publisher.flv.is_at_tag_border() => {
                if !publisher.has_frames {
                    return Ok(self.refuse(HttpError::NoTags));
                }
                self.end(EndCause::Eof);
                self.answer(Answer::new(StatusCode::Ok, ""));
            }
            State::Reading(_) | State::Requested { .. } | State::Playing(_) | State::Publishing(_) => {
                self.end(EndCause::Eof);
                self.start_closing();
            }
        }
        self.take_outcome()
    }

    /// Does what is due at `now`. Call until `Ok(None)`; too early, it does nothing.
    ///
    /// # Errors
    /// As [`handle_input`](Self::handle_input).
    pub fn handle_timeout(&mut self, now: Time) -> Result<Option<HttpEvent>, HttpError> {
        self.advance_clock(now);
        loop {
            if let Some(event) = self.ended.take() {
                return Ok(Some(event));
            }
            let Some(timer) = self.timers.take_due(self.now) else {
                return self.take_outcome();
            };
            if let Some(event) = self.fire(timer) {
                return Ok(Some(event));
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next. O(1).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        if self.ended.is_some() {
            return Some(self.now);
        }
        self.timers.first().map(|(at, _)| at)
    }

    /// Whether [`handle_timeout`](Self::handle_timeout) at `now` would end something because of what the peer has not done.
    #[cfg(feature = "server")]
    pub(crate) fn is_overdue(&self, now: Time) -> bool {
        self.timers.due(now).any(|timer| match timer {
            Timer::Handshake | Timer::Command => true,
            Timer::Idle => self.heard + self.idle_span() <= now,
            Timer::Stall => self.stall.would_fail(&self.output),
            Timer::Ping | Timer::Close => false,
        })
    }

    /// The name of the timer that [`poll_timeout`](Self::poll_timeout) is about.
    #[must_use]
    pub fn next_timer(&self) -> Option<Timer> {
        self.timers.first().map(|(_, timer)| timer)
    }

    /// Whether input stays with the caller: a request waits for its answer, or has arrived before the one under way is
    /// done.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        match &self.state {
            State::Requested { .. } => true,
            State::Playing(player) => player.is_pipelined,
            _ => false,
        }
    }

    /// How the tags of the play travel that goes on or is asked for. A WebSocket stays one until it is closing.
    #[must_use]
    pub fn transport(&self) -> Transport {
        match &self.state {
            State::Requested { request, .. } => request.transport(),
            State::Playing(player) if player.envelope == Envelope::Message => Transport::WebSocket,
            _ => Transport::Http,
        }
    }

    /// Whether only output is left, if that. Input is thrown away.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing | State::Closed)
    }

    /// Whether the connection can go: the output has left, or had its time.
    ///
    /// The owner of the socket shuts down its sending side and reads on for a moment: a peer that still sends may lose
    /// the final reply otherwise.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        match &self.state {
            State::Closed => true,
            State::Closing => self.output.is_empty(),
            _ => false,
        }
    }

    /// Whether a play was accepted and its output has room, so that it should be started or go on.
    #[must_use]
    pub fn can_send(&self) -> bool {
        matches!(self.state, State::Playing(_)) && self.has_room()
    }

    /// Bytes to write to the socket.
    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// Work that the input has made so far, as [`Limits::max_work_per_second`](crate::Limits::max_work_per_second) counts it.
    #[must_use]
    pub const fn work(&self) -> u64 {
        self.work
    }

    /// The same, to look at.
    #[must_use]
    pub fn output_ref(&self) -> &Output {
        &self.output
    }

    /// Answers a [`HttpEvent::PlayRequested`]: the stream exists. The head of the response goes out; for `HEAD` that is
    /// all, else [`start_play`](Self::start_play) comes next, once it is known which kinds of frame there are.
    ///
    /// # Errors
    /// [`StateError::StaleRequest`] if no such request waits.
    pub fn accept_play(&mut self, now: Time, id: RequestId) -> Result<(), StateError> {
        self.advance_clock(now);
        let request = self.take_request(id, |method| matches!(method, Method::Get | Method::Head))?;
        let mut keep_alive = self.may_be_followed(&request);
        let envelope = match &request.websocket {
            Some(accept) => {
                keep_alive = false;
                response::write_switching_protocols(accept, &mut self.output);
                self.timers
                    .set(Timer::Ping, self.now + self.config.limits.ping_interval);
                Envelope::Message
            }
            None => {
                let envelope = if request.is_http_1_0 {
                    Envelope::Bare
                } else {
                    Envelope::Chunk
                };
                response::write_stream_head(envelope, &self.access, keep_alive, &mut self.output);
                envelope
            }
        };
        if request.method == Method::Head {
            self.finish(keep_alive);
        } else {
            self.state = State::Playing(Player {
                envelope,
                keep_alive,
                progress: Progress::Accepted,
                is_pipelined: false,
                websocket: websocket::Reader::new(),
            });
            self.watch_output();
        }
        Ok(())
    }

    /// Starts an accepted play: frames follow, of the kinds in `flags`.
    ///
    /// Players wait for the first frame of each kind that is announced, and pass over kinds that are not.
    ///
    /// # Errors
    /// [`StateError::NotPlaying`] if none was accepted, or it has started already.
    pub fn start_play(&mut self, flags: TagFlags) -> Result<(), StateError> {
        match &mut self.state {
            State::Playing(player) if player.progress == Progress::Accepted => {
                player.progress = Progress::Started(flags);
                Ok(())
            }
            _ => Err(StateError::NotPlaying),
        }
    }

    /// Sends `frame` as one tag in one chunk or one WebSocket message. What FLV players take for a broken tag is left out:
    /// a frame without payload, and of Enhanced RTMP the supplements and every track but the first (mpegts.js reports an
    /// error for each; an RTMP player gets them).
    ///
    /// Cost: payloads of 256 bytes and more are queued by reference; nothing is allocated once the output has grown.
    ///
    /// # Errors
    /// [`StateError::NotPlaying`] before [`start_play`](Self::start_play) and after the end;
    /// [`StateError::OutputFull`] if more than [`max_output`](crate::Limits::max_output) waits.
    pub fn send_frame<'a>(&mut self, frame: impl Into<FrameAt<'a>>) -> Result<(), StateError> {
        let sent = frame.into();
        let State::Playing(player) = &mut self.state else {
            return Err(StateError::NotPlaying);
        };
        let (waiting, max) = (self.output.len(), self.config.limits.max_output);
        if waiting > max {
            return Err(StateError::OutputFull { waiting, max });
        }
        let tag_len = FlvWriter::frame_len(sent.frame);
        let out = &mut self.output;
        match player.progress {
            Progress::Accepted => return Err(StateError::NotPlaying),
            _ if !is_flv(sent.frame) => return Ok(()),
            Progress::Started(flags) => {
                player.envelope.open(FlvWriter::HEADER_LEN + tag_len, out);
                FlvWriter::header(flags, out);
                player.progress = Progress::Streaming;
            }
            Progress::Streaming => player.envelope.open(tag_len, out),
        }
        FlvWriter::frame(sent, out);
        player.envelope.close(out);
        self.watch_output();
        Ok(())
    }

    /// Ends the play: the last chunk, a close frame, or the end of the connection. [`HttpEvent::PlayEnded`] says `cause`.
    ///
    /// # Errors
    /// [`StateError::NotPlaying`] if nothing is played.
    pub fn end_play(&mut self, now: Time, cause: EndCause) -> Result<(), StateError> {
        self.advance_clock(now);
        let State::Playing(player) = &mut self.state else {
            return Err(StateError::NotPlaying);
        };
        player.envelope.end(&mut self.output);
        let keep_alive = player.keep_alive;
        self.end(cause);
        self.finish(keep_alive);
        Ok(())
    }

    /// Answers a [`HttpEvent::PublishRequested`]: frames may come. Until the first one, silence ends the request after
    /// [`command_timeout`](crate::Limits::command_timeout).
    ///
    /// # Errors
    /// [`StateError::StaleRequest`] if no such request waits.
    pub fn accept_publish(&mut self, now: Time, id: RequestId) -> Result<(), StateError> {
        self.advance_clock(now);
        let request = self.take_request(id, Method::is_push)?;
        if request.expects_continue {
            response::write_continue(&mut self.output);
            self.watch_output();
        }
        self.heard = self.now;
        self.state = State::Publishing(Box::new(Publisher {
            body: request.body,
            flv: FlvReader::new(&self.config.limits),
            keep_alive: request.keep_alive,
            has_frames: false,
        }));
        self.timers.set(Timer::Idle, self.now + self.idle_span());
        Ok(())
    }

    /// Ends the publish: another took the stream over, the server stops. The peer is told `status` and a few words for
    /// people, and [`HttpEvent::PublishEnded`] says `cause`.
    ///
    /// # Errors
    /// [`StateError::NotPublishing`] if nothing is published.
    pub fn end_publish(
        &mut self,
        now: Time,
        status: StatusCode,
        reason: &str,
        cause: EndCause,
    ) -> Result<(), StateError> {
        self.advance_clock(now);
        if !matches!(self.state, State::Publishing(_)) {
            return Err(StateError::NotPublishing);
        }
        self.end(cause);
        self.answer(Answer::new(status, reason));
        Ok(())
    }

    /// Answers a request with `status` and a few words for people. `retry_after` says when to ask again.
    ///
    /// # Errors
    /// [`StateError::StaleRequest`] if no such request waits.
    pub fn reject(
        &mut self,
        now: Time,
        id: RequestId,
        status: StatusCode,
        reason: &str,
        retry_after: Option<Duration>,
    ) -> Result<(), StateError> {
        self.advance_clock(now);
        let request = self.take_request(id, |_| true)?;
        self.answer_request(
            &request,
            Answer {
                retry_after,
                ..Answer::new(status, reason)
            },
        );
        Ok(())
    }

    /// Closes the connection in good order, as when the server stops: a play ends as with [`end_play`](Self::end_play),
    /// one that publishes or waits is told `503`. Does nothing to a session that is closing.
    pub fn close(&mut self, now: Time) {
        self.advance_clock(now);
        match &mut self.state {
            State::Closing | State::Closed => {}
            State::Reading(_) => self.start_closing(),
            State::Playing(player) => {
                player.keep_alive = false;
                let _: Result<(), StateError> = self.end_play(now, EndCause::Closed);
            }
            State::Requested { .. } | State::Publishing(_) => {
                self.end(EndCause::Closed);
                self.answer(Answer::new(StatusCode::ServiceUnavailable, "the server is stopping"));
            }
        }
    }
}

/// Whether an FLV player knows what to do with `frame`.
fn is_flv(frame: &Frame) -> bool {
    !frame.payload.is_empty() && frame.class != FrameClass::Supplement && frame.track == TrackId(0)
}

/// What to do after a step.
enum Step {
    Event(HttpEvent),
    /// Take the next step with what is left of the input.
    Again,
    /// Nothing more can be done with this input.
    NeedInput,
}

/// The [work] that is behind an item.
fn work_of(item: &FlvItem) -> u64 {
    work::MESSAGE
        + match item {
            FlvItem::Frame(frame) if frame.kind == FrameKind::Data => frame.payload.len() as u64,
            _ => 0,
        }
}

impl HttpSession {
    fn step(&mut self, input: &mut &[u8]) -> Result<Step, HttpError> {
        let offered = input.len();
        match &mut self.state {
            State::Reading(head) => {
                let request = head.read(input, &self.config)?;
                self.work += (offered - input.len()) as u64;
                Ok(match request {
                    Some(request) => self.handle_request(request),
                    None => Step::NeedInput,
                })
            }
            State::Requested { .. } => Ok(Step::NeedInput),
            State::Playing(player) if player.envelope == Envelope::Message => self.read_websocket(input),
            State::Playing(player) => {
                if player.keep_alive {
                    player.is_pipelined |= !input.is_empty();
                } else {
                    *input = &[];
                }
                Ok(Step::NeedInput)
            }
            State::Publishing(_) => self.read_content(input),
            State::Closing | State::Closed => {
                *input = &[];
                Ok(Step::NeedInput)
            }
        }
    }

    fn handle_request(&mut self, mut request: RequestHead) -> Step {
        self.timers.clear(Timer::Command);
        self.access = mem::take(&mut request.access);
        if request.method == Method::Options {
            let keep_alive = self.may_be_followed(&request);
            response::write_preflight(&request.preflight, &self.access, keep_alive, &mut self.output);
            self.finish(keep_alive);
            return Step::Event(HttpEvent::Answered);
        }
        let key = match request.method {
            Method::Other => Err(HttpError::MethodNotAllowed),
            method if !self.access.allows(method) => Err(HttpError::ForeignOrigin(ForeignOrigin::of(&request.fields))),
            _ => StreamKey::from_path(&mem::take(&mut request.path)).map_err(HttpError::from),
        };
        let key = match key {
            Ok(key) => key,
            Err(error) => {
                let status = error.status().unwrap_or(StatusCode::BadRequest);
                self.answer_request(&request, Answer::new(status, &error.to_string()));
                return Step::Event(HttpEvent::Refused(error));
            }
        };
        let target = Box::new(Target {
            key,
            query: mem::take(&mut request.query),
        });
        let undecoded = mem::take(&mut request.undecoded_path)
            .and_then(|path| StreamKey::from_path(&path).ok())
            .filter(|key| *key != target.key);
        let id = self.last_request.next();
        self.last_request = id;
        let fields = mem::take(&mut request.fields);
        let event = if request.method.is_push() {
            HttpEvent::PublishRequested { id, target, fields }
        } else {
            HttpEvent::PlayRequested {
                id,
                target,
                undecoded,
                transport: request.transport(),
                head_only: request.method == Method::Head,
                fields,
            }
        };
        self.state = State::Requested {
            id,
            request: Box::new(request),
        };
        Step::Event(event)
    }

    fn read_websocket(&mut self, input: &mut &[u8]) -> Result<Step, HttpError> {
        let has_room = self.has_room();
        let State::Playing(player) = &mut self.state else {
            return Ok(Step::Again);
        };
        let offered = input.len();
        let received = player.websocket.read(input)?;
        self.work += (offered - input.len()) as u64;
        match received {
            None => Ok(Step::NeedInput),
            Some(Received::Ping(payload)) => {
                // A peer that sends pings and reads nothing gets no pong; RFC 6455 §5.5.3 asks for the latest one only.
                if has_room {
                    websocket::write_control(Opcode::Pong, payload, &mut self.output);
                    self.watch_output();
                }
                Ok(Step::Again)
            }
            Some(Received::Close(code)) => {
                websocket::write_close(code, &mut self.output);
                self.end(EndCause::Requested);
                self.start_closing();
                Ok(Step::Again)
            }
        }
    }

    fn read_content(&mut self, input: &mut &[u8]) -> Result<Step, HttpError> {
        if !input.is_empty() {
            self.heard = self.now;
        }
        let State::Publishing(publisher) = &mut self.state else {
            return Ok(Step::Again);
        };
        let offered = input.len();
        let content = publisher.body.peek(input)?;
        self.work += (offered - input.len()) as u64;
        match content {
            Content::NeedMore => Ok(Step::NeedInput),
            Content::Data(data) => {
                let mut rest = data;
                let item = publisher.flv.handle_input(&mut rest)?;
                publisher.body.consume(data.len() - rest.len(), input);
                self.work += item.as_ref().map_or(0, work_of);
                Ok(match item {
                    Some(FlvItem::Frame(frame)) => {
                        publisher.has_frames = true;
                        Step::Event(HttpEvent::Frame(frame))
                    }
                    Some(FlvItem::MetadataCleared) => Step::Event(HttpEvent::MetadataCleared),
                    Some(FlvItem::Skipped { tag_type }) => Step::Event(HttpEvent::TagSkipped { tag_type }),
                    Some(FlvItem::Header(_)) | None => Step::Again,
                })
            }
            Content::End if !publisher.flv.is_at_tag_border() => Err(HttpError::TruncatedTag),
            Content::End if !publisher.has_frames => Err(HttpError::NoTags),
            Content::End => {
                let keep_alive = publisher.keep_alive && self.has_room();
                self.end(EndCause::Requested);
                self.answer(Answer {
                    keep_alive,
                    ..Answer::new(StatusCode::Ok, "")
                });
                Ok(Step::Again)
            }
        }
    }

    fn fire(&mut self, timer: Timer) -> Option<HttpEvent> {
        match timer {
            // Nothing was asked, so nothing is answered.
            Timer::Command if matches!(&self.state, State::Reading(head) if head.is_empty()) => {
                self.start_closing();
            }
            // It is not moved for each byte that comes in, so that the deadline holds still while media flows.
            Timer::Idle if self.heard + self.idle_span() > self.now => {
                self.timers.set(timer, self.heard + self.idle_span());
            }
            Timer::Command | Timer::Idle => return self.refuse(HttpError::Timeout(timer)),
            Timer::Ping => {
                if self.has_room() {
                    websocket::write_control(Opcode::Ping, &[], &mut self.output);
                    self.watch_output();
                }
                self.timers.set(timer, self.now + self.config.limits.ping_interval);
            }
            Timer::Stall if self.stall.look(&self.output) => {
                self.output.clear();
                return self.refuse(HttpError::Timeout(timer));
            }
            Timer::Stall if self.output.is_empty() => {}
            Timer::Stall => self.watch_output(),
            Timer::Close => {
                self.output.clear();
                self.state = State::Closed;
            }
            Timer::Handshake => {}
        }
        None
    }

    /// Starts the stall timer if it stands; call it when something was written. It runs while there is output, so that a
    /// connection without any has no such deadline.
    fn watch_output(&mut self) {
        if !self.timers.is_set(Timer::Stall) {
            let interval = StallWatch::interval(&self.config.limits);
            self.timers.set(Timer::Stall, self.now + interval);
        }
    }

    /// How long a publisher may be silent: less before its first frame, when it holds up nobody but itself.
    fn idle_span(&self) -> Duration {
        match &self.state {
            State::Publishing(publisher) if !publisher.has_frames => self.config.limits.command_timeout,
            _ => self.config.limits.idle_timeout,
        }
    }

    fn advance_clock(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// The end that is still to be told; after it the failure, again and again.
    fn take_outcome(&mut self) -> Result<Option<HttpEvent>, HttpError> {
        match (self.ended.take(), &self.failure) {
            (Some(event), _) => Ok(Some(event)),
            (None, Some(error)) => Err(error.clone()),
            (None, None) => Ok(None),
        }
    }

    fn take_request(&mut self, id: RequestId, fits: impl Fn(Method) -> bool) -> Result<Box<RequestHead>, StateError> {
        match mem::replace(&mut self.state, State::Closed) {
            State::Requested { id: waiting, request } if waiting == id && fits(request.method) => Ok(request),
            other => {
                self.state = other;
                Err(StateError::StaleRequest)
            }
        }
    }

    /// Whether another request may follow one whose content, if any, is not read. A peer that sends requests and reads
    /// no answers may send no more of them.
    fn may_be_followed(&self, request: &RequestHead) -> bool {
        request.keep_alive && request.body == Body::EMPTY && self.has_room()
    }

    fn has_room(&self) -> bool {
        self.output.len() < self.config.limits.output_high_water
    }

    /// Notes that what is going on has ended.
    fn end(&mut self, cause: EndCause) {
        let is_push = match &self.state {
            State::Requested { request, .. } => request.method.is_push(),
            State::Playing(_) => false,
            State::Publishing(_) => true,
            State::Reading(_) | State::Closing | State::Closed => return,
        };
        self.ended = Some(if is_push {
            HttpEvent::PublishEnded { cause }
        } else {
            HttpEvent::PlayEnded { cause }
        });
    }

    /// Ends the connection because of what the peer did. An event if it could be told so.
    fn refuse(&mut self, error: HttpError) -> Option<HttpEvent> {
        self.end(match error {
            HttpError::Timeout(timer) => EndCause::Timeout(timer),
            _ => EndCause::ProtocolError,
        });
        if let HttpError::WebSocket(error) = &error {
            websocket::write_close(error.close_code(), &mut self.output);
            self.start_closing();
        } else if let Some(status) = error.status() {
            self.answer(Answer::new(status, &error.to_string()));
        } else {
            self.start_closing();
            self.failure = Some(error);
            return None;
        }
        Some(HttpEvent::Refused(error))
    }

    /// Answers a request whose content, if any, was not read.
    fn answer_request(&mut self, request: &RequestHead, answer: Answer<'_>) {
        let answer = Answer {
            head_only: request.method == Method::Head,
            keep_alive: self.may_be_followed(request),
            ..answer
        };
        self.answer(answer);
    }

    fn answer(&mut self, answer: Answer<'_>) {
        answer.write(&self.access, &mut self.output);
        self.finish(answer.keep_alive);
    }

    /// The response is written: the next request, or the end.
    fn finish(&mut self, keep_alive: bool) {
        if keep_alive {
            self.read_request();
            self.watch_output();
        } else {
            self.start_closing();
        }
    }

    fn read_request(&mut self) {
        self.state = State::Reading(HeadReader::default());
        self.access = Access::default();
        self.timers.clear(Timer::Idle);
        self.timers
            .set(Timer::Command, self.now + self.config.limits.command_timeout);
    }

    fn start_closing(&mut self) {
        self.state = State::Closing;
        self.timers.clear_all();
        self.timers
            .set(Timer::Close, self.now + self.config.limits.close_timeout);
    }
}
