//! What the workers of one server tell each other.
//!
//! Each worker is a *shard*: a [`Server`] of its own with its own connections. A stream lives where its
//! publisher's connection is. Which streams there are is known to their *home*: the shard that a hash of the name picks,
//! the same for everybody. So nothing is locked and nothing is shared; the same messages are exchanged within one shard,
//! where they are handled on the spot.
//!
//! ```text
//!   publisher's shard            home                   players' shard
//!     ── Claim ───────────────────▶                        ◀── first player
//!     ◀────────────── Granted ────     ◀────── Subscribe ──
//!     ◀──────── AddSubscriber ────     ── Located ────────▶
//!     ── Snapshot, Frames, Frames ... ────────────────────▶
//!     ◀─────────────────────────────────── Taken ... ──────
//!     ── Release ─────────────────▶  (grace) ── Ended ────▶
//! ```
//!
//! A name that has a publisher is contested. The publisher's shard says that it keeps the name, or that it would yield to
//! media; or it says that it yields, and does by the `Release` of its own publish:
//!
//! ```text
//!   newcomer's shard             home                   publisher's shard
//!     ── Claim, no media yet ─────▶  ── Contest ──────────▶  is it heard?
//!     ◀── Denied, or Admitted ─────  ◀── Contested ───────
//!     ── Claim, first frame ──────▶  ── Contest ──────────▶  is it still silent?
//!     ◀── Denied, or Granted ──────  ◀── Contested (Release) ────
//! ```
//!
//! The claim goes out with the first frame, which waits with the claimant. Before that only RTMP asks, because its encoders
//! wait for the answer before they send: a name that is free is theirs at once, until somebody comes with media. In its
//! grace time nothing is free: they may send, and have it with their first frame.
//!
//! Between two shards messages arrive in order; between different pairs in any. Every publish has an *epoch*, given by
//! the home and growing with every publish of the name, which sorts out what overtook what.
//!
//! A shard's last player does not end its subscription at once, so that the next one [finds the stream there](super::idle).
//!
//! A shard that cannot keep up is not buried in frames: it says what it has taken in, and one that is too far behind gets
//! no frames until it has caught up, then a `Snapshot` to start again.

use super::address::Address;
use super::admin::AdminMessage;
use super::fnv::fnv_1a;
use super::holders::Holding;
use super::memory::UnderWay;
use super::metrics::StreamCounts;
use super::refusal::Refusal;
use super::registrar::{Change, Verdict};
use super::{Action, Event, Server};
use crate::hub::Position;
use crate::{Frame, StreamKey, Time};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

/// The number of a worker, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// A message from one worker's [`Server`] to another's. Drivers carry it and do not look inside.
#[derive(Debug)]
pub struct ShardMessage(pub(super) Message);

impl ShardMessage {
    /// What it is about, in one word, for those who count or trace messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.0.kind()
    }

    /// All kinds of messages.
    pub fn kinds() -> impl Iterator<Item = &'static str> {
        Message::KINDS.iter().chain(Body::KINDS).copied()
    }
}

/// What a message is about.
#[derive(Debug)]
pub(super) enum Message {
    Stream {
        key: StreamKey,
        body: Body,
    },
    /// For the [registrar](super::registrar): what became of connections of the sender and of the streams whose home it is, and
    /// how many names it knows.
    Changes {
        connections: Vec<Change>,
        streams: Vec<Holding>,
        names: usize,
    },
    /// What the registrar says.
    Verdict(Verdict),
    /// What an operator asks, and what is answered.
    Admin(AdminMessage),
}

impl Message {
    words! {
        /// Which message it is.
        fn kind in KINDS {
            Message::Changes { .. } => "Changes",
            Message::Verdict(_) => "Verdict",
            Message::Admin(_) => "Admin",
        } or {
            Message::Stream { body, .. } => body.kind()
        }
    }
}

/// The number of a publish among those of its name.
pub(super) type Epoch = u64;

/// Names a claim on its own shard: the connection's token and the message stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClaimId {
    pub(super) connection: u64,
    pub(super) stream: u32,
}

/// Somebody who wants to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Newcomer {
    pub(super) claim: ClaimId,
    pub(super) peer: SocketAddr,
    /// Whether its first frame has come, so that it may replace a publisher.
    pub(super) has_media: bool,
}

/// A shard that has players of a stream, or has them again: each time with another ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) shard: ShardId,
    pub(super) ticket: u64,
}

