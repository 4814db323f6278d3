//! What a session tells its owner.

use super::{HeaderFields, HttpError};
use crate::{EndCause, Frame, RequestId, StreamKey, Target};
use alloc::boxed::Box;

/// What a session reports.
///
/// An event owns what it carries, so the session is free while one is held. Every [`PublishRequested`] that is not
/// answered by a reject is followed by exactly one [`PublishEnded`], every [`PlayRequested`] by exactly one
/// [`PlayEnded`], whatever the cause; only the answer to a `HEAD` request ends it without an event.
///
/// [`PublishRequested`]: HttpEvent::PublishRequested
/// [`PublishEnded`]: HttpEvent::PublishEnded
/// [`PlayRequested`]: HttpEvent::PlayRequested
/// [`PlayEnded`]: HttpEvent::PlayEnded
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpEvent {
    /// The peer wants to play (`GET`). Pauses the session until it is answered.
    PlayRequested {
        /// What to answer.
        id: RequestId,
        /// What it wants to play.
        target: Box<Target>,
        /// The stream with the name as it was sent, if percent-decoding has made another of it. RTMP clients send names as
        /// they were typed, so one that was typed with escapes is this one's.
        undecoded: Option<StreamKey>,
        /// How the tags will travel.
        transport: Transport,
        /// It only asks what a play would be answered (`HEAD`).
        head_only: bool,
        /// What else the request says.
        fields: HeaderFields,
    },
    /// The peer wants to publish (`POST`, `PUT`). Pauses the session until it is answered.
    PublishRequested {
        /// What to answer.
        id: RequestId,
        /// What it wants to publish.
        target: Box<Target>,
        /// What else the request says.
        fields: HeaderFields,
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
    /// The session has answered a request that needs nobody to decide on it (`OPTIONS`).
    Answered,
    /// The session has turned the peer away on its own, for this reason. The answer is in the output; what was going on
    /// ends with the event that follows.
    Refused(HttpError),
}

/// How tags travel to a player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// As the content of a response: chunked, or bare for HTTP/1.0.
    Http,
    /// As binary messages of a WebSocket.
    WebSocket,
}
