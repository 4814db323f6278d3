#![doc = include_str!("../README.md")]

pub use headwater_core as core;
#[cfg(feature = "tokio")]
pub use headwater_tokio as tokio;
