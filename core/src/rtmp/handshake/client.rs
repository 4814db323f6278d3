//! The side that connects.

use super::digest::{self, PLAYER_KEY, SERVER_KEY, Schema};
use super::{Filler, HEAD_LEN, HandshakeError, PACKET_LEN, Packet, VERSION};
use super::{packet, skip_packet, take_packet, take_version};
use crate::Output;
use alloc::vec::Vec;

/// The head of a signed C1, as ffmpeg sends it: time 0, version 9.0.124.2.
const SIGNED_HEAD: [u8; HEAD_LEN] = [0, 0, 0, 0, 9, 0, 0x7C, 2];

/// The client's side of the handshake.
///
/// It sends C2 as soon as it has S1, since some servers wait for it before they send S2.
///
/// Cost: 1,536 bytes from the first byte of S1 to its last, else no memory.
#[derive(Debug)]
pub struct ClientHandshake {
    filler: Filler,
    is_signed: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    S0,
    S1(Vec<u8>),
    S2 { left: usize },
    Done,
}

impl ClientHandshake {
    /// A handshake in the simple form. `seed` picks the filler of C1; it is no secret.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        ClientHandshake {
            filler: Filler(seed),
            is_signed: false,
            state: State::S0,
        }
    }

    /// A handshake in the digest form, for servers that insist on it. With others it goes on in the simple form.
    #[must_use]
    pub const fn with_digest(seed: u64) -> Self {
        let mut handshake = Self::new(seed);
        handshake.is_signed = true;
        handshake
    }

    /// Appends C0 and C1 to `out`. Call it once, before any input.
    pub fn start(&mut self, out: &mut Output) {
        out.write(&[VERSION]);
        if self.is_signed {
            let mut c1 = packet(SIGNED_HEAD, &mut self.filler);
            Schema::DigestFirst.sign(&mut c1, &PLAYER_KEY);
            out.write(&c1);
        } else {
            out.write(&packet([0; HEAD_LEN], &mut self.filler));
        }
    }

    /// Takes what belongs to the handshake from the front of `input` and appends the answer to `out`. `true` means that
    /// the handshake is done and the rest of `input` belongs to the chunk stream; `false` that all was taken and more
    /// has to come.
    ///
    /// # Errors
    /// [`HandshakeError::UnsupportedVersion`] at the first byte, which is not taken.
    ///
    /// RTMP 1.0 §5.2.
    pub fn handle_input(&mut self, input: &mut &[u8], out: &mut Output) -> Result<bool, HandshakeError> {
        loop {
            match &mut self.state {
                State::S0 => {
                    if !take_version(input)? {
                        return Ok(false);
                    }
                    self.state = State::S1(Vec::new());
                }
                State::S1(buffer) => {
                    let Some(s1) = take_packet(buffer, input) else {
                        return Ok(false);
                    };
                    out.write(&self.answer(&s1));
                    self.state = State::S2 { left: PACKET_LEN };
                }
                State::S2 { left } => {
                    if !skip_packet(left, input) {
                        return Ok(false);
                    }
                    self.state = State::Done;
                }
                State::Done => return Ok(true),
            }
        }
    }

    fn answer(&mut self, s1: &Packet) -> Packet {
        let signed = if self.is_signed {
            digest::find(s1, &SERVER_KEY)
        } else {
            None
        };
        match signed {
            Some((_, s1_digest)) => digest::answer(&s1_digest, &PLAYER_KEY, &mut self.filler),
            None => *s1,
        }
    }
}
