//! Authorization: the world is asked whether a peer may publish or play, and the peer waits for the answer.
//!
//! ```text
//!   peer            server                 world
//!    ── publish ──▶  │
//!                    │ ── Ask(ticket) ─────▶
//!       (reads no    │
//!        further)    │ ◀── answer(ticket) ──
//!    ◀── Start ───── │   or the default, once the time is over
//! ```

use super::connection::{Connection, Phase};
use super::question::{Answer, AuthorizeRequest, Denial, Intent, Otherwise, Question, Ticket};
use super::refusal::{DENIED, Refusal};
use super::session::{PlayRequest, PublishRequest, Session};
use super::{Action, ConnectionId, Event, Server};
use crate::http::HeaderFields;
use crate::rtmp::MessageStreamId;
use crate::{EndCause, RequestId, StreamKey, Target, Time};
use alloc::boxed::Box;
use core::{iter, mem};
use tracing::warn;

/// A request about which the world has been asked.
#[derive(Debug)]
pub(super) struct Asking {
    number: u64,
    request: Request,
    /// When the world has had its time.
    pub(super) until: Time,
}

/// What a peer asks for.
#[derive(Debug)]
pub(super) enum Request {
    Publish(PublishRequest),
    Play(PlayRequest),
}

impl Asking {
    pub(super) fn intent(&self) -> Intent {
        self.request.intent()
    }

    pub(super) fn stream(&self) -> MessageStreamId {
        self.request.stream()
    }
}

impl Request {
    pub(super) fn intent(&self) -> Intent {
        match self {
            Request::Publish(_) => Intent::Publish,
            Request::Play(_) => Intent::Play,
        }
    }

    fn id(&self) -> RequestId {
        match self {
            Request::Publish(publish) => publish.request,
            Request::Play(play) => play.request,
        }
    }

    pub(super) fn stream(&self) -> MessageStreamId {
        match self {
            Request::Publish(publish) => publish.stream,
            Request::Play(play) => play.stream,
        }
    }

    pub(super) fn target(&self) -> &Target {
        match self {
            Request::Publish(publish) => &publish.target,
            Request::Play(play) => &play.target,
        }
    }

    /// The names of the stream: as it is meant, and as it was typed if that is another.
    fn keys(&self) -> impl Iterator<Item = &StreamKey> {
        let undecoded = match self {
            Request::Publish(_) => None,
            Request::Play(play) => play.undecoded.as_ref(),
        };
        iter::once(&self.target().key).chain(undecoded)
    }

    /// What else it says, if it came by HTTP.
    fn fields(&self) -> &HeaderFields {
        match self {
            Request::Publish(publish) => &publish.fields,
            Request::Play(play) => &play.fields,
        }
    }

    /// Takes the header fields out: the request is kept without them.
    fn take_fields(&mut self) -> HeaderFields {
        mem::take(match self {
            Request::Publish(publish) => &mut publish.fields,
            Request::Play(play) => &mut play.fields,
        })
    }

    /// What the peer names is the stream `key`.
    fn rename(&mut self, key: StreamKey) {
        match self {
            Request::Publish(publish) => publish.target.key = key,
            Request::Play(play) => {
                play.target.key = key;
                play.undecoded = None;
            }
        }
    }
}

impl Server {
    /// Takes in what the world says to [`Action::Ask`].
    ///
    /// An answer that comes too late, a second time, or about a peer that has left does nothing.
    pub fn answer(&mut self, now: Time, ticket: Ticket, answer: Answer) {
        let now = self.advance(now);
        self.settle_request(now, ticket.connection, ticket.number, answer);
        self.work_off(now);
    }

