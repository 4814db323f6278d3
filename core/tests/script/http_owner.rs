//! The owner of an HTTP session in tests that cut conversations anywhere: it answers everything at once.

#![allow(clippy::unwrap_used, reason = "a test")]

use headwater_core::flv::TagFlags;
use headwater_core::http::{HttpEvent, HttpSession, Method, Response, StatusCode, Transport};
use headwater_core::{EndCause, Frame, Time};

/// Accepts what the peer asks for, a publish where it offers a sub-protocol for one, and plays `frames` to each player, but rejects what is called `no`.
pub(crate) fn answer(session: &mut HttpSession, now: Time, event: &HttpEvent, frames: &[Frame]) {
    let (id, head) = match event {
        HttpEvent::Requested { id, head } => (*id, head),
        HttpEvent::Body { id, body } => {
            let response = Response::new(StatusCode::Ok).with_body(body.clone());
            return session.respond(now, *id, &response).unwrap();
        }
        _ => return,
    };
    match head.method {
        _ if head.path.ends_with("no") => session.reject(now, id, StatusCode::NotFound, "no", None),
        Method::Get if head.subprotocol.is_some() => session.accept_publish(now, id),
        Method::Get | Method::Head => {
            session.accept_play(now, id).unwrap();
            if head.method == Method::Get {
                let (audio, video) = (true, true);
                session.start_play(TagFlags { audio, video }).unwrap();
                for frame in frames {
                    session.send_frame(frame).unwrap();
                }
                if head.transport == Transport::Http {
                    session.end_play(now, EndCause::Unpublished).unwrap();
                }
            }
            Ok(())
        }
        Method::Post | Method::Put => session.accept_publish(now, id),
        Method::Patch => session.read_body(now, id, 10),
        _ => session.respond(now, id, &Response::json("{}").readable_by(&head.access)),
    }
    .unwrap();
}
