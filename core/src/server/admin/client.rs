//! A connection, as operators see it.

use super::gather::World;
use super::stream::{Drops, Kbps, VHOST, millis, tc_url, url};
use crate::server::{ConnectionView, RoleKind, Transport};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

/// Some connections.
#[derive(Debug, Serialize)]
pub(super) struct List<'a> {
    total: usize,
    workers: u16,
    missing_workers: &'a [u16],
    clients: Vec<ClientJson<'a>>,
}

/// One connection.
#[derive(Debug, Serialize)]
pub(super) struct One<'a> {
    workers: u16,
    missing_workers: &'a [u16],
    client: ClientJson<'a>,
}

#[derive(Debug, Serialize)]
struct ClientJson<'a> {
    id: String,
    vhost: &'a str,
    stream: &'a str,
    ip: String,
    // What a peer says in these may have a token in it.
    #[serde(rename = "pageUrl")]
    page_url: &'a str,
    #[serde(rename = "swfUrl")]
    swf_url: &'a str,
    #[serde(rename = "tcUrl")]
    tc_url: String,
    url: String,
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    publish: bool,
    /// Seconds.
    alive: f64,
    send_bytes: u64,
    recv_bytes: u64,
    kbps: Kbps,

    // What follows is our own.
    port: u16,
    protocol: &'static str,
    /// `publishes`, `plays`, `waits_to_publish`, `waits_to_play` or `none`.
    role: &'static str,
    agent: &'a str,
    worker: u16,
    /// Bytes that wait in its output, those that wait in the stream left out.
    queue_bytes: usize,
    lag: Lag,
    frames: u64,
    drops: Drops,
}

/// What a player has not been given yet of what there is.
#[derive(Debug, Serialize)]
struct Lag {
    ms: u64,
    bytes: u64,
    frames: u64,
}

impl<'a> List<'a> {
    pub(super) fn new(world: &World<'_>, clients: &'a [ConnectionView], total: usize, missing: &'a [u16]) -> Self {
        List {
            total,
            workers: world.workers,
            missing_workers: missing,
            clients: clients.iter().map(ClientJson::new).collect(),
        }
    }
}

impl<'a> One<'a> {
    pub(super) fn new(world: &World<'_>, client: &'a ConnectionView, missing: &'a [u16]) -> Self {
        One {
            workers: world.workers,
            missing_workers: missing,
            client: ClientJson::new(client),
        }
    }
}

impl<'a> ClientJson<'a> {
    fn new(view: &'a ConnectionView) -> Self {
        let role = view.roles.first();
        let key = role.map(|role| &role.stream);
        let role = role.map(|role| role.kind);
        ClientJson {
            id: view.id.to_string(),
            vhost: VHOST,
            stream: key.map_or("", |key| key.as_str()),
            ip: view.peer.ip().to_string(),
            page_url: "",
            swf_url: "",
            tc_url: key.map_or_else(String::new, |key| tc_url(key.app())),
            url: key.map_or_else(String::new, |key| url(key.as_str())),
            name: key.map_or("", |key| key.name()),
            kind: kind(view.protocol, role),
            publish: role == Some(RoleKind::Publishes),
            alive: view.age.as_secs_f64(),
            send_bytes: view.bytes_out,
            recv_bytes: view.bytes_in,
            kbps: Kbps::new(view.received_per_second, view.sent_per_second),
            port: view.peer.port(),
            protocol: view.protocol.as_str(),
            role: match role {
                Some(RoleKind::Publishes) => "publishes",
                Some(RoleKind::Plays) => "plays",
                Some(RoleKind::WaitsToPublish) => "waits_to_publish",
                Some(RoleKind::WaitsToPlay) => "waits_to_play",
                None => "none",
            },
            agent: &view.agent,
            worker: view.shard.0,
            queue_bytes: view.queued,
            lag: Lag {
                ms: millis(view.lag.age),
                bytes: view.lag.bytes,
                frames: view.lag.frames,
            },
            frames: view.frames.sent,
            drops: Drops::new(view.frames),
        }
    }
}

/// As SRS calls it, where it knows it.
const fn kind(protocol: Transport, role: Option<RoleKind>) -> &'static str {
    let publishes = matches!(role, Some(RoleKind::Publishes | RoleKind::WaitsToPublish));
    match (protocol, role) {
        (_, None) | (Transport::Unknown, _) => "unknown",
        (Transport::Rtmp, _) if publishes => "fmle-publish",
        (Transport::Rtmp, _) => "rtmp-play",
        (Transport::Http, _) if publishes => "flv-publish",
        (Transport::Http | Transport::WebSocket, _) => "flv-play",
        (Transport::Local, _) if publishes => "local-publish",
        (Transport::Local | Transport::Admin, _) => "local-play",
    }
}
