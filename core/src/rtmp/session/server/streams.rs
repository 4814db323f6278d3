//! The message streams of one connection.

use crate::rtmp::chunk::MessageStreamId;
use crate::rtmp::session::PlayControl;
use crate::rtmp::session::state::{Ended, StreamState, StreamStep};
use crate::{StateError, StreamKey};
use alloc::vec::Vec;
use core::mem;

/// The message streams of one connection: rarely more than one, so a list.
#[derive(Debug, Default)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Streams {
    open: Vec<Stream>,
    /// The ID that was given out last. IDs are never used twice: media under way for a deleted stream is nobody's.
    last: u32,
}

#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
struct Stream {
    id: MessageStreamId,
    state: StreamState,
    /// What is requested, published or played there.
    key: Option<StreamKey>,
    /// Whether something was ever published there.
    was_published: bool,
    /// What the next play is to leave out.
    unwanted: Unwanted,
}

/// Kinds of media that a client said it does not want.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
struct Unwanted {
    audio: bool,
    video: bool,
}

impl Streams {
    /// A new idle stream, unless `max` are open.
    pub(super) fn create(&mut self, max: usize) -> Option<MessageStreamId> {
        if self.open.len() >= max {
            return None;
        }
        self.last = self.last.wrapping_add(1).max(1);
        let id = MessageStreamId(self.last);
        self.open.reserve_exact(1);
        self.open.push(Stream {
            id,
            state: StreamState::Idle,
            key: None,
            was_published: false,
            unwanted: Unwanted::default(),
        });
        Some(id)
    }

    pub(super) fn remove(&mut self, id: MessageStreamId) {
        self.open.retain(|stream| stream.id != id);
    }

    /// The stream that a message for `id` is meant for: that one or, as some clients get it wrong, the only one.
    pub(super) fn resolve(&self, id: MessageStreamId) -> Option<MessageStreamId> {
        match self.open.as_slice() {
            [only] => Some(only.id),
            open => open.iter().find(|stream| stream.id == id).map(|stream| stream.id),
        }
    }

    pub(super) fn any(&self, state: StreamState) -> bool {
        self.open.iter().any(|stream| stream.state == state)
    }

    /// What the stream `id` publishes.
    pub(super) fn published(&self, id: MessageStreamId) -> Result<&StreamKey, StateError> {
        self.doing(id, StreamState::Publishing).ok_or(StateError::NotPublishing)
    }

    /// What the stream `id` plays.
    pub(super) fn played(&self, id: MessageStreamId) -> Result<&StreamKey, StateError> {
        self.doing(id, StreamState::Playing).ok_or(StateError::NotPlaying)
    }

    /// As [`resolve`](Self::resolve), if that stream is in `state`.
    pub(super) fn resolve_if(&self, id: MessageStreamId, state: StreamState) -> Option<MessageStreamId> {
        self.resolve(id).filter(|id| self.doing(*id, state).is_some())
    }

    /// Whether the stream that a message for `id` is meant for has ever been published on.
    pub(super) fn was_published(&self, id: MessageStreamId) -> bool {
        self.resolve(id)
            .and_then(|id| self.find(id))
            .is_some_and(|stream| stream.was_published)
    }

    /// The stream that publishes `key` or, without one, the only one that publishes.
    pub(super) fn publisher(&self, key: Option<&StreamKey>) -> Option<MessageStreamId> {
        let mut publishing = self.open.iter().filter(|s| s.state == StreamState::Publishing);
        let is_it = |stream: &&Stream| stream.key.as_ref() == key;
        let found = publishing.clone().find(is_it).or_else(|| {
            let only = publishing.next();
            only.filter(|_| publishing.next().is_none())
        });
        found.map(|stream| stream.id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = MessageStreamId> {
        self.open.iter().map(|stream| stream.id)
    }

    /// Takes the stream `id` through `step` and says what that ended. Requests come with the `key` that they are for.
    pub(super) fn step(&mut self, id: MessageStreamId, step: StreamStep, key: Option<StreamKey>) -> Ended {
        let Some(stream) = self.open.iter_mut().find(|stream| stream.id == id) else {
            return Ended::Nothing;
        };
        let (state, ended) = stream.state.after(step);
        stream.state = state;
        stream.was_published |= state == StreamState::Publishing;
        if state == StreamState::Idle {
            stream.key = None;
        } else if key.is_some() {
            stream.key = key;
        }
        ended
    }

    /// Remembers what a client wants of a stream that it does not play yet. Whether that concerns a stream.
    pub(super) fn remember(&mut self, id: MessageStreamId, control: PlayControl) -> bool {
        let id = self.resolve(id);
        let Some(stream) = self.open.iter_mut().find(|stream| Some(stream.id) == id) else {
            return false;
        };
        match control {
            PlayControl::ReceiveAudio(wanted) => stream.unwanted.audio = !wanted,
            PlayControl::ReceiveVideo(wanted) => stream.unwanted.video = !wanted,
            PlayControl::Pause(_) => return false,
        }
        true
    }

    /// What was remembered for the play on the stream `id` that begins now.
    pub(super) fn recall(&mut self, id: MessageStreamId) -> impl Iterator<Item = PlayControl> {
        let stream = self.open.iter_mut().find(|stream| stream.id == id);
        let Unwanted { audio, video } = stream.map(|it| mem::take(&mut it.unwanted)).unwrap_or_default();
        let audio = audio.then_some(PlayControl::ReceiveAudio(false));
        audio
            .into_iter()
            .chain(video.then_some(PlayControl::ReceiveVideo(false)))
    }

    #[expect(clippy::arithmetic_side_effects, reason = "what is in memory at once")]
    pub(super) const fn held_memory(&self) -> usize {
        self.open.capacity() * size_of::<Stream>()
    }

    fn doing(&self, id: MessageStreamId, state: StreamState) -> Option<&StreamKey> {
        self.find(id)
            .filter(|stream| stream.state == state)
            .and_then(|stream| stream.key.as_ref())
    }

    fn find(&self, id: MessageStreamId) -> Option<&Stream> {
        self.open.iter().find(|stream| stream.id == id)
    }
}
