//! FLV: any cut gives the same items, and frames that came out go in and come out again.

use super::choices::ways;
use super::memory::Meter;
use super::snippets::{flv_of, frames};
use bytes::Buf;
use headwater_core::flv::{FlvError, FlvItem, FlvReader, FlvWriter, TagFlags};
use headwater_core::{Frame, FrameKind, Limits, Output, Timestamp};

/// Items, the error, and whether the bytes end at a tag's border.
type Outcome = (Vec<FlvItem>, Option<FlvError>, bool);

pub(super) fn check(bytes: &[u8]) {
    let (seed, body) = bytes.split_first().map_or((0, bytes), |(first, body)| (*first, body));
    let [whole, single, pieces] = ways(body, seed);
    let meter = Meter::new();
    let outcome = read(whole);
    assert_eq!(read(single), outcome, "byte by byte");
    assert_eq!(read(pieces), outcome, "in pieces");

    let frames: Vec<&Frame> = outcome.0.iter().filter_map(frame_of).collect();
    let (data, media): (Vec<&Frame>, Vec<&Frame>) = frames.iter().partition(|frame| frame.kind == FrameKind::Data);
    assert!(media.iter().map(|frame| frame.payload.len()).sum::<usize>() <= body.len());
    // Metadata may be written anew, with a true count and end, and out of AMF3 with numbers that are longer.
    let max = Limits::default().max_metadata_len.max(body.len() + 16);
    assert!(data.iter().all(|frame| frame.payload.len() <= max));
    meter.assert_at_most(4 * body.len() + 256 * outcome.0.len() + (4 << 10));

    let mut output = Output::new();
    let flags = TagFlags {
        audio: true,
        video: seed.is_multiple_of(2),
    };
    FlvWriter::header(flags, &mut output);
    for frame in &frames {
        let before = output.len();
        FlvWriter::frame(*frame, &mut output);
        assert_eq!(output.len() - before, FlvWriter::frame_len(frame));
    }
    let written = output.copy_to_bytes(output.len());
    let (items, error, is_at_border) = read(vec![&*written]);
    assert_eq!(error, None);
    assert!(is_at_border);
    assert_eq!(items.first(), Some(&FlvItem::Header(flags)));
    assert!(items.iter().skip(1).map(frame_of).eq(frames.into_iter().map(Some)));
}

fn frame_of(item: &FlvItem) -> Option<&Frame> {
    match item {
        FlvItem::Frame(frame) => Some(frame),
        _ => None,
    }
}

fn read(pieces: Vec<&[u8]>) -> Outcome {
    let mut limits = Limits::default();
    limits.max_message_len = 100_000;
    limits.max_command_len = 1_000;
    let mut reader = FlvReader::new(&limits);
    let mut items = Vec::new();
    for mut piece in pieces {
        loop {
            let offered = piece.len();
            match reader.handle_input(&mut piece) {
                Ok(Some(item)) => {
                    // A tag without data needs none of the next piece.
                    assert!(piece.len() < offered || offered == 0);
                    items.push(item);
                }
                Ok(None) => break assert!(piece.is_empty(), "all was taken"),
                Err(error) => {
                    assert_eq!(reader.handle_input(&mut piece), Err(error.clone()), "an error stays");
                    return (items, Some(error), reader.is_at_tag_border());
                }
            }
        }
    }
    (items, None, reader.is_at_tag_border())
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let frames: Vec<_> = frames("M V A K0 a5 P40 D80:300 a90 K120").collect();
    let late = |frame: &Frame| Frame {
        timestamp: Timestamp::from_millis(0xFFFF_FFF0),
        ..frame.clone()
    };
    let late: Vec<_> = frames.iter().map(late).collect();
    let (whole, late) = (flv_of(&frames), flv_of(&late));
    let mut unusual = whole.to_vec();
    // Another data offset, a tag of AMF3 script data, one of a type that nobody knows, and a second file header.
    unusual[8] = 12;
    unusual.splice(13..13, [0; 3]);
    unusual.extend_from_slice(b"\x0F\0\0\x04\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\x01\0\0\x01\0\0\0\0\0\0\0\xAA\0\0\0\x0C");
    unusual.extend_from_slice(&whole);
    [&whole[..], &late, &unusual, b"FLV\x02", b"\x12\0\0"]
        .into_iter()
        .enumerate()
        .map(|(index, bytes)| [&[index as u8], bytes].concat())
        .collect()
}
