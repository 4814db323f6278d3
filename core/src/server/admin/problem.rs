//! Why an operator does not get what it asks for.

use crate::http::{Response, StatusCode};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

/// Why a request fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// In one word, for programs.
    error: &'static str,
    /// For people.
    pub(super) reason: String,
    /// Methods that would be right.
    allow: Option<&'static str>,
    missing: Vec<u16>,
}

/// As it is sent.
#[derive(Serialize)]
struct Body<'a> {
    code: u16,
    error: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "<[u16]>::is_empty")]
    missing_workers: &'a [u16],
}

impl Problem {
    fn new(status: StatusCode, error: &'static str, reason: impl Into<String>) -> Self {
        Problem {
            status,
            error,
            reason: reason.into(),
            allow: None,
            missing: Vec::new(),
        }
    }

    pub(super) fn bad_request(reason: impl Into<String>) -> Self {
        Problem::new(StatusCode::BadRequest, "bad_request", reason)
    }

    pub(super) fn unauthorized(reason: &str) -> Self {
        Problem::new(StatusCode::Unauthorized, "unauthorized", reason)
    }

    pub(super) fn foreign_host() -> Self {
        let reason = "the Host of the request is none of this machine's own; with a token it may be any";
        Problem::new(StatusCode::Forbidden, "foreign_host", reason)
    }

    pub(super) fn foreign_page() -> Self {
        let reason = "web pages of other sites may ask and change nothing here";
        Problem::new(StatusCode::Forbidden, "foreign_page", reason)
    }

    pub(super) fn needs_json() -> Self {
        let reason = "a request that changes something needs Content-Type: application/json, or the token";
        Problem::new(StatusCode::UnsupportedMediaType, "needs_json", reason)
    }

    pub(super) fn not_found(reason: impl Into<String>) -> Self {
        Problem::new(StatusCode::NotFound, "not_found", reason)
    }

    pub(super) fn method_not_allowed(allow: &'static str) -> Self {
        let reason = format!("only {allow} can be asked here");
        Problem {
            allow: Some(allow),
            ..Problem::new(StatusCode::MethodNotAllowed, "method_not_allowed", reason)
        }
    }

    pub(super) fn too_many_requests(max: u32) -> Self {
        let reason = format!("more than {max} requests in a second on one connection");
        Problem::new(StatusCode::TooManyRequests, "too_many_requests", reason)
    }

    /// To look at everything costs time, which others want.
    pub(super) fn too_much() -> Self {
        let reason = "operators have asked for too much in the last seconds";
        Problem::new(StatusCode::TooManyRequests, "too_many_requests", reason)
    }

    /// Each event is written once for every reader.
    pub(super) fn too_many_readers(max: usize) -> Self {
        let reason = format!("{max} readers of events are connected to this worker");
        Problem::new(StatusCode::TooManyRequests, "too_many_requests", reason)
    }

    pub(super) fn shutting_down() -> Self {
        let reason = "the server is shutting down";
        Problem::new(StatusCode::ServiceUnavailable, "shutting_down", reason)
    }

    /// What was asked for may be with a worker that has not answered.
    pub(super) fn unanswered(missing: Vec<u16>) -> Self {
        let reason = "a worker has not answered, and no other has that";
        Problem {
            missing,
            ..Problem::new(StatusCode::ServiceUnavailable, "unanswered", reason)
        }
    }

    /// Whether the log tells it: somebody tries to get in.
    pub(super) fn is_news(&self) -> bool {
        matches!(self.status, StatusCode::Unauthorized | StatusCode::Forbidden)
    }

    pub(super) fn response(&self) -> Response {
        let body = Body {
            code: self.status.as_u16(),
            error: self.error,
            reason: &self.reason,
            missing_workers: &self.missing,
        };
        let response = super::envelope::json(&body).with_status(self.status);
        let response = match self.allow {
            Some(allow) => response.with_field("Allow", Cow::Borrowed(allow)),
            None => response,
        };
        match self.status {
            StatusCode::Unauthorized => response.with_field("WWW-Authenticate", "Bearer realm=\"headwater\""),
            StatusCode::TooManyRequests => response.with_field("Retry-After", "1"),
            StatusCode::ServiceUnavailable => response.with_field("Retry-After", "2"),
            _ => response,
        }
    }
}
