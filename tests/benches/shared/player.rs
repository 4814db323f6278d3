//! A player that checks every frame.

use super::checker::Checker;
use super::conversation::Conversation;
use super::media::Pattern;
use super::wire::Wire;
use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::time::Instant;

/// What a player speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    Rtmp,
    Http,
    WebSocket,
}

/// Where a peer comes from, and what it is about.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) rtmp: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) source: Ipv4Addr,
    /// In the app `live`; a query may follow.
    pub(crate) stream: String,
}

/// How a play ended.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) end: End,
    /// The player's address, if it was connected.
    pub(crate) local: Option<SocketAddr>,
    /// From `connect` to the first picture.
    pub(crate) join: Option<Duration>,
}

#[derive(Debug)]
pub(crate) enum End {
    /// The player left.
    Left,
    /// The server said that the stream is over.
    OfStream,
    /// The server did not agree.
    Refused(String),
    /// The connection broke, or what came made no sense.
    Cut(String),
}

impl Speaks {
    pub(crate) const ALL: [Speaks; 3] = [Speaks::Rtmp, Speaks::Http, Speaks::WebSocket];
}

impl Seat {
    pub(crate) fn server(&self, speaks: Speaks) -> SocketAddr {
        match speaks {
            Speaks::Rtmp => self.rtmp,
            Speaks::Http | Speaks::WebSocket => self.http,
        }
    }

    pub(crate) fn conversation(&self, speaks: Speaks) -> Conversation {
        match speaks {
            Speaks::Rtmp => Conversation::rtmp(&self.stream),
            Speaks::Http => Conversation::http(&self.stream),
            Speaks::WebSocket => Conversation::web_socket(&self.stream),
        }
    }
}

/// Plays until `until` or the end of the stream, and shows every frame to `checker`.
pub(crate) async fn play(
    seat: &Seat,
    speaks: Speaks,
    pattern: &Pattern,
    checker: &mut Checker,
    until: Instant,
) -> Played {
    play_for(seat, speaks, pattern, checker, (until, None)).await
}

/// Plays until `until`, or for a time after the first picture.
pub(crate) async fn play_for(
    seat: &Seat,
    speaks: Speaks,
    pattern: &Pattern,
    checker: &mut Checker,
    until: (Instant, Option<Duration>),
) -> Played {
    let mut played = Played {
        end: End::Left,
        local: None,
        join: None,
    };
    if let Err(error) = try_play(seat, speaks, pattern, checker, until, &mut played).await {
        played.end = End::of(&error);
    }
    played
}

async fn try_play(
    seat: &Seat,
    speaks: Speaks,
    pattern: &Pattern,
    checker: &mut Checker,
    (mut until, stay): (Instant, Option<Duration>),
    played: &mut Played,
) -> Result<(), Error> {
    let began = Instant::now();
    let wire = Wire::connect(seat.server(speaks), seat.source, None).await?;
    played.local = Some(wire.local);
    let mut conversation = seat.conversation(speaks);
    while Instant::now() < until {
        flush(&wire, &mut conversation)?;
        wire.ready(conversation.output().is_some(), until).await?;
        while wire.read(|input| conversation.handle_input(input, |frame| checker.take(pattern, frame)))? > 0 {}
        if played.join.is_none() && checker.has_picture() {
            played.join = Some(began.elapsed());
            until = stay.map_or(until, |stay| until.min(Instant::now() + stay));
        }
    }
    conversation.close();
    flush(&wire, &mut conversation)
}

pub(crate) fn flush(wire: &Wire, conversation: &mut Conversation) -> Result<(), Error> {
    conversation.output().map_or(Ok(()), |output| wire.flush(output))
}

impl End {
    fn of(error: &Error) -> End {
        match error.kind() {
            ErrorKind::UnexpectedEof => End::OfStream,
            ErrorKind::ConnectionRefused if error.raw_os_error().is_none() => End::Refused(error.to_string()),
            _ => End::Cut(error.to_string()),
        }
    }
}
