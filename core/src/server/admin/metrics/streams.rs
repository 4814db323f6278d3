//! The part of the metrics that each stream has for itself.

use super::Metrics;
use super::exposition::{Exposition, Kind};
use crate::StreamKey;
use crate::media::Codec;
use crate::server::metrics::StreamCounts;
use crate::server::{StreamView, Transport};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

/// What stands for all streams that are not named. No stream can have this name.
const OTHER: &str = "(other)";

/// What is said of a stream, or of several.
#[derive(Debug, Default)]
struct Line<'a> {
    name: &'a str,
    counts: StreamCounts,
    players: BTreeMap<Transport, u64>,
    publishers: u64,
    /// Of one that is there.
    view: Option<&'a StreamView>,
}

/// A family's name, its help, and how its values are found.
type Described<T> = (&'static str, &'static str, T);

/// What one stream has come to.
type Amount = fn(&Line<'_>) -> u64;

/// How long something took, or how long ago it was.
type Age = fn(&StreamView) -> Option<Duration>;

/// Values by the word in a second label.
type Kinds = fn(&Line<'_>) -> Vec<(&'static str, u64)>;

impl Metrics<'_> {
    /// The streams that were there first, and the sum of the others. Whoever makes up names takes none from those.
    pub(super) fn streams(&self, to: &mut Exposition) {
        let lines = self.lines();
        about(to, &lines);
        amounts(to, &lines);
        states(to, &lines);
    }

    /// A line for each named stream that is still there, and one for all others if there are any, or have been: what streams have
    /// come to in that sum stays in it when they end, and when they get a name in the place of one that has ended.
    fn lines(&self) -> Vec<Line<'_>> {
        let views: BTreeMap<_, _> = self.views.iter().map(|view| (&view.key, view)).collect();
        let mut lines = Vec::new();
        for key in self.named {
            let (counts, view) = (self.counts.get(key), views.get(key).copied());
            if counts.is_some() || view.is_some() {
                lines.push(Line {
                    counts: counts.copied().unwrap_or_default(),
                    ..self.present(key.as_str(), key, view)
                });
            }
        }
        let mut others = Line {
            name: OTHER,
            counts: self.unnamed,
            ..Line::default()
        };
        let mut has_others = self.unnamed != StreamCounts::default();
        for (key, view) in views.into_iter().filter(|(key, _)| !self.named.contains(*key)) {
            has_others = true;
            others.add_present(self.present(OTHER, key, Some(view)));
        }
        if has_others {
            lines.push(others);
        }
        lines
    }

    /// What there is of a stream at the moment.
    fn present<'a>(&self, name: &'a str, key: &StreamKey, view: Option<&'a StreamView>) -> Line<'a> {
        Line {
            name,
            counts: StreamCounts::default(),
            players: self.census.players.get(key).cloned().unwrap_or_default(),
            publishers: u64::from(view.is_some_and(|view| view.publisher.is_some())),
            view,
        }
    }
}

impl Line<'_> {
    fn add_present(&mut self, more: Line<'_>) {
        for (transport, count) in more.players {
            *self.players.entry(transport).or_default() += count;
        }
        self.publishers += more.publishers;
    }
}

