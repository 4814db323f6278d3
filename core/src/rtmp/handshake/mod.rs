//! The RTMP handshake, simple and digest, both sides. RTMP 1.0 §5.2.
//!
//! ```text
//! client                          server
//!   C0 [1]  C1 [1536]  ───────▶
//!                      ◀───────   S0 [1]  S1 [1536]  S2 [1536]
//!   C2 [1536]          ───────▶
//! ```
//!
//! In the simple form C1 and S1 are filler, C2 and S2 echo them. The digest form, which is not in the specification,
//! came with Flash Player 9: C1 and S1 carry an HMAC, C2 and S2 answer it. Its keys are public constants, so it proves
//! nothing about anybody, but some players want to see it before they play H.264. The server answers in the form that
//! it was asked in.
//!
//! Nobody's echo is checked: many encoders send something else.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod client;
mod digest;
mod server;

pub use client::ClientHandshake;
pub use server::ServerHandshake;

use alloc::vec::Vec;

/// The peer does not speak RTMP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// C0 or S0 is not 3.
    #[error("handshake version {version}{} is not 3", likely(*version))]
    UnsupportedVersion {
        /// What the peer sent.
        version: u8,
    },
}

/// What it likely is that begins with `version`, for people.
const fn likely(version: u8) -> &'static str {
    match version {
        6 | 8 | 9 => " (RTMPE)",
        0x16 => " (TLS)",
        b'A'..=b'Z' => " (HTTP)",
        _ => "",
    }
}

/// C0 and S0: plain RTMP.
const VERSION: u8 = 3;

/// Bytes of C1, S1, C2 and S2.
const PACKET_LEN: usize = 1_536;

type Packet = [u8; PACKET_LEN];

/// Where the filler of C1 and S1 begins, after the time and, in the digest form, a version.
const HEAD_LEN: usize = 8;

fn take_version(input: &mut &[u8]) -> Result<bool, HandshakeError> {
    match input.split_first() {
        None => Ok(false),
        Some((&VERSION, rest)) => {
            *input = rest;
            Ok(true)
        }
        Some((&version, _)) => Err(HandshakeError::UnsupportedVersion { version }),
    }
}

/// Collects a packet in `buffer`, which owns memory only while one is under way.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "what is there is less than a packet: a whole one leaves"
)]
fn take_packet(buffer: &mut Vec<u8>, input: &mut &[u8]) -> Option<Packet> {
    if input.is_empty() {
        return None;
    }
    buffer.reserve_exact(PACKET_LEN - buffer.len());
    let (piece, rest) = input
        .split_at_checked(PACKET_LEN - buffer.len())
        .unwrap_or((input, &[]));
    buffer.extend_from_slice(piece);
    *input = rest;
    let packet = buffer.first_chunk().copied();
    if packet.is_some() {
        *buffer = Vec::new();
    }
    packet
}

/// Skips the `left` bytes of a packet that nobody reads. `true` once all have come.
fn skip_packet(left: &mut usize, input: &mut &[u8]) -> bool {
    let skipped = input.len().min(*left);
    *input = input.get(skipped..).unwrap_or_default();
    *left = left.saturating_sub(skipped);
    *left == 0
}

/// A packet of filler behind `head`.
fn packet(head: [u8; HEAD_LEN], filler: &mut Filler) -> Packet {
    let mut packet = [0; PACKET_LEN];
    filler.fill(&mut packet);
    if let Some(start) = packet.first_chunk_mut() {
        *start = head;
    }
    packet
}

/// What stands where the specification wants random bytes, from a seed, so that a run can be replayed: splitmix64.
/// Filler and no secret; nothing depends on nobody guessing it.
#[derive(Debug)]
struct Filler(u64);

