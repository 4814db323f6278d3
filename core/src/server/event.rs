//! What a server tells those who watch it. The log prints these events and says nothing else about peers and streams.

use super::refusal::{Excess, Refusal};
use super::{ConnectionId, Transport};
use crate::hub::{LagLimit, SkipStep};
use crate::media::{self, AudioInfo, VideoInfo};
use crate::{EndCause, Frame, StreamKey};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use tracing::{debug, info, warn};

/// The peer of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Its connection.
    pub connection: ConnectionId,
    /// Where it comes from.
    pub address: SocketAddr,
    /// What it speaks.
    pub protocol: Transport,
}

/// What those who watch a server are told. Kept for [`Server::poll_event`](super::Server::poll_event) if
/// [`Config::keeps_events`](super::Config::keeps_events), and logged unless its peer has used up its share of the log.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A connection was accepted.
    Connected {
        /// Whose.
        peer: Peer,
    },
    /// A connection is closed.
    Disconnected {
        /// Whose it was.
        peer: Peer,
        /// Why, in plain words.
        reason: Box<str>,
    },
    /// A peer broke the protocol, fell silent, or took nothing. What it did ends, and so does its connection.
    Failed {
        /// The peer that failed.
        peer: Peer,
        /// How, in plain words.
        reason: Box<str>,
    },
    /// A request made no sense or asked for nothing that we have; no stream is concerned.
    RequestRefused {
        /// Whose.
        peer: Peer,
        /// Why, in plain words.
        reason: Box<str>,
    },
    /// A stream began: a publisher has its name.
    PublishStarted {
        /// The publisher.
        peer: Peer,
        /// The stream.
        stream: StreamKey,
        /// What the publisher calls itself: `flashVer` or `User-Agent`, at most 128 characters.
        agent: Box<str>,
    },
    /// It is known what a stream consists of.
    StreamInfo {
        /// Its publisher.
        peer: Peer,
        /// The stream.
        stream: StreamKey,
        /// What it consists of.
        info: StreamInfo,
    },
    /// A GOP of the stream is larger than the cache. Players that join wait for its next keyframe. Said once for a publish.
    GopTooLarge {
        /// The publisher.
        peer: Peer,
        /// The stream.
        stream: StreamKey,
    },
    /// A publisher sends nothing, though its connection is open.
    PublisherSilent {
        /// The publisher.
        peer: Peer,
        /// Its stream.
        stream: StreamKey,
        /// For how long.
        silent: Duration,
    },
    /// A publisher had to leave its name to another.
    PublisherReplaced {
        /// The one that had it.
        peer: Peer,
        /// The stream.
        stream: StreamKey,
        /// The connection that has it now.
        by: ConnectionId,
        /// Where that comes from.
        by_address: SocketAddr,
        /// For how long the old one had been silent.
        silent: Duration,
    },
    /// A peer may not publish.
    PublishRefused {
        /// The peer that asked.
        peer: Peer,
        /// The stream that it wanted.
        stream: StreamKey,
        /// Why, in plain words.
        reason: Box<str>,
    },
    /// A publish is over. Players stay for the grace time.
    PublishEnded {
        /// The publisher.
        peer: Peer,
        /// Its stream.
        stream: StreamKey,
        /// Why.
        cause: EndCause,
        /// What it came to.
        totals: PublishTotals,
    },
    /// The grace time of a stream is over: it is gone.
    StreamEnded {
        /// Which one.
        stream: StreamKey,
    },
    /// A player waits for a publisher.
    PlayWaits {
        /// The player.
        peer: Peer,
        /// What it waits for.
        stream: StreamKey,
        /// How long it will.
        wait: Duration,
    },
    /// A player joined.
    PlayStarted {
        /// The player.
        peer: Peer,
        /// What it plays.
        stream: StreamKey,
    },
    /// A peer may not play.
    PlayRefused {
        /// The peer that asked.
        peer: Peer,
        /// The stream that it wanted.
        stream: StreamKey,
        /// Why, in plain words.
        reason: Box<str>,
    },
    /// A player takes less than its stream sends, so that it misses some. Said once, until it has kept up for
    /// [`LAG_EPISODE`].
    PlayLags {
        /// The player.
        peer: Peer,
        /// What it plays.
        stream: StreamKey,
        /// What it misses.
        step: SkipStep,
        /// Which bound it has reached.
        limit: LagLimit,
    },
    /// A player is gone, or its stream is.
    PlayEnded {
        /// The player.
        peer: Peer,
        /// What it played.
        stream: StreamKey,
        /// Why.
        cause: EndCause,
        /// What it came to.
        totals: PlayTotals,
    },
}

