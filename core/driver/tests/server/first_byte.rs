//! One port for every protocol: what a peer speaks is known from its first byte.

use crate::connections::codes;
use crate::lines::lines_of;
use crate::world::World;
use headwater_core::server::{Protocol, Transport};
use std::ops::RangeInclusive;
use std::time::Duration;

/// S0, S1 and S2.
const HANDSHAKE: usize = 3_073;

const REQUEST: &[u8] = b"GET /live/x HTTP/1.1\r\nHost: x\r\n\r\n";
const UPGRADE: &[u8] = b"GET /live/x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn c0_c1() -> Vec<u8> {
    [&[3][..], &[0; 1_536]].concat()
}

/// What the server takes the client's connection for, while that is open.
fn transport(world: &World, client: usize) -> Option<Transport> {
    world.view(client).map(|view| view.protocol)
}

#[test]
fn each_protocol_is_known_by_its_first_byte() {
    let mut world = World::new(1, |_| {});
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    let handshake = c0_c1();
    let spoken = [
        (&handshake[..], Transport::Rtmp, Transport::Rtmp),
        (REQUEST, Transport::Http, Transport::Http),
        (UPGRADE, Transport::Http, Transport::WebSocket),
    ];
    for (bytes, first, last) in spoken {
        for step in [1, 7, bytes.len()] {
            let client = world.connect(0, Protocol::Media, 1);
            assert_eq!(transport(&world, client), Some(Transport::Unknown));
            let mut steps = bytes.chunks(step);
            world.send(client, steps.next().unwrap());
            let known = if step == bytes.len() { last } else { first };
            assert_eq!(transport(&world, client), Some(known), "{step} bytes at a time");
            steps.for_each(|step| world.send(client, step));
            assert_eq!(transport(&world, client), Some(last), "{step} bytes at a time");
            match last {
                Transport::Rtmp => assert_eq!(world.clients[client].received.len(), HANDSHAKE),
                Transport::Http => assert_eq!(codes(&world, client), [200]),
                _ => assert_eq!(codes(&world, client), [101]),
            }
        }
    }
}

/// How the server takes a first byte of these: what it says to it, and whether it has failed.
fn assert_each(bytes: RangeInclusive<u8>, transport: Transport, is_refused: bool) {
    for byte in bytes {
        let mut world = World::new(1, |_| {});
        let client = world.connect(0, Protocol::Media, 1);
        world.send(client, &[byte]);
        let seen = world.view(client).map(|view| view.protocol);
        assert_eq!(seen, (!is_refused).then_some(transport), "{byte}");
        assert_eq!(world.clients[client].is_shut_down(), is_refused, "{byte}");
        assert_eq!(world.shards[0].server().stats().failed, u64::from(is_refused), "{byte}");
        assert!(world.clients[client].received.is_empty(), "{byte}");
    }
}

#[test]
fn every_first_byte_is_taken_or_refused_at_once() {
    assert_each(0..=2, Transport::Unknown, true);
    assert_each(3..=3, Transport::Rtmp, false);
    assert_each(4..=9, Transport::Unknown, true);
    assert_each(b'\n'..=b'\n', Transport::Http, false);
    assert_each(11..=12, Transport::Unknown, true);
    assert_each(b'\r'..=b'\r', Transport::Http, false);
    assert_each(14..=b'@', Transport::Unknown, true);
    assert_each(b'A'..=b'Z', Transport::Http, false);
    assert_each(b'['..=b'`', Transport::Unknown, true);
    assert_each(b'a'..=b'z', Transport::Http, false);
    assert_each(b'{'..=255, Transport::Unknown, true);
}

#[test]
fn the_log_says_that_tls_is_not_spoken() {
    let lines = lines_of(|| {
        let mut world = World::new(1, |_| {});
        let client = world.connect(0, Protocol::Media, 1);
        world.send(client, &[0x16, 3, 1, 2, 0, 1]);
        assert!(world.clients[client].received.is_empty());
    });
    let line = lines.first().expect("a line");
    for part in ["handshake version 22 (TLS)", "protocol=\"rtmp\"", "peer=10.0.0.1"] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn a_peer_that_says_nothing_ends_after_10_s() {
    // A request is answered that takes too long.
    for (first, is_failed) in [(&b""[..], true), (b"G", false), (&[3], true)] {
        let mut world = World::new(1, |_| {});
        let client = world.connect(0, Protocol::Media, 1);
        world.pass(Duration::from_secs(9));
        // The time of a session counts from the accept.
        world.send(client, first);
        assert!(world.view(client).is_some(), "{first:?}");
        world.pass(Duration::from_millis(1_200));
        assert!(world.view(client).is_none(), "{first:?}");
        assert!(world.clients[client].is_shut_down(), "{first:?}");
        assert_eq!(
            world.shards[0].server().stats().failed,
            u64::from(is_failed),
            "{first:?}"
        );
    }
}

#[test]
fn a_peer_that_leaves_without_a_byte_is_no_failure() {
    let mut world = World::new(1, |_| {});
    let leaves = world.connect(0, Protocol::Media, 1);
    let is_reset = world.connect(0, Protocol::Media, 1);
    world.finish(leaves);
    world.reset(is_reset);
    assert!(world.clients[leaves].is_closed());
    let stats = world.shards[0].server().stats();
    assert_eq!((stats.connections, stats.failed), (0, 0));
}

#[test]
fn one_too_many_is_told_so_in_what_it_speaks() {
    let mut world = World::new(1, |config| config.max_connections = 1);
    let publisher = world.http_push(0, "/live/x", 1);
    world.push(publisher, "V A K0 a5");
    for protocol in [Protocol::Media, Protocol::Http] {
        let client = world.connect(0, protocol, 9);
        world.send(client, REQUEST);
        assert_eq!(codes(&world, client), [503], "{protocol:?}");
    }
}

#[test]
fn a_server_that_stops_ends_peers_without_a_byte() {
    let mut world = World::new(1, |_| {});
    let client = world.connect(0, Protocol::Media, 1);
    world.shutdown();
    assert!(world.clients[client].is_shut_down());
}
