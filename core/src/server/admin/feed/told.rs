//! An event, as readers get it.

use super::reader::block;
use crate::server::admin::access::AdminConfig;
use crate::server::admin::stream::{Audio, Video, millis};
use crate::server::memory::Memory;
use crate::server::{Event, Peer, ShardId, Transport};
use crate::{StreamKey, Time};
use alloc::string::{String, ToString};
use bytes::Bytes;
use serde::Serialize;

/// An event on its way to the readers.
#[derive(Debug, Clone)]
pub(in crate::server) struct Told {
    /// Given by the sequencer.
    pub(super) number: u64,
    pub(super) name: &'static str,
    pub(super) stream: Option<StreamKey>,
    /// All of it but its number, once for all readers.
    pub(super) text: Bytes,
}

#[derive(Serialize)]
struct EventJson<'a> {
    event: &'static str,
    now_ms: u64,
    worker: u16,
    stream: Option<&'a str>,
    client: Option<Client>,
    #[serde(flatten)]
    more: More<'a>,
}

/// A connection, in the words of the list of clients.
#[derive(Serialize)]
struct Client {
    id: String,
    ip: String,
    port: u16,
    protocol: &'static str,
}

/// The connection that has a stream instead of another.
#[derive(Serialize)]
struct Successor {
    id: String,
    ip: String,
    port: u16,
}

/// What some events say, and others do not.
#[derive(Serialize)]
#[serde(untagged)]
enum More<'a> {
    Nothing {},
    Reason {
        reason: &'a str,
    },
    Agent {
        agent: &'a str,
    },
    ConsistsOf {
        codecs: &'a str,
        video: Option<Video>,
        audio: Option<Audio>,
    },
    Silent {
        silent_ms: u64,
    },
    Replaced {
        by: Successor,
        silent_ms: u64,
    },
    Waits {
        wait_ms: u64,
    },
    Lags {
        step: &'static str,
        limit: &'static str,
    },
    Published {
        cause: &'static str,
        lasted_ms: u64,
        frames: u64,
        recv_bytes: u64,
        kbps: u64,
        peak_players: usize,
        repairs: Repairs,
    },
    Played {
        cause: &'static str,
        lasted_ms: u64,
        frames: u64,
        missed: u64,
        send_bytes: u64,
        kbps: u64,
    },
}

#[derive(Serialize)]
struct Repairs {
    timestamp_jumps: u64,
    timestamps_raised: u64,
    without_header: u64,
}

/// Bytes of memory that an event takes beside its text, about.
const OVERHEAD: usize = 128;

impl Told {
    /// An event at `shard`, unless operators are not told of it: what they do themselves would be one event for each of their
    /// questions. That one of them was refused is told.
    pub(super) fn new(event: &Event, config: &AdminConfig, now: Time, shard: ShardId) -> Option<Told> {
        let is_own = event.peer().is_some_and(|peer| peer.protocol == Transport::Admin);
        if is_own && !matches!(event, Event::RequestRefused { .. }) {
            return None;
        }
        let name = event.name();
        let json = EventJson {
            event: name,
            now_ms: config.millis_at(now),
            worker: shard.0,
            stream: event.stream().map(StreamKey::as_str),
            client: event.peer().map(Client::new),
            more: More::of(event),
        };
        Some(Told {
            number: 0,
            name,
            stream: event.stream().cloned(),
            text: block(name, &json),
        })
    }

    /// The same, whose text counts as memory of a worker.
    pub(super) fn counted(self, memory: &Memory) -> Told {
        Told {
            text: memory.count_bytes(self.text),
            ..self
        }
    }

    /// Bytes that it takes.
    pub(super) fn memory(&self) -> usize {
        OVERHEAD + self.text.len()
    }
}

impl Client {
    fn new(peer: &Peer) -> Self {
        Client {
            id: peer.connection.to_string(),
            ip: peer.address.ip().to_string(),
            port: peer.address.port(),
            protocol: peer.protocol.as_str(),
        }
    }
}

impl<'a> More<'a> {
    fn of(event: &'a Event) -> Self {
        match event {
            Event::Connected { .. }
            | Event::GopTooLarge { .. }
            | Event::StreamEnded { .. }
            | Event::PlayStarted { .. } => More::Nothing {},
            Event::Disconnected { reason, .. }
            | Event::Failed { reason, .. }
            | Event::RequestRefused { reason, .. }
            | Event::PublishRefused { reason, .. }
            | Event::PlayRefused { reason, .. } => More::Reason { reason },
            Event::PublishStarted { agent, .. } => More::Agent { agent },
            Event::StreamInfo { info, .. } => More::ConsistsOf {
                codecs: &info.codecs,
                video: info.video.map(|video| Video::new(&video)),
                audio: info.audio.map(|audio| Audio::new(&audio, &info.codecs)),
            },
            Event::PublisherSilent { silent, .. } => More::Silent {
                silent_ms: millis(*silent),
            },
            Event::PublisherReplaced {
                by, by_address, silent, ..
            } => More::Replaced {
                by: Successor {
                    id: by.to_string(),
                    ip: by_address.ip().to_string(),
                    port: by_address.port(),
                },
                silent_ms: millis(*silent),
            },
            Event::PlayWaits { wait, .. } => More::Waits { wait_ms: millis(*wait) },
            Event::PlayLags { step, limit, .. } => More::Lags {
                step: step.as_str(),
                limit: limit.as_str(),
            },
            Event::PublishEnded { cause, totals, .. } => More::Published {
                cause: cause.as_str(),
                lasted_ms: millis(totals.lasted),
                frames: totals.frames,
                recv_bytes: totals.bytes,
                kbps: totals.kbps(),
                peak_players: totals.peak_players,
                repairs: Repairs {
                    timestamp_jumps: totals.jumps,
                    timestamps_raised: totals.raised,
                    without_header: totals.without_header,
                },
            },
            Event::PlayEnded { cause, totals, .. } => More::Played {
                cause: cause.as_str(),
                lasted_ms: millis(totals.lasted),
                frames: totals.frames,
                missed: totals.missed,
                send_bytes: totals.bytes,
                kbps: totals.kbps(),
            },
        }
    }
}
