//! Contests: somebody wants a name that has a publisher here, and the publisher is heard before it is decided.
//!
//! What a publisher has sent and we have not read is no silence of its own. So its socket is looked into
//! ([`Action::Read`]) again and again while the newcomer waits, and silence counts only up to a look that found nothing.
//! However late the worker is, a publisher that sends keeps its name.
//!
//! ```text
//!   last byte          contest   look   look   look   look   decided
//!      │◀──────── silence ──┼──────┼──────┼──────┼─────▶│─ LOOK ─│
//! ```

use super::connection::{Connection, Refusal};
use super::shard::{Body, Epoch, Newcomer, ShardId};
use super::stream::Publisher;
use super::{Action, ConnectionId, Server, Takeover};
use crate::{EndCause, StreamKey, Time};
use alloc::collections::VecDeque;
use core::time::Duration;
use tracing::info;

/// Between two looks into the socket of a publisher that is contested. 100 ms: what was under way to a worker that is late
/// has been read by then, and a newcomer need not wait much longer than the silence lasts.
const LOOK: Duration = Duration::from_millis(100);

/// The longest that a newcomer waits for the publisher's silence to last long enough, but for two looks. 1 s: an encoder
/// whose old connection is dead has its name back by then; one that would have to wait longer is refused at once.
const WAIT: Duration = Duration::from_secs(1);

/// The contests for names that have their publisher here, the one that is looked at next first. Homes open only a few at
/// a time for each name.
#[derive(Debug, Default)]
pub(super) struct Contests {
    open: VecDeque<Contest>,
}

/// Somebody wants a name, and its publisher is heard.
#[derive(Debug)]
struct Contest {
    key: StreamKey,
    epoch: Epoch,
    home: ShardId,
    newcomer: Newcomer,
    /// The silence after which the publisher may be replaced.
    patience: Duration,
    /// How often the publisher had sent something when it began.
    inputs: u32,
    /// When the publisher's socket was last looked into.
    looked: Time,
}

/// What becomes of the publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Keeps,
    Yields,
}

impl Contests {
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.open.front().map(Contest::due)
    }
}

impl Contest {
    fn due(&self) -> Time {
        self.looked + LOOK
    }

    /// What is known by now about the publisher. `None`: it must be looked at again.
    fn verdict(&self, publisher: &Connection) -> Option<Verdict> {
        // While we do not read it, its silence is ours.
        if publisher.is_paused() || publisher.inputs != self.inputs {
            Some(Verdict::Keeps)
        } else if self.looked.since(publisher.last_input) >= self.patience {
            Some(Verdict::Yields)
        } else {
            None
        }
    }
}

impl Server {
    /// The home asks whether our publisher of `epoch` yields to `newcomer`. If we have none any more, the home was told
    /// so before, and has settled the contest.
    pub(super) fn open_contest(&mut self, now: Time, home: ShardId, key: &StreamKey, epoch: Epoch, newcomer: Newcomer) {
        let takeover = self.config.takeover;
        let Some(publisher) = self.find_publisher(key, epoch) else {
            return;
        };
        let (id, has_media) = (publisher.connection, publisher.has_media);
        let Some(connection) = self.connection(id) else { return };
        let patience = if connection.peer.ip() == newcomer.peer.ip() {
            Takeover::SILENCE_SAME_ADDRESS
        } else {
            Takeover::SILENCE
        };
        let verdict = match takeover {
            // A publisher that has sent no media has claimed nothing.
            _ if !has_media => Verdict::Yields,
            Takeover::Always => Verdict::Yields,
            Takeover::Never => Verdict::Keeps,
            Takeover::Auto if now.since(connection.last_input) + WAIT < patience => Verdict::Keeps,
            Takeover::Auto => {
                let inputs = connection.inputs;
                self.look_into(id);
                self.contests.open.push_back(Contest {
                    key: key.clone(),
                    epoch,
                    home,
                    newcomer,
                    patience,
                    inputs,
                    looked: now,
                });
                return;
            }
        };
        self.decide_contest(now, home, key, epoch, newcomer, verdict);
    }

    /// Decides the contests that have become clear, and looks again at the publishers of the others.
    pub(super) fn review_contests(&mut self, now: Time) {
        while self.contests.poll_timeout().is_some_and(|due| due <= now)
            && let Some(mut contest) = self.contests.open.pop_front()
        {
            let publisher = self.find_publisher(&contest.key, contest.epoch);
            let Some(id) = publisher.map(|publisher| publisher.connection) else {
                continue;
            };
            let Some(connection) = self.peek(id) else { continue };
            if let Some(verdict) = contest.verdict(connection) {
                let Contest {
                    key,
                    epoch,
                    home,
                    newcomer,
                    ..
                } = contest;
                self.decide_contest(now, home, &key, epoch, newcomer, verdict);
            } else {
                self.look_into(id);
                contest.looked = now;
                self.contests.open.push_back(contest);
            }
        }
    }

    /// Reads the socket of a publisher, whether or not it has reported anything.
    fn look_into(&mut self, id: ConnectionId) {
        if !self.attend(id) {
            self.actions.push_back(Action::Read(id));
        }
    }

    /// A newcomer with media replaces a publisher that yields. One without is only told that it may send.
    fn decide_contest(
        &mut self,
        now: Time,
        home: ShardId,
        key: &StreamKey,
        epoch: Epoch,
        newcomer: Newcomer,
        verdict: Verdict,
    ) {
        let has_yielded = verdict == Verdict::Yields;
        if has_yielded && newcomer.has_media {
            // The home hears of it by `Release`, and grants the name.
            self.replace_publisher(now, key, epoch, newcomer);
        } else {
            let claim = newcomer.claim;
            self.send(
                home,
                key,
                Body::Contested {
                    epoch,
                    claim,
                    has_yielded,
                },
            );
        }
    }

    fn replace_publisher(&mut self, now: Time, key: &StreamKey, epoch: Epoch, newcomer: Newcomer) {
        let Some(&Publisher {
            connection: id, stream, ..
        }) = self.find_publisher(key, epoch)
        else {
            return;
        };
        let Some(connection) = self.connection(id) else { return };
        info!(conn = %id, peer = %connection.peer, protocol = connection.protocol.name(), stream = key.as_str(),
            by_conn = %ConnectionId::from_token(newcomer.claim.connection), by = %newcomer.peer,
            silent_ms = now.since(connection.last_input).as_millis(), "publisher replaced");
        connection
            .protocol
            .end_publish(now, stream, Refusal::Replaced, EndCause::Replaced);
        self.end_role(id, stream, EndCause::Replaced);
        self.settle(now, id);
    }
}