/// How long a player has to keep up until [`Event::PlayLags`] is said again. 10 s: a bad network is one piece of news.
pub const LAG_EPISODE: Duration = Duration::from_secs(10);

/// Silence after which a publisher's is worth an event. 5 s: long enough for any encoder to have sent something, and well
/// before it is taken for dead.
pub const PUBLISHER_SILENCE: Duration = Duration::from_secs(5);

/// What a stream consists of, as its headers and metadata say.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Its pictures.
    pub video: Option<VideoInfo>,
    /// Its sound.
    pub audio: Option<AudioInfo>,
    /// The codecs as browsers want them (RFC 6381), such as `avc1.64001f,mp4a.40.2`.
    pub codecs: String,
}

/// What a publish came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PublishTotals {
    /// How long it had the name.
    pub lasted: Duration,
    /// Frames.
    pub frames: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Times that time jumped.
    pub jumps: u64,
    /// Timestamps that were raised, because they stepped back.
    pub raised: u64,
    /// Frames that no decoder could use, because their sequence header was missing.
    pub without_header: u64,
    /// The most players that it had at once on the publisher's own shard, those included that waited.
    pub peak_players: usize,
}

/// What a play came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PlayTotals {
    /// How long it lasted.
    pub lasted: Duration,
    /// Frames that were sent.
    pub frames: u64,
    /// Frames that were not, because the player was too slow.
    pub missed: u64,
    /// Bytes that the connection has sent meanwhile.
    pub bytes: u64,
}

/// Kilobits a second.
fn kbps(bytes: u64, lasted: Duration) -> u64 {
    let millis = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
    bytes.saturating_mul(8).checked_div(millis).unwrap_or(0)
}

impl PublishTotals {
    /// The average rate, in kilobits of payload a second.
    #[must_use]
    pub fn kbps(&self) -> u64 {
        kbps(self.bytes, self.lasted)
    }
}

impl PlayTotals {
    /// The average rate, in kilobits a second.
    #[must_use]
    pub fn kbps(&self) -> u64 {
        kbps(self.bytes, self.lasted)
    }
}

/// Seconds with one decimal.
struct Secs(Duration);

impl fmt::Display for Secs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.as_secs(), self.0.subsec_millis() / 100)
    }
}

impl Event {
    /// The peer that it is about, if it is about one.
    #[must_use]
    pub const fn peer(&self) -> Option<&Peer> {
        match self {
            Event::Connected { peer }
            | Event::Disconnected { peer, .. }
            | Event::Failed { peer, .. }
            | Event::RequestRefused { peer, .. }
            | Event::PublishStarted { peer, .. }
            | Event::StreamInfo { peer, .. }
            | Event::GopTooLarge { peer, .. }
            | Event::PublisherSilent { peer, .. }
            | Event::PublisherReplaced { peer, .. }
            | Event::PublishRefused { peer, .. }
            | Event::PublishEnded { peer, .. }
            | Event::PlayWaits { peer, .. }
            | Event::PlayStarted { peer, .. }
            | Event::PlayRefused { peer, .. }
            | Event::PlayLags { peer, .. }
            | Event::PlayEnded { peer, .. } => Some(peer),
            Event::StreamEnded { .. } => None,
        }
    }

