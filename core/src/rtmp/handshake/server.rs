//! The side that listens.

use super::digest::{self, PLAYER_KEY, SERVER_KEY};
use super::{Filler, HEAD_LEN, HandshakeError, PACKET_LEN, Packet, VERSION};
use super::{packet, skip_packet, take_packet, take_version};
use crate::Output;
use alloc::vec::Vec;

/// The head of a signed S1: time 0 and a version. ffmpeg checks our digest if its first byte is at least 3.
const SIGNED_HEAD: [u8; HEAD_LEN] = [0, 0, 0, 0, 4, 5, 0, 1];

/// The server's side of the handshake.
///
/// It sends S0, S1 and S2 in one piece once C1 is complete: ffmpeg and GStreamer wait for S2 before they send C2.
///
/// Cost: 1,536 bytes from the first byte of C1 to its last, else no memory.
#[derive(Debug)]
pub struct ServerHandshake {
    filler: Filler,
    state: State,
}

#[derive(Debug)]
enum State {
    C0,
    C1(Vec<u8>),
    C2 { left: usize },
    Done,
}

impl ServerHandshake {
    /// A handshake that nothing has come for yet. `seed` picks the filler of S1 and S2; it is no secret.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        ServerHandshake {
            filler: Filler(seed),
            state: State::C0,
        }
    }

    /// Bytes of memory held, beside itself.
    #[must_use]
    pub const fn held_memory(&self) -> usize {
        match &self.state {
            State::C1(packet) => packet.capacity(),
            _ => 0,
        }
    }

    /// Takes what belongs to the handshake from the front of `input` and appends the answer to `out`. `true` means that
    /// the handshake is done and the rest of `input` belongs to the chunk stream; `false` that all was taken and more
    /// has to come.
    ///
    /// # Errors
    /// [`HandshakeError::UnsupportedVersion`] at the first byte, which is not taken: another protocol may want it.
    ///
    /// RTMP 1.0 §5.2.
    pub fn handle_input(&mut self, input: &mut &[u8], out: &mut Output) -> Result<bool, HandshakeError> {
        loop {
            match &mut self.state {
                State::C0 => {
                    if !take_version(input)? {
                        return Ok(false);
                    }
                    self.state = State::C1(Vec::new());
                }
                State::C1(buffer) => {
                    let Some(c1) = take_packet(buffer, input) else {
                        return Ok(false);
                    };
                    self.answer(&c1, out);
                    self.state = State::C2 { left: PACKET_LEN };
                }
                State::C2 { left } => {
                    if !skip_packet(left, input) {
                        return Ok(false);
                    }
                    self.state = State::Done;
                }
                State::Done => return Ok(true),
            }
        }
    }

    fn answer(&mut self, c1: &Packet, out: &mut Output) {
        let has_version = c1.get(4..HEAD_LEN) != Some(&[0; 4]);
        let signed = if has_version {
            digest::find(c1, &PLAYER_KEY)
        } else {
            None
        };
        out.write(&[VERSION]);
        match signed {
            Some((schema, c1_digest)) => {
                let mut s1 = packet(SIGNED_HEAD, &mut self.filler);
                schema.sign(&mut s1, &SERVER_KEY);
                out.write(&s1);
                out.write(&digest::answer(&c1_digest, &SERVER_KEY, &mut self.filler));
            }
            None => {
                // Without a version, which a player would take for a promise of digests.
                out.write(&packet([0; HEAD_LEN], &mut self.filler));
                out.write(c1);
            }
        }
    }
}
