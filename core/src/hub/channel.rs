//! One stream: frames in from its publisher, frames out to its players.

use super::ChannelConfig;
use super::headers::{Headers, Stored};
use super::lobby::Lobby;
use super::ring::{Ring, Sequence, Slot};
use super::subscriber::{AwaitsKeyframe, LagLimit, SkipStep, Subscriber, SubscriberStats};
use super::timeline::{Timeline, TimelineStats};
use super::tracks::{Tracks, Watch};
use crate::media::adts::{self, Adts};
use crate::media::{self, Codec, Frame, FrameClass, FrameKind};
use crate::time::PerSecond;
use crate::{Time, Timestamp};
use alloc::sync::Arc;
use core::mem;
use core::time::Duration;
use slab::Slab;

/// A stream without a keyframe for this long has none. 20 s: twice the longest interval that encoders are usually set to.
const MAX_KEYFRAME_INTERVAL: Duration = Duration::from_secs(20);

/// The longest that sound waits for pictures, and how long pictures may stay away before it waits for them no longer. 1 s:
/// with cached GOPs nothing waits, most encoders without send a keyframe each second or two, and more silence than that
/// reads as a broken stream.
const SOUND_WAIT: Duration = Duration::from_secs(1);

/// Frames that a joining player looks ahead for the earliest time, which becomes its zero: more than encoders interleave.
const BASE_LOOKAHEAD: usize = 64;

/// One stream: headers, a ring of frames and a cursor per player.
///
/// It outlives its publisher: [`begin`](Self::begin) starts each one on the same time line.
#[derive(Debug)]
pub struct Channel {
    config: Arc<ChannelConfig>,
    timeline: Timeline,
    headers: Headers,
    ring: Ring,
    /// Which kinds of media the present publisher has sent.
    watch: Watch,
    /// The sequence header that was made for its sound in ADTS.
    adts: Option<adts::Config>,
    /// When its last keyframe came, or may have come.
    last_keyframe: Option<Time>,
    header_changes: PerSecond,
    is_unsteady: bool,
    subscribers: Slab<Subscriber>,
    lobby: Lobby,
    /// Players that get nothing before the tracks are known.
    awaiting_tracks: usize,
    /// How often the stream has ended. Players of an earlier life get what is left of the last one, no more.
    life: u32,
    ended: Ended,
    stats: ChannelStats,
}

/// What players of a stream that has ended still need.
#[derive(Debug, Default)]
struct Ended {
    at: Sequence,
    headers: Headers,
    tracks: Tracks,
}

/// A player of one [`Channel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubscriberId(u32);

/// How a player joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Join {
    /// The caller's name for the player, handed back by [`Hub::poll_wake`](super::Hub::poll_wake).
    pub token: u64,
    /// Whether nothing is to be given out before [`Channel::tracks`] is known.
    pub needs_tracks: bool,
    /// How long a frame may wait for others before it is offered to this player, if it is not to be
    /// [`ChannelConfig::merge`]. At most [`ChannelConfig::max_merge`]; rounded down to 0, 10, 20, 50, 100, 200, 500 ms
    /// or 1 s.
    pub merge: Option<Duration>,
}

/// What a player gets next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Next {
    /// A frame, on the player's own time line.
    Frame(Frame),
    /// Nothing yet; the player is parked and will be woken.
    Pending,
    /// The player is too slow for the stream and begins to miss frames. Told once per step until it has caught up.
    Skipped {
        /// What is left out.
        step: SkipStep,
        /// The bound that was reached.
        limit: LagLimit,
        /// Frames left out so far by this player, of all classes.
        missed: u64,
    },
    /// The stream is over and everything has been given out.
    Ended,
    /// The stream has other kinds of media than the player was [told](Channel::tracks_of), so that it must join anew. Only
    /// for players that need to know them.
    Changed,
}

/// What a publisher has sent before it comes to a channel: which kinds of media, when, and what follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Past {
    pub(super) watch: Watch,
    pub(super) adts: Option<adts::Config>,
}

