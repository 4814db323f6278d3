//! Headwater on mio: sockets, threads and a clock for [`headwater_core::server`], without a runtime.
//!
//! Each worker is an OS thread with an event loop, a server, listeners and sockets of its own; workers share nothing and
//! tell each other by messages. A loop waits in one place, for its sockets, its next deadline or a message; then it
//! does a bounded piece of everything that is ready, and waits again, or only looks if something was left. Whoever has
//! read a publisher's frame writes it to the players' sockets directly.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! use headwater_mio::{Config, Server};
//!
//! let server = Server::bind(Config::default())?;
//! println!("listening on {}", server.addresses());
//! let handle = server.handle();
//! std::thread::spawn(move || {
//!     std::io::stdin().lines().next();
//!     handle.stop();
//! });
//! server.run()
//! # }
//! ```

mod clock;
mod connection;
mod event_loop;
mod listener;
mod mailbox;
mod server;
mod signals;

pub use headwater_core::driver::{Addresses, Config};
pub use server::{Handle, Server, prepare};
