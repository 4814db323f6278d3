//! Whether a connection may stay: the worker's part of the conversation with the [registrar](super::registrar).
//!
//! A connection is served at once while there are many places, and ended soon if it was one too many after all. When places are
//! scarce, or an address may have few, it is not read before the registrar has answered, so that exactly as many are served as
//! may be, by however many workers.
//!
//! One that is refused is told so in its own protocol, for which it has a moment: RTMP hears `NetConnection.Connect.Rejected`
//! when it connects, HTTP 503 with `Retry-After` whatever it asks. Then it is closed.

use super::connection::{Connection, Phase, Role};
use super::holders::Holding;
use super::metrics::Closing;
use super::refusal::{Excess, Refusal};
use super::registrar::{Change, REGISTRAR, Verdict, What};
use super::shard::Message;
use super::{ConnectionId, Server, ShardId};
use crate::rtmp::Connect;
use crate::{EndCause, Time};
use crate::{RequestId, server::session::Session};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;
use tracing::warn;

/// How long a connection that is refused has to ask for something and take its answer. 2 s: a handshake over a bad network.
const REFUSED_FOR: Duration = Duration::from_secs(2);

/// Connections of one worker about which the registrar may still be to answer until further ones wait for it, where places are
/// few: 64, as many as come in a moment.
const FEW: usize = 64;

/// Steps in which the registrar hears of names, to the most that may be: 64, so that the count is right to a sixty-fourth.
const STEPS: usize = 64;

/// How a connection stands with the registrar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may stay, as far as we know.
    Open,
    /// It is not read before the registrar has answered.
    Awaited,
    /// It is one too many.
    Refused(Excess),
}

/// What a worker has to tell the registrar, and has been told.
#[derive(Debug, Default)]
pub(super) struct Admissions {
    /// Not sent yet. There is one message under way at a time, so that a storm of connections makes few large ones.
    changes: Vec<Change>,
    /// Changes of the message that is under way.
    under_way: usize,
    is_scarce: bool,
    /// Names whose home we are, as the registrar knows.
    names: usize,
    /// Connections that are refused, and until when they may stay to hear so.
    refused: VecDeque<(Time, ConnectionId)>,
}

impl Admissions {
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.refused.front().map(|(until, _)| *until)
    }
}

impl Server {
    /// How a connection begins that came from outside.
    pub(super) fn admission(&self) -> Admission {
        if self.shard == REGISTRAR || !self.asks_first() {
            Admission::Open
        } else {
            Admission::Awaited
        }
    }

    /// Whether a connection that comes now waits to hear from the registrar.
    fn asks_first(&self) -> bool {
        let share = self.config.max_connections / 8 / usize::from(self.shards.max(1));
        let unanswered = self.admissions.changes.len() + self.admissions.under_way;
        self.admissions.is_scarce
            || share < FEW
            || unanswered >= share
            || self.config.max_connections_per_address != usize::MAX
    }

    /// The registrar is to know that a connection has come, unless that is an operator's.
    pub(super) fn note_arrival(&mut self, now: Time, id: ConnectionId) {
        if let Some(connection) = self.connections.get(id) {
            let what = match *connection.protocol {
                Session::Admin(_) => return self.note_operator(now, id),
                // The program is never one too many.
                Session::Local(_) => What::CameLocally,
                _ => What::Came {
                    asks: connection.admission == Admission::Awaited,
                },
            };
            self.tell_registrar(id, what);
            self.take_verdicts(now);
        }
    }

