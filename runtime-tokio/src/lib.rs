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
//!
//! There is no global state: a process may run as many servers as it likes, and stop each when it likes.
//!
//! ```
//! use headwater_tokio::{Config, Listen, Server};
//! use tokio::sync::oneshot;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let mut config = Config::default();
//! // Port 0: whichever is free.
//! config.listen = vec![Listen::rtmp(([127, 0, 0, 1], 0)), Listen::http(([127, 0, 0, 1], 0))];
//! for server in [Server::bind(config.clone())?, Server::bind(config)?] {
//!     let addresses = server.addresses().clone();
//!     # let http = addresses.http().unwrap();
//!     let (stop, stopped) = oneshot::channel::<()>();
//!     let running = tokio::spawn(server.run(async { drop(stopped.await) }));
//!     # tokio::task::spawn_blocking(move || answers(http)).await?;
//!     println!("publish to {}/live/stream1", addresses.listen[0]);
//!     stop.send(()).unwrap();
//!     running.await??;
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
