//! What the server answers. No answer has a `Date`: core has no clock that knows the date, and RFC 9110 §6.6.1 then
//! forbids it.

use super::origin::Access;
use super::websocket::{self, Accept, Opcode};
use crate::Output;
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::time::Duration;

/// A status code. RFC 9110 §15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u16)]
pub enum StatusCode {
    /// 200: a push that ended well, among others.
    Ok = 200,
    /// 201: something new is there.
    Created = 201,
    /// 202: it will be done.
    Accepted = 202,
    /// 204: done, and nothing to say.
    NoContent = 204,
    /// 302: it is elsewhere, as `Location` says.
    Found = 302,
    /// 304: what the client has is still right.
    NotModified = 304,
    /// 400: the request makes no sense.
    BadRequest = 400,
    /// 401: credentials are needed.
    Unauthorized = 401,
    /// 403: the credentials do not suffice, or a web page may not do that.
    Forbidden = 403,
    /// 404: no such stream, or nothing else of this name.
    NotFound = 404,
    /// 405: what is there cannot be asked that.
    MethodNotAllowed = 405,
    /// 408: the peer took too long.
    RequestTimeout = 408,
    /// 409: the stream has a publisher already.
    Conflict = 409,
    /// 413: a tag of the push, or the whole content, is too large.
    ContentTooLarge = 413,
    /// 415: the content is of a kind that is not taken.
    UnsupportedMediaType = 415,
    /// 426: another WebSocket version is needed.
    UpgradeRequired = 426,
    /// 429: too many requests from there.
    TooManyRequests = 429,
    /// 431: the request head is too large.
    HeadTooLarge = 431,
    /// 500: the server failed.
    InternalServerError = 500,
    /// 503: the server is full, or going down.
    ServiceUnavailable = 503,
    /// 505: neither HTTP/1.0 nor HTTP/1.1.
    VersionNotSupported = 505,
}

impl StatusCode {
    /// The number.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self as u16
    }

    /// The number, in ASCII.
    const fn digits(self) -> [u8; 3] {
        const fn last_digit(number: u16) -> u8 {
            b'0' + (number % 10) as u8
        }
        let number = self.as_u16();
        [last_digit(number / 100), last_digit(number / 10), last_digit(number)]
    }

    /// What RFC 9110 and RFC 6585 call it.
    #[must_use]
    pub const fn reason_phrase(self) -> &'static str {
        match self {
            StatusCode::Ok => "OK",
            StatusCode::Created => "Created",
            StatusCode::Accepted => "Accepted",
            StatusCode::NoContent => "No Content",
            StatusCode::Found => "Found",
            StatusCode::NotModified => "Not Modified",
            StatusCode::BadRequest => "Bad Request",
            StatusCode::Unauthorized => "Unauthorized",
            StatusCode::Forbidden => "Forbidden",
            StatusCode::NotFound => "Not Found",
            StatusCode::MethodNotAllowed => "Method Not Allowed",
            StatusCode::RequestTimeout => "Request Timeout",
            StatusCode::Conflict => "Conflict",
            StatusCode::ContentTooLarge => "Content Too Large",
            StatusCode::UnsupportedMediaType => "Unsupported Media Type",
            StatusCode::UpgradeRequired => "Upgrade Required",
            StatusCode::TooManyRequests => "Too Many Requests",
            StatusCode::HeadTooLarge => "Request Header Fields Too Large",
            StatusCode::InternalServerError => "Internal Server Error",
            StatusCode::ServiceUnavailable => "Service Unavailable",
            StatusCode::VersionNotSupported => "HTTP Version Not Supported",
        }
    }

    /// A header field without which an answer with this status is incomplete: its name and the whole, with others that
    /// belong to it.
    const fn required_fields(self) -> (&'static str, &'static str) {
        match self {
            StatusCode::Unauthorized => ("WWW-Authenticate", "WWW-Authenticate: Basic realm=\"headwater\"\r\n"),
            StatusCode::MethodNotAllowed => ("Allow", "Allow: GET, HEAD, POST, PUT, OPTIONS\r\n"),
            StatusCode::UpgradeRequired => ("Upgrade", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
            _ => ("", ""),
        }
    }

    /// What a `Connection` field must say.
    const fn connection(self, persistence: Persistence) -> &'static str {
        match (self, persistence) {
            (StatusCode::UpgradeRequired, Persistence::Close) => "Connection: Upgrade, close\r\n",
            (StatusCode::UpgradeRequired, _) => "Connection: Upgrade\r\n",
            (_, persistence) => persistence.connection(),
        }
    }

    /// Whether a response with this status has content, if only none to see. RFC 9110 §6.4.1.
    const fn has_content(self) -> bool {
        !matches!(self, StatusCode::NoContent | StatusCode::NotModified)
    }
}

