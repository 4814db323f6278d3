//! What is known of a stream and of one of its players, put together from all workers, and said for people.

use super::verdict::{MAX_KEYFRAME_GAP, MAX_LAG};
use crate::hub::{Awaits, ChannelConfig, Lag, SubscriberStats, Tracks};
use crate::media::Codec;
use crate::server::{ConnectionView, Intent, RoleKind, StreamView};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use serde::Serialize;

/// All that a verdict is based on. Spans are counted back from now.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) stream: String,
    /// The number of the connection that is asked for.
    pub(super) asked_for: Option<u32>,
    /// Workers that have not answered.
    pub(super) missing: Vec<u16>,
    /// Names that are published and that may have been meant.
    pub(super) similar: Vec<String>,
    /// How long an operator keeps everybody away.
    pub(super) ban: Option<Duration>,
    /// Since when the publisher has been gone, and how long it may still come back.
    pub(super) grace: Option<(Duration, Duration)>,
    /// A peer that wants to publish and has sent no media, and since when it has been connected.
    pub(super) newcomer: Option<(String, Duration)>,
    pub(super) publisher: Option<Publisher>,
    pub(super) media: Media,
    /// What the GOP cache holds at most.
    pub(super) gop_bounds: String,
    pub(super) players: usize,
    pub(super) waiting: usize,
    pub(super) client: Option<Client>,
    /// Of the stream's name or of the connection, the newest first.
    pub(super) refusals: Vec<Refused>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Publisher {
    pub(super) who: String,
    pub(super) age: Duration,
    pub(super) agent: String,
    pub(super) worker: u16,
}

/// What has come of the present publisher.
#[derive(Debug, Clone, Default)]
pub(super) struct Media {
    pub(super) video: Option<Codec>,
    pub(super) audio: Option<Codec>,
    pub(super) size: Option<(u32, u32)>,
    pub(super) audio_frames: u64,
    pub(super) video_frames: u64,
    pub(super) data_frames: u64,
    pub(super) keyframes: u64,
    pub(super) without_header: u64,
    pub(super) gop_overflows: u64,
    pub(super) last_header: Option<Duration>,
    pub(super) first_keyframe: Option<Duration>,
    pub(super) last_keyframe: Option<Duration>,
    pub(super) last_frame: Option<Duration>,
    /// How long the last whole GOP was.
    pub(super) gop: Option<Duration>,
    pub(super) flags: Option<Tracks>,
}

/// The connection that is asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Client {
    pub(super) number: u32,
    pub(super) who: String,
    pub(super) worker: u16,
    pub(super) age: Duration,
    /// What it does with the stream.
    pub(super) role: Option<RoleKind>,
    /// Another stream that it has to do with.
    pub(super) elsewhere: Option<String>,
    pub(super) awaits: Option<Awaits>,
    pub(super) lag: Lag,
    pub(super) queued: usize,
    pub(super) frames: SubscriberStats,
    pub(super) last_read: Duration,
    pub(super) last_write: Duration,
    /// How long an operator keeps its address from the stream.
    pub(super) ban: Option<Duration>,
}

/// A request that was refused.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    pub(super) ago: Duration,
    pub(super) who: String,
    pub(super) client: u32,
    pub(super) intent: Intent,
    /// In one word.
    pub(super) rule: &'static str,
    pub(super) reason: String,
    /// Whether it was of the stream that is asked for.
    pub(super) is_of_stream: bool,
}

/// A fact, for people.
#[derive(Debug, Serialize)]
pub(super) struct Fact {
    pub(super) what: &'static str,
    pub(super) value: String,
    pub(super) is_fine: bool,
}

/// A span in words: `12.3 s`.
pub(super) fn seconds(span: Duration) -> String {
    format!("{}.{} s", span.as_secs(), span.subsec_millis() / 100)
}

/// The bounds of a GOP cache in words.
pub(super) fn gop_bounds(config: &ChannelConfig) -> String {
    format!(
        "{} MiB, {} frames, {}",
        config.gop_max_bytes >> 20,
        config.gop_max_frames,
        seconds(config.gop_max_duration)
    )
}

impl Publisher {
    pub(super) fn of(view: &StreamView) -> Option<Publisher> {
        let publisher = view.publisher.as_ref()?;
        Some(Publisher {
            who: format!("{} by {}", publisher.peer, publisher.protocol),
            age: publisher.age,
            agent: publisher.agent.as_ref().into(),
            worker: publisher.shard.0,
        })
    }
}

