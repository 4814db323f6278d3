//! What audio, video and data messages say about themselves.
//!
//! [`classify`] reads the tag header that every message begins with, and is all that relaying needs. Payloads are
//! passed on untouched. [`tracks()`] goes through a message of several tracks, and a [`Rewrite`] is a payload in another form,
//! of which all but the first bytes is shared. [`video_info`] and [`audio_info`] read sequence headers too, for people and
//! their statistics: a configuration that they cannot read is unknown, never an error. [`script`] makes of metadata what
//! players can read.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod aac;
pub(crate) mod adts;
mod audio;
pub mod avc;
mod bits;
mod codec;
mod codec_string;
mod content;
mod frame;
mod header;
pub mod hevc;
mod info;
mod nal;
mod rewrite;
pub mod script;
mod tracks;
#[cfg(test)]
mod vectors;
mod video;

pub use aac::AudioSpecificConfig;
pub(crate) use content::Content;
#[cfg(feature = "server")]
pub(crate) use header::MEDIA_HEAD;
pub(crate) use header::codec;
pub(crate) use video::has_picture;

pub use codec::{Codec, FourCc};
pub use codec_string::codec_string;
pub use frame::{Frame, FrameAt, FrameClass, FrameKind, TrackId};
pub use header::{FrameHeader, classify};
pub use info::{AudioInfo, VideoInfo, audio_info, video_info};
pub use rewrite::Rewrite;
pub use tracks::{PacketType, TrackError, TrackPart, TrackParts, VideoFrameType, tracks};
