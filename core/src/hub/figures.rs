//! What a channel measures of its publisher, for people and programs to look at.

use crate::media::{FrameClass, FrameKind};
use crate::time::Window;
use crate::{Frame, Time};
use core::time::Duration;

/// What has come of the present publisher, or came of the last one. Each frame costs O(1), without allocation: a few additions,
/// and every 5 s some numbers more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Figures {
    /// Frames of sound, headers included.
    pub audio_frames: u64,
    /// Frames of pictures, headers included.
    pub video_frames: u64,
    /// Metadata and other data.
    pub data_frames: u64,
    /// Keyframes of the default video track.
    pub keyframes: u64,
    /// When the last sequence header came, a repeated one too.
    pub last_header: Option<Time>,
    /// When the first keyframe came.
    pub first_keyframe: Option<Time>,
    /// When the last frame came.
    pub last_frame: Option<Time>,
    /// When the last keyframe came.
    pub last_keyframe: Option<Time>,
    /// How long the last whole GOP was, by the timestamps.
    pub gop: Option<Duration>,
    /// How many pictures it had.
    pub gop_pictures: u32,
    /// Bytes of payload a second, over the last half minute.
    pub bytes_per_second: u64,
    /// Pictures of the default track a second, over the last half minute, in thousandths.
    pub milli_frame_rate: u64,
}

/// Where a player is in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Lag {
    /// How long ago the frame came that it gets next, counted from the newest. None at the live edge.
    pub age: Duration,
    /// Payload bytes that it has not been given yet.
    pub bytes: u64,
    /// How many frames they are in.
    pub frames: u64,
}

/// What counts.
#[derive(Debug, Default)]
pub(super) struct Meters {
    figures: Figures,
    bytes: Window,
    pictures: Window,
    /// The place of the last picture on the time line: one that comes in slices counts once.
    picture_at: Option<u64>,
    /// The place of the last keyframe, and pictures since, with it.
    keyframe_at: Option<(u64, u32)>,
}

impl Meters {
    /// A frame has come, whatever becomes of it.
    pub(super) fn frame(&mut self, now: Time, frame: &Frame) {
        let figures = &mut self.figures;
        *match frame.kind {
            FrameKind::Audio => &mut figures.audio_frames,
            FrameKind::Video => &mut figures.video_frames,
            FrameKind::Data => &mut figures.data_frames,
        } += 1;
        figures.last_frame = Some(now);
        if frame.class == FrameClass::SequenceHeader {
            figures.last_header = Some(now);
        }
        self.bytes.add(now, frame.payload.len() as u64);
    }

    /// A coded frame has its place on the time line.
    pub(super) fn coded(&mut self, now: Time, frame: &Frame, time: u64) {
        let is_picture = frame.kind == FrameKind::Video && frame.track.0 == 0;
        if !is_picture || self.picture_at.replace(time) == Some(time) {
            return;
        }
        self.pictures.add(now, 1);
        if frame.class != FrameClass::Keyframe {
            if let Some((_, pictures)) = &mut self.keyframe_at {
                *pictures = pictures.saturating_add(1);
            }
            return;
        }
        self.figures.keyframes += 1;
        self.figures.first_keyframe.get_or_insert(now);
        self.figures.last_keyframe = Some(now);
        if let Some((before, pictures)) = self.keyframe_at.replace((time, 1)) {
            self.figures.gop = Some(Duration::from_millis(time.saturating_sub(before)));
            self.figures.gop_pictures = pictures;
        }
    }

    pub(super) fn figures(&self, now: Time) -> Figures {
        Figures {
            bytes_per_second: self.bytes.millis_per_second(now) / 1_000,
            milli_frame_rate: self.pictures.millis_per_second(now),
            ..self.figures
        }
    }
}
