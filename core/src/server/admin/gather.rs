//! What all workers know, put together.

use super::access::AdminConfig;
use super::envelope::Envelope;
use super::explain::{Evidence, Question, explain};
use super::feed::{FeedMessage, Watch};
use super::metrics::{Format, Metrics, ProcessFigures};
use super::page::Page;
use super::problem::Problem;
use super::{ban, client, feed, stream, summary};
use crate::http::Response;
use crate::hub::ChannelConfig;
use crate::server::address::Address;
use crate::server::bans::{Banned, Term};
use crate::server::buckets::{Bucket, Rate};
use crate::server::connection::Connection;
use crate::server::metrics::{Seniority, Sight};
use crate::server::session::Session;
use crate::server::shard::{Message, ShardId};
use crate::server::{Action, ConnectionId, ConnectionView, Kick, Server, ServerStats, StreamView};
use crate::{RequestId, StreamKey, Time};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

/// How long a worker may take to answer. 1 s: each answers within milliseconds, and an operator does not wait for one that is
/// stuck.
const DEADLINE: Duration = Duration::from_secs(1);

/// How much may be looked at for operators: connections and streams of the worker that is asked, as many of the others may
/// have. Then 50,000 a second, which is a tenth of a worker's time: what operators see is no reason for frames to be late. 100,000
/// at once, so that whatever there is can be looked at after two quiet seconds.
const LOOKS: Rate = Rate {
    burst: 100_000,
    every: Duration::from_micros(20),
};

/// What a question costs beside. 100: as much as a tenth of a millisecond.
const QUESTION: usize = 100;

/// What an operator asks of all workers.
#[derive(Debug)]
pub(super) enum Asked {
    Summary,
    Streams(Page),
    Stream(StreamKey),
    /// Of one stream, or of all.
    Clients(Page, Option<StreamKey>),
    Client(u32),
    Explain(Question),
    Kick(Query),
    Bans(Page),
    Lift(Banned),
    /// Which streams are named is asked first, so that all workers name the same ones.
    Metrics(Format),
    NamedMetrics(Format, Arc<BTreeSet<StreamKey>>),
    Events(Watch),
}

/// What each worker is asked.
#[derive(Debug, Clone)]
pub(in crate::server) enum Query {
    Summary,
    Streams,
    Clients,
    /// So many streams that were there first.
    OldestStreams(usize),
    /// With these streams by their names.
    Metrics(Arc<BTreeSet<StreamKey>>),
    Explain(Question),
    Kick(Kick),
    /// Events are to be told from here on.
    Tell,
    /// As for one connection, by the number that it is displayed as.
    KickClient {
        number: u32,
        ban: Duration,
        by: Option<IpAddr>,
    },
    Bans,
    Lift(Banned),
}

/// Between workers.
#[derive(Debug)]
pub(in crate::server) enum AdminMessage {
    Ask {
        number: u64,
        query: Query,
    },
    Part {
        number: u64,
        part: Box<Part>,
    },
    /// Events on their way to readers.
    Feed(FeedMessage),
}

/// What one worker says.
#[derive(Debug, Default)]
pub(in crate::server) struct Part {
    pub(super) stats: ServerStats,
    pub(super) anomalies: BTreeMap<&'static str, u64>,
    pub(super) streams: Vec<StreamView>,
    pub(super) clients: Vec<ConnectionView>,
    /// Connections that were ended.
    pub(super) kicked: usize,
    pub(super) bans: Vec<(Banned, Term)>,
    /// Whether there was the ban that was lifted.
    pub(super) has_lifted: bool,
    pub(super) oldest: Vec<Seniority>,
    pub(super) sight: Option<Box<Sight>>,
    pub(super) evidence: Option<Box<Evidence>>,
}

/// What is asked and has no answer yet, by when it was asked.
#[derive(Debug, Default)]
pub(in crate::server) struct Gatherings {
    numbers: u64,
    open: VecDeque<Gathering>,
    looks: Bucket,
}

#[derive(Debug)]
struct Gathering {
    number: u64,
    connection: ConnectionId,
    request: RequestId,
    asked: Asked,
    until: Time,
    parts: Vec<(ShardId, Part)>,
    missing: Vec<u16>,
    process: Process,
}

/// What the driver knows of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Process {
    /// It is nobody's concern.
    Unasked,
    Asked,
    Known(ProcessFigures),
}

impl Gatherings {
    pub(in crate::server) fn poll_timeout(&self) -> Option<Time> {
        self.open.front().map(|gathering| gathering.until)
    }

