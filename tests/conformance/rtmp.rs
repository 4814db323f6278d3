//! An RTMP client whose words are text; see [`script`] for the messages.
//!
//! | Sent | |
//! |--|--|
//! | `C0 C1`, `C2` | The handshake |
//! | `connect(1, {app="live"}) + createStream(2)` | Messages |
//! | `bytes 474554` | Bytes in hexadecimal |

use crate::script;
use headwater_core::Limits;
use headwater_core::rtmp::chunk::{ChunkDecoder, ChunkEncoder};
use std::collections::VecDeque;

/// S0, S1 and S2.
const HANDSHAKE_LEN: usize = 1 + 2 * 1_536;

pub struct RtmpClient {
    encoder: ChunkEncoder,
    decoder: ChunkDecoder,
    handshake_left: usize,
}

impl RtmpClient {
    pub fn new() -> RtmpClient {
        RtmpClient {
            encoder: ChunkEncoder::new(),
            decoder: ChunkDecoder::new(&Limits::default()),
            handshake_left: HANDSHAKE_LEN,
        }
    }

    /// Whether messages can be exchanged.
    pub fn has_shaken_hands(&self) -> bool {
        self.handshake_left == 0
    }

    pub fn encode(&mut self, what: &str) -> Vec<u8> {
        match what {
            "C0 C1" => [&[3][..], &[0; 1_536]].concat(),
            "C2" => vec![0; 1_536],
            _ => match what.strip_prefix("bytes ") {
                Some(hex) => script::from_hex(hex),
                None => script::to_chunks(&script::parse_all(what), &mut self.encoder),
            }
            .to_vec(),
        }
    }

    /// Adds to `lines` what the server has said with `bytes`.
    pub fn decode(&mut self, bytes: &[u8], lines: &mut VecDeque<String>) {
        let handshake = bytes.len().min(self.handshake_left);
        self.handshake_left -= handshake;
        if handshake > 0 && self.handshake_left == 0 {
            lines.push_back("S0 S1 S2".to_owned());
        }
        let mut input = &bytes[handshake..];
        while let Some(message) = self.decoder.decode(&mut input).expect("the server sends chunks") {
            lines.push_back(message.to_string());
        }
    }
}
