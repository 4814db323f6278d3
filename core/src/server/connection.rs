//! One connection, whatever it speaks.

use super::authorize::Asking;
use super::event::{PUBLISHER_SILENCE, Peer};
use super::half_closed::HalfClosed;
use super::local::Local;
use super::question::{Denial, Intent};
use super::routes::from_http;
use super::shard::Epoch;
use super::work::WorkMeter;
use super::{ConnectionId, Protocol};
use crate::flv::TagFlags;
use crate::http::{HeaderFields, HttpConfig, HttpError, HttpSession, StatusCode as HttpStatus, Transport};
use crate::hub::{ChannelConfig, ChannelId, SubscriberId, Tracks};
use crate::rtmp::{
    Anomaly, Connect, Event, MessageStreamId, PlayControl, ProtocolError, ServerSession, SessionConfig, Status,
    StatusCode,
};
use crate::time::PerSecond;
use crate::{EndCause, Frame, FrameAt, Output, RequestId, StateError, StreamKey, Target, Time};
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

/// After how long a player that got 404 may ask again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// One connection and what it is doing.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) generation: u32,
    pub(super) peer: SocketAddr,
    pub(super) protocol: Session,
    /// One per publish or play; nearly always one.
    pub(super) roles: Vec<Role>,
    /// Whether input waits until a request is answered.
    pub(super) is_input_paused: bool,
    /// Input that came meanwhile. At most one read of the driver, or [`max_pipelined`](crate::Limits::max_pipelined).
    pub(super) pending_input: Vec<u8>,
    /// Some once the peer will send no more.
    pub(super) half_closed: Option<Box<HalfClosed>>,
    /// When its next deadline is armed for.
    pub(super) armed: Time,
    /// When it was accepted.
    pub(super) since: Time,
    pub(super) last_input: Time,
    pub(super) bytes_in: u64,
    pub(super) phase: Phase,
    /// Whether it is to be visited.
    pub(super) is_touched: bool,
    /// Looks into its socket since it is overdue. What the first has found is there at the next wake-up.
    pub(super) looks: u8,
    /// Whether `Action::Wake` is on its way.
    pub(super) is_waking: bool,
    /// Whether what it plays had more than its output had room for. If not, a wake will say when there is more.
    pub(super) may_have_more: bool,
    /// What the peer has said of itself, and what it asks for. In a box, because players by HTTP say nothing.
    pub(super) said: Option<Box<Said>>,
    /// Its requests to publish or play.
    pub(super) requests: PerSecond,
    /// What its input makes us do.
    pub(super) work: WorkMeter,
    /// Whether what it sends next may be read late.
    pub(super) may_wait: bool,
    /// Whether it was said that it publishes and sends nothing.
    pub(super) is_silent: bool,
    /// Whether its machine has given up; it says so again at every call.
    pub(super) has_failed: bool,
}

/// What a peer has said.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// What it says of itself: only its name, unless the world is asked about peers.
    pub(super) connect: Connect,
    /// The request that waits until the world has answered.
    pub(super) asking: Option<Asking>,
}

/// How far a connection has come towards its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Our side is shut down; what the peer still sends is thrown away until then.
    Lingering {
        until: Time,
    },
    /// `Action::Close` is on its way.
    Closed,
}

/// What a connection does on one of its message streams.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) stream: MessageStreamId,
    pub(super) channel: ChannelId,
    /// How long it may go on.
    pub(super) ends: Time,
    pub(super) activity: Activity,
}

#[derive(Debug)]
pub(super) enum Activity {
    /// Wants to publish, and sends nothing before it is answered: the stream's home has been asked.
    Requesting {
        request: RequestId,
    },
    /// May send, and has no name yet: its first frame will claim one.
    Admitted,
    /// Its first frame has come, and waits: the stream's home has been asked for the name. Nothing is read meanwhile.
    Claiming {
        first: Box<Frame>,
    },
    Publishing {
        epoch: Epoch,
    },
    /// Wants to play, and has no answer yet: the stream's home has been asked, or it waits for a publisher `until`.
    Seeking {
        request: RequestId,
        until: Option<Time>,
        wait: Duration,
        ask: PlayAsk,
        /// The stream with the name as it was typed, if that is another. It will do if only that is there.
        undecoded: Option<ChannelId>,
    },
    /// Plays. `until`: how long it still waits for a publisher.
    Playing {
        subscriber: SubscriberId,
        until: Option<Time>,
        has_started: bool,
        since: Time,
        /// Bytes that the connection had sent before.
        sent_before: u64,
        /// When it last missed something.
        lagged: Option<Time>,
    },
}

