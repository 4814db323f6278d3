//! Media before its time.

use crate::rtmp::session::ProtocolError;
use crate::{Frame, Limits};
use alloc::vec::Vec;

/// What came before `publish`: a few encoders send their metadata and sequence headers right after `createStream`, and
/// never again. Those are kept for the publish that follows, the rest is dropped.
#[derive(Debug, Default)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Early {
    #[cfg_attr(feature = "server", serde(skip))]
    kept: Vec<Frame>,
    /// Bytes dropped, to notice a peer that never means to publish.
    dropped: usize,
}

impl Early {
    /// One frame of each kind, track and class, so: metadata, and the headers of a few tracks.
    const MAX_KEPT: usize = 8;

    /// Keeps `frame` if a decoder will need it and it `may_keep` it; whether it did.
    ///
    /// # Errors
    /// When more has been dropped than one message may hold.
    pub(super) fn offer(&mut self, frame: &Frame, may_keep: bool, limits: &Limits) -> Result<bool, ProtocolError> {
        if may_keep && frame.class.is_header() && frame.payload.len() <= limits.max_metadata_len {
            self.kept
                .retain(|kept| (kept.kind, kept.track, kept.class) != (frame.kind, frame.track, frame.class));
            if self.kept.len() < Self::MAX_KEPT {
                self.kept.push(frame.clone());
                return Ok(true);
            }
        }
        self.dropped = self.dropped.saturating_add(frame.payload.len());
        if self.dropped > limits.max_message_len as usize {
            return Err(ProtocolError::UnexpectedMedia { dropped: self.dropped });
        }
        Ok(false)
    }

    /// Whether it keeps nothing.
    #[cfg(feature = "server")]
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    #[expect(clippy::arithmetic_side_effects, reason = "what is in memory at once")]
    pub(super) fn held_memory(&self) -> usize {
        let payloads: usize = self.kept.iter().map(|frame| frame.payload.len()).sum();
        self.kept.capacity() * size_of::<Frame>() + payloads
    }

    /// Gives out what was kept, in the order of arrival, and starts over.
    pub(super) fn release(&mut self) -> Vec<Frame> {
        core::mem::take(self).kept
    }
}
