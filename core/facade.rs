#![doc = include_str!("../README.md")]

pub use headwater_core as core;
#[cfg(feature = "smol")]
pub use headwater_smol as smol;
#[cfg(feature = "tokio")]
pub use headwater_tokio as tokio;
