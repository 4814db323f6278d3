//! What the server answers. No answer has a `Date`: core has no clock that knows the date, and RFC 9110 §6.6.1 then
//! forbids it.

use super::head::Preflight;
use super::origin::Access;
use super::websocket::{self, Accept, Opcode};
use crate::Output;
use core::fmt;
use core::time::Duration;

/// A status code. RFC 9110 §15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u16)]
pub enum StatusCode {
    /// 200: a push that ended well.
    Ok = 200,
    /// 400: the request makes no sense.
    BadRequest = 400,
    /// 401: credentials are needed.
    Unauthorized = 401,
    /// 403: the credentials do not suffice, or a web page may not do that.
    Forbidden = 403,
    /// 404: no such stream.
    NotFound = 404,
    /// 405: a stream cannot be asked that.
    MethodNotAllowed = 405,
    /// 408: the peer took too long.
    RequestTimeout = 408,
    /// 409: the stream has a publisher already.
    Conflict = 409,
    /// 413: a tag of the push is too large.
    ContentTooLarge = 413,
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
            StatusCode::BadRequest => "Bad Request",
            StatusCode::Unauthorized => "Unauthorized",
            StatusCode::Forbidden => "Forbidden",
            StatusCode::NotFound => "Not Found",
            StatusCode::MethodNotAllowed => "Method Not Allowed",
            StatusCode::RequestTimeout => "Request Timeout",
            StatusCode::Conflict => "Conflict",
            StatusCode::ContentTooLarge => "Content Too Large",
            StatusCode::UpgradeRequired => "Upgrade Required",
            StatusCode::TooManyRequests => "Too Many Requests",
            StatusCode::HeadTooLarge => "Request Header Fields Too Large",
            StatusCode::InternalServerError => "Internal Server Error",
            StatusCode::ServiceUnavailable => "Service Unavailable",
            StatusCode::VersionNotSupported => "HTTP Version Not Supported",
        }
    }

    /// Header fields without which an answer with this status is incomplete.
    const fn required_fields(self) -> &'static str {
        match self {
            StatusCode::Unauthorized => "WWW-Authenticate: Basic realm=\"headwater\"\r\n",
            StatusCode::MethodNotAllowed => "Allow: GET, HEAD, POST, PUT, OPTIONS\r\n",
            StatusCode::UpgradeRequired => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            _ => "",
        }
    }
}

/// The number and the reason phrase.
impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.as_u16(), self.reason_phrase())
    }
}

/// What a `Connection` field must say.
const fn connection(keep_alive: bool) -> &'static str {
    if keep_alive { "" } else { "Connection: close\r\n" }
}

/// `100 Continue`: the client may send its content.
pub(super) fn write_continue(out: &mut Output) {
    out.write(b"HTTP/1.1 100 Continue\r\n\r\n");
}

/// Agrees to a WebSocket. It selects no subprotocol: browsers fail on one that they did not offer.
pub(super) fn write_switching_protocols(accept: &Accept, out: &mut Output) {
    out.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
    );
    out.write(accept);
    out.write(b"\r\n\r\n");
}

/// The head of a stream. It says neither length nor `Accept-Ranges`: with either, ffmpeg would seek.
pub(super) fn write_stream_head(envelope: Envelope, access: &Access, keep_alive: bool, out: &mut Output) {
    let coding = match envelope {
        Envelope::Chunk => "Transfer-Encoding: chunked\r\n",
        _ => "",
    };
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
            coding,
            connection(keep_alive),
            "\r\n",
        ],
        out,
    );
}

/// Answers `OPTIONS`, whatever the path: says what a page with so much access may ask of a stream.
pub(super) fn write_preflight(preflight: &Preflight, access: &Access, keep_alive: bool, out: &mut Output) {
    let methods = access.methods();
    // To a page that sends credentials, a star means nothing.
    let headers = match &*preflight.headers {
        "" => "*",
        headers => headers,
    };
    let private_network = if preflight.enters_private_network {
        "Access-Control-Allow-Private-Network: true\r\n"
    } else {
        ""
    };
    write_pieces(&["HTTP/1.1 204 No Content\r\nAllow: ", methods, "\r\n"], out);
    write_pieces(&access.header_fields(), out);
    write_pieces(
        &[
            "Access-Control-Allow-Methods: ",
            methods,
            "\r\nAccess-Control-Allow-Headers: ",
            headers,
            "\r\nAccess-Control-Max-Age: 86400\r\n",
            private_network,
            connection(keep_alive),
            "\r\n",
        ],
        out,
    );
}

/// A whole answer other than a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) status: StatusCode,
    /// A few words for people; empty for no content.
    pub(super) text: &'a str,
    pub(super) retry_after: Option<Duration>,
    /// The request was `HEAD`: the content is announced, not sent.
    pub(super) head_only: bool,
    pub(super) keep_alive: bool,
}

impl<'a> Answer<'a> {
    /// The last answer on its connection.
    pub(super) const fn new(status: StatusCode, text: &'a str) -> Self {
        Answer {
            status,
            text,
            retry_after: None,
            head_only: false,
            keep_alive: false,
        }
    }

    pub(super) fn write(&self, access: &Access, out: &mut Output) {
        let connection = match (self.status, self.keep_alive) {
            (StatusCode::UpgradeRequired, true) => "Connection: Upgrade\r\n",
            (StatusCode::UpgradeRequired, false) => "Connection: Upgrade, close\r\n",
            (_, keep_alive) => connection(keep_alive),
        };
        let (content_type, content_len) = match self.text {
            "" => ("", 0),
            text => (
                "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n",
                text.len() + 1,
            ),
        };
        out.write(b"HTTP/1.1 ");
        out.write(&self.status.digits());
        write_pieces(
            &[
                " ",
                self.status.reason_phrase(),
                "\r\n",
                content_type,
                "Content-Length: ",
            ],
            out,
        );
        write_number_line::<10>(content_len, out);
        out.write(b"Cache-Control: no-store\r\n");
        write_pieces(&access.header_fields(), out);
        out.write(self.status.required_fields().as_bytes());
        if let Some(wait) = self.retry_after {
            out.write(b"Retry-After: ");
            // Rounded up: a client that comes back early is turned away again.
            let seconds = wait.as_millis().div_ceil(1_000);
            write_number_line::<10>(usize::try_from(seconds).unwrap_or(usize::MAX), out);
        }
        write_pieces(&[connection, "\r\n"], out);
        if content_len > 0 && !self.head_only {
            write_pieces(&[self.text, "\n"], out);
        }
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
pub(super) enum Envelope {
    /// Nothing: the stream ends with the connection. For HTTP/1.0.
    Bare,
    /// A chunk. RFC 9112 §7.1.
    Chunk,
    /// A binary WebSocket message.
    Message,
}

impl Envelope {
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
            Envelope::Message => websocket::write_close(websocket::NORMAL_CLOSURE, out),
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
    use alloc::format;
    use alloc::string::String;
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
            keep_alive: true,
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
                keep_alive: false,
            };
            let text = written(|out| answer.write(&Access::Full, out));
            assert!(
                text.ends_with(&format!("Access-Control-Allow-Origin: *\r\n{fields}\r\n")),
                "{text}"
            );
        }
    }
}
