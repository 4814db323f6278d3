//! The client's side of the conversation.

use super::link::Link;
use super::machine::{Machine, Reports};
use super::state::ClientState;
use super::{Anomaly, Level, ProtocolError, SessionConfig, SessionStats, StatusCode, calls};
use crate::amf::{AmfLimits, amf0};
use crate::media::Content;
use crate::rtmp::chunk::{Message, MessageStreamId, MessageTypeId};
use crate::rtmp::handshake::ClientHandshake;
use crate::rtmp::message::{self, Command, Control, UserControl};
use crate::{EndCause, Frame, FrameClass, Output, StateError, Time, Timer};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;

/// One RTMP connection to a server, to publish one stream or to play one.
///
/// It asks for what [`ClientRequest`] says as soon as the server lets it, and works as
/// [`ServerSession`](super::ServerSession) does otherwise. Its last event is [`ClientEvent::Refused`] or
/// [`ClientEvent::Ended`], and there is exactly one of them.
#[derive(Debug)]
pub struct ClientSession {
    config: Arc<SessionConfig>,
    request: ClientRequest,
    state: ClientState,
    /// Gone once it is done.
    handshake: Option<ClientHandshake>,
    link: Link,
    /// What the server answered to `createStream`.
    stream: MessageStreamId,
    reports: Reports<ClientEvent>,
}

/// What a client connects for: made of a URL by [`publish`](Self::publish) and [`play`](Self::play), or of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRequest {
    /// To publish or to play.
    pub purpose: Purpose,
    /// The application, as `connect` says it.
    pub app: Box<str>,
    /// The URL up to the application, without credentials, as in `rtmp://host/live`.
    pub tc_url: Box<str>,
    /// The name of the stream, a query included.
    pub name: Box<str>,
}

/// What a client wants of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To send it.
    Publish,
    /// To get it.
    Play,
}

/// What a client's session reports.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The server agreed: frames can be sent, or will come.
    Started,
    /// A frame of the stream that is played.
    Frame(Frame),
    /// The metadata so far no longer holds.
    MetadataCleared,
    /// The server did not agree. The session is closing.
    Refused {
        /// The status code, which may be any text.
        code: Box<str>,
        /// The server's words.
        description: Box<str>,
    },
    /// It is over. The session is closing.
    Ended(EndCause),
    /// A ping came back.
    PongReceived {
        /// The time since it was queued.
        round_trip: Duration,
    },
    /// An anomaly: it changes nothing.
    Anomaly(Anomaly),
}

impl ClientSession {
    /// A session on a connection that was made at `now`. The output holds the start of the handshake already; `seed`
    /// becomes its random bytes.
    #[must_use]
    pub fn new(config: Arc<SessionConfig>, now: Time, seed: u64, request: ClientRequest) -> Self {
        let mut link = Link::new(&config, now);
        link.start(Timer::Handshake, config.limits.handshake_timeout);
        let mut handshake = ClientHandshake::new(seed);
        handshake.start(&mut link.output);
        ClientSession {
            request,
            state: ClientState::Handshaking,
            handshake: Some(handshake),
            link,
            stream: MessageStreamId::CONTROL,
            reports: Reports::new(),
            config,
        }
    }

    /// Consumes from the front of `input`, stopping after the first event. `Ok(None)` means that all of `input` was
    /// taken.
    ///
    /// # Errors
    /// [`ProtocolError`] once the peer broke the protocol; as
    /// [`ServerSession::handle_input`](super::ServerSession::handle_input).
    pub fn handle_input(&mut self, now: Time, input: &mut &[u8]) -> Result<Option<ClientEvent>, ProtocolError> {
        self.step_input(now, input)
    }

    /// The peer will send no more. Call it until `Ok(None)`, after all input.
    ///
    /// # Errors
    /// None; the result has the form of [`handle_input`](Self::handle_input).
    pub fn handle_eof(&mut self, now: Time) -> Result<Option<ClientEvent>, ProtocolError> {
        Ok(self.step_eof(now))
    }

    /// Does what is due at `now`. Call it until `Ok(None)`, not before [`poll_timeout`](Self::poll_timeout).
    ///
    /// # Errors
    /// [`ProtocolError::Timeout`] if the peer let a deadline pass.
    pub fn handle_timeout(&mut self, now: Time) -> Result<Option<ClientEvent>, ProtocolError> {
        self.step_timeout(now)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). O(1), and it holds still while media flows.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Time> {
        match self.link.timers.first() {
            Some((at, _)) => Some(at),
            None => None,
        }
    }

    /// What that deadline is about.
    #[must_use]
    pub const fn next_timer(&self) -> Option<Timer> {
        match self.link.timers.first() {
            Some((_, timer)) => Some(timer),
            None => None,
        }
    }

