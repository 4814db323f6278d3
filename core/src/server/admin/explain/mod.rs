//! Why a player sees nothing: what every worker knows of a stream, and the first thing that is wrong with it.
//!
//! ```text
//!   Question ─▶ each worker ─▶ Evidence ─┐
//!                              Evidence ─┴─▶ Facts ─▶ verdict: the first case of a table that is given
//! ```

mod facts;
mod similar;
mod verdict;

#[cfg(test)]
mod tests;

use super::gather::World;
use crate::hub::ChannelId;
use crate::server::connection::{Activity, Connection, Phase};
use crate::server::recent::RecentRefusal;
use crate::server::session::Session;
use crate::server::{ConnectionView, Server, StreamView};
use crate::{StreamKey, Time};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use facts::{Client, Fact, Facts, Media, Publisher, Refused, gop_bounds};
use serde::Serialize;

/// Refusals that are told. 5: the newest say what is the case.
const MAX_REFUSALS: usize = 5;

/// What is to be explained.
#[derive(Debug, Clone)]
pub(in crate::server) struct Question {
    pub(super) key: StreamKey,
    /// The number of a connection.
    pub(super) client: Option<u32>,
}

/// What one worker knows of it, beside the stream itself.
#[derive(Debug, Default)]
pub(in crate::server) struct Evidence {
    ban: Option<Duration>,
    /// Since when the publisher has been gone, and how long it may still come back.
    grace: Option<(Duration, Duration)>,
    /// Who wants to publish and has sent no media, and since when it has been connected.
    newcomer: Option<(SocketAddr, Duration)>,
    similar: Vec<(usize, StreamKey)>,
    refusals: Vec<(Duration, RecentRefusal)>,
    /// The connection that is meant, and how long its address is kept from the stream.
    client: Option<(ConnectionView, Option<Duration>)>,
}

/// An explanation.
#[derive(Debug, Serialize)]
pub(super) struct Explained<'a> {
    workers: u16,
    missing_workers: &'a [u16],
    explanation: Explanation<'a>,
}

#[derive(Debug, Serialize)]
struct Explanation<'a> {
    stream: &'a str,
    client: Option<String>,
    /// Which case it is, for programs.
    case: &'static str,
    is_fine: bool,
    /// The same in a sentence.
    verdict: String,
    facts: Vec<Fact>,
    similar: Vec<String>,
}

impl Server {
    /// What we know of what is to be explained. O(streams + connections).
    pub(super) fn evidence(&self, now: Time, question: &Question) -> Evidence {
        let Question { key, client } = question;
        let published = self.streams.iter().filter(|(_, stream)| stream.publisher.is_some());
        let near = published.filter_map(|(_, stream)| Some((similar::distance(key, &stream.key)?, stream.key.clone())));
        let is_meant = |it: &RecentRefusal| match client {
            Some(number) => it.connection.generation() == *number,
            None => it.stream == *key,
        };
        let refusals = self.recent.find(MAX_REFUSALS, is_meant);
        let client = client.and_then(|number| {
            let is_meant = |it: &Connection| is_peer(it) && it.generation == number;
            let (id, connection) = self.connections.iter().find(|(_, it)| is_meant(it))?;
            let ban = self.bans.left(now, key, connection.peer.into());
            Some((self.view_connection(now, id, connection), ban))
        });
        Evidence {
            ban: self.bans.left_for_all(now, key),
            grace: self.directory.grace_of(now, key),
            newcomer: self.streams.find(key).and_then(|channel| self.newcomer(now, channel)),
            similar: similar::nearest(near.collect()),
            refusals: refusals.into_iter().map(|it| (now.since(it.at), it)).collect(),
            client,
        }
    }

    /// The stream itself, if it has a publisher or players here.
    pub(super) fn view_of(&self, now: Time, key: &StreamKey) -> Option<StreamView> {
        let stream = self.streams.get(self.streams.find(key)?)?;
        (stream.publisher.is_some() || stream.players > 0).then(|| self.view_stream(now, stream))
    }

    /// The first connection that wants to publish the stream and does not yet. O(connections).
    fn newcomer(&self, now: Time, channel: ChannelId) -> Option<(SocketAddr, Duration)> {
        let wants_to = |connection: &Connection| {
            let mut roles = connection.roles.iter().filter(|role| role.channel == channel);
            roles.any(|role| {
                matches!(
                    role.activity,
                    Activity::Requesting { .. } | Activity::Admitted | Activity::Claiming { .. }
                )
            })
        };
        let (_, connection) = self.connections.iter().find(|(_, it)| wants_to(it))?;
        Some((connection.peer, now.since(connection.since)))
    }
}

/// Whether it is a connection of others than operators.
fn is_peer(connection: &Connection) -> bool {
    connection.phase == Phase::Open && !matches!(*connection.protocol, Session::Admin(_))
}

/// Explains it. None: nobody has the connection that is asked for, nor was it refused of late.
pub(super) fn explain<'a>(
    world: &World<'_>,
    question: &'a Question,
    stream: Option<&StreamView>,
    evidence: Vec<Evidence>,
    missing: &'a [u16],
) -> Option<Explained<'a>> {
    let facts = gather_facts(world, question, stream, evidence, missing);
    if facts.asked_for.is_some() && facts.client.is_none() && facts.refusals.is_empty() {
        return None;
    }
    let (case, verdict) = verdict::verdict(&facts);
    Some(Explained {
        workers: world.workers,
        missing_workers: missing,
        explanation: Explanation {
            stream: question.key.as_str(),
            client: question.client.map(|number| number.to_string()),
            case,
            is_fine: case == verdict::WELL,
            verdict,
            facts: facts.list(),
            similar: facts.similar,
        },
    })
}

fn gather_facts(
    world: &World<'_>,
    question: &Question,
    stream: Option<&StreamView>,
    evidence: Vec<Evidence>,
    missing: &[u16],
) -> Facts {
    let key = &question.key;
    let mut facts = Facts {
        stream: key.as_str().into(),
        asked_for: question.client,
        missing: missing.into(),
        publisher: stream.and_then(Publisher::of),
        media: stream.map(Media::of).unwrap_or_default(),
        gop_bounds: gop_bounds(world.channel),
        players: stream.map_or(0, |stream| stream.players),
        waiting: stream.map_or(0, |stream| stream.waiting),
        ..Facts::default()
    };
    let (mut near, mut refusals) = (Vec::new(), Vec::new());
    for part in evidence {
        facts.ban = facts.ban.max(part.ban);
        facts.grace = facts.grace.or(part.grace);
        let newcomer = part.newcomer.map(|(peer, age)| (peer.to_string(), age));
        facts.newcomer = facts.newcomer.or(newcomer);
        if let Some((view, ban)) = part.client {
            facts.client = Some(Client::of(&view, key.as_str(), ban));
        }
        near.extend(part.similar);
        refusals.extend(part.refusals);
    }
    if facts.publisher.is_none() {
        let names = similar::nearest(near).into_iter();
        facts.similar = names.map(|(_, name)| name.as_str().into()).collect();
    }
    refusals.sort_by_key(|(ago, _)| *ago);
    refusals.truncate(MAX_REFUSALS);
    facts.refusals = refusals.into_iter().map(|(ago, it)| refused(ago, it, key)).collect();
    facts
}

fn refused(ago: Duration, it: RecentRefusal, key: &StreamKey) -> Refused {
    Refused {
        ago,
        who: format!("{}", it.address),
        client: it.connection.generation(),
        intent: it.intent,
        rule: it.rule,
        reason: it.reason.into(),
        is_of_stream: it.stream == *key,
    }
}
