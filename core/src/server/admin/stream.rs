//! A stream, as operators see it.

use super::gather::World;
use crate::media::{AudioInfo, Codec, FrameKind, VideoInfo};
use crate::server::{PublisherView, StreamView};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use serde::Serialize;

/// What stands for the one virtual host that there is.
pub(super) const VHOST: &str = "__defaultVhost__";

/// Some streams.
#[derive(Debug, Serialize)]
pub(super) struct List<'a> {
    total: usize,
    workers: u16,
    missing_workers: &'a [u16],
    streams: Vec<StreamJson<'a>>,
}

/// One stream.
#[derive(Debug, Serialize)]
pub(super) struct One<'a> {
    workers: u16,
    missing_workers: &'a [u16],
    stream: StreamJson<'a>,
}

#[derive(Debug, Serialize)]
struct StreamJson<'a> {
    id: &'a str,
    name: &'a str,
    vhost: &'a str,
    app: &'a str,
    #[serde(rename = "tcUrl")]
    tc_url: String,
    url: String,
    live_ms: u64,
    clients: usize,
    frames: u64,
    send_bytes: u64,
    recv_bytes: u64,
    kbps: Kbps,
    publish: Publish,
    video: Option<Video>,
    audio: Option<Audio>,

    // What follows is our own.
    players: usize,
    waiting: usize,
    epoch: u64,
    takeovers: u64,
    publisher: Option<Publisher<'a>>,
    /// As browsers want them (RFC 6381).
    codecs: &'a str,
    tracks: Vec<Track>,
    frame_rate: FrameRate,
    gop: Gop,
    last_frame_age_ms: Option<u64>,
    last_keyframe_age_ms: Option<u64>,
    frames_by_kind: FramesByKind,
    repairs: Repairs,
    anomalies: &'a BTreeMap<&'static str, u64>,
    drops: Drops,
}

/// Kilobits a second, over the last half minute.
#[derive(Debug, Serialize)]
pub(super) struct Kbps {
    recv_30s: u64,
    send_30s: u64,
}

#[derive(Debug, Serialize)]
struct Publish {
    active: bool,
    cid: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Video {
    codec: String,
    profile: Option<String>,
    level: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
}

#[derive(Debug, Serialize)]
pub(super) struct Audio {
    codec: String,
    sample_rate: Option<u32>,
    channel: Option<u8>,
    profile: Option<String>,
}

#[derive(Debug, Serialize)]
struct Publisher<'a> {
    id: String,
    ip: String,
    port: u16,
    protocol: &'static str,
    agent: &'a str,
    age_ms: u64,
    worker: u16,
}

#[derive(Debug, Serialize)]
struct Track {
    kind: &'static str,
    track: u8,
    codec: String,
}

/// Pictures a second: measured over the last half minute, and as headers or metadata say.
#[derive(Debug, Serialize)]
struct FrameRate {
    measured: f64,
    declared: Option<f64>,
}

/// The last whole group of pictures, and the bytes that a player which joins gets at once.
#[derive(Debug, Serialize)]
struct Gop {
    seconds: Option<f64>,
    pictures: u32,
    cached_bytes: u64,
}

#[derive(Debug, Serialize)]
struct FramesByKind {
    audio: u64,
    video: u64,
    keyframe: u64,
    data: u64,
}

#[derive(Debug, Serialize)]
struct Repairs {
    timestamp_jumps: u64,
    timestamps_raised: u64,
    repeated_headers: u64,
    without_header: u64,
    gop_overflows: u64,
}

/// Frames that players missed because they were too slow, by the step that they had come to.
#[derive(Debug, Serialize)]
pub(super) struct Drops {
    disposable: u64,
    inter: u64,
    skipped: u64,
}

impl<'a> List<'a> {
    pub(super) fn new(world: &World<'_>, streams: &'a [StreamView], total: usize, missing: &'a [u16]) -> Self {
        List {
            total,
            workers: world.workers,
            missing_workers: missing,
            streams: streams.iter().map(|stream| StreamJson::new(world, stream)).collect(),
        }
    }
}

