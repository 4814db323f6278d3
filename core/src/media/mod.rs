//! What audio, video and data messages say about themselves.
//!
//! [`classify`] reads the tag header that every message begins with, and is all that relaying needs. Payloads are
//! passed on untouched.

mod audio;
mod avc;
mod codec;
mod enhanced;
mod frame;
mod header;
mod video;

pub use codec::{Codec, FourCc};
pub use frame::{Frame, FrameClass, FrameKind, TrackId};
pub use header::{FrameHeader, classify};
