//! One connection, whatever it speaks.

use super::ConnectionId;
use super::address::Address;
use super::admission::Admission;
use super::authorize::Asking;
use super::event::{PUBLISHER_SILENCE, Peer};
use super::half_closed::HalfClosed;
use super::question::Intent;
use super::record::RecordedSession;
use super::session::{PlayAsk, Session};
use super::shard::Epoch;
use super::work::WorkMeter;
use crate::hub::{ChannelId, SubscriberId};
use crate::rtmp::{Connect, MessageStreamId};
use crate::time::{Meter, PerSecond};
use crate::{Frame, RequestId, Time};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

/// One connection and what it is doing.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) generation: u32,
    pub(super) peer: SocketAddr,
    pub(super) protocol: RecordedSession,
    pub(super) admission: Admission,
    /// Whether the registrar was told that it has a role.
    pub(super) is_role_told: bool,
    /// One per publish or play; nearly always one.
    pub(super) roles: Vec<Role>,
    /// Whether input waits until a request is answered.
    pub(super) is_input_paused: bool,
    /// Input that came meanwhile. At most one read of the driver, or [`max_pipelined`](crate::Limits::max_pipelined).
    pub(super) pending_input: Vec<u8>,
    /// Some once the peer will send no more.
    pub(super) half_closed: Option<Box<HalfClosed>>,
    /// When its next deadline is armed for.
    pub(super) armed: Time,
    /// What it was last counted with, of the memory that is its own.
    pub(super) counted: u32,
    /// When it was accepted.
    pub(super) since: Time,
    pub(super) last_input: Time,
    pub(super) bytes_in: u64,
    pub(super) last_write: LastWrite,
    /// Bytes in and out that are in the [tally](super::metrics::Tally).
    pub(super) settled: (u64, u64),
    pub(super) phase: Phase,
    /// Whether it is to be visited.
    pub(super) is_touched: bool,
    /// Looks into its socket since it is overdue. What the first has found is there at the next wake-up.
    pub(super) looks: u8,
    /// Whether `Action::Wake` is on its way.
    pub(super) is_waking: bool,
    /// Whether what it plays had more than its output had room for. If not, a wake will say when there is more.
    pub(super) may_have_more: bool,
    /// What the peer has said of itself, and what it asks for. In a box, because players by HTTP say nothing.
    pub(super) said: Option<Box<Said>>,
    /// Its requests to publish or play.
    pub(super) requests: PerSecond,
    /// What its input makes us do.
    pub(super) work: WorkMeter,
    /// Whether what it sends next may be read late.
    pub(super) may_wait: bool,
    /// Whether it was said that it publishes and sends nothing.
    pub(super) is_silent: bool,
    /// Whether its machine has given up; it says so again at every call.
    pub(super) has_failed: bool,
}

/// When the peer last took something. Sixteen bytes of each connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastWrite {
    pub(super) at: Time,
    /// Bytes that it had taken by then.
    sent: u64,
}

/// What a peer has said.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// What it calls itself.
    pub(super) agent: Box<str>,
    /// All that it said when it connected by RTMP, if the world is asked about peers.
    pub(super) connect: Option<Box<Connect>>,
    /// The request that waits until the world has answered.
    pub(super) asking: Option<Box<Asking>>,
}

/// How far a connection has come towards its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Our side is shut down; what the peer still sends is thrown away until then.
    Lingering {
        until: Time,
    },
    /// `Action::Close` is on its way.
    Closed,
}

/// What a connection does on one of its message streams.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) stream: MessageStreamId,
    pub(super) channel: ChannelId,
    /// How long it may go on.
    pub(super) ends: Time,
    pub(super) activity: Activity,
}

#[derive(Debug)]
pub(super) enum Activity {
    /// Wants to publish, and sends nothing before it is answered: the stream's home has been asked.
    Requesting {
        request: RequestId,
    },
    /// May send, and has no name yet: its first frame will claim one.
    Admitted,
    /// Its first frame has come, and waits: the stream's home has been asked for the name. Nothing is read meanwhile; what
    /// the session had read before waits with it.
    Claiming {
        frames: Vec<Frame>,
    },
    Publishing {
        epoch: Epoch,
    },
    /// Wants to play, and has no answer yet: the stream's home has been asked, or it waits for a publisher `until`.
    Seeking {
        request: RequestId,
        until: Option<Time>,
        wait: Duration,
        ask: PlayAsk,
        /// The stream with the name as it was typed, if that is another. It will do if only that is there.
        undecoded: Option<ChannelId>,
    },
    /// Plays. `until`: how long it still waits for a publisher.
    Playing {
        subscriber: SubscriberId,
        until: Option<Time>,
        has_started: bool,
        /// Since when it could have had its first frame. [`Time::NEVER`] while it waits for a publisher, and once it has had it.
        due_since: Time,
        since: Time,
        /// Bytes that the connection had sent before.
        sent_before: u64,
        /// How fast it is sent bytes.
        meter: Meter,
        /// When it last missed something.
        lagged: Option<Time>,
        /// When the output was last filled that had been drained.
        drained: Time,
    },
}

/// Characters of what a peer calls itself that are kept. 128: names and versions are shorter.
const MAX_AGENT: usize = 128;

