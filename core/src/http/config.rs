//! What every HTTP session of a server has in common.

use super::origin::AllowedOrigin;
use crate::Limits;
use alloc::vec::Vec;

/// What every session of a server has in common. Sessions share it behind an `Arc`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct HttpConfig {
    /// What a peer may make us hold or wait for.
    pub limits: Limits,
    /// Web pages that may publish, besides those of the host that they publish to. None.
    pub allowed_origins: Vec<AllowedOrigin>,
    /// The form of what a session refuses: on its own, because the request is broken or takes too long, and by
    /// [`reject`](super::HttpSession::reject). A text.
    pub refusals: Refusals,
}

/// The form of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub enum Refusals {
    /// A few words for people, which every web page may read: players are in pages from anywhere.
    #[default]
    Text,
    /// `{"code":400,"error":"bad_request","reason":"..."}`, which no page of another site may read: for an API. `error` is what
    /// RFC 9110 and RFC 6585 call the status.
    Json,
}

impl HttpConfig {
    /// The defaults, with other limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        HttpConfig {
            limits,
            ..HttpConfig::default()
        }
    }
}
