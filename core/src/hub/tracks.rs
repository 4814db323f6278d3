//! What a stream has: sound, pictures, or both.
//!
//! A player by HTTP or WebSocket is told once, in the first bytes, which kinds of media follow. Browsers wait for ever for a
//! kind that was promised and does not come, and pass over one that was not promised. So the promise must be right, and
//! nobody can know for sure: encoders announce sound and never send any, start their camera seconds after their
//! microphone, come back without one of them, or switch one off. These are the rules:
//!
//! - A kind is there once a *coded* frame of it came, since a header is only a plan. Players wait for a kind that metadata
//!   or a header names for [`NAMED_WAIT`], for one that nothing speaks of until [`UNNAMED_FRAMES`] others have come, and not
//!   at all for one that metadata denies. What is there then is **settled**, for all players alike.
//! - A player that joins later is answered at once. It is promised what is settled, less what has been [silent](SILENCE).
//! - A kind that appears later is added, and one that is [gone](GONE) is taken away. A player that was promised
//!   something else is ended, and pulls again. A kind that comes back once more is left out until it has been there [for
//!   long](STEADY), so that a microphone that comes and goes does not end everybody's response each time. A picture lasts
//!   until the next one, so that pictures that come back [soon](RARE) may stay away for twice as long from then on.
//!
//! All times are times of arrival: the newest frame says what time it is, and a pause of all kinds counts only [in
//! part](MAX_PAUSE). Each frame costs a few comparisons, and each
//! player none unless its promise is wrong. RTMP players are promised nothing and are not concerned.

use crate::Time;
use crate::media::script::Named;
use crate::media::{Frame, FrameKind};
use core::time::Duration;

/// How long players wait for a kind that metadata or a header names, from the first coded frame on. 3 s: phones send up
/// to two seconds of sound before their first picture.
const NAMED_WAIT: Duration = Duration::from_secs(3);

/// Coded frames after which a kind that nothing speaks of is not waited for any more, and the time for it. 10 frames: encoders
/// without metadata still send their headers first.
const UNNAMED_FRAMES: u64 = 10;
const UNNAMED_WAIT: Duration = Duration::from_secs(2);

/// A kind without a frame for this long is not promised to a player that joins. 5 s: longer than encoders take between two
/// pictures.
const SILENCE: Duration = Duration::from_secs(5);

/// A kind without a frame for this long is gone, also for players that were promised it: browsers have been frozen since
/// their buffer ran out. 10 s: as long as a publisher may be away.
const GONE: Duration = Duration::from_secs(10);

/// How long a kind that has come back before must be there, without a [silence](SILENCE), until it counts again. 60 s: each
/// time ends the responses of all players.
const STEADY: Duration = Duration::from_secs(60);

/// Pictures that come back after this time or less are rare, and not gone: slides, cameras that look now and then. 60 s: browsers
/// stand still for twice as long before pictures that are gone after all are.
const RARE: Duration = Duration::from_secs(60);

/// As much of a pause in which nothing came at all counts for each kind: a publisher whose network stands still has switched
/// nothing off. 2 s: longer than a camera takes between two pictures at one a second.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Which kinds of media a stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct Tracks {
    /// There is sound.
    pub audio: bool,
    /// There are pictures.
    pub video: bool,
}

impl Tracks {
    /// Whether frames of `kind` are among them. Data always is.
    #[must_use]
    pub const fn has(self, kind: FrameKind) -> bool {
        match kind {
            FrameKind::Audio => self.audio,
            FrameKind::Video => self.video,
            FrameKind::Data => true,
        }
    }

    const fn both(audio: bool, video: bool) -> Tracks {
        Tracks { audio, video }
    }
}

/// What was seen of one publisher's kinds of media, and what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Watch {
    audio: Kind,
    video: Kind,
    /// When its first coded frame came, and its newest.
    first: Option<Time>,
    newest: Option<Time>,
    /// Its coded frames.
    frames: u64,
    settled: Option<Tracks>,
}

