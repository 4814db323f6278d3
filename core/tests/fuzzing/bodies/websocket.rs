//! WebSocket: any cut of what a player or a publisher sends leads to the same, pings are answered, and what we send is well framed.

use super::choices::{Choices, ways};
use super::http::{FLAGS, limits};
use super::memory::Meter;
use super::snippets::{flv_of, frame};
use bytes::Buf;
use headwater_core::http::{HttpConfig, HttpError, HttpEvent, HttpSession, StatusCode};
use headwater_core::{EndCause, Time};
use std::sync::Arc;
use std::time::Duration;

const UPGRADE: &[u8] = b"GET /live/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Bits of the first byte of an input: the others are a seed.
const COMPOSED: u8 = 1;
const NO_TIME_PASSES: u8 = 2;
const PUBLISHES: u8 = 4;

/// What a publisher pushes that is composed.
const FRAMES: [&str; 4] = ["V", "A", "K0:300", "a23"];

pub(super) fn check(bytes: &[u8]) {
    let (mode, body) = bytes.split_first().map_or((0, bytes), |(first, body)| (*first, body));
    let (input, pings) = match mode & (COMPOSED | PUBLISHES) {
        COMPOSED => compose(body),
        0 | PUBLISHES => (body[..body.len().min(20_000)].to_vec(), None),
        _ => compose_push(body),
    };
    let [whole, single, pieces] = ways(&input, mode);
    let meter = Meter::new();
    let outcome = play(whole, mode);
    assert_eq!(play(single, mode), outcome, "byte by byte");
    assert_eq!(play(pieces, mode), outcome, "in pieces");
    let messages = parse(&outcome.sent);
    if let Some(pings) = pings {
        let pongs = messages.iter().filter(|(opcode, _)| *opcode == 0xA).count();
        assert!(pongs <= pings, "{pongs} pongs for {pings} pings");
        assert!(outcome.has_closed || pongs == pings, "each ping has its pong");
        if mode & PUBLISHES != 0 {
            let frames = FRAMES.map(|name| HttpEvent::Frame(frame(name)));
            assert!(outcome.events.starts_with(&frames), "{:?}", outcome.events);
        }
    }
    meter.assert_at_most(64 * input.len() + 8 * outcome.sent.len() + (64 << 10));
}

/// Events, and everything that was sent behind the head.
#[derive(Debug, PartialEq)]
struct Outcome {
    events: Vec<HttpEvent>,
    error: Option<HttpError>,
    sent: Vec<u8>,
    has_closed: bool,
}

/// A session that has been upgraded and plays, or publishes, gets `pieces`.
fn play(pieces: Vec<&[u8]>, mode: u8) -> Outcome {
    let mut now = Time::ZERO;
    let mut session = HttpSession::new(Arc::new(HttpConfig::new(limits())), now);
    let Ok(Some(HttpEvent::Requested { id, .. })) = session.handle_input(now, &mut { UPGRADE }) else {
        panic!("it is a request");
    };
    if mode & PUBLISHES == 0 {
        session.accept_play(now, id).unwrap();
        session.start_play(FLAGS).unwrap();
        session.send_frame(&frame("K0:300")).unwrap();
    } else {
        session.accept_publish(now, id).unwrap();
    }
    let (mut events, mut error, mut sent) = (Vec::new(), None, Vec::new());
    for mut piece in pieces {
        let mut calls = 0..piece.len() + 10;
        loop {
            calls.next().expect("each call takes something or gives something");
            match session.handle_input(now, &mut piece) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break assert!(piece.is_empty(), "all was taken"),
                Err(it) => break error = Some(it),
            }
        }
    }
    let has_closed = session.is_closing();
    let out = session.output();
    sent.extend(out.copy_to_bytes(out.len()));
    if mode & NO_TIME_PASSES == 0 {
        // The pings of ours, each with its deadline.
        for _ in 0..3 {
            let Some(at) = session.poll_timeout() else { break };
            now = now.max(at);
            while let Ok(Some(event)) = session.handle_timeout(now) {
                events.push(event);
            }
            assert!(session.poll_timeout().is_none_or(|at| at > now));
        }
    }
    now = now + Duration::from_secs(1);
    let _ = session.send_frame(&frame("a23"));
    let _ = session.end_play(now, EndCause::Unpublished);
    let _ = session.end_publish(now, StatusCode::Conflict, "replaced", EndCause::Replaced);
    while let Ok(Some(event)) = session.handle_eof(now) {
        events.push(event);
    }
    let ends = events
        .iter()
        .filter(|event| matches!(event, HttpEvent::PlayEnded { .. } | HttpEvent::PublishEnded { .. }));
    assert_eq!(ends.count(), 1, "it ends once");
    let out = session.output();
    sent.extend(out.copy_to_bytes(out.len()));
    let head = sent
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("the head")
        + 4;
    sent.drain(..head);
    Outcome {
        events,
        error,
        sent,
        has_closed,
    }
}