    /// The reasons that the server itself has to refuse or end a request, a publish or a play, in the words of the events and
    /// replies that say so.
    pub fn reasons() -> impl Iterator<Item = &'static str> {
        Refusal::REASONS.iter().chain(Excess::REASONS).copied()
    }

    /// The stream that it is about, if it is about one.
    #[must_use]
    pub const fn stream(&self) -> Option<&StreamKey> {
        match self {
            Event::Connected { .. }
            | Event::Disconnected { .. }
            | Event::Failed { .. }
            | Event::RequestRefused { .. } => None,
            Event::PublishStarted { stream, .. }
            | Event::StreamInfo { stream, .. }
            | Event::GopTooLarge { stream, .. }
            | Event::PublisherSilent { stream, .. }
            | Event::PublisherReplaced { stream, .. }
            | Event::PublishRefused { stream, .. }
            | Event::PublishEnded { stream, .. }
            | Event::StreamEnded { stream }
            | Event::PlayWaits { stream, .. }
            | Event::PlayStarted { stream, .. }
            | Event::PlayRefused { stream, .. }
            | Event::PlayLags { stream, .. }
            | Event::PlayEnded { stream, .. } => Some(stream),
        }
    }

    /// What [`name`](Self::name) may be.
    pub const NAMES: &'static [&'static str] = &[
        "connection_accepted",
        "connection_closed",
        "connection_failed",
        "request_refused",
        "publish_started",
        "stream_info",
        "gop_too_large",
        "publisher_silent",
        "publisher_replaced",
        "publish_refused",
        "publish_ended",
        "stream_ended",
        "play_waits",
        "play_started",
        "play_refused",
        "player_too_slow",
        "play_ended",
    ];

    /// One word, for programs: what the operators' API calls it. It stays.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Event::Connected { .. } => "connection_accepted",
            Event::Disconnected { .. } => "connection_closed",
            Event::Failed { .. } => "connection_failed",
            Event::RequestRefused { .. } => "request_refused",
            Event::PublishStarted { .. } => "publish_started",
            Event::StreamInfo { .. } => "stream_info",
            Event::GopTooLarge { .. } => "gop_too_large",
            Event::PublisherSilent { .. } => "publisher_silent",
            Event::PublisherReplaced { .. } => "publisher_replaced",
            Event::PublishRefused { .. } => "publish_refused",
            Event::PublishEnded { .. } => "publish_ended",
            Event::StreamEnded { .. } => "stream_ended",
            Event::PlayWaits { .. } => "play_waits",
            Event::PlayStarted { .. } => "play_started",
            Event::PlayRefused { .. } => "play_refused",
            Event::PlayLags { .. } => "player_too_slow",
            Event::PlayEnded { .. } => "play_ended",
        }
    }

    /// Whether only a debug log says it: there is one of these for each connection, whatever it does.
    pub(super) const fn is_detail(&self) -> bool {
        matches!(self, Event::Connected { .. } | Event::Disconnected { .. })
    }

    /// One line for the log. Its words and the names of its fields stay, for those who search for them.
    pub(super) fn log(&self) {
        let peer = self.peer();
        let conn = peer.map(|peer| tracing::field::display(peer.connection));
        let address = peer.map(|peer| tracing::field::display(peer.address));
        let protocol = peer.map(|peer| peer.protocol.as_str());
        let stream = self.stream().map(StreamKey::as_str);
        match self {
            Event::Connected { .. } => debug!(conn, peer = address, protocol, "connection accepted"),
            Event::Disconnected { reason, .. } => debug!(conn, peer = address, reason, "connection closed"),
            Event::Failed { reason, .. } => info!(conn, peer = address, protocol, reason, "connection failed"),
            Event::RequestRefused { reason, .. } => info!(conn, peer = address, protocol, reason, "request refused"),
            Event::PublishStarted { agent, .. } => {
                info!(conn, peer = address, protocol, stream, agent, "publish started");
            }
            Event::StreamInfo { info, .. } => info.log(conn, stream),
            Event::GopTooLarge { .. } => {
                warn!(
                    conn,
                    stream, "the pictures from one keyframe to the next are more than the cache holds"
                );
            }
            Event::PublisherSilent { silent, .. } => {
                warn!(conn, peer = address, stream, secs = %Secs(*silent), "publisher silent");
            }
            Event::PublisherReplaced {
                by, by_address, silent, ..
            } => {
                let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
                info!(conn, peer = address, protocol, stream, by_conn = %by, by = %by_address, silent_ms,
                    "publisher replaced");
            }
            Event::PublishRefused { reason, .. } => {
                warn!(conn, peer = address, protocol, stream, reason, "publish refused");
            }
            Event::PublishEnded { cause, totals, .. } => {
                let cause = cause.to_string();
                info!(conn, stream, cause, secs = %Secs(totals.lasted), frames = totals.frames, bytes = totals.bytes,
                    kbps = totals.kbps(), peak_players = totals.peak_players, jumps = totals.jumps,
                    raised = totals.raised, without_header = totals.without_header, "publish ended");
            }
            Event::StreamEnded { .. } => info!(stream, "stream ended"),
            Event::PlayWaits { wait, .. } => {
                info!(
                    conn,
                    peer = address,
                    protocol,
                    stream,
                    seconds = wait.as_secs(),
                    "play waits"
                );
            }
            Event::PlayStarted { .. } => info!(conn, peer = address, protocol, stream, "play started"),
            Event::PlayRefused { reason, .. } => {
                info!(conn, peer = address, protocol, stream, reason, "play refused");
            }
            Event::PlayLags { step, limit, .. } => {
                let missing = match step {
                    SkipStep::Disposable => "pictures that no other needs",
                    SkipStep::Inter => "pictures up to the next keyframe",
                    SkipStep::ToKeyframe => "all up to the newest keyframe",
                };
                info!(
                    conn,
                    peer = address,
                    stream,
                    missing,
                    limit = limit.as_str(),
                    "player too slow"
                );
            }
            Event::PlayEnded { cause, totals, .. } => {
                let cause = cause.to_string();
                info!(conn, stream, cause, secs = %Secs(totals.lasted), bytes = totals.bytes, kbps = totals.kbps(),
                    sent = totals.frames, missed = totals.missed, "play ended");
            }
        }
    }
}

