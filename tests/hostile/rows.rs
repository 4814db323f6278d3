//! Each row of the table in `core/driver/tests/hostile` alone, with each binary: what the peer's own socket sees, what the log
//! says of its connection, what it costs, and that nothing is left of it.
//!
//! Two rows need what a peer on loopback cannot do, and are in virtual time alone: 49 (a peer that vanishes without a packet) and
//! 50 (a question that stays open, which the binaries do not ask). What 38 and 39 are about takes streams that fill the kernel's
//! buffers: `tests/load.rs` has players that stall and crawl. Row 45 is about passwords by RTMP, which there are none of yet.

use crate::good::beside_a_good_stream;
use crate::inputs::{self, Input, Port, Reaction, on_one_port};
use crate::is_raw;
use crate::support::http;
use crate::support::server::{Runtime, Server};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Where the hostile peers come from.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

/// How long a server may take to end a connection that it is to end.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// For how long a connection is looked at that is to stay.
const STAYS_FOR: Duration = Duration::from_millis(200);
/// How long the server may take to notice that a peer is gone.
const GONE_WITHIN: Duration = Duration::from_secs(8);

/// Processor time that a conversation may cost beside that for its bytes, with the good stream meanwhile.
const COST: Duration = Duration::from_millis(250);
/// And for each of its bytes. 2 µs: a hundredth of that is usual, and nothing is optimized here.
const COST_OF_BYTE: Duration = Duration::from_micros(2);

macro_rules! rows {
    ($($name:ident = $row:literal)*) => {
        $(fn $name(runtime: Runtime) {
            hold(&runtime, $row);
        })*
        on_each_binary!(2, [
            row_01_silence_and_a_byte_a_second_end_after_10_s
            row_40_players_for_nothing_have_their_share_of_places
            $($name)*
        ]);
    };
}

rows! {
    row_01_what_has_only_begun_is_given_its_time = 1
    row_02_another_version_is_closed = 2
    row_03_junk_in_the_handshake_is_never_an_error = 3
    row_04_what_comes_before_our_half_is_served = 4
    row_05_chunk_sizes_that_are_none_are_fatal = 5
    row_06_chunks_of_one_byte_are_work_and_no_more = 6
    row_07_the_largest_chunk_size_is_taken = 7
    row_08_announced_lengths_are_bounded = 8
    row_09_the_65th_chunk_stream_is_fatal = 9
    row_10_headers_that_inherit_nothing_are_fatal = 10
    row_11_a_message_that_changes_in_its_middle_is_fatal = 11
    row_12_empty_messages_mean_nothing_and_a_flood_is_fatal = 12
    row_13_payload_that_looks_like_a_time_harms_nobody_else = 13
    row_14_timestamps_that_leap_end_nothing = 14
    row_15_aborts_of_nothing_change_nothing = 15
    row_16_acknowledgements_that_lie_end_nothing = 16
    row_17_a_tiny_window_ends_nothing = 17
    row_18_bandwidths_end_nothing = 18
    row_19_pings_end_nothing = 19
    row_20_a_huge_buffer_ends_nothing = 20
    row_21_values_nested_too_deep_are_read_over = 21
    row_22_counts_and_lengths_that_lie_reserve_nothing = 22
    row_23_references_are_not_expanded = 23
    row_24_numbers_and_references_that_are_none_are_read_over = 24
    row_25_100_000_properties_end_nothing = 25
    row_26_huge_strings_are_refused_with_a_reason = 26
    row_27_names_that_mean_something_elsewhere_are_names = 27
    row_28_things_in_the_wrong_order_are_fatal_or_not_heard = 28
    row_29_the_17th_message_stream_is_fatal = 29
    row_30_streams_of_others_are_out_of_reach = 30
    row_31_flapping_is_told_to_wait = 31
    row_32_aggregates_that_lie_end_nothing = 32
    row_33_lies_in_enhanced_rtmp_are_frames_for_nobody = 33
    row_34_headers_that_change_with_each_picture_are_fatal = 34
    row_35_keyframes_alone_or_none_end_nothing = 35
    row_36_absurd_parameter_sets_end_nothing = 36
    row_37_huge_metadata_end_nothing = 37
    row_41_requests_that_could_be_two_are_refused = 41
    row_42_what_is_no_flv_is_refused = 42
    row_43_a_client_that_breaks_websocket_is_closed = 43
    row_44_other_protocols_are_closed = 44
    row_46_ids_of_others_are_worth_nothing = 46
    row_47_answers_to_nothing_are_not_heard = 47
    row_48_types_that_mean_nothing_are_not_heard = 48
}

/// Holds the conversations of a row, one after the other, and expects the reaction to each.
fn hold(runtime: &Runtime, row: u8) {
    let server = runtime.start(&["--grace", "0"]);
    beside_a_good_stream(&server, || {
        let files = server.files();
        for input in inputs::of(row) {
            let what = format!("row {row}, {}", input.what);
            let (before, began) = (server.cpu(), Instant::now());
            let mut peer = Peer::connect(&server, input.to);
            peer.converse(&input);
            peer.reset();
            let spent = server.cpu() - before;
            // What the good stream costs is in it as well.
            let most = COST + COST_OF_BYTE * input.bytes.len() as u32 + began.elapsed() / 10;
            assert!(spent <= most, "{what}: {spent:?} of processor time, {most:?} allowed");
        }
        server.wait_for_files(files, GONE_WITHIN);
        for line in server.log().lines() {
            assert!(line.len() < 4_096, "{} bytes: {line}", line.len());
            assert!(!line.chars().any(is_raw), "not escaped: {line:?}");
        }
    });
}

