//! Connections that are reset after each thing that a peer can say: nothing is left of them, whatever was under way.

use crate::frames::flv;
use crate::streams::on_any_shards;
use crate::world::World;
use headwater_core::rtmp::Purpose::Publish;
use headwater_core::rtmp::message::command;
use headwater_core::server::Protocol;
use std::time::Duration;

/// A message of RTMP in one chunk.
fn message(type_id: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).unwrap();
    [&[3, 0, 0, 0, 0, 0, len, type_id, stream, 0, 0, 0], payload].concat()
}

fn call(stream: u8, name: &str, argument: Option<&str>) -> Vec<u8> {
    let payload = command::encode(name, 1.0, |writer| {
        writer.null();
        if let Some(argument) = argument {
            writer.string(argument);
        }
    });
    message(20, stream, &payload)
}

/// What an RTMP client says up to its stream 1.
fn begin() -> Vec<Vec<u8>> {
    let connect = command::encode("connect", 1.0, |writer| {
        writer.object_start().key("app").string("live").object_end();
    });
    vec![
        vec![],
        vec![3; 1_000],
        vec![3; 1 + 2 * 1_536 - 1_000],
        message(20, 0, &connect),
        call(0, "createStream", None),
    ]
}

/// Sound as RTMP messages, the last of which is cut.
fn media() -> [Vec<u8>; 3] {
    let whole = message(8, 1, b"\xAF\x01\x21");
    let (front, back) = whole.split_at(14);
    [message(8, 1, b"\xAF\0\x12\x10"), [&whole, front].concat(), back.into()]
}

/// All that a peer may say, a step at a time.
fn conversations() -> Vec<(Protocol, Vec<Vec<u8>>)> {
    let upgrade = "HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let rtmp = |rest: &[Vec<u8>]| (Protocol::Rtmp, [begin(), rest.to_vec()].concat());
    let http = |steps: &[&[u8]]| (Protocol::Http, steps.iter().map(|step| step.to_vec()).collect());
    let [header, sound, rest] = media();
    let flv = flv("A a0 a20");
    let (first, second) = flv.split_at(flv.len() - 20);
    vec![
        rtmp(&[
            call(1, "publish", Some("x")),
            header,
            sound,
            rest,
            call(0, "deleteStream", None),
        ]),
        rtmp(&[call(1, "play", Some("x")), call(1, "closeStream", None)]),
        rtmp(&[call(1, "play", Some("x")), call(1, "publish", Some("x"))]),
        http(&[b"POST /live/x HT", b"TP/1.0\r\n\r\n", first, second]),
        http(&[b"GET /live/x?wait=60 HT", b"TP/1.1\r\nHost: x\r\n\r\n", b"GET /live"]),
        http(&[b"GET /live/x?wait=60 ", upgrade.as_bytes(), b"\x89\x80\0\0\0\0"]),
    ]
}

#[test]
fn a_reset_after_any_step_leaves_nothing_behind() {
    for (protocol, steps) in conversations() {
        for count in 1..=steps.len() {
            for (has_publisher, is_slow) in [(false, false), (false, true), (true, false), (true, true)] {
                on_any_shards(
                    |_| {},
                    |mut world, there, here| {
                        let publisher = has_publisher.then(|| {
                            let publisher = world.rtmp(there, Publish, "live", "x", 1);
                            world.publish(publisher, "V A K0 a5");
                            publisher
                        });
                        let peer = world.connect(here, protocol, 2);
                        for (at, step) in steps[..count].iter().enumerate() {
                            // What workers say of the last step may still be on its way.
                            world.delivers = !is_slow || at + 1 < count;
                            world.send(peer, step);
                        }
                        world.reset(peer);
                        assert!(world.clients[peer].is_closed(), "{protocol:?}, {count} steps");
                        world.delivers = true;
                        world.settle();
                        // The grace time.
                        for second in 1..=11 {
                            world.pass(Duration::from_secs(1));
                            if let Some(publisher) = publisher {
                                world.publish(publisher, &format!("a{}", second * 1_000));
                            }
                        }
                        assert_only(&mut world, publisher, count);
                    },
                );
            }
        }
    }
}

/// Nobody is there but this publisher, and once it has left, nothing at all.
fn assert_only(world: &mut World, publisher: Option<usize>, count: usize) {
    let totals = |world: &World| {
        let stats: Vec<_> = world.servers().map(|server| server.stats()).collect();
        let connections: usize = stats.iter().map(|stats| stats.connections).sum();
        let names: usize = stats.iter().map(|stats| stats.names).sum();
        let streams: usize = stats.iter().map(|stats| stats.streams).sum();
        (connections, streams, names)
    };
    if let Some(publisher) = publisher {
        assert!(world.is_publishing(publisher), "{count} steps");
        assert_eq!(totals(world), (1, 1, 1), "{count} steps");
        world.reset(publisher);
        world.pass(Duration::from_secs(11));
    }
    assert_eq!(totals(world), (0, 0, 0), "{count} steps");
    assert_eq!(world.due(), None, "{count} steps");
}
