//! RTMP, HTTP and the program itself, in the same words.

use super::Protocol;
use super::first_byte::Undecided;
use super::local::Local;
use super::question::{Denial, Intent};
use super::record::{RecordedSession, Recorder, Records, Sessions};
use super::refusal::{Excess, Refusal, denied, http_status, rtmp_status};
use super::routes::from_http;
use crate::flv::TagFlags;
use crate::http::{
    HeaderFields, HttpConfig, HttpError, HttpEvent, HttpSession, RequestHead, StatusCode as HttpStatus, Transport,
};
use crate::hub::{ChannelConfig, Tracks};
use crate::rtmp::{
    Anomaly, Connect, Event, MessageStreamId, PlayControl, ProtocolError, ServerSession, SessionConfig, Status,
    StatusCode,
};
use crate::{EndCause, Frame, FrameAt, Output, RequestId, StateError, StreamKey, Target, Time, Timer};
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use core::time::Duration;

/// After how long a player that got 404 may ask again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// RTMP, HTTP or the program itself, in the same words.
#[derive(Debug)]
pub(super) enum Session {
    Rtmp(Box<ServerSession>),
    Http(Box<HttpSession>),
    Local(Box<Local>),
    /// Nothing yet: the first byte will say.
    Undecided(Box<Undecided>),
    /// HTTP, by an operator.
    Admin(Box<HttpSession>),
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
    /// For operators: pages of no other site may do anything.
    pub(super) admin: Arc<HttpConfig>,
    pub(super) channel: Arc<ChannelConfig>,
    /// Some if what sessions are told is recorded.
    pub(super) records: Option<Arc<Records>>,
}

impl Shared {
    /// The session with a recorder, if it is to have one.
    pub(super) fn recorded(&self, session: Session, now: Time, seed: u64) -> RecordedSession {
        let recorder = self.records.as_ref().and_then(|records| {
            let config = match session {
                Session::Rtmp(_) => Sessions::Rtmp(self.session.clone()),
                Session::Http(_) => Sessions::Http(self.http.clone()),
                // What an operator sends has a token in it. Without a first byte nothing has been said.
                Session::Local(_) | Session::Undecided(_) | Session::Admin(_) => return None,
            };
            Recorder::new(records, config, now, seed)
        });
        RecordedSession::new(session, recorder)
    }
}

/// What a session reports.
#[derive(Debug)]
pub(super) enum ProtocolEvent {
    /// An RTMP peer has said who it is.
    ConnectRequested {
        request: RequestId,
        connect: Box<Connect>,
    },
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
    /// An operator asks for something.
    AdminRequested {
        request: RequestId,
        head: Box<RequestHead>,
    },
    /// The protocol machine has answered a request on its own.
    Answered,
    /// The protocol machine has turned the peer away on its own.
    Refused(Box<dyn core::error::Error>),
    /// An anomaly: its name, and what it is for the debug log.
    Anomaly(&'static str, Box<dyn core::fmt::Debug>),
    /// Nothing that the server acts on.
    Nothing,
}

impl ProtocolEvent {
    /// Whether the peer has asked for something that is answered, other than as an operator.
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
}

/// Why an RTMP peer was turned away at its `connect`.
#[derive(Debug, thiserror::Error)]
#[error("a string of {len} bytes in connect is too long")]
struct StringTooLong {
    len: usize,
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
            Session::Undecided($session) => $action,
            Session::Admin($session) => $action,
        }
    };
}

impl Session {
    /// A session of a connection that came at `now`.
    pub(super) fn new(protocol: Protocol, shared: &Shared, now: Time, seed: u64) -> Self {
        match protocol {
            Protocol::Rtmp => Session::Rtmp(Box::new(ServerSession::new(shared.session.clone(), now, seed))),
            Protocol::Http => Session::Http(Box::new(HttpSession::new(shared.http.clone(), now))),
            Protocol::Media => Session::Undecided(Undecided::new(shared, now, seed)),
            Protocol::Admin => Session::Admin(Box::new(HttpSession::new(shared.admin.clone(), now))),
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
            Session::Undecided(_) => super::Transport::Unknown,
            Session::Admin(_) => super::Transport::Admin,
        }
    }

