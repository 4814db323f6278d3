//! What frames say about themselves: any payload has a header, tracks that lie in it, and metadata that stays what it is.

use super::memory::Meter;
use super::script::from_hex;
use bytes::{Buf, Bytes};
use headwater_core::amf::{AmfLimits, amf0};
use headwater_core::flv::FlvWriter;
use headwater_core::media::script::{self, ScriptData};
use headwater_core::media::{AudioSpecificConfig, Rewrite, audio_info, avc, classify, codec_string, hevc, video_info};
use headwater_core::{Frame, FrameClass, FrameKind, Limits, Output, Timestamp};

pub(super) fn check(bytes: &[u8]) {
    let Some((kind, payload)) = bytes.split_first() else {
        return;
    };
    let meter = Meter::new();
    match kind % 4 {
        0 => check_frame(FrameKind::Audio, payload),
        1 => check_frame(FrameKind::Video, payload),
        2 => check_script(payload),
        _ => check_records(payload),
    }
    // But for what the program around it allocates meanwhile.
    meter.assert_at_most(8 << 10);
}

fn check_frame(kind: FrameKind, payload: &[u8]) {
    let payload = Bytes::copy_from_slice(payload);
    let frame = Frame::new(kind, Timestamp::ZERO, payload.clone());
    let header = classify(kind, &payload);
    assert_eq!((frame.class, frame.track), (header.class, header.track));
    assert!((-8_388_608..=8_388_607).contains(&header.composition_time));
    if payload.is_empty() {
        assert_eq!((header.class, header.codec), (FrameClass::Other, None));
    }

    let (mut end, mut count, mut is_over) = (0, 0, false);
    for part in frame.tracks() {
        assert!(!is_over, "an error is the last");
        let Ok(part) = part else {
            is_over = true;
            continue;
        };
        let range = part.range();
        assert!(end <= range.start, "tracks lie one behind the other");
        assert_eq!(payload.get(range.clone()), Some(part.body));
        assert_eq!(part.frame_type.is_some(), kind == FrameKind::Video);
        (end, count) = (range.end, count + 1);
        check_rewrite(&payload, &part.behind(*b"head:"), part.body);
    }
    assert!(count <= payload.len());
    assert!(
        count > 0 || (header.codec.is_none() || header.class == FrameClass::Other),
        "nothing is carried"
    );

    let _ = (video_info(&frame), audio_info(&frame));
    if let Some(text) = codec_string(&frame) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        assert!(
            !text.is_empty() && text.len() <= 64 && text.chars().all(is_plain),
            "{text:?}"
        );
    }
}

fn check_rewrite(payload: &Bytes, rewrite: &Rewrite, body: &[u8]) {
    let expected = [b"head:", body].concat();
    assert_eq!(rewrite.of(payload).to_bytes(), expected);
    let mut tag = Output::new();
    FlvWriter::tag(FrameKind::Video, Timestamp::ZERO, rewrite.of(payload), &mut tag);
    assert_eq!(tag.len(), FlvWriter::tag_len(rewrite.of(payload)));
    let tag = tag.copy_to_bytes(tag.len());
    assert_eq!(tag[11..tag.len() - 4], expected);
}

fn check_script(payload: &[u8]) {
    let limits = Limits::default();
    let body = Bytes::copy_from_slice(payload);
    match script::normalize(&body, &limits) {
        ScriptData::Metadata(metadata) => {
            assert!(metadata.len() <= limits.max_metadata_len + 64);
            let again = script::normalize(&metadata, &limits);
            assert_eq!(again, ScriptData::Metadata(metadata.clone()), "normal metadata stays");
            let frame = Frame::data(Timestamp::ZERO, metadata.clone());
            assert_eq!(frame.class, FrameClass::Metadata);
            let mut reader = amf0::Reader::new(&metadata, AmfLimits::default());
            assert_eq!(reader.string(), Ok(Some(&b"onMetaData"[..])));
            for pair in reader.object().unwrap().unwrap() {
                assert!(!matches!(pair.key, b"duration" | b"filesize" | b"fileSize"));
            }
            assert!(reader.is_empty());
            for (audio, video) in [(true, false), (false, true)] {
                if let Some(corrected) = script::with_tracks(&metadata, audio, video) {
                    let named = script::named(&corrected);
                    assert!(named.audio.is_none_or(|it| it == audio) || !has_key(&corrected, b"hasAudio"));
                    assert!(named.video.is_none_or(|it| it == video) || !has_key(&corrected, b"hasVideo"));
                    assert_eq!(script::with_tracks(&corrected, audio, video), None);
                }
            }
        }
        ScriptData::Other(other) => {
            assert!(other.len() <= payload.len());
            assert_eq!(script::normalize(&other, &limits), ScriptData::Other(other.clone()));
        }
        _ => {}
    }
}

