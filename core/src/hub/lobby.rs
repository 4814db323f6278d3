//! Players that have everything there is, by how long a frame may wait for others before it is offered to them.

use super::SubscriberId;
use super::ring::Sequence;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

/// Merging delays that players may choose from; what they ask for is rounded down. Few, so that players share lanes.
const STEPS_MILLIS: [u64; 8] = [0, 10, 20, 50, 100, 200, 500, 1_000];

/// The parked players of a channel.
#[derive(Debug)]
pub(super) struct Lobby {
    /// The first is for players that asked for nothing.
    lanes: Vec<Lane>,
    /// Players that were announced something and that `pop` has not handed out yet.
    waking: Vec<SubscriberId>,
}

/// Parked players with one merging delay.
#[derive(Debug)]
struct Lane {
    delay: Duration,
    parked: Vec<SubscriberId>,
    is_merging: bool,
    /// The first frame that its players have not been woken for.
    unannounced_from: Option<Sequence>,
}

/// A lane of a [`Lobby`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneId(u8);

impl Lobby {
    pub(super) fn new(delay: Duration) -> Self {
        Lobby {
            lanes: vec![Lane::new(delay)],
            waking: Vec::new(),
        }
    }

    /// The lane for a player that wants frames to wait no longer than `delay`, made if it is new.
    pub(super) fn lane(&mut self, delay: Option<Duration>) -> LaneId {
        let Some(delay) = delay else { return LaneId(0) };
        let rounded = STEPS_MILLIS
            .map(Duration::from_millis)
            .into_iter()
            .rev()
            .find(|step| *step <= delay);
        let wanted = [delay, rounded.unwrap_or_default()];
        let index = self
            .lanes
            .iter()
            .position(|lane| wanted.contains(&lane.delay))
            .unwrap_or_else(|| {
                self.lanes.push(Lane::new(rounded.unwrap_or_default()));
                self.lanes.len() - 1
            });
        // One lane per step and one more at most.
        LaneId(u8::try_from(index).unwrap_or(0))
    }

    pub(super) fn park(&mut self, lane: LaneId, id: SubscriberId) {
        if let Some(lane) = self.lanes.get_mut(usize::from(lane.0)) {
            lane.parked.push(id);
        }
    }

    /// Forgets a player. O(parked players).
    pub(super) fn remove(&mut self, lane: LaneId, id: SubscriberId) {
        if let Some(lane) = self.lanes.get_mut(usize::from(lane.0)) {
            lane.parked.retain(|parked| *parked != id);
        }
        self.waking.retain(|waking| *waking != id);
    }

    /// How many players are parked, and the first frame that one of them has not been woken for if frame `end` comes
    /// now.
    pub(super) fn before_push(&mut self, end: Sequence) -> (usize, Sequence) {
        self.lanes.iter_mut().fold((0, end), |(parked, needed_from), lane| {
            if lane.parked.is_empty() {
                return (parked, needed_from);
            }
            let unannounced_from = *lane.unannounced_from.get_or_insert(end);
            (parked + lane.parked.len(), needed_from.min(unannounced_from))
        })
    }

    /// There is something new: wakes the lanes without a delay, and names those whose delay begins now. Returns whether
    /// anybody is to be handed out who was not before.
    pub(super) fn announce(&mut self, mut begin_delay: impl FnMut(LaneId, Duration)) -> bool {
        let was_idle = self.waking.is_empty();
        for (index, lane) in (0..).zip(&mut self.lanes) {
            if lane.parked.is_empty() {
                continue;
            }
            if lane.delay.is_zero() {
                lane.wake(&mut self.waking);
            } else if !lane.is_merging {
                lane.is_merging = true;
                begin_delay(LaneId(index), lane.delay);
            }
        }
        was_idle && !self.waking.is_empty()
    }

    /// The delay of a lane is over. Returns as `announce` does.
    pub(super) fn end_delay(&mut self, lane: LaneId) -> bool {
        let was_idle = self.waking.is_empty();
        if let Some(lane) = self.lanes.get_mut(usize::from(lane.0)) {
            lane.wake(&mut self.waking);
        }
        was_idle && !self.waking.is_empty()
    }

    /// The next player to wake.
    pub(super) fn pop(&mut self) -> Option<SubscriberId> {
        self.waking.pop()
    }
}

impl Lane {
    fn new(delay: Duration) -> Self {
        Lane {
            delay,
            parked: Vec::new(),
            is_merging: false,
            unannounced_from: None,
        }
    }

    fn wake(&mut self, waking: &mut Vec<SubscriberId>) {
        self.is_merging = false;
        self.unannounced_from = None;
        waking.append(&mut self.parked);
    }
}