/// The number and the reason phrase.
impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.as_u16(), self.reason_phrase())
    }
}

/// Whether another request may follow on a connection. RFC 9112 §9.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Persistence {
    /// No: the response is the last.
    Close,
    /// Yes, as HTTP/1.1 has it unless a peer says otherwise.
    Open,
    /// Yes, by HTTP/1.0, whose peer has asked for it and has to be told.
    KeepAlive,
}

impl Persistence {
    pub(super) const fn is_open(self) -> bool {
        !matches!(self, Persistence::Close)
    }

    /// The same, or an end unless `may_follow`.
    pub(super) const fn only_if(self, may_follow: bool) -> Self {
        if may_follow { self } else { Persistence::Close }
    }

    /// What a `Connection` field must say.
    const fn connection(self) -> &'static str {
        match self {
            Persistence::Close => "Connection: close\r\n",
            Persistence::Open => "",
            Persistence::KeepAlive => "Connection: keep-alive\r\n",
        }
    }
}

/// `100 Continue`: the client may send its content.
pub(super) fn write_continue(out: &mut Output) {
    out.write(b"HTTP/1.1 100 Continue\r\n\r\n");
}

/// Agrees to a WebSocket, and to one of the sub-protocols that it offers, if any: browsers fail on one that they did not offer.
pub(super) fn write_switching_protocols(accept: &Accept, subprotocol: Option<&str>, out: &mut Output) {
    out.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
    );
    out.write(accept);
    if let Some(name) = subprotocol {
        write_pieces(&["\r\nSec-WebSocket-Protocol: ", name], out);
    }
    out.write(b"\r\n\r\n");
}

/// The head of a stream. It says neither length nor `Accept-Ranges`: with either, ffmpeg would seek.
pub(super) fn write_stream_head(envelope: Envelope, access: &Access, persistence: Persistence, out: &mut Output) {
    write_pieces(
        &["HTTP/1.1 200 OK\r\n\
            Content-Type: video/x-flv\r\n\
            Cache-Control: no-cache, no-store\r\n\
            Pragma: no-cache\r\n\
            Expires: -1\r\n"],
        out,
    );
    write_pieces(&access.header_fields(), out);
    write_pieces(
        &[
            "X-Content-Type-Options: nosniff\r\n",
            envelope.coding(),
            persistence.connection(),
            "\r\n",
        ],
        out,
    );
}

/// A whole answer to any request, made by the owner of a session: [`respond`](super::HttpSession::respond).
///
/// The session adds what framing needs: `Content-Length`, `Connection`, and what a status demands and `fields` lack (`Allow`,
/// `WWW-Authenticate`). It sends no content in answer to `HEAD`, nor with a status that has none.
///
/// Web pages of other sites cannot read it, unless [`readable_by`](Self::readable_by) lets them.
///
/// ```
/// use headwater_core::http::{Response, StatusCode};
///
/// let streams = Response::json(r#"{"streams":[]}"#);
/// let page = Response::new(StatusCode::Ok)
///     .with_field("Content-Type", "text/html; charset=utf-8")
///     .with_field("Cache-Control", "max-age=60")
///     .with_body("<!DOCTYPE html><title>Headwater</title>");
/// # assert_eq!((streams.fields.len(), page.fields.len()), (3, 2));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// How it went.
    pub status: StatusCode,
    /// Header fields in their order, those left out that the session adds. In a value, each control character is sent as a
    /// blank, so none ends the field.
    pub fields: Vec<(&'static str, Cow<'static, str>)>,
    /// The content. From 256 bytes on it is sent by reference, so one that many ask for is there once.
    pub body: Bytes,
}