impl Media {
    pub(super) fn of(view: &StreamView) -> Media {
        let (figures, info) = (&view.figures, &view.info);
        // Ages are counted from the time of the worker that has the publisher.
        let age = |at: Option<crate::Time>| {
            let newest = figures.last_frame?;
            Some(newest.since(at?) + view.last_frame?)
        };
        let size = info.video.and_then(|video| video.width.zip(video.height));
        Media {
            video: info.video.map(|video| video.codec),
            audio: info.audio.map(|audio| audio.codec),
            size: size.or(view.declared.width.zip(view.declared.height)),
            audio_frames: figures.audio_frames,
            video_frames: figures.video_frames,
            data_frames: figures.data_frames,
            keyframes: figures.keyframes,
            without_header: view.repairs.without_header,
            gop_overflows: view.repairs.gop_overflows,
            last_header: age(figures.last_header),
            first_keyframe: age(figures.first_keyframe),
            last_keyframe: view.last_keyframe,
            last_frame: view.last_frame,
            gop: figures.gop,
            flags: view.promised,
        }
    }
}

impl Client {
    pub(super) fn of(view: &ConnectionView, stream: &str, ban: Option<Duration>) -> Client {
        let role = view.roles.iter().find(|role| role.stream.as_str() == stream);
        let elsewhere = view.roles.iter().find(|role| role.stream.as_str() != stream);
        Client {
            number: view.id.generation(),
            who: format!("{} by {}", view.peer, view.protocol),
            worker: view.shard.0,
            age: view.age,
            role: role.map(|role| role.kind),
            elsewhere: elsewhere.map(|role| role.stream.as_str().into()),
            awaits: view.awaits,
            lag: view.lag,
            queued: view.queued,
            frames: view.frames,
            last_read: view.last_read,
            last_write: view.last_write,
            ban,
        }
    }

    pub(super) fn name(&self) -> String {
        format!("connection {}", self.number)
    }

    pub(super) fn plays(&self) -> bool {
        self.role == Some(RoleKind::Plays)
    }
}

impl Facts {
    /// What there is to say, of the stream first and then of the connection.
    pub(super) fn list(&self) -> Vec<Fact> {
        let mut list = Vec::new();
        let mut say = |what, value: String, is_fine| list.push(Fact { what, value, is_fine });
        if let Some(left) = self.ban {
            say("ban", format!("of everybody, for {} more", seconds(left)), false);
        }
        match (&self.publisher, self.grace, &self.newcomer) {
            (Some(it), ..) => say("publisher", it.to_string(), true),
            (None, Some((since, left)), _) => {
                let value = format!("left {} ago; may come back for {} more", seconds(since), seconds(left));
                say("publisher", value, false);
            }
            (None, None, Some((who, age))) => {
                let value = format!("none; {who} wants to be, and is connected for {}", seconds(*age));
                say("publisher", value, false);
            }
            (None, None, None) => say("publisher", "none".into(), false),
        }
        if !self.similar.is_empty() {
            say("similar names", self.similar.join(", "), true);
        }
        if self.publisher.is_some() {
            for fact in self.media.list() {
                say(fact.what, fact.value, fact.is_fine);
            }
        }
        let players = format!("{} play, {} wait for it to come", self.players, self.waiting);
        say("players", players, true);
        if let Some(client) = &self.client {
            for fact in client.list() {
                say(fact.what, fact.value, fact.is_fine);
            }
        }
        for refused in &self.refusals {
            say("refusal", refused.to_string(), false);
        }
        list
    }
}

