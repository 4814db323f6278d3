//! What there is: the streams and connections of a server, with facts and counters, for people and programs to look at.
//!
//! A server sees its own shard. [`StreamView::merge`] makes one list of what all shards see.

use super::connection::{Activity, Connection, Phase, Role};
use super::event::StreamInfo;
use super::session::Session;
use super::shard::ShardId;
use super::stream::{Publisher, Stream};
use super::{ConnectionId, Server};
use crate::hub::{Awaits, ChannelId, ChannelStats, Figures, Lag, SubscriberStats, Tracks};
use crate::media::script::{self, Declared};
use crate::media::{Codec, FrameClass, FrameKind, TrackId};
use crate::{StreamKey, Time};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

/// A stream that is published or played.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StreamView {
    /// Its name.
    pub key: StreamKey,
    /// The number of its present publish, or of the last one. It grows with each; 0 if there was none yet.
    pub epoch: u64,
    /// Its publisher. None in its grace time, while players wait for it, and on shards that only have players.
    pub publisher: Option<PublisherView>,
    /// Players that get it.
    pub players: usize,
    /// Players that wait for it to come.
    pub waiting: usize,
    /// Other shards with players, or with some up to 5 s ago, each of which gets a copy.
    pub replicas: usize,
    /// Frames of the present publish, or of the last one.
    pub frames: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Kilobits of payload that came in the last full second.
    pub kbps: u64,
    /// Its tracks, as far as their codecs are known: audio first, then in the order of their numbers.
    pub tracks: Vec<TrackView>,
    /// Payload bytes of the GOP cache, which a player that joins gets at once.
    pub gop_bytes: u64,
    /// Frames that slow players have missed so far, those included that have left.
    pub missed: u64,
    /// What its headers and metadata say that it consists of, if anything has come.
    pub info: StreamInfo,
    /// Which kinds of media a player that joins is told of by the flags of its FLV header. None until that can be said.
    pub promised: Option<Tracks>,
    /// What its metadata says of its pictures.
    pub declared: Declared,
    /// What has been measured of the present publish, or of the last one.
    pub figures: Figures,
    /// When its last frame came, before now.
    pub last_frame: Option<Duration>,
    /// When its last keyframe came, before now.
    pub last_keyframe: Option<Duration>,
    /// What was repaired and left out of the present publish, or of the last one.
    pub repairs: ChannelStats,
    /// What the present publisher did wrong and was read over, by name.
    pub anomalies: BTreeMap<&'static str, u64>,
    /// What players got and missed, those included that have left.
    pub drops: SubscriberStats,
    /// Bytes that were sent to players, those included that have left.
    pub sent: u64,
    /// Bytes a second that are sent to players, over the last half minute.
    pub sent_per_second: u64,
    /// Publishers that had to leave the name to another since there is the stream.
    pub takeovers: u64,
}

/// The publisher of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublisherView {
    /// Its connection.
    pub connection: ConnectionId,
    /// Its address.
    pub peer: SocketAddr,
    /// What it speaks.
    pub protocol: Transport,
    /// How long it has had the name.
    pub age: Duration,
    /// What it calls itself: `flashVer` or `User-Agent`, at most 128 characters.
    pub agent: Box<str>,
    /// The worker that it is connected to.
    pub shard: ShardId,
}

/// A track of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackView {
    /// Audio or video.
    pub kind: FrameKind,
    /// Its number among the tracks of its kind; 0 is the default.
    pub track: TrackId,
    /// Its codec.
    pub codec: Codec,
}

/// A connection that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionView {
    /// Its name, which is displayed as a number of its own over all shards.
    pub id: ConnectionId,
    /// The peer's address.
    pub peer: SocketAddr,
    /// What it speaks.
    pub protocol: Transport,
    /// Since it was accepted.
    pub age: Duration,
    /// What it does: nearly always one thing, and nothing before its first request. While the world is asked about that,
    /// it does nothing either: the name may be one that only its peer is to know.
    pub roles: Vec<RoleView>,
    /// Bytes read from it.
    pub bytes_in: u64,
    /// Bytes written to it.
    pub bytes_out: u64,
    /// Bytes that wait to be written to it. The frames that wait in the streams it plays come on top.
    pub queued: usize,
    /// Frames that it has missed in what it plays now, because it was too slow.
    pub missed: u64,
    /// What it calls itself: `flashVer` or `User-Agent`, at most 128 characters. Empty before it has said so.
    pub agent: Box<str>,
    /// The worker that it is connected to.
    pub shard: ShardId,
    /// Where it is in what it plays.
    pub lag: Lag,
    /// What it waits for in what it plays, if it is for more than the next frame.
    pub awaits: Option<Awaits>,
    /// When something was read from it last, before now; if nothing was, when it was accepted.
    pub last_read: Duration,
    /// When it last took something of what waits for it, before now; if it took nothing, when it was accepted.
    pub last_write: Duration,
    /// What it got and missed in what it plays now.
    pub frames: SubscriberStats,
    /// Bytes a second that it sends, as a publisher, over the last half minute.
    pub received_per_second: u64,
    /// Bytes a second that it is sent, as a player, over the last half minute.
    pub sent_per_second: u64,
}

