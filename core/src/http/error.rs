//! What a peer can do wrong.

use super::{BodyError, HeadError, StatusCode, WebSocketError};
use crate::Timer;
use crate::flv::FlvError;

/// The peer asked for what we do not serve, broke the rules, or fell silent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The request head makes no sense.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The framing of the content is broken.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The content exceeds what the owner of the session takes.
    #[error("the content exceeds the limit of {max} bytes")]
    BodyTooLarge {
        /// The limit in bytes.
        max: usize,
    },
    /// The content of a push is not FLV.
    #[error(transparent)]
    Flv(#[from] FlvError),
    /// A push ended before its first audio, video or script tag.
    #[error("the content has no audio, video or script tag")]
    NoTags,
    /// A push ended inside a tag.
    #[error("the content ends inside a tag")]
    TruncatedTag,
    /// A WebSocket client broke the protocol.
    #[error(transparent)]
    WebSocket(#[from] WebSocketError),
    /// Silence where something was due.
    #[error("{0} timeout")]
    Timeout(Timer),
}

impl HttpError {
    /// What to answer; `None` if there is nobody to answer, or not in HTTP.
    #[must_use]
    pub const fn status(&self) -> Option<StatusCode> {
        match self {
            HttpError::Head(error) => error.status(),
            HttpError::BodyTooLarge { .. } | HttpError::Flv(FlvError::TagTooLarge { .. }) => {
                Some(StatusCode::ContentTooLarge)
            }
            HttpError::Timeout(Timer::Command | Timer::Idle) => Some(StatusCode::RequestTimeout),
            HttpError::Timeout(_) | HttpError::WebSocket(_) => None,
            HttpError::Body(_) | HttpError::Flv(_) | HttpError::NoTags | HttpError::TruncatedTag => {
                Some(StatusCode::BadRequest)
            }
        }
    }
}
