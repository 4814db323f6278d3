//! The readers of events.

use super::told::Told;
use super::{After, Start};
use crate::http::{HttpSession, RequestHead, Response, StatusCode};
use crate::server::admin::access::AdminConfig;
use crate::server::admin::envelope::Envelope;
use crate::server::admin::problem::Problem;
use crate::server::admin::route::stream_key;
use crate::server::{ConnectionId, Event};
use crate::{StreamKey, Time};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use serde::Serialize;

/// How long a reader is to wait until it comes back, in milliseconds. 2 s: the server may be starting anew, and there may be
/// many readers.
const RETRY_MS: u32 = 2_000;

/// What a reader asks for.
#[derive(Debug)]
pub(in crate::server::admin) struct Watch {
    /// Only events about this stream.
    stream: Option<StreamKey>,
    /// Only events with one of these names, unless there are none.
    names: Vec<&'static str>,
    pub(super) after: After,
}

/// A reader of events.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) connection: ConnectionId,
    watch: Watch,
    /// Some until the sequencer has said where it starts.
    opening: Option<Opening>,
    /// The last event that it was given, or was not meant for it, or that it has missed.
    last: u64,
    missed: Missed,
}

/// What a reader is told first.
#[derive(Debug)]
pub(super) struct Opening {
    /// The workers whose events it does not get.
    pub(super) missing: Vec<u16>,
}

/// What a reader is still to be told that it has missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missed {
    Events(u64),
    /// Nobody knows how many.
    Unknown,
}

/// Writes to a reader.
pub(super) struct Pen<'a> {
    now: Time,
    session: &'a mut HttpSession,
    config: &'a AdminConfig,
}

#[derive(Serialize)]
struct OpenedJson<'a> {
    event: &'static str,
    workers: u16,
    missing_workers: &'a [u16],
}

#[derive(Serialize)]
struct MissedJson {
    event: &'static str,
    missed: Option<u64>,
}

/// The head of the answer to a reader.
pub(in crate::server::admin) fn response() -> Response {
    Response::new(StatusCode::Ok)
        .with_field("Content-Type", "text/event-stream")
        .with_field("X-Content-Type-Options", "nosniff")
        .with_field("Cache-Control", "no-store")
        // nginx would keep events back until it has some kilobytes.
        .with_field("X-Accel-Buffering", "no")
}

impl Watch {
    pub(in crate::server::admin) fn of(head: &RequestHead, config: &AdminConfig) -> Result<Watch, Problem> {
        let stream = match head.query_value("stream") {
            Some(name) => Some(stream_key(&name).ok_or_else(|| Problem::bad_request("stream is app/name"))?),
            None => None,
        };
        let names = match head.query_value("event") {
            Some(names) => names.split(',').map(known_name).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        let after = match head.fields.get("last-event-id") {
            None | Some("") => After::Now,
            Some(id) => number_of(id, config).map_or(After::Unknown, After::Event),
        };
        Ok(Watch { stream, names, after })
    }

    fn wants(&self, told: &Told) -> bool {
        let is_meant = self.names.is_empty() || self.names.contains(&told.name);
        is_meant
            && self
                .stream
                .as_ref()
                .is_none_or(|stream| told.stream.as_ref() == Some(stream))
    }
}

fn known_name(name: &str) -> Result<&'static str, Problem> {
    let known = Event::NAMES.iter().find(|known| **known == name);
    known.copied().ok_or_else(|| {
        let names = Event::NAMES.join(", ");
        Problem::bad_request(format!(
            "event is one of these, or some with commas between them: {names}"
        ))
    })
}

/// The number in an identifier of an event of this run of the server.
fn number_of(id: &str, config: &AdminConfig) -> Option<u64> {
    let (service, number) = id.rsplit_once('-')?;
    number.parse().ok().filter(|_| *service == *config.service)
}

impl Reader {
    pub(super) fn new(connection: ConnectionId, watch: Watch, opening: Opening) -> Self {
        Reader {
            connection,
            watch,
            opening: Some(opening),
            last: 0,
            missed: Missed::Events(0),
        }
    }

    /// Tells it where it starts.
    pub(super) fn begin(&mut self, pen: &mut Pen<'_>, workers: u16, start: &Start) {
        let Some(Opening { missing }) = self.opening.take() else {
            return;
        };
        self.last = start.after;
        let opened = OpenedJson {
            event: "opened",
            workers,
            missing_workers: &missing,
        };
        let head = format!("retry: {RETRY_MS}\nid: {}\n", pen.id(start.after));
        pen.write(&head, &block("opened", &Envelope::new(pen.config, opened)));
        if start.has_missed {
            self.missed = Missed::Unknown;
        }
        self.offer(pen, &start.past);
    }

    /// Gives it some events, if it wants them. What it has no room for it misses.
    pub(super) fn offer(&mut self, pen: &mut Pen<'_>, events: &[Told]) {
        if self.opening.is_some() {
            return;
        }
        for told in events {
            if told.number <= self.last {
                continue;
            }
            self.missed.add(told.number - self.last - 1);
            self.last = told.number - 1;
            if self.watch.wants(told) {
                self.tell_missed(pen);
                if self.is_behind() || !pen.has_room(told.text.len()) {
                    self.missed.add(1);
                } else {
                    pen.write(&format!("id: {}\n", pen.id(told.number)), &told.text);
                }
            }
            self.last = told.number;
        }
        self.tell_missed(pen);
    }

    /// Tells it how many events it has missed, once it has taken half of what waits for it.
    pub(super) fn tell_missed(&mut self, pen: &mut Pen<'_>) {
        if self.is_behind() && pen.is_half_empty() {
            let missed = MissedJson {
                event: "missed",
                missed: match self.missed {
                    Missed::Events(events) => Some(events),
                    Missed::Unknown => None,
                },
            };
            pen.write(&format!("id: {}\n", pen.id(self.last)), &block("missed", &missed));
            self.missed = Missed::Events(0);
        }
    }

    /// Says that the server is there.
    pub(super) fn beat(&mut self, pen: &mut Pen<'_>) {
        if pen.is_half_empty() {
            pen.write(":\n\n", &Bytes::new());
        }
    }

    /// Whether it is still to be told that it has missed events.
    pub(super) fn is_behind(&self) -> bool {
        self.missed != Missed::Events(0)
    }
}

impl Missed {
    fn add(&mut self, more: u64) {
        if let Missed::Events(events) = self {
            *events += more;
        }
    }
}

/// An event without its identifier, as it is sent.
pub(super) fn block(name: &str, data: &impl Serialize) -> Bytes {
    // Nothing that is sent fails to be written, and no line break is in it.
    let data = serde_json::to_string(data).unwrap_or_else(|_| String::from("{}"));
    format!("event: {name}\ndata: {data}\n\n").into()
}

impl<'a> Pen<'a> {
    pub(super) const fn new(now: Time, session: &'a mut HttpSession, config: &'a AdminConfig) -> Self {
        Pen { now, session, config }
    }

    pub(super) fn end(&mut self) {
        // An error means that it has ended.
        let _ = self.session.end_response(self.now);
    }

    fn write(&mut self, head: &str, text: &Bytes) {
        // An error means that the peer has left.
        let _ = self.session.send_content(self.now, head.as_bytes(), text);
    }

    fn has_room(&self, len: usize) -> bool {
        self.session.output_ref().len() + len <= self.config.max_event_bytes
    }

    fn is_half_empty(&self) -> bool {
        self.session.output_ref().len() <= self.config.max_event_bytes / 2
    }

    /// The identifier of an event: it names the run of the server, too, since another run counts anew.
    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.config.service)
    }
}
