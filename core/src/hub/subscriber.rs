//! One player's place in a channel.

use super::ring::Sequence;
use super::tracks::Tracks;
use super::wait_queue::GroupId;
use crate::{FrameKind, Time};

/// What a channel remembers of one player.
#[derive(Debug)]
pub(super) struct Subscriber {
    /// The caller's name for it.
    pub(super) token: u64,
    /// Where it is parked.
    pub(super) group: GroupId,
    /// The generation of the channel that it belongs to.
    pub(super) generation: u32,
    /// The next frame to look at.
    pub(super) cursor: Sequence,
    /// Where the channel's end was when the player joined or skipped: what lies before it is the burst that we chose to
    /// send, and does not count as lag.
    pub(super) anchor: Sequence,
    /// The channel time that is the player's zero.
    pub(super) base: Option<u64>,
    /// The next header to send, while headers are due.
    pub(super) headers_due: Option<u8>,
    /// The [version](super::headers::Headers::version) of those that it has begun to get.
    pub(super) headers_version: u32,
    /// Headers in the ring before this one were covered by those that were due.
    pub(super) headers_until: Sequence,
    /// While the player needs a keyframe: since when, and whether audio waits as well.
    pub(super) awaits: Option<AwaitsKeyframe>,
    pub(super) is_parked: bool,
    /// Set for players that must know the tracks before the first byte (an FLV header names them).
    pub(super) needs_tracks: bool,
    /// What such a player was told that the stream has. It gets no other kind.
    pub(super) promised: Option<Tracks>,
    /// Whether the stream has another codec than the player's decoder was set up for.
    pub(super) is_outdated: bool,
    pub(super) is_paused: bool,
    pub(super) wants_audio: bool,
    pub(super) wants_video: bool,
    /// The step that was last reported, so that each is told once until the player has caught up.
    pub(super) reported: Option<SkipStep>,
    pub(super) stats: SubscriberStats,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct AwaitsKeyframe {
    pub(super) since: Time,
    pub(super) audio_too: bool,
    /// Whether it waits because it is slow, so that the pictures meanwhile are missed.
    pub(super) is_slow: bool,
}

/// What a player has received and missed, in frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SubscriberStats {
    /// Frames given out, headers included.
    pub sent: u64,
    /// Disposable frames missed at the first step of the slow-player ladder.
    pub missed_disposable: u64,
    /// Other pictures missed at the second step.
    pub missed_inter: u64,
    /// Frames of any kind missed at the third step, by skipping to the newest keyframe.
    pub missed_by_skip: u64,
}

/// What a player needs before it gets anything, or any pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Awaits {
    /// That it resumes: it has paused.
    Resume,
    /// That it is known which kinds of media the stream has: the FLV header names them.
    Tracks,
    /// A keyframe.
    Keyframe,
}

/// The steps by which a slow player misses more and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SkipStep {
    /// Disposable frames are left out: nobody sees a difference but a lower frame rate.
    Disposable,
    /// Pictures are left out up to the next keyframe; audio goes on.
    Inter,
    /// Everything up to the newest keyframe is left out, or the older half in a stream without pictures, and headers are
    /// sent again.
    ToKeyframe,
}

/// Which bound a slow player reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LagLimit {
    /// [`lag_max_bytes`](super::ChannelConfig::lag_max_bytes).
    Bytes,
    /// [`lag_max_age`](super::ChannelConfig::lag_max_age).
    Age,
    /// [`lag_max_frames`](super::ChannelConfig::lag_max_frames).
    Frames,
    /// The server's: it was short of memory.
    Memory,
}

impl SkipStep {
    /// One word, for programs. It stays.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            SkipStep::Disposable => "disposable",
            SkipStep::Inter => "inter",
            SkipStep::ToKeyframe => "skipped",
        }
    }
}

impl LagLimit {
    /// One word, for programs and the log. It stays.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            LagLimit::Bytes => "bytes",
            LagLimit::Age => "age",
            LagLimit::Frames => "frames",
            LagLimit::Memory => "memory",
        }
    }
}

impl Subscriber {
    pub(super) fn wants(&self, kind: FrameKind) -> bool {
        match kind {
            FrameKind::Audio => self.wants_audio,
            FrameKind::Video => self.wants_video,
            FrameKind::Data => true,
        }
    }

    /// Whether the player may get frames of `kind`: it was told of them, or need not be.
    pub(super) fn knows(&self, kind: FrameKind) -> bool {
        self.promised.is_none_or(|promised| promised.has(kind))
    }

    /// Continues with headers and a keyframe, as after a pause.
    pub(super) fn start_over(&mut self, now: Time) {
        self.headers_due = Some(0);
        self.awaits = Some(AwaitsKeyframe {
            since: now,
            audio_too: false,
            is_slow: false,
        });
    }

    /// The player's own time for the channel time `time`, modulo 2^32. What lies before its zero is zero.
    pub(super) fn own_time(&self, time: u64) -> u32 {
        let elapsed = time.saturating_sub(self.base.unwrap_or(time));
        u32::try_from(elapsed & u64::from(u32::MAX)).unwrap_or_default()
    }
}

impl SubscriberStats {
    /// Nothing yet.
    #[cfg(feature = "server")]
    pub(crate) const ZERO: SubscriberStats = SubscriberStats {
        sent: 0,
        missed_disposable: 0,
        missed_inter: 0,
        missed_by_skip: 0,
    };

    /// Adds what another player got and missed.
    pub(crate) const fn add(&mut self, other: &SubscriberStats) {
        self.sent += other.sent;
        self.missed_disposable += other.missed_disposable;
        self.missed_inter += other.missed_inter;
        self.missed_by_skip += other.missed_by_skip;
    }

    /// What has come on top of `earlier`.
    #[cfg(feature = "server")]
    pub(crate) const fn beyond(&self, earlier: &SubscriberStats) -> SubscriberStats {
        SubscriberStats {
            sent: self.sent.saturating_sub(earlier.sent),
            missed_disposable: self.missed_disposable.saturating_sub(earlier.missed_disposable),
            missed_inter: self.missed_inter.saturating_sub(earlier.missed_inter),
            missed_by_skip: self.missed_by_skip.saturating_sub(earlier.missed_by_skip),
        }
    }

    /// Frames missed, of all classes.
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.missed_disposable + self.missed_inter + self.missed_by_skip
    }
}
