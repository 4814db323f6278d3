//! An HTTP client whose words are text.
//!
//! | Sent | |
//! |--|--|
//! | `GET /live/x HTTP/1.1 \| Host: x` | A request, its lines separated by bars. `pad=5` adds so many letters |
//! | `FLV audio video`, `video(0, 1701) + audio(5, af01)` | The header and tags of a body, in chunks if the request says so |
//! | `end of body` | The last chunk; the close frame of a WebSocket that publishes, whose FLV is in messages |
//! | `bytes 474554` | Bytes in hexadecimal; in chunked bodies a chunk |
//!
//! | Received | |
//! |--|--|
//! | `HTTP/1.1 200 OK \| Content-Type: video/x-flv` | The head of a response, without the fields in [`UNSHOWN`] |
//! | `FLV audio video`, `video(0, 1701)` | The header and a tag, of a body or of WebSocket messages |
//! | `text "no such stream"` | A body that is text |
//! | `end of body` | The last chunk |
//! | `ping`, `pong`, `close 1000`, `close 4409 "reason"` | WebSocket frames |

use crate::script;
use bytes::Buf;
use headwater_core::flv::{FlvItem, FlvReader, FlvWriter, TagFlags};
use headwater_core::rtmp::chunk::{ChunkStreamId, Message, MessageStreamId, MessageTypeId};
use headwater_core::{Frame, Limits, Output};
use std::collections::VecDeque;

/// How header fields begin that are the same in every response of a kind, so that they say nothing in a transcript: caching
/// and cross-origin access. The unit tests of core hold them.
const UNSHOWN: [&str; 8] = [
    "Access-Control-Allow-Headers:",
    "Access-Control-Allow-Methods:",
    "Access-Control-Allow-Origin: *",
    "Access-Control-Max-Age:",
    "Cache-Control:",
    "Expires:",
    "Pragma:",
    "X-Content-Type-Options:",
];

pub struct HttpClient {
    sending: Sending,
    /// For each request without a response: whether it was `HEAD`.
    requests: VecDeque<bool>,
    unread: Vec<u8>,
    reading: Reading,
    flv: FlvReader,
}

/// How a body is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    Bare,
    Chunks,
    /// Binary WebSocket messages.
    Messages,
}

/// What comes next.
#[derive(Clone, Copy)]
enum Reading {
    Head,
    /// FLV up to the end of the connection.
    Bare,
    /// FLV in chunks.
    Chunks,
    /// FLV in WebSocket messages.
    Messages,
    /// So many bytes of text.
    Text(usize),
}

impl HttpClient {
    pub fn new() -> HttpClient {
        HttpClient {
            sending: Sending::Bare,
            requests: VecDeque::new(),
            unread: Vec::new(),
            reading: Reading::Head,
            flv: FlvReader::new(&Limits::default()),
        }
    }