/// What a connection does, and with which stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoleView {
    /// What it does.
    pub kind: RoleKind,
    /// The name of the stream.
    pub stream: StreamKey,
}

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RoleKind {
    /// It has asked to publish, and waits for the answer or has sent no frame yet.
    WaitsToPublish,
    /// It has the name.
    Publishes,
    /// It has asked to play, and waits for the answer or for a publisher to come.
    WaitsToPlay,
    /// It gets the stream.
    Plays,
}

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// RTMP.
    Rtmp,
    /// HTTP: FLV in a request or response, or no request yet.
    Http,
    /// FLV in the messages of a WebSocket.
    WebSocket,
    /// Frames, from or to the program that the server runs in. Its peer has the address `0.0.0.0:0`.
    Local,
    /// HTTP, by an operator.
    Admin,
    /// Nothing yet: its first byte will say ([`Protocol::Media`](super::Protocol::Media)).
    Unknown,
}

/// Frames of the GOP cache in which it is looked for what the headers do not say. 16: sound and pictures come in turns.
const INFO_FRAMES: usize = 16;

impl Transport {
    /// Each of them once.
    pub(super) const ALL: [Transport; 6] = [
        Transport::Rtmp,
        Transport::Http,
        Transport::WebSocket,
        Transport::Local,
        Transport::Admin,
        Transport::Unknown,
    ];

    /// The name, as in the log: `rtmp`, `http`, `websocket`, `local`, `admin` or `unknown`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Transport::Rtmp => "rtmp",
            Transport::Http => "http",
            Transport::WebSocket => "websocket",
            Transport::Local => "local",
            Transport::Admin => "admin",
            Transport::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl StreamView {
    /// One list, by name, of what the shards of one server see. Facts come from the shard of the publisher, or from the one
    /// that had the latest; the players of all shards are added up.
    ///
    /// Cost: O(n log n).
    #[must_use]
    pub fn merge(shards: Vec<Vec<StreamView>>) -> Vec<StreamView> {
        let mut merged = BTreeMap::<StreamKey, StreamView>::new();
        for view in shards.into_iter().flatten() {
            match merged.get_mut(&view.key) {
                Some(known) => known.join(view),
                None => {
                    merged.insert(view.key.clone(), view);
                }
            }
        }
        merged.into_values().collect()
    }

    /// Takes in what another shard sees of the same stream.
    fn join(&mut self, mut other: StreamView) {
        // While one publisher takes over from another, both may be seen.
        let rank = |view: &StreamView| (view.publisher.is_some(), view.epoch);
        if rank(self) < rank(&other) {
            core::mem::swap(self, &mut other);
        }
        self.players += other.players;
        self.waiting += other.waiting;
        self.missed += other.missed;
        self.drops.add(&other.drops);
        self.sent += other.sent;
        self.sent_per_second += other.sent_per_second;
        self.takeovers = self.takeovers.max(other.takeovers);
    }
}

impl Server {
    /// The streams that have a publisher or players on this shard, by name.
    ///
    /// Cost: O(streams + connections), and some allocations for each stream; nobody's frames wait longer than that takes.
    #[must_use]
    pub fn streams(&self, now: Time) -> Vec<StreamView> {
        let now = self.now.max(now);
        let streams = self.streams.iter().map(|(_, stream)| stream);
        let there = streams.filter(|stream| stream.is_there());
        let mut sent = self.sent_to_players(now);
        there
            .map(|stream| {
                let (bytes, rate) = self
                    .streams
                    .find(&stream.key)
                    .and_then(|id| sent.remove(&id))
                    .unwrap_or_default();
                StreamView {
                    sent: stream.sent_to_departed + bytes,
                    sent_per_second: rate,
                    ..self.view_stream(now, stream)
                }
            })
            .collect()
    }

    /// The connections of this shard that are open, in no particular order. Those of operators are left out.
    ///
    /// Cost: O(connections), and an allocation for each.
    #[must_use]
    pub fn connections(&self, now: Time) -> Vec<ConnectionView> {
        let now = self.now.max(now);
        let is_shown = |it: &Connection| it.phase == Phase::Open && !matches!(*it.protocol, Session::Admin(_));
        let open = self.connections.iter().filter(|(_, it)| is_shown(it));
        open.map(|(id, connection)| self.view_connection(now, id, connection))
            .collect()
    }

