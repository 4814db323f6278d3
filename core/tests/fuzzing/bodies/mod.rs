//! What is fuzzed: for each target a function that takes any bytes, and panics where something does not hold that is to hold for
//! all input.
//!
//! The fuzz crate in `core/fuzz` and the test beside this folder share them: the first lets libFuzzer pick the bytes, the second
//! takes those in `corpus` and mutates them from a seed.

#![allow(dead_code, reason = "either crate uses some of it")]

mod amf0;
mod amf3;
mod choices;
mod chunk_pair;
mod chunk_reader;
mod flv;
mod handshake;
mod http;
#[path = "../../script/http_owner.rs"]
mod http_owner;
mod identity;
mod media;
pub mod memory;
#[path = "../../script/observer.rs"]
mod observer;
mod rtmp_client;
mod rtmp_server;
#[path = "../../script/mod.rs"]
mod script;
mod server;
mod snippets;
mod websocket;

/// Something that is fuzzed.
pub struct Target {
    /// Its name, which its corpus has too.
    pub name: &'static str,
    /// Checks one input.
    pub check: fn(&[u8]),
    /// Inputs to begin with, from which any other is only a few mutations away.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// What a fuzzer has found: an input a line, in hexadecimal.
    corpus: &'static str,
}

impl Target {
    /// What a fuzzer has found.
    pub fn corpus(&self) -> Vec<Vec<u8>> {
        let lines = self.corpus.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| script::from_hex(line).to_vec()).collect()
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        /// All there are, from the lowest layer to the highest.
        pub const TARGETS: &[Target] = &[$(Target {
            name: stringify!($name),
            check: $name::check,
            seeds: $name::seeds,
            corpus: include_str!(concat!("../corpus/", stringify!($name), ".txt")),
        }),*];
    };
}

targets! {
    amf0 amf3 media flv handshake chunk_reader chunk_pair rtmp_server rtmp_client identity http websocket server
}

/// The target with this name.
pub fn target(name: &str) -> &'static Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("there is no target {name}"))
}
