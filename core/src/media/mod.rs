//! What audio, video and data messages say about themselves.

mod frame;

pub use frame::{Frame, FrameClass, FrameKind, TrackId};
