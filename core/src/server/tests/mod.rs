//! The rules of the server, seen from its clients.

mod streams;
mod world;
