//! Accepting connections.

use crate::connection::{self, Connection, Handle};
use crate::worker::Worker;
use headwater_core::server::Listener;
use headwater_driver::{AcceptErrors, sockets};
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

/// Accepts until it is dropped.
pub(crate) async fn accept(worker: Rc<Worker>, listener: TcpListener, kind: Listener) {
    let mut errors = AcceptErrors::default();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => admit(&worker, stream, peer, kind),
            Err(error) => {
                if let Some(pause) = errors.pause_after(worker.now(), &error, kind) {
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

fn admit(worker: &Rc<Worker>, stream: TcpStream, peer: SocketAddr, kind: Listener) {
    if let Err(error) = sockets::configure(&stream) {
        // The peer has gone already.
        debug!(%error, %peer, "cannot set up the connection");
        return;
    }
    let connection = Rc::new(Connection::new(stream));
    match worker.step(|shard, now| shard.accept(now, kind, peer, Handle(connection.clone()))) {
        Ok(id) => {
            worker.spawn(connection::serve(worker.clone(), id, connection));
        }
        Err(reason) => debug!(%reason, %peer, "refused"),
    }
}
