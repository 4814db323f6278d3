//! What HTTP requests ask of the server: which paths there are, and what may be done with them.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /` | says what this is, as text or, if the client takes it, HTML; `GET /favicon.ico`: an icon. Both can only be read |
//! | `GET /app/name.flv` | plays the stream `app/name`; `.flv` may be left out, and so may the app `live` |
//! | `HEAD` | asks what `GET` would be answered |
//! | `POST`, `PUT` | publishes the stream |
//! | `GET` of a WebSocket with `?publish`, or with the sub-protocol `publisher` or `post` | publishes the stream, in binary messages |
//! | `OPTIONS`, whatever the path | a preflight: pages from anywhere may play, those of our own host or an allowed origin publish |

use super::front_page::{self, Page};
use super::session::{PlayAsk, PlayRequest, ProtocolEvent, PublishRequest, debug_assert_expected};
use crate::http::{ForeignOrigin, HttpEvent, HttpSession, Method, RequestHead, Response, StatusCode, Transport};
use crate::rtmp::MessageStreamId;
use crate::{RequestId, StreamKey, StreamKeyError, Target, Time};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};

/// The message stream that HTTP, which has none, is taken to use.
const HTTP_STREAM: MessageStreamId = MessageStreamId(0);

/// Header fields of the answer to a preflight, at most: three of them let the page read it.
const MAX_PREFLIGHT_FIELDS: usize = 8;

/// Where a request leads.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    /// To a player of a stream.
    Play {
        target: Box<Target>,
        /// The stream with the name as it was sent, if percent-decoding has made another of it. RTMP clients send names as
        /// they were typed, so one that was typed with escapes is this one's.
        undecoded: Option<StreamKey>,
        /// It only asks what a play would be answered.
        head_only: bool,
    },
    /// To a publisher of a stream.
    Push { target: Box<Target> },
    /// To an answer that depends on no stream.
    Respond(Response),
    /// Nowhere.
    Refuse(RouteError),
}

/// Why a request leads nowhere.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum RouteError {
    #[error("method not allowed")]
    MethodNotAllowed,
    #[error("a page can only be read: streams have an app and a name, as in live/stream1")]
    NoStream,
    #[error("web pages of {0} may not publish here")]
    ForeignOrigin(ForeignOrigin),
    #[error(transparent)]
    Name(#[from] StreamKeyError),
}

impl RouteError {
    const fn status(&self) -> StatusCode {
        match self {
            RouteError::MethodNotAllowed | RouteError::NoStream => StatusCode::MethodNotAllowed,
            RouteError::ForeignOrigin(_) => StatusCode::Forbidden,
            RouteError::Name(StreamKeyError::NoName | StreamKeyError::BadComponent) => StatusCode::NotFound,
            RouteError::Name(_) => StatusCode::BadRequest,
        }
    }
}

/// Where the request with this head leads.
fn route(head: &RequestHead) -> Route {
    if let Some(page) = Page::of(head) {
        return match head.method {
            Method::Options => Route::Respond(preflight(head)),
            Method::Get | Method::Head => Route::Respond(page.response(head)),
            _ => Route::Refuse(RouteError::NoStream),
        };
    }
    let to_stream = match head.method {
        Method::Options => return Route::Respond(preflight(head)),
        Method::Get if is_push_by_websocket(head) => to_publisher(head),
        Method::Get | Method::Head => to_player(head),
        Method::Post | Method::Put => to_publisher(head),
        _ => Err(RouteError::MethodNotAllowed),
    };
    to_stream.unwrap_or_else(Route::Refuse)
}

/// Whether a WebSocket is to bring a stream. The request says so, since a player of a stream that is not there gets 404 instead of
/// a WebSocket.
fn is_push_by_websocket(head: &RequestHead) -> bool {
    let says_so = || head.subprotocol.is_some() || head.query_value("publish").is_some();
    head.transport == Transport::WebSocket && says_so()
}

fn to_player(head: &RequestHead) -> Result<Route, RouteError> {
    let target = target(head)?;
    let undecoded = StreamKey::from_path(head.path_as_sent()).ok();
    Ok(Route::Play {
        undecoded: undecoded.filter(|key| *key != target.key),
        target,
        head_only: head.method == Method::Head,
    })
}