    /// Sends `frame`. Metadata is sent as an order to keep it (`@setDataFrame`), which copies it; other frames cost what
    /// they cost a server.
    ///
    /// # Errors
    /// [`StateError::NotPublishing`] before [`ClientEvent::Started`], after the end and when playing;
    /// [`StateError::OutputFull`], [`StateError::FrameTooLarge`]. Nothing is sent then.
    pub fn send_frame(&mut self, frame: &Frame) -> Result<(), StateError> {
        if self.request.purpose != Purpose::Publish || self.state != ClientState::Started {
            return Err(StateError::NotPublishing);
        }
        if frame.class == FrameClass::Metadata {
            let payload = calls::set_data_frame(&frame.payload);
            let frame = Frame {
                payload,
                ..frame.clone()
            };
            return self.link.send_frame(self.stream, (&frame).into());
        }
        self.link.send_frame(self.stream, frame.into())
    }

    /// Stops publishing or playing, and closes the connection once the server was told.
    pub fn close(&mut self, now: Time) {
        self.link.tick(now);
        self.finish(ClientEvent::Ended(EndCause::Closed));
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
        let is_silent = self.state == ClientState::Closed || self.link.output.is_empty();
        self.is_closing() && is_silent && self.reports.events.is_empty()
    }

    /// Whether more frames should be sent: the server agreed, and less output waits than
    /// [`Limits::output_high_water`](crate::Limits::output_high_water).
    #[must_use]
    pub fn can_send(&self) -> bool {
        self.state == ClientState::Started && self.link.output.len() < self.config.limits.output_high_water
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

    /// What has been done so far. O(1).
    #[must_use]
    pub const fn stats(&self) -> SessionStats {
        SessionStats {
            bytes_received: self.link.bytes_received,
            bytes_sent: self.link.output.sent(),
            anomalies: self.reports.anomalies,
        }
    }

    fn handle_media(&mut self, message: Message) -> ClientEvent {
        if self.request.purpose != Purpose::Play || self.state != ClientState::Started {
            return self.note_anomaly(Anomaly::UnexpectedMedia);
        }
        match message::content(message, &self.config.limits) {
            Content::Frame(frame) => ClientEvent::Frame(frame),
            Content::MetadataCleared => ClientEvent::MetadataCleared,
            Content::Nothing => self.note_anomaly(Anomaly::UnusableMedia),
        }
    }

    /// Follows the server's answers; each state waits for one. What servers send besides is skipped.
    fn handle_command(&mut self, mut command: Command<'_>) {
        match (self.state, command.name) {
            (ClientState::Connecting, b"_result") if command.transaction_id == calls::CONNECT => self.create_stream(),
            (ClientState::Creating, b"_result") if command.transaction_id == calls::CREATE_STREAM => {
                let _command_object = command.arguments.value_ref();
                match command.arguments.number() {
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
                    Ok(Some(id)) => self.start_stream(MessageStreamId(id as u32)),
                    _ => self.note(Anomaly::MalformedCommand),
                }
            }
            (ClientState::Connecting, b"_error") if command.transaction_id == calls::CONNECT => {
                self.refused(command.arguments);
            }
            (ClientState::Creating, b"_error") if command.transaction_id == calls::CREATE_STREAM => {
                self.refused(command.arguments);
            }
            (_, b"onStatus") => self.handle_status(command.arguments),
            (_, b"close") => self.finish(ClientEvent::Ended(EndCause::Requested)),
            _ => {}
        }
    }

    fn handle_status(&mut self, arguments: amf0::Reader<'_>) {
        let status = Info::parse(arguments.clone());
        let code = StatusCode::from_bytes(status.code);
        match code {
            Some(StatusCode::PublishStart | StatusCode::PlayStart | StatusCode::PlayPublishNotify)
                if self.state == ClientState::Starting =>
            {
                self.state = ClientState::Started;
                self.reports.events.push_back(ClientEvent::Started);
                self.restart_timers();
            }
            Some(StatusCode::PlayUnpublishNotify | StatusCode::PlayStop | StatusCode::PlayComplete) => {
                self.finish(ClientEvent::Ended(EndCause::Unpublished));
            }
            Some(StatusCode::UnpublishSuccess) => self.finish(ClientEvent::Ended(EndCause::Requested)),
            _ if status.level == Level::Error.as_str().as_bytes() => self.refused(arguments),
            _ => {}
        }
    }

    fn refused(&mut self, arguments: amf0::Reader<'_>) {
        let status = Info::parse(arguments);
        let text = |bytes| String::from_utf8_lossy(bytes).into();
        self.finish(ClientEvent::Refused {
            code: text(status.code),
            description: text(status.description),
        });
    }

    fn connect(&mut self) {
        self.state = ClientState::Connecting;
        self.link.set_chunk_size(&self.config);
        self.link.command(&calls::connect(&self.request));
        self.restart_timers();
    }

    /// Publishers go on as FMLE does, because some servers want to see that.
    fn create_stream(&mut self) {
        self.state = ClientState::Creating;
        match self.request.purpose {
            Purpose::Publish => {
                self.link.command(&calls::release_stream(&self.request.name));
                self.link.command(&calls::fc_publish(&self.request.name));
            }
            Purpose::Play => self.link.control(Control::WindowAckSize(self.config.window_ack_size)),
        }
        self.link.command(&calls::create_stream());
    }

    fn start_stream(&mut self, stream: MessageStreamId) {
        self.state = ClientState::Starting;
        self.stream = stream;
        match self.request.purpose {
            Purpose::Publish => self.link.stream_command(stream, &calls::publish(&self.request.name)),
            Purpose::Play => {
                self.link.stream_command(stream, &calls::play(&self.request.name));
                self.link
                    .user_control(UserControl::SetBufferLength { stream, millis: 3_000 });
            }
        }
    }

    fn restart_timers(&mut self) {
        let limits = &self.config.limits;
        for timer in [Timer::Handshake, Timer::Command, Timer::Idle] {
            self.link.timers.clear(timer);
        }
        match (self.state, self.request.purpose) {
            // A stream may be silent for long, but its server pings.
            (ClientState::Started, Purpose::Play) => {
                let span = limits.idle_timeout.saturating_add(limits.ping_interval);
                self.link.start(Timer::Idle, span);
            }
            (ClientState::Started, Purpose::Publish) => {}
            _ => self.link.start(Timer::Command, limits.command_timeout),
        }
    }

    /// Reports the end once, and begins to close.
    fn finish(&mut self, event: ClientEvent) {
        if self.is_closing() {
            return;
        }
        if matches!(self.state, ClientState::Starting | ClientState::Started) {
            if self.request.purpose == Purpose::Publish {
                self.link.command(&calls::fc_unpublish(&self.request.name));
            }
            self.link.command(&calls::delete_stream(self.stream));
        }
        self.reports.events.push_back(event);
        self.state = ClientState::Closing;
        self.handshake = None;
        self.link.timers.clear_all();
        self.link.start(Timer::Close, self.config.limits.close_timeout);
    }
}

impl Machine for ClientSession {
    type Event = ClientEvent;

    fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    fn reports(&mut self) -> &mut Reports<ClientEvent> {
        &mut self.reports
    }

    fn is_paused(&self) -> bool {
        false
    }

    fn is_closing(&self) -> bool {
        matches!(self.state, ClientState::Closing | ClientState::Closed)
    }

    fn handle_handshake(&mut self, input: &mut &[u8]) -> Result<bool, ProtocolError> {
        let Some(handshake) = &mut self.handshake else {
            return Ok(false);
        };
        if handshake.handle_input(input, &mut self.link.output)? {
            self.handshake = None;
            self.connect();
        }
        Ok(true)
    }

    fn handle_message(&mut self, message: Message) -> Result<Option<ClientEvent>, ProtocolError> {
        Ok(Some(match message.type_id {
            MessageTypeId::AUDIO | MessageTypeId::VIDEO | MessageTypeId::DATA_AMF0 | MessageTypeId::DATA_AMF3 => {
                self.handle_media(message)
            }
            MessageTypeId::COMMAND_AMF0 | MessageTypeId::COMMAND_AMF3 => {
                match Command::parse(&message, AmfLimits::from(&self.config.limits)) {
                    Ok(command) => {
                        self.handle_command(command);
                        return Ok(None);
                    }
                    Err(_) => self.note_anomaly(Anomaly::MalformedCommand),
                }
            }
            type_id => self.note_anomaly(Anomaly::UnknownMessage(type_id)),
        }))
    }

    fn handle_timer(&mut self, timer: Timer) -> Result<(), ProtocolError> {
        let limits = &self.config.limits;
        match timer {
            Timer::Handshake | Timer::Command => return Err(ProtocolError::Timeout(timer)),
            Timer::Idle => {
                let span = limits.idle_timeout.saturating_add(limits.ping_interval);
                self.link.check_idle(span)?;
            }
            Timer::Ping => {}
            Timer::Stall => self.link.check_stall()?,
            Timer::Close => {
                self.link.output.clear();
                self.state = ClientState::Closed;
            }
        }
        Ok(())
    }

    fn end(&mut self, cause: EndCause) {
        self.finish(ClientEvent::Ended(cause));
    }

    fn anomaly(anomaly: Anomaly) -> ClientEvent {
        ClientEvent::Anomaly(anomaly)
    }

    fn pong(round_trip: Duration) -> ClientEvent {
        ClientEvent::PongReceived { round_trip }
    }
}

/// The information object of a status, as another server wrote it.
#[derive(Debug, Default)]
struct Info<'a> {
    level: &'a [u8],
    code: &'a [u8],
    description: &'a [u8],
}

impl<'a> Info<'a> {
    /// Reads what follows the command object. What is missing is empty.
    fn parse(mut arguments: amf0::Reader<'a>) -> Self {
        let mut info = Info::default();
        let _command_object = arguments.value_ref();
        for pair in arguments.object().ok().flatten().into_iter().flatten() {
            let text = pair.value.as_bytes().unwrap_or_default();
            match pair.key {
                b"level" => info.level = text,
                b"code" => info.code = text,
                b"description" => info.description = text,
                _ => {}
            }
        }
        info
    }
}