impl StreamInfo {
    /// Reads it from the sequence headers of a stream, or from any other of its frames.
    pub(super) fn of<'f>(frames: impl Iterator<Item = &'f Frame>) -> Self {
        let mut info = StreamInfo::default();
        for frame in frames {
            let (video, audio) = (media::video_info(frame), media::audio_info(frame));
            let is_new = info.video.is_none() && video.is_some() || info.audio.is_none() && audio.is_some();
            info.video = info.video.or(video);
            info.audio = info.audio.or(audio);
            if is_new && let Some(codec) = media::codec_string(frame) {
                let separator = if info.codecs.is_empty() { "" } else { "," };
                info.codecs.extend([separator, &codec]);
            }
        }
        info
    }

    fn log(&self, conn: Option<impl tracing::Value>, stream: Option<&str>) {
        let video = self.video.map(|video| Video(video).to_string());
        let audio = self.audio.map(|audio| Audio(audio).to_string());
        info!(conn, stream, codecs = self.codecs.as_str(), video, audio, "stream info");
    }
}

/// Pictures, for people: `H.264 1280x720 30 fps`.
struct Video(VideoInfo);

impl fmt::Display for Video {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let VideoInfo {
            codec,
            width,
            height,
            frame_rate,
            ..
        } = self.0;
        write!(f, "{codec}")?;
        if let (Some(width), Some(height)) = (width, height) {
            write!(f, " {width}x{height}")?;
        }
        if let Some(rate) = frame_rate {
            write!(f, " {} fps", Trimmed(rate))?;
        }
        Ok(())
    }
}

/// A number of frames a second without zeros that say nothing: `30`, `29.97`.
struct Trimmed(f64);

impl fmt::Display for Trimmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = alloc::format!("{:.2}", self.0);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Sound, for people: `AAC 48000 Hz 2 channels`.
struct Audio(AudioInfo);

impl fmt::Display for Audio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AudioInfo {
            codec,
            sample_rate,
            channels,
        } = self.0;
        write!(f, "{codec}")?;
        if let Some(rate) = sample_rate {
            write!(f, " {rate} Hz")?;
        }
        match channels {
            Some(1) => f.write_str(" mono")?,
            Some(2) => f.write_str(" stereo")?,
            Some(channels) => write!(f, " {channels} channels")?,
            None => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn every_name_of_an_event_is_listed() {
        let code = include_str!("event.rs").split("pub const fn name").nth(1).unwrap();
        let code = code.split("\n    }\n").next().unwrap();
        let names = code.lines().filter_map(|line| line.split('"').nth(1));
        assert_eq!(names.collect::<Vec<_>>(), Event::NAMES);
    }
}
