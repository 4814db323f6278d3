//! Conversations of every kind of peer, step by step, to be broken off after any of them.

use crate::good::{flv_head, sound, tag};
use crate::support::http;
use crate::support::server::Server;
use headwater_core::rtmp::message::command;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// What a peer is, and what its stream is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    RtmpPublisher,
    RtmpPlayer,
    HttpPublisher,
    HttpPlayer,
    WebSocketPlayer,
}

pub const KINDS: [Kind; 5] = [
    Kind::RtmpPublisher,
    Kind::RtmpPlayer,
    Kind::HttpPublisher,
    Kind::HttpPlayer,
    Kind::WebSocketPlayer,
];

/// What a peer sends before it is answered, if it is.
pub struct Step {
    bytes: Vec<u8>,
    is_answered: bool,
}

fn asks(bytes: impl Into<Vec<u8>>) -> Step {
    Step {
        bytes: bytes.into(),
        is_answered: true,
    }
}

fn says(bytes: impl Into<Vec<u8>>) -> Step {
    Step {
        bytes: bytes.into(),
        is_answered: false,
    }
}

impl Kind {
    /// All that a peer of this kind says about the stream `live/name`. A player waits for it if it is not there.
    pub fn steps(self, name: &str) -> Vec<Step> {
        match self {
            Kind::RtmpPublisher => {
                let mut steps = rtmp_steps();
                steps.push(asks(on_stream(call("publish", Some(name)))));
                let first = sound(0).payload;
                let (front, back) = first.split_at(3);
                steps.push(says(message(8, b"\xAF\0\x12\x10")));
                steps.push(says([message(8, &sound(1).payload), head(8, 6), front.into()].concat()));
                steps.push(says(back));
                steps.push(asks(call("deleteStream", None)));
                steps
            }
            Kind::RtmpPlayer => {
                let mut steps = rtmp_steps();
                steps.push(asks(on_stream(call("play", Some(name)))));
                steps.push(asks(on_stream(call("closeStream", None))));
                steps
            }
            Kind::HttpPublisher => {
                let first = tag(&sound(0));
                let (front, back) = first.split_at(14);
                vec![
                    says(format!("POST /live/{name} HT")),
                    asks("TP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"),
                    says(chunk(&flv_head())),
                    says(chunk(front)),
                    says(chunk(back)),
                    says("5\r\nab"),
                ]
            }
            Kind::HttpPlayer => vec![
                says(format!("GET /live/{name}?wait=60 HT")),
                says("TP/1.1\r\nHost: x\r\n\r\n"),
                says(format!("GET /live/{name} HTTP/1.1\r\nHost: x\r\n\r\n")),
            ],
            Kind::WebSocketPlayer => vec![
                says(format!("GET /live/{name}?wait=60 HTTP/1.1\r\nHost: x\r\nUpgrade: web")),
                says(
                    "socket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                ),
                says(b"\x89\x80\0\0\0\0"),
                says(b"\x88\x80\0\0\0\0"),
            ],
        }
    }

    /// A peer of this kind that has said so much about `live/name`.
    pub fn connect(self, server: &Server, name: &str, steps: usize) -> TcpStream {
        let is_rtmp = matches!(self, Kind::RtmpPublisher | Kind::RtmpPlayer);
        let address = if is_rtmp { server.rtmp } else { server.http };
        let mut socket = http::connect(address, Ipv4Addr::LOCALHOST);
        socket.set_nodelay(true).unwrap();
        for step in self.steps(name).iter().take(steps) {
            socket.write_all(&step.bytes).unwrap();
            if step.is_answered {
                let len = socket.read(&mut [0; 8 << 10]).unwrap();
                assert!(len > 0, "{self:?} was cut off");
            }
        }
        socket
    }
}

/// Ends a connection as a machine does that has crashed and come back.
pub fn reset(socket: TcpStream) {
    let socket = socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO));
    socket.unwrap();
}

/// What an RTMP client says up to its stream 1.
fn rtmp_steps() -> Vec<Step> {
    // Chunks of 64 KiB from here on.
    let chunk_size = [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 1, 0, 0];
    let connect = command::encode("connect", 1.0, |writer| {
        writer.object_start().key("app").string("live").object_end();
    });
    vec![
        says([3; 700]),
        asks([3; 1 + 1_536 - 700]),
        says([3; 1_000]),
        asks([&[3; 536][..], &chunk_size, &message(20, &connect)].concat()),
        asks(call("createStream", None)),
    ]
}

/// The header of a message of so many bytes, in one chunk.
fn head(type_id: u8, len: u8) -> Vec<u8> {
    vec![
        3,
        0,
        0,
        0,
        0,
        0,
        len,
        type_id,
        u8::from(matches!(type_id, 8 | 9)),
        0,
        0,
        0,
    ]
}

fn message(type_id: u8, payload: &[u8]) -> Vec<u8> {
    [head(type_id, u8::try_from(payload.len()).unwrap()), payload.into()].concat()
}

fn call(name: &str, argument: Option<&str>) -> Vec<u8> {
    let payload = command::encode(name, 1.0, |writer| {
        writer.null();
        if let Some(argument) = argument {
            writer.string(argument);
        }
    });
    message(20, &payload)
}

/// The same message on stream 1.
fn on_stream(mut message: Vec<u8>) -> Vec<u8> {
    message[8] = 1;
    message
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
