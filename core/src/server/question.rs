//! What a server asks the world, and what it can be answered.

use super::{ConnectionId, Transport};
use crate::StreamKey;
use alloc::boxed::Box;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

/// Names a question until it is answered. No other question of the same [`Server`](super::Server) has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    pub(super) connection: ConnectionId,
    pub(super) number: u64,
}

/// What a server asks by [`Action::Ask`](super::Action::Ask). Which questions there are is up to its
/// [`Config`](super::Config): one that asks for nothing gets none.
#[derive(Debug)]
#[non_exhaustive]
pub enum Question {
    /// May this peer publish or play? Asked if [`AuthorizeConfig`] says so.
    Authorize(Box<AuthorizeRequest>),
}

/// What may be answered to a [`Question`], by [`Server::answer`](super::Server::answer).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// It may.
    Allow(Grant),
    /// It may not.
    Deny(Denial),
}

impl Answer {
    /// It may what it wants to.
    #[must_use]
    pub fn allow() -> Self {
        Answer::Allow(Grant::default())
    }

    /// It may not, and is told `reason` in plain words.
    #[must_use]
    pub fn deny(reason: impl Into<Box<str>>) -> Self {
        Answer::Deny(Denial {
            reason: reason.into(),
            needs_credentials: false,
        })
    }
}

/// What a peer is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Grant {
    /// The stream, if it is not the one that the peer named: what is published with a secret key has a public name.
    pub stream: Option<StreamKey>,
    /// How long it may go on, from the answer; `None` for as long as it likes.
    pub lasts: Option<Duration>,
}

/// Why a peer may not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denial {
    /// A sentence for the person at the other end: ffmpeg prints it, OBS logs it.
    pub reason: Box<str>,
    /// Whether HTTP says 401, which has browsers ask for a name and a password, instead of 403.
    pub needs_credentials: bool,
}

impl Denial {
    /// The same, by 401 where the peer speaks HTTP.
    #[must_use]
    pub fn needs_credentials(mut self) -> Self {
        self.needs_credentials = true;
        self
    }
}

/// What a peer wants to do with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub enum Intent {
    /// Publish it.
    Publish,
    /// Play it.
    Play,
}

impl Intent {
    /// `publish` or `play`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Intent::Publish => "publish",
            Intent::Play => "play",
        }
    }
}

/// All that is known of a peer that wants to publish or play. What was not said is empty.
///
/// [`Debug`](fmt::Debug) leaves out what may hold credentials: the query, the URLs, and `authorization`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthorizeRequest {
    /// What it wants.
    pub intent: Intent,
    /// Which connection it is.
    pub connection: ConnectionId,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// What it speaks.
    pub protocol: Transport,
    /// The stream, without the query: app and name.
    pub stream: StreamKey,
    /// The parameters that came with the name, as sent: `name=value` pairs joined by `&`.
    pub query: Box<str>,
    /// RTMP: `tcUrl`, the URL of the connection as sent.
    pub tc_url: Box<str>,
    /// RTMP: `pageUrl`; HTTP: `Referer`.
    pub page_url: Box<str>,
    /// RTMP: `flashVer`; HTTP: `User-Agent`.
    pub agent: Box<str>,
    /// HTTP: `Authorization`.
    pub authorization: Box<str>,
    /// HTTP: `Origin`.
    pub origin: Box<str>,
}

impl fmt::Debug for AuthorizeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizeRequest")
            .field("intent", &self.intent)
            .field("connection", &self.connection)
            .field("peer", &self.peer)
            .field("protocol", &self.protocol)
            .field("stream", &self.stream)
            .field("agent", &self.agent)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// Which peers the world is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthorizeConfig {
    /// Ask about those that want to publish. No.
    pub publish: bool,
    /// Ask about those that want to play. No.
    pub play: bool,
    /// How long the answer may take. 5 s: a hook on the other side of the world has answered, and an encoder has not given up.
    pub timeout: Duration,
    /// What is done without an answer. Denied: a peer that cannot be checked is not let in.
    pub otherwise: Otherwise,
}

/// What happens to a peer about which the world says nothing in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Otherwise {
    /// It may not.
    #[default]
    Deny,
    /// It may.
    Allow,
}

impl Default for AuthorizeConfig {
    fn default() -> Self {
        AuthorizeConfig {
            publish: false,
            play: false,
            timeout: Duration::from_secs(5),
            otherwise: Otherwise::default(),
        }
    }
}

impl AuthorizeConfig {
    /// Whether the world is asked about peers with this intent.
    #[must_use]
    pub const fn asks(&self, intent: Intent) -> bool {
        match intent {
            Intent::Publish => self.publish,
            Intent::Play => self.play,
        }
    }
}
