use super::*;
use crate::server::{Config, Protocol, ShardId};
use alloc::format;
use alloc::vec;
use quickcheck::quickcheck;

fn server(record: RecordConfig) -> Server {
    let config = Config {
        record: Some(record),
        ..Config::default()
    };
    Server::new(Arc::new(config), ShardId(0), 1, 7)
}

fn accept(server: &mut Server) -> ConnectionId {
    let peer = ([192, 0, 2, 1], 40_000).into();
    server.accept(Time::from_millis(5), Protocol::Http, peer).unwrap()
}

/// Takes all that the connection has to send.
fn take_output(server: &mut Server, id: ConnectionId) {
    use bytes::Buf;
    while server.poll_action().is_some() {}
    let output = server.output(Time::from_millis(5), id);
    output.advance(output.len());
}

const GARBAGE: &[u8] = b"GET /\n\n\n\n";

fn recording() -> Recording {
    let mut server = server(RecordConfig::default());
    let id = accept(&mut server);
    server.handle_input(Time::from_millis(25), id, b"GET /");
    server.handle_input(Time::from_millis(30), id, b"\n\n\n\n");
    server.poll_recording().unwrap()
}

/// The file with `state` and `steps` instead of its own.
fn forged(state: &[u8], steps: &[u8]) -> Recording {
    Recording {
        state: (!state.is_empty()).then(|| state.to_vec()),
        steps: steps.to_vec(),
        ..recording()
    }
}

#[test]
fn a_transcript_says_who_said_what_when() {
    let mut lines = Vec::new();
    recording().transcript(|line| lines.push(String::from(line)));
    let expected = [
        "# http from 192.0.2.1:40000, connection 1",
        concat!(
            "# recorded by version ",
            env!("CARGO_PKG_VERSION"),
            ": malformed request head"
        ),
        "@20    C> GET /",
        "@25    C> bytes 0a0a0a0a",
    ];
    assert_eq!(lines[..3], expected[..3]);
    assert_eq!(lines.last().unwrap(), "# the same failure as recorded");
    let reply = lines
        .iter()
        .position(|line| line == "@25    S< HTTP/1.1 400 Bad Request");
    let error = lines
        .iter()
        .position(|line| line == "@25    S= error: malformed request head");
    assert!(reply.is_some() && reply < error, "{lines:#?}");
}

#[test]
fn nothing_is_recorded_unless_it_is_asked_for() {
    let mut server = Server::new(Arc::default(), ShardId(0), 1, 7);
    let id = accept(&mut server);
    server.handle_input(Time::from_millis(5), id, GARBAGE);
    assert_eq!(server.poll_recording(), None);
}

#[test]
fn a_peer_that_leaves_is_not_recorded() {
    let mut server = server(RecordConfig::default());
    let id = accept(&mut server);
    server.handle_input(Time::from_millis(5), id, b"GET /live/x HTTP/1.1\r\nHost: x\r\n\r\n");
    take_output(&mut server, id);
    server.handle_eof(Time::from_millis(6), id);
    let id = accept(&mut server);
    server.handle_reset(Time::from_millis(7), id);
    let id = accept(&mut server);
    server.handle_input(Time::from_millis(5), id, b"PATCH /live/x HTTP/1.1\r\nHost: x\r\n\r\n");
    server.shutdown(Time::from_millis(8));
    assert_eq!(server.poll_recording(), None);
}

#[test]
fn no_more_than_sixteen_recordings_wait() {
    let mut server = server(RecordConfig::default());
    for _ in 0..100 {
        let id = accept(&mut server);
        server.handle_input(Time::from_millis(5), id, GARBAGE);
    }
    assert_eq!(core::iter::from_fn(|| server.poll_recording()).count(), MAX_WAITING);
}