/// What a channel has seen of its present or last publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ChannelStats {
    /// Frames pushed.
    pub frames: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Repeated sequence headers and metadata, and oversized ones, left out.
    pub repeated_headers: u64,
    /// Frames of a codec that needs a sequence header, sent before it; left out, since no decoder can use them.
    pub without_header: u64,
    /// GOPs that outgrew the cache.
    pub gop_overflows: u64,
    /// What the time line repaired.
    pub timeline: TimelineStats,
}

impl Channel {
    /// An empty channel.
    #[must_use]
    pub fn new(config: Arc<ChannelConfig>) -> Self {
        let lobby = Lobby::new(config.merge);
        Channel {
            config,
            timeline: Timeline::new(),
            headers: Headers::default(),
            ring: Ring::default(),
            watch: Watch::default(),
            adts: None,
            last_keyframe: None,
            header_changes: PerSecond::default(),
            is_unsteady: false,
            subscribers: Slab::new(),
            lobby,
            awaiting_tracks: 0,
            life: 0,
            ended: Ended::default(),
            stats: ChannelStats::default(),
        }
    }

    /// A publisher begins, the first one or another. Its times continue the time line, and players that are there get
    /// its pictures from its first keyframe on.
    pub fn begin(&mut self, now: Time) {
        self.restart(now, Past::default(), false);
    }

    /// As [`begin`](Self::begin), for a publisher that has sent the `past` elsewhere. If that was anything, its sound waits
    /// for its pictures, as for everybody who joins in the middle.
    pub fn begin_midway(&mut self, now: Time, past: Past) {
        self.restart(now, past, past.watch.frames() > 0);
    }

    /// As [`begin_midway`](Self::begin_midway), for a publisher of which some frames were lost on the way: players that
    /// are there wait for its pictures, but their sound goes on.
    pub fn resume(&mut self, now: Time, past: Past) {
        self.restart(now, past, false);
    }

    /// Takes a frame in.
    ///
    /// O(1) whatever the number of players, and no copy of the payload, but for sound in ADTS: players get it raw, with a
    /// sequence header if the publisher sends none. Repeated headers, and frames that no decoder can use yet, are left out. Call [`Hub::announce`](super::Hub::announce) afterwards, once for any number of
    /// frames.
    pub fn push(&mut self, now: Time, frame: Frame) {
        self.stats.frames += 1;
        self.stats.bytes += frame.payload.len() as u64;
        self.trim(now);
        match Adts::read(&frame) {
            None => self.store(now, frame),
            Some(adts) => self.store_adts(now, &adts),
        }
        self.stats.gop_overflows += u64::from(self.ring.bound_gop(&self.config));
    }

    fn store(&mut self, now: Time, frame: Frame) {
        match frame.class {
            FrameClass::SequenceHeader | FrameClass::Supplement | FrameClass::Metadata => self.push_header(now, frame),
            FrameClass::Keyframe | FrameClass::Inter | FrameClass::Disposable => self.push_coded(now, frame),
            FrameClass::Other => {
                let time = self.timeline.place(now, frame.kind, frame.timestamp);
                self.ring.push(frame, time, now);
            }
        }
    }

    /// The header is made once, and not where the publisher sends its own, which may say more.
    fn store_adts(&mut self, now: Time, adts: &Adts) {
        let header = adts.header();
        let is_own = self.adts.is_none() && self.headers.is_fresh(header.kind, header.track);
        if !is_own && self.adts.replace(adts.config()) != Some(adts.config()) {
            self.store(now, header);
        }
        adts.frames().for_each(|frame| self.store(now, frame));
    }

    /// Takes in frames of the publisher's [`Past`], which come in one go: for players that had everything they are the burst
    /// with which they begin, and no lag. O(frames and players).
    pub fn push_burst(&mut self, now: Time, frames: impl IntoIterator<Item = Frame>) {
        let (start, watch) = (self.ring.end(), self.watch);
        for frame in frames {
            self.push(now, frame);
        }
        self.watch = watch;
        let (end, life) = (self.ring.end(), self.life);
        let had_all = |it: &Subscriber| it.life == life && it.cursor >= start;
        for (_, subscriber) in self.subscribers.iter_mut().filter(|(_, it)| had_all(it)) {
            subscriber.anchor = end;
        }
    }