impl Response {
    /// No header fields and no content.
    #[must_use]
    pub const fn new(status: StatusCode) -> Self {
        Response {
            status,
            fields: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// A text for people, not to be kept by caches.
    #[must_use]
    pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Self {
        Response::of_type(status, "text/plain; charset=utf-8", text.into())
    }

    /// 200 with a text in JSON, not to be kept by caches.
    #[must_use]
    pub fn json(text: impl Into<Bytes>) -> Self {
        Response::of_type(StatusCode::Ok, "application/json", text.into())
    }

    fn of_type(status: StatusCode, content_type: &'static str, body: Bytes) -> Self {
        let field = |name, value| (name, Cow::Borrowed(value));
        Response {
            status,
            fields: alloc::vec![
                field("Content-Type", content_type),
                field("X-Content-Type-Options", "nosniff"),
                field("Cache-Control", "no-store"),
            ],
            body,
        }
    }

    /// With one more header field. A name that is none (RFC 9110 §5.1) is left out, and so are `Content-Length`,
    /// `Transfer-Encoding` and `Connection`, which the session sees to.
    #[must_use]
    pub fn with_field(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// With this content.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// With another status.
    #[must_use]
    pub const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// With the header fields that let the page read it from which the request came ([`RequestHead::access`]), whichever site
    /// it is of. What is answered to players has them, too.
    ///
    /// [`RequestHead::access`]: super::RequestHead::access
    #[must_use]
    pub fn readable_by(self, access: &Access) -> Self {
        match access {
            Access::Full | Access::Read => self.with_field("Access-Control-Allow-Origin", "*"),
            Access::Named(origin) => self
                .with_field("Access-Control-Allow-Origin", String::from(origin.as_str()))
                .with_field("Access-Control-Allow-Credentials", "true")
                .with_field("Vary", "Origin"),
        }
    }

    pub(super) fn write(&self, head_only: bool, persistence: Persistence, out: &mut Output) {
        self.write_fields(out);
        let has_content = self.status.has_content();
        if has_content {
            out.write(b"Content-Length: ");
            write_number_line::<10>(self.body.len(), out);
        }
        write_pieces(&[self.status.connection(persistence), "\r\n"], out);
        if has_content && !head_only {
            out.write_shared(&self.body);
        }
    }

    /// Writes the head of a response whose content follows as it comes, to the end of the connection.
    pub(super) fn write_open(&self, envelope: Envelope, out: &mut Output) {
        self.write_fields(out);
        write_pieces(
            &[envelope.coding(), self.status.connection(Persistence::Close), "\r\n"],
            out,
        );
    }

    /// Writes the status line and the header fields, without those that frame the content.
    fn write_fields(&self, out: &mut Output) {
        let (required, lines) = self.status.required_fields();
        let mut has_required = required.is_empty();
        write_status_line(self.status, out);
        for (name, value) in self.fields.iter().filter(|(name, _)| is_field_name(name)) {
            has_required |= name.eq_ignore_ascii_case(required);
            write_pieces(&[name, ": "], out);
            write_value(value, out);
        }
        if !has_required {
            out.write(lines.as_bytes());
        }
    }
}

/// Whether a field may be called so: a token, and none of those that frame the response.
fn is_field_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_framing = ["Content-Length", "Transfer-Encoding", "Connection"]
        .iter()
        .any(|framing| name.eq_ignore_ascii_case(framing));
    !name.is_empty() && name.bytes().all(is_token) && !is_framing
}

/// Writes the value of a field and the end of its line. RFC 9110 §5.5: what could end the line is a blank.
fn write_value(value: &str, out: &mut Output) {
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    for (index, piece) in value.as_bytes().split(is_control).enumerate() {
        if index > 0 {
            out.write(b" ");
        }
        out.write(piece);
    }
    out.write(b"\r\n");
}

fn write_status_line(status: StatusCode, out: &mut Output) {
    out.write(b"HTTP/1.1 ");
    out.write(&status.digits());
    write_pieces(&[" ", status.reason_phrase(), "\r\n"], out);
}

/// A whole answer other than a stream: a few words for people, with what players expect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) status: StatusCode,
    /// A few words for people; empty for no content.
    pub(super) text: &'a str,
    pub(super) retry_after: Option<Duration>,
    /// The request was `HEAD`: the content is announced, not sent.
    pub(super) head_only: bool,
    pub(super) persistence: Persistence,
}

impl<'a> Answer<'a> {
    /// The last answer on its connection.
    pub(super) const fn new(status: StatusCode, text: &'a str) -> Self {
        Answer {
            status,
            text,
            retry_after: None,
            head_only: false,
            persistence: Persistence::Close,
        }
    }

