//! The bounds of a channel.

use core::time::Duration;

/// How much a channel keeps, and how far a player may lag. Each field says its unit, its default and its reason.
///
/// A channel holds at most `gop_max_bytes + lag_max_bytes` of payload in `gop_max_frames + lag_max_frames` frames, and
/// its headers, whatever the number of its players; with no player behind, only the headers and the GOP cache.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelConfig {
    /// Whether a joining player gets the frames since the last keyframe at once. On: the first picture counts.
    pub gop_cache: bool,
    /// Bytes of the GOP cache. 32 MiB: 8 s at 30 Mb/s. Above it a joiner waits for the next keyframe.
    pub gop_max_bytes: usize,
    /// Media time of the GOP cache. 10 min: a last bound, for pictures without sound that come slower than 14 a second;
    /// bytes and frames end all others before. A camera with a keyframe a minute is cached, since a picture at once
    /// is worth more to its viewers than the newest one.
    pub gop_max_duration: Duration,
    /// Frames in the GOP cache. 8,192: 20 s of 240 pictures and 94 audio frames a second.
    pub gop_max_frames: usize,
    /// Bytes that a player may lag behind before it skips to the newest keyframe. 8 MiB: 2 s at 30 Mb/s. At a quarter
    /// it misses disposable frames, at half all but keyframes and audio.
    pub lag_max_bytes: usize,
    /// Time that a player may lag behind, with the same steps. 10 s: more than a mobile network's usual stall.
    pub lag_max_age: Duration,
    /// Frames that a player may lag behind, with the same steps. 8,192, as in the GOP cache: a frame takes memory even if
    /// it is empty.
    pub lag_max_frames: usize,
    /// Changes of sequence headers in a second above which a publisher is [flapping](super::Channel::is_flapping). 10:
    /// every player starts its decoder anew for each, and real encoders change once in a while. A second is one of arrival or
    /// one of the frames' own time, since what was late comes at once.
    pub max_header_changes: u32,
    /// The longest that a frame waits for others, so that many leave in one write. 0: every frame leaves at once.
    pub merge: Duration,
    /// The longest such wait that a player may ask for itself. 1 s: more is no longer live.
    pub max_merge: Duration,
    /// How long a player that needs a keyframe waits for one before it gets the pictures as they come, if there has been no
    /// keyframe for 20 s. 10 s: streams with intra refresh never have one. Sound waits for a second at most.
    pub keyframe_wait: Duration,
}

impl ChannelConfig {
    /// The most payload that a channel holds, in bytes, beside the message under way.
    #[must_use]
    pub const fn max_bytes(&self) -> usize {
        self.gop_max_bytes.saturating_add(self.lag_max_bytes)
    }

    /// The most frames that a channel holds.
    #[must_use]
    pub const fn max_frames(&self) -> usize {
        self.gop_max_frames.saturating_add(self.lag_max_frames)
    }
}

impl Default for ChannelConfig {
    fn default() -> Self {
        ChannelConfig {
            gop_cache: true,
            gop_max_bytes: 32 << 20,
            gop_max_duration: Duration::from_secs(600),
            gop_max_frames: 8_192,
            lag_max_bytes: 8 << 20,
            lag_max_age: Duration::from_secs(10),
            lag_max_frames: 8_192,
            max_header_changes: 10,
            merge: Duration::ZERO,
            max_merge: Duration::from_secs(1),
            keyframe_wait: Duration::from_secs(10),
        }
    }
}
