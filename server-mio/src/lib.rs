//! Headwater on mio: sockets, threads and a clock for [`headwater_core::server`], without a runtime.
//!
//! Each worker is an OS thread with an event loop, a server, listeners and sockets of its own; workers share nothing and
//! tell each other by messages. A loop waits in one place, for its sockets, its next deadline or a message; then it
//! does a bounded piece of everything that is ready, and waits again, or only looks if something was left. A turn
//! that read a publisher's frame writes it to the players' sockets directly.
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
//! headwater_mio::start(server).wait()
//! # }
//! ```
//!
//! There is no global state: a process may run as many servers as it likes, and stop each when it likes.
//!
//! ```
//! use headwater_mio::{Config, Listen, Server};
//!
//! # fn main() -> std::io::Result<()> {
//! let mut config = Config::default();
//! // Port 0: whichever is free.
//! config.listen = vec![Listen::rtmp(([127, 0, 0, 1], 0)), Listen::http(([127, 0, 0, 1], 0))];
//! for server in [Server::bind(config.clone())?, Server::bind(config)?] {
//!     let (addresses, handle) = (server.addresses().clone(), server.handle());
//!     let running = headwater_mio::start(server);
//!     # answers(addresses.http().unwrap());
//!     println!("publish to {}/live/stream1", addresses.listen[0]);
//!     handle.stop();
//!     running.wait()?;
//! }
//! # Ok(())
//! # }
//! # fn answers(http: std::net::SocketAddr) {
//! #     use std::io::{Read, Write};
//! #     let mut socket = std::net::TcpStream::connect(http).unwrap();
//! #     socket.write_all(b"GET /live/x HTTP/1.0\r\n\r\n").unwrap();
//! #     let mut answer = String::new();
//! #     socket.read_to_string(&mut answer).unwrap();
//! #     assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
//! # }
//! ```

mod connection;
mod event_loop;
mod listener;

pub use headwater_driver::{Addresses, Authorizer, Config, Handle, Listen, Observer, Responder, Running, Server};

use event_loop::EventLoop;

/// Starts to serve, in threads of the server's own: the caller only waits for the end.
pub fn start(server: Server) -> Running {
    server.start(EventLoop::new, EventLoop::run)
}