    /// The registrar is to know whether a connection has a role, if that has changed.
    pub(super) fn note_role(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id)
            && !matches!(connection.admission, Admission::Refused(_))
        {
            let has_role = connection.has_role();
            if mem::replace(&mut connection.is_role_told, has_role) != has_role {
                self.tell_registrar(id, if has_role { What::TookRole } else { What::LostRole });
            }
        }
    }

    /// The registrar is to know that a connection is gone.
    pub(super) fn note_departure(&mut self, id: ConnectionId) {
        match self.connections.get(id) {
            Some(it) if matches!(*it.protocol, Session::Admin(_)) => self.forget_operator(id),
            Some(it) if !matches!(it.admission, Admission::Refused(_)) => self.tell_registrar(id, What::Left),
            _ => {}
        }
    }

    fn tell_registrar(&mut self, id: ConnectionId, what: What) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        let change = Change {
            id,
            address: connection.peer.into(),
            what,
        };
        match &mut self.registrar {
            Some(registrar) => registrar.note(self.shard, change),
            None => self.admissions.changes.push(change),
        }
    }

    /// Sends the registrar what it is to know, if it has noted what it was sent before. Returns whether there was something.
    pub(super) fn send_changes(&mut self) -> bool {
        let has_news = !self.admissions.changes.is_empty() || self.has_other_names();
        if self.registrar.is_some() || self.admissions.under_way > 0 || !has_news {
            return false;
        }
        let names = self.directory.len();
        self.admissions.names = names;
        let (connections, streams) = (mem::take(&mut self.admissions.changes), self.directory.take_changes());
        self.admissions.under_way = connections.len().max(1);
        let changes = Message::Changes {
            connections,
            streams,
            names,
        };
        self.send_message(REGISTRAR, changes);
        true
    }

    /// Whether the registrar has to hear of the streams whose home we are. Names that players seek come and go by every
    /// mistyped link: of them it hears of larger numbers only, where there may be many.
    fn has_other_names(&self) -> bool {
        let (told, now) = (self.admissions.names, self.directory.len());
        let step = self.config.max_streams / STEPS / usize::from(self.shards.max(1));
        self.directory.has_changes() || told.abs_diff(now) > step
    }

    /// If we are the registrar: counts the streams whose home we are, if there are others than before.
    pub(super) fn note_names(&mut self) {
        let names = self.directory.len();
        if let Some(registrar) = &mut self.registrar
            && (self.admissions.names != names || self.directory.has_changes())
        {
            self.admissions.names = names;
            registrar.note_names(self.shard, names, &self.directory.take_changes());
        }
    }

    /// For the registrar: counts what another worker says.
    pub(super) fn note_changes(
        &mut self,
        now: Time,
        from: ShardId,
        connections: Vec<Change>,
        streams: &[Holding],
        names: usize,
    ) {
        if let Some(registrar) = &mut self.registrar {
            registrar.note_names(from, names, streams);
            for change in connections {
                registrar.note(from, change);
            }
        }
        self.take_verdicts(now);
        self.send_message(from, Message::Verdict(Verdict::Noted));
    }

    /// For the registrar: tells all workers, ourselves among them, what it has decided.
    pub(super) fn take_verdicts(&mut self, now: Time) {
        while let Some((to, verdict)) = self.registrar.as_mut().and_then(|it| it.poll()) {
            if to == self.shard {
                self.handle_verdict(now, verdict);
            } else {
                self.send_message(to, Message::Verdict(verdict));
            }
        }
    }

    pub(super) fn handle_verdict(&mut self, now: Time, verdict: Verdict) {
        match verdict {
            Verdict::Stays(id) => {
                if let Some(connection) = self.connections.get_mut(id)
                    && connection.admission == Admission::Awaited
                {
                    connection.admission = Admission::Open;
                    self.connections.touch(id);
                }
            }
            Verdict::Goes(id, excess) => self.refuse_connection(now, id, excess),
            Verdict::Scarce(is_scarce) => self.admissions.is_scarce = is_scarce,
            Verdict::Crowding(crowding) => self.directory.set_crowding(crowding),
            Verdict::Revoke(address) => self.directory.revoke_newest(address),
            Verdict::Noted => self.admissions.under_way = 0,
        }
    }

    /// A connection is one too many: it may hear so, and counts no more. One that has a role meanwhile stays, and one that is
    /// ending anyway ends.
    fn refuse_connection(&mut self, now: Time, id: ConnectionId, excess: Excess) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.has_role() || connection.phase != Phase::Open || connection.protocol.is_closing() {
            return;
        }
        let (peer, waits) = (connection.peer, !connection.roles.is_empty());
        self.note_departure(id);
        if let Some(connection) = self.connections.get_mut(id) {
            connection.admission = Admission::Refused(excess);
        }
        self.stats.refused += 1;
        self.tally.refuse("connection", excess.label());
        // What fills a worker up is not to fill the log up as well.
        if let Some(times) = self.journal.full.note(now) {
            let reason = excess.reason();
            warn!(%peer, reason, times, "connections refused");
        }
        if waits {
            // It hears so in answer to what it has asked for.
            self.dismiss(now, id, Refusal::Excess(excess), EndCause::Absent);
        }
        self.admissions.refused.push_back((now + REFUSED_FOR, id));
        while self.admissions.refused.len() > self.config.max_refused_connections {
            self.forget_refused();
        }
        self.connections.touch(id);
    }

    /// Closes connections that had their time to hear that they are too many.
    pub(super) fn expire_refused(&mut self, now: Time) {
        while self.admissions.poll_timeout().is_some_and(|until| until <= now) {
            self.forget_refused();
        }
    }

    fn forget_refused(&mut self) {
        if let Some((_, id)) = self.admissions.refused.pop_front() {
            self.drop_connection(id, Closing::TooMany);
        }
    }

    /// An RTMP peer has said who it is: it is welcome, unless it is one too many.
    pub(super) fn welcome(&mut self, now: Time, id: ConnectionId, request: RequestId, connect: Box<Connect>) {
        let is_asked_for = self.config.authorize.publish || self.config.authorize.play;
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if let Some(excess) = connection.excess() {
            connection.protocol.reject_connect(now, request, excess);
            return;
        }
        // Every application is welcome; who may publish and play is asked per stream.
        connection.protocol.accept_connect(now, request);
        let said = connection.said.get_or_insert_default();
        said.agent.clone_from(&connect.flash_ver);
        said.connect = is_asked_for.then_some(connect);
    }
}

impl Connection {
    /// Why it is one too many, if it is.
    pub(super) fn excess(&self) -> Option<Excess> {
        match self.admission {
            Admission::Refused(excess) => Some(excess),
            Admission::Open | Admission::Awaited => None,
        }
    }

    /// Whether it publishes or plays, or wants to. A player that waits for its stream to come takes nobody's place by that: it
    /// counts among those without a role, which make room for others.
    fn has_role(&self) -> bool {
        let counts = |role: &Role| self.protocol.is_local() || !role.waits_to_play();
        self.roles.iter().any(counts) || self.asking().is_some()
    }
}
