//! The wire: recorded bytes, quirks of real peers, hostile input.

use super::*;
use crate::{Limits, Output};
use alloc::vec;
use alloc::vec::Vec;
use bytes::Buf;

mod properties;

/// What a decoder made of some bytes.
#[derive(Debug, PartialEq)]
struct Decoded {
    messages: Vec<Message>,
    error: Option<ChunkError>,
}

impl Decoded {
    fn times(&self) -> Vec<u32> {
        assert_eq!(self.error, None);
        self.messages
            .iter()
            .map(|message| message.timestamp.as_millis())
            .collect()
    }
}

fn decode_pieces<'a>(limits: &Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = ChunkDecoder::new(limits);
    let mut messages = Vec::new();
    for mut piece in pieces {
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.decode(&mut piece), Err(error.clone()), "errors stay");
                    let error = Some(error);
                    return Decoded { messages, error };
                }
            }
        }
        assert_eq!(piece, b"", "None means that everything was taken");
    }
    Decoded { messages, error: None }
}

/// Decodes `bytes` whole, byte by byte and with every single cut, and checks that this makes no difference.
fn decode_with(limits: &Limits, bytes: &[u8]) -> Decoded {
    let whole = decode_pieces(limits, [bytes]);
    assert_eq!(decode_pieces(limits, bytes.chunks(1)), whole, "byte by byte");
    for cut in 1..bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(decode_pieces(limits, [head, tail]), whole, "cut at {cut}");
    }
    whole
}

fn decode(bytes: &[u8]) -> Decoded {
    decode_with(&Limits::default(), bytes)
}

fn error(bytes: &[u8]) -> ChunkError {
    decode(bytes).error.expect("an error")
}

/// Bytes from hex; blanks are ignored.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn message(csid: u32, msid: u32, type_id: u8, timestamp: u32, payload: &[u8]) -> Message {
    Message {
        csid: ChunkStreamId::new(csid).unwrap(),
        msid: MessageStreamId(msid),
        type_id: MessageTypeId(type_id),
        timestamp: Timestamp::from_millis(timestamp),
        payload: Bytes::copy_from_slice(payload),
    }
}

fn written(output: &mut Output) -> Vec<u8> {
    let len = output.remaining();
    output.copy_to_bytes(len).to_vec()
}

fn encode(encoder: &mut ChunkEncoder, message: &Message) -> Vec<u8> {
    let mut output = Output::new();
    encoder.encode(message, &mut output).unwrap();
    written(&mut output)
}