impl Role {
    /// Whether it is that of a player whose stream has no publisher, or which has had no answer yet.
    pub(super) const fn waits_to_play(&self) -> bool {
        matches!(
            self.activity,
            Activity::Seeking { .. } | Activity::Playing { until: Some(_), .. }
        )
    }
}

impl LastWrite {
    /// Nothing was taken yet by a peer that has come `now`.
    pub(super) const fn none(now: Time) -> Self {
        LastWrite { at: now, sent: 0 }
    }

    /// So much has been taken by `now`, of all that there was.
    pub(super) const fn note(&mut self, now: Time, sent: u64) {
        if sent != self.sent {
            *self = LastWrite { at: now, sent };
        }
    }
}

impl Connection {
    /// Its peer, for those who watch.
    pub(super) fn peer(&self, id: ConnectionId) -> Peer {
        Peer {
            connection: id,
            address: self.peer,
            protocol: self.protocol.kind(),
        }
    }

    /// Keeps what an HTTP peer calls itself.
    pub(super) fn note_agent(&mut self, agent: Option<&str>) {
        if let Some(agent) = agent {
            self.said.get_or_insert_default().agent = agent.chars().take(MAX_AGENT).collect();
        }
    }

    /// What the peer calls itself, cut short.
    pub(super) fn agent(&self) -> Box<str> {
        let agent = self.said.as_ref().map_or("", |said| &said.agent);
        agent.chars().take(MAX_AGENT).collect()
    }

    /// Whether its peer has something to take. A program that is done with its connection takes nothing more.
    pub(super) fn has_output(&self) -> bool {
        let has_left = self.protocol.is_local() && self.half_closed.is_some();
        !has_left && self.protocol.has_output()
    }

    /// Whose requests it makes: nobody's, if it is the program's own.
    pub(super) fn address_to_charge(&self) -> Option<Address> {
        (!self.protocol.is_local()).then(|| self.peer.into())
    }

    pub(super) fn role(&mut self, stream: MessageStreamId) -> Option<&mut Role> {
        self.roles.iter_mut().find(|role| role.stream == stream)
    }

    /// Takes on one more role. It has memory for just what it has: a second is rare.
    pub(super) fn add_role(&mut self, role: Role) {
        self.roles.reserve_exact(1);
        self.roles.push(role);
    }

    /// Whether its first frame waits for a name.
    pub(super) fn is_claiming(&self) -> bool {
        let is_claiming = |role: &Role| matches!(role.activity, Activity::Claiming { .. });
        self.roles.iter().any(is_claiming)
    }

    /// Whether what it has sent waits for another worker's word: whether it may stay, or have a name.
    pub(super) fn is_kept_waiting(&self) -> bool {
        self.admission == Admission::Awaited || self.is_claiming()
    }

    /// Whether its input waits until a request is answered, or for another worker's word.
    pub(super) fn is_paused(&self) -> bool {
        self.protocol.is_paused() || self.is_kept_waiting()
    }

    /// Whether it may be read. While a request or a first frame waits too, once: a peer that has left is not to be waited for.
    pub(super) fn wants_input(&self) -> bool {
        match self.phase {
            Phase::Open => {
                let has_room = self.pending_input.is_empty() || self.reads_on();
                self.half_closed.is_none() && has_room
            }
            Phase::Lingering { .. } => true,
            Phase::Closed => false,
        }
    }

    /// Whether it is read on, up to a limit, though input waits. An HTTP request to play may wait for long, and a play keeps
    /// the next request waiting for as long as it goes on. An RTMP request is answered soon.
    pub(super) fn reads_on(&self) -> bool {
        let asks_to_publish = self.asking().is_some_and(|it| it.intent() == Intent::Publish);
        matches!(*self.protocol, Session::Http(_)) && !self.is_kept_waiting() && !asks_to_publish
    }

    pub(super) fn is_publishing(&self) -> bool {
        let is_publishing = |role: &Role| matches!(role.activity, Activity::Publishing { .. });
        self.roles.iter().any(is_publishing)
    }

    /// When it has sent nothing for so long that it is worth a word, if it publishes.
    pub(super) fn silence_due(&self) -> Option<Time> {
        let is_heard = !self.is_silent && self.is_publishing();
        is_heard.then(|| self.last_input + PUBLISHER_SILENCE)
    }

    /// When to look at it next. A loop, because it is asked after every frame to a player.
    pub(super) fn due(&self) -> Time {
        match self.phase {
            Phase::Open => {
                let never = |due: Option<Time>| due.unwrap_or(Time::NEVER);
                let mut due = never(self.protocol.poll_timeout());
                for role in &self.roles {
                    due = due.min(role.ends);
                    match role.activity {
                        Activity::Seeking { until, .. } | Activity::Playing { until, .. } => {
                            due = due.min(never(until))
                        }
                        Activity::Publishing { .. } if !self.is_silent => {
                            due = due.min(self.last_input + PUBLISHER_SILENCE)
                        }
                        Activity::Requesting { .. }
                        | Activity::Admitted
                        | Activity::Claiming { .. }
                        | Activity::Publishing { .. } => {}
                    }
                }
                if let Some(half_closed) = &self.half_closed {
                    due = due.min(half_closed.until);
                }
                if let Some(asking) = self.asking() {
                    due = due.min(asking.until);
                }
                due
            }
            Phase::Lingering { until } => until,
            Phase::Closed => Time::NEVER,
        }
    }
}
