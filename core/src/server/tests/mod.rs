//! The rules of the server, seen from its clients.

mod connections;
mod rtmp;
mod shards;
mod streams;
mod world;