fn pattern(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

mod vectors {
    use super::*;

    #[test]
    fn control_messages() {
        for (bytes, type_id, payload) in [
            ("02 000000 000004 01 00000000 00001000", 1, "00001000"),
            ("02 000000 000004 05 00000000 002625A0", 5, "002625A0"),
            ("02 000000 000005 06 00000000 002625A0 02", 6, "002625A002"),
            ("02 000000 000006 04 00000000 0000 00000001", 4, "000000000001"),
            (
                "02 000000 00000A 04 00000000 0003 00000001 00000BB8",
                4,
                "00030000000100000BB8",
            ),
        ] {
            let message = message(2, 0, type_id, 0, &hex(payload));
            assert_eq!(encode(&mut ChunkEncoder::new(), &message), hex(bytes));
            assert_eq!(decode(&hex(bytes)).messages, [message]);
        }
    }

    #[test]
    fn control_messages_that_are_kept_stay_as_they_are() {
        let pings: Vec<_> = (0..100).map(|n| message(2, 0, 4, 0, &[0, 6, 0, 0, 0, n])).collect();
        let bytes: Vec<u8> = (pings.iter())
            .flat_map(|ping| encode(&mut ChunkEncoder::new(), ping))
            .collect();
        assert_eq!(decode(&bytes).messages, pings);
    }

    #[test]
    fn control_messages_are_cut_into_chunks_like_others() {
        for size in [1, 4, 5, 128] {
            let size = ChunkSize::new(size).unwrap();
            let (mut one, mut other) = (ChunkEncoder::new(), ChunkEncoder::new());
            let (mut out, mut expected) = (Output::new(), Output::new());
            one.set_chunk_size(size, &mut out);
            other.set_chunk_size(size, &mut expected);
            let payload = hex("00030000000100000BB8");
            one.encode_control(MessageTypeId::USER_CONTROL, &payload, &mut out);
            other.encode(&message(2, 0, 4, 0, &payload), &mut expected).unwrap();
            assert_eq!(written(&mut out), written(&mut expected));
        }
    }

    #[test]
    fn video_of_300_bytes_in_chunks_of_128() {
        let payload = pattern(300);
        let message = message(7, 1, 9, 1_000, &payload);
        let bytes = [
            &hex("07 0003E8 00012C 09 01000000"),
            &payload[..128],
            &[0xC7],
            &payload[128..256],
            &[0xC7],
            &payload[256..],
        ]
        .concat();
        assert_eq!(encode(&mut ChunkEncoder::new(), &message), bytes);
        assert_eq!(decode(&bytes).messages, [message]);
    }

    #[test]
    fn extended_timestamp_is_repeated_in_every_chunk() {
        let payload = pattern(300);
        let message = message(7, 1, 9, 0x0100_0000, &payload);
        let bytes = [
            &hex("07 FFFFFF 00012C 09 01000000 01000000"),
            &payload[..128],
            &hex("C7 01000000"),
            &payload[128..256],
            &hex("C7 01000000"),
            &payload[256..],
        ]
        .concat();
        assert_eq!(encode(&mut ChunkEncoder::new(), &message), bytes);
        assert_eq!(decode(&bytes).messages, [message]);
    }

    #[test]
    fn type_1_header_on_a_fresh_chunk_stream() {
        // librtmp opens its pings so.
        let bytes = hex("46 000028 00000A 08 00010203040506070809");
        assert_eq!(
            decode(&bytes).messages,
            [message(6, 0, 8, 40, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9])]
        );
    }

    #[test]
    fn type_3_after_type_0_repeats_the_timestamp_as_a_delta() {
        // FMLE.
        let decoded = decode(&hex("04 00001A 000002 08 01000000 AF01 C4 AF02 C4 AF03"));
        assert_eq!(decoded.times(), [26, 52, 78]);
        assert_eq!(decoded.messages[2], message(4, 1, 8, 78, &[0xAF, 3]));
    }

    #[test]
    fn extended_delta_steps_back_modulo_2_to_the_32() {
        // librtmp.
        let decoded = decode(&hex("04 0003E8 000001 08 01000000 AA  44 FFFFFF 000001 08 FFFFFFEC AB"));
        assert_eq!(decoded.times(), [1_000, 980]);
    }
}

mod headers {
    use super::*;

    #[test]
    fn types_2_and_3_inherit_and_repeat_the_delta() {
        let decoded = decode(&hex(
            "04 0003E8 000001 08 01000000 AA  84 000017 AB  C4 AC  44 00000A 000002 09 0102  C4 0304",
        ));
        assert_eq!(decoded.times(), [1_000, 1_023, 1_046, 1_056, 1_066]);
        assert_eq!(decoded.messages[4], message(4, 1, 9, 1_066, &[3, 4]));
    }

    #[test]
    fn type_3_takes_its_own_extended_timestamp_for_a_timestamp() {
        let decoded = decode(&hex("04 FFFFFF 000001 08 01000000 01000000 AA  C4 01000017 AB"));
        assert_eq!(decoded.times(), [0x0100_0000, 0x0100_0017]);
    }

    #[test]
    fn type_3_after_an_extended_delta_takes_its_own_for_a_delta() {
        let decoded = decode(&hex(
            "04 000001 000001 08 01000000 AA  84 FFFFFF 01000000 AB  C4 01000000 AC",
        ));
        assert_eq!(decoded.times(), [1, 0x0100_0001, 0x0200_0001]);
    }

    #[test]
    fn timestamp_of_exactly_24_bits_needs_the_extension() {
        for (timestamp, header) in [
            (0x00FF_FFFE, "04 FFFFFE 000000 08 01000000"),
            (0x00FF_FFFF, "04 FFFFFF 000000 08 01000000 00FFFFFF"),
            (0xFFFF_FF68, "04 FFFFFF 000000 08 01000000 FFFFFF68"), // DJI drones begin a little before zero
        ] {
            let message = message(4, 1, 8, timestamp, b"");
            assert_eq!(encode(&mut ChunkEncoder::new(), &message), hex(header));
            assert_eq!(decode(&hex(header)).messages, [message]);
        }
    }

    #[test]
    fn types_2_and_3_on_a_fresh_chunk_stream_inherit_nothing() {
        let csid = ChunkStreamId::new(4).unwrap();
        assert_eq!(error(&hex("84 000017")), ChunkError::NothingToInherit { csid });
        assert_eq!(error(&hex("C4")), ChunkError::NothingToInherit { csid });
    }

