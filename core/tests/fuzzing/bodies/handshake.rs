//! The handshake, both sides: any cut gives the same answer, and what follows it is left alone.

use super::choices::ways;
use super::memory::Meter;
use bytes::Buf;
use headwater_core::Output;
use headwater_core::rtmp::handshake::{ClientHandshake, HandshakeError, ServerHandshake};

/// Bytes of C0 and C1, or S0 and S1.
const FIRST: usize = 1_537;
/// Bytes of each side.
const ALL: usize = 3_073;

/// Whether it is done, what is left of the input, and what was answered.
type Outcome = (Result<bool, HandshakeError>, usize, Vec<u8>);

pub(super) fn check(bytes: &[u8]) {
    let (mode, body) = bytes.split_first().map_or((0, bytes), |(first, body)| (*first, body));
    let mut body = body.to_vec();
    if mode & 1 != 0 {
        // Few bytes stand for a whole packet.
        body.insert(0, 3);
        body.resize(body.len().max(ALL + usize::from(mode >> 4)), mode);
    }
    let [whole, single, pieces] = ways(&body, mode);
    let meter = Meter::new();
    let outcome = serve(whole.clone());
    assert_eq!(serve(single.clone()), outcome, "byte by byte");
    assert_eq!(serve(pieces.clone()), outcome, "in pieces");
    check_outcome(&outcome, &body);
    let answered = outcome.2.len();
    let expected = if body.len() >= FIRST && body[0] == 3 { ALL } else { 0 };
    assert_eq!(answered, expected, "S0, S1 and S2 come with the end of C1");

    let is_signed = mode & 2 != 0;
    let outcome = connect(whole, is_signed);
    assert_eq!(connect(single, is_signed), outcome, "byte by byte");
    assert_eq!(connect(pieces, is_signed), outcome, "in pieces");
    check_outcome(&outcome, &body);
    meter.assert_at_most(16 << 10);

    check_pair(is_signed, u64::from(mode));
}

fn check_outcome((result, left, _): &Outcome, body: &[u8]) {
    match result {
        Ok(true) => assert_eq!(*left, body.len() - ALL, "what follows is left"),
        Ok(false) => assert!(*left == 0 && body.len() < ALL),
        Err(HandshakeError::UnsupportedVersion { version }) => {
            assert_eq!(body.first(), Some(version));
            assert_eq!(*left, body.len(), "another protocol may want it");
        }
        Err(_) => unreachable!(),
    }
}

fn serve(pieces: Vec<&[u8]>) -> Outcome {
    let mut handshake = ServerHandshake::new(7);
    run(pieces, |input, out| handshake.handle_input(input, out))
}

fn connect(pieces: Vec<&[u8]>, is_signed: bool) -> Outcome {
    let mut handshake = client(is_signed, 7);
    handshake.start(&mut Output::new());
    run(pieces, |input, out| handshake.handle_input(input, out))
}

fn client(is_signed: bool, seed: u64) -> ClientHandshake {
    if is_signed {
        ClientHandshake::with_digest(seed)
    } else {
        ClientHandshake::new(seed)
    }
}

fn run(pieces: Vec<&[u8]>, mut step: impl FnMut(&mut &[u8], &mut Output) -> Result<bool, HandshakeError>) -> Outcome {
    let mut output = Output::new();
    let (mut result, mut left) = (Ok(false), 0);
    for mut piece in pieces {
        if result == Ok(false) {
            result = step(&mut piece, &mut output);
        }
        left += piece.len();
    }
    (result, left, output.copy_to_bytes(output.len()).to_vec())
}

/// The two sides get on with each other.
fn check_pair(is_signed: bool, seed: u64) {
    let (mut client, mut server) = (client(is_signed, seed), ServerHandshake::new(seed));
    let (mut to_server, mut to_client) = (Output::new(), Output::new());
    client.start(&mut to_server);
    for _ in 0..2 {
        let input = to_server.copy_to_bytes(to_server.len());
        let is_served = server.handle_input(&mut &*input, &mut to_client).unwrap();
        let input = to_client.copy_to_bytes(to_client.len());
        let is_connected = client.handle_input(&mut &*input, &mut to_server).unwrap();
        if is_served && is_connected {
            return;
        }
    }
    panic!("the handshake does not end");
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut all = vec![
        vec![0, 3],
        vec![1],
        vec![3, 9, 0, 0x7C, 2],
        b"\x00GET / HTTP/1.1".to_vec(),
    ];
    for (mode, is_signed) in [(0, false), (2, true)] {
        let mut output = Output::new();
        client(is_signed, 1).start(&mut output);
        let first = output.copy_to_bytes(output.len());
        all.push([&[mode], &*first].concat());
        let mut answer = Output::new();
        ServerHandshake::new(2).handle_input(&mut &*first, &mut answer).unwrap();
        let answer = answer.copy_to_bytes(answer.len());
        // To a server as C2, and to a client as S0, S1 and S2.
        all.push([&[mode], &*first, &answer[1..FIRST], b"more"].concat());
        all.push([&[mode | 2], &*answer].concat());
    }
    all
}