    /// Whether there is no socket, and nobody to wait for at the end.
    pub(super) const fn is_local(&self) -> bool {
        matches!(self, Session::Local(_))
    }

    pub(super) fn handle_input(&mut self, now: Time, input: &mut &[u8]) -> Result<Option<ProtocolEvent>, Failure> {
        Ok(match self {
            Session::Rtmp(session) => session.handle_input(now, input)?.map(from_rtmp),
            Session::Http(session) => session
                .handle_input(now, input)?
                .map(|event| from_http(session, now, event)),
            Session::Local(local) => local.handle_input(),
            // It is no more by the time that there is some, unless it is closing.
            Session::Undecided(_) => {
                *input = &[];
                None
            }
            Session::Admin(session) => session.handle_input(now, input)?.map(from_admin),
        })
    }

    pub(super) fn handle_eof(&mut self, now: Time) -> Result<Option<ProtocolEvent>, Failure> {
        Ok(match self {
            Session::Rtmp(session) => session.handle_eof(now)?.map(from_rtmp),
            Session::Http(session) => session.handle_eof(now)?.map(|event| from_http(session, now, event)),
            Session::Local(local) => local.handle_eof(),
            Session::Undecided(undecided) => {
                undecided.close();
                None
            }
            Session::Admin(session) => session.handle_eof(now)?.map(from_admin),
        })
    }

    pub(super) fn handle_timeout(&mut self, now: Time) -> Result<Option<ProtocolEvent>, Failure> {
        Ok(match self {
            Session::Rtmp(session) => session.handle_timeout(now)?.map(from_rtmp),
            Session::Http(session) => session.handle_timeout(now)?.map(|event| from_http(session, now, event)),
            Session::Local(_) => None,
            Session::Undecided(undecided) if undecided.is_overdue(now) => {
                return Err(ProtocolError::Timeout(Timer::Handshake).into());
            }
            Session::Undecided(_) => None,
            Session::Admin(session) => session.handle_timeout(now)?.map(from_admin),
        })
    }

