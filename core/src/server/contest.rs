//! Contests: somebody wants a name that has a publisher here, and the publisher is heard before it is decided.
//!
//! What a publisher has sent and we have not read is no silence of its own. So its socket is looked into again and again
//! ([`Action::Read`](super::Action::Read)) while the newcomer waits, and silence counts only up to a look that found
//! nothing. However late the worker is, a publisher that sends keeps its name.
//!
//! ```text
//!   last byte          contest   look   look   look   look   decided
//!      │◀──────── silence ──┼──────┼──────┼──────┼─────▶│─ LOOK ─│
//! ```

use super::connection::Connection;
use super::overdue::LATE;
use super::refusal::Refusal;
use super::shard::{Body, Epoch, Newcomer, ShardId};
use super::stream::Publisher;
use super::{ConnectionId, Event, Server, Takeover};
use crate::{EndCause, StreamKey, Time};
use alloc::collections::VecDeque;
use core::time::Duration;

/// Between two looks into the socket of a publisher that is contested. 100 ms: what was under way to a worker that is late
/// has been read by then, a publisher that sends is heard in two of them, and a newcomer need not wait much longer than the
/// silence lasts.
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
    max_silence: Duration,
    opened: Time,
    /// When the publisher's socket was last looked into.
    looked: Time,
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

    /// Whether the publisher keeps its name.
    ///
    /// What comes before the second look may have been under way when the newcomer came, from a connection that is dead. It
    /// only says that the silence begins there.
    fn is_lost(&self, publisher: &Connection) -> bool {
        let heard = publisher.last_input;
        let has_spoken = heard > self.opened + LOOK;
        let would_wait_too_long = self.opened.since(heard) + WAIT < self.max_silence;
        // While we do not read a publisher, its silence is ours.
        has_spoken || would_wait_too_long || publisher.is_paused()
    }

    /// Whether the publisher was silent for long enough when its socket was last looked into.
    fn is_won(&self, publisher: &Connection) -> bool {
        self.looked.since(publisher.last_input) >= self.max_silence
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
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let has_yielded = match takeover {
            // A publisher that has sent no media has claimed nothing.
            _ if !has_media => true,
            Takeover::Always => true,
            Takeover::Never => false,
            Takeover::Auto => {
                let is_same_address = connection.peer.ip() == newcomer.peer.ip();
                let contest = Contest {
                    key: key.clone(),
                    epoch,
                    home,
                    newcomer,
                    max_silence: if is_same_address {
                        Takeover::SILENCE_SAME_ADDRESS
                    } else {
                        Takeover::SILENCE
                    },
                    opened: now,
                    looked: now,
                };
                if !contest.is_lost(connection) {
                    self.look_into(id);
                    self.contests.open.push_back(contest);
                    return;
                }
                false
            }
        };
        self.decide_contest(now, home, key, epoch, newcomer, has_yielded);
    }

    /// Decides the contests that have become clear, and looks again into the sockets of the other publishers.
    pub(super) fn review_contests(&mut self, now: Time) {
        while self.contests.poll_timeout().is_some_and(|due| due <= now)
            && let Some(mut contest) = self.contests.open.pop_front()
        {
            let publisher = self.find_publisher(&contest.key, contest.epoch);
            let Some(id) = publisher.map(|publisher| publisher.connection) else {
                continue;
            };
            let Some(connection) = self.connections.get(id) else {
                continue;
            };
            // While we were late ourselves the publisher may have gone on.
            let is_late = now.since(contest.due()) >= LATE;
            let is_won = !is_late && contest.is_won(connection);
            if is_won || contest.is_lost(connection) {
                let Contest {
                    key,
                    epoch,
                    home,
                    newcomer,
                    ..
                } = contest;
                self.decide_contest(now, home, &key, epoch, newcomer, is_won);
            } else {
                self.look_into(id);
                contest.looked = now;
                self.contests.open.push_back(contest);
            }
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
        has_yielded: bool,
    ) {
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
        if has_yielded && newcomer.has_media {
            // The home hears of it by `Release`, and grants the name.
            self.replace_publisher(now, key, epoch, newcomer);
        }
    }

    fn replace_publisher(&mut self, now: Time, key: &StreamKey, epoch: Epoch, newcomer: Newcomer) {
        let Some(&Publisher {
            connection: id, stream, ..
        }) = self.find_publisher(key, epoch)
        else {
            return;
        };
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let event = Event::PublisherReplaced {
            peer: connection.peer(id),
            stream: key.clone(),
            by: ConnectionId::from_token(newcomer.claim.connection),
            by_address: newcomer.peer,
            silent: now.since(connection.last_input),
        };
        connection
            .protocol
            .end_publish(now, stream, Refusal::Replaced, EndCause::Replaced);
        self.report(now, event);
        self.end_role(id, stream, EndCause::Replaced);
        self.connections.touch(id);
    }
}
