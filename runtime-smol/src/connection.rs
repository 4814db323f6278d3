//! The tasks that wait for sockets: one for each listener, one for each connection.

use crate::socket::{Connection, Handle};
use crate::worker::Shared;
use async_io::{Async, Timer};
use headwater_core::server::{ConnectionId, Protocol};
use headwater_driver::{Accepted, Acceptor, Interest};
use smol::future;
use std::net::TcpListener;
use std::rc::Rc;

/// Accepts until it is dropped.
pub(crate) async fn accept(worker: Rc<Shared>, socket: Async<TcpListener>, protocol: Protocol) {
    let mut acceptor = Acceptor::new(protocol);
    loop {
        let accepted = socket.accept().await;
        let now = worker.worker().now();
        let (stream, peer) = match acceptor.check(now, accepted) {
            Accepted::Connection(stream, peer) => (stream, peer),
            Accepted::Nothing => {
                future::yield_now().await;
                continue;
            }
            Accepted::Pause(pause) => {
                Timer::after(pause).await;
                continue;
            }
        };
        let connection = Connection::new(stream);
        let id = worker.worker().accept(protocol, peer, Handle(connection.clone()));
        if let Some(task) = id.and_then(|id| worker.spawn(serve(worker.clone(), id, connection))) {
            task.detach();
        }
        // A connection that waits in the kernel is accepted without a pause, and so would be all of a burst.
        future::yield_now().await;
    }
}

/// Waits for the socket, and lets the shard use it, until the shard has closed the connection.
async fn serve(worker: Rc<Shared>, id: ConnectionId, connection: Rc<Connection>) {
    let mut may_have_more = false;
    loop {
        if may_have_more {
            future::yield_now().await;
        } else {
            future::poll_fn(|context| connection.poll_event(context, || worker.next_look())).await;
        }
        let Some(interest) = connection.interest() else {
            return;
        };
        if interest == Interest::NONE {
            may_have_more = false;
            if connection.has_failed() {
                worker.worker().step(|shard, now| shard.hung_up(now, id));
            }
            continue;
        }
        may_have_more = worker.worker().step(|shard, now| {
            if interest.write {
                shard.writable(id);
            }
            interest.read && shard.readable(now, id)
        });
    }
}