    #[test]
    fn empty_messages_are_messages() {
        let decoded = decode(&hex("04 000005 000000 08 01000000  C4  C4"));
        assert_eq!(decoded.times(), [5, 10, 15]);
    }

    #[test]
    fn unknown_types_pass_through() {
        let bytes = hex("04 000005 000001 C8 01000000 AA");
        assert_eq!(decode(&bytes).messages, [message(4, 1, 200, 5, &[0xAA])]);
    }

    #[test]
    fn audio_interleaved_with_the_chunks_of_a_video() {
        let (video, audio) = (pattern(200), pattern(150));
        let bytes = [
            &hex("06 000005 0000C8 09 01000000"),
            &video[..128],
            &hex("04 000005 000096 08 01000000"),
            &audio[..128],
            &hex("C4"),
            &audio[128..],
            &hex("C6"),
            &video[128..],
        ]
        .concat();
        let expected = [message(4, 1, 8, 5, &audio), message(6, 1, 9, 5, &video)];
        assert_eq!(decode(&bytes).messages, expected);
    }

    #[test]
    fn agreeing_header_inside_a_message_continues_it() {
        let payload = pattern(130);
        let expected = [message(4, 1, 9, 5, &payload)];
        for header in ["04 000005 000082 09 01000000", "44 000005 000082 09", "84 000005"] {
            let first = hex("04 000005 000082 09 01000000");
            let bytes = [&first, &payload[..128], &hex(header), &payload[128..]].concat();
            assert_eq!(decode(&bytes).messages, expected);
        }
    }

    #[test]
    fn a_header_inside_a_message_says_whether_an_extension_follows() {
        let payload = pattern(300);
        let bytes = [
            &hex("04 000005 00012C 09 01000000"),
            &payload[..128],
            &hex("04 FFFFFF 00012C 09 01000000 01000000"),
            &payload[128..256],
            &hex("C4 01000000"),
            &payload[256..],
        ]
        .concat();
        assert_eq!(decode(&bytes).messages, [message(4, 1, 9, 5, &payload)]);
    }

    #[test]
    fn differing_header_inside_a_message_is_fatal() {
        for header in [
            "04 000005 000081 09 01000000",
            "04 000005 000082 08 01000000",
            "04 000005 000082 09 02000000",
            "44 000005 000081 09",
            "44 000005 000082 08",
        ] {
            let bytes = [&hex("04 000005 000082 09 01000000"), &[0; 128][..], &hex(header)].concat();
            let expected = ChunkError::MessageInterrupted {
                csid: ChunkStreamId::new(4).unwrap(),
                received: 128,
                len: 130,
            };
            assert_eq!(error(&bytes), expected);
        }
    }
}

mod extended_timestamps_not_repeated {
    use super::*;

    /// A message at 0x01000000 in chunks of 128, without the timestamp in its type 3 headers.
    fn unrepeated(payload: &[u8]) -> Vec<u8> {
        let [_, _, high, low] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut bytes = hex("04 FFFFFF");
        bytes.extend([0, high, low]);
        bytes.extend(hex("09 01000000 01000000"));
        for (index, piece) in payload.chunks(128).enumerate() {
            if index > 0 {
                bytes.push(0xC4);
            }
            bytes.extend_from_slice(piece);
        }
        bytes
    }

    #[test]
    fn noticed_at_once() {
        // Payloads that differ from 01000000 in any of its bytes, or end before they can.
        for tail in ["02", "0100", "010001", "01000001", "0100000102", "FF00000000"] {
            let payload = [vec![0xEE; 128], hex(tail)].concat();
            let bytes = [unrepeated(&payload), hex("04 000007 000001 08 01000000 AA")].concat();
            let expected = [message(4, 1, 9, 0x0100_0000, &payload), message(4, 1, 8, 7, &[0xAA])];
            assert_eq!(decode(&bytes).messages, expected, "{tail}");
        }
    }

    #[test]
    fn last_short_chunk_is_not_waited_for() {
        let payload = [vec![0xEE; 128], vec![2]].concat();
        assert_eq!(decode(&unrepeated(&payload)).messages.len(), 1);
    }

    #[test]
    fn settled_after_two_chunks() {
        // The third and fourth chunk look like the timestamp, and are payload.
        let mut payload = vec![0xEE; 512];
        payload[384..388].copy_from_slice(&hex("01000000"));
        payload.extend(hex("01000000"));
        let decoded = decode(&unrepeated(&payload));
        assert_eq!(decoded.messages, [message(4, 1, 9, 0x0100_0000, &payload)]);
    }