    pub(super) fn view_stream(&self, now: Time, stream: &Stream) -> StreamView {
        let (publisher, channel) = (stream.publisher.as_ref(), &stream.channel);
        let stats = channel.stats();
        let figures = channel.figures(now);
        let metadata = channel.headers().find(|frame| frame.class == FrameClass::Metadata);
        let mut tracks: Vec<_> = channel
            .codecs()
            .map(|(kind, track, codec)| TrackView { kind, track, codec })
            .collect();
        tracks.sort_by_key(|it| (it.kind == FrameKind::Video, it.track));
        StreamView {
            key: stream.key.clone(),
            epoch: stream.epoch,
            publisher: publisher.and_then(|publisher| self.view_publisher(now, publisher)),
            players: stream.players.saturating_sub(stream.waiters.len()),
            waiting: stream.waiters.len(),
            replicas: publisher.map_or(0, |publisher| publisher.replicas.len()),
            frames: stats.frames,
            bytes: stats.bytes,
            kbps: channel.rate(now) * 8 / 1_000,
            tracks,
            gop_bytes: channel.gop_bytes(),
            missed: channel.missed(),
            info: StreamInfo::of(channel.headers().chain(channel.gop().take(INFO_FRAMES))),
            promised: channel.tracks(),
            declared: metadata
                .map(|frame| script::declared(&frame.payload))
                .unwrap_or_default(),
            figures,
            last_frame: figures.last_frame.map(|at| now.since(at)),
            last_keyframe: figures.last_keyframe.map(|at| now.since(at)),
            repairs: stats,
            anomalies: publisher.map(|it| it.anomalies.clone()).unwrap_or_default(),
            drops: channel.drops(),
            sent: 0,
            sent_per_second: 0,
            takeovers: stream.takeovers,
        }
    }

    /// What is sent to the players of each stream: bytes so far, and in a second. O(connections).
    fn sent_to_players(&self, now: Time) -> BTreeMap<ChannelId, (u64, u64)> {
        let mut sums = BTreeMap::new();
        for (_, connection) in self.connections.iter() {
            let sent = connection.protocol.output_ref().sent();
            for role in &connection.roles {
                if let Activity::Playing { sent_before, meter, .. } = &role.activity {
                    let (bytes, rate): &mut (u64, u64) = sums.entry(role.channel).or_default();
                    *bytes += sent.saturating_sub(*sent_before);
                    *rate += meter.per_second(now, sent);
                }
            }
        }
        sums
    }

    fn view_publisher(&self, now: Time, publisher: &Publisher) -> Option<PublisherView> {
        let connection = self.connections.get(publisher.connection)?;
        Some(PublisherView {
            connection: publisher.connection,
            peer: connection.peer,
            protocol: connection.protocol.kind(),
            age: now.since(publisher.since),
            agent: connection.agent(),
            shard: self.shard,
        })
    }

    pub(super) fn view_connection(&self, now: Time, id: ConnectionId, connection: &Connection) -> ConnectionView {
        let output = connection.protocol.output_ref();
        let mut frames = SubscriberStats::default();
        let (mut lag, mut awaits) = (Lag::default(), None);
        let (mut received_per_second, mut sent_per_second) = (0, 0);
        for role in &connection.roles {
            let Some(channel) = self.streams.get(role.channel).map(|stream| &stream.channel) else {
                continue;
            };
            match &role.activity {
                Activity::Playing { subscriber, meter, .. } => {
                    frames.add(&channel.subscriber_stats(*subscriber).unwrap_or_default());
                    lag = channel.lag(*subscriber).unwrap_or_default();
                    awaits = channel.awaits(*subscriber);
                    sent_per_second = meter.per_second(now, output.sent());
                }
                Activity::Publishing { .. } => received_per_second += channel.figures(now).bytes_per_second,
                _ => {}
            }
        }
        ConnectionView {
            id,
            peer: connection.peer,
            protocol: connection.protocol.kind(),
            age: now.since(connection.since),
            roles: connection
                .roles
                .iter()
                .filter_map(|role| self.view_role(role))
                .collect(),
            bytes_in: connection.bytes_in,
            bytes_out: output.sent(),
            queued: connection.protocol.queued(),
            missed: frames.missed(),
            agent: connection.agent(),
            shard: self.shard,
            lag,
            awaits,
            last_read: now.since(connection.last_input),
            last_write: now.since(connection.last_write.at),
            frames,
            received_per_second,
            sent_per_second,
        }
    }

    fn view_role(&self, role: &Role) -> Option<RoleView> {
        let kind = match role.activity {
            Activity::Requesting { .. } | Activity::Admitted | Activity::Claiming { .. } => RoleKind::WaitsToPublish,
            Activity::Publishing { .. } => RoleKind::Publishes,
            Activity::Seeking { .. } | Activity::Playing { until: Some(_), .. } => RoleKind::WaitsToPlay,
            Activity::Playing { until: None, .. } => RoleKind::Plays,
        };
        let stream = self.streams.get(role.channel)?.key.clone();
        Some(RoleView { kind, stream })
    }
}