/// One kind of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Kind {
    /// What metadata says of it.
    metadata: Option<bool>,
    has_header: bool,
    /// When its newest coded frame came.
    newest: Option<Time>,
    /// Since when it has not been silent.
    steady_since: Option<Time>,
    /// How long it may be away, beyond what others may: twice as long as it was before it came back.
    leave: Duration,
    /// Whether it was added to what had been settled.
    was_added: bool,
}

impl Watch {
    /// Metadata says this of the kinds.
    pub(super) fn metadata(&mut self, named: Named) {
        self.audio.metadata = named.audio;
        self.video.metadata = named.video;
    }

    /// A sequence header came.
    pub(super) fn header(&mut self, frame: &Frame) {
        if let Some(kind) = self.kind_mut(frame) {
            kind.has_header = true;
        }
    }

    /// A coded frame came.
    pub(super) fn coded(&mut self, now: Time, frame: &Frame) {
        if self.kind_mut(frame).is_none() {
            return;
        }
        self.leave_out_pause(now);
        let Some(kind) = self.kind_mut(frame) else { return };
        kind.came(now, frame.kind == FrameKind::Video);
        self.frames += 1;
        self.first.get_or_insert(now);
        self.update(now);
    }

    /// What was seen moves on by the time for which nothing came. The wait for a kind does not get longer by it: players have
    /// no head of a response meanwhile.
    fn leave_out_pause(&mut self, now: Time) {
        let pause = self.newest.map_or(Duration::ZERO, |newest| now.since(newest));
        let left_out = pause.saturating_sub(MAX_PAUSE);
        if left_out.is_zero() {
            return;
        }
        for time in [&mut self.audio.newest, &mut self.video.newest] {
            *time = time.map(|time| time + left_out);
        }
    }

    /// Players by FLV get the first track only, so that no other makes a kind.
    fn kind_mut(&mut self, frame: &Frame) -> Option<&mut Kind> {
        match frame.kind {
            _ if frame.track.0 != 0 => None,
            FrameKind::Audio => Some(&mut self.audio),
            FrameKind::Video => Some(&mut self.video),
            FrameKind::Data => None,
        }
    }

    fn update(&mut self, now: Time) {
        self.newest = Some(now);
        let Some(settled) = self.settled else {
            self.settled = self.is_settled(now).then(|| self.seen());
            return;
        };
        let kept = Tracks::both(
            self.audio.stays(now, settled.audio),
            self.video.stays(now, settled.video),
        );
        // A kind that comes and goes is better than none, and than rare pictures alone.
        let lasts = kept.audio && self.audio.is_within(GONE, now) || kept.video && self.video.is_within(GONE, now);
        self.settled = Some(if lasts { kept } else { self.heard(now) });
    }

    /// The kinds that are not silent.
    fn heard(&self, now: Time) -> Tracks {
        Tracks::both(self.audio.is_heard(now), self.video.is_heard(now))
    }

    fn is_settled(&self, now: Time) -> bool {
        let waited = self.first.map_or(Duration::ZERO, |first| now.since(first));
        let is_done = |kind: &Kind| {
            kind.newest.is_some()
                || match kind.metadata {
                    Some(false) => true,
                    Some(true) => waited >= NAMED_WAIT,
                    None if kind.has_header => waited >= NAMED_WAIT,
                    None => self.frames >= UNNAMED_FRAMES || waited >= UNNAMED_WAIT,
                }
        };
        self.seen() != Tracks::default() && is_done(&self.audio) && is_done(&self.video)
    }

    /// The kinds of which a coded frame came.
    pub(super) fn seen(&self) -> Tracks {
        Tracks::both(self.audio.newest.is_some(), self.video.newest.is_some())
    }

    /// What is settled, if it is.
    pub(super) fn settled(&self) -> Option<Tracks> {
        self.settled
    }