    #[test]
    fn looked_at_bytes_hold_payload_and_the_next_header() {
        // Chunks of 1: the bytes that might be a timestamp are one of payload, a header and one more of payload.
        let bytes = hex("02 000000 000004 01 00000000 00000001  04 FFFFFF 000003 09 01000000 C4C4C4C4 AA C4 C4 C4 BB");
        let decoded = decode(&bytes);
        assert_eq!(decoded.error, None);
        assert_eq!(decoded.messages[1].payload, hex("AA C4 BB"));
    }

    #[test]
    fn a_peer_that_repeats_it_is_settled_too() {
        // From the third time on the value is not compared any more.
        let payload = pattern(400);
        let bytes = [
            &hex("04 FFFFFF 000190 09 01000000 01000000"),
            &payload[..128],
            &hex("C4 01000000"),
            &payload[128..256],
            &hex("C4 01000000"),
            &payload[256..384],
            &hex("C4 01FFFFFF"),
            &payload[384..],
        ]
        .concat();
        assert_eq!(decode(&bytes).messages, [message(4, 1, 9, 0x0100_0000, &payload)]);
    }
}

mod control {
    use super::*;

    fn set_chunk_size(size: u32) -> Vec<u8> {
        [hex("02 000000 000004 01 00000000"), size.to_be_bytes().to_vec()].concat()
    }

    #[test]
    fn set_chunk_size_counts_from_the_next_chunk_of_a_message_on() {
        let payload = pattern(300);
        let bytes = [
            &hex("04 000005 00012C 09 01000000"),
            &payload[..128],
            &set_chunk_size(100),
            &hex("C4"),
            &payload[128..228],
            &hex("C4"),
            &payload[228..],
        ]
        .concat();
        let decoded = decode(&bytes);
        assert_eq!(decoded.messages[0].type_id, MessageTypeId::SET_CHUNK_SIZE);
        assert_eq!(decoded.messages[1], message(4, 1, 9, 5, &payload));
    }

    #[test]
    fn chunk_sizes_of_zero_and_with_the_top_bit_are_fatal() {
        for size in [0, 0x8000_0000, 0xFFFF_FFFF] {
            assert_eq!(error(&set_chunk_size(size)), ChunkError::InvalidChunkSize { size });
        }
    }

    #[test]
    fn any_other_chunk_size_works() {
        let payload = pattern(70_000);
        for size in [1, 2, 127, 65_537, 0x00FF_FFFF, 0x7FFF_FFFF] {
            let mut encoder = ChunkEncoder::new();
            let mut output = Output::new();
            encoder.set_chunk_size(ChunkSize::new(size).unwrap(), &mut output);
            let video = message(7, 1, 9, 5, &payload);
            encoder.encode(&video, &mut output).unwrap();
            let decoded = decode_pieces(&Limits::default(), [&written(&mut output)[..]]);
            assert_eq!(decoded.messages[1..], [video]);
        }
    }

    #[test]
    fn short_set_chunk_size_is_ignored() {
        let payload = pattern(129);
        let bytes = [
            &hex("02 000000 000003 01 00000000 000000"),
            &hex("04 000005 000081 09 01000000")[..],
            &payload[..128],
            &hex("C4"),
            &payload[128..],
        ]
        .concat();
        assert_eq!(decode(&bytes).messages[1], message(4, 1, 9, 5, &payload));
    }

    #[test]
    fn abort_drops_the_message_and_keeps_its_header() {
        let bytes = [
            &hex("04 000005 000082 09 01000000"),
            &[0xEE; 128][..],
            &hex("02 000000 000004 02 00000000 00000004"),
            &hex("C4"),
            &[0xAA; 128],
            &hex("C4 AAAA"),
        ]
        .concat();
        let decoded = decode(&bytes);
        assert_eq!(decoded.messages.len(), 2);
        assert_eq!(decoded.messages[1], message(4, 1, 9, 10, &[0xAA; 130]));
    }

    #[test]
    fn abort_for_an_idle_or_unknown_chunk_stream_does_nothing() {
        let abort = "02 000000 000004 02 00000000";
        let bytes = hex(&[abort, "00000002", abort, "00000063", abort, "FFFFFFFF"].concat());
        assert_eq!(decode(&bytes).messages.len(), 3);
    }
}