/// What they consist of.
fn about(to: &mut Exposition, lines: &[Line<'_>]) {
    let mut info = to.family("headwater_stream_info", Kind::Info, "What a stream consists of.");
    for (line, view) in viewed(lines) {
        let (video, audio) = (view.info.video, view.info.audio);
        let name = |codec: Option<Codec>| codec.map(|codec| codec.to_string()).unwrap_or_default();
        let size = |size: Option<u32>| size.map(|size| size.to_string()).unwrap_or_default();
        let (width, height): (String, String) = (
            size(video.and_then(|it| it.width).or(view.declared.width)),
            size(video.and_then(|it| it.height).or(view.declared.height)),
        );
        info.sample(
            &[
                ("stream", line.name),
                ("video_codec", &name(video.map(|it| it.codec))),
                ("audio_codec", &name(audio.map(|it| it.codec))),
                ("width", &width),
                ("height", &height),
            ],
            1,
        );
    }
}

/// What only grows.
fn amounts(to: &mut Exposition, lines: &[Line<'_>]) {
    let simple: [Described<Amount>; 4] = [
        (
            "headwater_stream_received_bytes_total",
            "Payload bytes that publishers of the stream have sent.",
            |line| line.counts.received,
        ),
        (
            "headwater_stream_sent_bytes_total",
            "Bytes that players of the stream were sent.",
            |line| line.counts.sent,
        ),
        (
            "headwater_stream_keyframes_total",
            "Keyframes of the first video track.",
            |line| line.counts.keyframes,
        ),
        (
            "headwater_stream_takeovers_total",
            "Publishers that had to leave the stream to another.",
            |line| line.counts.takeovers,
        ),
    ];
    for (name, help, value) in simple {
        let mut family = to.family(name, Kind::Counter, help);
        for line in lines {
            family.sample(&[("stream", line.name)], value(line));
        }
    }
    let by_kind: [Described<(&str, Kinds)>; 3] = [
        (
            "headwater_stream_frames_total",
            "Frames that publishers of the stream have sent, headers included.",
            ("kind", |line| {
                let counts = &line.counts;
                [
                    ("audio", counts.audio_frames),
                    ("video", counts.video_frames),
                    ("data", counts.data_frames),
                ]
                .into()
            }),
        ),
        (
            "headwater_stream_frames_dropped_total",
            "Frames that players have missed because they were too slow, by the step that they had come to.",
            ("step", |line| {
                let players = &line.counts.players;
                [
                    ("disposable", players.missed_disposable),
                    ("inter", players.missed_inter),
                    ("skip", players.missed_by_skip),
                ]
                .into()
            }),
        ),
        (
            "headwater_stream_repairs_total",
            "What was repaired and left out of what the publishers of the stream have sent.",
            ("repair", |line| {
                let counts = &line.counts;
                [
                    ("timestamp_jump", counts.jumps),
                    ("timestamp_raised", counts.raised),
                    ("repeated_header", counts.repeated_headers),
                    ("without_header", counts.without_header),
                    ("gop_overflow", counts.gop_overflows),
                ]
                .into()
            }),
        ),
    ];
    for (name, help, (label, kinds)) in by_kind {
        let mut family = to.family(name, Kind::Counter, help);
        for line in lines {
            for (kind, value) in kinds(line) {
                family.sample(&[("stream", line.name), (label, kind)], value);
            }
        }
    }
}

/// What is so at the moment.
fn states(to: &mut Exposition, lines: &[Line<'_>]) {
    let help = "Whether the stream has a publisher.";
    let mut connected = to.family("headwater_stream_publisher_connected", Kind::Gauge, help);
    for line in lines {
        connected.sample(&[("stream", line.name)], line.publishers);
    }
    let mut players = to.family("headwater_stream_players", Kind::Gauge, "Players that get the stream.");
    for line in lines {
        for transport in [Transport::Rtmp, Transport::Http, Transport::WebSocket, Transport::Local] {
            let count = line.players.get(&transport).copied().unwrap_or_default();
            players.sample(&[("stream", line.name), ("protocol", transport.as_str())], count);
        }
    }
    let ages: [Described<Age>; 3] = [
        (
            "headwater_stream_gop_seconds",
            "How long the last whole group of pictures was.",
            |view| view.figures.gop,
        ),
        (
            "headwater_stream_last_frame_age_seconds",
            "How long ago the last frame came.",
            |view| view.last_frame,
        ),
        (
            "headwater_stream_last_keyframe_age_seconds",
            "How long ago the last keyframe came.",
            |view| view.last_keyframe,
        ),
    ];
    for (name, help, value) in ages {
        let mut family = to.family(name, Kind::Gauge, help);
        for (line, view) in viewed(lines) {
            if let Some(value) = value(view) {
                family.sample(&[("stream", line.name)], value.as_secs_f64());
            }
        }
    }
}

fn viewed<'a>(lines: &'a [Line<'a>]) -> impl Iterator<Item = (&'a Line<'a>, &'a StreamView)> {
    lines.iter().filter_map(|line| Some((line, line.view?)))
}
