//! Headwater on smol: sockets, threads and a clock for [`headwater_core::server`].
//!
//! Each worker is an OS thread with a single-threaded executor, a server, listeners and sockets of its own; workers
//! share nothing and tell each other by messages. One task per connection waits until its socket is ready and then
//! does its input and output at once, so nothing is ever half done when a wait is dropped. Whoever has read a
//! publisher's frame writes it to the players' sockets directly: a player's task sleeps until its socket refuses bytes.
//!
//! What the workers do share is async-io's reactor, of which a process has one: whichever thread has nothing to do
//! waits for the sockets of all, and wakes the others. That costs a few system calls more per wait than a reactor per
//! thread would; a write that the kernel takes costs the same, as it is never waited for.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! use headwater_smol::{Config, Server};
//!
//! let server = Server::bind(Config::default())?;
//! println!("listening on {}", server.addresses());
//! smol::block_on(server.run(std::future::pending()))
//! # }
//! ```
//!
//! There is no global state: a process may run as many servers as it likes, and stop each when it likes.
//!
//! ```
//! use headwater_smol::{Config, Listen, Server};
//!
//! # fn main() -> std::io::Result<()> {
//! let mut config = Config::default();
//! // Port 0: whichever is free.
//! config.listen = vec![Listen::rtmp(([127, 0, 0, 1], 0)), Listen::http(([127, 0, 0, 1], 0))];
//! for server in [Server::bind(config.clone())?, Server::bind(config)?] {
//!     let addresses = server.addresses().clone();
//!     let (stop, stopped) = smol::channel::bounded::<()>(1);
//!     let running = std::thread::spawn(|| smol::block_on(server.run(async move { drop(stopped.recv().await) })));
//!     # answers(addresses.http().unwrap());
//!     println!("publish to {}/live/stream1", addresses.listen[0]);
//!     stop.close();
//!     running.join().unwrap()?;
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
mod listener;
mod server;
mod signals;
mod worker;

pub use headwater_driver::{Addresses, Config, Listen};
pub use server::{Server, prepare};
