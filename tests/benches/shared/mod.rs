//! What several benchmarks need: the stream that is published, processes and what they cost, and what peers say.
#![allow(dead_code, reason = "each benchmark uses a part of this")]

pub(crate) mod conversation;
pub(crate) mod media;
pub(crate) mod process;