/// How a publish begins for another shard, wherever its publisher is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) epoch: Epoch,
    /// Of the subscription that it answers.
    pub(super) ticket: u64,
    /// Whether it begins again, because the shard was too far behind.
    pub(super) is_again: bool,
    /// The most that may be under way to the shard.
    pub(super) window: u64,
    /// What the publisher has sent so far.
    pub(super) position: Position,
}

#[derive(Debug)]
pub(super) enum Body {
    // To the home.
    /// A connection wants to publish.
    Claim(Newcomer),
    /// The answer to `Contest`. If the publisher has yielded to media, `Release` follows.
    Contested {
        epoch: Epoch,
        claim: ClaimId,
        has_yielded: bool,
    },
    /// The publisher of `epoch` is gone.
    Release { epoch: Epoch },
    /// The sender has a player. The ticket comes back with the answer.
    Subscribe { ticket: u64 },
    /// The sender's last player is gone, and has been for a while.
    Unsubscribe,

    // From the home.
    /// The claimant publishes as `epoch`, for players on these shards.
    Granted {
        claim: ClaimId,
        epoch: Epoch,
        /// So many had to leave the name to another.
        takeovers: u64,
        /// Those among them that no claimant before was told of.
        recent_takeovers: u64,
        subscribers: Vec<Subscription>,
    },
    /// The claimant may not publish.
    Denied { claim: ClaimId, refusal: Refusal },
    /// The publisher of `epoch` is one too many.
    Revoke { epoch: Epoch },
    /// The answer to `Subscribe` if there are too many streams that nobody publishes: the subscription is none.
    NotSought { ticket: u64 },
    /// The claimant may send: the name can be had by its first frame.
    Admitted { claim: ClaimId },
    /// Somebody wants what the receiver's publisher of `epoch` has.
    Contest { epoch: Epoch, newcomer: Newcomer },
    /// Send `epoch` to this shard as well.
    AddSubscriber { epoch: Epoch, subscription: Subscription },
    /// Send `epoch` to this shard no longer.
    RemoveSubscriber { epoch: Epoch, shard: ShardId },
    /// The answer to `Subscribe`: whether the stream has a publisher, or had one within its grace time.
    Located { ticket: u64, is_present: bool },
    /// The stream is over: the grace time of `epoch` has passed.
    Ended { epoch: Epoch },
    /// Nobody has the name any more, or wants it. Whatever the receiver knows about it is of no use.
    Forgotten,

    // From the publisher's shard to those of its players.
    /// What a joining player gets, and the start of a publish for the receiver.
    Snapshot {
        start: Box<Start>,
        frames: Vec<Frame>,
        under_way: UnderWay,
    },
    /// The next frames.
    Frames {
        epoch: Epoch,
        frames: Vec<Frame>,
        under_way: UnderWay,
    },
    /// The publisher took its metadata back.
    ClearMetadata { epoch: Epoch },

    // From whichever shard ended somebody to all others.
    /// Nobody at this address, or nobody at all, may have the stream for so long.
    Ban {
        address: Option<Address>,
        span: Duration,
        by: Option<IpAddr>,
    },

    // From the shard of players back to the publisher's.
    /// So much of `Snapshot` and `Frames` has been taken in, in all since the first snapshot for `ticket`.
    Taken { epoch: Epoch, ticket: u64, taken: u64 },
}

impl Body {
    words! {
        /// Which message it is.
        fn kind in KINDS {
            Body::Claim(_) => "Claim",
            Body::Contested { .. } => "Contested",
            Body::Release { .. } => "Release",
            Body::Subscribe { .. } => "Subscribe",
            Body::Unsubscribe => "Unsubscribe",
            Body::Granted { .. } => "Granted",
            Body::Denied { .. } => "Denied",
            Body::Revoke { .. } => "Revoke",
            Body::NotSought { .. } => "NotSought",
            Body::Admitted { .. } => "Admitted",
            Body::Contest { .. } => "Contest",
            Body::AddSubscriber { .. } => "AddSubscriber",
            Body::RemoveSubscriber { .. } => "RemoveSubscriber",
            Body::Located { .. } => "Located",
            Body::Ended { .. } => "Ended",
            Body::Forgotten => "Forgotten",
            Body::Snapshot { .. } => "Snapshot",
            Body::Frames { .. } => "Frames",
            Body::ClearMetadata { .. } => "ClearMetadata",
            Body::Ban { .. } => "Ban",
            Body::Taken { .. } => "Taken",
        }
    }
}

