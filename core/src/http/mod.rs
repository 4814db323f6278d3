//! HTTP/1.1 for FLV: pull, push, WebSocket.

mod body;
mod error;
mod event;
mod head;
mod response;
mod session;
mod websocket;

pub use body::BodyError;
pub use error::HttpError;
pub use event::{HttpEvent, Transport};
pub use head::HeadError;
pub use response::StatusCode;
pub use session::HttpSession;
pub use websocket::WebSocketError;
