//! Headwater: a live streaming server for RTMP and HTTP-FLV.

pub use headwater_core as core;
#[cfg(feature = "tokio")]
pub use headwater_tokio as tokio;