    /// The publisher took its metadata back: who joins from now on gets none.
    pub fn clear_metadata(&mut self) {
        self.headers.clear_metadata();
    }

    /// The stream is over: its players get what there is, then [`Next::Ended`]. Who subscribes from now on waits for
    /// the next publisher and sees nothing of this one.
    pub fn end(&mut self) {
        self.life += 1;
        self.ended = Ended {
            at: self.ring.end(),
            headers: mem::take(&mut self.headers),
            tracks: self.watch.promise().unwrap_or(self.watch.seen()),
        };
        self.forget_media();
    }

    /// A player joins: headers and the GOP cache first, if there are any, then the live frames.
    ///
    /// Without a GOP cache it waits for the next keyframe if the stream has video. Its sound waits too, for at most a second,
    /// and not at all if it wants no video or if no picture came for a second.
    pub fn subscribe(&mut self, now: Time, join: Join) -> SubscriberId {
        let cursor = self.ring.gop_start().unwrap_or(self.ring.end());
        let awaits = self.ring.gop_start().is_none();
        self.awaiting_tracks += usize::from(join.needs_tracks);
        let lane = self
            .lobby
            .lane(join.merge.map(|asked| asked.min(self.config.max_merge)));
        let index = self.subscribers.insert(Subscriber {
            token: join.token,
            lane,
            life: self.life,
            cursor,
            anchor: self.ring.end(),
            base: None,
            headers_due: Some(0),
            headers_until: 0,
            awaits: awaits.then_some(AwaitsKeyframe {
                since: now,
                audio_too: self.watch.frames() > 0,
                is_slow: false,
            }),
            is_parked: false,
            needs_tracks: join.needs_tracks,
            promised: None,
            is_paused: false,
            wants_audio: true,
            wants_video: true,
            reported: None,
            stats: SubscriberStats::default(),
        });
        SubscriberId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// A player leaves. O(parked players).
    pub fn unsubscribe(&mut self, id: SubscriberId) -> Option<SubscriberStats> {
        let subscriber = self.subscribers.try_remove(id.0 as usize)?;
        self.awaiting_tracks -= usize::from(subscriber.needs_tracks);
        if subscriber.is_parked {
            self.lobby.remove(subscriber.lane, id);
        }
        Some(subscriber.stats)
    }

    /// What the player gets next. [`Next::Pending`] parks it until there is more.
    ///
    /// Cost: no allocation; the payload is shared. Frames that the player is to miss are passed over in one go.
    pub fn next(&mut self, id: SubscriberId) -> Next {
        let Some(subscriber) = self.subscribers.get_mut(id.0 as usize) else {
            return Next::Ended;
        };
        let has_ended = subscriber.life != self.life;
        let has_all = subscriber.cursor >= self.ended.at || subscriber.life + 1 < self.life;
        if has_ended && (has_all || subscriber.is_paused) {
            return Next::Ended;
        }
        if subscriber.needs_tracks || subscriber.is_paused {
            let promise = if has_ended {
                Some(self.ended.tracks)
            } else {
                self.watch.promise()
            };
            if promise.is_none() || subscriber.is_paused {
                return self.park(id);
            }
            subscriber.needs_tracks = false;
            subscriber.promised = promise;
            // What came while it waited is the burst with which it begins, and no lag.
            subscriber.anchor = self.ring.end();
            self.awaiting_tracks -= 1;
        }
        if subscriber
            .promised
            .is_some_and(|it| !has_ended && self.watch.breaks(it))
        {
            return Next::Changed;
        }
        let view = View {
            config: &self.config,
            headers: if has_ended { &self.ended.headers } else { &self.headers },
            ring: &self.ring,
            watch: &self.watch,
            has_ended,
            has_video: if has_ended {
                self.ended.tracks.video
            } else {
                self.watch.seen().video
            },
            last_keyframe: self.last_keyframe,
        };
        match view.next(subscriber, self.timeline.current()) {
            Some(next) => next,
            None if has_ended => Next::Ended,
            None => self.park(id),
        }
    }

    /// Stops or resumes a player. On resuming it continues at the live edge, with headers and a keyframe.
    pub fn set_paused(&mut self, now: Time, id: SubscriberId, paused: bool) {
        let end = self.ring.end();
        if let Some(subscriber) = self.subscribers.get_mut(id.0 as usize) {
            if subscriber.is_paused && !paused {
                subscriber.cursor = end;
                subscriber.anchor = end;
                subscriber.start_over(now);
            }
            subscriber.is_paused = paused;
        }
    }

    /// Says whether a player wants frames of `kind`. When video comes back it starts at a keyframe.
    pub fn set_wanted(&mut self, now: Time, id: SubscriberId, kind: FrameKind, wanted: bool) {
        let Some(subscriber) = self.subscribers.get_mut(id.0 as usize) else {
            return;
        };
        match kind {
            FrameKind::Audio => subscriber.wants_audio = wanted,
            FrameKind::Video => {
                if wanted && !subscriber.wants_video {
                    subscriber.awaits = Some(AwaitsKeyframe {
                        since: now,
                        audio_too: false,
                        is_slow: false,
                    });
                }
                subscriber.wants_video = wanted;
            }
            FrameKind::Data => {}
        }
        subscriber.headers_due = Some(0);
    }

    /// What the present publisher has sent so far, for another channel that it is to [begin](Self::begin_midway) in.
    #[must_use]
    pub fn past(&self) -> Past {
        Past {
            watch: self.watch,
            adts: self.adts,
        }
    }

    /// Whether the publisher has changed its sequence headers more often than
    /// [`ChannelConfig::max_header_changes`] allow: nothing that a player could show.
    #[must_use]
    pub fn is_unsteady(&self) -> bool {
        self.is_unsteady
    }

    /// Which kinds of media a player that joins now can rely on, as soon as that can be said: at once in a stream that is
    /// running, and at the beginning once both kinds came, or one that was announced did not come in 3 s.
    #[must_use]
    pub fn tracks(&self) -> Option<Tracks> {
        self.watch.promise()
    }

    /// The [tracks](Self::tracks) that a player was told of, or would be now. From its first frame on it gets these only,
    /// and [`Next::Changed`] when they are wrong.
    #[must_use]
    pub fn tracks_of(&self, id: SubscriberId) -> Option<Tracks> {
        let subscriber = self.subscribers.get(id.0 as usize)?;
        match subscriber.promised {
            None if subscriber.life == self.life => self.tracks(),
            None => Some(self.ended.tracks),
            promised => promised,
        }
    }

    /// The metadata and sequence headers that a joining player would get, in that order.
    pub fn headers(&self) -> impl Iterator<Item = &Frame> {
        self.headers.iter()
    }

    /// The frames of the GOP cache, in order, with the publisher's own timestamps. Headers among them are left out: a
    /// joining player gets the present [`headers`](Self::headers) instead.
    pub fn gop(&self) -> impl Iterator<Item = &Frame> {
        let start = self.ring.gop_start().unwrap_or(self.ring.end());
        let frames = self.ring.range(start, usize::MAX).map(|slot| &slot.frame);
        frames.filter(|frame| !frame.class.is_header())
    }

    /// Players subscribed.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.subscribers.len()
    }