impl<'a> One<'a> {
    pub(super) fn new(world: &World<'_>, stream: &'a StreamView, missing: &'a [u16]) -> Self {
        One {
            workers: world.workers,
            missing_workers: missing,
            stream: StreamJson::new(world, stream),
        }
    }
}

impl<'a> StreamJson<'a> {
    fn new(world: &World<'_>, view: &'a StreamView) -> Self {
        let (figures, info) = (view.figures, &view.info);
        let declared = info.video.and_then(|video| video.frame_rate);
        StreamJson {
            id: view.key.as_str(),
            name: view.key.name(),
            vhost: VHOST,
            app: view.key.app(),
            tc_url: tc_url(view.key.app()),
            url: url(view.key.as_str()),
            live_ms: world.now_ms(),
            clients: view.players + view.waiting + usize::from(view.publisher.is_some()),
            frames: view.frames,
            send_bytes: view.sent,
            recv_bytes: view.bytes,
            kbps: Kbps::new(figures.bytes_per_second, view.sent_per_second),
            publish: Publish {
                active: view.publisher.is_some(),
                cid: view.publisher.as_ref().map(|it| it.connection.to_string()),
            },
            video: info.video.map(|video| Video {
                width: video.width.or(view.declared.width),
                height: video.height.or(view.declared.height),
                ..Video::new(&video)
            }),
            audio: info.audio.map(|audio| Audio::new(&audio, &info.codecs)),
            players: view.players,
            waiting: view.waiting,
            epoch: view.epoch,
            takeovers: view.takeovers,
            publisher: view.publisher.as_ref().map(Publisher::new),
            codecs: &info.codecs,
            tracks: (view.tracks.iter())
                .map(|it| Track {
                    kind: kind(it.kind),
                    track: it.track.0,
                    codec: codec(it.codec),
                })
                .collect(),
            frame_rate: FrameRate {
                #[expect(clippy::cast_precision_loss, reason = "no stream has so many")]
                measured: figures.milli_frame_rate as f64 / 1_000.0,
                declared: declared.or(view.declared.frame_rate),
            },
            gop: Gop {
                seconds: figures.gop.map(|gop| gop.as_secs_f64()),
                pictures: figures.gop_pictures,
                cached_bytes: view.gop_bytes,
            },
            last_frame_age_ms: view.last_frame.map(millis),
            last_keyframe_age_ms: view.last_keyframe.map(millis),
            frames_by_kind: FramesByKind {
                audio: figures.audio_frames,
                video: figures.video_frames,
                keyframe: figures.keyframes,
                data: figures.data_frames,
            },
            repairs: Repairs {
                timestamp_jumps: view.repairs.timeline.jumps,
                timestamps_raised: view.repairs.timeline.raised,
                repeated_headers: view.repairs.repeated_headers,
                without_header: view.repairs.without_header,
                gop_overflows: view.repairs.gop_overflows,
            },
            anomalies: &view.anomalies,
            drops: Drops::new(view.drops),
        }
    }
}

/// The URL of an app, with a host that stands for any.
pub(super) fn tc_url(app: &str) -> String {
    format!("rtmp://{VHOST}/{app}")
}

/// Whole milliseconds.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The path of a stream.
pub(super) fn url(key: &str) -> String {
    format!("/{key}")
}

impl Kbps {
    pub(super) const fn new(received: u64, sent: u64) -> Self {
        Kbps {
            recv_30s: received * 8 / 1_000,
            send_30s: sent * 8 / 1_000,
        }
    }
}

impl Drops {
    pub(super) const fn new(missed: crate::hub::SubscriberStats) -> Self {
        Drops {
            disposable: missed.missed_disposable,
            inter: missed.missed_inter,
            skipped: missed.missed_by_skip,
        }
    }
}