    pub fn encode(&mut self, what: &str) -> Vec<u8> {
        if what.contains(" HTTP/") {
            return self.encode_head(what);
        }
        let piece = match what.split_once(' ') {
            _ if what == "end of body" => Vec::new(),
            Some(("bytes", hex)) => script::from_hex(hex).to_vec(),
            Some(("FLV", kinds)) => flv(|output| {
                let (audio, video) = (kinds.contains("audio"), kinds.contains("video"));
                FlvWriter::header(TagFlags { audio, video }, output);
            }),
            _ => flv(|output| {
                let messages = script::parse_all(what);
                messages
                    .into_iter()
                    .for_each(|message| FlvWriter::frame(&frame(message), output));
            }),
        };
        match self.sending {
            Sending::Bare => piece,
            Sending::Chunks => [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat(),
            Sending::Messages if what == "end of body" => masked(0x88, &1_000_u16.to_be_bytes()),
            Sending::Messages if what.starts_with("bytes ") => piece,
            Sending::Messages => masked(0x82, &piece),
        }
    }

    fn encode_head(&mut self, what: &str) -> Vec<u8> {
        let (lines, padding) = match what.rsplit_once(" pad=") {
            Some((lines, len)) => (lines, "a".repeat(len.parse().unwrap())),
            None => (what, String::new()),
        };
        let publishes = lines.contains("?publish") || lines.contains("Sec-WebSocket-Protocol: publisher");
        self.sending = if lines.contains("Transfer-Encoding: chunked") {
            Sending::Chunks
        } else if lines.contains("Upgrade: websocket") && publishes {
            Sending::Messages
        } else {
            Sending::Bare
        };
        self.requests.push_back(lines.starts_with("HEAD "));
        format!("{}{padding}\r\n\r\n", lines.replace(" | ", "\r\n")).into_bytes()
    }

    /// Adds to `lines` what the server has said with `bytes`.
    pub fn decode(&mut self, bytes: &[u8], lines: &mut VecDeque<String>) {
        self.unread.extend_from_slice(bytes);
        while let Some(len) = self.step(lines) {
            self.unread.drain(..len);
        }
    }

    /// Reads one piece and returns its length, if all of it is there.
    fn step(&mut self, lines: &mut VecDeque<String>) -> Option<usize> {
        match self.reading {
            Reading::Head => {
                let len = self.unread.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
                let head = String::from_utf8(self.unread[..len].to_vec()).expect("a head is text");
                self.reading = self.body_of(&head);
                let is_shown = |line: &&str| !line.is_empty() && !UNSHOWN.iter().any(|it| line.starts_with(it));
                let shown: Vec<_> = head.split("\r\n").filter(is_shown).collect();
                lines.push_back(shown.join(" | "));
                Some(len)
            }
            Reading::Bare => {
                let piece = self.unread.clone();
                self.read_flv(&piece, lines);
                (!piece.is_empty()).then_some(piece.len())
            }
            Reading::Chunks => {
                let size_len = self.unread.windows(2).position(|window| window == b"\r\n")?;
                let size = str::from_utf8(&self.unread[..size_len]).expect("a chunk size is text");
                let size = usize::from_str_radix(size, 16).expect("a chunk size is hexadecimal");
                let len = size_len + 2 + size + 2;
                let chunk = self.unread.get(size_len + 2..len)?.strip_suffix(b"\r\n");
                let chunk = chunk.expect("a chunk ends with its line").to_vec();
                self.read_flv(&chunk, lines);
                if chunk.is_empty() {
                    self.reading = Reading::Head;
                    lines.push_back("end of body".to_owned());
                }
                Some(len)
            }
            Reading::Messages => {
                let (first, len) = (*self.unread.first()?, usize::from(*self.unread.get(1)?));
                let (start, len) = match len {
                    126 => (
                        4,
                        usize::from(u16::from_be_bytes([*self.unread.get(2)?, *self.unread.get(3)?])),
                    ),
                    127.. => panic!("no message here is as long, or masked by a server"),
                    len => (2, len),
                };
                let message = self.unread.get(start..start + len)?.to_vec();
                match first {
                    0x82 => self.read_flv(&message, lines),
                    0x88 => {
                        let code = u16::from_be_bytes([message[0], message[1]]);
                        let reason = str::from_utf8(&message[2..]).expect("a reason is text");
                        lines.push_back(match reason {
                            "" => format!("close {code}"),
                            reason => format!("close {code} {reason:?}"),
                        });
                    }
                    0x89 => lines.push_back("ping".to_owned()),
                    0x8a => lines.push_back("pong".to_owned()),
                    other => panic!("no such WebSocket frame: {other:02x}"),
                }
                Some(start + len)
            }
            Reading::Text(len) => {
                let text = str::from_utf8(self.unread.get(..len)?).expect("a body is text");
                lines.push_back(format!("text {:?}", text.trim_end()));
                self.reading = Reading::Head;
                Some(len)
            }
        }
    }

    /// What follows the head of a response.
    fn body_of(&mut self, head: &str) -> Reading {
        let status = head.split(' ').nth(1).expect("a status line");
        if status == "100" {
            return Reading::Head;
        }
        let is_head_only = self.requests.pop_front().unwrap_or(false);
        self.flv = FlvReader::new(&Limits::default());
        let content_len = head
            .split("\r\n")
            .find_map(|line| line.strip_prefix("Content-Length: "));
        match content_len.map(|len| len.parse().expect("a length")) {
            _ if status == "101" => Reading::Messages,
            _ if is_head_only || status == "204" => Reading::Head,
            Some(0) => Reading::Head,
            Some(len) => Reading::Text(len),
            None if head.contains("Transfer-Encoding: chunked") => Reading::Chunks,
            None => Reading::Bare,
        }
    }

    fn read_flv(&mut self, mut bytes: &[u8], lines: &mut VecDeque<String>) {
        while let Some(item) = self.flv.handle_input(&mut bytes).expect("the server sends FLV") {
            let line = match item {
                FlvItem::Header(TagFlags { audio, video }) => {
                    let kinds = [(" audio", audio), (" video", video)].into_iter();
                    let kinds: String = kinds.filter_map(|(kind, is_there)| is_there.then_some(kind)).collect();
                    format!("FLV{kinds}")
                }
                FlvItem::Frame(frame) => message(frame).to_string(),
                other => format!("{other:?}"),
            };
            lines.push_back(line);
        }
    }
}

/// A WebSocket frame of a client, with a mask that is not 0.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).expect("no message here is long");
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    [first, 0x80 | len].into_iter().chain(mask).chain(masked).collect()
}

fn flv(write: impl FnOnce(&mut Output)) -> Vec<u8> {
    let mut output = Output::new();
    write(&mut output);
    output.copy_to_bytes(output.len()).to_vec()
}

fn frame(message: Message) -> Frame {
    match message.type_id {
        MessageTypeId::AUDIO => Frame::audio(message.timestamp, message.payload),
        MessageTypeId::VIDEO => Frame::video(message.timestamp, message.payload),
        _ => Frame::data(message.timestamp, message.payload),
    }
}

fn message(frame: Frame) -> Message {
    Message {
        csid: ChunkStreamId::DATA,
        msid: MessageStreamId::CONTROL,
        type_id: MessageTypeId(frame.kind.type_id()),
        timestamp: frame.timestamp,
        payload: frame.payload,
    }
}