/// A peer wants to publish.
#[derive(Debug)]
pub(super) struct PublishRequest {
    pub(super) request: RequestId,
    pub(super) stream: MessageStreamId,
    pub(super) target: Box<Target>,
    /// Whether the peer waits for the answer before it sends.
    pub(super) waits: bool,
    /// What else an HTTP request says.
    pub(super) fields: HeaderFields,
}

/// A peer wants to play.
#[derive(Debug)]
pub(super) struct PlayRequest {
    pub(super) request: RequestId,
    pub(super) stream: MessageStreamId,
    pub(super) target: Box<Target>,
    /// The stream with the name as it was typed, if that is another.
    pub(super) undecoded: Option<StreamKey>,
    pub(super) ask: PlayAsk,
    /// What else an HTTP request says.
    pub(super) fields: HeaderFields,
}

/// How a play is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PlayAsk {
    /// Wants no frames, only to know whether there would be some.
    pub(super) head_only: bool,
    /// Must know the tracks before the first byte: its header names them.
    pub(super) needs_tracks: bool,
    /// Is accepted before its publisher is there. RTMP can say so, HTTP has one status line to say all.
    pub(super) waits_accepted: bool,
    /// How long frames may wait for others on their way to it, if it says so (`?merge=MILLISECONDS`).
    pub(super) merge: Option<Duration>,
}

/// What all sessions and channels of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) session: Arc<SessionConfig>,
    pub(super) http: Arc<HttpConfig>,
    pub(super) channel: Arc<ChannelConfig>,
}

/// RTMP, HTTP or the program itself, in the same words.
#[derive(Debug)]
pub(super) enum Session {
    Rtmp(Box<ServerSession>),
    Http(Box<HttpSession>),
    Local(Box<Local>),
}

/// What a session reports.
#[derive(Debug)]
pub(super) enum ProtocolEvent {
    /// An RTMP peer has said who it is, and is welcome.
    Connected(Box<Connect>),
    PublishRequested(PublishRequest),
    PlayRequested(PlayRequest),
    Frame {
        stream: MessageStreamId,
        frame: Frame,
    },
    MetadataCleared {
        stream: MessageStreamId,
    },
    PlayControl {
        stream: MessageStreamId,
        control: PlayControl,
    },
    PublishEnded {
        stream: MessageStreamId,
        cause: EndCause,
    },
    PlayEnded {
        stream: MessageStreamId,
        cause: EndCause,
    },
    /// The protocol machine has answered a request on its own.
    Answered,
    /// The protocol machine has turned the peer away on its own.
    Refused(Box<dyn core::error::Error>),
    /// An anomaly, for the debug log.
    Anomaly(Box<dyn core::fmt::Debug>),
    /// Nothing that the server acts on.
    Nothing,
}

impl ProtocolEvent {
    /// Whether the peer has asked for something that is answered.
    pub(super) const fn is_request(&self) -> bool {
        matches!(
            self,
            ProtocolEvent::PublishRequested(_)
                | ProtocolEvent::PlayRequested(_)
                | ProtocolEvent::Answered
                | ProtocolEvent::Refused(_)
        )
    }
}

/// Why a connection broke down.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Rtmp(#[from] ProtocolError),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("more than {max} requests in a second")]
    TooManyRequests { max: u32 },
    #[error("more than {max} bytes behind a request under way")]
    TooMuchPipelined { max: usize },
    #[error("connection reset")]
    Reset,
}

impl Failure {
    /// In the words for a publish or play that it ends.
    pub(super) fn cause(&self) -> EndCause {
        match self {
            Failure::Rtmp(ProtocolError::Timeout(timer)) => EndCause::Timeout(*timer),
            Failure::Http(HttpError::Timeout(timer)) => EndCause::Timeout(*timer),
            Failure::Rtmp(_)
            | Failure::Http(_)
            | Failure::TooManyRequests { .. }
            | Failure::TooMuchPipelined { .. } => EndCause::ProtocolError,
            Failure::Reset => EndCause::Eof,
        }
    }
}

/// Why a request is refused, or a publish ended by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The name has a publisher.
    Taken,
    /// Others contend for the name, as many as may.
    Contested,
    /// The name has had too many publishers of late, or the address too many names.
    TooOften,
    /// The name has another publisher now.
    Replaced,
    /// There is no such stream.
    Absent,
    /// Too many wait for it.
    Crowded,
    /// The publisher changes its sequence headers all the time.
    Flapping,
    /// It was allowed for a time that is over.
    Expired,
    /// An operator has ended it.
    Kicked,
    /// An operator keeps the peer, or everybody, from the stream for so long.
    Banned {
        left: Duration,
    },
    ShuttingDown,
}

