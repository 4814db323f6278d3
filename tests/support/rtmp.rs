//! An RTMP player that sees each message.

use super::http;
use bytes::Buf;
use headwater_core::rtmp::{ClientEvent, ClientRequest, ClientSession, Purpose, SessionConfig};
use headwater_core::{EndCause, Frame, Time};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

/// A player on a connection of its own.
pub struct Player {
    stream: String,
    socket: TcpStream,
    clock: Instant,
    session: ClientSession,
    frames: Vec<Frame>,
}

impl Player {
    /// Plays `app/name`; returns once the server has agreed.
    pub fn start(server: SocketAddr, stream: &str) -> Self {
        let (app, name) = stream.split_once('/').expect("app/name");
        let request = ClientRequest {
            purpose: Purpose::Play,
            app: app.into(),
            tc_url: format!("rtmp://{server}/{app}").into(),
            name: name.into(),
        };
        let mut player = Player {
            stream: stream.to_owned(),
            socket: http::connect(server, Ipv4Addr::LOCALHOST),
            clock: Instant::now(),
            session: ClientSession::new(Arc::new(SessionConfig::default()), Time::ZERO, 1, request),
            frames: Vec::new(),
        };
        player.run_until(|event| matches!(event, ClientEvent::Started));
        player
    }

    /// What it gets until the server says that the stream is over.
    pub fn read_to_end(mut self) -> Vec<Frame> {
        self.run_until(|event| matches!(event, ClientEvent::Ended(EndCause::Unpublished)));
        self.frames
    }

    fn run_until(&mut self, is_awaited: impl Fn(&ClientEvent) -> bool) {
        let mut scratch = [0; 16 << 10];
        let mut has_come = false;
        while !has_come {
            let output = self.session.output();
            while output.has_remaining() {
                let len = self.socket.write(output.chunk()).unwrap();
                output.advance(len);
            }
            let len = self.socket.read(&mut scratch).expect("the server is not silent");
            assert_ne!(len, 0, "{} was cut off after {} frames", self.stream, self.frames.len());
            let mut input = &scratch[..len];
            let now = Time::ZERO + self.clock.elapsed();
            while let Some(event) = self.session.handle_input(now, &mut input).unwrap() {
                has_come |= is_awaited(&event);
                match event {
                    ClientEvent::Frame(frame) => self.frames.push(frame),
                    ClientEvent::Ended(_) | ClientEvent::Refused { .. } if !has_come => {
                        panic!("{}: {event:?}", self.stream)
                    }
                    _ => {}
                }
            }
        }
    }
}