/// A hostile peer, and what the server calls it.
struct Peer<'a> {
    server: &'a Server,
    socket: TcpStream,
    /// How its lines name it: ` conn=N `.
    name: String,
}

impl<'a> Peer<'a> {
    fn connect(server: &'a Server, to: Port) -> Self {
        let socket = http::connect(
            match to {
                Port::Rtmp => server.rtmp,
                Port::Http => server.http,
            },
            ADDRESS,
        );
        let address = format!("peer={} ", socket.local_addr().unwrap());
        server.wait_for_lines(&["connection accepted", &address], 1);
        let log = server.log();
        let line = log.lines().find(|line| line.contains(&address)).unwrap();
        let name = line.split(' ').find(|word| word.starts_with("conn=")).unwrap();
        Peer {
            server,
            name: format!(" {name} "),
            socket,
        }
    }

    /// Says what an input has, and expects the reaction.
    fn converse(&mut self, input: &Input) {
        let what = format!("row {}, {}", input.row, input.what);
        let (reason, ends) = match input.reaction {
            Reaction::Ends(reason) => (Some(reason), Some(true)),
            Reaction::Refused(reason) => (Some(reason), None),
            Reaction::Leaves => (None, Some(true)),
            Reaction::GoesOn => (None, Some(false)),
        };
        self.socket.set_write_timeout(Some(ENDS_WITHIN)).unwrap();
        // A server that closes while its peer speaks does right.
        let said = self.socket.write_all(&input.bytes);
        let reason = match reason.map(on_one_port) {
            // The other protocol is spoken on this port too.
            Some(None) => return,
            Some(reason) => reason,
            None => None,
        };
        // What comes before a request is answered may be too much already.
        let is_early = |peer: &Self| peer.server.has_line(&[&peer.name, "bytes behind a request under way"]);
        if let Some(ends) = ends {
            let is_over = self.is_over_within(if ends { ENDS_WITHIN } else { STAYS_FOR });
            assert!(
                is_over == ends || is_early(self),
                "{what}: over: {is_over} ({said:?}), {}",
                self.lines()
            );
        }
        if let Some(reason) = reason {
            println!("{what}: {reason}");
            self.server.wait_for_lines(&[&self.name, "reason=", reason], 1);
        }
        let has_failed = self.server.has_line(&[&self.name, "connection failed"]);
        let fails = matches!(input.reaction, Reaction::Ends(_));
        assert!(
            has_failed == fails || is_early(self),
            "{what}: failed: {has_failed}, {}",
            self.lines()
        );
    }

    /// Reads until the server has ended the connection, or for so long. Returns whether it has.
    fn is_over_within(&mut self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut scratch = [0; 16 << 10];
        while let left = until.saturating_duration_since(Instant::now())
            && !left.is_zero()
        {
            self.socket.set_read_timeout(Some(left)).unwrap();
            match self.socket.read(&mut scratch) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return true,
            }
        }
        false
    }

    /// What the log says of it.
    fn lines(&self) -> String {
        let log = self.server.log();
        log.lines()
            .filter(|line| line.contains(&self.name))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// It is gone in an instant, and returns once the server knows.
    fn reset(self) {
        let socket = socket2::SockRef::from(&self.socket);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        drop(self.socket);
        self.server.wait_for_lines(&[&self.name, "connection closed"], 1);
    }
}

fn row_01_silence_and_a_byte_a_second_end_after_10_s(runtime: Runtime) {
    let server = runtime.start(&[]);
    let began = Instant::now();
    thread::scope(|scope| {
        for (to, bytes) in [
            (Port::Rtmp, &b""[..]),
            (Port::Http, b""),
            (Port::Rtmp, &[3; 30]),
            (Port::Http, b"GET /live/good?wait=0123456789"),
        ] {
            let mut peer = Peer::connect(&server, to);
            scope.spawn(move || {
                let mut rest = bytes.iter();
                while !peer.is_over_within(Duration::from_secs(1)) {
                    assert!(began.elapsed() < Duration::from_secs(20), "{bytes:?} goes on and on");
                    if let Some(byte) = rest.next() {
                        let _ = peer.socket.write_all(&[*byte]);
                    }
                }
                assert!(
                    began.elapsed() >= Duration::from_secs(9),
                    "{bytes:?} had too little time"
                );
            });
        }
    });
    for reason in ["handshake timeout", "command timeout"] {
        server.wait_for_line(reason);
    }
}

fn row_40_players_for_nothing_have_their_share_of_places(runtime: Runtime) {
    const REQUEST: &[u8] = b"GET /live/nothing?wait=60 HTTP/1.1\r\nHost: x\r\n\r\n";
    let server = runtime.start(&[]);
    beside_a_good_stream(&server, || {
        let refused = format!("peer={ADDRESS}:");
        let mut peers = Vec::new();
        while !server.has_line(&["play refused", &refused]) {
            assert!(peers.len() < 2_000, "one address has all places");
            let mut peer = http::connect(server.http, ADDRESS);
            peer.write_all(REQUEST).unwrap();
            peers.push(peer);
        }
        // Others wait beside them.
        let before = server.count_lines("play waits");
        let mut other = http::connect(server.http, Ipv4Addr::LOCALHOST);
        other.write_all(REQUEST).unwrap();
        let address = format!("peer={} ", other.local_addr().unwrap());
        server.wait_for_lines(&["play waits", &address], 1);
        assert!(before >= 50, "{before} wait");
    });
}
