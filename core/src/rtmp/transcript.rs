//! What both ends of a connection say, as the lines of a transcript.

use super::chunk::{ChunkDecoder, ChunkEncoder};
use super::message::{Hex, Values};
use super::session::ServerSession;
use crate::{Frame, FrameKind, Limits, Output};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Buf;
use core::mem;

/// A client and a server, each read as the other reads it.
pub(crate) struct Conversation {
    client: Side,
    server: Side,
}

impl Conversation {
    /// Read from the first byte on.
    pub(crate) fn new(limits: &Limits) -> Self {
        Conversation {
            client: Side::new(limits, &[(1_536, "C2"), (1_537, "C0 C1")]),
            server: Side::new(limits, &[(3_073, "S0 S1 S2")]),
        }
    }

    /// Read from where `session` stands, the server's own.
    pub(crate) fn resume(session: ServerSession, limits: &Limits) -> Self {
        let (mut client, mut server) = (Side::new(limits, &[]), Side::new(limits, &[]));
        let (decoder, chunk_size) = session.into_framing();
        client.decoder = decoder;
        let mut output = Output::new();
        ChunkEncoder::new().set_chunk_size(chunk_size, &mut output);
        let announced = output.copy_to_bytes(output.len());
        // It is read as the client has read it.
        let _ = server.decoder.decode(&mut announced.as_ref());
        Conversation { client, server }
    }

    /// What the client says by its next bytes.
    pub(crate) fn received(&mut self, bytes: &[u8]) -> Vec<String> {
        self.client.read(bytes)
    }

    /// What the server says by its next bytes.
    pub(crate) fn sent(&mut self, bytes: &[u8]) -> Vec<String> {
        self.server.read(bytes)
    }
}

/// What one end says.
struct Side {
    decoder: ChunkDecoder,
    /// Parts of the handshake that are still to come, the next one last.
    handshake: Vec<(usize, &'static str)>,
    /// Bytes of the next of them that have come.
    taken: usize,
    is_broken: bool,
}

impl Side {
    fn new(limits: &Limits, handshake: &[(usize, &'static str)]) -> Self {
        Side {
            decoder: ChunkDecoder::new(limits),
            handshake: handshake.to_vec(),
            taken: 0,
            is_broken: false,
        }
    }

    fn read(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut said = Vec::new();
        while let Some((len, name)) = self.handshake.last().copied()
            && !bytes.is_empty()
        {
            let piece = bytes.len().min(len - self.taken);
            let (piece, rest) = bytes.split_at_checked(piece).unwrap_or_default();
            if self.taken == 0 && piece.first() != Some(&3) && len > 1_536 {
                said.push(raw(piece));
                self.is_broken = true;
            }
            bytes = rest;
            self.taken += piece.len();
            if self.taken == len {
                self.taken = 0;
                self.handshake.pop();
                if !mem::take(&mut self.is_broken) {
                    said.push(name.into());
                }
            }
        }
        let (all, was_broken) = (bytes, self.is_broken);
        while !bytes.is_empty() && !self.is_broken {
            match self.decoder.decode(&mut bytes) {
                Ok(Some(message)) => said.push(message.to_string()),
                Ok(None) => {}
                Err(_) => self.is_broken = true,
            }
        }
        // What cannot be read is shown once, however often the session was asked about it.
        if self.is_broken && !was_broken && !all.is_empty() {
            said.push(raw(all));
        }
        said
    }
}

/// Bytes that are shown as they are.
pub(crate) fn raw(bytes: &[u8]) -> String {
    format!("bytes {}", Hex(bytes))
}

/// A frame, as a session reports it.
pub(crate) fn frame(frame: &Frame) -> String {
    let (kind, class, time) = (frame.kind, frame.class, frame.timestamp);
    match kind {
        FrameKind::Data => format!("{kind:?} {class:?} {time} {}", Values(&frame.payload)),
        FrameKind::Audio | FrameKind::Video => format!("{kind:?} {class:?} {time} {}", Hex(&frame.payload)),
    }
}