#[test]
fn recorders_hold_no_more_than_they_may_together() {
    let record = RecordConfig {
        max_bytes: 100_000,
        ..RecordConfig::default()
    };
    let mut server = server(record);
    let ids: Vec<_> = (0..100).map(|_| accept(&mut server)).collect();
    let used = |server: &Server| server.shared.records.as_ref().unwrap().used();
    let mut most = 0;
    for _ in 0..200 {
        for id in &ids {
            server.handle_input(Time::from_millis(5), *id, b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
            take_output(&mut server, *id);
            most = most.max(used(&server));
        }
    }
    assert!((50_000..=100_000).contains(&most), "{most}");
    for id in ids {
        server.handle_reset(Time::from_millis(6), id);
    }
    while server.poll_action().is_some() {}
    assert_eq!(used(&server), 0);
}

#[test]
fn a_connection_keeps_no_more_than_it_may() {
    let record = RecordConfig {
        max_bytes_per_connection: 20_000,
        ..RecordConfig::default()
    };
    let mut server = server(record);
    let id = accept(&mut server);
    for second in 1..100 {
        for _ in 0..50 {
            server.handle_input(
                Time::from_millis(second * 1_000),
                id,
                b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
            );
            take_output(&mut server, id);
        }
    }
    assert!(server.shared.records.as_ref().unwrap().used() <= 40_000);
    let recording = server.recording(id, "asked for").unwrap();
    assert!((10_000..=21_000).contains(&recording.len()), "{}", recording.len());
    assert_eq!(recording.replay(), Ok(Ending::Open));
}

#[test]
fn what_is_too_much_at_once_is_recorded_again_after_it() {
    let record = RecordConfig {
        max_bytes_per_connection: 1_000,
        ..RecordConfig::default()
    };
    let mut server = server(record);
    let id = accept(&mut server);
    let head = format!("OPTIONS * HTTP/1.1\r\nHost: x\r\nA: {}", "a".repeat(10_000));
    server.handle_input(Time::from_millis(5), id, head.as_bytes());
    assert_eq!(server.recording(id, "asked for"), None);
    server.handle_input(Time::from_millis(6), id, b"\r\n\r\n");
    take_output(&mut server, id);
    server.handle_input(Time::from_millis(7), id, GARBAGE);
    let recording = server.poll_recording().unwrap();
    assert_eq!(recording.replay(), Ok(Ending::Failed("malformed request head".into())));
}

#[test]
fn a_kind_says_nothing_that_the_peer_chose() {
    let kind = |reason: &str| {
        let mut recording = recording();
        recording.head.reason = reason.into();
        recording.kind()
    };
    assert_eq!(kind("stall timeout"), "http-stall-timeout");
    assert_eq!(kind("FLV tag of 17 bytes exceeds: 8"), "http-flv-tag-of-bytes-exceeds");
    assert_eq!(kind("begins with '../x' and \"y\" 0xAB"), "http-begins-with-and");
    assert_eq!(kind(&"a ".repeat(100)).len(), 64);
}

#[test]
fn sound_and_pictures_are_zeros_without_payload() {
    let mut server = server(RecordConfig::default());
    let id = accept(&mut server);
    let tag = |kind: u8| [&[kind, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0][..], &[0x55; 200], &[0; 4]].concat();
    let mut input = b"POST /live/x?key=secret HTTP/1.0\r\n\r\nFLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    input.extend([tag(8), tag(9)].concat());
    let tail = [&b"\x09\xff\xff\xff\0\0\0\0\0\0\0"[..], &tag(9)].concat();
    server.handle_input(Time::from_millis(5), id, &input);
    server.handle_input(Time::from_millis(5), id, &tail);
    let recording = server.poll_recording().unwrap();
    let count = |recording: &Recording| recording.steps.iter().filter(|byte| **byte == 0x55).count();
    assert!(count(&recording) >= 400);
    let blank = recording.without_payload().unwrap();
    assert!(count(&blank) <= 32, "{}", count(&blank));
    assert_eq!(blank.steps.len(), recording.steps.len());
    assert_eq!(blank.replay(), recording.replay());
}

#[test]
fn a_broken_file_is_told_from_one_of_another_version() {
    let bytes = recording().to_bytes();
    assert_eq!(Recording::from_bytes(&bytes), Ok(recording()));
    assert_eq!(Recording::from_bytes(b"FLV"), Err(ReadError::NoRecording));
    for len in MAGIC.len()..bytes.len() {
        assert_eq!(Recording::from_bytes(&bytes[..len]), Err(ReadError::Broken), "{len}");
    }
    let mut other = recording();
    other.state = Some(b"{\"other\":1}".to_vec());
    assert!(matches!(other.replay(), Err(PlayError::Version(_))));
}

quickcheck! {
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>, at: usize, value: u8) -> bool {
        let mut changed = recording().to_bytes();
        let at = at % changed.len();
        let is_same = changed[at] == value;
        changed[at] = value;
        let is_refused = Recording::from_bytes(&changed).is_err();
        Recording::from_bytes(&bytes).is_err()
            && Recording::from_bytes(&[MAGIC, &bytes].concat()).is_err()
            && is_refused != is_same
    }

    fn any_steps_are_played_without_a_panic(steps: Vec<u8>, at: usize, value: u8) -> bool {
        let mut changed = recording().steps;
        let at = at % changed.len();
        changed[at] = value;
        let _ = forged(b"", &steps).replay();
        let _ = forged(b"", &changed).replay();
        let _ = forged(&steps, &changed).replay();
        true
    }
}

#[test]
fn numbers_are_read_as_they_were_written() {
    for number in [0, 1, 0x7F, 0x80, 300, u64::from(u32::MAX), u64::MAX] {
        let mut bytes = Vec::new();
        let left = step::Step::Left(number);
        left.write(Duration::from_micros(number), &mut bytes);
        let mut rest = bytes.as_slice();
        assert_eq!(step::Step::read(&mut rest), Some((Duration::from_micros(number), left)));
        assert!(rest.is_empty());
        assert_eq!(step::Step::read(&mut &bytes[..bytes.len() - 1]), None);
    }
    assert_eq!(step::Step::read(&mut &vec![0xFF; 20][..]), None);
}
