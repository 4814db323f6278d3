#![doc = include_str!("../README.md")]

pub use headwater_core as core;
pub use headwater_driver as driver;
#[cfg(feature = "mio")]
pub use headwater_mio as mio;
#[cfg(feature = "smol")]
pub use headwater_smol as smol;
#[cfg(feature = "tokio")]
pub use headwater_tokio as tokio;
