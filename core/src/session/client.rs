//! The client's side of the conversation.

use super::link::{Link, Received};
use super::media::Media;
use super::state::ClientState;
use super::{Anomaly, Level, ProtocolError, SessionConfig, SessionStats, StateError, StatusCode, calls};
use crate::amf::{AmfLimits, amf0};
use crate::chunk::{Message, MessageStreamId, MessageTypeId};
use crate::handshake::ClientHandshake;
use crate::message::aggregate::Parts;
use crate::message::{Command, Control, UserControl};
use crate::timers::StallWatch;
use crate::{EndCause, Frame, FrameClass, Output, Time, Timer};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
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
    events: VecDeque<ClientEvent>,
    aggregate: Option<Box<Parts>>,
    failure: Option<ProtocolError>,
    bytes_received: u64,
    anomalies: u64,
}

/// What a client connects for.
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

/// What happened on a client's connection.
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
    /// Something odd that changes nothing.
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
            events: VecDeque::new(),
            aggregate: None,
            failure: None,
            bytes_received: 0,
            anomalies: 0,
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
        self.link.tick(now);
        if !input.is_empty() {
            self.link.heard = self.link.now;
        }
        loop {
            if let Some(event) = self.next_event() {
                return Ok(Some(event));
            }
            if let Some(failure) = &self.failure {
                return Err(failure.clone());
            }
            if self.is_closing() {
                *input = &[];
            }
            if input.is_empty() && self.aggregate.is_none() {
                return Ok(None);
            }
            let offered = input.len();
            let result = self.read(input);
            self.bytes_received += (offered - input.len()) as u64;
            match result {
                Ok(None) => {}
                Ok(event) => return Ok(event),
                Err(error) => self.fail(error),
            }
        }
    }

    /// The peer will send no more. Call it until `Ok(None)`, after all input.
    ///
    /// # Errors
    /// None; the result has the form of [`handle_input`](Self::handle_input).
    pub fn handle_eof(&mut self, now: Time) -> Result<Option<ClientEvent>, ProtocolError> {
        self.link.tick(now);
        if let Some(event) = self.next_event() {
            return Ok(Some(event));
        }
        self.end(ClientEvent::Ended(EndCause::Eof));
        Ok(self.next_event())
    }

    /// Does what is due at `now`. Call it until `Ok(None)`, not before [`poll_timeout`](Self::poll_timeout).
    ///
    /// # Errors
    /// [`ProtocolError::Timeout`] if the peer let a deadline pass.
    pub fn handle_timeout(&mut self, now: Time) -> Result<Option<ClientEvent>, ProtocolError> {
        self.link.tick(now);
        while let Some(timer) = self.link.timers.take_due(self.link.now) {
            if let Err(error) = self.handle_timer(timer) {
                self.fail(error);
            }
        }
        if let Some(event) = self.next_event() {
            return Ok(Some(event));
        }
        self.failure.clone().map_or(Ok(None), Err)
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
        let limits = &self.config.limits;
        if frame.class == FrameClass::Metadata {
            let payload = calls::set_data_frame(&frame.payload);
            let frame = Frame {
                payload,
                ..frame.clone()
            };
            return self.link.send_frame(self.stream, &frame, limits);
        }
        self.link.send_frame(self.stream, frame, limits)
    }

    /// Stops publishing or playing, and closes the connection once the server was told.
    pub fn close(&mut self, now: Time) {
        self.link.tick(now);
        self.end(ClientEvent::Ended(EndCause::Closed));
    }

    /// Whether the session is over: only output is left, if that. Input is discarded.
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        matches!(self.state, ClientState::Closing | ClientState::Closed)
    }

    /// Whether the connection can go: the session is closing and the output has left, or had its time.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        match self.state {
            ClientState::Closing => self.link.output.is_empty(),
            ClientState::Closed => true,
            _ => false,
        }
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
            bytes_received: self.bytes_received,
            bytes_sent: self.link.output.sent(),
            anomalies: self.anomalies,
        }
    }

    fn next_event(&mut self) -> Option<ClientEvent> {
        let event = self.events.pop_front();
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
        event
    }

    fn read(&mut self, input: &mut &[u8]) -> Result<Option<ClientEvent>, ProtocolError> {
        if let Some(aggregate) = &mut self.aggregate {
            return Ok(match aggregate.next() {
                Some(part) => self.handle_media(part),
                None => {
                    self.aggregate = None;
                    None
                }
            });
        }
        if let Some(handshake) = &mut self.handshake {
            if handshake.handle_input(input, &mut self.link.output)? {
                self.handshake = None;
                self.connect();
            }
            return Ok(None);
        }
        let received = self.link.receive(input)?;
        self.link.check_output(&self.config.limits)?;
        match received {
            Some(Received::Message(message)) => return Ok(self.handle_message(message)),
            Some(Received::Pong(round_trip)) => self.events.push_back(ClientEvent::PongReceived { round_trip }),
            Some(Received::PingFlood) => self.note(Anomaly::PingFlood),
            None => {}
        }
        Ok(None)
    }

    fn handle_message(&mut self, message: Message) -> Option<ClientEvent> {
        match message.type_id {
            MessageTypeId::AUDIO | MessageTypeId::VIDEO | MessageTypeId::DATA_AMF0 | MessageTypeId::DATA_AMF3 => {
                return self.handle_media(message);
            }
            MessageTypeId::COMMAND_AMF0 | MessageTypeId::COMMAND_AMF3 => {
                match Command::parse(&message, AmfLimits::from(&self.config.limits)) {
                    Ok(command) => self.handle_command(command),
                    Err(_) => self.note(Anomaly::MalformedCommand),
                }
            }
            MessageTypeId::AGGREGATE => self.aggregate = Some(Box::new(Parts::new(message))),
            type_id => self.note(Anomaly::UnknownMessage(type_id)),
        }
        None
    }

    fn handle_media(&mut self, message: Message) -> Option<ClientEvent> {
        if self.request.purpose != Purpose::Play || self.state != ClientState::Started {
            self.note(Anomaly::UnexpectedMedia);
            return None;
        }
        match Media::read(message, &self.config.limits) {
            Media::Frame(frame) => Some(ClientEvent::Frame(frame)),
            Media::MetadataCleared => Some(ClientEvent::MetadataCleared),
            Media::Nothing => {
                self.note(Anomaly::UnusableMedia);
                None
            }
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
            (_, b"close") => self.end(ClientEvent::Ended(EndCause::Requested)),
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
                self.events.push_back(ClientEvent::Started);
                self.restart_timers();
            }
            Some(StatusCode::PlayUnpublishNotify | StatusCode::PlayStop | StatusCode::PlayComplete) => {
                self.end(ClientEvent::Ended(EndCause::Unpublished));
            }
            Some(StatusCode::UnpublishSuccess) => self.end(ClientEvent::Ended(EndCause::Requested)),
            _ if status.level == Level::Error.as_str().as_bytes() => self.refused(arguments),
            _ => {}
        }
    }

    fn refused(&mut self, arguments: amf0::Reader<'_>) {
        let status = Info::parse(arguments);
        let text = |bytes| String::from_utf8_lossy(bytes).into();
        self.end(ClientEvent::Refused {
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

    fn handle_timer(&mut self, timer: Timer) -> Result<(), ProtocolError> {
        let limits = &self.config.limits;
        match timer {
            Timer::Handshake | Timer::Command => return Err(ProtocolError::Timeout(timer)),
            Timer::Idle => self.link.check_idle(limits)?,
            Timer::Ping => {}
            Timer::Stall => self.link.check_stall(limits)?,
            Timer::Close => {
                self.link.output.clear();
                self.state = ClientState::Closed;
            }
        }
        Ok(())
    }

    fn restart_timers(&mut self) {
        let limits = &self.config.limits;
        self.link.timers.clear_all();
        self.link.start(Timer::Stall, StallWatch::interval(limits));
        match (self.state, self.request.purpose) {
            (ClientState::Started, Purpose::Play) => self.link.start(Timer::Idle, limits.idle_timeout),
            (ClientState::Started, Purpose::Publish) => {}
            _ => self.link.start(Timer::Command, limits.command_timeout),
        }
    }

    fn note(&mut self, anomaly: Anomaly) {
        self.anomalies += 1;
        self.events.push_back(ClientEvent::Anomaly(anomaly));
    }

    fn fail(&mut self, error: ProtocolError) {
        let cause = match error {
            ProtocolError::Timeout(timer) => EndCause::Timeout(timer),
            _ => EndCause::ProtocolError,
        };
        self.failure.get_or_insert(error);
        self.end(ClientEvent::Ended(cause));
    }

    /// Reports the end once, and begins to close.
    fn end(&mut self, event: ClientEvent) {
        if self.is_closing() {
            return;
        }
        if matches!(self.state, ClientState::Starting | ClientState::Started) {
            if self.request.purpose == Purpose::Publish {
                self.link.command(&calls::fc_unpublish(&self.request.name));
            }
            self.link.command(&calls::delete_stream(self.stream));
        }
        self.events.push_back(event);
        self.state = ClientState::Closing;
        self.handshake = None;
        self.aggregate = None;
        self.link.timers.clear_all();
        self.link.start(Timer::Close, self.config.limits.close_timeout);
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
