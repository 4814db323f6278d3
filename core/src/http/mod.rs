//! HTTP/1.1 for FLV: pull, push, WebSocket. RFC 9110, RFC 9112, RFC 6455.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /app/name.flv` | plays: tags in chunks, bare for HTTP/1.0 |
//! | `GET`, with `Upgrade: websocket` | plays: tags in binary messages |
//! | `HEAD` | asks what `GET` would be answered |
//! | `POST`, `PUT` | publishes: FLV in chunks, with a length, or until the end of input |
//! | `OPTIONS` | a preflight: pages from anywhere may play, those of our own host or an allowed origin publish |
//!
//! `.flv` may be left out. [`HttpSession`] is all there is to drive; it knows no stream, so it asks its owner by an
//! [`HttpEvent`] and waits for the answer. What a request could be framed as by someone else on the way is refused, and
//! content that is not read ends the connection.

mod authority;
mod body;
mod config;
mod error;
mod event;
mod fields;
mod head;
mod origin;
mod response;
mod session;
#[cfg(test)]
mod tests;
mod websocket;

pub use body::BodyError;
pub use config::HttpConfig;
pub use error::HttpError;
pub use event::{HttpEvent, Transport};
pub use fields::HeaderFields;
pub use head::HeadError;
pub use origin::{AllowedOrigin, ForeignOrigin, Origin, OriginError};
pub use response::StatusCode;
pub use session::HttpSession;
pub use websocket::WebSocketError;
