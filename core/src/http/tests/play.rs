//! `GET` and `HEAD`.

use super::*;

const FFMPEG: &str = "GET /live/x.flv?token=a HTTP/1.1\r\nUser-Agent: Lavf/59.27.100\r\nAccept: */*\r\n\
    Range: bytes=0-\r\nConnection: close\r\nHost: localhost:8080\r\nIcy-MetaData: 1\r\n\r\n";

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\n\
    Content-Type: video/x-flv\r\n\
    Cache-Control: no-cache, no-store\r\n\
    Pragma: no-cache\r\n\
    Expires: -1\r\n\
    Access-Control-Allow-Origin: *\r\n\
    X-Content-Type-Options: nosniff";

#[test]
fn a_play_is_a_chunk_per_tag_and_the_first_has_the_header() {
    let mut server = Server::new();
    let (id, head) = server.request_head(FFMPEG);
    assert_eq!((&*head.path, &*head.query), ("/live/x.flv", "token=a"));
    assert_eq!((head.method, head.transport), (Method::Get, Transport::Http));
    assert!(server.session.is_paused() && !server.session.can_send());
    assert_eq!(server.session.poll_timeout(), None, "it waits for us");

    server.session.accept_play(server.now, id).unwrap();
    assert_eq!(
        server.sent_head(),
        alloc::format!("{STREAM_HEAD}\r\nTransfer-Encoding: chunked\r\nConnection: close")
    );
    assert_eq!(server.session.send_frame(&frame("a0")), Err(StateError::NotPlaying));
    server.session.start_play(FLAGS).unwrap();
    assert!(server.session.output_ref().is_empty());
    assert!(server.session.can_send() && !server.session.is_paused());

    let (first, second) = (frame("K0:300"), frame("a23"));
    server.session.send_frame(&first).unwrap();
    assert_eq!(server.sent(), chunk(&flv_of(&[first])));
    server.session.send_frame(&second).unwrap();
    assert_eq!(server.sent(), chunk(&tag(&second)));

    server.session.end_play(server.now, EndCause::Unpublished).unwrap();
    assert_eq!(server.sent(), b"0\r\n\r\n");
    server.expect(
        b"",
        &[HttpEvent::PlayEnded {
            cause: EndCause::Unpublished,
        }],
    );
    assert!(server.session.is_closed());
}

#[test]
fn what_flv_players_take_for_broken_is_left_out() {
    let mut server = Server::new();
    let id = server.request("GET /live/x HTTP/1.0\r\n\r\n");
    server.session.accept_play(server.now, id).unwrap();
    server.sent();
    server.session.start_play(FLAGS).unwrap();
    let at = Timestamp::from_millis;
    for enhanced in [
        Frame::video(at(0), Bytes::from_static(b"")),
        Frame::video(at(0), Bytes::from_static(b"\xD4hvc1\x02\x00\x09colorInfo\x03\0\0\x09")),
        Frame::audio(at(0), Bytes::from_static(b"\x94Opus\x01\x02\0\0\0\x03")),
        Frame::audio(at(0), Bytes::from_static(b"\x95\x01mp4a\x01\x21")),
    ] {
        assert_eq!(server.session.send_frame(&enhanced), Ok(()));
        assert_eq!(server.sent(), b"");
    }
    let opus = Frame::audio(at(0), Bytes::from_static(b"\x91Opus\xFC"));
    server.session.send_frame(&opus).unwrap();
    assert_eq!(server.sent(), flv_of(&[opus]));
}

