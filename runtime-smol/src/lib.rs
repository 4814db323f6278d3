//! Headwater on smol: sockets, threads and a clock for [`headwater_core::server`].
//!
//! Each worker is an OS thread with a single-threaded executor, a server, listeners and sockets of its own; workers
//! share nothing and tell each other by messages. One task per connection waits until its socket is ready and then
//! does its input and output at once, so nothing is ever half done when a wait is dropped. The task that read
//! a publisher's frame writes it to the players' sockets directly: a player's task sleeps until its socket refuses
//! bytes.
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
//! smol::block_on(headwater_smol::start(server))
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
//!     let (addresses, handle) = (server.addresses().clone(), server.handle());
//!     let running = headwater_smol::start(server);
//!     # answers(addresses.http().unwrap());
//!     println!("publish to {}/live/stream1", addresses.listen[0]);
//!     handle.stop();
//!     smol::block_on(running)?;
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

use async_io::{Async, block_on};
use headwater_driver::Worker;
use headwater_driver::sockets::Listeners;
use smol::{LocalExecutor, future};
use std::io;
use std::rc::Rc;
use worker::{Shared, run_tasks};

/// Starts to serve, in threads of the server's own: the caller needs no executor, and only waits for the end.
pub fn start(server: Server) -> Running {
    server.start(
        |worker, listeners| Ok((worker, listeners)),
        |(worker, listeners)| serve(worker, listeners),
    )
}

fn serve(worker: Worker<socket::Handle>, listeners: Listeners) -> io::Result<()> {
    let executor = Rc::new(LocalExecutor::new());
    let worker = Shared::new(worker, &executor);
    let mut accepting = Vec::new();
    for (listener, socket) in listeners {
        let accept = connection::accept(worker.clone(), Async::new(socket)?, listener);
        accepting.push(worker.spawn(accept));
    }
    block_on(future::or(run_tasks(&executor), worker.run(accepting)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Only a failing test waits so long.
    const DEADLINE: Duration = Duration::from_secs(20);

    #[test]
    fn a_panic_in_a_task_ends_the_server() {
        let mut config = Config::default();
        config.listen = vec![Listen::rtmp(([127, 0, 0, 1], 0))];
        let running = Server::bind(config).unwrap().start(
            |worker, _| Ok(worker),
            |worker| {
                let executor = Rc::new(LocalExecutor::new());
                let worker = Shared::new(worker, &executor);
                let task = worker.clone();
                let panics = async move { task.worker().step(|_, _| panic!("as this test wants it")) };
                worker.spawn(panics).unwrap().detach();
                block_on(future::or(run_tasks(&executor), worker.run(Vec::new())))
            },
        );
        let too_late = async {
            async_io::Timer::after(DEADLINE).await;
            Err(io::Error::other("it goes on"))
        };
        let error = block_on(future::or(running, too_late)).unwrap_err();
        assert_eq!(error.to_string(), "a task has panicked");
    }
}
