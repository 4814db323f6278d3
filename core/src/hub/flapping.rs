//! Publishers that change their sequence headers all the time.

use crate::Time;

/// How late frames may come at once. 60 s: a publisher that has said nothing for longer is gone.
const MAX_LATE_MILLIS: u64 = 60_000;

/// A time without frames for this long is a pause, behind which come those that are late. 2 s: longer than a camera takes between
/// two pictures at one a second.
const PAUSE_MILLIS: u64 = 2_000;

/// How many header changes a publisher makes in a second.
///
/// Frames come late and at once when the server, its clock or the publisher's network has leapt over a time. So the seconds are
/// those of arrival or those of the frames' own time, whichever are further; and a pause leaves what its seconds do, for
/// publishers without times as well. Neither is believed for longer than [`MAX_LATE_MILLIS`], so that nobody makes more changes
/// in the long run.
#[derive(Debug)]
pub(super) struct HeaderChanges {
    per_second: u32,
    /// Milliseconds of either kind since the first frame.
    passed: u64,
    /// Changes in the present second, and those beyond `per_second` that a pause has left.
    count: u32,
    late: u32,
    /// When the newest frame came, and its place on the time line.
    newest: Option<(Time, u64)>,
    /// How much further the time line may go than the time that passes.
    late_millis: u64,
}

impl HeaderChanges {
    pub(super) fn new(per_second: u32) -> Self {
        HeaderChanges {
            per_second,
            passed: 0,
            count: 0,
            late: 0,
            newest: None,
            late_millis: MAX_LATE_MILLIS,
        }
    }

    /// A frame came when the time line was at `line`, in milliseconds. O(1).
    pub(super) fn pass(&mut self, now: Time, line: u64) {
        let (came, before) = self.newest.unwrap_or((now, line));
        self.newest = Some((now, line.max(before)));
        let elapsed = now.as_millis().saturating_sub(came.as_millis());
        let longest = elapsed.saturating_add(self.late_millis);
        let believed = line.saturating_sub(before).min(longest);
        self.late_millis = (longest - believed).min(MAX_LATE_MILLIS);

        let second = self.passed / 1_000;
        self.passed = self.passed.saturating_add(elapsed.max(believed));
        if self.passed / 1_000 != second {
            self.count = 0;
            self.late = self.late.saturating_sub(self.per_second);
        }
        if elapsed >= PAUSE_MILLIS {
            let seconds = u32::try_from(elapsed.min(MAX_LATE_MILLIS) / 1_000).unwrap_or_default();
            self.late = self.per_second.saturating_mul(seconds);
        }
    }

    /// Counts one change. Returns whether it was one too many.
    pub(super) fn count(&mut self) -> bool {
        self.count = self.count.saturating_add(1);
        if self.count <= self.per_second {
            return false;
        }
        let left = self.late.checked_sub(1);
        self.late = left.unwrap_or_default();
        left.is_none()
    }
}