/// Characters of what a peer calls itself that are kept. 128: names and versions are shorter.
const MAX_AGENT: usize = 128;

impl Connection {
    /// Its peer, for those who watch.
    pub(super) fn peer(&self, id: ConnectionId) -> Peer {
        Peer {
            connection: id,
            address: self.peer,
            protocol: self.protocol.kind(),
        }
    }

    /// Keeps what an HTTP peer calls itself.
    pub(super) fn note_agent(&mut self, agent: Option<&str>) {
        if let Some(agent) = agent {
            self.said.get_or_insert_default().connect.flash_ver = agent.into();
        }
    }

    /// What the peer calls itself, cut short.
    pub(super) fn agent(&self) -> Box<str> {
        let agent = self.said.as_ref().map_or("", |said| &said.connect.flash_ver);
        agent.chars().take(MAX_AGENT).collect()
    }

    pub(super) fn role(&mut self, stream: MessageStreamId) -> Option<&mut Role> {
        self.roles.iter_mut().find(|role| role.stream == stream)
    }

    /// Takes on one more role. It has memory for just what it has: a second is rare.
    pub(super) fn add_role(&mut self, role: Role) {
        self.roles.reserve_exact(1);
        self.roles.push(role);
    }

    /// Whether its first frame waits for a name.
    pub(super) fn is_claiming(&self) -> bool {
        let is_claiming = |role: &Role| matches!(role.activity, Activity::Claiming { .. });
        self.roles.iter().any(is_claiming)
    }

    /// Whether its input waits until a request is answered or a name is had.
    pub(super) fn is_paused(&self) -> bool {
        self.protocol.is_paused() || self.is_claiming()
    }

    /// Whether it may be read. While a request or a first frame waits too, once: a peer that has left is not to be waited for.
    pub(super) fn wants_input(&self) -> bool {
        match self.phase {
            Phase::Open => {
                let has_room = self.pending_input.is_empty() || self.reads_on();
                self.half_closed.is_none() && has_room
            }
            Phase::Lingering { .. } => true,
            Phase::Closed => false,
        }
    }

    /// Whether it is read on, up to a limit, though input waits. An HTTP request to play may wait for long, and a play keeps
    /// the next request waiting for as long as it goes on. An RTMP request is answered soon.
    pub(super) fn reads_on(&self) -> bool {
        let asks_to_publish = self.asking().is_some_and(|it| it.intent() == Intent::Publish);
        matches!(self.protocol, Session::Http(_)) && !self.is_claiming() && !asks_to_publish
    }

    /// When it has sent nothing for so long that it is worth a word, if it publishes.
    pub(super) fn silence_due(&self) -> Option<Time> {
        let is_publishing = |role: &Role| matches!(role.activity, Activity::Publishing { .. });
        let is_heard = !self.is_silent && self.roles.iter().any(is_publishing);
        is_heard.then(|| self.last_input + PUBLISHER_SILENCE)
    }

    /// When to look at it next. A loop, because it is asked after every frame to a player.
    pub(super) fn due(&self) -> Time {
        match self.phase {
            Phase::Open => {
                let never = |due: Option<Time>| due.unwrap_or(Time::NEVER);
                let mut due = never(self.protocol.poll_timeout());
                for role in &self.roles {
                    due = due.min(role.ends);
                    match role.activity {
                        Activity::Seeking { until, .. } | Activity::Playing { until, .. } => {
                            due = due.min(never(until))
                        }
                        Activity::Publishing { .. } if !self.is_silent => {
                            due = due.min(self.last_input + PUBLISHER_SILENCE)
                        }
                        Activity::Requesting { .. }
                        | Activity::Admitted
                        | Activity::Claiming { .. }
                        | Activity::Publishing { .. } => {}
                    }
                }
                if let Some(half_closed) = &self.half_closed {
                    due = due.min(half_closed.until);
                }
                if let Some(asking) = self.asking() {
                    due = due.min(asking.until);
                }
                due
            }
            Phase::Lingering { until } => until,
            Phase::Closed => Time::NEVER,
        }
    }
}

/// Does the same with whichever machine it is.
macro_rules! either {
    ($protocol:expr, $session:ident => $action:expr) => {
        match $protocol {
            Session::Rtmp($session) => $action,
            Session::Http($session) => $action,
            Session::Local($session) => $action,
        }
    };
}