    /// What a player has received and missed.
    #[must_use]
    pub fn subscriber_stats(&self, id: SubscriberId) -> Option<SubscriberStats> {
        Some(self.subscribers.get(id.0 as usize)?.stats)
    }

    /// What the channel has seen.
    #[must_use]
    pub fn stats(&self) -> ChannelStats {
        ChannelStats {
            timeline: self.timeline.stats(),
            ..self.stats
        }
    }

    /// Payload bytes and frames in the ring.
    #[must_use]
    pub fn held(&self) -> (u64, usize) {
        (self.ring.bytes(), self.ring.len())
    }

    pub(super) fn lobby(&mut self) -> &mut Lobby {
        &mut self.lobby
    }

    pub(super) fn poll_wake(&mut self) -> Option<u64> {
        let id = self.lobby.pop()?;
        let subscriber = self.subscribers.get_mut(id.0 as usize)?;
        subscriber.is_parked = false;
        Some(subscriber.token)
    }

    fn park(&mut self, id: SubscriberId) -> Next {
        if let Some(subscriber) = self.subscribers.get_mut(id.0 as usize)
            && !subscriber.is_parked
        {
            subscriber.is_parked = true;
            self.lobby.park(subscriber.lane, id);
        }
        Next::Pending
    }

    /// Lets go of frames that nobody waits for any more.
    fn trim(&mut self, now: Time) {
        let (parked, unannounced_from) = self.lobby.before_push(self.ring.end());
        // Who still waits for the tracks to be known is parked as well, but has not taken what was there.
        let is_all_parked = parked == self.subscribers.len() && self.awaiting_tracks == 0;
        let needed_from = is_all_parked.then_some(unannounced_from);
        self.ring.trim(now, &self.config, needed_from);
    }

