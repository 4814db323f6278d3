//! What operators see and do: an API in JSON, on a listener of its own.
//!
//! | request | what it is |
//! |---|---|
//! | `GET /` | a page for a browser, which asks the API and plays streams; asks for no token itself |
//! | `GET /healthz` | 200 while the process works; asks for no token |
//! | `GET /readyz` | 200, or 503 while the server shuts down; asks for no token |
//! | `GET /metrics` | what monitoring systems take: Prometheus' text, or OpenMetrics for those that ask for it |
//! | `GET /api/v1/openapi.json` | all of this in OpenAPI 3.1, field by field |
//! | `GET /api/v1/versions` | which version this is |
//! | `GET /api/v1/summaries` | what there is in all, and what was done |
//! | `GET /api/v1/streams` | the streams, by name: `?start=` and `?count=` say which of them; `?search=cam`: those that have this in their names |
//! | `GET /api/v1/streams/{app/name}` | one of them |
//! | `DELETE /api/v1/streams/{app/name}` | ends it with all its players; `?ban=60` keeps them away for a minute |
//! | `GET /api/v1/clients` | the connections, by number: `?start=` and `?count=` as above; `?stream=app/name`: those of one stream; `?search=`: those that have this in their address, their program or the name of their stream |
//! | `GET /api/v1/clients/{id}` | one of them |
//! | `DELETE /api/v1/clients/{id}` | ends it; `?ban=60` keeps its address from its streams for a minute |
//! | `GET /api/v1/bans` | who is kept away from which stream, how long, and by whom: `?start=`, `?count=` and `?search=` as above |
//! | `DELETE /api/v1/bans/{app/name}` | lifts the ban of everybody from the stream; `?address=10.0.0.9`: that of one address |
//! | `GET /api/v1/events` | what the server does, as it comes, in Server-Sent Events: `?stream=app/name` and `?event=NAME,NAME` say which of it |
//! | `GET /api/v1/explain?stream=app/name` | why players of the stream see nothing, in a sentence and with the facts: `&client=ID` asks for one of them |
//!
//! Answers have the shape that users of SRS know, with more beside it. A failure is `{"code":404,"error":"not_found","reason":"..."}`.
//! No answer has a query, a token or a key in it.
//!
//! A worker that is asked for what all of them know asks each by a message, itself too, and puts their parts together. One that
//! has not answered after a second is named in `missing_workers`. Meanwhile the connection waits as one does whose question is
//! open.
//!
//! Events of all workers come in one order, and each has a number, behind which a reader that comes back goes on. A reader that is
//! slow, or was away for long, is told that it has missed some. While there are no readers, an event costs nothing.
//!
//! ```text
//!   operator         this worker            all workers
//!     ── GET ─────────▶  ── Ask ────────────▶
//!     ◀──── 200 ──────   ◀────────── Part ──
//! ```
//!
#![doc = include_str!("transcripts.md")]

mod access;
mod ban;
mod client;
mod envelope;
mod explain;
mod feed;
mod gather;
mod metrics;
mod operators;
mod page;
mod problem;
mod route;
mod stream;
mod summary;
mod ui;

pub use access::{AdminConfig, Token};
pub(super) use feed::Feed;
pub(super) use gather::{AdminMessage, Gatherings};
pub use metrics::ProcessFigures;
pub(super) use operators::Operators;

use super::{ConnectionId, Event, Server};
use crate::http::{Method, RequestHead, Response};
use crate::{RequestId, Time};
use envelope::Envelope;
use gather::Asked;
use problem::Problem;
use route::Route;

impl Server {
    /// An operator asks for something: answers, or asks all workers first.
    pub(super) fn handle_admin(&mut self, now: Time, id: ConnectionId, request: RequestId, head: &RequestHead) {
        let answer = match self.count_request(now, id) {
            true => self.answer_admin(now, id, request, head),
            false => Err(Problem::too_many_requests(self.config.limits.max_requests_per_second)),
        };
        match answer {
            Ok(Some(response)) => self.respond(now, id, request, &response),
            Ok(None) => {}
            Err(problem) => {
                if let Some(connection) = self.connections.get(id).filter(|_| problem.is_news()) {
                    let (peer, reason) = (connection.peer(id), problem.reason.clone().into());
                    self.report(now, Event::RequestRefused { peer, reason });
                }
                self.respond(now, id, request, &problem.response());
            }
        }
    }

    /// The answer, unless other workers have to be asked for it.
    fn answer_admin(
        &mut self,
        now: Time,
        id: ConnectionId,
        request: RequestId,
        head: &RequestHead,
    ) -> Result<Option<Response>, Problem> {
        let config = self.config.clone();
        let operator = self
            .connections
            .get(id)
            .map(|connection| connection.peer.ip().to_canonical());
        let route = route::find(head, &config.admin, operator)?;
        Ok(Some(match route {
            Route::Healthy => route::healthy(),
            Route::Ready if self.is_shutting_down => return Err(Problem::shutting_down()),
            Route::Ready => route::healthy(),
            Route::Description => route::description(),
            Route::File(file) => file.response(head, &config.admin),
            Route::Versions => Envelope::new(&config.admin, summary::Versions::new()).response(),
            Route::Ask(asked) if !self.admits_question(now, &asked) => return Err(Problem::too_much()),
            Route::Ask(asked) => {
                self.gather(now, id, request, asked);
                return Ok(None);
            }
            Route::Events(watch) => {
                self.admit_reader()?;
                match head.method {
                    Method::Head => self.respond_head(now, id, request),
                    _ => self.gather(now, id, request, Asked::Events(watch)),
                }
                return Ok(None);
            }
        }))
    }

    /// Sends an answer, unless the peer has left.
    fn respond(&mut self, now: Time, id: ConnectionId, request: RequestId, response: &Response) {
        if let Some(connection) = self.connections.get_mut(id)
            && let Some(session) = connection.protocol.admin_mut()
        {
            // An error means that it waits for nothing any more.
            let _ = session.respond(now, request, response);
            self.connections.touch(id);
        }
    }
}
