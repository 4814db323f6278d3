//! `POST` and `PUT`.

use super::*;

/// As `ffmpeg -f flv http://localhost:8080/live/x` sends it.
const FFMPEG: &str = "POST /live/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nUser-Agent: Lavf/59.27.100\r\n\
    Accept: */*\r\nConnection: close\r\nHost: localhost:8080\r\nIcy-MetaData: 1\r\n\r\n";

pub(super) const ENDED: HttpEvent = HttpEvent::PublishEnded {
    cause: EndCause::Requested,
};

/// Two frames, as events and as an FLV stream.
pub(super) fn stream() -> ([HttpEvent; 2], Vec<u8>) {
    let frames = [frame("K0:300"), frame("a23")];
    let content = flv_of(&frames);
    (frames.map(HttpEvent::Frame), content)
}

#[test]
fn ffmpeg_pushes_chunks() {
    let mut server = Server::new();
    let (id, head) = server.request_head(FFMPEG);
    assert_eq!((head.method, &*head.path), (Method::Post, "/live/x"));
    assert!(server.session.is_paused());
    server.session.accept_publish(server.now, id).unwrap();
    assert!(server.session.output_ref().is_empty());

    let ([first, second], content) = stream();
    let (front, back) = content.split_at(100);
    server.expect(&chunk(front), &[]);
    server.expect(&chunk(back), &[first, second]);
    server.expect(b"0\r\n\r\n", &[ENDED]);
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\
        Access-Control-Allow-Origin: *\r\nConnection: close";
    assert_eq!(server.sent_head(), answer);
    assert!(server.session.is_closed());
}

#[test]
fn a_push_with_a_length_leaves_the_connection_to_the_next() {
    let (events, content) = stream();
    for method in ["POST", "PUT"] {
        let mut server = Server::new();
        for _ in 0..2 {
            let id = server.request(&alloc::format!(
                "{method} /live/x.flv HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
                content.len()
            ));
            server.session.accept_publish(server.now, id).unwrap();
            assert_eq!(server.sent_head(), "HTTP/1.1 100 Continue");
            server.expect(&content, &[events[0].clone(), events[1].clone(), ENDED]);
            assert_eq!(server.sent_status(), "HTTP/1.1 200 OK");
            assert!(!server.session.is_closing());
        }
    }
}

#[test]
fn a_push_without_framing_lasts_until_the_end_of_input() {
    for version in ["1.0", "1.1"] {
        let mut server = Server::new();
        let id = server.request(&alloc::format!("POST /live/x HTTP/{version}\r\nHost: h\r\n\r\n"));
        server.session.accept_publish(server.now, id).unwrap();
        let (events, content) = stream();
        server.expect(&content, &events);
        let ended = HttpEvent::PublishEnded { cause: EndCause::Eof };
        assert_eq!(server.session.handle_eof(server.now), Ok(Some(ended)));
        assert_eq!(server.sent_status(), "HTTP/1.1 200 OK");
        assert!(server.session.is_closed());
    }
}

#[test]
fn a_push_that_is_cut_off_gets_no_answer() {
    let (events, content) = stream();
    for (head, cut) in [
        (FFMPEG, content.len()),
        (
            "POST /live/x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n",
            content.len(),
        ),
        ("POST /live/x HTTP/1.1\r\nHost: h\r\n\r\n", content.len() - 5),
    ] {
        let mut server = Server::new();
        let id = server.request(head);
        server.session.accept_publish(server.now, id).unwrap();
        let piece = &content[..cut];
        if head == FFMPEG {
            server.expect(&chunk(piece), &events);
        } else {
            let complete = if cut == content.len() { 2 } else { 1 };
            server.expect(piece, &events[..complete]);
        }
        let ended = HttpEvent::PublishEnded { cause: EndCause::Eof };
        assert_eq!(server.session.handle_eof(server.now), Ok(Some(ended)));
        assert_eq!(server.sent(), b"");
        assert!(server.session.is_closed());
    }
}

