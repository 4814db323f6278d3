//! The rules of the server, seen from its clients.

mod rtmp;
mod streams;
mod world;