fn to_publisher(head: &RequestHead) -> Result<Route, RouteError> {
    if !head.access.may_write() {
        return Err(RouteError::ForeignOrigin(ForeignOrigin::of(&head.fields)));
    }
    Ok(Route::Push { target: target(head)? })
}

/// The stream that a path names.
fn target(head: &RequestHead) -> Result<Box<Target>, StreamKeyError> {
    Ok(Box::new(Target {
        key: StreamKey::from_path(&head.path)?,
        query: head.query.clone(),
    }))
}

/// Says what the page that asks may do with streams.
fn preflight(head: &RequestHead) -> Response {
    let may_write = head.access.may_write() && Page::of(head).is_none();
    let methods = match may_write {
        true => "GET, HEAD, POST, PUT, OPTIONS",
        false => front_page::METHODS,
    };
    // To a page that sends credentials, a star means nothing.
    let headers = match head.fields.get("access-control-request-headers") {
        None | Some("") => Cow::Borrowed("*"),
        Some(headers) => Cow::Owned(String::from(headers)),
    };
    let mut answer = Response::new(StatusCode::NoContent);
    answer.fields.reserve_exact(MAX_PREFLIGHT_FIELDS);
    let answer = answer
        .with_field("Allow", methods)
        .readable_by(&head.access)
        .with_field("Access-Control-Allow-Methods", methods)
        .with_field("Access-Control-Allow-Headers", headers)
        .with_field("Access-Control-Max-Age", "86400");
    let method = head.fields.get("access-control-request-method");
    let is_allowed = match method.and_then(Method::from_token) {
        Some(Method::Get | Method::Head | Method::Options) => true,
        Some(Method::Post | Method::Put) => may_write,
        _ => false,
    };
    if is_allowed && head.fields.has("access-control-request-private-network", "true") {
        answer.with_field("Access-Control-Allow-Private-Network", "true")
    } else {
        answer
    }
}

/// What an event of an HTTP session means to the server. A request for which no stream has to be asked is answered.
pub(super) fn from_http(session: &mut HttpSession, now: Time, event: HttpEvent) -> ProtocolEvent {
    let stream = HTTP_STREAM;
    match event {
        HttpEvent::Requested { id, head } => route_request(session, now, id, *head),
        HttpEvent::Frame(frame) => ProtocolEvent::Frame { stream, frame },
        HttpEvent::PublishEnded { cause } => ProtocolEvent::PublishEnded { stream, cause },
        HttpEvent::PlayEnded { cause } | HttpEvent::RequestEnded { cause, .. } => {
            ProtocolEvent::PlayEnded { stream, cause }
        }
        HttpEvent::MetadataCleared => ProtocolEvent::MetadataCleared { stream },
        HttpEvent::TagSkipped { .. } => ProtocolEvent::Anomaly("tag_skipped", Box::new(event)),
        // No route asks for content.
        HttpEvent::Body { .. } => ProtocolEvent::Nothing,
        HttpEvent::Refused(reason) => ProtocolEvent::Refused(Box::new(reason)),
    }
}

fn route_request(session: &mut HttpSession, now: Time, request: RequestId, head: RequestHead) -> ProtocolEvent {
    let stream = HTTP_STREAM;
    match route(&head) {
        Route::Play {
            target,
            undecoded,
            head_only,
        } => ProtocolEvent::PlayRequested(PlayRequest {
            request,
            stream,
            target,
            undecoded,
            ask: PlayAsk {
                head_only,
                needs_tracks: true,
                waits_accepted: false,
                merge: None,
            },
            fields: head.fields,
        }),
        Route::Push { target } => ProtocolEvent::PublishRequested(PublishRequest {
            request,
            stream,
            target,
            waits: false,
            fields: head.fields,
        }),
        Route::Respond(response) => {
            debug_assert_expected(session.respond(now, request, &response));
            ProtocolEvent::Answered
        }
        Route::Refuse(error @ RouteError::NoStream) => {
            let response = front_page::refusal(&error.to_string(), &head.access);
            debug_assert_expected(session.respond(now, request, &response));
            ProtocolEvent::Refused(Box::new(error))
        }
        Route::Refuse(error) => {
            debug_assert_expected(session.reject(now, request, error.status(), &error.to_string(), None));
            ProtocolEvent::Refused(Box::new(error))
        }
    }
}

#[cfg(test)]
mod tests;
