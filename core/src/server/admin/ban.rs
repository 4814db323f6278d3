//! Bans, as operators see them.

use super::gather::World;
use crate::server::bans::{Banned, Term};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

/// Some bans.
#[derive(Debug, Serialize)]
pub(super) struct List<'a> {
    total: usize,
    workers: u16,
    missing_workers: &'a [u16],
    bans: Vec<BanJson>,
}

/// One ban.
#[derive(Debug, Serialize)]
struct BanJson {
    stream: String,
    app: String,
    name: String,
    /// Of everybody, if there is none.
    address: Option<String>,
    /// What those that it is for may not do: always the same so far.
    action: &'static str,
    seconds_left: f64,
    /// The address of the operator, if it was one.
    given_by: Option<String>,
}

/// How many bans were lifted.
#[derive(Debug, Serialize)]
pub(super) struct Lifted<'a> {
    workers: u16,
    missing_workers: &'a [u16],
    lifted: u8,
}

impl<'a> List<'a> {
    pub(super) fn new(world: &World<'_>, bans: Vec<(Banned, Term)>, total: usize, missing: &'a [u16]) -> Self {
        let bans = bans.into_iter().map(|((stream, address), term)| BanJson {
            stream: stream.as_str().to_string(),
            app: stream.app().to_string(),
            name: stream.name().to_string(),
            address: address.map(|address| address.to_string()),
            action: "publish_and_play",
            seconds_left: term.end.since(world.now).as_secs_f64(),
            given_by: term.by.map(|operator| operator.to_string()),
        });
        List {
            total,
            workers: world.workers,
            missing_workers: missing,
            bans: bans.collect(),
        }
    }
}

impl<'a> Lifted<'a> {
    pub(super) const fn new(world: &World<'_>, missing: &'a [u16]) -> Self {
        Lifted {
            workers: world.workers,
            missing_workers: missing,
            lifted: 1,
        }
    }
}