    fn push_header(&mut self, now: Time, frame: Frame) {
        let stored = self.headers.store(&frame);
        match frame.class {
            FrameClass::Metadata => self.watch.metadata(self.headers.named()),
            _ => self.watch.header(&frame),
        }
        match stored {
            Stored::Ignored => {
                self.stats.repeated_headers += 1;
                return;
            }
            Stored::Changed if frame.class == FrameClass::SequenceHeader => {
                self.ring.end_gop();
                self.is_unsteady |= self.header_changes.count(now) > self.config.max_header_changes;
            }
            Stored::Changed | Stored::First => {}
        }
        let time = self.timeline.current_of(frame.kind);
        self.ring.push(frame, time, now);
    }

    fn push_coded(&mut self, now: Time, frame: Frame) {
        if !self.headers.contains(frame.kind, frame.track) && needs_header(&frame) {
            self.stats.without_header += 1;
            return;
        }
        self.watch.coded(now, &frame);
        if self.watch.settled().is_some() {
            self.headers.drop_stale();
        }
        let time = self.timeline.advance(now, frame.kind, frame.timestamp);
        if starts_gop(&frame) {
            self.ring.mark_keyframe(&frame, time, self.config.gop_cache);
            self.last_keyframe = Some(now);
        }
        self.ring.push(frame, time, now);
    }

    fn restart(&mut self, now: Time, past: Past, audio_waits: bool) {
        self.stats = ChannelStats::default();
        self.timeline.restart();
        self.headers.mark_stale();
        self.is_unsteady = false;
        self.forget_media();
        self.watch = past.watch.moved_to(now);
        self.adts = past.adts;
        // A keyframe may have come just before.
        self.last_keyframe = self.watch.seen().video.then_some(now);
        let life = self.life;
        for (_, subscriber) in self.subscribers.iter_mut().filter(|(_, it)| it.life == life) {
            // Who is there from the beginning gets all of it, also the sound before the first picture.
            subscriber.awaits = Some(AwaitsKeyframe {
                since: now,
                audio_too: audio_waits,
                is_slow: false,
            });
        }
    }

    /// What comes next has nothing to do with the frames so far.
    fn forget_media(&mut self) {
        self.ring.end_gop();
        self.watch = Watch::default();
        self.adts = None;
        self.last_keyframe = None;
    }
}

/// Whether a player can start at this frame: a keyframe of the default video track.
fn starts_gop(frame: &Frame) -> bool {
    frame.kind == FrameKind::Video && frame.class == FrameClass::Keyframe && frame.track.0 == 0
}

fn is_coded(frame: &Frame) -> bool {
    matches!(
        frame.class,
        FrameClass::Keyframe | FrameClass::Inter | FrameClass::Disposable
    )
}

/// Whether no decoder can use the frame without a sequence header. Looked at only while a track has none.
fn needs_header(frame: &Frame) -> bool {
    matches!(
        media::classify(frame.kind, &frame.payload).codec,
        Some(Codec::Aac | Codec::Avc | Codec::Hevc)
    )
}

/// What one step of a player looks at, apart from the player.
struct View<'a> {
    config: &'a ChannelConfig,
    headers: &'a Headers,
    ring: &'a Ring,
    watch: &'a Watch,
    has_ended: bool,
    has_video: bool,
    last_keyframe: Option<Time>,
}

