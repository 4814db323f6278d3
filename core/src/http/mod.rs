//! HTTP/1.1 for FLV: pull, push, WebSocket, and whatever else its owner answers. RFC 9110, RFC 9112, RFC 6455.
//!
//! [`HttpSession`] is all there is to drive. It speaks HTTP and knows nothing of what is there: each request comes to its owner
//! as [`HttpEvent::Requested`], with its [`RequestHead`], and waits for one of these answers:
//!
//! | answer | to | what happens |
//! |---|---|---|
//! | [`respond`](HttpSession::respond) | any request | a [`Response`] of the owner's: an API, a page, figures, a preflight |
//! | [`start_response`](HttpSession::start_response) | any request | the head of a [`Response`], whose content comes piece by piece for as long as the owner likes |
//! | [`accept_play`](HttpSession::accept_play) | `GET`, `HEAD` | plays: tags in chunks, bare for HTTP/1.0, in binary messages for a WebSocket |
//! | [`accept_publish`](HttpSession::accept_publish) | `POST`, `PUT`, a WebSocket | publishes: FLV in chunks, with a length, until the end of input, or in binary messages |
//! | [`reject`](HttpSession::reject) | any request | a status and a few words |
//!
//! [`read_body`](HttpSession::read_body) reads the content first, up to a limit, and reports it as [`HttpEvent::Body`].
//!
//! What a request could be framed as by someone else on the way is refused, and content that is not read ends the connection.
//!
//! ```
//! use headwater_core::Time;
//! use headwater_core::http::{HttpConfig, HttpError, HttpEvent, HttpSession, Method, RequestHead, Response, StatusCode};
//! use std::sync::Arc;
//!
//! fn answer(head: &RequestHead) -> Response {
//!     match (head.method, &*head.path) {
//!         (Method::Get | Method::Head, "/health") => Response::json(r#"{"healthy":true}"#),
//!         (_, "/health") => Response::new(StatusCode::MethodNotAllowed).with_field("Allow", "GET, HEAD"),
//!         _ => Response::text(StatusCode::NotFound, "there is only /health\n"),
//!     }
//! }
//!
//! let now = Time::ZERO;
//! let mut session = HttpSession::new(Arc::new(HttpConfig::default()), now);
//! let mut input = &b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"[..];
//! while let Some(event) = session.handle_input(now, &mut input)? {
//!     if let HttpEvent::Requested { id, head } = event {
//!         session.respond(now, id, &answer(&head)).expect("it waits");
//!     }
//! }
//! // What is in `session.output()` goes to the socket.
//! # use bytes::Buf;
//! # let out = session.output();
//! # let sent = out.copy_to_bytes(out.len());
//! # assert!(sent.starts_with(b"HTTP/1.1 200 OK\r\n") && sent.ends_with(b"\r\n\r\n{\"healthy\":true}"));
//! # Ok::<(), HttpError>(())
//! ```

mod authority;
mod body;
mod config;
mod error;
mod event;
mod fields;
mod head;
mod origin;
mod request;
mod response;
mod session;
#[cfg(test)]
mod tests;
mod websocket;

pub use body::BodyError;
pub use config::{HttpConfig, Refusals};
pub use error::HttpError;
pub use event::{HttpEvent, Transport};
pub use fields::HeaderFields;
pub use head::HeadError;
pub use origin::{Access, AllowedOrigin, ForeignOrigin, Origin, OriginError};
pub use request::{Method, RequestHead, Version};
pub use response::{Response, StatusCode};
pub use session::HttpSession;
pub use websocket::WebSocketError;
