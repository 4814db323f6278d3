//! The rules of the server, seen from its clients.

mod connections;
mod half_closed;
mod journal;
mod leisure;
mod names;
mod pages;
mod rtmp;
mod shards;
mod shares;
mod streams;
mod takeover;
mod tracks;
mod world;
