//! What a session tells its owner.

use super::{HttpError, RequestHead};
use crate::{EndCause, Frame, RequestId};
use alloc::boxed::Box;
use bytes::Bytes;

/// What a session reports.
///
/// An event owns what it carries, so the session is free while one is kept. Every [`Requested`] is answered, which says what
/// comes of it, or followed by [`RequestEnded`]:
///
/// | the answer | what follows |
/// |---|---|
/// | [`respond`], [`reject`] | nothing |
/// | [`start_response`] | nothing for `HEAD`, and if it ends by [`end_response`]; else exactly one [`RequestEnded`] |
/// | [`read_body`] | [`Body`], after which one of the others is due; or [`RequestEnded`] |
/// | [`accept_publish`] | frames, and exactly one [`PublishEnded`] |
/// | [`accept_play`] | exactly one [`PlayEnded`]; nothing for `HEAD` |
///
/// [`Requested`]: HttpEvent::Requested
/// [`Body`]: HttpEvent::Body
/// [`RequestEnded`]: HttpEvent::RequestEnded
/// [`PublishEnded`]: HttpEvent::PublishEnded
/// [`PlayEnded`]: HttpEvent::PlayEnded
/// [`respond`]: super::HttpSession::respond
/// [`reject`]: super::HttpSession::reject
/// [`start_response`]: super::HttpSession::start_response
/// [`end_response`]: super::HttpSession::end_response
/// [`read_body`]: super::HttpSession::read_body
/// [`accept_publish`]: super::HttpSession::accept_publish
/// [`accept_play`]: super::HttpSession::accept_play
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpEvent {
    /// The peer asks for something. Pauses the session until it is answered.
    Requested {
        /// What to answer.
        id: RequestId,
        /// What it asks for.
        head: Box<RequestHead>,
    },
    /// The content of a request, which waits for its answer again.
    Body {
        /// Of which.
        id: RequestId,
        /// All of it.
        body: Bytes,
    },
    /// A request is over before it was answered, or before all of its answer had come: the peer has left, has taken nothing, or
    /// something was wrong with its content.
    RequestEnded {
        /// Which.
        id: RequestId,
        /// Why.
        cause: EndCause,
    },
    /// A frame of an accepted publish.
    Frame(Frame),
    /// An accepted publish orders to forget its metadata.
    MetadataCleared,
    /// A tag of an accepted publish that carries no frame; it was passed over.
    TagSkipped {
        /// Its type.
        tag_type: u8,
    },
    /// The publish is over.
    PublishEnded {
        /// Why.
        cause: EndCause,
    },
    /// The play is over.
    PlayEnded {
        /// Why.
        cause: EndCause,
    },
    /// The session has turned the peer away on its own, for this reason. The answer is in the output; what was going on
    /// ends with the event that follows.
    Refused(HttpError),
}

/// How tags travel, to a player or from a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// As the content of a response: chunked, or bare for HTTP/1.0.
    Http,
    /// As binary messages of a WebSocket.
    WebSocket,
}
