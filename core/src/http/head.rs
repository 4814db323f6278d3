//! The head of a request: found in the stream, parsed, and boiled down to what decides the answer.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use super::Transport;
use super::authority::Authority;
use super::body::{Body, Chunked};
use super::config::HttpConfig;
use super::fields::HeaderFields;
use super::origin::{Access, Sender};
use super::request::{Method, RequestHead, Version};
use super::response::{Persistence, StatusCode};
use super::websocket;
use crate::name::{percent_decode, split_query};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem::{self, MaybeUninit};
use httparse::{Header, Status};

/// Collects a head from the pieces in which it arrives. Each byte is looked at once, however many pieces there are.
#[derive(Debug, Default)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct HeadReader {
    buffer: Vec<u8>,
    line: Line,
}

/// Where in its line the last byte is.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
enum Line {
    #[default]
    Inside,
    /// The line has no byte yet.
    Empty,
    /// The line has a CR, nothing else.
    Cr,
}

impl HeadReader {
    /// Bytes of memory held, beside itself.
    pub(super) const fn held_memory(&self) -> usize {
        self.buffer.capacity()
    }

    /// Whether nothing of a head has arrived.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Takes bytes off `input` up to the end of the head; `None` if all are taken and the end is still to come.
    ///
    /// Empty lines before a request are skipped, as RFC 9112 §2.2 asks.
    pub(super) fn read(&mut self, input: &mut &[u8], config: &HttpConfig) -> Result<Option<Request>, HeadError> {
        if self.is_empty() {
            while let [b'\r' | b'\n', rest @ ..] = *input {
                *input = rest;
            }
            match *input {
                [] => return Ok(None),
                // Every method begins with a letter. What does not is not worth the wait for an empty line.
                [first, ..] if !first.is_ascii_alphabetic() => return Err(HeadError::NotHttp { first: *first }),
                _ => {}
            }
        }
        let (len, ended) = self.scan(input);
        let (head, rest) = input.split_at_checked(len).unwrap_or((input, &[]));
        *input = rest;
        let max = config.limits.max_http_head;
        if self.buffer.len().saturating_add(head.len()) > max {
            return Err(HeadError::TooLong { max });
        }
        self.buffer.extend_from_slice(head);
        if !ended {
            return Ok(None);
        }
        let head = mem::take(self).buffer;
        let mut request = Request::parse(&head, config)?;
        request.head.fields = HeaderFields::new(head);
        Ok(Some(request))
    }

    /// How many bytes of `input` belong to the head, and whether it ends with them.
    fn scan(&mut self, input: &[u8]) -> (usize, bool) {
        for (at, byte) in input.iter().enumerate() {
            self.line = match (self.line, byte) {
                (Line::Empty | Line::Cr, b'\n') => return (at.saturating_add(1), true),
                (Line::Inside, b'\n') => Line::Empty,
                (Line::Empty, b'\r') => Line::Cr,
                _ => Line::Inside,
            };
        }
        (input.len(), false)
    }
}

/// A request, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) framing: Framing,
    /// What it may do, judged by the web page that sent it, if one did.
    pub(super) access: Access,
    /// What it asks for.
    pub(super) head: Box<RequestHead>,
}

/// How a request goes on and how its answer must be framed: what the session keeps of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Framing {
    pub(super) method: Method,
    /// HTTP/1.0: knows neither chunks nor `100 Continue`.
    pub(super) is_http_1_0: bool,
    /// Whether another request may follow.
    pub(super) persistence: Persistence,
    /// `Expect: 100-continue`.
    pub(super) expects_continue: bool,
    /// For a request to open a WebSocket: the value of `Sec-WebSocket-Accept`.
    pub(super) websocket: Option<websocket::Accept>,
    /// The sub-protocol that it offers by which it would publish.
    pub(super) subprotocol: Option<&'static str>,
    /// What has not been read of the content.
    pub(super) body: Body,
    /// Whether its owner has asked for the content.
    pub(super) is_body_read: bool,
}

impl Framing {
    /// Whether it may be a push: by its content, or by the messages of its WebSocket.
    pub(super) fn is_push(&self) -> bool {
        self.websocket.is_some() || self.method.is_push() && !self.is_body_read
    }

    /// Whether it may be a push whose content has not come.
    pub(super) fn awaits_content(&self) -> bool {
        self.is_push() && self.body != Body::EMPTY
    }