    /// Forgets what a connection has asked, which is gone.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.open.retain(|gathering| gathering.connection != connection);
    }
}

impl Server {
    /// Whether an operator may ask, or so much was asked of late that it has to wait. A request that ends something, or lifts a
    /// ban, never has to.
    pub(super) fn admits_question(&mut self, now: Time, asked: &Asked) -> bool {
        if matches!(asked, Asked::Kick(_) | Asked::Lift(_)) {
            return true;
        }
        let looks = &mut self.gatherings.looks;
        let is_free = looks.has_token(now, LOOKS);
        if is_free {
            let entries = QUESTION + self.connections.len() + self.streams.len();
            looks.take(now, LOOKS, u32::try_from(entries).unwrap_or(u32::MAX));
        }
        is_free
    }

    /// Asks all workers. The answer goes out when all have said something, or when their time is over.
    pub(super) fn gather(&mut self, now: Time, id: ConnectionId, request: RequestId, asked: Asked) {
        self.gatherings.numbers += 1;
        let number = self.gatherings.numbers;
        let query = asked.query(&self.config.admin);
        self.gatherings.open.push_back(Gathering {
            number,
            connection: id,
            request,
            asked,
            until: now + DEADLINE,
            parts: Vec::new(),
            missing: (0..self.shards).collect(),
            process: if matches!(query, Query::OldestStreams(_)) {
                self.actions.push_back(Action::Measure);
                Process::Asked
            } else {
                Process::Unasked
            },
        });
        self.ask_all(number, &query);
    }

    fn ask_all(&mut self, number: u64, query: &Query) {
        for shard in (0..self.shards).map(ShardId) {
            let query = query.clone();
            self.send_message(shard, Message::Admin(AdminMessage::Ask { number, query }));
        }
    }

    pub(in crate::server) fn handle_admin_message(&mut self, now: Time, from: ShardId, message: AdminMessage) {
        match message {
            AdminMessage::Ask { number, query } => {
                let part = Box::new(self.part(now, query));
                self.send_message(from, Message::Admin(AdminMessage::Part { number, part }));
            }
            AdminMessage::Part { number, part } => self.note_part(now, from, number, *part),
            AdminMessage::Feed(message) => self.handle_feed(now, from, message),
        }
    }

    /// Answers what some workers have not had their part in for too long.
    pub(in crate::server) fn expire_gatherings(&mut self, now: Time) {
        while self.gatherings.poll_timeout().is_some_and(|until| until <= now) {
            if let Some(gathering) = self.gatherings.open.pop_front() {
                self.conclude_gathering(now, gathering);
            }
        }
    }

    /// What we say ourselves.
    fn part(&mut self, now: Time, query: Query) -> Part {
        let mut part = Part::default();
        match query {
            Query::Summary => {
                part.stats = self.stats();
                // Those that ask are none of those that are asked about.
                part.stats.connections = part.stats.connections.saturating_sub(self.operators.len());
                part.anomalies.clone_from(&self.anomalies);
                part.streams = self.streams(now);
            }
            Query::Streams => part.streams = self.streams(now),
            Query::OldestStreams(count) => part.oldest = self.oldest_streams(count),
            Query::Metrics(named) => {
                part.stats = self.stats();
                part.anomalies.clone_from(&self.anomalies);
                part.streams = self.streams(now);
                part.sight = Some(Box::new(self.sight(&part.streams, &named)));
            }
            Query::Bans => {
                let present = self.bans.present(now);
                part.bans = present.map(|(banned, term)| (banned.clone(), *term)).collect();
            }
            Query::Lift(banned) => part.has_lifted = self.bans.lift(now, &banned),
            Query::Clients => part.clients = self.connections(now),
            Query::Explain(question) => {
                part.streams.extend(self.view_of(now, &question.key));
                part.evidence = Some(Box::new(self.evidence(now, &question)));
            }
            Query::Tell => self.tell_events(now),
            Query::Kick(kick) => part.kicked = self.end_kicked(now, &kick),
            Query::KickClient { number, ban, by } => {
                let is_meant = |it: &Connection| !matches!(*it.protocol, Session::Admin(_)) && it.generation == number;
                let found = self.connections.iter().find(|(_, it)| is_meant(it));
                if let Some(id) = found.map(|(id, _)| id) {
                    part.kicked = self.end_kicked(now, &Kick::connection(id).with_ban(ban).by(by));
                }
            }
        }
        part
    }

