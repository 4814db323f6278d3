//! Headwater on tokio: sockets, threads and a clock for [`headwater_core::server`].
//!
//! Each worker is an OS thread with a single-threaded runtime, a server, listeners and sockets of its own; workers
//! share nothing and tell each other by messages. One task per connection waits until its socket is ready and then
//! does its input and output at once, so nothing is ever half done when a wait is dropped. The task that read
//! a publisher's frame writes it to the players' sockets directly: a player's task sleeps until its socket refuses
//! bytes.
//!
//! ```no_run
//! # async fn doc() -> std::io::Result<()> {
//! use headwater_tokio::{Config, Server};
//!
//! let server = Server::bind(Config::default())?;
//! println!("listening on {}", server.addresses());
//! let shutdown = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
//! headwater_tokio::start(server).until(shutdown).await
//! # }
//! ```
//!
//! There is no global state: a process may run as many servers as it likes, and stop each when it likes.
//!
//! ```
//! use headwater_tokio::{Config, Listen, Server};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let mut config = Config::default();
//! // Port 0: whichever is free.
//! config.listen = vec![Listen::rtmp(([127, 0, 0, 1], 0)), Listen::http(([127, 0, 0, 1], 0))];
//! for server in [Server::bind(config.clone())?, Server::bind(config)?] {
//!     let (addresses, handle) = (server.addresses().clone(), server.handle());
//!     let running = headwater_tokio::start(server);
//!     # let http = addresses.http().unwrap();
//!     # tokio::task::spawn_blocking(move || answers(http)).await?;
//!     println!("publish to {}/live/stream1", addresses.listen[0]);
//!     handle.stop();
//!     running.await?;
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
mod socket;
mod worker;

pub use headwater_driver::{Addresses, Authorizer, Config, Handle, Listen, Observer, Responder, Running, Server};

use headwater_driver::Worker;
use headwater_driver::sockets::Listeners;
use std::io;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::task::JoinSet;
use worker::Shared;

/// Starts to serve, in threads of the server's own: the caller needs no runtime, and only waits for the end.
pub fn start(server: Server) -> Running {
    server.start(
        |worker, listeners| Ok((new_runtime()?, worker, listeners)),
        |(runtime, worker, listeners)| runtime.block_on(serve(worker, listeners)),
    )
}

fn new_runtime() -> io::Result<LocalRuntime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().build_local(LocalOptions::default())
}

async fn serve(worker: Worker<socket::Handle>, listeners: Listeners) -> io::Result<()> {
    let worker = Shared::new(worker);
    let mut accepting = JoinSet::new();
    for (listener, socket) in listeners {
        let socket = TcpListener::from_std(socket)?;
        accepting.spawn_local(connection::accept(worker.clone(), socket, listener));
    }
    worker.run(accepting).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Only a failing test waits so long.
    const DEADLINE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_panic_in_a_task_ends_the_server() {
        let mut config = Config::default();
        config.listen = vec![Listen::rtmp(([127, 0, 0, 1], 0))];
        let running = Server::bind(config).unwrap().start(
            |worker, _| Ok((new_runtime()?, worker)),
            |(runtime, worker)| {
                runtime.block_on(async {
                    let worker = Shared::new(worker);
                    let task = worker.clone();
                    tokio::task::spawn_local(async move { task.step(|_, _| panic!("as this test wants it")) });
                    worker.run(JoinSet::new()).await
                })
            },
        );
        let result = tokio::time::timeout(DEADLINE, running).await.expect("it goes on");
        assert_eq!(result.unwrap_err().to_string(), "a task has panicked");
    }
}
