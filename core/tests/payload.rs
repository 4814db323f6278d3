//! Payloads of two parts, and that players share what they do not have for themselves: nothing of a frame is copied for a
//! player to have it in another form, and none is cloned that need not be.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]

use bytes::{Buf, Bytes};
use headwater_core::flv::{FlvItem, FlvReader, FlvWriter, TagFlags};
use headwater_core::hub::{Channel, Join, Next};
use headwater_core::media::{Codec, PacketType, Rewrite, TrackPart};
use headwater_core::output::{INLINE_BELOW, Payload};
use headwater_core::rtmp::chunk::{ChunkEncoder, ChunkSize, ChunkStreamId, MessageStreamId, MessageTypeId};
use headwater_core::{Frame, FrameAt, FrameClass, FrameKind, Limits, Output, Time, Timestamp};
use quickcheck::quickcheck;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::io::IoSlice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test at a time: the allocator counts for all of them.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The fewest allocations of a few rounds of `work`: the test harness has some of its own now and then.
fn allocations(mut work: impl FnMut()) -> usize {
    let rounds = (0..5).map(|_| {
        let region = Region::new(ALLOCATOR);
        work();
        let change = region.change();
        change.allocations + change.reallocations
    });
    rounds.min().unwrap()
}

/// What writes a payload: a tag, or a message in chunks of so many bytes.
#[derive(Debug, Clone, Copy)]
enum Writer {
    Flv,
    Rtmp(u32),
}

/// The first three have chunks that end within the head of a rewritten payload.
const WRITERS: [Writer; 8] = [
    Writer::Rtmp(1),
    Writer::Rtmp(3),
    Writer::Rtmp(5),
    Writer::Rtmp(128),
    Writer::Rtmp(1_000),
    Writer::Rtmp(4_096),
    Writer::Rtmp(60_000),
    Writer::Flv,
];

const AT: Timestamp = Timestamp::from_millis(1_000);