    /// Whether `handle_timeout` would end something because of what the peer has not done.
    pub(super) fn is_overdue(&self, now: Time) -> bool {
        match self {
            Session::Rtmp(session) => session.is_overdue(now),
            Session::Http(session) | Session::Admin(session) => session.is_overdue(now),
            Session::Undecided(undecided) => undecided.is_overdue(now),
            Session::Local(_) => false,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        match self {
            Session::Rtmp(session) => session.poll_timeout(),
            Session::Http(session) | Session::Admin(session) => session.poll_timeout(),
            Session::Undecided(undecided) => undecided.poll_timeout(),
            Session::Local(_) => None,
        }
    }

    /// Bytes after which the peer wants each acknowledgement; `None` if its protocol knows none.
    pub(super) fn ack_every(&self) -> Option<u32> {
        match self {
            Session::Rtmp(session) => Some(session.ack_every()),
            Session::Http(_) | Session::Local(_) | Session::Undecided(_) | Session::Admin(_) => None,
        }
    }

    /// Bytes of memory that are its own, but for its output.
    pub(super) fn owned_memory(&self) -> usize {
        match self {
            Session::Rtmp(session) => session.held_memory(),
            Session::Http(session) | Session::Admin(session) => session.held_memory(),
            Session::Local(local) => local.owned_memory(),
            Session::Undecided(_) => size_of::<Undecided>(),
        }
    }

    /// Forgets what has come of it and was not taken yet, when it is closing.
    pub(super) fn discard_input(&mut self) {
        if let Session::Rtmp(session) = self {
            session.discard_input();
        }
    }

    /// The [work](crate::work) that the input has made.
    pub(super) fn work(&self) -> u64 {
        match self {
            Session::Rtmp(session) => session.work(),
            Session::Http(session) | Session::Admin(session) => session.work(),
            Session::Local(_) | Session::Undecided(_) => 0,
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        match self {
            Session::Rtmp(session) => session.is_paused(),
            Session::Http(session) | Session::Admin(session) => session.is_paused(),
            Session::Local(local) => local.is_paused(),
            Session::Undecided(_) => false,
        }
    }

    /// Whether an operator is being sent what comes, for as long as it reads.
    pub(super) fn is_responding(&self) -> bool {
        matches!(self, Session::Admin(session) if session.is_responding())
    }

    pub(super) fn is_closing(&self) -> bool {
        either!(self, session => session.is_closing())
    }

    pub(super) fn can_send(&self) -> bool {
        match self {
            Session::Rtmp(session) => session.can_send(),
            Session::Http(session) | Session::Admin(session) => session.can_send(),
            Session::Local(local) => local.can_send(),
            Session::Undecided(_) => false,
        }
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
            Session::Http(session) | Session::Admin(session) => session.close(now),
            Session::Local(local) => local.end(EndCause::Closed),
            Session::Undecided(undecided) => undecided.close(),
        }
    }

    /// Turns a peer away for good: it is told why, and closed.
    pub(super) fn turn_away(&mut self, now: Time, request: RequestId, intent: Intent, excess: Excess) {
        if let Session::Http(session) = self {
            session.close_after_answer();
        }
        self.reject(now, request, intent, Refusal::Excess(excess));
        self.close(now);
    }

    /// Lets an RTMP peer go on that has said who it is.
    pub(super) fn accept_connect(&mut self, now: Time, request: RequestId) {
        if let Session::Rtmp(session) = self {
            debug_assert_expected(session.accept(now, request));
        }
    }

    /// Turns an RTMP peer away that has said who it is.
    pub(super) fn reject_connect(&mut self, now: Time, request: RequestId, excess: Excess) {
        if let Session::Rtmp(session) = self {
            let status = Status::new(StatusCode::ConnectRejected, excess.reason());
            debug_assert_expected(session.reject(now, request, status));
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
            Session::Undecided(_) | Session::Admin(_) => Err(StateError::StaleRequest),
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
            Session::Undecided(_) | Session::Admin(_) => Err(StateError::StaleRequest),
        };
        debug_assert_expected(result);
    }

    pub(super) fn reject(&mut self, now: Time, request: RequestId, intent: Intent, refusal: Refusal) {
        let result = match self {
            Session::Rtmp(session) => session.reject(now, request, rtmp_status(refusal, intent)),
            Session::Http(session) => {
                let retry_after = match refusal {
                    Refusal::Absent
                    | Refusal::Crowded
                    | Refusal::TooOften
                    | Refusal::TooManyRequests
                    | Refusal::Excess(_)
                    | Refusal::OutOfMemory
                    | Refusal::ShuttingDown => Some(RETRY_AFTER),
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
            Session::Undecided(_) | Session::Admin(_) => Err(StateError::StaleRequest),
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
            Session::Undecided(_) | Session::Admin(_) => Err(StateError::StaleRequest),
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
            Session::Undecided(_) | Session::Admin(_) => Err(StateError::StaleRequest),
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
            Session::Undecided(_) | Session::Admin(_) => {}
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
            Session::Undecided(_) | Session::Admin(_) => {}
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

fn from_rtmp(event: Event) -> ProtocolEvent {
    match event {
        Event::ConnectRequested { id: request, connect } => ProtocolEvent::ConnectRequested { request, connect },
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
        Event::Anomaly(Anomaly::StringTooLong { len }) => ProtocolEvent::Refused(Box::new(StringTooLong { len })),
        Event::Anomaly(anomaly) => ProtocolEvent::Anomaly(anomaly.name(), Box::new(anomaly)),
    }
}

/// What an event of an operator's session means to the server.
fn from_admin(event: HttpEvent) -> ProtocolEvent {
    match event {
        HttpEvent::Requested { id: request, head } => ProtocolEvent::AdminRequested { request, head },
        HttpEvent::Refused(reason) => ProtocolEvent::Refused(Box::new(reason)),
        // It publishes and plays nothing, and its requests are answered without their content.
        _ => ProtocolEvent::Nothing,
    }
}
