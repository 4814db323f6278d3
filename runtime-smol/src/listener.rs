//! Accepting connections.

use crate::connection::{self, Connection, Handle};
use crate::worker::Worker;
use async_io::{Async, Timer};
use headwater_core::server::Listener;
use headwater_driver::{AcceptErrors, sockets};
use smol::future;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use tracing::debug;

/// Accepts until it is dropped.
pub(crate) async fn accept(worker: Rc<Worker>, listener: Async<TcpListener>, kind: Listener) {
    let mut errors = AcceptErrors::default();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                admit(&worker, stream, peer, kind);
                // A connection that waits in the kernel is accepted without a pause, and so would be all of a burst.
                future::yield_now().await;
            }
            Err(error) => {
                if let Some(pause) = errors.pause_after(worker.now(), &error, kind) {
                    Timer::after(pause).await;
                }
            }
        }
    }
}

fn admit(worker: &Rc<Worker>, stream: Async<TcpStream>, peer: SocketAddr, kind: Listener) {
    if let Err(error) = sockets::configure(stream.get_ref()) {
        // The peer has gone already.
        debug!(%error, %peer, "cannot set up the connection");
        return;
    }
    let connection = Rc::new(Connection::new(stream));
    match worker.step(|shard, now| shard.accept(now, kind, peer, Handle(connection.clone()))) {
        Ok(id) => {
            if let Some(task) = worker.spawn(connection::serve(worker.clone(), id, connection)) {
                task.detach();
            }
        }
        Err(reason) => debug!(%reason, %peer, "refused"),
    }
}
