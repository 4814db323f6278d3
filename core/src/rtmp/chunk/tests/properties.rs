//! What holds for all messages, all bytes and all cuts.

use super::*;
use crate::rtmp::chunk::header::MessageHeader;
use alloc::boxed::Box;
use quickcheck::{Arbitrary, Gen, TestResult, quickcheck};

/// Messages for one connection, with the chunk sizes announced between them.
#[derive(Debug, Clone)]
struct Script(Vec<(Message, Option<ChunkSize>)>);

impl Arbitrary for Script {
    fn arbitrary(g: &mut Gen) -> Self {
        let mut time: u32 = *g.choose(&[0, 0x00FF_FFC0, 0x0100_0000, 0xFFFF_FF80]).unwrap();
        let count = usize::arbitrary(g) % 20;
        let messages = (0..count).map(|_| {
            let steps = [0, 1, 23, 40, 0x00FF_FFFE, 0x00FF_FFFF, 0x0100_0000, u32::MAX - 19];
            time = time.wrapping_add(*g.choose(&steps).unwrap());
            let csid = *g.choose(&[2, 3, 6, 7, 8, 9, 63, 64, 319, 320, 65_599]).unwrap();
            let len = *g.choose(&[0, 1, 3, 4, 5, 127, 128, 129, 255, 300, 1_000]).unwrap();
            // Types that the decoder does not act upon.
            let type_id = *g.choose(&[3, 8, 9, 18, 20, 200]).unwrap();
            // Payloads of equal bytes that may look like an extended timestamp.
            let payload = vec![*g.choose(&[0, 1, 0xFF]).unwrap(); len];
            let message = message(csid, u32::arbitrary(g) % 3, type_id, time, &payload);
            let size = bool::arbitrary(g).then(|| *g.choose(&[1, 2, 5, 128, 500, 4_096]).unwrap());
            (message, size.and_then(ChunkSize::new))
        });
        Script(messages.collect())
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let Script(messages) = self.clone();
        Box::new((0..messages.len()).map(move |index| {
            let mut fewer = messages.clone();
            fewer.remove(index);
            Script(fewer)
        }))
    }
}

impl Script {
    fn messages(&self) -> impl Iterator<Item = &Message> {
        self.0.iter().map(|(message, _)| message)
    }

    fn bytes(&self) -> Vec<u8> {
        let (mut encoder, mut output) = (ChunkEncoder::new(), Output::new());
        for (message, size) in &self.0 {
            if let Some(size) = size {
                encoder.set_chunk_size(*size, &mut output);
            }
            encoder.encode(message, &mut output).unwrap();
        }
        written(&mut output)
    }

    /// As `bytes`, but as librtmp would: always type 0, and no extended timestamp in type 3 headers.
    fn bytes_without_repeated_timestamps(&self, size: usize) -> Vec<u8> {
        let mut bytes = hex("02 000000 000004 01 00000000");
        bytes.extend(u32::try_from(size).unwrap().to_be_bytes());
        for message in self.messages() {
            let time = message.timestamp.as_millis();
            let first = MessageHeader::Type0 {
                time: time.min(0x00FF_FFFF),
                length: u32::try_from(message.payload.len()).unwrap(),
                type_id: message.type_id,
                msid: message.msid,
            };
            first.write(message.csid, &mut bytes);
            if time >= 0x00FF_FFFF {
                bytes.extend(time.to_be_bytes());
            }
            for (index, piece) in message.payload.chunks(size).enumerate() {
                if index > 0 {
                    MessageHeader::Type3.write(message.csid, &mut bytes);
                }
                bytes.extend_from_slice(piece);
            }
        }
        bytes
    }

    /// Whether some continuation of a message begins like its timestamp, which no reader could tell apart.
    fn is_ambiguous(&self, size: usize) -> bool {
        self.messages().any(|message| {
            let time = message.timestamp.as_millis().to_be_bytes();
            // The payload is one byte over and over, and what follows it may be anything.
            message.payload.len() > size && message.payload.first() == time.first()
        })
    }
}

fn pieces<'a>(mut bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for cut in cuts {
        let (head, tail) = bytes.split_at(cut % (bytes.len() + 1));
        pieces.push(head);
        bytes = tail;
    }
    pieces.push(bytes);
    pieces
}

fn without_set_chunk_size(decoded: Decoded) -> Vec<Message> {
    assert_eq!(decoded.error, None);
    let is_other = |message: &Message| message.type_id != MessageTypeId::SET_CHUNK_SIZE;
    decoded.messages.into_iter().filter(is_other).collect()
}

quickcheck! {
    fn decodes_what_was_encoded(script: Script, cuts: Vec<usize>) -> bool {
        let bytes = script.bytes();
        let decoded = decode_pieces(&Limits::default(), pieces(&bytes, &cuts));
        without_set_chunk_size(decoded).iter().eq(script.messages())
    }

    fn decodes_peers_that_do_not_repeat_the_extended_timestamp(script: Script, cuts: Vec<usize>, size: usize) -> TestResult {
        let size = size % 300 + 1;
        if script.is_ambiguous(size) {
            return TestResult::discard();
        }
        let bytes = script.bytes_without_repeated_timestamps(size);
        let decoded = decode_pieces(&Limits::default(), pieces(&bytes, &cuts));
        TestResult::from_bool(without_set_chunk_size(decoded).iter().eq(script.messages()))
    }

    fn any_bytes_are_decoded_alike_in_any_pieces(bytes: Vec<u8>, cuts: Vec<usize>) -> bool {
        let limits = Limits::default();
        decode_pieces(&limits, pieces(&bytes, &cuts)) == decode_pieces(&limits, [&bytes[..]])
    }

    fn damaged_bytes_are_decoded_alike_in_any_pieces(script: Script, at: usize, bits: u8, cuts: Vec<usize>) -> bool {
        let mut bytes = script.bytes();
        if !bytes.is_empty() {
            let at = at % bytes.len();
            bytes[at] ^= bits;
        }
        let limits = Limits::default();
        decode_pieces(&limits, pieces(&bytes, &cuts)) == decode_pieces(&limits, [&bytes[..]])
    }

    fn at_a_chunk_border_only_where_chunks_end(script: Script) -> bool {
        let bytes = script.bytes();
        let mut decoder = ChunkDecoder::new(&Limits::default());
        let mut borders = 0;
        for byte in &bytes {
            let mut input = core::slice::from_ref(byte);
            while decoder.decode(&mut input).unwrap().is_some() {}
            borders += u64::from(decoder.is_at_chunk_border());
        }
        borders == decoder.chunks_received() && decoder.bytes_received() == bytes.len() as u64
    }
}