    /// The same in JSON, with no field that lets pages of other sites read it.
    pub(super) fn to_json(self) -> Response {
        if self.text.is_empty() {
            return Response::new(self.status);
        }
        let error = self.status.reason_phrase().to_ascii_lowercase().replace(' ', "_");
        let reason: String = self.text.chars().map(escaped).collect();
        let code = self.status.as_u16();
        let text = format!("{{\"code\":{code},\"error\":\"{error}\",\"reason\":\"{reason}\"}}\n");
        let response = Response::json(text).with_status(self.status);
        match self.retry_after {
            Some(wait) => response.with_field("Retry-After", whole_seconds(wait).to_string()),
            None => response,
        }
    }

    pub(super) fn write(&self, access: &Access, out: &mut Output) {
        let connection = self.status.connection(self.persistence);
        let (content_type, content_len) = match self.text {
            "" => ("", 0),
            text => (
                "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n",
                text.len() + 1,
            ),
        };
        write_status_line(self.status, out);
        write_pieces(&[content_type, "Content-Length: "], out);
        write_number_line::<10>(content_len, out);
        out.write(b"Cache-Control: no-store\r\n");
        write_pieces(&access.header_fields(), out);
        out.write(self.status.required_fields().1.as_bytes());
        if let Some(wait) = self.retry_after {
            out.write(b"Retry-After: ");
            write_number_line::<10>(whole_seconds(wait), out);
        }
        write_pieces(&[connection, "\r\n"], out);
        if content_len > 0 && !self.head_only {
            write_pieces(&[self.text, "\n"], out);
        }
    }
}

/// Rounded up: a client that comes back early is turned away again.
fn whole_seconds(wait: Duration) -> usize {
    usize::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(usize::MAX)
}

/// A character as it may stand in a string in JSON. RFC 8259 §7.
fn escaped(character: char) -> String {
    match character {
        '"' | '\\' => format!("\\{character}"),
        '\0'..='\u{1f}' => format!("\\u{:04x}", u32::from(character)),
        _ => character.into(),
    }
}

/// Writes one piece after the other. Formatting would cost several times as much, and a peer that asks on and on pays
/// for nothing else than an answer.
fn write_pieces(pieces: &[&str], out: &mut Output) {
    for piece in pieces {
        out.write(piece.as_bytes());
    }
}

/// What surrounds each tag of a stream on its way to a player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Envelope {
    /// Nothing: the stream ends with the connection. For HTTP/1.0.
    Bare,
    /// A chunk. RFC 9112 §7.1.
    Chunk,
    /// A binary WebSocket message.
    Message,
}

impl Envelope {
    /// The header field that says so.
    const fn coding(self) -> &'static str {
        match self {
            Envelope::Chunk => "Transfer-Encoding: chunked\r\n",
            Envelope::Bare | Envelope::Message => "",
        }
    }

    /// Writes what precedes `len` bytes. Allocates nothing.
    pub(super) fn open(self, len: usize, out: &mut Output) {
        match self {
            Envelope::Bare => {}
            Envelope::Chunk => write_number_line::<16>(len, out),
            Envelope::Message => websocket::write_header(Opcode::Binary, len, out),
        }
    }

    /// Writes what follows them.
    pub(super) fn close(self, out: &mut Output) {
        if self == Envelope::Chunk {
            out.write(b"\r\n");
        }
    }

    /// Writes the end of the stream.
    pub(super) fn end(self, out: &mut Output) {
        match self {
            Envelope::Bare => {}
            Envelope::Chunk => out.write(b"0\r\n\r\n"),
            Envelope::Message => websocket::write_close(websocket::NORMAL_CLOSURE, "", out),
        }
    }
}