impl Video {
    pub(super) fn new(info: &VideoInfo) -> Self {
        Video {
            codec: codec(info.codec),
            profile: info.profile.map(|profile| video_profile(info.codec, profile)),
            level: info.level.map(|level| video_level(info.codec, level)),
            width: info.width,
            height: info.height,
        }
    }
}

impl Audio {
    pub(super) fn new(info: &AudioInfo, codecs: &str) -> Self {
        Audio {
            codec: codec(info.codec),
            sample_rate: info.sample_rate,
            channel: info.channels,
            profile: (info.codec == Codec::Aac).then(|| aac_profile(codecs)).flatten(),
        }
    }
}

impl<'a> Publisher<'a> {
    fn new(view: &'a PublisherView) -> Self {
        Publisher {
            id: view.connection.to_string(),
            ip: view.peer.ip().to_string(),
            port: view.peer.port(),
            protocol: view.protocol.as_str(),
            agent: &view.agent,
            age_ms: millis(view.age),
            worker: view.shard.0,
        }
    }
}

const fn kind(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Audio => "audio",
        FrameKind::Video => "video",
        FrameKind::Data => "data",
    }
}

/// As SRS calls them, where it knows them.
fn codec(codec: Codec) -> String {
    match codec {
        Codec::Avc => "H264".into(),
        Codec::Hevc => "HEVC".into(),
        Codec::Aac => "AAC".into(),
        Codec::Mp3 => "MP3".into(),
        Codec::Opus => "Opus".into(),
        Codec::Av1 => "AV1".into(),
        other => other.to_string(),
    }
}

/// ISO/IEC 14496-10 Annex A, ISO/IEC 23008-2 Annex A.
fn video_profile(codec: Codec, profile: u8) -> String {
    let name = match (codec, profile) {
        (Codec::Avc, 66) => "Baseline",
        (Codec::Avc, 77) | (Codec::Hevc, 1) => "Main",
        (Codec::Avc, 88) => "Extended",
        (Codec::Avc, 100) => "High",
        (Codec::Avc, 110) => "High10",
        (Codec::Avc, 122) => "High422",
        (Codec::Avc, 244) => "High444",
        (Codec::Hevc, 2) => "Main10",
        (Codec::Hevc, 3) => "MainStillPicture",
        (Codec::Hevc, 4) => "RangeExtensions",
        _ => return profile.to_string(),
    };
    name.into()
}

/// `3.1`, and `4` where there is no part behind it.
fn video_level(codec: Codec, level: u8) -> String {
    let tenths = match codec {
        Codec::Hevc => level / 3,
        _ => level,
    };
    match (tenths / 10, tenths % 10) {
        (whole, 0) => whole.to_string(),
        (whole, part) => format!("{whole}.{part}"),
    }
}

/// By the object type in a codec string.
fn aac_profile(codecs: &str) -> Option<String> {
    let object_type = codecs.split(',').find_map(|codec| codec.strip_prefix("mp4a.40."))?;
    Some(match object_type {
        "1" => "Main".into(),
        "2" => "LC".into(),
        "5" => "HE".into(),
        "29" => "HEv2".into(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_and_levels_have_the_names_that_people_know() {
        assert_eq!(video_profile(Codec::Avc, 100), "High");
        assert_eq!(video_profile(Codec::Hevc, 2), "Main10");
        assert_eq!(video_profile(Codec::Avc, 7), "7");
        let levels = [
            (Codec::Avc, 31),
            (Codec::Avc, 40),
            (Codec::Hevc, 93),
            (Codec::Hevc, 120),
        ];
        assert_eq!(
            levels.map(|(codec, level)| video_level(codec, level)),
            ["3.1", "4", "3.1", "4"]
        );
        assert_eq!(aac_profile("avc1.64001f,mp4a.40.2").unwrap(), "LC");
        assert_eq!(aac_profile("avc1.64001f"), None);
    }
}