    /// How the tags of a play are to travel.
    pub(super) const fn transport(&self) -> Transport {
        match self.websocket {
            Some(_) => Transport::WebSocket,
            None => Transport::Http,
        }
    }
}

impl Request {
    /// Parses a head that is known to be complete.
    fn parse(bytes: &[u8], config: &HttpConfig) -> Result<Self, HeadError> {
        let max = config.limits.max_http_headers;
        let mut few = [const { MaybeUninit::uninit() }; PLACES];
        let mut many = Vec::new();
        let places = match few.get_mut(..max) {
            Some(few) => few,
            None => {
                // A field has at least a letter, a colon and a line end.
                many.resize(max.min(bytes.len() / 3), MaybeUninit::uninit());
                &mut many[..]
            }
        };
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(bytes, places) {
            Ok(Status::Complete(len)) if len == bytes.len() => {}
            Ok(_) => return Err(HeadError::Malformed),
            Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooManyHeaders { max }),
            Err(httparse::Error::Version) => return Err(HeadError::UnknownVersion),
            Err(_) => return Err(HeadError::Malformed),
        }
        let headers = Headers(request.headers);
        let method = request.method.and_then(Method::from_token).unwrap_or(Method::Other);
        let is_http_1_0 = request.version == Some(0);
        let mut hosts = headers.values("host");
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => Some(parse_host(host)?),
            (None, None) if is_http_1_0 => None,
            _ => return Err(HeadError::BadHost),
        };
        let body = headers.body(method, is_http_1_0)?;
        let websocket = match method {
            Method::Get if !is_http_1_0 => headers.websocket()?,
            _ => None,
        };
        if websocket.is_some() && body != Body::EMPTY {
            return Err(HeadError::WebSocketContent);
        }
        let subprotocol =
            websocket.and_then(|_| websocket::publisher_protocol(headers.members("sec-websocket-protocol")));
        let access = Access::of(headers.sender(host), &config.allowed_origins);
        let framing = Framing {
            method,
            is_http_1_0,
            persistence: headers.persistence(is_http_1_0).only_if(body != Body::UntilClose),
            expects_continue: !is_http_1_0 && headers.has("expect", "100-continue"),
            websocket,
            subprotocol,
            body,
            is_body_read: false,
        };
        let (path, query) = split_target(request.path.unwrap_or_default());
        let decoded = percent_decode(path).map_err(|_| HeadError::BadTarget)?;
        let head = Box::new(RequestHead {
            method,
            version: if is_http_1_0 { Version::Http10 } else { Version::Http11 },
            undecoded_path: (decoded != path).then(|| path.into()),
            path: decoded.into(),
            query: query.into(),
            fields: HeaderFields::default(),
            access: access.clone(),
            transport: framing.transport(),
            subprotocol,
        });
        Ok(Request { framing, access, head })
    }
}

/// Path and query of a request target in origin form or absolute form. RFC 9112 §3.2.
fn split_target(target: &str) -> (&str, &str) {
    if target.starts_with('/') {
        return split_query(target);
    }
    let target = match target.split_once("://") {
        Some((scheme, rest)) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
            rest.find(['/', '?', '#']).and_then(|at| rest.get(at..)).unwrap_or("/")
        }
        _ => target,
    };
    split_query(target)
}