    /// What a player is promised that joins now; `None` until that can be said.
    pub(super) fn promise(&self) -> Option<Tracks> {
        let settled = self.settled?;
        let heard = self.heard(self.newest.unwrap_or(Time::ZERO));
        let both = Tracks::both(settled.audio && heard.audio, settled.video && heard.video);
        Some(if both == Tracks::default() { settled } else { both })
    }

    /// Whether a player was promised something that is not there.
    pub(super) fn breaks(&self, promised: Tracks) -> bool {
        self.settled
            .is_some_and(|it| promised.audio && !it.audio || promised.video && !it.video)
    }

    /// Whether `kind`, which a player was not promised, is there now, so that the player must pull again.
    pub(super) fn has_now(&self, kind: FrameKind) -> bool {
        let heard = self.heard(self.newest.unwrap_or(Time::ZERO));
        kind != FrameKind::Data && heard.has(kind) && self.settled.is_none_or(|settled| settled.has(kind))
    }

    /// Whether pictures come at present, so that a player that joins is to see the cached ones.
    pub(super) fn has_pictures(&self) -> bool {
        self.video.is_heard(self.newest.unwrap_or(Time::ZERO))
    }

    /// When the newest picture came.
    pub(super) fn newest_picture(&self) -> Option<Time> {
        self.video.newest
    }

    /// The same, as if its newest message had come at `now`: for a worker whose clock has another zero.
    pub(super) fn moved_to(self, now: Time) -> Watch {
        let Some(newest) = self.newest else { return self };
        let moved = |time: Time| {
            let age = newest.as_micros().saturating_sub(time.as_micros());
            Time::from_micros(now.as_micros().saturating_sub(age))
        };
        let kind = |kind: Kind| Kind {
            newest: kind.newest.map(moved),
            steady_since: kind.steady_since.map(moved),
            ..kind
        };
        Watch {
            audio: kind(self.audio),
            video: kind(self.video),
            first: self.first.map(moved),
            newest: Some(now),
            ..self
        }
    }

    /// As of a publisher that has sent `frames` coded frames of these kinds.
    #[cfg(test)]
    pub(super) fn of(now: Time, tracks: Tracks, frames: u64) -> Watch {
        let kind = |is_there: bool| Kind {
            newest: is_there.then_some(now),
            steady_since: is_there.then_some(now),
            ..Kind::default()
        };
        let mut watch = Watch {
            audio: kind(tracks.audio),
            video: kind(tracks.video),
            first: Some(now),
            newest: Some(now),
            frames,
            ..Watch::default()
        };
        watch.update(now);
        watch
    }

    /// Coded frames so far.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }
}

impl Kind {
    fn is_within(&self, span: Duration, now: Time) -> bool {
        self.newest.is_some_and(|newest| now.since(newest) < span)
    }

    fn is_heard(&self, now: Time) -> bool {
        self.is_within(SILENCE.max(self.leave), now)
    }

    fn came(&mut self, now: Time, may_be_rare: bool) {
        if !self.is_within(SILENCE, now) {
            self.steady_since = Some(now);
            let away = self.newest.map_or(Duration::MAX, |newest| now.since(newest));
            self.leave = if may_be_rare && away <= RARE {
                self.leave.max(away * 2)
            } else {
                Duration::ZERO
            };
        } else if self.is_steady(now) {
            self.leave = Duration::ZERO;
        }
        self.newest = Some(now);
    }

    fn is_steady(&self, now: Time) -> bool {
        self.steady_since.is_some_and(|since| now.since(since) >= STEADY)
    }

    /// Whether the kind is there from now on, which was settled or not.
    fn stays(&mut self, now: Time, is_settled: bool) -> bool {
        if is_settled {
            return self.is_within(GONE.max(self.leave), now);
        }
        let is_added = self.newest == Some(now) && (!self.was_added || !self.leave.is_zero() || self.is_steady(now));
        self.was_added |= is_added;
        is_added
    }
}
