//! Who may ask what.
//!
//! A web page that somebody opens can make that browser send requests to any server that the browser reaches, on loopback too.
//! So without a token nothing but loopback is listened on, the `Host` has to name loopback (a page may give its own name another
//! address: DNS rebinding), and what changes something has to say that it is JSON, which a page of another site may not send
//! without asking first. No page of another site can read an answer, nor have the server make one: it is told from our own by what
//! the browser says of it.

use super::problem::Problem;
use super::stream::millis;
use crate::Time;
use crate::http::{Method, RequestHead};
use crate::server::Protocol;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use subtle::ConstantTimeEq;

/// What operators may do, and what they are told of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdminConfig {
    /// What an operator has to send in `Authorization: Bearer TOKEN`. None: whoever reaches the listener may do anything, so it
    /// is for loopback only.
    pub token: Option<Token>,
    /// Connections that operators may have to each worker. 64: some dashboards and scripts, and a browser has six. When there is
    /// one more, the oldest that has nothing under way ends. They count for nothing else, so that whoever reaches the listener
    /// takes no place from publishers and players. A driver lowers it to what the process has file descriptors for.
    pub max_connections: usize,
    /// Readers of events ([`/api/v1/events`](super)) at each worker. 16: a page or two, a bot and a recorder. Each event is written once
    /// for every reader. One more is answered 429.
    pub max_event_readers: usize,
    /// Bytes of events that wait for a reader before it misses some. 256 KiB: some 800 events, which is what a server with 100
    /// players has when they all lose their stream, and more than the last events that a reader gets when it comes back.
    pub max_event_bytes: usize,
    /// The number of the process, for answers. 0. The drivers set it, and what follows.
    pub pid: u32,
    /// A name for the server that it keeps as long as it runs.
    pub server: Box<str>,
    /// The same for this run of it.
    pub service: Box<str>,
    /// Streams that have metrics of their own, those that were there first. 100: some twenty lines for each, which is what a monitoring system takes from
    /// one process without a thought. The others are summed up; 0: none has any, and there is no sum.
    pub metrics_streams: usize,
    /// The runtime that the server stands on, for metrics.
    pub runtime: Box<str>,
    /// Where what is listened for: what the page says of how to publish and play.
    pub listeners: Vec<(Protocol, SocketAddr)>,
    /// The time since 1970 when [`Time::ZERO`](crate::Time::ZERO) was.
    pub epoch: Duration,
}

impl Default for AdminConfig {
    fn default() -> Self {
        AdminConfig {
            token: None,
            max_connections: 64,
            max_event_readers: 16,
            max_event_bytes: 256 << 10,
            pid: 0,
            server: Box::default(),
            service: Box::default(),
            metrics_streams: 100,
            runtime: Box::default(),
            listeners: Vec::new(),
            epoch: Duration::ZERO,
        }
    }
}

impl AdminConfig {
    /// Milliseconds since 1970 at `now`.
    pub(super) fn millis_at(&self, now: Time) -> u64 {
        millis(self.epoch).saturating_add(now.as_millis())
    }
}

/// A secret. It is compared in constant time, and not shown.
#[derive(Clone)]
pub struct Token(Box<str>);

impl Token {
    /// A secret of visible ASCII characters; `None` if there are others in it, or none.
    #[must_use]
    pub fn new(secret: &str) -> Option<Token> {
        let is_fit = !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic());
        is_fit.then(|| Token(secret.into()))
    }

    /// Whether `secret` is the same. The time that it takes says how long the secret is, and nothing else of it.
    fn is(&self, secret: &str) -> bool {
        self.0.as_bytes().ct_eq(secret.as_bytes()).into()
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Token) -> bool {
        self.is(&other.0)
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Lets everybody read what has no secrets, such as a page. Where no token is needed, the `Host` has to be ours; without any,
/// it was no browser that sent the request.
pub(super) fn check_host(head: &RequestHead, config: &AdminConfig) -> Result<(), Problem> {
    match head.host() {
        Some(host) if config.token.is_none() && !is_loopback(host) => Err(Problem::foreign_host()),
        _ => Ok(()),
    }
}

/// Lets an operator in, or says why not.
pub(super) fn check(head: &RequestHead, config: &AdminConfig) -> Result<(), Problem> {
    match &config.token {
        Some(token) => match bearer(head) {
            Some(secret) if token.is(secret) => {}
            Some(_) => return Err(Problem::unauthorized("the token is wrong")),
            None => {
                return Err(Problem::unauthorized("a token is needed: Authorization: Bearer TOKEN"));
            }
        },
        None => check_host(head, config)?,
    }
    // It could not read the answer, but have it made again and again.
    if !head.access.may_write() {
        return Err(Problem::foreign_page());
    }
    Ok(())
}

/// Keeps web pages of other sites from changing anything. For a request that its route would carry out.
pub(super) fn check_change(head: &RequestHead, config: &AdminConfig) -> Result<(), Problem> {
    if matches!(head.method, Method::Get | Method::Head) {
        return Ok(());
    }
    if config.token.is_none() && !is_json(head) {
        return Err(Problem::needs_json());
    }
    Ok(())
}

/// The token that the request has. RFC 6750 §2.1: the name of the scheme has any case.
fn bearer(head: &RequestHead) -> Option<&str> {
    let (scheme, secret) = head.fields.get("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

fn is_json(head: &RequestHead) -> bool {
    let kind = head.fields.get("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// Whether a `Host` is this machine, whoever resolves it.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => return address.parse::<Ipv6Addr>().is_ok_and(|it| it.is_loopback()),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<Ipv4Addr>().is_ok_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn only_names_of_this_machine_are_its_own() {
        for host in [
            "localhost",
            "LOCALHOST:8081",
            "127.0.0.1",
            "127.1.2.3:80",
            "[::1]",
            "[::1]:8081",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[::2]",
            "evil.example:8081",
            "[evil]",
            "127.0.0.1@evil.example",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_token_is_not_shown_and_has_visible_characters() {
        let token = Token::new("s3cret").unwrap();
        assert!(token.is("s3cret") && !token.is("s3cres") && !token.is("s3cret1") && !token.is(""));
        assert_eq!(format!("{token:?}"), "Token(..)");
        for bad in ["", "a b", "a\n", "é"] {
            assert_eq!(Token::new(bad), None, "{bad:?}");
        }
    }
}
