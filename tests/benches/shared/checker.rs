//! What a player must see: every frame, once, in order, unchanged, on a timeline that never goes back.

use super::media::{Pattern, Stamp};
use headwater_core::{Frame, FrameClass, FrameKind, Timestamp};

/// Follows the frames that one player gets.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    /// Frames of all kinds.
    pub(crate) frames: u64,
    /// Pictures and sounds.
    pub(crate) coded: u64,
    /// The newest of them.
    last: Option<Stamp>,
    /// The newest timestamp of sound and of pictures.
    times: [Option<Timestamp>; 2],
    /// What the server has added to the timestamps of this publish.
    offset: Option<u32>,
    has_picture: bool,
    /// What was wrong; the first few of it.
    pub(crate) faults: Vec<String>,
}

/// Faults that are kept for the report: what follows a fault is often another view of it.
const MAX_FAULTS: usize = 5;

impl Checker {
    /// Whether a picture came: a player that has one has joined.
    pub(crate) const fn has_picture(&self) -> bool {
        self.has_picture
    }

    /// The number of the newest frame, and the publish that it is from.
    pub(crate) fn newest(&self) -> Option<(u32, u32)> {
        self.last.map(|stamp| (stamp.origin, stamp.sequence))
    }

    /// One player's frame.
    pub(crate) fn take(&mut self, pattern: &Pattern, frame: &Frame) {
        self.frames += 1;
        if frame.class.is_header() {
            return;
        }
        let Some(stamp) = Stamp::of(frame) else {
            return self.blame(format!(
                "a frame that nobody published: {:?}, {} bytes",
                frame.class,
                frame.payload.len()
            ));
        };
        self.coded += 1;
        if !Stamp::is_intact(frame) {
            self.blame(format!("frame {} has other bytes than were published", stamp.sequence));
        }
        let is_key = frame.kind == FrameKind::Video && frame.class == FrameClass::Keyframe;
        self.has_picture |= is_key;
        let shift = frame
            .timestamp
            .as_millis()
            .wrapping_sub(pattern.timestamp(stamp.sequence).as_millis());
        match self.last.replace(stamp) {
            Some(last) if last.origin == stamp.origin => {
                if stamp.sequence != last.sequence + 1 {
                    self.blame(format!("frame {} came after {}", stamp.sequence, last.sequence));
                }
                if self.offset.is_some_and(|offset| offset != shift) {
                    let by = shift.wrapping_sub(self.offset.unwrap_or_default()).cast_signed();
                    self.blame(format!("the timeline leapt by {by} ms at frame {}", stamp.sequence));
                }
            }
            _ => {
                if !is_key {
                    self.blame(format!(
                        "the publish {} began with frame {}, no keyframe",
                        stamp.origin, stamp.sequence
                    ));
                }
            }
        }
        self.offset = Some(shift);
        let time = &mut self.times[usize::from(frame.kind == FrameKind::Video)];
        let steps_back = time.is_some_and(|time| frame.timestamp.as_millis().wrapping_sub(time.as_millis()) > 1 << 31);
        *time = Some(frame.timestamp);
        if steps_back {
            self.blame(format!("time went back at frame {}", stamp.sequence));
        }
    }

    pub(crate) fn blame(&mut self, fault: String) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        }
    }
}
