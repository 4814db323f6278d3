//! How long pictures have come without a keyframe.

use crate::Time;
use core::time::Duration;

/// A stream without a keyframe for this long has none. 20 s: twice the longest interval that encoders are usually set to.
const MAX_KEYFRAME_INTERVAL: Duration = Duration::from_secs(20);

/// As much of a time without pictures counts. 5 s: longer than encoders take between two pictures. When the server or the
/// publisher's network stood still, the pictures of that time come at once, with their keyframes.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Tells streams with intra refresh, which never have a keyframe and show without, from all others.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KeyframeGap {
    /// When the newest picture came.
    newest: Option<Time>,
    /// How long pictures have come since the last keyframe.
    span: Duration,
    /// Whether there has been a keyframe, or may have been one.
    has_had_one: bool,
}

impl KeyframeGap {
    /// What follows a keyframe that came at `now`, or may have come.
    pub(super) fn after_keyframe(now: Time) -> Self {
        KeyframeGap {
            newest: Some(now),
            span: Duration::ZERO,
            has_had_one: true,
        }
    }

    /// A picture came that is no keyframe.
    pub(super) fn picture(&mut self, now: Time) {
        let before = self.newest.replace(now).unwrap_or(now);
        self.span += now.since(before).min(MAX_PAUSE);
    }

    /// Whether keyframes are rarer than any encoder is set to. A publisher that began without one has as long as players
    /// `wait`.
    pub(super) fn is_endless(&self, wait: Duration) -> bool {
        self.span >= if self.has_had_one { MAX_KEYFRAME_INTERVAL } else { wait }
    }
}
