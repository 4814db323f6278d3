//! Input that is dear, from many connections that are each below what one may make.

use crate::world::World;
use headwater_core::server::Protocol;
use std::time::Duration;

/// A publisher that has sent nothing dear.
fn publisher(world: &mut World, number: usize) -> usize {
    let client = world.connect(0, Protocol::Http, 9);
    let head = format!("POST /live/{number} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n18\r\n");
    let tag = b"FLV\x01\x05\0\0\0\x09\0\0\0\0\x09\x7F\xFF\xFF\0\0\0\0\0\0\0\r\n";
    world.send(client, &[head.as_bytes(), tag].concat());
    client
}

/// What it says of a tag, in chunks of one byte: `len` bytes in all.
fn dear(len: usize) -> Vec<u8> {
    b"1\r\n\x17\r\n".repeat(len / 6)
}

#[test]
fn many_with_dear_input_yield_to_those_with_little() {
    let mut world = World::new(1, |_| {});
    let cheap: Vec<_> = (0..50).map(|number| publisher(&mut world, number)).collect();
    let many: Vec<_> = (100..200).map(|number| publisher(&mut world, number)).collect();
    for client in &many {
        world.send(*client, &dear(240_000));
    }
    for client in &cheap {
        world.send(*client, &dear(6_000));
    }
    let yielding = many.iter().filter(|client| world.yields(**client));
    assert_eq!(yielding.count(), 100);
    assert!(cheap.iter().all(|client| !world.yields(*client)));
    world.pass(Duration::from_secs(1));
    assert!(!many.iter().any(|client| world.yields(*client)));
}

#[test]
fn a_few_with_dear_input_do_not_yield() {
    let mut world = World::new(1, |_| {});
    let few: Vec<_> = (0..5).map(|number| publisher(&mut world, number)).collect();
    for client in &few {
        world.send(*client, &dear(240_000));
    }
    assert!(!few.iter().any(|client| world.yields(*client)));
}