/// Writes `number` in digits to the base `RADIX`, at most 16, and the end of its line; put together on the stack.
fn write_number_line<const RADIX: usize>(number: usize, out: &mut Output) {
    // As many digits as 64 bits may need, to the base 10.
    let mut line = *b"00000000000000000000\r\n";
    let mut left = number;
    let mut start = line.len() - 2;
    while let Some(place) = start.checked_sub(1).and_then(|at| line.get_mut(at)) {
        *place = b"0123456789abcdef".get(left % RADIX).copied().unwrap_or_default();
        start -= 1;
        left /= RADIX;
        if left == 0 {
            break;
        }
    }
    out.write(line.get(start..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Buf;

    fn written(write: impl FnOnce(&mut Output)) -> String {
        let mut out = Output::new();
        write(&mut out);
        String::from_utf8(out.copy_to_bytes(out.len()).to_vec()).unwrap()
    }

    #[test]
    fn numbers_have_no_more_digits_than_they_need() {
        for len in [0, 1, 9, 10, 15, 16, 255, 4_096, 0xabc_def0, usize::MAX] {
            assert_eq!(written(|out| write_number_line::<16>(len, out)), format!("{len:x}\r\n"));
            assert_eq!(written(|out| write_number_line::<10>(len, out)), format!("{len}\r\n"));
        }
    }

    #[test]
    fn an_answer_is_short_and_complete() {
        let answer = Answer {
            status: StatusCode::NotFound,
            text: "no such stream",
            retry_after: Some(Duration::from_millis(1_500)),
            head_only: false,
            persistence: Persistence::Open,
        };
        let head = "HTTP/1.1 404 Not Found\r\n\
            Content-Type: text/plain; charset=utf-8\r\n\
            X-Content-Type-Options: nosniff\r\n\
            Content-Length: 15\r\n\
            Cache-Control: no-store\r\n\
            Access-Control-Allow-Origin: *\r\n\
            Retry-After: 2\r\n\r\n";
        assert_eq!(
            written(|out| answer.write(&Access::Full, out)),
            format!("{head}no such stream\n")
        );
        let head_only = Answer {
            head_only: true,
            ..answer
        };
        assert_eq!(written(|out| head_only.write(&Access::Full, out)), head);
    }

    #[test]
    fn an_answer_in_json_is_for_no_page_of_another_site() {
        let answer = Answer {
            retry_after: Some(Duration::from_secs(2)),
            persistence: Persistence::Open,
            ..Answer::new(StatusCode::HeadTooLarge, "a \"b\" \\ \n c")
        };
        let expected = "HTTP/1.1 431 Request Header Fields Too Large\r\n\
            Content-Type: application/json\r\n\
            X-Content-Type-Options: nosniff\r\n\
            Cache-Control: no-store\r\n\
            Retry-After: 2\r\n\
            Content-Length: 86\r\n\r\n\
            {\"code\":431,\"error\":\"request_header_fields_too_large\",\"reason\":\"a \\\"b\\\" \\\\ \\u000a c\"}\n";
        assert_eq!(
            written(|out| answer.to_json().write(false, Persistence::Open, out)),
            expected
        );
        let empty = Answer::new(StatusCode::Ok, "");
        assert_eq!(empty.to_json(), Response::new(StatusCode::Ok));
    }

    #[test]
    fn some_statuses_need_fields() {
        for (status, fields) in [
            (
                StatusCode::MethodNotAllowed,
                "Allow: GET, HEAD, POST, PUT, OPTIONS\r\nConnection: close\r\n",
            ),
            (
                StatusCode::UpgradeRequired,
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: Upgrade, close\r\n",
            ),
            (
                StatusCode::Unauthorized,
                "WWW-Authenticate: Basic realm=\"headwater\"\r\nConnection: close\r\n",
            ),
        ] {
            let answer = Answer {
                status,
                text: "",
                retry_after: None,
                head_only: false,
                persistence: Persistence::Close,
            };
            let text = written(|out| answer.write(&Access::Full, out));
            assert!(
                text.ends_with(&format!("Access-Control-Allow-Origin: *\r\n{fields}\r\n")),
                "{text}"
            );
        }
    }
}