fn has_key(metadata: &[u8], key: &[u8]) -> bool {
    let mut reader = amf0::Reader::new(metadata, AmfLimits::default());
    reader.skip().unwrap();
    reader.object().unwrap().unwrap().any(|pair| pair.key == key)
}

fn check_records(bytes: &[u8]) {
    if let Some(config) = AudioSpecificConfig::parse(bytes) {
        let _ = format!("{config:?}");
    }
    let is_in = |part: &[u8]| part.is_empty() || bytes.as_ptr_range().contains(&part.as_ptr());
    let mut units = vec![bytes];
    if let Some(config) = avc::DecoderConfig::parse(bytes) {
        assert!((1..=4).contains(&config.nal_length_size) && config.sps.is_none_or(is_in));
        units.extend(config.sps);
    }
    if let Some(config) = hevc::DecoderConfig::parse(bytes) {
        assert!((1..=4).contains(&config.nal_length_size) && config.sps.is_none_or(is_in));
        units.extend(config.sps);
    }
    for unit in units {
        if let Some(sps) = avc::SequenceParameterSet::parse(unit) {
            assert!(sps.width > 0 && sps.height > 0 && sps.chroma_format <= 3);
        }
        if let Some(sps) = hevc::SequenceParameterSet::parse(unit) {
            assert!(sps.width > 0 && sps.height > 0 && sps.chroma_format <= 3);
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    const AVC: &str = "0164001effe100186764001eacd940a063f36022000007d20001d4c03e28532c01000768fba3cb3002c0fdf8f800";
    const SCALED: &str =
        "01f4000dffe1001f67f4000d919b282a10f08421875b80810120000003002000000641e28532c001000868ebe3c44c000440fff8f800";
    const HEVC: &str = "01016000000090000000000078f000fcfdf8f800000f03a00001001840010c01ffff016000000300900000030000030078959809\
        a10001002a420101016000000300900000030000030078a003c08010e596566924caf0168080000003008000000c84a2000100074401c172b46240";
    let texts = [
        format!("011700000000{AVC}"),
        format!("0190{}{AVC}", "61766331"),
        format!("0190{}{HEVC}", "68766331"),
        format!("03{AVC}"),
        format!("03{SCALED}"),
        format!("03{HEVC}"),
        "01170100000000000002650000000003410000".into(),
        "012701ffffff0000000341e000".into(),
        "01910068766331000000000000022801".replace("9100", "91"),
        // Several tracks of one codec, of several codecs, and with a nanosecond offset.
        "0196106176633100000005000000000001000004aabbccdd".into(),
        "019621617663310000000200006876633101000001aa".into(),
        "0197020001e24001617663310000000000026500".into(),
        "015761766331".into(),
        "00af001210".into(),
        "00af0121".into(),
        "0090".to_owned() + "4f707573" + "4f70757348656164010238010000000000",
        "0095".to_owned() + "116d703461" + "000000021210" + "01000001aa",
        "002f11223344".into(),
        "00aff1".to_owned() + "50800ffffc2100",
        "0312100000".into(),
        "032b92088000".into(),
    ];
    let mut all: Vec<_> = texts.iter().map(|text| from_hex(text).to_vec()).collect();
    for text in [
        r#"data(0, "@setDataFrame", "onMetaData", [duration=1, width=640, hasAudio=true, hasVideo=true, videocodecid=7])"#,
        r#"data(0, "onMetaData", {width=640, audiocodecid="mp4a", filesize=10})"#,
        r#"data(0, "@clearDataFrame", "onMetaData")"#,
        r#"data(0, 1, true, "onTextData", {text="a"})"#,
        r#"data(0, "@setDataFrame", null, "onMetaData", {hasVideo=0})"#,
    ] {
        all.push([&[2], &*super::script::parse(text).payload].concat());
    }
    all
}