impl Session {
    pub(super) fn new(protocol: Protocol, shared: &Shared, now: Time, seed: u64) -> Self {
        match protocol {
            Protocol::Rtmp => Session::Rtmp(Box::new(ServerSession::new(shared.session.clone(), now, seed))),
            Protocol::Http => Session::Http(Box::new(HttpSession::new(shared.http.clone(), now))),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.kind().as_str()
    }

    pub(super) fn kind(&self) -> super::Transport {
        match self {
            Session::Rtmp(_) => super::Transport::Rtmp,
            Session::Http(session) => match session.transport() {
                Transport::Http => super::Transport::Http,
                Transport::WebSocket => super::Transport::WebSocket,
            },
            Session::Local(_) => super::Transport::Local,
        }
    }

    /// Whether there is no socket, and nobody to wait for at the end.
    pub(super) const fn is_local(&self) -> bool {
        matches!(self, Session::Local(_))
    }

    pub(super) fn handle_input(&mut self, now: Time, input: &mut &[u8]) -> Result<Option<ProtocolEvent>, Failure> {
        Ok(match self {
            Session::Rtmp(session) => session
                .handle_input(now, input)?
                .map(|event| from_rtmp(session, now, event)),
            Session::Http(session) => session
                .handle_input(now, input)?
                .map(|event| from_http(session, now, event)),
            Session::Local(local) => local.handle_input(),
        })
    }

    pub(super) fn handle_eof(&mut self, now: Time) -> Result<Option<ProtocolEvent>, Failure> {
        Ok(match self {
            Session::Rtmp(session) => session.handle_eof(now)?.map(|event| from_rtmp(session, now, event)),
            Session::Http(session) => session.handle_eof(now)?.map(|event| from_http(session, now, event)),
            Session::Local(local) => local.handle_eof(),
        })
    }

    pub(super) fn handle_timeout(&mut self, now: Time) -> Result<Option<ProtocolEvent>, Failure> {
        Ok(match self {
            Session::Rtmp(session) => session.handle_timeout(now)?.map(|event| from_rtmp(session, now, event)),
            Session::Http(session) => session.handle_timeout(now)?.map(|event| from_http(session, now, event)),
            Session::Local(_) => None,
        })
    }

    /// Whether `handle_timeout` would end something because of what the peer has not done.
    pub(super) fn is_overdue(&self, now: Time) -> bool {
        match self {
            Session::Rtmp(session) => session.is_overdue(now),
            Session::Http(session) => session.is_overdue(now),
            Session::Local(_) => false,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        match self {
            Session::Rtmp(session) => session.poll_timeout(),
            Session::Http(session) => session.poll_timeout(),
            Session::Local(_) => None,
        }
    }

    /// Bytes after which the peer wants each acknowledgement; `None` if its protocol knows none.
    pub(super) fn ack_every(&self) -> Option<u32> {
        match self {
            Session::Rtmp(session) => Some(session.ack_every()),
            Session::Http(_) | Session::Local(_) => None,
        }
    }

    /// The [work](crate::work) that the input has made.
    pub(super) fn work(&self) -> u64 {
        match self {
            Session::Rtmp(session) => session.work(),
            Session::Http(session) => session.work(),
            Session::Local(_) => 0,
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        either!(self, session => session.is_paused())
    }

    pub(super) fn is_closing(&self) -> bool {
        either!(self, session => session.is_closing())
    }

    /// Whether it is over, with nothing left to send or no time left for it.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Session::Rtmp(session) => session.is_closed(),
            Session::Http(session) => session.is_closed(),
            Session::Local(_) => false,
        }
    }

    pub(super) fn can_send(&self) -> bool {
        either!(self, session => session.can_send())
    }

    /// Whether something waits to be taken from it.
    pub(super) fn has_output(&self) -> bool {
        match self {
            Session::Local(local) => local.has_events(),
            _ => !self.output_ref().is_empty(),
        }
    }

    /// Bytes that wait to be taken from it.
    pub(super) fn queued(&self) -> usize {
        match self {
            Session::Local(local) => local.queued(),
            _ => self.output_ref().len(),
        }
    }

    pub(super) fn output(&mut self) -> &mut Output {
        either!(self, session => session.output())
    }

    pub(super) fn output_ref(&self) -> &Output {
        either!(self, session => session.output_ref())
    }

    pub(super) fn close(&mut self, now: Time) {
        match self {
            Session::Rtmp(session) => session.close(now),
            Session::Http(session) => session.close(now),
            Session::Local(local) => local.end(EndCause::Closed),
        }
    }

    /// Lets a publisher begin.
    pub(super) fn accept_publish(&mut self, now: Time, request: RequestId) {
        let result = match self {
            Session::Rtmp(session) => session.accept(now, request),
            Session::Http(session) => session.accept_publish(now, request),
            Session::Local(local) => {
                local.accept_publish();
                Ok(())
            }
        };
        debug_assert_expected(result);
    }

    /// Lets a player begin.
    pub(super) fn accept_play(&mut self, now: Time, request: RequestId) {
        let result = match self {
            Session::Rtmp(session) => session.accept(now, request),
            Session::Http(session) => session.accept_play(now, request),
            Session::Local(local) => {
                local.accept_play();
                Ok(())
            }
        };
        debug_assert_expected(result);
    }

    pub(super) fn reject(&mut self, now: Time, request: RequestId, intent: Intent, refusal: Refusal) {
        let result = match self {
            Session::Rtmp(session) => session.reject(now, request, rtmp_status(refusal, intent)),
            Session::Http(session) => {
                let retry_after = match refusal {
                    Refusal::Absent | Refusal::Crowded | Refusal::TooOften | Refusal::ShuttingDown => Some(RETRY_AFTER),
                    Refusal::Banned { left } => Some(left),
                    Refusal::Taken
                    | Refusal::Contested
                    | Refusal::Replaced
                    | Refusal::Flapping
                    | Refusal::Expired
                    | Refusal::Kicked => None,
                };
                session.reject(now, request, http_status(refusal), refusal.reason(), retry_after)
            }
            Session::Local(local) => {
                local.refuse(refusal.reason());
                Ok(())
            }
        };
        debug_assert_expected(result);
    }

    /// Turns a peer away by the word of the world. An RTMP peer that does nothing else is closed once it has been told.
    pub(super) fn deny(&mut self, now: Time, request: RequestId, intent: Intent, denial: &Denial) {
        let result = match self {
            Session::Rtmp(session) => {
                let status = Status::new(denied(intent), denial.reason.to_string());
                session.reject(now, request, status)
            }
            Session::Http(session) => {
                let status = match denial.needs_credentials {
                    true => HttpStatus::Unauthorized,
                    false => HttpStatus::Forbidden,
                };
                session.reject(now, request, status, &denial.reason, None)
            }
            Session::Local(local) => {
                local.refuse(&denial.reason);
                Ok(())
            }
        };
        debug_assert_expected(result);
    }

    /// Sends a frame to a player. `tracks` are for the FLV header, which goes before the first.
    pub(super) fn send_frame(&mut self, stream: MessageStreamId, frame: FrameAt<'_>, starts: Option<Tracks>) {
        // An error means that the connection is about to end for its full output.
        let result = match self {
            Session::Rtmp(session) => session.send_frame(stream, frame),
            Session::Http(session) => starts
                .map_or(Ok(()), |tracks| session.start_play(tracks.into()))
                .and_then(|()| session.send_frame(frame)),
            Session::Local(local) => {
                local.send_frame(frame, starts);
                Ok(())
            }
        };
        debug_assert_expected(result);
    }

    /// Tells a player that its publisher has come.
    pub(super) fn publish_notify(&mut self, stream: MessageStreamId) {
        if let Session::Rtmp(session) = self {
            debug_assert_expected(session.publish_notify(stream));
        }
    }

    pub(super) fn end_play(&mut self, now: Time, stream: MessageStreamId, cause: EndCause) {
        match self {
            Session::Rtmp(session) => {
                debug_assert_expected(session.end_play(now, stream, cause));
            }
            Session::Http(session) => {
                debug_assert_expected(session.end_play(now, cause));
            }
            Session::Local(local) => local.end(cause),
        }
    }

    pub(super) fn end_publish(&mut self, now: Time, stream: MessageStreamId, refusal: Refusal, cause: EndCause) {
        match self {
            Session::Rtmp(session) => {
                debug_assert_expected(session.end_publish(now, stream, rtmp_status(refusal, Intent::Publish), cause));
            }
            Session::Http(session) => {
                debug_assert_expected(session.end_publish(now, http_status(refusal), refusal.reason(), cause));
            }
            Session::Local(local) => local.refuse(refusal.reason()),
        }
    }
}

/// What the header of a file or response says of a stream.
impl From<Tracks> for TagFlags {
    fn from(Tracks { audio, video }: Tracks) -> Self {
        TagFlags { audio, video }
    }
}

/// What a session was told it must have expected: its events are acted on as they come, so that the server knows of each
/// request, publish and play whether it goes on, whatever the peer does. Too much output is the peer's doing.
pub(super) fn debug_assert_expected(result: Result<(), StateError>) {
    debug_assert!(
        matches!(
            result,
            Ok(()) | Err(StateError::OutputFull { .. } | StateError::FrameTooLarge { .. })
        ),
        "{result:?}"
    );
}

impl Refusal {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Refusal::Taken => "the stream has a publisher",
            Refusal::Contested => "too many publishers wait for the stream",
            Refusal::TooOften => "too many publishes began there of late",
            Refusal::Replaced => "another publisher has taken over",
            Refusal::Absent => "no such stream",
            Refusal::Crowded => "too many players wait for the stream",
            Refusal::Flapping => "the sequence headers change all the time",
            Refusal::Expired => "the permission has ended",
            Refusal::Kicked => "an operator has ended it",
            Refusal::Banned { .. } => "an operator has closed the stream for a while",
            Refusal::ShuttingDown => "the server is shutting down",
        }
    }
}

