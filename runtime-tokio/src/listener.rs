//! Accepting connections.

use crate::connection::{self, Connection, Handle};
use crate::worker::Worker;
use headwater_core::server::Listener;
use headwater_driver::sockets;
use headwater_driver::{ACCEPT_LOG_INTERVAL, ACCEPT_PAUSE};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

/// Accepts until it is dropped. No error ends it: most mean that one peer was too quick to leave, and a lack of file
/// descriptors or memory passes.
pub(crate) async fn accept(worker: Rc<Worker>, listener: TcpListener, kind: Listener) {
    let mut logged: Option<Instant> = None;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => admit(&worker, stream, peer, kind),
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
            Err(error) => {
                if logged.is_none_or(|at| at.elapsed() >= ACCEPT_LOG_INTERVAL) {
                    logged = Some(Instant::now());
                    warn!(%error, listener = ?kind, "cannot accept");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
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
            tokio::task::spawn_local(connection::serve(worker.clone(), id, connection));
        }
        Err(reason) => debug!(%reason, %peer, "refused"),
    }
}
