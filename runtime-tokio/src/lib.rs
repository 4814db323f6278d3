//! Headwater on tokio: sockets, threads and a clock for [`headwater_core::server`].
//!
//! Each worker is an OS thread with a single-threaded runtime, a server, listeners and sockets of its own; workers
//! share nothing and tell each other by messages. One task per connection waits until its socket is ready and then
//! does its input and output at once, so nothing is ever half done when a wait is dropped. Whoever has read a
//! publisher's frame writes it to the players' sockets directly: a player's task sleeps until its socket refuses bytes.
//!
//! ```no_run
//! # async fn doc() -> std::io::Result<()> {
//! use headwater_tokio::{Config, Server};
//!
//! let server = Server::bind(Config::default())?;
//! println!("listening on {}", server.addresses());
//! server.run(async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await
//! # }
//! ```

mod clock;
mod connection;
mod listener;
mod server;
mod signals;
mod worker;

pub use headwater_core::driver::{Addresses, Config};
pub use server::{Server, prepare};