mod limits {
    use super::*;

    fn announce(csid: u8, len: u32, type_id: u8) -> Vec<u8> {
        let [_, high, middle, low] = len.to_be_bytes();
        vec![csid, 0, 0, 0, high, middle, low, type_id, 1, 0, 0, 0]
    }

    #[test]
    fn message_length_depends_on_the_type() {
        let limits = Limits::default();
        for (type_id, max) in [
            (1, 4_096),
            (6, 4_096),
            (20, limits.max_command_len),
            (8, limits.max_message_len),
            (22, limits.max_message_len),
        ] {
            assert_eq!(decode(&announce(4, max, type_id)).error, None);
            let expected = ChunkError::MessageTooLarge {
                csid: ChunkStreamId::new(4).unwrap(),
                len: max as usize + 1,
                max: max as usize,
            };
            assert_eq!(error(&announce(4, max + 1, type_id)), expected);
        }
    }

    #[test]
    fn one_chunk_stream_too_many_is_fatal() {
        let limits = Limits {
            max_chunk_streams: 3,
            ..Limits::default()
        };
        let bytes = [2, 3, 4, 2].map(|csid| announce(csid, 0, 9)).concat();
        assert_eq!(decode_with(&limits, &bytes).messages.len(), 4);
        let bytes = [2, 3, 4, 5].map(|csid| announce(csid, 0, 9)).concat();
        let error = Some(ChunkError::TooManyChunkStreams { max: 3 });
        assert_eq!(decode_with(&limits, &bytes).error, error);
    }

    #[test]
    fn memory_follows_the_bytes_and_not_the_announcement() {
        let mut decoder = ChunkDecoder::new(&Limits::default());
        let bytes = announce(4, 8 << 20, 9);
        assert_eq!(decoder.decode(&mut &bytes[..]), Ok(None));
        assert!(decoder.held_memory() < 1_024);
        assert_eq!(decoder.decode(&mut &[0][..]), Ok(None));
        assert_eq!(decoder.buffered(), 1);
        assert!(decoder.held_memory() < 66_000, "{}", decoder.held_memory());
    }

    #[test]
    fn what_is_reserved_was_received_whatever_came_before() {
        let mut decoder = ChunkDecoder::new(&Limits::default());
        let long = encode(&mut ChunkEncoder::new(), &message(4, 1, 9, 0, &pattern(1_000_000)));
        assert!(decoder.decode(&mut &long[..]).unwrap().is_some());
        for mut byte in long[..900_000].chunks(1) {
            assert_eq!(decoder.decode(&mut byte), Ok(None));
            let (received, held) = (decoder.buffered(), decoder.held_memory());
            assert!(
                held <= (4 * received).max(64 << 10) + 1_024,
                "{held} bytes for {received}"
            );
        }
    }

    #[test]
    fn unfinished_messages_share_one_bound() {
        let limits = Limits {
            max_buffered_bytes: 200 << 10,
            ..Limits::default()
        };
        let mut decoder = ChunkDecoder::new(&limits);
        for csid in 3..6 {
            let bytes = [announce(csid, 8 << 20, 9), vec![0; 128]].concat();
            assert_eq!(decoder.decode(&mut &bytes[..]), Ok(None));
        }
        assert!(decoder.held_memory() <= limits.max_buffered_bytes + 1_024);
        let bytes = [announce(6, 8 << 20, 9), vec![0; 128]].concat();
        let error = ChunkError::TooMuchBuffered {
            needed: 256 << 10,
            max: 200 << 10,
        };
        assert_eq!(decoder.decode(&mut &bytes[..]), Err(error));
    }

    #[test]
    fn finished_and_aborted_messages_give_their_memory_back() {
        let mut decoder = ChunkDecoder::new(&Limits::default());
        let bytes = [
            announce(4, 60_000, 9),
            vec![0; 128],
            announce(5, 100, 9),
            vec![0; 100],
            hex("02 000000 000004 02 00000000 00000004"),
        ]
        .concat();
        let mut input = &bytes[..];
        while decoder.decode(&mut input).unwrap().is_some() {}
        assert_eq!(decoder.buffered(), 0);
        assert!(decoder.held_memory() < 1_024, "{}", decoder.held_memory());
    }