impl Media {
    fn list(&self) -> Vec<Fact> {
        let mut list = Vec::new();
        let mut say = |what, value: String, is_fine| list.push(Fact { what, value, is_fine });
        let ago = |span: Option<Duration>| span.map_or_else(|| "never".into(), |span| format!("{} ago", seconds(span)));
        let codec = |codec: Option<Codec>| codec.map_or_else(|| "none".into(), |codec| codec.to_string());
        let size = self
            .size
            .map_or_else(String::new, |(width, height)| format!(" {width}x{height}"));
        let headers = format!(
            "video {}{size}, audio {}; the last sequence header came {}",
            codec(self.video),
            codec(self.audio),
            ago(self.last_header)
        );
        say("headers", headers, self.without_header == 0);
        let keyframes = format!(
            "{}; the first came {}, the last {}",
            self.keyframes,
            ago(self.first_keyframe),
            ago(self.last_keyframe)
        );
        let is_short = |gap: Option<Duration>| gap.is_none_or(|gap| gap <= MAX_KEYFRAME_GAP);
        say(
            "keyframes",
            keyframes,
            self.keyframes > 0 && is_short(self.last_keyframe),
        );
        let gop = self.gop.map_or_else(|| "not known yet".into(), seconds);
        let is_fine = self.gop_overflows == 0 && is_short(self.gop);
        say("time between keyframes", gop, is_fine);
        say("last frame", ago(self.last_frame), self.last_frame.is_some());
        let frames = format!(
            "{} video, {} audio, {} data",
            self.video_frames, self.audio_frames, self.data_frames
        );
        say("frames", frames, self.video_frames > 0);
        if self.without_header > 0 {
            let left_out = format!("{} for want of a sequence header", self.without_header);
            say("frames left out", left_out, false);
        }
        let flags = match self.flags {
            Some(Tracks {
                audio: true,
                video: true,
            }) => "audio and video",
            Some(Tracks { video: true, .. }) => "video",
            Some(Tracks { audio: true, .. }) => "audio",
            Some(_) => "neither audio nor video",
            None => "not known yet: players wait for them",
        };
        say("flags of an FLV player", flags.into(), self.flags.is_some());
        list
    }
}

impl Client {
    fn list(&self) -> Vec<Fact> {
        let mut list = Vec::new();
        let mut say = |what, value: String, is_fine| list.push(Fact { what, value, is_fine });
        let Client { who, worker, .. } = self;
        let age = seconds(self.age);
        say(
            "client",
            format!("{who}, on worker {worker}, connected for {age}"),
            true,
        );
        let role = match (self.role, &self.elsewhere) {
            (Some(RoleKind::Publishes), _) => "publishes it".into(),
            (Some(RoleKind::Plays), _) => "plays it".into(),
            (Some(RoleKind::WaitsToPublish), _) => "waits to publish it, or has sent no media".into(),
            (Some(RoleKind::WaitsToPlay), _) => "waits for it to come".into(),
            (None, Some(other)) => format!("has to do with {other}"),
            (None, None) => "has asked for nothing, or waits to be allowed to".into(),
        };
        say(
            "role",
            role,
            matches!(self.role, Some(RoleKind::Publishes | RoleKind::Plays)),
        );
        if let Some(left) = self.ban {
            say("ban of its address", format!("for {} more", seconds(left)), false);
        }
        let waits_for = match self.awaits {
            None => "nothing",
            Some(Awaits::Resume) => "its viewer: it has paused",
            Some(Awaits::Tracks) => "the kinds of media that the stream has",
            Some(Awaits::Keyframe) => "a keyframe",
        };
        say("waits for", waits_for.into(), self.awaits.is_none());
        let Lag { age, bytes, frames, .. } = self.lag;
        let behind = format!("{}, {frames} frames, {bytes} bytes", seconds(age));
        say("lag", behind, age < MAX_LAG);
        say("queue", format!("{} bytes", self.queued), true);
        let SubscriberStats {
            sent,
            missed_disposable,
            missed_inter,
            missed_by_skip,
        } = self.frames;
        let frames = format!(
            "{sent} given; missed because it was too slow: {missed_disposable} disposable, {missed_inter} up to a keyframe, \
             {missed_by_skip} by skips"
        );
        say("its frames", frames, self.frames.missed() == 0);
        say("last read", format!("{} ago", seconds(self.last_read)), true);
        say("last write", format!("{} ago", seconds(self.last_write)), true);
        list
    }
}

impl core::fmt::Display for Publisher {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} since {}, on worker {}", self.who, seconds(self.age), self.worker)?;
        match self.agent.as_str() {
            "" => Ok(()),
            agent => write!(f, ", {agent}"),
        }
    }
}

impl core::fmt::Display for Refused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Refused {
            who,
            client,
            intent,
            rule,
            reason,
            ..
        } = self;
        let (intent, ago) = (intent.as_str(), seconds(self.ago));
        write!(
            f,
            "{who} (connection {client}) may not {intent}, {ago} ago: {reason} ({rule})"
        )
    }
}
