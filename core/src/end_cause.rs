//! Why a publish or a play ended.

use crate::timers::Timer;
use core::fmt;

/// Why a publish or a play ended, in the same words for every protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub enum EndCause {
    /// The peer said so: `deleteStream`, `closeStream`, `FCUnpublish`, the end of an HTTP body.
    Requested,
    /// The peer closed the connection without a word.
    Eof,
    /// The peer let a timer run out.
    Timeout(Timer),
    /// The peer broke the protocol.
    ProtocolError,
    /// We closed the connection.
    Closed,
    /// Another publisher took the stream over.
    Replaced,
    /// The publisher of the stream that was played is gone.
    Unpublished,
    /// The publisher of the stream that was to be played did not come.
    Absent,
    /// The peer was allowed to for a time that is over.
    Expired,
    /// An operator has ended it.
    Kicked,
    /// The server was short of memory.
    OutOfMemory,
    /// The stream has other kinds of media than the player was told with the first bytes, or another codec than its decoder
    /// was set up for: it is to pull again.
    TracksChanged,
}

impl EndCause {
    /// One word, for programs: what metrics and events call it. It stays.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            EndCause::Requested => "requested",
            EndCause::Eof => "eof",
            EndCause::Timeout(Timer::Handshake) => "handshake_timeout",
            EndCause::Timeout(Timer::Command) => "command_timeout",
            EndCause::Timeout(Timer::Idle) => "idle_timeout",
            EndCause::Timeout(Timer::Ping) => "ping_timeout",
            EndCause::Timeout(Timer::Stall) => "stall_timeout",
            EndCause::Timeout(Timer::Close) => "close_timeout",
            EndCause::ProtocolError => "protocol_error",
            EndCause::Closed => "closed",
            EndCause::Replaced => "replaced",
            EndCause::Unpublished => "unpublished",
            EndCause::Absent => "absent",
            EndCause::Expired => "expired",
            EndCause::Kicked => "kicked",
            EndCause::OutOfMemory => "out_of_memory",
            EndCause::TracksChanged => "tracks_changed",
        }
    }
}

impl fmt::Display for EndCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndCause::Requested => f.write_str("requested"),
            EndCause::Eof => f.write_str("end of input"),
            EndCause::Timeout(timer) => write!(f, "{timer} timeout"),
            EndCause::ProtocolError => f.write_str("protocol error"),
            EndCause::Closed => f.write_str("closed"),
            EndCause::Replaced => f.write_str("replaced"),
            EndCause::Unpublished => f.write_str("unpublished"),
            EndCause::Kicked => f.write_str("kicked"),
            EndCause::TracksChanged => f.write_str("other kinds of media or another codec"),
            EndCause::OutOfMemory => f.write_str("the server is short of memory"),
            EndCause::Expired => f.write_str("permission ended"),
            EndCause::Absent => f.write_str("no such stream"),
        }
    }
}
