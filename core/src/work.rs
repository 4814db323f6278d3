//! How much work a peer's input makes.
//!
//! Work is counted, not timed, so that the same bytes are the same work everywhere. Its unit is a byte that is parsed: none
//! takes more than 25 ns (`tests/work`). The payload of sound and pictures is only copied, and counts nothing.

/// What an RTMP chunk counts besides its payload: a header is read.
pub(crate) const CHUNK: u64 = 2;
/// What an RTMP message or an FLV tag counts: memory is found for it, and somebody looks at it and passes it on.
pub(crate) const MESSAGE: u64 = 16;
/// What each frame counts that is cut out of a message of sound in ADTS, beyond the message: it is copied, and has a place in the
/// ring and on the time line. A message of several tracks is one frame, whatever their number.
#[cfg(feature = "server")]
pub(crate) const FRAME: u64 = 16;
