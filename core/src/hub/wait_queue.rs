//! Players that have everything there is, by how long a frame may wait for others before it is offered to them.

use super::SubscriberId;
use super::ring::Sequence;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

/// Merging delays that players may choose from; what they ask for is rounded down. Few, so that players share groups.
const STEPS_MILLIS: [u64; 8] = [0, 10, 20, 50, 100, 200, 500, 1_000];

/// The parked players of a channel.
#[derive(Debug)]
pub(super) struct WaitQueue {
    /// The first is for players that asked for nothing.
    groups: Vec<MergeGroup>,
    /// Players that were announced something and that `pop` has not handed out yet.
    waking: Vec<SubscriberId>,
}

/// Parked players with one merging delay.
#[derive(Debug)]
struct MergeGroup {
    delay: Duration,
    parked: Vec<SubscriberId>,
    is_merging: bool,
    /// The first frame that its players have not been woken for.
    unannounced_from: Option<Sequence>,
}

/// A group of a [`WaitQueue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupId(u8);

impl WaitQueue {
    pub(super) fn new(delay: Duration) -> Self {
        WaitQueue {
            groups: vec![MergeGroup::new(delay)],
            waking: Vec::new(),
        }
    }

    /// The group for a player that wants frames to wait no longer than `delay`, made if it is new.
    pub(super) fn group(&mut self, delay: Option<Duration>) -> GroupId {
        let Some(delay) = delay else { return GroupId(0) };
        let rounded = STEPS_MILLIS
            .map(Duration::from_millis)
            .into_iter()
            .rev()
            .find(|step| *step <= delay);
        let wanted = [delay, rounded.unwrap_or_default()];
        let index = self
            .groups
            .iter()
            .position(|group| wanted.contains(&group.delay))
            .unwrap_or_else(|| {
                self.groups.push(MergeGroup::new(rounded.unwrap_or_default()));
                self.groups.len() - 1
            });
        // One group per step and one more at most.
        GroupId(u8::try_from(index).unwrap_or(0))
    }

    pub(super) fn park(&mut self, group: GroupId, id: SubscriberId) {
        if let Some(group) = self.groups.get_mut(usize::from(group.0)) {
            group.parked.push(id);
        }
    }

    /// Forgets a player. O(parked players).
    pub(super) fn remove(&mut self, group: GroupId, id: SubscriberId) {
        if let Some(group) = self.groups.get_mut(usize::from(group.0)) {
            group.parked.retain(|parked| *parked != id);
        }
        self.waking.retain(|waking| *waking != id);
    }

    /// How many players are parked, and the first frame that one of them has not been woken for if frame `end` comes
    /// now.
    pub(super) fn before_push(&mut self, end: Sequence) -> (usize, Sequence) {
        self.groups.iter_mut().fold((0, end), |(parked, needed_from), group| {
            if group.parked.is_empty() {
                return (parked, needed_from);
            }
            let unannounced_from = *group.unannounced_from.get_or_insert(end);
            (parked + group.parked.len(), needed_from.min(unannounced_from))
        })
    }

    /// There is something new: wakes the groups without a delay, and names those whose delay begins now. Returns whether
    /// any player is to be handed out that was not before.
    pub(super) fn announce(&mut self, mut begin_delay: impl FnMut(GroupId, Duration)) -> bool {
        let was_idle = self.waking.is_empty();
        for (index, group) in (0..).zip(&mut self.groups) {
            if group.parked.is_empty() {
                continue;
            }
            if group.delay.is_zero() {
                group.wake(&mut self.waking);
            } else if !group.is_merging {
                group.is_merging = true;
                begin_delay(GroupId(index), group.delay);
            }
        }
        was_idle && !self.waking.is_empty()
    }

    /// The delay of a group is over. Returns as `announce` does.
    pub(super) fn end_delay(&mut self, group: GroupId) -> bool {
        let was_idle = self.waking.is_empty();
        if let Some(group) = self.groups.get_mut(usize::from(group.0)) {
            group.wake(&mut self.waking);
        }
        was_idle && !self.waking.is_empty()
    }

    /// The next player to wake.
    pub(super) fn pop(&mut self) -> Option<SubscriberId> {
        self.waking.pop()
    }
}

impl MergeGroup {
    fn new(delay: Duration) -> Self {
        MergeGroup {
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