fn rtmp_status(refusal: Refusal, intent: Intent) -> Status {
    let code = match refusal {
        Refusal::Taken | Refusal::Contested | Refusal::Replaced => StatusCode::PublishBadName,
        Refusal::Absent => StatusCode::PlayStreamNotFound,
        Refusal::Crowded => StatusCode::PlayFailed,
        Refusal::TooOften | Refusal::Flapping => StatusCode::PublishFailed,
        Refusal::Expired | Refusal::Kicked | Refusal::Banned { .. } => denied(intent),
        Refusal::ShuttingDown => StatusCode::ConnectAppShutdown,
    };
    Status::new(code, refusal.reason())
}

/// What RTMP says to a peer that may not.
const fn denied(intent: Intent) -> StatusCode {
    match intent {
        Intent::Publish => StatusCode::PublishDenied,
        Intent::Play => StatusCode::PlayFailed,
    }
}

fn http_status(refusal: Refusal) -> HttpStatus {
    match refusal {
        Refusal::Taken | Refusal::Contested | Refusal::Replaced => HttpStatus::Conflict,
        Refusal::Absent => HttpStatus::NotFound,
        Refusal::TooOften => HttpStatus::TooManyRequests,
        Refusal::Flapping => HttpStatus::BadRequest,
        Refusal::Expired | Refusal::Kicked | Refusal::Banned { .. } => HttpStatus::Forbidden,
        Refusal::Crowded | Refusal::ShuttingDown => HttpStatus::ServiceUnavailable,
    }
}

