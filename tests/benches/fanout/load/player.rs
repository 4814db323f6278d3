//! A player.

use super::socket::{self, Drained};
use crate::conversation::Conversation;
use crate::media::{self, Stamp};
use headwater_core::{FrameClass, FrameKind};
use socket2::Socket;
use std::io::{ErrorKind, Result};
use std::net::SocketAddr;
use std::time::Duration;

/// What a player does with what it gets, once it has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Throws it away without a look.
    Drains,
    /// Reads every frame.
    Follows,
    /// Leaves it where it is.
    Stalls,
}

pub(super) struct Player {
    socket: Socket,
    manner: Manner,
    /// Gone once a player that does not follow has started.
    conversation: Option<Conversation>,
    /// When it began to connect.
    began: Duration,
    /// From then to its first picture, once it has that.
    join_time: Option<Duration>,
    /// Bytes received.
    pub(super) bytes: u64,
    pub(super) record: Record,
    has_failed: bool,
}

/// The frames that a player who follows has got since it was last cleared.
#[derive(Debug, Default)]
pub(super) struct Record {
    first: Option<u32>,
    last: u32,
    pub(super) received: u64,
    /// From sent to received.
    pub(super) delays: Vec<Duration>,
}

impl Player {
    pub(super) fn connect(server: SocketAddr, manner: Manner, conversation: Conversation) -> Result<Self> {
        let began = media::now();
        Ok(Player {
            socket: socket::connect(server)?,
            manner,
            conversation: Some(conversation),
            began,
            join_time: None,
            bytes: 0,
            record: Record::default(),
            has_failed: false,
        })
    }

    pub(super) fn join_time(&self) -> Option<Duration> {
        self.join_time
    }

    /// Whether it got its first picture and was not cut off.
    pub(super) fn is_playing(&self) -> bool {
        self.join_time.is_some() && !self.has_failed
    }

    /// Whether it is still on its way to its first picture.
    pub(super) fn is_joining(&self) -> bool {
        self.join_time.is_none() && !self.has_failed
    }

    pub(super) fn manner(&self) -> Manner {
        self.manner
    }

    /// Takes what there is. Returns whether there was something.
    pub(super) fn poll(&mut self, scratch: &mut [u8]) -> bool {
        if self.has_failed {
            return false;
        }
        match self.try_poll(scratch) {
            Ok(len) => len > 0,
            Err(error) => {
                eprintln!("player: {error}");
                self.has_failed = true;
                false
            }
        }
    }

    fn try_poll(&mut self, scratch: &mut [u8]) -> Result<u64> {
        let Some(conversation) = &mut self.conversation else {
            return match self.manner {
                Manner::Stalls => Ok(0),
                Manner::Drains | Manner::Follows => self.drain(),
            };
        };
        if let Some(output) = conversation.output() {
            socket::write(&self.socket, output)?;
        }
        let Some(input) = socket::read(&self.socket, scratch)? else {
            return Ok(0);
        };
        let now = media::now();
        let (manner, record, mut has_picture) = (self.manner, &mut self.record, false);
        let takes_any = matches!(conversation, Conversation::Bare(_));
        conversation.handle_input(input, |frame| {
            if let Some(stamp) = Stamp::of(frame) {
                if manner == Manner::Follows {
                    record.add(stamp, now);
                }
                has_picture |= takes_any || (frame.kind == FrameKind::Video && frame.class == FrameClass::Keyframe);
            }
        })?;
        let len = input.len() as u64;
        self.bytes += len;
        if has_picture && self.join_time.is_none() {
            self.join_time = Some(now.saturating_sub(self.began));
            if self.manner != Manner::Follows {
                self.conversation = None;
            }
        }
        Ok(len)
    }

    fn drain(&mut self) -> Result<u64> {
        let Drained { bytes, has_ended } = socket::drain(&self.socket)?;
        self.bytes += bytes;
        if has_ended {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }
}

impl Record {
    fn add(&mut self, stamp: Stamp, now: Duration) {
        self.first.get_or_insert(stamp.sequence);
        self.last = stamp.sequence;
        self.received += 1;
        self.delays.push(now.saturating_sub(stamp.sent));
    }

    /// Frames between the first and the last that did not come.
    pub(super) fn lost(&self) -> u64 {
        let span = self.first.map_or(0, |first| u64::from(self.last - first) + 1);
        span.saturating_sub(self.received)
    }
}
