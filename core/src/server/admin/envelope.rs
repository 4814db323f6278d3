//! What all answers have in common.

use super::access::AdminConfig;
use crate::http::Response;
use alloc::string::{String, ToString};
use serde::Serialize;

/// An answer that went well.
#[derive(Debug, Serialize)]
pub(super) struct Envelope<'a, T> {
    code: u16,
    server: &'a str,
    service: &'a str,
    pid: String,
    #[serde(flatten)]
    body: T,
}

impl<'a, T: Serialize> Envelope<'a, T> {
    pub(super) fn new(config: &'a AdminConfig, body: T) -> Self {
        Envelope {
            code: 0,
            server: &config.server,
            service: &config.service,
            pid: config.pid.to_string(),
            body,
        }
    }

    pub(super) fn response(&self) -> Response {
        json(self)
    }
}

/// A response in JSON.
pub(super) fn json(body: &impl Serialize) -> Response {
    // Nothing that is sent fails to be written: no map has a key that is no string.
    let mut text = serde_json::to_vec(body).unwrap_or_else(|_| b"{}".to_vec());
    text.push(b'\n');
    Response::json(text)
}
