//! The page for operators: files that the server has in itself.
//!
//! It is plain HTML, CSS and JavaScript, asks the API like anybody else, and plays streams by itself. There is nothing in it that an
//! operator's browser would fetch from elsewhere, and nothing that is secret.

use super::access::AdminConfig;
use crate::http::{RequestHead, Response, StatusCode};
use crate::server::Protocol;
use alloc::format;
use alloc::string::String;

/// A file that everybody may read that reaches the listener.
#[derive(Debug)]
pub(super) struct File {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

macro_rules! file {
    ($path:literal, $content_type:expr, $name:literal) => {
        File {
            path: $path,
            content_type: $content_type,
            bytes: include_bytes!(concat!("ui/", $name)),
        }
    };
}

const FILES: &[File] = &[
    file!("/", HTML, "index.html"),
    file!("/favicon.ico", PICTURE, "icon.svg"),
    file!("/ui/icon.svg", PICTURE, "icon.svg"),
    file!("/ui/app.css", CSS, "app.css"),
    file!("/ui/api.js", SCRIPT, "api.js"),
    file!("/ui/app.js", SCRIPT, "app.js"),
    file!("/ui/bans.js", SCRIPT, "bans.js"),
    file!("/ui/dom.js", SCRIPT, "dom.js"),
    file!("/ui/format.js", SCRIPT, "format.js"),
    file!("/ui/lines.js", SCRIPT, "lines.js"),
    file!("/ui/pages.js", SCRIPT, "pages.js"),
    file!("/ui/parts.js", SCRIPT, "parts.js"),
    file!("/ui/plot.js", SCRIPT, "plot.js"),
    file!("/ui/screen.js", SCRIPT, "screen.js"),
    file!("/ui/stream.js", SCRIPT, "stream.js"),
    file!("/ui/streams.js", SCRIPT, "streams.js"),
    file!("/ui/words.js", SCRIPT, "words.js"),
    file!("/ui/player/codecs.js", SCRIPT, "player/codecs.js"),
    file!("/ui/player/flv.js", SCRIPT, "player/flv.js"),
    file!("/ui/player/mp4.js", SCRIPT, "player/mp4.js"),
    file!("/ui/player/player.js", SCRIPT, "player/player.js"),
];

/// The file of this path.
pub(super) fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

/// The paths of all files.
#[cfg(test)]
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|file| file.path)
}

impl File {
    pub(super) fn response(&self, head: &RequestHead, config: &AdminConfig) -> Response {
        let policy = format!(
            "default-src 'self'; connect-src 'self'{}; img-src 'self' data:; media-src 'self' blob:; object-src 'none'; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
            players(head, config)
        );
        Response::new(StatusCode::Ok)
            .with_field("Content-Type", self.content_type)
            .with_field("X-Content-Type-Options", "nosniff")
            .with_field("Cache-Control", "no-cache")
            .with_field("Referrer-Policy", "no-referrer")
            .with_field("Content-Security-Policy", policy)
            .with_body(self.bytes)
    }
}

/// Where the page may get streams from: the ports for players, by the name that the page itself was asked for.
fn players(head: &RequestHead, config: &AdminConfig) -> String {
    let host = head.host().unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    // What could end the field, or be another source in it, is no name.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-[]:".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_plain) {
        return String::new();
    }
    let mut sources = String::new();
    for (protocol, address) in &config.listeners {
        if matches!(protocol, Protocol::Http | Protocol::Media) {
            sources += &format!(" http://{name}:{port} ws://{name}:{port}", port = address.port());
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever a file refers to is there.
    #[test]
    fn no_file_names_one_that_is_not_there() {
        for file in FILES.iter().filter(|file| file.content_type != PICTURE) {
            let text = core::str::from_utf8(file.bytes).unwrap();
            let folder = file.path.rsplit_once('/').unwrap().0;
            for (_, rest) in text
                .match_indices("from \"")
                .map(|(at, it)| text.split_at(at + it.len()))
            {
                let name = rest.split('"').next().unwrap();
                let path = format!("{folder}/{}", name.trim_start_matches("./"));
                assert!(find(&path).is_some(), "{} refers to {path}", file.path);
            }
            for (_, rest) in text.match_indices("\"/ui/").map(|(at, _)| text.split_at(at + 1)) {
                let path = rest.split('"').next().unwrap();
                assert!(find(path).is_some(), "{} refers to {path}", file.path);
            }
            for outside in ["http://", "https://", "innerHTML", "eval("] {
                // The name of a kind of document is no address.
                let text = text.replace("http://www.w3.org/2000/svg", "");
                assert!(!text.contains(outside), "{} has {outside}", file.path);
            }
        }
    }
}
