//! An operator: it asks the API, and ends connections and streams by it.

use crate::rng::Rng;
use serde_json::Value;

/// One connection of an operator.
#[derive(Debug, Default)]
pub struct Operator {
    received: Vec<u8>,
    /// Ticks for which it has waited for an answer, and whether all was well when it asked.
    waits: Option<(u32, bool)>,
    /// Connections that it has been told of.
    clients: Vec<String>,
}

/// What an operator looks at. Metrics are not there: they say how much memory the process has, and no two runs are the same.
const QUESTIONS: &[&str] = &[
    "/api/v1/streams",
    "/api/v1/streams?start=1&count=1",
    "/api/v1/streams/live/s0",
    "/api/v1/clients",
    "/api/v1/clients?stream=live/s0",
    "/api/v1/summaries",
    "/api/v1/explain?stream=live/s0",
    "/api/v1/explain?stream=live/none",
    "/api/v1/versions",
    "/api/v1/nothing",
    "/readyz",
    "/",
];

/// Ticks that an answer may take: a worker that does not answer is waited for a second.
const MAX_WAIT: u32 = 130;

impl Operator {
    /// What it asks in this tick, if it asks something. It leaves all as it is if that `is_well`.
    pub fn ask(&mut self, is_well: bool, rng: &mut Rng) -> Vec<u8> {
        if self.waits.is_some() || !rng.once_in(8) {
            return Vec::new();
        }
        self.waits = Some((0, is_well));
        let may_change = !is_well;
        let (method, target) = match rng.below(24) {
            0 if may_change && !self.clients.is_empty() => {
                let client = &self.clients[rng.index(self.clients.len())];
                (
                    "DELETE",
                    format!("/api/v1/clients/{client}{}", rng.pick(&["", "?ban=1"])),
                )
            }
            1 if may_change => (
                "DELETE",
                format!("/api/v1/streams/live/s0{}", rng.pick(&["", "?ban=1"])),
            ),
            _ => ("GET", rng.pick(QUESTIONS).to_owned()),
        };
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\r\n").into_bytes()
    }

    /// Takes in what has come.
    ///
    /// # Panics
    /// If an answer makes no sense, or is late though all was well when it was asked for.
    pub fn hear(&mut self, bytes: &[u8]) {
        self.received.extend(bytes);
        let Some((waited, is_well)) = self.waits.as_mut() else {
            assert!(self.received.is_empty(), "an answer to nothing");
            return;
        };
        *waited += 1;
        let is_well = *is_well;
        assert!(!is_well || *waited <= MAX_WAIT, "an operator waits for {waited} ticks");
        let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") else {
            return;
        };
        let head = String::from_utf8(self.received[..end].to_vec())
            .expect("a head is text")
            .to_lowercase();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let len: usize = field("content-length:")
            .expect("all answers say how long they are")
            .parse()
            .unwrap();
        let body = end + 4..end + 4 + len;
        if self.received.len() < body.end {
            return;
        }
        let is_json = field("content-type:").is_some_and(|kind| kind.starts_with("application/json"));
        if is_json {
            let body = serde_json::from_slice(&self.received[body.clone()]).expect("an answer is JSON");
            self.read(&head, &body, is_well);
        }
        self.received.drain(..body.end);
        self.waits = None;
    }

    fn read(&mut self, head: &str, body: &Value, is_well: bool) {
        let status = head.split(' ').nth(1).unwrap_or_default();
        let is_expected = match status {
            "200" | "404" => true,
            "503" => !is_well || body["error"] == "shutting_down",
            _ => false,
        };
        assert!(is_expected, "an operator is answered {head}: {body}");
        let missing = body["missing_workers"].as_array();
        assert!(
            !is_well || missing.is_none_or(Vec::is_empty),
            "workers are missing though all is well: {body}"
        );
        if let Some(clients) = body["clients"].as_array() {
            let ids = clients.iter().map(|client| &client["id"]);
            self.clients = ids
                .map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned))
                .collect();
        }
    }
}
