//! Frames as text: the notation of all tests that do not mind what is in them, for example `"M V A K0 a5 P40"`.
//!
//! | Word | Frame |
//! |--|--|
//! | `M` | Metadata |
//! | `V`, `A` | The sequence header of the pictures (AVC), of the sound (AAC) |
//! | `S` | A supplement of the pictures' header (Enhanced RTMP: colour information) |
//! | `K0`, `P40`, `D80` | A keyframe at 0 ms, an inter frame at 40 ms, one that may be left out at 80 ms |
//! | `a5` | Sound at 5 ms |
//! | `V1000` | Any of them has a time; without one it is 0 |
//! | `V'`, `a5'`, `M''` | ... and others of their kind: each `'` makes another content |
//! | `K0:300` | ... and a length, filled up with zeros; without one they are as short as they can be |
//!
//! Tests that do mind the bytes, such as the transcripts, write messages: see `script`.

#![allow(dead_code, reason = "each test crate uses some of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test"
)]

extern crate alloc;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Buf;
use headwater_core::amf::amf0::Writer;
use headwater_core::flv::{FlvWriter, TagFlags};
use headwater_core::{Frame, FrameClass, FrameKind, Output, Timestamp};

/// The frames that `script` names.
pub(crate) fn frames(script: &str) -> impl Iterator<Item = Frame> {
    script.split_whitespace().map(frame)
}

/// The frame that `word` names.
pub(crate) fn frame(word: &str) -> Frame {
    frame_of(word, 0)
}

/// The frame that `word` names, of at least `len` bytes.
pub(crate) fn frame_of(word: &str, len: usize) -> Frame {
    let (letter, rest) = word.split_at(1);
    let (rest, len) = match rest.split_once(':') {
        Some((rest, len)) => (rest, len.parse().expect("a length")),
        None => (rest, len),
    };
    let time = rest.trim_end_matches('\'');
    let variant = u8::try_from(rest.len() - time.len()).unwrap();
    let time = Timestamp::from_millis(match time {
        "" => 0,
        time => time.parse().expect("a time"),
    });
    // The last byte says which variant it is; for metadata it is the count, which may lie.
    let (kind, head): (_, &[u8]) = match letter {
        "M" => (FrameKind::Data, b"\x02\0\x0AonMetaData\x08\0\0\0\0\0\0\x09"),
        "V" => (FrameKind::Video, &[0x17, 0, 0, 0, 0, 1]),
        "A" => (FrameKind::Audio, &[0xAF, 0, 0x12, 0x10]),
        "S" => (FrameKind::Video, b"\xD4hvc1\0"),
        "K" => (FrameKind::Video, &[0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 0]),
        "P" => (FrameKind::Video, &[0x27, 1, 0, 0, 0, 0, 0, 0, 2, 0x41, 0]),
        "D" => (FrameKind::Video, &[0x27, 1, 0, 0, 0, 0, 0, 0, 2, 0x01, 0]),
        "a" => (FrameKind::Audio, &[0xAF, 1, 0x21]),
        _ => panic!("no such frame: {word}"),
    };
    let mut payload = head.to_vec();
    payload.resize(len.max(head.len()), 0);
    if let "K" | "P" | "D" = letter {
        let unit = u32::try_from(payload.len() - 9).unwrap();
        payload[5..9].copy_from_slice(&unit.to_be_bytes());
    }
    let place = if letter == "M" { 17 } else { payload.len() - 1 };
    payload[place] += variant;
    Frame::new(kind, time, payload.into())
}

/// The frames that `script` names, as FLV tags.
pub(crate) fn tags(script: &str) -> Vec<u8> {
    let mut output = Output::new();
    frames(script).for_each(|frame| FlvWriter::frame(&frame, &mut output));
    output.copy_to_bytes(output.len()).into()
}

/// The same behind the header of an FLV stream that has sound and pictures.
pub(crate) fn flv(script: &str) -> Vec<u8> {
    flv_of(&frames(script).collect::<Vec<_>>())
}

/// Such an FLV stream of any frames.
pub(crate) fn flv_of(frames: &[Frame]) -> Vec<u8> {
    let mut output = Output::new();
    let (audio, video) = (true, true);
    FlvWriter::header(TagFlags { audio, video }, &mut output);
    frames.iter().for_each(|frame| FlvWriter::frame(frame, &mut output));
    output.copy_to_bytes(output.len()).into()
}

/// Metadata that says which kinds of media there are.
pub(crate) fn metadata(audio: bool, video: bool) -> Frame {
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body);
    writer.string("onMetaData").ecma_array_start(2);
    writer.key("hasAudio").boolean(audio).key("hasVideo").boolean(video);
    writer.object_end();
    Frame::data(Timestamp::ZERO, body.into())
}

/// The word for a frame: its kind and its time.
pub(crate) fn name(frame: &Frame) -> String {
    let letter = match (frame.kind, frame.class) {
        (FrameKind::Data, _) => "M",
        (FrameKind::Video, FrameClass::SequenceHeader) => "V",
        (FrameKind::Audio, FrameClass::SequenceHeader) => "A",
        (_, FrameClass::Supplement) => "S",
        (FrameKind::Audio, _) => "a",
        (_, FrameClass::Keyframe) => "K",
        (_, FrameClass::Disposable) => "D",
        _ => "P",
    };
    format!("{letter}{}", frame.timestamp)
}
