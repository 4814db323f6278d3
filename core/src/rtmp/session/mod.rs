//! The conversation, both sides. RTMP 1.0 §7. The page of [`rtmp`](super) says how to use it.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod calls;
mod client;
mod config;
mod connect;
mod error;
mod event;
mod link;
mod machine;
mod replies;
mod server;
mod state;
mod status;
mod target;
mod url;

pub use client::{ClientEvent, ClientRequest, ClientSession, Purpose};
pub use config::SessionConfig;
pub use connect::{Capabilities, Connect};
pub use error::ProtocolError;
pub use event::{Anomaly, Event, PlayControl, PlayStart, PublishKind};
pub use server::{ServerSession, SessionStats};
pub use status::{Level, Status, StatusCode};
pub use url::UrlError;

use super::chunk::MessageStreamId;