#[test]
fn http_1_0_gets_bare_tags_until_the_connection_closes() {
    let mut server = Server::new();
    let id = server.request("GET /live/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    server.session.accept_play(server.now, id).unwrap();
    assert_eq!(server.sent_head(), alloc::format!("{STREAM_HEAD}\r\nConnection: close"));
    server.session.start_play(FLAGS).unwrap();
    let frames = [frame("K0:300"), frame("a23")];
    for frame in &frames {
        server.session.send_frame(frame).unwrap();
    }
    assert_eq!(server.sent(), flv_of(&frames));
    server.session.end_play(server.now, EndCause::Unpublished).unwrap();
    assert_eq!(server.sent(), b"");
    assert!(server.session.is_closed());
}

#[test]
fn head_is_answered_like_get_and_starts_nothing() {
    let mut server = Server::new();
    let (id, head) = server.request_head("HEAD /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(head.method, Method::Head);
    server.session.accept_play(server.now, id).unwrap();
    let head = alloc::format!("{STREAM_HEAD}\r\nTransfer-Encoding: chunked");
    assert_eq!(server.sent_head(), head);
    assert!(!server.session.can_send() && !server.session.is_closing());
    server.expect(b"", &[]);

    let id = server.request("HEAD /live/y HTTP/1.1\r\nHost: h\r\n\r\n");
    server
        .session
        .reject(server.now, id, StatusCode::NotFound, "no such stream", None)
        .unwrap();
    let head = server.sent_head();
    assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Length: 15\r\n"), "{head}");
}

#[test]
fn pipelined_requests_stay_with_the_caller() {
    let mut server = Server::new();
    let get = "GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n";
    let id = server.request(&get.repeat(2));
    assert_eq!(server.pending, get.as_bytes());
    server.session.accept_play(server.now, id).unwrap();
    server.expect(b"", &[]);
    assert!(server.session.is_paused());
    server.session.end_play(server.now, EndCause::Unpublished).unwrap();
    let sent = server.sent();
    assert!(sent.ends_with(b"chunked\r\n\r\n0\r\n\r\n"), "{}", sent.escape_ascii());

    assert!(!server.session.is_paused());
    let ended = server.next(b"").unwrap();
    assert!(matches!(ended, Some(HttpEvent::PlayEnded { .. })), "{ended:?}");
    let id = server.request("");
    server
        .session
        .reject(server.now, id, StatusCode::NotFound, "", None)
        .unwrap();
    assert_eq!(server.sent_status(), "HTTP/1.1 404 Not Found");
    assert!(!server.session.is_closing());
}

#[test]
fn what_a_closing_player_sends_is_thrown_away() {
    let mut server = Server::new();
    let id = server.request("GET /live/x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
    server.session.accept_play(server.now, id).unwrap();
    assert!(
        server.sent_head().ends_with("\r\nConnection: close"),
        "content that nobody reads"
    );
    server.expect(b"hello GET /", &[]);
    assert!(!server.session.is_paused());
}

#[test]
fn a_play_outlives_the_end_of_input_and_is_the_last() {
    let mut server = Server::new();
    let id = server.request("GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    server.session.accept_play(server.now, id).unwrap();
    server.sent();
    assert_eq!(server.session.handle_eof(server.now), Ok(None));
    assert!(!server.session.is_closing());
    server
        .session
        .start_play(TagFlags {
            audio: true,
            video: false,
        })
        .unwrap();
    assert_eq!(server.session.send_frame(&frame("a0")), Ok(()));
    server.session.end_play(server.now, EndCause::Unpublished).unwrap();
    assert!(server.session.is_closing(), "nobody is there to ask again");
}

#[test]
fn a_request_that_ends_before_its_answer_has_an_end() {
    let mut server = Server::new();
    let id = server.request("POST /live/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    let cause = EndCause::Eof;
    let ended = HttpEvent::RequestEnded { id, cause };
    assert_eq!(server.session.handle_eof(server.now), Ok(Some(ended)));
    assert_eq!(
        server.session.accept_publish(server.now, id),
        Err(StateError::StaleRequest)
    );
    assert!(server.session.is_closed());
}

#[test]
fn a_player_may_close_its_sending_side_before_the_answer() {
    let mut server = Server::new();
    let id = server.request("GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(server.session.handle_eof(server.now), Ok(None));
    assert_eq!(server.session.accept_play(server.now, id), Ok(()));
}

#[test]
fn only_the_request_that_waits_can_be_answered() {
    let mut server = Server::new();
    let now = server.now;
    let old = server.request("GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    server.session.reject(now, old, StatusCode::NotFound, "", None).unwrap();
    let id = server.request("GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    let stale = Err(StateError::StaleRequest);
    assert_eq!(server.session.accept_play(now, old), stale);
    assert_eq!(server.session.reject(now, old, StatusCode::NotFound, "", None), stale);
    assert_eq!(server.session.accept_publish(now, id), stale, "it is a play");
    assert_eq!(server.session.accept_play(now, id), Ok(()));
    assert_eq!(server.session.accept_play(now, id), stale);
}

#[test]
fn frames_without_payload_are_left_out() {
    let mut server = Server::new();
    let id = server.request("GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    server.session.accept_play(server.now, id).unwrap();
    server.session.start_play(FLAGS).unwrap();
    server.sent();
    server
        .session
        .send_frame(&Frame::audio(Timestamp::ZERO, Bytes::new()))
        .unwrap();
    assert_eq!(server.sent(), b"");
}

#[test]
fn a_socket_that_takes_nothing_ends_a_play() {
    let mut server = Server::new();
    let id = server.request("GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    server.session.accept_play(server.now, id).unwrap();
    server.session.start_play(FLAGS).unwrap();
    while server.session.can_send() {
        server.session.send_frame(&frame("K0:10000")).unwrap();
    }
    let ended = HttpEvent::PlayEnded {
        cause: EndCause::Timeout(Timer::Stall),
    };
    let told = (0..4).find_map(|_| server.timeout().unwrap());
    assert_eq!(told, Some(ended));
    let stalled = Err(HttpError::Timeout(Timer::Stall));
    assert_eq!(server.session.handle_timeout(server.now), stalled);
    assert_eq!(server.next(b""), stalled);
    assert!(server.session.is_closed() && server.session.output_ref().is_empty());
    assert!(server.now <= Time::from_millis(22_500), "{}", server.now);
}

#[test]
fn output_is_bounded() {
    let mut server = Server::with(Limits {
        max_output: 100_000,
        ..Limits::default()
    });
    let id = server.request("GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    server.session.accept_play(server.now, id).unwrap();
    server.session.start_play(FLAGS).unwrap();
    let error = (0..100).find_map(|_| server.session.send_frame(&frame("K0:10000")).err());
    assert!(
        matches!(error, Some(StateError::OutputFull { max: 100_000, .. })),
        "{error:?}"
    );
}

#[test]
fn large_payloads_go_out_by_reference_without_allocations() {
    let mut server = Server::new();
    let id = server.request("GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    server.session.accept_play(server.now, id).unwrap();
    server.session.start_play(FLAGS).unwrap();
    server.sent();
    let frame = frame("K0:1000");
    let address = frame.payload.as_ptr();
    let mut held = None;
    for _ in 0..100 {
        server.session.send_frame(&frame).unwrap();
        let out = server.session.output();
        let mut by_reference = false;
        while out.has_remaining() {
            by_reference |= out.chunk().as_ptr() == address;
            out.advance(out.chunk().len());
        }
        assert!(by_reference);
        assert_eq!(*held.get_or_insert(out.held_memory()), out.held_memory());
    }
}

#[test]
fn a_player_is_small() {
    assert!(size_of::<HttpSession>() <= 512, "{} bytes", size_of::<HttpSession>());
}

#[test]
fn the_deadline_of_an_idle_player_stands_still_then_ends() {
    let mut server = Server::new();
    let id = server.request("GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    server.session.accept_play(server.now, id).unwrap();
    server.sent();
    let deadline = server.session.poll_timeout();
    for millis in 0..100 {
        let now = Time::from_millis(millis);
        assert_eq!(server.session.handle_input(now, &mut &b""[..]), Ok(None));
        assert_eq!(server.session.handle_timeout(now), Ok(None));
        assert_eq!(server.session.poll_timeout(), deadline);
    }
    assert_eq!(server.run_out(Timer::Stall), Ok(None));
    assert_eq!(server.session.poll_timeout(), None, "all output has left");
}
