//! The codes of `onStatus`, `_result` and `_error`. RTMP 1.0 §7.2.

use alloc::borrow::Cow;

/// What a peer is told about its request: a code and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What clients compare.
    pub code: StatusCode,
    /// What clients show.
    pub description: Cow<'static, str>,
}

impl Status {
    /// A status of `code`, described by `description`.
    #[must_use]
    pub fn new(code: StatusCode, description: impl Into<Cow<'static, str>>) -> Self {
        Status {
            code,
            description: description.into(),
        }
    }
}

/// How bad a status is. Clients compare the text, lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// `status`
    Status,
    /// `warning`
    Warning,
    /// `error`
    Error,
}

impl Level {
    /// As sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Status => "status",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

macro_rules! status_codes {
    ($($name:ident = $text:literal, $level:ident;)*) => {
        /// The codes in use, each with the level that belongs to it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum StatusCode {
            $(#[doc = concat!("`", $text, "`")] $name,)*
        }

        impl StatusCode {
            /// As sent.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(StatusCode::$name => $text,)* }
            }

            /// The level that belongs to the code.
            #[must_use]
            pub const fn level(self) -> Level {
                match self { $(StatusCode::$name => Level::$level,)* }
            }

            /// The code that reads `text`, if it is one of these.
            #[must_use]
            pub fn from_bytes(text: &[u8]) -> Option<Self> {
                $(if text == $text.as_bytes() { return Some(StatusCode::$name); })*
                None
            }
        }
    };
}

status_codes! {
    CallFailed = "NetConnection.Call.Failed", Error;
    ConnectAppShutdown = "NetConnection.Connect.AppShutdown", Error;
    ConnectClosed = "NetConnection.Connect.Closed", Status;
    ConnectFailed = "NetConnection.Connect.Failed", Error;
    ConnectIdleTimeout = "NetConnection.Connect.IdleTimeout", Status;
    ConnectInvalidApp = "NetConnection.Connect.InvalidApp", Error;
    ConnectReconnectRequest = "NetConnection.Connect.ReconnectRequest", Status;
    ConnectRejected = "NetConnection.Connect.Rejected", Error;
    ConnectSuccess = "NetConnection.Connect.Success", Status;
    StreamFailed = "NetStream.Failed", Error;
    PauseNotify = "NetStream.Pause.Notify", Status;
    PlayComplete = "NetStream.Play.Complete", Status;
    PlayFailed = "NetStream.Play.Failed", Error;
    PlayInsufficientBandwidth = "NetStream.Play.InsufficientBW", Warning;
    PlayNoSupportedTrackFound = "NetStream.Play.NoSupportedTrackFound", Error;
    PlayPublishNotify = "NetStream.Play.PublishNotify", Status;
    PlayReset = "NetStream.Play.Reset", Status;
    PlayStart = "NetStream.Play.Start", Status;
    PlayStop = "NetStream.Play.Stop", Status;
    PlayStreamNotFound = "NetStream.Play.StreamNotFound", Error;
    PlayTransition = "NetStream.Play.Transition", Status;
    PlayUnpublishNotify = "NetStream.Play.UnpublishNotify", Status;
    PublishBadName = "NetStream.Publish.BadName", Error;
    PublishDenied = "NetStream.Publish.Denied", Error;
    PublishFailed = "NetStream.Publish.Failed", Error;
    PublishIdle = "NetStream.Publish.Idle", Status;
    PublishRejected = "NetStream.Publish.Rejected", Error;
    PublishStart = "NetStream.Publish.Start", Status;
    SeekNotify = "NetStream.Seek.Notify", Status;
    UnpauseNotify = "NetStream.Unpause.Notify", Status;
    UnpublishSuccess = "NetStream.Unpublish.Success", Status;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_back_as_itself() {
        for code in [
            StatusCode::CallFailed,
            StatusCode::PlayStart,
            StatusCode::UnpublishSuccess,
        ] {
            assert_eq!(StatusCode::from_bytes(code.as_str().as_bytes()), Some(code));
        }
        assert_eq!(StatusCode::from_bytes(b"NetStream.Play.Start "), None);
    }
}
