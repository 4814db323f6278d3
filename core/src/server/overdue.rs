//! Peers whose time is over: their sockets are looked into before anything ends.
//!
//! A server that was late itself, because its machine was, hears of a deadline before it has read what came in time. What a
//! peer has sent and we have not read is no silence of its own, and neither is room in its socket that we were not told of.
//! So a deadline about what a peer has not done counts only once we have looked, in vain, after it had passed: at the next
//! wake-up, or for 2 s if we were late ourselves, since the peer may have waited for an answer of ours.

use super::connection::{Connection, Phase};
use super::metrics::Closing;
use super::{ConnectionId, Server};
use crate::{EndCause, Time};
use core::time::Duration;

/// Looks into the socket of a peer whose time is over if we see it [`LATE`] only. They are 50 ms
/// apart. 40: in 2 s a peer that has waited for us all the time has said what it had to say.
const LOOKS_IF_LATE: u8 = 40;

/// How late we are when we were late ourselves. 1 s: deadlines are met within 0.1 s even by a server that is overloaded.
pub(super) const LATE: Duration = Duration::from_secs(1);

impl Server {
    /// Does what is due for a connection, unless that is to end something for which the peer may not be to blame.
    pub(super) fn expire_peer(&mut self, now: Time, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let is_late = now.since(connection.due()) >= LATE;
        let looks = if is_late { LOOKS_IF_LATE } else { 1 };
        if connection.is_overdue(now) && connection.looks < looks {
            connection.looks += 1;
            self.look_into(id);
            return;
        }
        connection.looks = 0;
        self.note_silence(now, id);
        self.expire_half_closed(now, id);
        let owes_reply = |it: &Connection| it.phase == Phase::Open && it.protocol.is_closing() && it.has_output();
        let had_reply = self.connections.get(id).is_some_and(owes_reply);
        self.run(now, id, |protocol| protocol.handle_timeout(now));
        // The protocol machine has given up what was left.
        if had_reply && self.connections.get(id).is_some_and(|it| !it.has_output()) {
            self.end_roles(id, EndCause::Closed);
            self.drop_connection(id, Closing::NotTaken);
        }
    }
}

impl Connection {
    /// Whether something would end at `now`, or its silence be told, because of what its peer has not done.
    fn is_overdue(&self, now: Time) -> bool {
        let half_closed = self.half_closed.as_ref().map(|it| it.until);
        let deadlines = [half_closed, self.silence_due()].into_iter().flatten();
        deadlines.min().is_some_and(|due| due <= now) || self.protocol.is_overdue(now)
    }
}