/// Well-formed messages of a player, and how many of them are pings.
fn compose(body: &[u8]) -> (Vec<u8>, Option<usize>) {
    let mut choices = Choices::new(body);
    let (mut bytes, mut pings, mut count) = (Vec::new(), 0, 0);
    // As many as can be answered before the output is full, which is read at the end.
    while !choices.is_empty() && count < 300 {
        count += 1;
        let opcode = choices.one_of(&[0x9, 0x9, 0xA, 0x1, 0x2, 0x8]);
        let len = match opcode {
            0x1 | 0x2 => usize::from(choices.number() % 1_000),
            _ => usize::from(choices.byte() % 126),
        };
        let mask = [choices.byte(), 1, 2, choices.byte()];
        let payload: Vec<_> = (0..len).map(|index| index as u8).collect();
        put_frame(0x80 | opcode, mask, &payload, &mut bytes);
        pings += usize::from(opcode == 0x9);
    }
    (bytes, Some(pings))
}

/// A push in well-formed messages, their fragments and pings between them, and how many pings there are.
fn compose_push(body: &[u8]) -> (Vec<u8>, Option<usize>) {
    let mut choices = Choices::new(body);
    let content = flv_of(&FRAMES.map(frame));
    let (mut bytes, mut pings, mut rest, mut is_in_message) = (Vec::new(), 0, &content[..], false);
    while !rest.is_empty() {
        let choice = choices.byte();
        let mask = [choice, choices.byte(), 1, 2];
        if choice % 4 == 3 && pings < 300 {
            put_frame(0x89, mask, &[choice; 5], &mut bytes);
            pings += 1;
        }
        // At the end of the choices all that is left goes out.
        let len = if choices.is_empty() {
            rest.len()
        } else {
            usize::from(choices.byte())
        };
        let (piece, after) = rest.split_at(len.min(rest.len()));
        let opcode = if is_in_message { 0x0 } else { 0x2 };
        let is_last = choice & 1 == 0;
        put_frame(opcode | u8::from(is_last) << 7, mask, piece, &mut bytes);
        (rest, is_in_message) = (after, !is_last);
    }
    (bytes, Some(pings))
}

/// Appends a frame that begins with `first`.
fn put_frame(first: u8, mask: [u8; 4], payload: &[u8], bytes: &mut Vec<u8>) {
    bytes.push(first);
    match payload.len() {
        len @ ..126 => bytes.push(0x80 | len as u8),
        len => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend((payload.iter().zip(mask.iter().cycle())).map(|(byte, mask)| byte ^ mask));
}

/// The messages that we sent: opcodes and contents. None is masked or in parts.
fn parse(mut sent: &[u8]) -> Vec<(u8, &[u8])> {
    let mut messages = Vec::new();
    while let [first, len, rest @ ..] = sent {
        assert_eq!(first & 0xF0, 0x80, "whole, and nothing reserved");
        let (len, rest) = match len {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => (u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize, &rest[8..]),
            128.. => panic!("it is masked"),
            len => (usize::from(*len), rest),
        };
        let (content, after) = rest.split_at(len);
        assert!(first & 8 == 0 || len <= 125, "control messages are short");
        messages.push((first & 0xF, content));
        sent = after;
    }
    assert!(sent.is_empty(), "the last message is whole");
    messages
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let raw: [&[u8]; 9] = [
        b"\x89\x84\x01\x02\x03\x04pnij\x88\x82\0\0\0\0\x03\xE8ignored",
        b"\x89\x80\0\0\0\0\x81\0",
        b"\x01\x82\0\0\0\0ab\x89\x81\0\0\0\0x\x80\x82\0\0\0\0cd",
        b"\x82\xFE\x00\x80\0\0\0\0",
        b"\x82\xFF\0\0\0\0\0\x01\0\0\0\0\0\0",
        b"\x88\x80\0\0\0\0",
        b"\x88\x81\0\0\0\0a",
        b"\xC1\x80\0\0\0\0",
        b"\x8B\x80\0\0\0\0",
    ];
    let mut all: Vec<_> = raw.iter().map(|bytes| [&[0], *bytes].concat()).collect();
    all.push(vec![1, 0, 4, 9, 9, 3, 1, 44, 7, 7, 2, 125, 1, 1, 5, 2, 0, 0]);
    all.push(vec![3, 0, 125, 1, 2, 1, 5, 3, 4, 4, 200, 1, 1, 1]);
    let content = flv_of(&FRAMES.map(frame));
    let (mut whole, mut cut) = (vec![PUBLISHES], vec![PUBLISHES | NO_TIME_PASSES]);
    put_frame(0x82, [1, 2, 3, 4], &content, &mut whole);
    put_frame(0x02, [9; 4], &content[..40], &mut cut);
    put_frame(0x89, [0; 4], b"hi", &mut cut);
    put_frame(0x80, [0; 4], &content[40..], &mut cut);
    put_frame(0x88, [0; 4], &[3, 0xE8], &mut cut);
    all.extend([whole, cut]);
    all.extend(raw[4..].iter().map(|bytes| [&[PUBLISHES], *bytes].concat()));
    let composed = PUBLISHES | COMPOSED;
    all.push(vec![composed]);
    all.push(vec![composed, 3, 7, 20, 1, 1, 0, 2, 9, 255, 7, 7, 1, 4, 4, 100]);
    all
}
