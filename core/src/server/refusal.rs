//! Why the server refuses or ends something, in the words of each protocol.

use super::question::Intent;
use crate::http::StatusCode as HttpStatus;
use crate::rtmp::{Status, StatusCode};
use core::time::Duration;

/// What programs call the reason for refusing a request that makes no sense.
pub(super) const BAD_REQUEST: &str = "bad_request";

/// What programs call the reason for refusing what the world has denied.
pub(super) const DENIED: &str = "denied";

/// Why a request is refused, or a publish ended by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Refusal {
    /// The name has a publisher.
    Taken,
    /// Others contend for the name, as many as may.
    Contested,
    /// The name has had too many publishers of late, or the address too many names.
    TooOften,
    /// The address has asked for too much of late.
    TooManyRequests,
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
    /// There is one too many.
    Excess(Excess),
    /// The memory budget is used up.
    OutOfMemory,
    ShuttingDown,
}

/// What there is too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Excess {
    Connections,
    /// Connections from the address.
    OfAddress,
    /// Connections that neither publish nor play.
    Roleless,
    Publishers,
    Streams,
    /// Connections of operators.
    Operators,
}

impl Excess {
    /// One word, for programs. It stays.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Excess::Connections => "too_many_connections",
            Excess::OfAddress => "too_many_of_address",
            Excess::Roleless => "too_many_idle",
            Excess::Publishers => "too_many_publishers",
            Excess::Streams => "too_many_streams",
            Excess::Operators => "too_many_operators",
        }
    }

    words! {
        /// In words that say nothing about others.
        pub(super) fn reason in REASONS {
            Excess::Connections => "too many connections",
            Excess::OfAddress => "too many connections from one address",
            Excess::Roleless => "too many connections that neither publish nor play",
            Excess::Publishers => "too many publishers",
            Excess::Streams => "too many streams",
            Excess::Operators => "too many connections of operators",
        }
    }
}

impl Refusal {
    /// One word, for programs. It stays.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Refusal::Taken => "taken",
            Refusal::Contested => "contested",
            Refusal::TooOften => "too_often",
            Refusal::TooManyRequests => "too_many_requests",
            Refusal::Replaced => "replaced",
            Refusal::Absent => "absent",
            Refusal::Crowded => "crowded",
            Refusal::Flapping => "flapping",
            Refusal::Expired => "expired",
            Refusal::Kicked => "kicked",
            Refusal::Banned { .. } => "banned",
            Refusal::Excess(excess) => excess.label(),
            Refusal::OutOfMemory => "out_of_memory",
            Refusal::ShuttingDown => "shutting_down",
        }
    }

    words! {
        /// In words that say nothing about others.
        pub(super) fn reason in REASONS {
            Refusal::Taken => "the stream has a publisher",
            Refusal::Contested => "too many publishers wait for the stream",
            Refusal::TooOften => "too many publishes began there of late",
            Refusal::TooManyRequests => "too many requests from one address",
            Refusal::Replaced => "another publisher has taken over",
            Refusal::Absent => "no such stream",
            Refusal::Crowded => "too many players wait for the stream",
            Refusal::Flapping => "the sequence headers change all the time",
            Refusal::Expired => "the permission has ended",
            Refusal::Kicked => "an operator has ended it",
            Refusal::Banned { .. } => "an operator has closed the stream for a while",
            Refusal::OutOfMemory => "the server is short of memory",
            Refusal::ShuttingDown => "the server is shutting down",
        } or {
            Refusal::Excess(excess) => excess.reason()
        }
    }
}

pub(super) fn rtmp_status(refusal: Refusal, intent: Intent) -> Status {
    let code = match refusal {
        Refusal::Taken | Refusal::Contested | Refusal::Replaced => StatusCode::PublishBadName,
        Refusal::Absent => StatusCode::PlayStreamNotFound,
        Refusal::Crowded => StatusCode::PlayFailed,
        Refusal::TooOften | Refusal::Flapping => StatusCode::PublishFailed,
        Refusal::Expired | Refusal::Kicked | Refusal::Banned { .. } => denied(intent),
        Refusal::TooManyRequests | Refusal::Excess(_) | Refusal::OutOfMemory => match intent {
            Intent::Publish => StatusCode::PublishFailed,
            Intent::Play => StatusCode::PlayFailed,
        },
        Refusal::ShuttingDown => StatusCode::ConnectAppShutdown,
    };
    Status::new(code, refusal.reason())
}

/// What RTMP says to a peer that may not.
pub(super) const fn denied(intent: Intent) -> StatusCode {
    match intent {
        Intent::Publish => StatusCode::PublishDenied,
        Intent::Play => StatusCode::PlayFailed,
    }
}

pub(super) fn http_status(refusal: Refusal) -> HttpStatus {
    match refusal {
        Refusal::Taken | Refusal::Contested | Refusal::Replaced => HttpStatus::Conflict,
        Refusal::Absent => HttpStatus::NotFound,
        Refusal::TooOften | Refusal::TooManyRequests => HttpStatus::TooManyRequests,
        Refusal::Flapping => HttpStatus::BadRequest,
        Refusal::Expired | Refusal::Kicked | Refusal::Banned { .. } => HttpStatus::Forbidden,
        Refusal::Crowded | Refusal::Excess(_) | Refusal::OutOfMemory | Refusal::ShuttingDown => {
            HttpStatus::ServiceUnavailable
        }
    }
}
