//! Messages to chunks and back: the same messages come out, however the chunks are cut and whatever their size.

use super::choices::{Choices, ways};
use bytes::{Buf, Bytes};
use headwater_core::rtmp::chunk::{
    ChunkDecoder, ChunkEncoder, ChunkError, ChunkSize, ChunkStreamId, Message, MessageStreamId, MessageTypeId,
};
use headwater_core::{Frame, Limits, Output, Timestamp};

pub(super) fn check(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let seed = choices.byte();
    let (mut encoder, mut output, mut messages) = (ChunkEncoder::new(), Output::new(), Vec::new());
    let mut time = Timestamp::ZERO;
    let mut chunk_size = ChunkSize::DEFAULT;
    while !choices.is_empty() && messages.len() < 200 {
        if choices.byte().is_multiple_of(8)
            && let Some(size) = ChunkSize::new(choices.one_of(&[1, 2, 5, 64, 128, 4_096, 60_000, u32::from(seed)]))
        {
            encoder.set_chunk_size(size, &mut output);
            chunk_size = size;
        }
        time = match choices.byte() % 8 {
            0 => Timestamp::from_millis(choices.long_number()),
            1 => Timestamp::from_millis(time.as_millis().wrapping_sub(u32::from(choices.byte()))),
            2 => Timestamp::from_millis(choices.one_of(&[0, 0x00FF_FFFE, 0x00FF_FFFF, 0x0100_0000, u32::MAX])),
            _ => Timestamp::from_millis(time.as_millis().wrapping_add(u32::from(choices.byte()))),
        };
        let message = Message {
            csid: ChunkStreamId::new(choices.one_of(&[2, 3, 4, 6, 7, 8, 9, 63, 64, 319, 320, 65_599])).unwrap(),
            msid: MessageStreamId(u32::from(choices.byte() % 3)),
            // Types that the decoder does not act upon.
            type_id: MessageTypeId(choices.one_of(&[3, 4, 8, 9, 15, 18, 20, 22, 255])),
            timestamp: time,
            payload: payload(&mut choices),
        };
        let before = output.len();
        encode(&mut encoder, &message, &mut choices, &mut output);
        let chunks = message.payload.len().div_ceil(chunk_size.get() as usize).max(1);
        assert!(
            output.len() - before <= message.payload.len() + 18 * chunks,
            "headers are short"
        );
        messages.push(message);
    }
    let written = output.copy_to_bytes(output.len());
    for pieces in ways(&written, seed) {
        let decoded = decode(pieces).expect("what we write can be read");
        assert_eq!(decoded, messages);
    }
}

/// Writes the message whole, or in another form that says the same.
fn encode(encoder: &mut ChunkEncoder, message: &Message, choices: &mut Choices<'_>, output: &mut Output) {
    let Message {
        csid,
        msid,
        type_id,
        timestamp,
        payload,
    } = message;
    let frame = Frame::video(*timestamp, payload.clone());
    let part = frame.tracks().next().and_then(Result::ok);
    // The head of a picture may be copied, and the rest shared.
    if choices.byte().is_multiple_of(4)
        && let Some(part) = part
        && let Some(head) = payload.get(..part.range().start)
        && part.range().end == payload.len()
        && let Ok(head) = <[u8; 5]>::try_from(head)
    {
        let rewrite = part.behind(head);
        let rewritten = rewrite.of(payload);
        encoder
            .encode_media(*csid, *msid, *type_id, *timestamp, rewritten, output)
            .unwrap();
    } else {
        encoder.encode(message, output).unwrap();
    }
}

fn payload(choices: &mut Choices<'_>) -> Bytes {
    match choices.byte() % 4 {
        // Few bytes for long payloads, that may look like a timestamp or a header.
        0 => vec![choices.byte(); usize::from(choices.number() % 4_000)].into(),
        1 => [
            b"\x17\x01\0\0\0",
            &*vec![choices.byte(); usize::from(choices.number() % 1_000)],
        ]
        .concat()
        .into(),
        _ => {
            let len = usize::from(choices.byte());
            Bytes::copy_from_slice(choices.bytes(len))
        }
    }
}

fn decode(pieces: Vec<&[u8]>) -> Result<Vec<Message>, ChunkError> {
    let mut decoder = ChunkDecoder::new(&Limits::default());
    let mut messages = Vec::new();
    for mut piece in pieces {
        while let Some(message) = decoder.decode(&mut piece)? {
            if message.type_id != MessageTypeId::SET_CHUNK_SIZE {
                messages.push(message);
            }
        }
    }
    assert!(decoder.is_at_chunk_border() && decoder.buffered() == 0);
    Ok(messages)
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    // Each byte is a choice, so that a run of any bytes is a list of messages.
    let steps = |seed: u8, step: u8| {
        (0..160)
            .map(|index: u8| index.wrapping_mul(step).wrapping_add(seed))
            .collect()
    };
    vec![
        steps(0, 1),
        steps(7, 37),
        steps(1, 101),
        steps(200, 11),
        vec![0; 64],
        vec![255; 64],
    ]
}