#[test]
fn http_1_0_is_not_told_to_continue() {
    let mut server = Server::new();
    let id = server.request("PUT /live/x HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
    server.session.accept_publish(server.now, id).unwrap();
    assert_eq!(server.sent(), b"");
}

#[test]
fn content_waits_with_the_caller_until_the_push_is_accepted() {
    let mut server = Server::new();
    let (events, content) = stream();
    let id = server.request(FFMPEG);
    server.expect(&chunk(&content), &[]);
    assert_eq!(server.pending, chunk(&content));
    server.session.accept_publish(server.now, id).unwrap();
    server.expect(b"", &events);
}

#[test]
fn a_rejected_push_ends_the_connection() {
    let mut server = Server::new();
    let id = server.request(FFMPEG);
    server
        .session
        .reject(server.now, id, StatusCode::Conflict, "live/x has a publisher", None)
        .unwrap();
    assert!(server.session.is_closing() && !server.session.is_closed());
    let sent = String::from_utf8(server.sent()).unwrap();
    assert!(sent.starts_with("HTTP/1.1 409 Conflict\r\n"), "{sent}");
    assert!(
        sent.ends_with("Connection: close\r\n\r\nlive/x has a publisher\n"),
        "{sent}"
    );
    server.expect(&chunk(&stream().1), &[]);
    assert!(server.session.is_closed());
}

#[test]
fn a_play_after_a_push_may_be_silent() {
    let mut server = Server::new();
    let ([first, second], content) = stream();
    let length = content.len();
    let id = server.request(&alloc::format!(
        "PUT /live/x HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n"
    ));
    server.session.accept_publish(server.now, id).unwrap();
    server.expect(&content, &[first, second, ENDED]);
    let id = server.request("GET /live/x HTTP/1.1\r\nHost: h\r\n\r\n");
    server.session.accept_play(server.now, id).unwrap();
    server.sent();
    while server.session.poll_timeout().is_some() {
        assert_eq!(server.timeout(), Ok(None));
    }
    assert!(!server.session.is_closing());
}

#[test]
fn a_closing_connection_has_a_deadline() {
    let mut server = Server::new();
    let id = server.request(FFMPEG);
    server
        .session
        .reject(server.now, id, StatusCode::Conflict, "", None)
        .unwrap();
    assert_eq!(server.run_out(Timer::Close), Ok(None));
    assert_eq!(server.now, Time::from_millis(2_000));
    assert!(server.session.is_closed());
    assert_eq!(server.session.poll_timeout(), None);
}

#[test]
fn a_publisher_can_be_sent_away() {
    let mut server = Server::new();
    let id = server.request(FFMPEG);
    server.session.accept_publish(server.now, id).unwrap();
    server
        .session
        .end_publish(server.now, StatusCode::Conflict, "another came", EndCause::Replaced)
        .unwrap();
    let ended = HttpEvent::PublishEnded {
        cause: EndCause::Replaced,
    };
    server.expect(&chunk(&stream().1), &[ended]);
    let sent = String::from_utf8(server.sent()).unwrap();
    assert!(
        sent.starts_with("HTTP/1.1 409 Conflict\r\n") && sent.ends_with("another came\n"),
        "{sent}"
    );
    assert!(server.session.is_closed());
}

#[test]
fn a_silent_publisher_is_timed_out() {
    let mut server = Server::new();
    let id = server.request(FFMPEG);
    server.session.accept_publish(server.now, id).unwrap();
    let ([first, second], content) = stream();
    let tags = &content[flv_of(&[]).len()..];
    server.expect(&chunk(&content), &[first.clone(), second.clone()]);
    assert_eq!(server.run_out(Timer::Idle), Ok(None));
    server.now = Time::from_millis(20_000);
    server.expect(&chunk(tags), &[first, second]);
    server.now = Time::from_millis(25_000);
    // A byte of the next is not worth a wait, and a header is no media.
    server.expect(&chunk(&tags[..1]), &[]);
    let deadline = server.session.poll_timeout();
    assert_eq!(
        deadline,
        Some(Time::from_millis(30_000)),
        "it holds still while media flows"
    );
    assert_eq!(server.run_out(Timer::Idle), Ok(None));
    let refused = HttpEvent::Refused(HttpError::Timeout(Timer::Idle));
    assert_eq!(server.run_out(Timer::Idle), Ok(Some(refused)));
    assert_eq!(server.now, Time::from_millis(50_000));
    let ended = HttpEvent::PublishEnded {
        cause: EndCause::Timeout(Timer::Idle),
    };
    assert_eq!(server.session.handle_timeout(server.now), Ok(Some(ended)));
    assert_eq!(server.sent_status(), "HTTP/1.1 408 Request Timeout");
}

#[test]
fn a_push_that_begins_with_silence_is_timed_out_sooner() {
    let mut server = Server::new();
    let id = server.request(FFMPEG);
    server.session.accept_publish(server.now, id).unwrap();
    server.expect(&chunk(&flv_of(&[])), &[]);
    let refused = HttpEvent::Refused(HttpError::Timeout(Timer::Idle));
    assert_eq!(server.run_out(Timer::Idle), Ok(Some(refused)));
    assert_eq!(server.now, Time::from_millis(10_000));
    assert_eq!(server.sent_status(), "HTTP/1.1 408 Request Timeout");
}

#[test]
fn a_push_that_ends_before_its_first_tag_is_a_bad_request() {
    let unknown = [&flv_of(&[])[..], b"\x05\0\0\x01\0\0\0\0\0\0\0x\0\0\0\x0C"].concat();
    for (content, skipped) in [(&b""[..], 0), (&flv_of(&[]), 0), (&unknown, 1)] {
        let length = alloc::format!("Content-Length: {}\r\n", content.len());
        for framing in [&*length, ""] {
            let mut server = Server::new();
            let id = server.request(&alloc::format!("PUT /live/x HTTP/1.1\r\nHost: h\r\n{framing}\r\n"));
            server.session.accept_publish(server.now, id).unwrap();
            let ended = HttpEvent::PublishEnded {
                cause: EndCause::ProtocolError,
            };
            let refused = HttpEvent::Refused(HttpError::NoTags);
            let skipped = alloc::vec![HttpEvent::TagSkipped { tag_type: 5 }; skipped];
            if framing.is_empty() {
                server.expect(content, &skipped);
                assert_eq!(server.session.handle_eof(server.now), Ok(Some(refused)));
                assert_eq!(server.session.handle_eof(server.now), Ok(Some(ended)));
            } else {
                server.expect(content, &[&skipped[..], &[refused, ended]].concat());
            }
            assert_eq!(server.sent_status(), "HTTP/1.1 400 Bad Request");
        }
    }
}

#[test]
fn tags_of_unknown_types_are_passed_over() {
    let mut server = Server::new();
    let id = server.request("POST /live/x HTTP/1.0\r\n\r\n");
    server.session.accept_publish(server.now, id).unwrap();
    let content = [
        &flv_of(&[])[..],
        b"\x05\0\0\x01\0\0\0\0\0\0\0x\0\0\0\x0C",
        &tag(&frame("a5")),
    ]
    .concat();
    server.expect(
        &content,
        &[HttpEvent::TagSkipped { tag_type: 5 }, HttpEvent::Frame(frame("a5"))],
    );
}

#[test]
fn broken_pushes_are_told_what_is_wrong() {
    let too_large = [&flv_of(&[])[..], b"\x09\xff\xff\xff\0\0\0\0\0\0\0"].concat();
    for (content, status, text) in [
        (
            chunk(b"GIF89a---"),
            "400 Bad Request",
            "not an FLV stream: it begins with 'GIF'",
        ),
        (
            chunk(&too_large),
            "413 Content Too Large",
            "FLV tag of 16777215 bytes exceeds the limit of 8388608 bytes",
        ),
        (b"-1\r\n".to_vec(), "400 Bad Request", "bad chunk size line"),
        (
            [chunk(&flv_of(&[frame("K0:300")])[..100]), b"0\r\n\r\n".to_vec()].concat(),
            "400 Bad Request",
            "the content ends inside a tag",
        ),
    ] {
        let mut server = Server::new();
        let id = server.request(FFMPEG);
        server.session.accept_publish(server.now, id).unwrap();
        let refused = server.next(&content).unwrap();
        let Some(HttpEvent::Refused(error)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(alloc::format!("{error}"), text);
        let ended = HttpEvent::PublishEnded {
            cause: EndCause::ProtocolError,
        };
        server.expect(b"", &[ended]);
        let sent = String::from_utf8(server.sent()).unwrap();
        assert!(sent.starts_with(&alloc::format!("HTTP/1.1 {status}\r\n")), "{sent}");
        assert!(sent.ends_with(&alloc::format!("\r\n\r\n{text}\n")), "{sent}");
        assert!(server.session.is_closing());
    }
}