impl Writer {
    /// Writes one video message or tag after the other.
    fn write(self, payloads: &[Payload<'_>], out: &mut Output) {
        let mut encoder = ChunkEncoder::new();
        if let Writer::Rtmp(size) = self {
            encoder.set_chunk_size(ChunkSize::new(size).unwrap(), out);
        }
        for payload in payloads {
            match self {
                Writer::Flv => FlvWriter::tag(FrameKind::Video, AT, *payload, out),
                Writer::Rtmp(_) => {
                    let (csid, msid) = (ChunkStreamId::VIDEO, MessageStreamId(1));
                    let video = MessageTypeId::VIDEO;
                    encoder.encode_media(csid, msid, video, AT, *payload, out).unwrap();
                }
            }
        }
    }
}

/// The form that players without Enhanced RTMP have HEVC in: codec ID 12, and the layout of AVC.
fn legacy_hevc(part: &TrackPart<'_>) -> Rewrite {
    let packet = match part.packet {
        PacketType::SequenceStart => 0,
        PacketType::CodedFrames | PacketType::CodedFramesX => 1,
        PacketType::SequenceEnd => 2,
        other => panic!("{other:?} has no legacy form"),
    };
    let [_, a, b, c] = part.composition_time.to_be_bytes();
    part.behind([part.frame_type.unwrap().0 << 4 | 12, packet, a, b, c])
}

/// A body in the form of a slice of HEVC: its length, a NAL unit header, and something.
fn slice(header: u8, len: u16) -> Vec<u8> {
    let [high, low] = len.to_be_bytes();
    let mut unit = vec![0, 0, high, low, header, 1];
    unit.extend((2..len).map(|index| index.to_le_bytes()[0]));
    unit
}

/// Enhanced messages of HEVC, with which track of them is meant, and the heads of their legacy form.
fn enhanced_hevc() -> Vec<(Bytes, usize, &'static [u8], Vec<u8>)> {
    let record = [&b"\x01\x01\x60"[..], &[7; 100]].concat();
    let key = slice(0x26, 20_000);
    let inter = slice(0x02, 700);
    let [_, _, high, low] = u32::try_from(inter.len()).unwrap().to_be_bytes();
    let size = [0, high, low];
    vec![
        ([&b"\x90hvc1"[..], &record].concat().into(), 0, b"\x1C\0\0\0\0", record),
        (
            [&b"\x91hvc1\0\0\x28"[..], &key].concat().into(),
            0,
            b"\x1C\x01\0\0\x28",
            key,
        ),
        (
            [&b"\xA1hvc1\xFF\xFF\xD8"[..], &inter].concat().into(),
            0,
            b"\x2C\x01\xFF\xFF\xD8",
            inter.clone(),
        ),
        (
            [&b"\xA3hvc1"[..], &inter].concat().into(),
            0,
            b"\x2C\x01\0\0\0",
            inter.clone(),
        ),
        ([&b"\x92hvc1"[..]].concat().into(), 0, b"\x1C\x02\0\0\0", vec![]),
        // Behind nanoseconds; the second of two tracks, which ends before the payload does where a third one follows.
        (
            [&b"\xA7\x02\x07\xA1\x20\x03hvc1"[..], &inter].concat().into(),
            0,
            b"\x2C\x01\0\0\0",
            inter.clone(),
        ),
        (
            [
                &b"\xA6\x13hvc1\x00\x00\x00\x01\xAA\x01"[..],
                &size,
                &inter,
                b"\x02\x00\x00\x00",
            ]
            .concat()
            .into(),
            1,
            b"\x2C\x01\0\0\0",
            inter,
        ),
    ]
}

fn rewritten(message: &Bytes, track: usize) -> Rewrite {
    let frame = Frame::video(AT, message.clone());
    let part = frame.tracks().nth(track).unwrap().unwrap();
    assert_eq!(part.codec, Codec::Hevc);
    legacy_hevc(&part)
}

fn take(out: &mut Output) -> Vec<u8> {
    out.copy_to_bytes(out.remaining()).to_vec()
}

/// Bytes in `out` that are those of `shared` and no copy.
fn bytes_shared(out: &Output, shared: &Bytes) -> usize {
    let mut slices = vec![IoSlice::new(&[]); out.segments()];
    let filled = out.chunks_vectored(&mut slices);
    let place = shared.as_ptr_range();
    let shared = slices[..filled].iter().filter(|slice| place.contains(&slice.as_ptr()));
    shared.map(|slice| slice.len()).sum()
}

#[test]
fn hevc_goes_out_as_codec_id_12_as_if_it_were_copied() {
    let _turn = turn();
    for (message, track, head, body) in enhanced_hevc() {
        let rewrite = rewritten(&message, track);
        let copy = Bytes::from([head, &body].concat());
        assert_eq!(rewrite.of(&message).to_bytes(), copy);
        for writer in WRITERS {
            let (mut out, mut expected) = (Output::new(), Output::new());
            writer.write(&[rewrite.of(&message), rewrite.of(&message)], &mut out);
            writer.write(&[Payload::from(&copy), Payload::from(&copy)], &mut expected);
            assert_eq!(take(&mut out), take(&mut expected), "{writer:?} {head:x?}");
        }
        // A decoder finds the same in it.
        let legacy = Frame::video(AT, copy);
        let part = legacy.tracks().next().unwrap().unwrap();
        assert_eq!((part.codec, part.body), (Codec::Hevc, &body[..]));
    }
}

quickcheck! {
    fn two_parts_are_written_as_one(head: Vec<u8>, shared: Vec<u8>, cuts: (usize, usize), chunk_size: u16) -> bool {
        let _turn = turn();
        let shared = Bytes::from(shared.repeat(20));
        let start = cuts.0 % (shared.len() + 1);
        let end = start + cuts.1 % (shared.len() - start + 1);
        let copy = Bytes::from([&head, &shared[start..end]].concat());
        let parts = Payload::new(&head, &shared, start..end).unwrap();
        [Writer::Flv, Writer::Rtmp(u32::from(chunk_size % 700) + 1)].into_iter().all(|writer| {
            let (mut out, mut expected) = (Output::new(), Output::new());
            writer.write(&[parts], &mut out);
            writer.write(&[Payload::from(&copy)], &mut expected);
            take(&mut out) == take(&mut expected)
        })
    }
}

#[test]
fn a_tag_of_two_parts_is_read_as_one() {
    let _turn = turn();
    let (message, track, head, body) = enhanced_hevc().swap_remove(1);
    let rewrite = rewritten(&message, track);
    let payload = rewrite.of(&message);
    let mut out = Output::new();
    FlvWriter::header(TagFlags::default(), &mut out);
    FlvWriter::tag(FrameKind::Video, AT, payload, &mut out);
    assert_eq!(out.len(), FlvWriter::HEADER_LEN + FlvWriter::tag_len(payload));
    let bytes = take(&mut out);
    let mut reader = FlvReader::new(&Limits::default());
    let mut input = &bytes[..];
    let frame = std::iter::from_fn(|| reader.handle_input(&mut input).unwrap()).find_map(|item| match item {
        FlvItem::Frame(frame) => Some(frame),
        _ => None,
    });
    let frame = frame.unwrap();
    assert_eq!((frame.timestamp, frame.class), (AT, FrameClass::Keyframe));
    assert_eq!(frame.payload, [head, &body].concat());
}

#[test]
fn another_form_of_a_frame_costs_no_copy_and_no_allocation() {
    let _turn = turn();
    for (message, track, head, body) in enhanced_hevc() {
        for writer in WRITERS {
            let mut out = Output::new();
            let write = |out: &mut Output| {
                // With reading the message and choosing the form.
                let rewrite = rewritten(&message, track);
                writer.write(&[rewrite.of(&message)], out);
            };
            write(&mut out);
            let copied = out.len() - bytes_shared(&out, &message);
            let counted = allocations(|| {
                let len = out.len();
                out.advance(len);
                write(&mut out);
            });
            // An output that is drained keeps room for a few hundred pieces.
            assert!(
                counted == 0 || matches!(writer, Writer::Rtmp(..1_000)),
                "{writer:?}: {counted}"
            );
            // What is copied of a body is pieces of less than 256 bytes, as of every other payload.
            let (mut whole, copy) = (Output::new(), Bytes::from([head, &body].concat()));
            writer.write(&[Payload::from(&copy)], &mut whole);
            let of_whole = whole.len() - bytes_shared(&whole, &copy);
            assert!(
                copied <= of_whole + head.len() + INLINE_BELOW,
                "{writer:?} {head:x?}: {copied}"
            );
            if body.len() >= INLINE_BELOW && matches!(writer, Writer::Flv | Writer::Rtmp(60_000)) {
                assert_eq!(copied, of_whole + head.len(), "{writer:?} {head:x?}: headers and head");
            }
        }
    }
}

#[test]
fn tracks_are_read_without_an_allocation() {
    let _turn = turn();
    let message = [&b"\x95\x11Opus"[..], &b"\x01\0\0\x02\xAA\xAA".repeat(1_000)].concat();
    let frame = Frame::audio(AT, message.into());
    let counted = allocations(|| assert_eq!(frame.tracks().filter(Result::is_ok).count(), 1_000));
    assert_eq!(counted, 0);
}

/// A keyframe of so many bytes that nobody refers to but its frame.
fn keyframe(len: usize) -> Frame {
    let mut payload = b"\x17\x01\0\0\0".to_vec();
    payload.resize(len, 0x55);
    Frame::video(AT, payload.into_boxed_slice().into())
}

const PLAYERS: usize = 50;

/// What it takes to give each of many players a new frame of `len` bytes: allocations, and how many pieces of the payload
/// are queued by reference.
fn fan_out(len: usize) -> (usize, usize) {
    let mut channel = Channel::new(Arc::default());
    channel.begin(Time::ZERO);
    let join = Join {
        token: 0,
        needs_tracks: false,
        merge: None,
    };
    let mut players: Vec<_> = (0..PLAYERS)
        .map(|_| {
            let (mut encoder, mut output) = (ChunkEncoder::new(), Output::new());
            encoder.set_chunk_size(ChunkSize::new(60_000).unwrap(), &mut output);
            (channel.subscribe(Time::ZERO, join), encoder, output)
        })
        .collect();
    let header = Frame::video(AT, Bytes::from_static(b"\x17\0\0\0\0 a configuration"));
    channel.push(Time::ZERO, header);
    for (id, ..) in &players {
        while let Next::Frame(_) = channel.next(*id) {}
    }
    let rounds = (0..20).map(|round| {
        channel.push(Time::from_millis(round * 40), keyframe(len));
        let (mut given, mut place) = (Vec::with_capacity(2 * PLAYERS), std::ptr::null());
        let region = Region::new(ALLOCATOR);
        for (id, encoder, output) in &mut players {
            while let Next::Frame(FrameAt { frame, timestamp }) = channel.next(*id) {
                given.push(std::ptr::from_ref(frame));
                place = frame.payload.as_ptr();
                let (csid, msid) = (ChunkStreamId::VIDEO, MessageStreamId(1));
                let payload = &frame.payload;
                encoder
                    .encode_media(csid, msid, MessageTypeId::VIDEO, timestamp, payload, output)
                    .unwrap();
            }
        }
        let change = region.change();
        assert_eq!(given.len(), PLAYERS, "each player has got the frame");
        given.dedup();
        assert_eq!(given.len(), 1, "and all have got the one of the hub");
        let mut shared = 0;
        for (_, _, output) in &mut players {
            let mut slices = [IoSlice::new(&[]); 8];
            let filled = output.chunks_vectored(&mut slices);
            shared += slices[..filled].iter().filter(|slice| slice.as_ptr() == place).count();
            let len = output.len();
            output.advance(len);
        }
        (change.allocations + change.reallocations, shared)
    });
    // The outputs grow in the first.
    rounds.skip(1).min().unwrap()
}

/// The first clone of a payload allocates its reference count, so what allocates nothing has made no clone, not even one that
/// it has dropped again.
#[test]
fn a_frame_is_cloned_once_per_player_and_a_small_one_never() {
    let _turn = turn();
    let clones =
        |count: usize| allocations(|| drop(vec![keyframe(9).payload; count])) - allocations(|| drop(keyframe(9)));
    assert_eq!((clones(1), clones(2)), (1, 2), "a list, and the reference count");
    assert_eq!(fan_out(INLINE_BELOW - 1), (0, 0));
    assert_eq!(fan_out(INLINE_BELOW), (1, PLAYERS));
    assert_eq!(fan_out(20_000), (1, PLAYERS));
}
