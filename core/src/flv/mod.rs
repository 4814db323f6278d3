//! FLV files and streams: header, tags, reader, writer. FLV 10.1 Annex E.
//!
//! ```text
//! file header (9)   previous tag size = 0 (4)   { tag header (11)   data   previous tag size (4) } ...
//! ```
//!
//! A tag's data is the body of an RTMP message of the same type, so tags come and go as [`Frame`](crate::Frame)s.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod error;
mod header;
mod reader;
mod tag;
mod writer;

pub use error::FlvError;
pub use header::{FileHeader, TagFlags};
pub use reader::{FlvItem, FlvReader};
pub use tag::TagHeader;
pub use writer::FlvWriter;

/// Bytes of the previous tag size field.
const PREVIOUS_TAG_SIZE_LEN: usize = 4;
