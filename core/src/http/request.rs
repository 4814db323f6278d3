//! What a request says, for those who decide about it.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use super::event::Transport;
use super::fields::HeaderFields;
use super::origin::Access;
use crate::name::query_value;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt;

/// A request without its content.
///
/// It is the owner's to keep or to drop: the session remembers by itself how the answer is to be framed. It holds at most
/// [`max_http_head`](crate::Limits::max_http_head) bytes of header fields, and as many of decoded path and query.
/// [`Debug`](fmt::Debug) leaves out what may hold credentials: the query, and the values of the header fields.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestHead {
    /// What is to be done.
    pub method: Method,
    /// Which HTTP the peer speaks.
    pub version: Version,
    /// What it is to be done with: without the query, percent-decoded once. `*` is what `OPTIONS *` asks.
    pub path: Box<str>,
    /// The same as it was sent, if that differs.
    pub(super) undecoded_path: Option<Box<str>>,
    /// What follows the first `?` or `#`, as it was sent.
    pub query: Box<str>,
    /// What else it says.
    pub fields: HeaderFields,
    /// What the web page may do that has sent it, if one has.
    pub access: Access,
    /// How the tags travel if it is let play or publish: whether it asks for a WebSocket.
    pub transport: Transport,
    /// The sub-protocol of those that its WebSocket offers by which a client says that it publishes: `publisher` or `post`.
    /// [`accept_publish`](super::HttpSession::accept_publish) agrees to it.
    pub subprotocol: Option<&'static str>,
}

impl RequestHead {
    /// The path as it was sent.
    #[must_use]
    pub fn path_as_sent(&self) -> &str {
        self.undecoded_path.as_ref().unwrap_or(&self.path)
    }

    /// Whom the peer believes to talk to: the value of `Host`, a name or an address, perhaps with a port. A peer that
    /// speaks HTTP/1.0 may leave it out.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.fields.get("host")
    }

    /// The percent-decoded value of the first parameter called `name` of the query; empty if it has no `=`.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<Cow<'_, str>> {
        query_value(&self.query, name)
    }
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.method)
            .field("version", &self.version)
            .field("path", &self.path)
            .field("fields", &self.fields)
            .field("access", &self.access)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

/// What is to be done. RFC 9110 §9, RFC 5789.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// Give it to me.
    Get,
    /// Tell me what `GET` would be answered, without the content.
    Head,
    /// Take this in.
    Post,
    /// Put this in its place.
    Put,
    /// Change it like this.
    Patch,
    /// Remove it.
    Delete,
    /// Tell me what may be done with it.
    Options,
    /// A method that is none of these. Its owner answers it as any that it does not serve.
    Other,
}

impl Method {
    /// The method with this name, which is in capital letters. `CONNECT` and `TRACE` are for others than origin servers.
    #[must_use]
    pub fn from_token(token: &str) -> Option<Self> {
        Some(match token {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            "OPTIONS" => Method::Options,
            _ => return None,
        })
    }

    /// Its name; `OTHER` for [`Method::Other`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
            Method::Other => "OTHER",
        }
    }

    /// Whether content with this method may last until the end of input.
    pub(super) const fn is_push(self) -> bool {
        matches!(self, Method::Post | Method::Put)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The versions of HTTP that are spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Version {
    /// HTTP/1.0: knows neither chunks nor `100 Continue`, and is answered once per connection unless it says
    /// `Connection: keep-alive`.
    Http10,
    /// HTTP/1.1.
    Http11,
}