/// The header fields of a request. Names and the tokens that we look for are compared without case.
struct Headers<'h>(&'h [Header<'h>]);

impl<'h> Headers<'h> {
    fn values(&self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.0
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    }

    /// The members of all fields called `name`, read as comma-separated lists.
    fn members(&self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.values(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
    }

    fn has(&self, name: &str, token: &str) -> bool {
        self.members(name)
            .any(|member| member.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Whether the peer lets another request follow. RFC 9112 §9.3.
    fn persistence(&self, is_http_1_0: bool) -> Persistence {
        if self.has("connection", "close") {
            Persistence::Close
        } else if !is_http_1_0 {
            Persistence::Open
        } else if self.has("connection", "keep-alive") {
            Persistence::KeepAlive
        } else {
            Persistence::Close
        }
    }

    /// The sender of a request to `host`. Several origins are nobody's.
    fn sender(&self, host: Option<Authority<'h>>) -> Sender<'h> {
        let mut origins = self.values("origin");
        let origin = match (origins.next(), origins.next()) {
            (origin, None) => origin,
            (_, Some(_)) => Some(&b"null"[..]),
        };
        Sender {
            host,
            origin,
            is_cross_site: self.has("sec-fetch-site", "cross-site"),
        }
    }

    /// Where the content ends. RFC 9112 §6.3, except that a push may do without any framing: `ffmpeg -chunked_post 0`
    /// sends until it closes.
    ///
    /// Everything that another reader on the way might frame differently is refused.
    fn body(&self, method: Method, is_http_1_0: bool) -> Result<Body, HeadError> {
        let mut lengths = self.members("content-length").map(parse_length);
        let length = match lengths.next() {
            Some(first) if first.is_none() || lengths.any(|other| other != first) => return Err(HeadError::BadLength),
            first => first.flatten(),
        };
        let mut codings = self.members("transfer-encoding");
        match (codings.next(), length) {
            (Some(_), Some(_)) => Err(HeadError::ConflictingFraming),
            (Some(coding), None) => {
                let is_chunked = coding.eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
                if is_chunked && !is_http_1_0 {
                    Ok(Body::Chunked(Chunked::START))
                } else {
                    Err(HeadError::UnknownTransferEncoding)
                }
            }
            (None, Some(length)) => Ok(Body::Length(length)),
            (None, None) if method.is_push() => Ok(Body::UntilClose),
            (None, None) => Ok(Body::EMPTY),
        }
    }

    /// The answer to the key of a WebSocket opening handshake, if this is one. RFC 6455 §4.2.1.
    fn websocket(&self) -> Result<Option<websocket::Accept>, HeadError> {
        if !(self.has("connection", "upgrade") && self.has("upgrade", "websocket")) {
            return Ok(None);
        }
        if !self.has("sec-websocket-version", "13") {
            return Err(HeadError::WebSocketVersion);
        }
        let mut keys = self.values("sec-websocket-key");
        let accept = keys.next().and_then(websocket::accept);
        match (accept, keys.next()) {
            (Some(accept), None) => Ok(Some(accept)),
            _ => Err(HeadError::WebSocketKey),
        }
    }
}

/// Header fields that find place on the stack. 100: as many as there may be by default.
const PLACES: usize = 100;

/// The host that is asked. What cannot be a host is not meant for us, or not meant well.
fn parse_host(value: &[u8]) -> Result<Authority<'_>, HeadError> {
    let host = core::str::from_utf8(value).ok().and_then(Authority::parse);
    host.ok_or(HeadError::MalformedHost)
}

/// Digits only: no sign, no blank inside.
fn parse_length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// What it likely is that begins with `first`, for people.
const fn likely(first: u8) -> &'static str {
    match first {
        0x03 => " (RTMP)",
        0x16 => " (TLS)",
        _ => "",
    }
}

/// Why a request head cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The first byte begins no method. There is nothing to answer.
    #[error("first byte {first:#04x}{} is not HTTP", likely(*first))]
    NotHttp {
        /// That byte.
        first: u8,
    },
    /// The head exceeds [`max_http_head`](crate::Limits::max_http_head).
    #[error("request head exceeds the limit of {max} bytes")]
    TooLong {
        /// The limit in bytes.
        max: usize,
    },
    /// More header fields than [`max_http_headers`](crate::Limits::max_http_headers).
    #[error("request head exceeds the limit of {max} header fields")]
    TooManyHeaders {
        /// The limit.
        max: usize,
    },
    /// Not what RFC 9112 calls a request head.
    #[error("malformed request head")]
    Malformed,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    #[error("unknown HTTP version")]
    UnknownVersion,
    /// No `Host`, or several. RFC 9112 §3.2.
    #[error("a request needs exactly one Host field")]
    BadHost,
    /// `Host` is not a host with a port or without.
    #[error("malformed Host")]
    MalformedHost,
    /// The path is not UTF-8 once decoded.
    #[error("request path is not UTF-8")]
    BadTarget,
    /// `Content-Length` is not a number, or several numbers.
    #[error("bad Content-Length")]
    BadLength,
    /// Both `Transfer-Encoding` and `Content-Length`.
    #[error("conflicting Transfer-Encoding and Content-Length")]
    ConflictingFraming,
    /// `Transfer-Encoding` is not just `chunked`, or the request is HTTP/1.0.
    #[error("Transfer-Encoding is not chunked")]
    UnknownTransferEncoding,
    /// A WebSocket version other than 13.
    #[error("WebSocket version is not 13")]
    WebSocketVersion,
    /// `Sec-WebSocket-Key` is absent, repeated, or not 16 bytes in base64.
    #[error("bad Sec-WebSocket-Key")]
    WebSocketKey,
    /// A request to open a WebSocket has content, which would be taken for its first frames.
    #[error("a WebSocket request has no content")]
    WebSocketContent,
}

impl HeadError {
    /// What to answer; `None` if the peer would not understand it.
    #[must_use]
    pub const fn status(&self) -> Option<StatusCode> {
        Some(match self {
            HeadError::NotHttp { .. } => return None,
            HeadError::TooLong { .. } | HeadError::TooManyHeaders { .. } => StatusCode::HeadTooLarge,
            HeadError::UnknownVersion => StatusCode::VersionNotSupported,
            HeadError::WebSocketVersion => StatusCode::UpgradeRequired,
            _ => StatusCode::BadRequest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use alloc::format;
    use alloc::string::String;

    fn read(bytes: &[u8]) -> Result<Request, HeadError> {
        let mut input = bytes;
        HeadReader::default()
            .read(&mut input, &HttpConfig::default())
            .map(Option::unwrap)
    }

    fn head(bytes: &[u8]) -> RequestHead {
        *read(bytes).unwrap().head
    }

    fn read_fields(fields: &str) -> Result<Request, HeadError> {
        read(format!("POST /live/x HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n").as_bytes())
    }

    #[test]
    fn any_cut_of_a_head_gives_the_same_request() {
        let bytes = b"\r\nGET /live/%78.flv?a=%20 HTTP/1.1\r\nHost: h\r\nUser-Agent: Lavf/59.27.100\r\nAccept: */*\r\n\
            Range: bytes=0-\r\nConnection: close\r\nIcy-MetaData: 1\r\n\r\nnext";
        let expected = read(bytes).unwrap();
        let asked = &expected.head;
        assert_eq!((&*asked.path, &*asked.query), ("/live/x.flv", "a=%20"));
        assert_eq!((asked.path_as_sent(), asked.host()), ("/live/%78.flv", Some("h")));
        assert_eq!(asked.query_value("a").as_deref(), Some(" "));
        assert_eq!(expected.framing.persistence, Persistence::Close);
        let config = HttpConfig::default();
        for cut in 0..bytes.len() {
            let (mut front, mut back) = bytes.split_at(cut);
            let mut reader = HeadReader::default();
            let head = match reader.read(&mut front, &config).unwrap() {
                Some(head) => head,
                None => reader.read(&mut back, &config).unwrap().unwrap(),
            };
            assert_eq!(head, expected, "cut at {cut}");
            assert!([front, back].concat().ends_with(b"next"));
        }
    }

    #[test]
    fn a_bare_line_feed_ends_a_line() {
        assert_eq!(&*head(b"GET /a/b HTTP/1.0\n\n").path, "/a/b");
        assert_eq!(&*head(b"GET /a/b HTTP/1.1\nHost: h\n\r\n").path, "/a/b");
    }

    #[test]
    fn a_path_is_decoded_once() {
        for (target, path, query) in [
            ("/a/b", "/a/b", ""),
            ("/a/%2541%2F?q=%41?#", "/a/%41/", "q=%41?#"),
            ("/a/b#c?d", "/a/b", "c?d"),
            ("/a/%E7%9B%B4", "/a/直", ""),
            ("/a/100%", "/a/100%", ""),
            ("http://host:80/a/b?c", "/a/b", "c"),
            ("HTTPS://host", "/", ""),
            ("http://host?c", "", "c"),
            ("http://host#c", "", "c"),
            ("*", "*", ""),
        ] {
            let head = head(format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes());
            assert_eq!((&*head.path, &*head.query), (path, query), "{target}");
        }
        assert_eq!(read(b"GET /a/%FF HTTP/1.0\r\n\r\n"), Err(HeadError::BadTarget));
    }

    #[test]
    fn framing_has_one_reading_or_none() {
        for (fields, body) in [
            ("Content-Length: 5", Ok(Body::Length(5))),
            ("Content-Length: 5\r\nContent-Length: 5, 5", Ok(Body::Length(5))),
            ("Transfer-Encoding: Chunked", Ok(Body::Chunked(Chunked::START))),
            ("Accept: */*", Ok(Body::UntilClose)),
            ("Content-Length: 5\r\nContent-Length: 6", Err(HeadError::BadLength)),
            ("Content-Length: 5, 6", Err(HeadError::BadLength)),
            ("Content-Length: 5\r\nContent-Length: x", Err(HeadError::BadLength)),
            ("Content-Length:", Err(HeadError::BadLength)),
            ("Content-Length: -1", Err(HeadError::BadLength)),
            ("Content-Length: +1", Err(HeadError::BadLength)),
            ("Content-Length: 0x1", Err(HeadError::BadLength)),
            ("Content-Length: 18446744073709551616", Err(HeadError::BadLength)),
            (
                "Transfer-Encoding: chunked\r\nContent-Length: 5",
                Err(HeadError::ConflictingFraming),
            ),
            (
                "Content-Length: 5\r\nTransfer-Encoding: identity",
                Err(HeadError::ConflictingFraming),
            ),
            (
                "Transfer-Encoding: gzip, chunked",
                Err(HeadError::UnknownTransferEncoding),
            ),
            (
                "Transfer-Encoding: chunked, chunked",
                Err(HeadError::UnknownTransferEncoding),
            ),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                Err(HeadError::UnknownTransferEncoding),
            ),
            ("Transfer-Encoding: xchunked", Err(HeadError::UnknownTransferEncoding)),
            ("Transfer-Encoding : chunked", Err(HeadError::Malformed)),
            ("Content-Length: 5\r\n folded: 6", Err(HeadError::Malformed)),
            ("A: b\rContent-Length: 5", Err(HeadError::Malformed)),
        ] {
            assert_eq!(
                read_fields(fields).map(|request| request.framing.body),
                body,
                "{fields}"
            );
        }
        assert_eq!(
            read(b"POST /a/b HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Err(HeadError::UnknownTransferEncoding)
        );
    }

    #[test]
    fn exactly_one_host() {
        for head in [
            "GET /a/b HTTP/1.1\r\n\r\n",
            "GET /a/b HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n",
        ] {
            assert_eq!(read(head.as_bytes()), Err(HeadError::BadHost), "{head}");
        }
    }

    #[test]
    fn limits_hold_whether_the_end_is_in_sight_or_not() {
        let config = HttpConfig::new(Limits {
            max_http_head: 100,
            max_http_headers: 2,
            ..Limits::default()
        });
        let too_long = HeadError::TooLong { max: 100 };
        for bytes in ["G".repeat(101), format!("GET /{} HTTP/1.0\r\n\r\n", "x".repeat(100))] {
            let mut input = bytes.as_bytes();
            assert_eq!(HeadReader::default().read(&mut input, &config), Err(too_long.clone()));
            let mut reader = HeadReader::default();
            let error = bytes
                .as_bytes()
                .chunks(1)
                .find_map(|mut byte| reader.read(&mut byte, &config).err());
            assert_eq!(error.as_ref(), Some(&too_long));
        }
        let mut fits: &[u8] = &[b"GET /", &[b'x'; 82][..], b" HTTP/1.0\r\n\r\n"].concat();
        assert_eq!(fits.len(), 100);
        assert!(HeadReader::default().read(&mut fits, &config).unwrap().is_some());
        let mut fields: &[u8] = b"GET /a/b HTTP/1.0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n";
        assert_eq!(
            HeadReader::default().read(&mut fields, &config),
            Err(HeadError::TooManyHeaders { max: 2 })
        );
    }

    #[test]
    fn other_protocols_are_told_by_their_first_byte() {
        for first in [0x03, 0x16, 0x00, b'{', 0xff] {
            let mut input = &[first][..];
            assert_eq!(
                HeadReader::default().read(&mut input, &HttpConfig::default()),
                Err(HeadError::NotHttp { first })
            );
        }
        let http_2 = read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        assert_eq!(http_2, Err(HeadError::UnknownVersion));
    }

    #[test]
    fn a_websocket_needs_both_tokens_a_version_and_a_key() {
        let fields = [
            "Connection: keep-alive, Upgrade",
            "Upgrade: WebSocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        let head = |without: usize, version: &str| {
            let fields: Vec<&str> = (fields.iter().enumerate())
                .filter_map(|(i, field)| (i != without).then_some(*field))
                .collect();
            let head: String = format!("GET /a/b HTTP/{version}\r\nHost: h\r\n{}\r\n\r\n", fields.join("\r\n"));
            read(head.as_bytes()).map(|request| request.framing.websocket)
        };
        assert_eq!(head(9, "1.1"), Ok(Some(*b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
        assert_eq!(head(9, "1.0"), Ok(None));
        assert_eq!(head(0, "1.1"), Ok(None));
        assert_eq!(head(1, "1.1"), Ok(None));
        assert_eq!(head(2, "1.1"), Err(HeadError::WebSocketVersion));
        assert_eq!(head(3, "1.1"), Err(HeadError::WebSocketKey));
    }
}
