//! What HTTP and WebSocket players are told of a stream, on the publisher's worker and on others.

use crate::frames::metadata;
use crate::streams::on_any_shards;
use crate::world::{World, drain, frames};
use headwater_core::Output;
use headwater_core::flv::FlvWriter;
use headwater_core::rtmp::Purpose::Play;
use headwater_core::server::Protocol;
use std::time::Duration;

const BOTH: u8 = 5;
const PICTURES: u8 = 1;

impl World {
    fn push_metadata(&mut self, client: usize, audio: bool, video: bool) {
        let mut output = Output::new();
        FlvWriter::frame(&metadata(audio, video), &mut output);
        self.send(client, &drain(&mut output));
    }

    /// Pushes frames, each at its own time.
    fn push_in_time(&mut self, client: usize, script: &str) {
        let start = self.now;
        for word in script.split_whitespace() {
            let time = frames(word).next().unwrap().timestamp.as_millis();
            let due = start + Duration::from_millis(u64::from(time));
            self.pass(Duration::from_micros(
                due.as_micros().saturating_sub(self.now.as_micros()),
            ));
            self.push(client, word);
        }
    }

    /// A player by WebSocket.
    pub(super) fn ws_play(&mut self, shard: usize, path: &str) -> usize {
        let client = self.connect(shard, Protocol::Http, 9);
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.send(client, head.as_bytes());
        client
    }

    /// The flags of the FLV header that a player got, if it has.
    fn flags(&self, client: usize) -> Option<u8> {
        let received = &self.clients[client].received;
        let at = received.windows(4).position(|it| it == b"FLV\x01")?;
        received.get(at + 4).copied()
    }

    /// Whether metadata in what a player got says this.
    fn was_told(&self, client: usize, audio: bool, video: bool) -> bool {
        let payload = metadata(audio, video).payload;
        let received = &self.clients[client].received;
        received.windows(payload.len()).any(|it| it == &payload[..])
    }
}

/// A second of pictures.
fn pictures(second: u32) -> String {
    let start = second * 1_000;
    let words: Vec<_> = (1..25).map(|it| format!("P{}", start + it * 40)).collect();
    format!("K{start} {}", words.join(" "))
}

#[test]
fn a_header_of_sound_and_never_a_sound_is_announced_to_nobody() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let publisher = world.http_push(there, "/live/x", 1);
            let players = [
                world.http_play(here, "/live/x?wait=9"),
                world.ws_play(here, "/live/x?wait=9"),
            ];
            world.push_metadata(publisher, true, true);
            world.push(publisher, "A V");
            world.push_in_time(publisher, &[pictures(0), pictures(1), pictures(2)].join(" "));
            assert_eq!(players.map(|it| world.flags(it)), [None; 2]);
            world.push_in_time(publisher, "K0 P40 P80");
            let late = [world.http_play(here, "/live/x"), world.ws_play(here, "/live/x")];
            for player in players.into_iter().chain(late) {
                assert_eq!(world.flags(player), Some(PICTURES));
                assert!(world.was_told(player, false, true) && !world.was_told(player, true, true));
            }
        },
    );
}

#[test]
fn two_seconds_of_sound_before_the_pictures_are_waited_out() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let publisher = world.http_push(there, "/live/x", 1);
            world.push_metadata(publisher, true, true);
            world.push(publisher, "A a0");
            let players = [world.http_play(here, "/live/x"), world.ws_play(here, "/live/x")];
            let sounds: Vec<_> = (1..50).map(|it| format!("a{}", it * 40)).collect();
            world.push_in_time(publisher, &sounds.join(" "));
            assert_eq!(players.map(|it| world.flags(it)), [None; 2]);
            world.push(publisher, "V K2000");
            assert_eq!(players.map(|it| world.flags(it)), [Some(BOTH); 2]);
            assert!(world.was_told(players[0], true, true));
            // Its timeline begins with the first sound that its worker had kept.
            let seen = world.seen(players[0]);
            let (sounds, picture) = seen.rsplit_once(" K").unwrap();
            let (_, sound) = sounds.rsplit_once(" a").unwrap();
            let [sound, picture] = [sound, picture].map(|time| time.parse::<u32>().unwrap());
            assert_eq!(picture - sound, 40, "{seen}");
        },
    );
}

#[test]
fn sound_four_seconds_late_ends_responses_and_not_rtmp() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let publisher = world.http_push(there, "/live/x", 1);
            world.push(publisher, "V K0");
            let players = [world.http_play(here, "/live/x"), world.ws_play(here, "/live/x")];
            let tv = world.rtmp(here, Play, "live", "x", 9);
            world.push_in_time(
                publisher,
                &[pictures(0), pictures(1), pictures(2), pictures(3)].join(" "),
            );
            assert_eq!(players.map(|it| world.flags(it)), [Some(PICTURES); 2]);
            world.push(publisher, "A a4000");
            for player in players {
                assert!(world.clients[player].is_shut_down());
            }
            world.push(publisher, "P4040 a4045");
            assert!(world.heard(tv).ends_with("P4040 a4045"), "{}", world.heard(tv));
            let again = world.http_play(here, "/live/x");
            assert_eq!(world.flags(again), Some(BOTH));
            world.push(publisher, "P4080 a4085");
            assert!(world.seen(again).ends_with("P1080 a1085"));
        },
    );
}

#[test]
fn a_publisher_that_returns_without_sound_ends_responses() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let publisher = world.http_push(there, "/live/x", 1);
            world.push(publisher, "V A K0 a5 P40");
            let players = [world.http_play(here, "/live/x"), world.ws_play(here, "/live/x")];
            let tv = world.rtmp(here, Play, "live", "x", 9);
            world.reset(publisher);
            world.pass(Duration::from_secs(2));
            let publisher = world.http_push(there, "/live/x", 1);
            world.push(publisher, "V");
            world.push_in_time(publisher, &pictures(0));
            for player in players {
                assert!(world.clients[player].is_shut_down());
            }
            world.push(publisher, "P1000");
            assert!(world.heard(tv).ends_with("P3040"), "{}", world.heard(tv));
            let again = world.http_play(here, "/live/x");
            assert_eq!(world.flags(again), Some(PICTURES));
        },
    );
}

#[test]
fn a_player_of_a_running_stream_is_answered_at_once() {
    on_any_shards(
        |_| {},
        |mut world, there, here| {
            let publisher = world.http_push(there, "/live/x", 1);
            world.push(publisher, "V A a0");
            world.push_in_time(publisher, &(0..6).map(pictures).collect::<Vec<_>>().join(" "));
            let player = world.http_play(here, "/live/x");
            assert_eq!(world.flags(player), Some(PICTURES), "its sound is silent");
            assert!(world.seen(player).ends_with("P960"), "{}", world.seen(player));
        },
    );
}
