//! The server's side of an HTTP connection.

mod content;
mod play;
mod publish;
mod request;
mod respond;

use super::HttpError;
use super::body::Body;
use super::config::{HttpConfig, Refusals};
use super::event::{HttpEvent, Transport};
use super::head::{Framing, HeadReader};
use super::origin::Access;
use super::response::{Answer, Envelope, Persistence, StatusCode};
use super::websocket::{self, Opcode};
#[cfg(feature = "server")]
use crate::media::MEDIA_HEAD;
use crate::timers::{SilenceWatch, StallWatch, Timers};
use crate::{EndCause, Output, RequestId, StateError, Time, Timer};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use content::Collector;
use core::time::Duration;
use play::Player;
use publish::{Publisher, Source};
use respond::Responder;

/// One HTTP connection, seen from the server: requests one after the other, each of which its owner answers.
///
/// ```text
///                   ┌─────────────── respond, reject ───────────────────────────────┐
///                   │                                                               ▼
///   reading ──▶ requested ── accept_play, start_play ──▶ playing ── end_play ──▶ reading
///                ▲  │ └───── accept_publish ──▶ publishing ── end of body ─────────▶│
///                │  └─ read_body ─▶ collecting
///                └───── Body ───────────┘
/// ```
///
/// A response whose content comes piece by piece is the last of its connection:
/// `requested ── start_response ──▶ responding ── end_response ──▶ closing`.
///
/// Instead of reading the next request, it closes where HTTP/1.0 without `Connection: keep-alive`, `Connection: close`, a
/// WebSocket, or content that was not read leaves no other way, and behind the last request that one connection
/// [may make](crate::Limits::max_http_requests). Between two requests it waits for
/// [`keep_alive_timeout`](crate::Limits::keep_alive_timeout).
///
/// After any call that takes `&mut self`, take events until `Ok(None)`, flush the output, then read the deadline.
///
/// It knows how HTTP is spoken, not what is there: which paths there are, what they can be asked, and by which web pages, is
/// its owner's to say. It answers on its own only what nobody can serve: broken requests, and those that take too long.
/// Requests that are pipelined behind one under way stay with the caller.
///
/// Memory: some 400 bytes and the [`Output`] while playing; up to [`max_http_head`](crate::Limits::max_http_head) more
/// while a head arrives, the tag under way while publishing, up to twice what [`read_body`](Self::read_body) allows while
/// content comes in.
#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct HttpSession {
    #[cfg_attr(feature = "server", serde(skip))]
    config: Arc<HttpConfig>,
    now: Time,
    /// Of a publisher.
    silence: SilenceWatch,
    timers: Timers,
    stall: StallWatch,
    state: State,
    /// How what was going on ended; told before anything else happens.
    #[cfg_attr(feature = "server", serde(skip))]
    ended: Option<HttpEvent>,
    /// What ended the connection without an answer.
    #[cfg_attr(feature = "server", serde(skip))]
    failure: Option<HttpError>,
    last_request: RequestId,
    /// What the request under way may do.
    access: Access,
    /// The [work](crate::work) that the input has made.
    work: u64,
    output: Output,
}

#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
enum State {
    /// Between requests, or inside a head.
    Reading(HeadReader),
    /// A request waits for its answer; the caller has its head.
    #[cfg_attr(feature = "server", serde(skip))]
    Requested {
        id: RequestId,
        framing: Framing,
    },
    /// The content of a request comes in.
    #[cfg_attr(feature = "server", serde(skip))]
    Collecting(Box<Collector>),
    Playing(Player),
    Publishing(Box<Publisher>),
    /// The content of a response goes out piece by piece.
    #[cfg_attr(feature = "server", serde(skip))]
    Responding(Responder),
    /// Only output is left.
    Closing,
    Closed,
}

