//! Headwater's core: RTMP, FLV and HTTP-FLV as pure state machines.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

pub mod amf;
pub mod chunk;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "server")]
pub mod driver;
pub mod end_cause;
pub mod flv;
pub mod handshake;
pub mod http;
pub mod hub;
pub mod limits;
pub mod media;
pub mod message;
pub mod output;
#[cfg(feature = "server")]
pub mod server;
pub mod session;
pub mod stream_key;
pub mod time;
pub mod timers;
pub mod timestamp;

pub use end_cause::EndCause;
pub use limits::Limits;
pub use media::{Frame, FrameClass, FrameKind, TrackId};
pub use output::Output;
pub use stream_key::{StreamKey, StreamKeyError};
pub use time::Time;
pub use timers::Timer;
pub use timestamp::Timestamp;
