//! A small HTTP client that sees each byte of a response, and its end.

use super::DEADLINE;
use headwater_core::flv::{FlvItem, FlvReader};
use headwater_core::{Frame, FrameKind, Limits};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A response whose body is being read.
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

/// A chunked body. Reading returns 0 only at its proper end.
pub struct Body {
    stream: BufReader<TcpStream>,
    left_in_chunk: usize,
    has_ended: bool,
}

/// `GET path` over a connection of its own.
pub fn get(server: SocketAddr, path: &str) -> Response {
    read_response(send_get(server, path))
}

/// The same; `None` if the server closes the connection without an answer.
pub fn try_get(server: SocketAddr, path: &str) -> Option<Response> {
    let mut stream = connect(server, Ipv4Addr::LOCALHOST);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let is_answered = stream.peek(&mut [0]).is_ok_and(|len| len > 0);
    is_answered.then(|| read_response(stream))
}

/// The first half of [`get`]; [`read_response`] is the other.
pub fn send_get(server: SocketAddr, path: &str) -> TcpStream {
    let mut stream = connect(server, Ipv4Addr::LOCALHOST);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {server}\r\n\r\n").unwrap();
    stream
}

/// `POST path` with a chunked `body`, all at once, from `source`.
pub fn post_from(source: Ipv4Addr, server: SocketAddr, path: &str, body: &[u8]) -> Response {
    let mut push = Push::start_from(source, server, path);
    push.send(body);
    push.finish()
}

/// A push under way, in chunks.
pub struct Push(TcpStream);

impl Push {
    /// Begins to `POST path`.
    pub fn start(server: SocketAddr, path: &str) -> Push {
        Push::start_from(Ipv4Addr::LOCALHOST, server, path)
    }

    fn start_from(source: Ipv4Addr, server: SocketAddr, path: &str) -> Push {
        let mut stream = connect(server, source);
        stream.set_nodelay(true).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {server}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        .unwrap();
        Push(stream)
    }

    /// Sends `bytes` as one chunk. A server that refuses may stop reading before the end.
    pub fn send(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
            let _ = self.0.write_all(&chunk);
        }
    }

    /// Sends `bytes` byte by byte, and those that are left all at once when that is asked for: a publisher that is there for
    /// as long as a test wants it, and never silent.
    pub fn trickle(mut self, bytes: Vec<u8>) -> Trickle {
        let (finish, asked) = mpsc::channel();
        let thread = thread::spawn(move || {
            for (sent, byte) in bytes.iter().enumerate() {
                if asked.recv_timeout(TRICKLE_INTERVAL) != Err(RecvTimeoutError::Timeout) {
                    self.send(&bytes[sent..]);
                    return self.finish();
                }
                self.send(&[*byte]);
            }
            panic!("the test took too long for a push of {} bytes", bytes.len());
        });
        Trickle { finish, thread }
    }

    /// Sends the last chunk, and returns the answer.
    pub fn finish(mut self) -> Response {
        let _ = self.0.write_all(b"0\r\n\r\n");
        read_response(self.0)
    }
}

/// How long a [`Trickle`] waits between two bytes. 5 ms: often enough for a publisher that is to keep its name, and for a
/// frame that is on its way to count as media.
const TRICKLE_INTERVAL: Duration = Duration::from_millis(5);

/// A push that takes its time.
pub struct Trickle {
    finish: Sender<()>,
    thread: JoinHandle<Response>,
}

impl Trickle {
    /// Sends what is left, and returns the answer.
    pub fn finish(self) -> Response {
        drop(self.finish);
        self.thread.join().unwrap()
    }
}

/// A connection to `server` from a local address.
pub fn connect(server: SocketAddr, source: Ipv4Addr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(IpAddr::V4(source), 0).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// The answer, as far as its body.
pub fn read_response(stream: TcpStream) -> Response {
    let mut stream = BufReader::new(stream);
    let status_line = read_line(&mut stream).unwrap();
    let status = status_line
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .unwrap_or_else(|| panic!("not a status line: {status_line:?}"));
    let mut headers = Vec::new();
    loop {
        let line = read_line(&mut stream).unwrap();
        if line.is_empty() {
            break;
        }
        let (name, value) = line
            .split_once(':')
            .unwrap_or_else(|| panic!("not a header field: {line:?}"));
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Response {
        status,
        headers,
        body: Body {
            stream,
            left_in_chunk: 0,
            has_ended: false,
        },
    }
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(io::Error::new(ErrorKind::UnexpectedEof, format!("cut off in {line:?}"))),
    }
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// Reads FLV until `is_enough` or the end of the body, and returns the frames.
    pub fn read_flv_until(&mut self, mut is_enough: impl FnMut(&[Frame]) -> bool) -> Vec<Frame> {
        assert_eq!(self.status, 200);
        let mut reader = FlvReader::new(&Limits::default());
        let mut frames = Vec::new();
        let mut scratch = [0; 16 << 10];
        while !is_enough(&frames) {
            let len = self.body.read(&mut scratch).expect("the body has a proper end");
            if len == 0 {
                break;
            }
            let mut input = &scratch[..len];
            while let Some(item) = reader.handle_input(&mut input).expect("the body is FLV") {
                if let FlvItem::Frame(frame) = item {
                    frames.push(frame);
                }
            }
        }
        frames
    }

    /// The connection ends with a reset, as if the machine had crashed.
    pub fn reset_on_drop(&self) {
        let socket = socket2::SockRef::from(self.body.stream.get_ref());
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Reads FLV to the end of the body.
    pub fn read_flv(mut self) -> Vec<Frame> {
        self.read_flv_until(|_| false)
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left_in_chunk == 0 && !self.has_ended {
            let size = read_line(&mut self.stream)?;
            self.left_in_chunk = usize::from_str_radix(&size, 16)
                .map_err(|_| io::Error::new(ErrorKind::InvalidData, format!("not a chunk size: {size:?}")))?;
            if self.left_in_chunk == 0 {
                self.has_ended = true;
                read_line(&mut self.stream)?;
            }
        }
        if self.has_ended {
            return Ok(0);
        }
        let most = buffer.len().min(self.left_in_chunk);
        let len = self.stream.read(&mut buffer[..most])?;
        if len == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.left_in_chunk -= len;
        if self.left_in_chunk == 0 {
            read_line(&mut self.stream)?;
        }
        Ok(len)
    }
}

/// Pictures or sounds, without headers and metadata.
pub fn coded(frames: &[Frame], kind: FrameKind) -> Vec<&Frame> {
    frames
        .iter()
        .filter(|frame| frame.kind == kind && !is_header(frame))
        .collect()
}

pub fn is_header(frame: &Frame) -> bool {
    frame.class.is_header()
}
