//! What operators may take: places, memory and time.

use crate::world::World;
use headwater_core::server::Protocol;
use std::time::Duration;

const STREAMS: &str = "GET /api/v1/streams";
const HOST: &str = "Host: localhost\r\n";

/// Bytes that the servers hold.
fn held(world: &World) -> usize {
    world.servers().map(|server| server.stats().memory_held).sum()
}

#[test]
fn operators_take_no_place_from_others() {
    let mut world = World::new(2, |config| {
        config.max_connections = 3;
        config.max_roleless_connections_per_address = 1;
    });
    let operators: Vec<_> = (0..20)
        .map(|index| world.connect(index % 2, Protocol::Admin, 1))
        .collect();
    let publishers: Vec<_> = (0..3)
        .map(|index| {
            let publisher = world.http_push(1, &format!("/live/{index}"), 1);
            world.push(publisher, "V A K0");
            publisher
        })
        .collect();
    assert!(publishers.iter().all(|it| world.is_publishing(*it)));
    assert!(operators.iter().all(|it| !world.clients[*it].is_closed()));
    assert_eq!(world.servers().next().unwrap().stats().counted, 3);
    let late = world.http_play(0, "/live/0");
    assert_eq!(world.status(late), "HTTP/1.1 503 Service Unavailable");
}

#[test]
fn of_too_many_operators_one_at_rest_makes_room() {
    let mut world = World::new(2, |config| config.admin.max_connections = 3);
    world.stopped = Some(1);
    let asking = world.operator(0, STREAMS, HOST);
    let at_rest = world.connect(0, Protocol::Admin, 1);
    let younger = world.connect(0, Protocol::Admin, 1);
    let newcomer = world.operator(0, STREAMS, HOST);
    let closed = [asking, at_rest, younger, newcomer].map(|it| world.clients[it].is_closed());
    assert_eq!(closed, [false, true, false, false]);
    // With something under way everywhere, it is the oldest.
    world.send(younger, b"GET /api/v1/streams HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let last = world.operator(0, STREAMS, HOST);
    let closed = [asking, younger, newcomer, last].map(|it| world.clients[it].is_closed());
    assert_eq!(closed, [true, false, false, false]);
    // The other worker has places of its own, and those that are left are free.
    assert!(!world.clients[newcomer].is_closed());
    world.pass(Duration::from_secs(1));
    for client in [younger, newcomer, last] {
        assert_eq!(world.status(client), "HTTP/1.1 200 OK");
        world.reset(client);
    }
    let others: Vec<_> = (0..3).map(|_| world.connect(0, Protocol::Admin, 1)).collect();
    assert!(others.iter().all(|it| !world.clients[*it].is_closed()));
    assert_eq!(world.servers().next().unwrap().stats().refused, 2);
}

#[test]
fn an_answer_that_is_not_taken_is_held_memory() {
    let mut world = World::new(1, |_| {});
    for index in 0..20 {
        let publisher = world.http_push(0, &format!("/live/{index}"), 1);
        world.push(publisher, "V A K0");
    }
    let before = held(&world);
    let client = world.connect(0, Protocol::Admin, 1);
    world.clients[client].peer.set_window(0);
    world.send(client, b"GET /api/v1/streams HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let grown = held(&world) - before;
    assert!(grown > 20_000, "{grown} bytes");
    world.reset(client);
    assert_eq!(held(&world), before);
}

#[test]
fn operators_that_take_nothing_go_before_publishers() {
    let mut world = World::new(1, |config| config.memory_budget = 1 << 20);
    let publishers: Vec<_> = (0..100)
        .map(|index| {
            let publisher = world.http_push(0, &format!("/live/{index}"), 1);
            world.push(publisher, "V A K0");
            publisher
        })
        .collect();
    let operators: Vec<_> = (0..50)
        .map(|_| {
            let client = world.connect(0, Protocol::Admin, 1);
            world.clients[client].peer.set_window(0);
            world.send(client, b"GET /api/v1/streams HTTP/1.1\r\nHost: localhost\r\n\r\n");
            world.pass(Duration::from_millis(100));
            client
        })
        .collect();
    world.pass(Duration::from_secs(2));
    assert!(held(&world) <= 1 << 20, "{} bytes", held(&world));
    assert!(publishers.iter().all(|it| world.is_publishing(*it)));
    let ended = operators.iter().filter(|it| world.clients[**it].is_closed()).count();
    assert!(ended > 30, "{ended}");
}
