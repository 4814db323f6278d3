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