    fn note_part(&mut self, now: Time, from: ShardId, number: u64, part: Part) {
        let open = &mut self.gatherings.open;
        // None if its time was over.
        let Some(index) = open.iter().position(|it| it.number == number) else {
            return;
        };
        let Some(gathering) = open.get_mut(index) else {
            return;
        };
        gathering.missing.retain(|shard| *shard != from.0);
        gathering.parts.push((from, part));
        if gathering.missing.is_empty() && gathering.goes_on(self.config.admin.metrics_streams) {
            gathering.missing = (0..self.shards).collect();
            let query = gathering.asked.query(&self.config.admin);
            return self.ask_all(number, &query);
        }
        if gathering.is_complete()
            && let Some(gathering) = open.remove(index)
        {
            self.conclude_gathering(now, gathering);
        }
    }

    /// The driver has looked at the process: the answer to [`Action::Measure`].
    pub fn handle_process(&mut self, now: Time, figures: ProcessFigures) {
        let now = self.advance(now);
        let open = &mut self.gatherings.open;
        for gathering in &mut *open {
            if gathering.process == Process::Asked {
                gathering.process = Process::Known(figures);
            }
        }
        while let Some(index) = self.gatherings.open.iter().position(Gathering::is_complete)
            && let Some(gathering) = self.gatherings.open.remove(index)
        {
            self.conclude_gathering(now, gathering);
        }
        self.work_off(now);
    }

    fn conclude_gathering(&mut self, now: Time, gathering: Gathering) {
        let (id, request) = (gathering.connection, gathering.request);
        if let Asked::Events(watch) = gathering.asked {
            return self.open_reader(now, id, request, watch, gathering.missing);
        }
        let world = World {
            config: &self.config.admin,
            channel: &self.shared.channel,
            now,
            workers: self.shards,
        };
        let mut response = gathering.answer(&world).unwrap_or_else(|problem| problem.response());
        // It may be a megabyte, and its peer may take its time.
        response.body = self.memory.count_bytes(response.body);
        self.respond(now, id, request, &response);
    }
}

/// What every answer may say.
#[derive(Debug)]
pub(super) struct World<'a> {
    pub(super) config: &'a AdminConfig,
    /// The bounds of a stream.
    pub(super) channel: &'a ChannelConfig,
    pub(super) now: Time,
    pub(super) workers: u16,
}

impl World<'_> {
    /// Milliseconds since 1970.
    pub(super) fn now_ms(&self) -> u64 {
        self.config.millis_at(self.now)
    }
}

impl Query {
    /// Whether it keeps everybody from a stream, whoever is there.
    fn is_for_a_while(&self) -> bool {
        matches!(self, Query::Kick(kick) if !kick.ban.is_zero())
    }
}

impl Asked {
    fn query(&self, config: &AdminConfig) -> Query {
        match self {
            Asked::Summary => Query::Summary,
            Asked::Streams(_) | Asked::Stream(_) => Query::Streams,
            Asked::Clients(..) | Asked::Client(_) => Query::Clients,
            Asked::Explain(question) => Query::Explain(question.clone()),
            Asked::Kick(query) => query.clone(),
            Asked::Bans(_) => Query::Bans,
            Asked::Lift(banned) => Query::Lift(banned.clone()),
            Asked::Metrics(_) => Query::OldestStreams(config.metrics_streams),
            Asked::NamedMetrics(_, named) => Query::Metrics(named.clone()),
            Asked::Events(_) => Query::Tell,
        }
    }
}

impl Gathering {
    /// Whether there is more to ask, after the answers to what was asked first: what is asked is that from then on.
    fn goes_on(&mut self, metrics_streams: usize) -> bool {
        let Asked::Metrics(format) = self.asked else {
            return false;
        };
        let mut since = BTreeMap::new();
        for (last, time, key) in self.parts.drain(..).flat_map(|(_, part)| part.oldest) {
            let first = since.entry(key).or_insert((last, time));
            *first = (last, time).min(*first);
        }
        let mut oldest: Vec<_> = since.into_iter().map(|(key, rank)| (rank, key)).collect();
        oldest.sort();
        let named = oldest.into_iter().take(metrics_streams).map(|(_, key)| key);
        self.asked = Asked::NamedMetrics(format, Arc::new(named.collect()));
        true
    }

    fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.process != Process::Asked
    }

    fn answer(self, world: &World<'_>) -> Result<Response, Problem> {
        let (mut streams, mut clients) = (Vec::new(), Vec::new());
        let (mut stats, mut anomalies, mut kicked) = (ServerStats::default(), BTreeMap::new(), 0);
        let (mut sights, mut evidence) = (Vec::new(), Vec::new());
        let (mut bans, mut has_lifted) = (BTreeMap::<Banned, Term>::new(), false);
        for (shard, part) in self.parts {
            stats += part.stats;
            for (name, count) in part.anomalies {
                *anomalies.entry(name).or_default() += count;
            }
            streams.push(part.streams);
            clients.extend(part.clients);
            kicked += part.kicked;
            for (banned, term) in part.bans {
                // Each worker has had it from another a little later.
                let last = bans.entry(banned).or_insert(term);
                *last = term.max(*last);
            }
            has_lifted |= part.has_lifted;
            sights.extend(part.sight.map(|sight| (shard, *sight)));
            evidence.extend(part.evidence.map(|evidence| *evidence));
        }
        let mut streams = StreamView::merge(streams);
        clients.sort_by_key(|client| client.id.generation());
        let missing = self.missing;
        let absent = |reason| match missing.is_empty() {
            true => Problem::not_found(reason),
            false => Problem::unanswered(missing.clone()),
        };
        Ok(match self.asked {
            Asked::Summary => {
                let summary = summary::Summary::new(world, &stats, anomalies, &streams, &missing);
                Envelope::new(world.config, summary).response()
            }
            Asked::Streams(page) => {
                streams.retain(|stream| page.finds(stream.key.as_str()));
                let total = streams.len();
                let streams = page.of_list(streams);
                let list = stream::List::new(world, &streams, total, &missing);
                Envelope::new(world.config, list).response()
            }
            Asked::Stream(key) => {
                let stream = streams.iter().find(|stream| stream.key == key);
                let stream = stream.ok_or_else(|| absent("nobody publishes or plays a stream of this name"))?;
                Envelope::new(world.config, stream::One::new(world, stream, &missing)).response()
            }
            Asked::Clients(page, of) => {
                if let Some(key) = of {
                    clients.retain(|client| client.roles.iter().any(|role| role.stream == key));
                }
                clients.retain(|client| {
                    let mut names = client.roles.iter().map(|role| role.stream.as_str());
                    names.any(|name| page.finds(name))
                        || page.finds(&client.peer.ip().to_string())
                        || page.finds(&client.agent)
                });
                let total = clients.len();
                let clients = page.of_list(clients);
                let list = client::List::new(world, &clients, total, &missing);
                Envelope::new(world.config, list).response()
            }
            Asked::Client(number) => {
                let client = clients.iter().find(|client| client.id.generation() == number);
                let client = client.ok_or_else(|| absent("no connection has this id, or not any more"))?;
                Envelope::new(world.config, client::One::new(world, client, &missing)).response()
            }
            Asked::Explain(question) => {
                let explained = explain(world, &question, streams.first(), evidence, &missing);
                let explained = explained.ok_or_else(|| absent("no connection has this id, or not any more"))?;
                Envelope::new(world.config, explained).response()
            }
            // A counter that goes back means to a monitoring system that the process has started anew.
            Asked::NamedMetrics(..) if !missing.is_empty() => return Err(Problem::unanswered(missing)),
            Asked::Metrics(_) => return Err(Problem::unanswered(missing)),
            Asked::NamedMetrics(format, named) => {
                let process = match self.process {
                    Process::Known(figures) => figures,
                    Process::Unasked | Process::Asked => ProcessFigures::default(),
                };
                Metrics::new(world, stats, anomalies, streams, sights, &named, process).response(format)
            }
            // A stream that is kept away may have nobody at the moment: an encoder tries again every few seconds.
            Asked::Kick(query) if kicked == 0 && !query.is_for_a_while() => {
                return Err(absent("there is nobody to end"));
            }
            Asked::Bans(page) => {
                bans.retain(|(stream, address), _| {
                    let is_address = |it: &Address| page.finds(&it.to_string());
                    page.finds(stream.as_str()) || address.as_ref().is_some_and(is_address)
                });
                let total = bans.len();
                let bans = page.of_list(bans.into_iter().collect());
                Envelope::new(world.config, ban::List::new(world, bans, total, &missing)).response()
            }
            Asked::Lift(_) if !has_lifted => return Err(absent("there is no such ban")),
            Asked::Lift(_) => Envelope::new(world.config, ban::Lifted::new(world, &missing)).response(),
            // Its answer goes on and on, and is begun elsewhere.
            Asked::Events(_) => feed::response(),
            Asked::Kick(_) => Envelope::new(world.config, summary::Kicked::new(world, kicked, &missing)).response(),
        })
    }
}