    #[test]
    fn long_message_grows_in_few_steps_and_arrives_whole() {
        let video = message(7, 1, 9, 5, &pattern(1_000_000));
        let bytes = encode(&mut ChunkEncoder::new(), &video);
        let mut decoder = ChunkDecoder::new(&Limits::default());
        let (mut sizes, mut received) = (Vec::new(), None);
        for mut piece in bytes.chunks(1_460) {
            received = decoder.decode(&mut piece).unwrap();
            sizes.push(decoder.held_memory());
        }
        sizes.dedup();
        assert_eq!(sizes.len(), 4, "64, 256 KiB, 1 MB, and given out: {sizes:?}");
        assert!(received == Some(video));
    }

    #[test]
    fn idle_decoder_and_encoder_are_small() {
        let size = size_of::<ChunkDecoder>() + size_of::<ChunkEncoder>();
        assert!(size <= 320, "{size}");
    }

    #[test]
    fn a_message_too_large_to_encode_leaves_no_trace() {
        let (mut encoder, mut output) = (ChunkEncoder::new(), Output::new());
        let video = message(7, 1, 9, 5, &vec![0; 1 << 24]);
        let error = ChunkError::MessageTooLarge {
            csid: ChunkStreamId::VIDEO,
            len: 1 << 24,
            max: (1 << 24) - 1,
        };
        assert_eq!(encoder.encode(&video, &mut output), Err(error));
        assert!(output.is_empty());
    }
}

mod time {
    use super::*;

    /// Encodes one empty audio message for each time and returns the first byte of each.
    fn formats(times: &[u32]) -> Vec<u8> {
        let mut encoder = ChunkEncoder::new();
        let messages = times.iter().map(|&time| message(6, 1, 8, time, b""));
        messages.map(|message| encode(&mut encoder, &message)[0] >> 6).collect()
    }

    #[test]
    fn only_times_beyond_24_bits_are_sent_as_deltas() {
        assert_eq!(formats(&[0x00FF_FFFD, 0x00FF_FFFE]), [0, 0]);
        assert_eq!(formats(&[0x00FF_FFFE, 0x00FF_FFFF, 0x0100_0017]), [0, 1, 1]);
    }

    #[test]
    fn delta_needs_a_predecessor_that_is_not_later_and_not_far() {
        assert_eq!(formats(&[0x0100_0000]), [0], "none");
        assert_eq!(formats(&[0x0100_0001, 0x0100_0000]), [0, 0], "later");
        assert_eq!(formats(&[1, 0x0100_0000]), [0, 0], "far");
        assert_eq!(formats(&[2, 0x0100_0000]), [0, 1], "just near enough");
    }

    #[test]
    fn delta_needs_a_predecessor_on_the_same_message_stream() {
        let mut encoder = ChunkEncoder::new();
        encode(&mut encoder, &message(6, 1, 8, 0x0100_0000, b""));
        assert_eq!(encode(&mut encoder, &message(6, 2, 8, 0x0100_0000, b""))[0] >> 6, 0);
    }

    #[test]
    fn sixty_days_of_frames_cross_24_and_32_bits() {
        let (mut encoder, mut decoder) = (ChunkEncoder::new(), ChunkDecoder::new(&Limits::default()));
        let mut sent = 0;
        while sent < 60 * 86_400_000_u64 {
            let wrapped = u32::try_from(sent & 0xFFFF_FFFF).unwrap();
            let video = message(7, 1, 9, wrapped, &[0x27; 200]);
            let bytes = encode(&mut encoder, &video);
            assert_eq!(decoder.decode(&mut &bytes[..]), Ok(Some(video)));
            sent += 3_599_999;
        }
    }

    #[test]
    fn counts_received_bytes_beyond_4_gib() {
        // Messages of the largest size, one chunk each.
        let limits = Limits {
            max_message_len: 0x00FF_FFFF,
            ..Limits::default()
        };
        let mut decoder = ChunkDecoder::new(&limits);
        let mut start = &hex("02 000000 000004 01 00000000 00FFFFFF  04 000000 FFFFFF 09 01000000")[..];
        decoder.decode(&mut start).unwrap().unwrap();
        decoder.decode(&mut start).unwrap();
        let payload = vec![0; 0x00FF_FFFF];
        for _ in 0..257 {
            assert_eq!(
                decoder.decode(&mut &payload[..]).unwrap().unwrap().payload.len(),
                0x00FF_FFFF
            );
            assert_eq!(decoder.decode(&mut &[0xC4][..]), Ok(None));
        }
        assert_eq!(decoder.bytes_received(), 28 + 257 * (1 << 24));
        assert!(decoder.bytes_received() > u64::from(u32::MAX));
    }
}