impl Filler {
    fn fill(&mut self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut word = self.0;
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            word ^= word >> 31;
            for (byte, filler) in piece.iter_mut().zip(word.to_le_bytes()) {
                *byte = filler;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Output;
    use bytes::Buf;
    use quickcheck::quickcheck;

    pub(super) fn drain(output: &mut Output) -> Vec<u8> {
        let len = output.remaining();
        output.copy_to_bytes(len).to_vec()
    }

    /// Feeds `bytes` in pieces and returns what was answered and what was left over.
    fn feed(pieces: &[&[u8]], mut handle_input: impl FnMut(&mut &[u8], &mut Output) -> bool) -> (Vec<u8>, Vec<u8>) {
        let (mut output, mut left) = (Output::new(), Vec::new());
        let mut done = false;
        for mut piece in pieces.iter().copied() {
            assert!(!done || handle_input(&mut piece, &mut output), "done stays done");
            done = handle_input(&mut piece, &mut output);
            assert!(done || piece.is_empty());
            left.extend_from_slice(piece);
        }
        assert!(done);
        (drain(&mut output), left)
    }

    /// What a server with seed 7 answers to `bytes`, however they are cut, and what it leaves.
    fn serve(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let serve = |pieces: &[&[u8]]| {
            let mut server = ServerHandshake::new(7);
            feed(pieces, |input, output| server.handle_input(input, output).unwrap())
        };
        let whole = serve(&[bytes]);
        assert!(serve(&bytes.chunks(1).collect::<Vec<_>>()) == whole, "byte by byte");
        for cut in 1..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert!(serve(&[head, tail]) == whole, "cut at {cut}");
        }
        whole
    }

    fn simple_request() -> Vec<u8> {
        let c1 = packet([0; HEAD_LEN], &mut Filler(1));
        let c2 = packet([0xEE; HEAD_LEN], &mut Filler(2)); // echoes nothing
        [&[VERSION][..], &c1, &c2, b"next"].concat()
    }

    #[test]
    fn simple_client_gets_its_c1_back() {
        let request = simple_request();
        let (answer, left) = serve(&request);
        assert_eq!(left, b"next");
        assert_eq!(answer.len(), 1 + 2 * PACKET_LEN);
        assert_eq!(answer[0], VERSION);
        assert_eq!(
            answer[1..9],
            [0; 8],
            "a version here would make ffmpeg look for a digest"
        );
        assert_eq!(answer[1 + PACKET_LEN..], request[1..1 + PACKET_LEN]);
    }

    #[test]
    fn version_without_a_digest_is_simple() {
        let mut request = simple_request();
        request[5..9].copy_from_slice(&[9, 0, 0x7C, 2]);
        let (answer, _) = serve(&request);
        assert_eq!(answer[1 + PACKET_LEN..], request[1..1 + PACKET_LEN]);
    }

    #[test]
    fn server_answers_before_c2() {
        let (mut server, mut output) = (ServerHandshake::new(7), Output::new());
        let request = simple_request();
        let mut input = &request[..PACKET_LEN];
        assert_eq!(server.handle_input(&mut input, &mut output), Ok(false));
        assert!(output.is_empty(), "not before all of C1");
        let mut input = &request[PACKET_LEN..=PACKET_LEN];
        assert_eq!(server.handle_input(&mut input, &mut output), Ok(false));
        assert_eq!(output.len(), 1 + 2 * PACKET_LEN);
    }

    #[test]
    fn any_other_version_is_refused_at_the_first_byte() {
        for version in (0..=u8::MAX).filter(|&version| version != VERSION) {
            let (mut server, mut output) = (ServerHandshake::new(7), Output::new());
            let error = Err(HandshakeError::UnsupportedVersion { version });
            assert_eq!(server.handle_input(&mut &[version][..], &mut output), error);
            assert!(output.is_empty());
            let mut client = ClientHandshake::new(7);
            assert_eq!(client.handle_input(&mut &[version][..], &mut output), error);
        }
    }

    #[test]
    fn a_refused_byte_is_not_taken() {
        let mut input = &b"GET / HTTP/1.1"[..];
        let error = Err(HandshakeError::UnsupportedVersion { version: b'G' });
        assert_eq!(
            ServerHandshake::new(7).handle_input(&mut input, &mut Output::new()),
            error
        );
        assert_eq!(input, b"GET / HTTP/1.1");
    }

    #[test]
    fn is_small_but_while_it_collects_c1() {
        assert!(size_of::<ServerHandshake>() <= 40, "{}", size_of::<ServerHandshake>());
    }

    #[test]
    fn client_and_server_agree_in_both_forms() {
        for mut client in [ClientHandshake::new(1), ClientHandshake::with_digest(1)] {
            let mut server = ServerHandshake::new(2);
            let (mut to_server, mut to_client) = (Output::new(), Output::new());
            client.start(&mut to_server);
            let c0_c1 = drain(&mut to_server);
            assert_eq!(server.handle_input(&mut &c0_c1[..], &mut to_client), Ok(false));
            let answer = drain(&mut to_client);
            let (c2, left) = feed(&[&answer, b"next"], |input, output| {
                client.handle_input(input, output).unwrap()
            });
            assert_eq!((c2.len(), &left[..]), (PACKET_LEN, &b"next"[..]));
            assert_eq!(server.handle_input(&mut &c2[..], &mut to_client), Ok(true));
        }
    }

    #[test]
    fn client_sends_c2_as_soon_as_s1_is_there() {
        // Some servers hold S2 back until they have C2.
        let (mut client, mut output) = (ClientHandshake::new(1), Output::new());
        let s1 = packet([0; HEAD_LEN], &mut Filler(9));
        let mut input = &[&[VERSION][..], &s1].concat()[..];
        assert_eq!(client.handle_input(&mut input, &mut output), Ok(false));
        assert_eq!(drain(&mut output), s1);
    }

    #[test]
    fn same_seed_same_bytes() {
        let start = |seed| {
            let mut output = Output::new();
            ClientHandshake::with_digest(seed).start(&mut output);
            drain(&mut output)
        };
        assert_eq!(start(5), start(5));
        assert_ne!(start(5), start(6));
    }

    #[test]
    fn filler_is_splitmix64() {
        // The first two words for seed 1234567, from the reference implementation.
        let mut bytes = [0; 16];
        Filler(1_234_567).fill(&mut bytes);
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!(
            [word(0), word(8)],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }

    quickcheck! {
        fn any_bytes_leave_the_server_standing(bytes: Vec<u8>, cut: usize) -> bool {
            let mut bytes = bytes.repeat(200);
            bytes.insert(0, VERSION);
            let (head, tail) = bytes.split_at(cut % bytes.len());
            let (mut server, mut output) = (ServerHandshake::new(7), Output::new());
            let mut done = false;
            for mut piece in [head, tail] {
                done = server.handle_input(&mut piece, &mut output).unwrap();
            }
            done == (bytes.len() > 2 * PACKET_LEN)
        }
    }
}
