//! A process that may have few files open.

use crate::good::Good;
use crate::support::process::POLL;
use crate::support::{DEADLINE, http};
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// More than there are descriptors.
const PEERS: usize = 100;

/// How long it may take to refuse all that are too many. 8 s: less than the 10 s after which those that are served, and ask for
/// nothing, leave room for others.
const TOLD_WITHIN: Duration = Duration::from_secs(8);

/// For how long CPU time is measured, and how much of it may be used. A loop that waits for descriptors would use all.
const MEASURED: Duration = Duration::from_secs(2);
const USED: Duration = Duration::from_millis(500);

#[test]
fn without_descriptors_connections_are_refused_and_streams_go_on() {
    for limit in [40, 64] {
        crate::on_every_runtime(&[1, 2], |runtime| {
            let server = runtime.start_after(&format!("ulimit -n {limit}"), &["--grace", "1"]);
            let good = Good::start(&server);
            let mut peers: Vec<_> = (0..PEERS)
                .map(|_| http::connect(server.http, Ipv4Addr::LOCALHOST))
                .collect();
            // Nobody is left to wait: those that are not served are told.
            let deadline = Instant::now() + TOLD_WITHIN;
            while peers.len() >= limit {
                assert!(Instant::now() < deadline, "{} wait with {limit} files", peers.len());
                peers.retain_mut(|peer| !is_refused(peer));
                thread::sleep(POLL);
            }
            let cpu = server.cpu();
            thread::sleep(MEASURED);
            let used = server.cpu() - cpu;
            assert!(used < USED, "{used:?} with {limit} files");
            drop(peers);
            // It may not have noticed yet that they have left.
            let deadline = Instant::now() + DEADLINE;
            while http::try_get(server.http, "/live/nobody").is_none_or(|response| response.status != 404) {
                assert!(Instant::now() < deadline, "nobody is let in with {limit} files");
                thread::sleep(POLL);
            }
            good.finish();
        });
    }
}

/// Whether the server has said something to a peer that has said nothing, or has closed it.
fn is_refused(peer: &mut TcpStream) -> bool {
    peer.set_nonblocking(true).unwrap();
    let result = peer.read(&mut [0]);
    peer.set_nonblocking(false).unwrap();
    !matches!(result, Err(error) if error.kind() == ErrorKind::WouldBlock)
}