/// The shard that knows where `key` is published: the same answer on every shard.
pub(super) fn home_of(key: &StreamKey, shards: u16) -> ShardId {
    ShardId(u16::try_from(hash_of(key) % u64::from(shards.max(1))).unwrap_or_default())
}

/// The hash of a name: the same on every shard.
pub(super) fn hash_of(key: &StreamKey) -> u64 {
    fnv_1a(key.as_str().as_bytes())
}

/// What shards tell each other, on its way and on arrival.
impl Server {
    /// Sends `body` about `key` to `to`, which may be ourselves.
    pub(super) fn send(&mut self, to: ShardId, key: &StreamKey, body: Body) {
        self.send_message(to, Message::Stream { key: key.clone(), body });
    }

    pub(super) fn send_message(&mut self, to: ShardId, message: Message) {
        let message = ShardMessage(message);
        if to == self.shard {
            self.inbox.push_back(message);
        } else {
            self.actions.push_back(Action::ToShard(to, message));
        }
    }

    pub(super) fn send_home(&mut self, key: &StreamKey, body: Body) {
        self.send(home_of(key, self.shards), key, body);
    }

    /// Handles what we have to tell ourselves, until there is nothing more.
    pub(super) fn deliver(&mut self, now: Time) {
        loop {
            self.note_names();
            self.take_verdicts(now);
            while let Some((key, address)) = self.directory.poll_ended() {
                self.report_about(now, address, Event::StreamEnded { stream: key });
            }
            while let Some((to, key, body)) = self.directory.poll() {
                self.send(to, &key, body);
            }
            let Some(message) = self.inbox.pop_front() else { return };
            self.handle_message(now, self.shard, message);
        }
    }

    pub(super) fn handle_message(&mut self, now: Time, from: ShardId, ShardMessage(message): ShardMessage) {
        match message {
            Message::Stream { key, body } => self.handle_body(now, from, key, body),
            Message::Changes {
                connections,
                streams,
                names,
            } => self.note_changes(now, from, connections, &streams, names),
            Message::Verdict(verdict) => self.handle_verdict(now, verdict),
            Message::Admin(message) => self.handle_admin_message(now, from, message),
        }
    }

    fn handle_body(&mut self, now: Time, from: ShardId, key: StreamKey, body: Body) {
        match body {
            Body::Claim { .. }
            | Body::Contested { .. }
            | Body::Release { .. }
            | Body::Subscribe { .. }
            | Body::Unsubscribe => self.directory.handle(now, from, &key, &body),
            Body::Granted {
                claim,
                epoch,
                takeovers,
                recent_takeovers,
                subscribers,
            } => {
                let counts = StreamCounts {
                    takeovers: recent_takeovers,
                    ..StreamCounts::default()
                };
                self.ledger.note(&key, &counts);
                self.begin_publish(now, &key, claim, epoch, &subscribers);
                if let Some((_, stream)) = self.find_stream(&key) {
                    stream.takeovers = takeovers;
                }
            }
            Body::Denied { claim, refusal } => self.refuse_publish(now, &key, claim, refusal),
            Body::Admitted { claim } => self.admit_publish(now, &key, claim),
            Body::Contest { epoch, newcomer } => self.open_contest(now, from, &key, epoch, newcomer),
            Body::AddSubscriber { epoch, subscription } => self.add_subscriber(&key, epoch, subscription),
            Body::RemoveSubscriber { epoch, shard } => self.remove_subscriber(&key, epoch, shard),
            Body::Revoke { epoch } => self.revoke_publish(now, &key, epoch),
            Body::NotSought { ticket } => self.refuse_seekers(now, &key, ticket),
            Body::Located { ticket, is_present } => self.locate(now, &key, ticket, is_present),
            Body::Ended { epoch } => self.end_stream(now, &key, epoch),
            Body::Forgotten => self.ledger.forget(&key),
            Body::Snapshot {
                start,
                frames,
                under_way: _arrives,
            } => {
                if self.begin_replica(now, &key, &start) {
                    self.relay(now, from, &key, start.epoch, true, frames);
                }
            }
            Body::Frames {
                epoch,
                frames,
                under_way: _arrives,
            } => self.relay(now, from, &key, epoch, false, frames),
            Body::Taken { epoch, ticket, taken } => {
                let subscription = Subscription { shard: from, ticket };
                self.note_taken(&key, epoch, subscription, taken);
            }
            Body::Ban { address, span, by } => self.bans.add(now, key, address, span, by),
            Body::ClearMetadata { epoch } => self.relay_clear_metadata(&key, epoch),
        }
    }
}
