//! The rules of the server, seen from its clients.
#![allow(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test"
)]

mod admin;
mod admission;
mod authorize;
mod connections;
mod deferred;
mod events;
mod explain;
mod feed;
mod first_byte;
#[path = "../../../tests/script/frames.rs"]
mod frames;
mod half_closed;
mod idle;
mod journal;
mod kick;
mod late;
mod lines;
mod local;
mod memory;
mod metrics;
mod names;
mod openapi;
mod operators;
mod pages;
mod reconfigure;
mod resets;
mod rtmp;
mod shards;
mod shares;
mod streams;
mod takeover;
mod timeouts;
mod tracks;
mod views;
mod work;
mod world;