    /// A peer wants to publish or to play: asks the world whether it may, if that is to be asked.
    pub(super) fn authorize(&mut self, now: Time, id: ConnectionId, mut request: Request) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.note_agent(request.fields().get("user-agent"));
        }
        if let Some(connection) = self.connections.get_mut(id)
            && let Some(excess) = connection.excess()
        {
            connection
                .protocol
                .turn_away(now, request.id(), request.intent(), excess);
            let (peer, key) = (connection.peer(id), &request.target().key);
            self.remember_refusal(now, peer, key, request.intent(), excess.label(), excess.reason());
            return;
        }
        if self.refuse_excess_request(now, id, &request) {
            return;
        }
        let config = self.config.authorize;
        let intent = request.intent();
        if self.is_shutting_down || !config.asks(intent) {
            self.admit(now, id, &request, Time::NEVER);
            return;
        }
        self.end_role(id, request.stream(), EndCause::Replaced);
        self.read_now(id);
        let number = self.next_ticket();
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let question = connection.describe(id, &mut request);
        connection.said.get_or_insert_default().asking = Some(Box::new(Asking {
            number,
            request,
            until: now + config.timeout,
        }));
        let ticket = Ticket { connection: id, number };
        let question = Question::Authorize(Box::new(question));
        self.actions.push_back(Action::Ask(ticket, question));
    }

    fn settle_request(&mut self, now: Time, id: ConnectionId, number: u64, answer: Answer) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let Some(asking) = connection.withdraw(|asking| asking.number == number) else {
            return;
        };
        let mut request = asking.request;
        match answer {
            Answer::Allow(grant) => {
                if let Some(stream) = grant.stream {
                    request.rename(stream);
                }
                let ends = grant.lasts.map_or(Time::NEVER, |lasts| now + lasts);
                self.admit(now, id, &request, ends);
            }
            Answer::Deny(denial) => self.deny(now, id, &request, &denial),
        }
        self.connections.touch(id);
    }

    /// Lets a request go on, as long as it may.
    pub(super) fn admit(&mut self, now: Time, id: ConnectionId, request: &Request, ends: Time) {
        self.end_role(id, request.stream(), EndCause::Replaced);
        if self.is_shutting_down {
            self.reject(now, id, request, Refusal::ShuttingDown);
            return;
        }
        if let Some(refusal) = self.banned(now, id, request.keys()) {
            self.reject(now, id, request, refusal);
            self.note_denied(now, id, request, refusal.reason(), refusal.label());
            return;
        }
        let is_short = self.is_short_of_memory(now);
        // Room may have been made by ending this connection.
        let connection = self.connections.get(id);
        if connection.is_none_or(|it| it.phase != Phase::Open || it.protocol.is_closing()) {
            return;
        }
        if is_short {
            self.reject(now, id, request, Refusal::OutOfMemory);
            let refusal = Refusal::OutOfMemory;
            self.note_denied(now, id, request, refusal.reason(), refusal.label());
            return;
        }
        match request {
            Request::Publish(publish) => self.request_publish(now, id, publish, ends),
            Request::Play(play) => self.request_play(now, id, play, ends),
        }
    }

    fn deny(&mut self, now: Time, id: ConnectionId, request: &Request, denial: &Denial) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.protocol.deny(now, request.id(), request.intent(), denial);
        self.note_denied(now, id, request, &denial.reason, DENIED);
    }

    pub(super) fn reject(&mut self, now: Time, id: ConnectionId, request: &Request, refusal: Refusal) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.protocol.reject(now, request.id(), request.intent(), refusal);
        }
    }

    /// Counts and reports a request that was refused before anybody else had heard of it.
    fn note_denied(&mut self, now: Time, id: ConnectionId, request: &Request, reason: &str, label: &'static str) {
        let key = &request.target().key;
        match request.intent() {
            Intent::Publish => self.note_refused(now, id, key, &reason, label),
            Intent::Play => {
                self.stats.plays_refused += 1;
                self.tally.refuse("play", label);
                if let Some(connection) = self.connections.get(id) {
                    let (peer, stream) = (connection.peer(id), key.clone());
                    self.remember_refusal(now, peer, key, Intent::Play, label, reason);
                    let reason = reason.into();
                    self.report(now, Event::PlayRefused { peer, stream, reason });
                }
            }
        }
    }

    /// Does without an answer that has not come in time.
    pub(super) fn expire_question(&mut self, now: Time, id: ConnectionId) {
        let asking = self.connections.get(id).and_then(Connection::asking);
        let Some(asking) = asking.filter(|asking| asking.until <= now) else {
            return;
        };
        let number = asking.number;
        let answer = match self.config.authorize.otherwise {
            Otherwise::Allow => Answer::allow(),
            Otherwise::Deny => Answer::deny("authorization is not available"),
        };
        self.stats.unanswered += 1;
        if let Some(connection) = self.connections.get(id)
            && self.journal.admits(now, connection.peer, "")
        {
            warn!(conn = %id, peer = %connection.peer, otherwise = ?self.config.authorize.otherwise,
                "authorization was not answered in time");
        }
        self.settle_request(now, id, number, answer);
    }

    /// Answers a peer about which the world has not said anything yet, because we know better.
    pub(super) fn withdraw_question(&mut self, now: Time, id: ConnectionId, refusal: Refusal) {
        if let Some(connection) = self.connections.get_mut(id)
            && let Some(asking) = connection.withdraw(|_| true)
        {
            let intent = asking.intent();
            connection.protocol.reject(now, asking.request.id(), intent, refusal);
        }
    }

    /// Ends what a peer was allowed only until now.
    pub(super) fn expire_grants(&mut self, now: Time, id: ConnectionId) {
        let is_over = |connection: &Connection| {
            let role = connection.roles.iter().find(|role| role.ends <= now)?;
            Some(role.stream)
        };
        while let Some(stream) = self.connections.get(id).and_then(is_over) {
            self.cut_role(now, id, stream, Refusal::Expired, EndCause::Expired);
        }
    }
}

impl Connection {
    /// The request about which the world has been asked.
    pub(super) fn asking(&self) -> Option<&Asking> {
        self.said.as_ref()?.asking.as_deref()
    }

    /// Takes that request back if it `is_meant`: an answer means nothing any more.
    pub(super) fn withdraw(&mut self, is_meant: impl FnOnce(&Asking) -> bool) -> Option<Asking> {
        let asking = self.said.as_mut()?.asking.take_if(|asking| is_meant(asking));
        asking.map(|asking| *asking)
    }

    /// What the world is told about a request of this connection.
    fn describe(&self, id: ConnectionId, request: &mut Request) -> AuthorizeRequest {
        let fields = request.take_fields();
        let field = |name| fields.get(name).unwrap_or_default().into();
        let target = request.target();
        let (stream, query) = (target.key.clone(), target.query.clone());
        let intent = request.intent();
        let protocol = self.protocol.kind();
        let (tc_url, page_url, agent) = match (&*self.protocol, &self.said) {
            (Session::Rtmp(_), Some(said)) => {
                let connect = said.connect.as_deref();
                let urls = connect.map(|connect| (connect.tc_url.clone(), connect.page_url.clone()));
                let (tc_url, page_url) = urls.unwrap_or_default();
                (tc_url, page_url, said.agent.clone())
            }
            _ => (Box::default(), field("referer"), field("user-agent")),
        };
        AuthorizeRequest {
            intent,
            connection: id,
            peer: self.peer,
            protocol,
            stream,
            query,
            tc_url,
            page_url,
            agent,
            authorization: field("authorization"),
            origin: field("origin"),
        }
    }
}