fn from_rtmp(session: &mut ServerSession, now: Time, event: Event) -> ProtocolEvent {
    match event {
        Event::ConnectRequested { id, connect } => {
            // Every application is welcome; who may publish and play is asked per stream.
            debug_assert_expected(session.accept(now, id));
            ProtocolEvent::Connected(connect)
        }
        Event::PublishRequested {
            id: request,
            stream,
            target,
            ..
        } => ProtocolEvent::PublishRequested(PublishRequest {
            request,
            stream,
            target,
            waits: true,
            fields: HeaderFields::default(),
        }),
        Event::PlayRequested {
            id: request,
            stream,
            target,
            ..
        } => {
            let ask = PlayAsk {
                head_only: false,
                needs_tracks: false,
                waits_accepted: true,
                merge: None,
            };
            ProtocolEvent::PlayRequested(PlayRequest {
                request,
                stream,
                target,
                undecoded: None,
                ask,
                fields: HeaderFields::default(),
            })
        }
        Event::Frame { stream, frame } => ProtocolEvent::Frame { stream, frame },
        Event::MetadataCleared { stream } => ProtocolEvent::MetadataCleared { stream },
        Event::PlayControl { stream, control } => ProtocolEvent::PlayControl { stream, control },
        Event::PublishEnded { stream, cause } => ProtocolEvent::PublishEnded { stream, cause },
        Event::PlayEnded { stream, cause } => ProtocolEvent::PlayEnded { stream, cause },
        Event::PongReceived { .. } => ProtocolEvent::Nothing,
        Event::Anomaly(Anomaly::InvalidName(reason)) => ProtocolEvent::Refused(Box::new(reason)),
        Event::Anomaly(anomaly) => ProtocolEvent::Anomaly(Box::new(anomaly)),
    }
}
