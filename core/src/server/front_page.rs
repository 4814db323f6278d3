//! What a browser finds at the address of the players: a page that says what this server is, and its icon.
//!
//! Everybody who reaches the listener may read it. So it names no stream, and has nothing in it of the configuration or of the
//! request.

use crate::http::{Access, Method, RequestHead, Response, StatusCode, Transport};
use alloc::format;

/// A path at which there is no stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// `/`: what this is, how to push and how to play.
    Front,
    /// `/favicon.ico`: every browser asks for it.
    Icon,
}

/// What may be done with a page.
pub(super) const METHODS: &str = "GET, HEAD, OPTIONS";

const TEXT: &str = include_str!("front_page/page.txt");
const HTML: &str = include_str!("front_page/page.html");
const ICON: &[u8] = include_bytes!("admin/ui/icon.svg");

/// Nothing is fetched from elsewhere, no script runs, and no other page has this one in itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

impl Page {
    /// The page that a request names, unless it asks for a WebSocket, which only streams have.
    pub(super) fn of(head: &RequestHead) -> Option<Page> {
        match &*head.path {
            _ if head.transport == Transport::WebSocket => None,
            "/" => Some(Page::Front),
            "/favicon.ico" => Some(Page::Icon),
            _ => None,
        }
    }

    /// What `GET` and `HEAD` are answered.
    pub(super) fn response(self, head: &RequestHead) -> Response {
        debug_assert!(matches!(head.method, Method::Get | Method::Head));
        match self {
            Page::Front if accepts_html(head) => Response::new(StatusCode::Ok)
                .with_field("Content-Type", "text/html; charset=utf-8")
                .with_field("X-Content-Type-Options", "nosniff")
                .with_field("Cache-Control", "no-store")
                .with_field("Content-Security-Policy", POLICY)
                .with_field("Referrer-Policy", "no-referrer")
                .with_field("Vary", "Accept")
                .with_body(HTML),
            Page::Front => Response::text(StatusCode::Ok, TEXT).with_field("Vary", "Accept"),
            // A day: browsers ask for it again with every visit otherwise.
            Page::Icon => Response::new(StatusCode::Ok)
                .with_field("Content-Type", "image/svg+xml")
                .with_field("X-Content-Type-Options", "nosniff")
                .with_field("Cache-Control", "public, max-age=86400")
                .with_field("Content-Security-Policy", POLICY)
                .with_body(ICON),
        }
    }
}

/// What any other method is answered: `reason`, which every web page may read, as what is said of streams.
pub(super) fn refusal(reason: &str, access: &Access) -> Response {
    Response::text(StatusCode::MethodNotAllowed, format!("{reason}\n"))
        .with_field("Allow", METHODS)
        .readable_by(access)
}

/// Whether the client names HTML among what it takes. Those that take anything, as curl and ffmpeg do, get the text.
fn accepts_html(head: &RequestHead) -> bool {
    let accepted = head.fields.get("accept").unwrap_or_default();
    let mut kinds = accepted
        .split(',')
        .map(|kind| kind.split(';').next().unwrap_or_default());
    kinds.any(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
}