impl HttpSession {
    /// A session at the start of a connection that was accepted at `now`.
    #[must_use]
    pub fn new(config: Arc<HttpConfig>, now: Time) -> Self {
        let mut session = HttpSession {
            config,
            now,
            silence: SilenceWatch::new(now),
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
    /// A play by plain HTTP goes on, and so does a response: the peer may have closed only its sending side, and if it is gone
    /// altogether, the next write says so. Anything else ends; what is in the output may still be sent.
    ///
    /// # Errors
    /// As [`handle_input`](Self::handle_input).
    pub fn handle_eof(&mut self, now: Time) -> Result<Option<HttpEvent>, HttpError> {
        self.advance_clock(now);
        if let Some(event) = self.take_outcome()? {
            return Ok(Some(event));
        }
        match &mut self.state {
            State::Responding(_) | State::Closing | State::Closed => {}
            State::Playing(player) if player.envelope != Envelope::Message => player.persistence = Persistence::Close,
            State::Requested { framing, .. } if framing.websocket.is_none() && !framing.awaits_content() => {
                framing.persistence = Persistence::Close;
            }
            State::Publishing(publisher)
                if matches!(publisher.source, Source::Content(Body::UntilClose))
                    && publisher.flv.is_at_tag_border() =>
            {
                if !publisher.has_frames {
                    return Ok(self.refuse(HttpError::NoTags));
                }
                self.end(EndCause::Eof);
                self.answer(Answer::new(StatusCode::Ok, ""));
            }
            State::Reading(_)
            | State::Requested { .. }
            | State::Collecting(_)
            | State::Playing(_)
            | State::Publishing(_) => {
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

    /// Whether nothing is under way that [the state](crate::server::record) would leave out.
    #[cfg(feature = "server")]
    pub(crate) fn is_at_rest(&self) -> bool {
        let is_at_border = match &self.state {
            State::Reading(head) => head.is_empty(),
            State::Playing(player) => player.is_at_rest(),
            State::Publishing(publisher) => publisher.flv.is_at_tag_border() && publisher.source.is_at_rest(),
            State::Requested { .. } | State::Collecting(_) | State::Responding(_) | State::Closing | State::Closed => {
                false
            }
        };
        is_at_border && self.ended.is_none() && self.failure.is_none()
    }

    /// Whether the next byte is of sound or pictures, behind the head of their tag.
    #[cfg(feature = "server")]
    pub(crate) fn is_in_media(&self) -> bool {
        match &self.state {
            State::Publishing(publisher) => {
                publisher.source.is_in_content() && publisher.flv.media_under_way() >= MEDIA_HEAD
            }
            _ => false,
        }
    }

    /// Goes on with `config`, of which a restored session has none yet.
    #[cfg(feature = "server")]
    pub(crate) fn set_config(&mut self, config: Arc<HttpConfig>) {
        self.config = config;
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
            Timer::Command if self.is_idle() => self.has_room(),
            Timer::Handshake | Timer::Command => true,
            Timer::Idle => self.silence.is_over(now, self.idle_span(), self.media_under_way()),
            Timer::Stall => !self.output.is_empty(),
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

    /// How the tags of the play or publish travel that goes on or is asked for. A WebSocket stays one until it is closing.
    #[must_use]
    pub fn transport(&self) -> Transport {
        match &self.state {
            State::Requested { framing, .. } => framing.transport(),
            State::Playing(player) if player.envelope == Envelope::Message => Transport::WebSocket,
            State::Publishing(publisher) if publisher.source.is_websocket() => Transport::WebSocket,
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

    /// Bytes of memory held, but for the output: see [`Output::held_memory`].
    #[must_use]
    pub fn held_memory(&self) -> usize {
        size_of::<Self>()
            + match &self.state {
                State::Reading(head) => head.held_memory(),
                State::Collecting(collector) => size_of::<Collector>() + collector.held_memory(),
                State::Publishing(publisher) => size_of::<Publisher>() + publisher.flv.held_memory(),
                State::Requested { .. } | State::Playing(_) | State::Responding(_) | State::Closing | State::Closed => {
                    0
                }
            }
    }

    /// Closes the connection in good order, as when the server stops: a play ends as with [`end_play`](Self::end_play),
    /// one that publishes or waits is told `503`. Does nothing to a session that is closing.
    pub fn close(&mut self, now: Time) {
        self.advance_clock(now);
        match &mut self.state {
            State::Closing | State::Closed => {}
            State::Reading(_) => self.start_closing(),
            State::Responding(_) => {
                self.end(EndCause::Closed);
                let _: Result<(), StateError> = self.end_response(now);
            }
            State::Playing(player) => {
                player.persistence = Persistence::Close;
                let _: Result<(), StateError> = self.end_play(now, EndCause::Closed);
            }
            State::Requested { .. } | State::Collecting(_) | State::Publishing(_) => {
                self.end(EndCause::Closed);
                self.answer(Answer::new(StatusCode::ServiceUnavailable, "the server is stopping"));
            }
        }
    }
}

/// What to do after a step.
enum Step {
    Event(HttpEvent),
    /// Take the next step with what is left of the input.
    Again,
    /// Nothing more can be done with this input.
    NeedInput,
}

impl HttpSession {
    fn step(&mut self, input: &mut &[u8]) -> Result<Step, HttpError> {
        let offered = input.len();
        match &mut self.state {
            State::Reading(head) => {
                let was_empty = head.is_empty();
                let request = head.read(input, &self.config)?;
                let begins = was_empty && !head.is_empty();
                self.work += (offered - input.len()) as u64;
                // The first has to be here soon after its connection. The others have that time from their first byte.
                if begins && self.last_request != RequestId::NONE {
                    self.timers
                        .set(Timer::Command, self.now + self.config.limits.command_timeout);
                }
                Ok(match request {
                    Some(request) => self.handle_request(request),
                    None => Step::NeedInput,
                })
            }
            State::Requested { .. } => Ok(Step::NeedInput),
            State::Collecting(_) => self.collect(input),
            State::Playing(player) if player.envelope == Envelope::Message => self.read_websocket(input),
            State::Playing(player) => {
                if player.persistence.is_open() {
                    player.is_pipelined |= !input.is_empty();
                } else {
                    *input = &[];
                }
                Ok(Step::NeedInput)
            }
            State::Publishing(_) => self.read_content(input),
            State::Responding(_) | State::Closing | State::Closed => {
                *input = &[];
                Ok(Step::NeedInput)
            }
        }
    }

    fn fire(&mut self, timer: Timer) -> Option<HttpEvent> {
        match timer {
            // A large response is still on its way, watched by another timer.
            Timer::Command if self.is_idle() && !self.has_room() => {
                self.timers.set(timer, self.now + self.config.limits.command_timeout);
            }
            // Nothing was asked, so nothing is answered.
            Timer::Command if self.is_idle() => {
                self.start_closing();
            }
            // It is not moved for each frame that comes in, so that the deadline holds still while media flows.
            Timer::Idle => {
                let (span, under_way) = (self.idle_span(), self.media_under_way());
                match self.silence.look(self.now, span, under_way) {
                    Some(due) => self.timers.set(timer, due),
                    None => return self.refuse(HttpError::Timeout(timer)),
                }
            }
            Timer::Command => return self.refuse(HttpError::Timeout(timer)),
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

    /// Bytes of a publisher's unfinished frame.
    fn media_under_way(&self) -> usize {
        match &self.state {
            State::Publishing(publisher) => publisher.flv.media_under_way(),
            _ => 0,
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

    /// Whether nothing of a request has come.
    fn is_idle(&self) -> bool {
        matches!(&self.state, State::Reading(head) if head.is_empty())
    }

    fn has_room(&self) -> bool {
        self.output.len() < self.config.limits.output_high_water
    }

    /// Notes that what is going on has ended.
    fn end(&mut self, cause: EndCause) {
        self.ended = Some(match &self.state {
            State::Requested { id, .. } => HttpEvent::RequestEnded { id: *id, cause },
            State::Collecting(collector) => HttpEvent::RequestEnded {
                id: collector.id,
                cause,
            },
            State::Responding(responder) => HttpEvent::RequestEnded {
                id: responder.id,
                cause,
            },
            State::Playing(_) => HttpEvent::PlayEnded { cause },
            State::Publishing(_) => HttpEvent::PublishEnded { cause },
            State::Reading(_) | State::Closing | State::Closed => return,
        });
    }

    /// Ends the connection because of what the peer did. An event if it could be told so.
    fn refuse(&mut self, error: HttpError) -> Option<HttpEvent> {
        self.end(match error {
            HttpError::Timeout(timer) => EndCause::Timeout(timer),
            _ => EndCause::ProtocolError,
        });
        if let HttpError::WebSocket(error) = &error {
            let reason = match &self.state {
                State::Publishing(_) => error.to_string(),
                _ => String::new(),
            };
            websocket::write_close(error.close_code(), &reason, &mut self.output);
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

    fn answer(&mut self, answer: Answer<'_>) {
        if matches!(&self.state, State::Publishing(publisher) if publisher.source.is_websocket()) {
            let code = websocket::APPLICATION.saturating_add(answer.status.as_u16());
            websocket::write_close(code, answer.text, &mut self.output);
            self.start_closing();
            return;
        }
        match self.config.refusals {
            Refusals::Text => answer.write(&self.access, &mut self.output),
            Refusals::Json => answer
                .to_json()
                .write(answer.head_only, answer.persistence, &mut self.output),
        }
        self.finish(answer.persistence);
    }

    /// The response is written: the next request, or the end.
    fn finish(&mut self, persistence: Persistence) {
        if persistence.is_open() {
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
        let limits = &self.config.limits;
        let span = if self.last_request == RequestId::NONE {
            limits.command_timeout
        } else {
            limits.keep_alive_timeout
        };
        self.timers.set(Timer::Command, self.now + span);
    }

    fn start_closing(&mut self) {
        self.state = State::Closing;
        self.timers.clear_all();
        self.timers
            .set(Timer::Close, self.now + self.config.limits.close_timeout);
    }
}