impl View<'_> {
    /// The player's next frame, or `None` at the live edge.
    fn next(&self, subscriber: &mut Subscriber, current: u64) -> Option<Next> {
        if subscriber.cursor == self.ring.end() && subscriber.headers_due.is_none() {
            subscriber.reported = None;
            return None;
        }
        if let Some(skipped) = self.catch_up(subscriber) {
            return Some(skipped);
        }
        if let Some(header) = self.next_header(subscriber, current) {
            return Some(Next::Frame(header));
        }
        while let Some(slot) = self.ring.get(subscriber.cursor) {
            match self.verdict(subscriber, slot) {
                Verdict::Send => {
                    if subscriber.base.is_none() && is_coded(&slot.frame) {
                        subscriber.base = Some(self.base_at(subscriber.cursor, slot));
                    }
                    subscriber.cursor += 1;
                    let Some(frame) = self.as_promised(subscriber, &slot.frame) else {
                        continue;
                    };
                    subscriber.stats.sent += 1;
                    return Some(Next::Frame(at(frame, subscriber.own_time(slot.time))));
                }
                Verdict::PassOver => subscriber.cursor += 1,
                Verdict::Change => return Some(Next::Changed),
                Verdict::Report(step, limit) => {
                    subscriber.reported = Some(step);
                    return Some(Next::Skipped {
                        step,
                        limit,
                        missed: subscriber.stats.missed(),
                    });
                }
            }
        }
        subscriber.reported = None;
        None
    }

    /// The third step of the ladder: a player beyond its lag bounds, or whose next frame is gone, goes to the newest
    /// keyframe, or to the live edge to wait for one. Without pictures there is nothing to wait for: it keeps the newer
    /// half of what it lags behind.
    fn catch_up(&self, subscriber: &mut Subscriber) -> Option<Next> {
        let limit = if subscriber.cursor < self.ring.first() {
            self.ring.overrun().unwrap_or(LagLimit::Bytes)
        } else {
            self.lag(subscriber, 1)?
        };
        let now = self.ring.newest().map_or(Time::ZERO, |slot| slot.arrived);
        let end = self.ring.end();
        let (target, anchor) = if self.has_video {
            let keyframe = self.ring.newest_keyframe();
            (keyframe.filter(|&it| it > subscriber.cursor).unwrap_or(end), end)
        } else {
            let half = self.ring.first_within(now, self.config, 2).max(subscriber.cursor);
            (half, half)
        };
        subscriber.stats.missed_by_skip += target - subscriber.cursor;
        subscriber.cursor = target;
        subscriber.anchor = anchor;
        subscriber.headers_due = Some(0);
        // At the keyframe this ends at once; at the live edge audio goes on and pictures wait.
        // Without video nothing waits, unless there still is some of the publisher before.
        subscriber.awaits = Some(AwaitsKeyframe {
            since: now,
            audio_too: false,
            is_slow: true,
        });
        subscriber.reported = Some(SkipStep::ToKeyframe);
        Some(Next::Skipped {
            step: SkipStep::ToKeyframe,
            limit,
            missed: subscriber.stats.missed(),
        })
    }

    fn next_header(&self, subscriber: &mut Subscriber, current: u64) -> Option<Frame> {
        let mut index = subscriber.headers_due?;
        if index == 0 {
            subscriber.headers_until = self.ring.end();
        }
        let header = loop {
            let header = self.headers.get(usize::from(index));
            index += 1;
            match header {
                Some(header) if subscriber.wants(header.kind) && subscriber.knows(header.kind) => break header,
                Some(_) => {}
                None => {
                    subscriber.headers_due = None;
                    return None;
                }
            }
        };
        subscriber.headers_due = Some(index);
        subscriber.stats.sent += 1;
        // The time of the frame that follows, so that the player sees no step in between.
        let time = match self.ring.get(subscriber.cursor) {
            Some(slot) if subscriber.base.is_some() => slot.time,
            _ => current,
        };
        let header = self.as_promised(subscriber, header).unwrap_or(header);
        Some(at(header, subscriber.own_time(time)))
    }

    /// `frame` for a player that may have been told which kinds of media there are: metadata must not say anything else.
    /// `None` for metadata that newer metadata follows.
    fn as_promised<'a>(&'a self, subscriber: &Subscriber, frame: &'a Frame) -> Option<&'a Frame> {
        match subscriber.promised {
            Some(promised) if frame.class == FrameClass::Metadata => self.headers.metadata_for(frame, promised),
            _ => Some(frame),
        }
    }

    fn verdict(&self, subscriber: &mut Subscriber, slot: &Slot) -> Verdict {
        let frame = &slot.frame;
        let is_coded = is_coded(frame);
        if !subscriber.wants(frame.kind) || (frame.class.is_header() && subscriber.cursor < subscriber.headers_until) {
            return Verdict::PassOver;
        }
        if !subscriber.knows(frame.kind) {
            let is_news = is_coded && frame.track.0 == 0 && !self.has_ended && self.watch.has_now(frame.kind);
            return if is_news { Verdict::Change } else { Verdict::PassOver };
        }
        if is_coded && let Some(awaits) = subscriber.awaits {
            let waited = slot.arrived.since(awaits.since);
            if frame.kind != FrameKind::Video {
                if awaits.audio_too && subscriber.wants_video && waited < SOUND_WAIT && self.shows(slot.arrived) {
                    return Verdict::PassOver;
                }
            } else if self.ring.starts_at(subscriber.cursor)
                || (waited >= self.config.keyframe_wait && self.has_no_keyframes(slot.arrived))
            {
                subscriber.awaits = None;
            } else {
                subscriber.stats.missed_inter += u64::from(awaits.is_slow);
                return Verdict::PassOver;
            }
        }
        if frame.kind != FrameKind::Video || !is_coded || frame.class == FrameClass::Keyframe {
            return Verdict::Send;
        }
        if let Some(limit) = self.lag(subscriber, 2) {
            if subscriber.reported < Some(SkipStep::Inter) {
                return Verdict::Report(SkipStep::Inter, limit);
            }
            subscriber.awaits = Some(AwaitsKeyframe {
                since: slot.arrived,
                audio_too: false,
                is_slow: true,
            });
            subscriber.stats.missed_inter += 1;
            return Verdict::PassOver;
        }
        if frame.class == FrameClass::Disposable
            && let Some(limit) = self.lag(subscriber, 4)
        {
            if subscriber.reported < Some(SkipStep::Disposable) {
                return Verdict::Report(SkipStep::Disposable, limit);
            }
            subscriber.stats.missed_disposable += 1;
            return Verdict::PassOver;
        }
        Verdict::Send
    }

    /// The bound that the player has passed one `part`-th of, if any. O(1).
    fn lag(&self, subscriber: &Subscriber, part: u32) -> Option<LagLimit> {
        let now = self.ring.newest()?.arrived;
        self.ring
            .lag(subscriber.cursor.max(subscriber.anchor), now, self.config, part)
    }

    /// Whether pictures come at present, so that sound may wait for them.
    fn shows(&self, now: Time) -> bool {
        self.watch
            .newest_picture()
            .is_some_and(|last| now.since(last) < SOUND_WAIT)
    }

    /// Whether keyframes are rarer than any encoder is set to, so that a player may see pictures without one: intra
    /// refresh repairs them by and by.
    fn has_no_keyframes(&self, now: Time) -> bool {
        self.last_keyframe
            .is_none_or(|last| now.since(last) >= MAX_KEYFRAME_INTERVAL)
    }

    /// The earliest time among the frame `slot` and those that follow it: some encoders interleave audio a little late,
    /// and clamping it to the keyframe's time would move it against the picture.
    fn base_at(&self, sequence: Sequence, slot: &Slot) -> u64 {
        self.ring
            .range(sequence, BASE_LOOKAHEAD)
            .map(|slot| slot.time)
            .min()
            .unwrap_or(slot.time)
    }
}

enum Verdict {
    Send,
    PassOver,
    /// The frame is of a kind that the player was not told of.
    Change,
    Report(SkipStep, LagLimit),
}

/// `frame` at the player's time `millis`, sharing its payload.
fn at(frame: &Frame, millis: u32) -> Frame {
    Frame {
        timestamp: Timestamp::from_millis(millis),
        ..frame.clone()
    }
}
