//! A publisher.

use super::socket;
use crate::conversation::{self, session, time};
use crate::media::{self, Pattern};

use headwater_core::rtmp::{ClientEvent, ClientSession, Purpose};
use socket2::Socket;
use std::io::{Error, Result};
use std::net::SocketAddr;
use std::time::Duration;

/// A publisher of the pattern, in real time.
pub(super) struct Publisher {
    socket: Socket,
    session: ClientSession,
    /// How long it waits with its first frame, so that the keyframes of several do not coincide.
    phase: Duration,
    /// When its stream began.
    started: Option<Duration>,
    /// The number of the next frame.
    sequence: u32,
    is_silent: bool,
    next_read: Duration,
    next_sign: Duration,
}

/// Between two reads of what the server says to a publisher, which is little and nothing urgent.
const READ_INTERVAL: Duration = Duration::from_millis(20);
/// Between two messages of a publisher that is silent: well below any server's time limit.
const SIGN_INTERVAL: Duration = Duration::from_secs(5);

impl Publisher {
    pub(super) fn connect(server: SocketAddr, stream: &str, phase: Duration) -> Result<Self> {
        Ok(Publisher {
            socket: socket::connect(server)?,
            session: session(Purpose::Publish, stream),
            phase,
            started: None,
            sequence: 0,
            is_silent: false,
            next_read: Duration::ZERO,
            next_sign: Duration::ZERO,
        })
    }

    pub(super) fn has_started(&self) -> bool {
        self.started.is_some()
    }

    /// Sends no frame from now on, and stays.
    pub(super) fn fall_silent(&mut self) {
        self.is_silent = true;
    }

    /// Does what is due. Returns whether a frame was sent.
    pub(super) fn poll(&mut self, pattern: &Pattern, scratch: &mut [u8]) -> Result<bool> {
        let now = media::now();
        if now >= self.next_read {
            self.next_read = now
                + if self.has_started() {
                    READ_INTERVAL
                } else {
                    Duration::ZERO
                };
            if let Some(mut input) = socket::read(&self.socket, scratch)? {
                while let Some(event) = self.session.handle_input(time(), &mut input).map_err(Error::other)? {
                    match event {
                        ClientEvent::Started => self.start(now)?,
                        ClientEvent::Refused { .. } | ClientEvent::Ended(_) => {
                            return Err(Error::other(format!("publisher: {event:?}")));
                        }
                        _ => {}
                    }
                }
            }
        }
        let has_sent = self.send_due(pattern, now)?;
        socket::write(&self.socket, self.session.output())?;
        Ok(has_sent)
    }

    fn start(&mut self, now: Duration) -> Result<()> {
        self.started = Some(now + self.phase);
        for frame in media::headers() {
            self.session.send_frame(&frame).map_err(Error::other)?;
        }
        Ok(())
    }

    fn send_due(&mut self, pattern: &Pattern, now: Duration) -> Result<bool> {
        let Some(started) = self.started else { return Ok(false) };
        if self.is_silent {
            if now >= self.next_sign {
                self.next_sign = now + SIGN_INTERVAL;
                conversation::write_sign_of_life(self.session.output());
            }
            return Ok(false);
        }
        let mut has_sent = false;
        while self.session.can_send() && started + pattern.due(self.sequence) <= now {
            let frame = pattern.frame(self.sequence, media::now());
            self.session.send_frame(&frame).map_err(Error::other)?;
            self.sequence += 1;
            has_sent = true;
        }
        Ok(has_sent)
    }
}
