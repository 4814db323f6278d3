//! What a session tells its owner.

use super::{Connect, MessageStreamId};
use crate::rtmp::chunk::MessageTypeId;
use crate::{EndCause, Frame, RequestId, StreamKeyError, Target};
use alloc::boxed::Box;
use core::time::Duration;

/// What a session reports.
///
/// An event owns what it carries, so the session is free while one is held. Every [`PublishRequested`] that is not
/// answered by a reject is followed by exactly one [`PublishEnded`], every [`PlayRequested`] by exactly one
/// [`PlayEnded`], whatever the cause.
///
/// [`PublishRequested`]: Event::PublishRequested
/// [`PublishEnded`]: Event::PublishEnded
/// [`PlayRequested`]: Event::PlayRequested
/// [`PlayEnded`]: Event::PlayEnded
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The peer wants to connect to an application. Pauses the session until it is answered.
    ConnectRequested {
        /// What to answer.
        id: RequestId,
        /// What it says about itself.
        connect: Box<Connect>,
    },
    /// The peer wants to publish. Pauses the session until it is answered.
    PublishRequested {
        /// What to answer.
        id: RequestId,
        /// Where its frames will come.
        stream: MessageStreamId,
        /// What it wants to publish.
        target: Box<Target>,
        /// What it wants done with it.
        kind: PublishKind,
    },
    /// The peer wants to play. Pauses the session until it is answered.
    PlayRequested {
        /// What to answer.
        id: RequestId,
        /// Where it wants the frames.
        stream: MessageStreamId,
        /// What it wants to play.
        target: Box<Target>,
        /// From where.
        start: PlayStart,
    },
    /// A frame of an accepted publish.
    Frame {
        /// The publish that it belongs to.
        stream: MessageStreamId,
        /// The frame.
        frame: Frame,
    },
    /// The publisher takes its metadata back (`@clearDataFrame`).
    MetadataCleared {
        /// The publish that it belongs to.
        stream: MessageStreamId,
    },
    /// A player changes what it wants to get. The replies are already in the output.
    PlayControl {
        /// The play that it is about.
        stream: MessageStreamId,
        /// The change.
        control: PlayControl,
    },
    /// A publish is over.
    PublishEnded {
        /// Which one.
        stream: MessageStreamId,
        /// Why.
        cause: EndCause,
    },
    /// A play is over.
    PlayEnded {
        /// Which one.
        stream: MessageStreamId,
        /// Why.
        cause: EndCause,
    },
    /// A ping came back.
    PongReceived {
        /// The time since it was queued.
        round_trip: Duration,
    },
    /// An anomaly: it changes nothing.
    Anomaly(Anomaly),
}

/// The publishing type. RTMP 1.0 §7.2.2.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PublishKind {
    /// Send to players, store nothing. Also what we take any unknown or missing type for.
    #[default]
    Live,
    /// Store as a new file.
    Record,
    /// Store at the end of a file.
    Append,
}

/// Where a play starts. RTMP 1.0 §7.2.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PlayStart {
    /// Live if there is such a stream, else a recording of that name (-2, and other negative numbers).
    #[default]
    LiveOrRecorded,
    /// Live only (-1; ffmpeg and librtmp send -1000).
    Live,
    /// At a position of a recording (0 and above; seconds by the specification, milliseconds by most clients).
    Recorded,
}

/// What a player wants to get, or no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlayControl {
    /// Nothing for a while (`true`), or everything again: headers, then from a keyframe.
    Pause(bool),
    /// Audio or not. RTMP 1.0 §7.2.2.4.
    ReceiveAudio(bool),
    /// Video or not; again, it wants the headers and a keyframe first. RTMP 1.0 §7.2.2.5.
    ReceiveVideo(bool),
}

/// What a peer did wrong and the session read over. For counters and debug logs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Anomaly {
    /// A message of a type that means nothing here.
    UnknownMessage(MessageTypeId),
    /// A command that means nothing here. It got an empty `_result` if it asked for one.
    UnknownCommand,
    /// A command whose AMF does not decode.
    MalformedCommand,
    /// A data message that does not decode or is too long to keep, or a video message without a byte.
    UnusableMedia,
    /// A string in `connect` that is too long to keep. The peer was told and the session is closing.
    StringTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// A command for a message stream that does not exist.
    UnknownStream(MessageStreamId),
    /// A stream name that names no stream. The peer was told and the session is closing.
    InvalidName(StreamKeyError),
    /// `publish` again for the stream that it publishes already.
    RepeatedPublish,
    /// Audio, video or data that belongs to no publish.
    UnexpectedMedia,
    /// More pings than anyone needs.
    PingFlood,
}

impl Anomaly {
    /// Its name, for counters: `unknown_message` and the like.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Anomaly::UnknownMessage(_) => "unknown_message",
            Anomaly::UnknownCommand => "unknown_command",
            Anomaly::MalformedCommand => "malformed_command",
            Anomaly::UnusableMedia => "unusable_media",
            Anomaly::StringTooLong { .. } => "string_too_long",
            Anomaly::UnknownStream(_) => "unknown_stream",
            Anomaly::InvalidName(_) => "invalid_name",
            Anomaly::RepeatedPublish => "repeated_publish",
            Anomaly::UnexpectedMedia => "unexpected_media",
            Anomaly::PingFlood => "ping_flood",
        }
    }
}
