//! The tasks that wait for sockets: one for each listener, one for each connection.

use crate::socket::{Connection, Handle};
use crate::worker::Shared;
use headwater_core::server::{ConnectionId, Protocol};
use headwater_driver::{Accepted, Acceptor};
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::{TcpListener, TcpStream};
use tokio::{task, time};

/// Accepts until it is dropped.
pub(crate) async fn accept(worker: Rc<Shared>, socket: TcpListener, protocol: Protocol) {
    let mut acceptor = Acceptor::new(protocol);
    loop {
        let accepted = socket.accept().await;
        match acceptor.check(worker.now(), accepted) {
            Accepted::Connection(stream, peer) => admit(&worker, protocol, stream, peer),
            Accepted::Nothing => {}
            Accepted::Pause(pause) => time::sleep(pause).await,
        }
    }
}

fn admit(worker: &Rc<Shared>, protocol: Protocol, stream: TcpStream, peer: SocketAddr) {
    let connection = Connection::new(stream);
    let handle = Handle(connection.clone());
    if let Some(id) = worker.with(|worker| worker.accept(protocol, peer, handle)) {
        task::spawn_local(serve(worker.clone(), id, connection));
    }
}

/// Waits for the socket, and lets the shard use it, until the shard has closed the connection.
async fn serve(worker: Rc<Shared>, id: ConnectionId, connection: Rc<Connection>) {
    while let Some(report) = connection.ready().await {
        let may_have_more = worker.step(|shard, now| {
            if report.has_hung_up {
                shard.hung_up(now, id);
            }
            if report.may_write {
                shard.writable(id);
            }
            report.may_read && shard.readable(now, id)
        });
        if may_have_more {
            task::yield_now().await;
        }
    }
}
