//! One stream: frames in from its publisher, frames out to its players.

use super::ChannelConfig;
use super::figures::{Figures, Lag, Meters};
use super::flapping::HeaderChanges;
use super::headers::Stored;
use super::keyframe_gap::KeyframeGap;
use super::ring::Beginning;
use super::subscriber::{Awaits, AwaitsKeyframe, LagLimit, SkipStep, Subscriber, SubscriberStats};
use super::timeline::{Places, TimelineStats};
use super::tracks::{Tracks, Watch};
use super::view::{Ended, View};
use super::wait_queue::WaitQueue;
use crate::Time;
use crate::media::adts::{self, Adts};
use crate::media::{self, Codec, Frame, FrameAt, FrameClass, FrameKind, TrackId};
use crate::time::Rate;
use alloc::sync::Arc;
use core::mem;
use core::time::Duration;
use slab::Slab;

/// One stream: headers, a ring of frames and a cursor per player.
///
/// It outlives its publisher: [`begin`](Self::begin) starts each one on the same time line.
///
/// ```
/// use headwater_core::hub::{Channel, Join, Next};
/// use headwater_core::{Frame, FrameClass, Time, Timestamp};
///
/// let mut channel = Channel::new(Default::default());
/// channel.begin(Time::ZERO);
/// for (millis, body) in [
///     (7_000, &b"\x17\0\0\0\0\x01"[..]),                // a sequence header of AVC
///     (7_000, b"\x17\x01\0\0\0\0\0\0\x02\x65\x88"),    // a keyframe
///     (7_040, b"\x27\x01\0\0\0\0\0\0\x02\x41\x9A"),    // and a picture that refers to it
/// ] {
///     channel.push(Time::ZERO, Frame::video(Timestamp::from_millis(millis), body.into()));
/// }
///
/// // A player that joins now gets all of it at once, and its time begins at 0.
/// let player = channel.subscribe(Time::ZERO, Join { token: 1, needs_tracks: false, merge: None });
/// let mut seen = vec![];
/// while let Next::Frame(next) = channel.next(player) {
///     seen.push((next.timestamp.as_millis(), next.frame.class));
/// }
/// assert_eq!(seen, [(0, FrameClass::SequenceHeader), (0, FrameClass::Keyframe), (40, FrameClass::Inter)]);
/// ```
#[derive(Debug)]
pub struct Channel {
    view: View,
    /// The sequence header that was made for its sound in ADTS.
    adts: Option<adts::Config>,
    header_changes: HeaderChanges,
    is_flapping: bool,
    subscribers: Slab<Subscriber>,
    wait_queue: WaitQueue,
    /// Players that get nothing before the tracks are known.
    awaiting_tracks: usize,
    stats: ChannelStats,
    meters: Meters,
    /// Payload bytes.
    rate: Rate,
    /// The codecs of sound and pictures that come without a sequence header.
    headerless: [Option<Codec>; 2],
    /// The codec of the first track of sound and of pictures, from one publisher to the next.
    codecs: [Option<Codec>; 2],
    /// What players got and missed that have left.
    stats_of_departed: SubscriberStats,
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
    ///
    /// An HTTP or WebSocket player needs them for its FLV header. So the first players of a stream with one kind of media wait
    /// until the other is known not to come: for 10 frames, or for up to 3 s if metadata or a header names it.
    pub needs_tracks: bool,
    /// How long a frame may wait for others before it is offered to this player, if it is not to be
    /// [`ChannelConfig::merge`]. At most [`ChannelConfig::max_merge`]; rounded down to 0, 10, 20, 50, 100, 200, 500 ms
    /// or 1 s.
    pub merge: Option<Duration>,
}

/// What a player gets next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Next<'a> {
    /// A frame, on the player's own time line.
    Frame(FrameAt<'a>),
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
    /// The stream has another codec than the player's decoder was set up for, or other kinds of media than the player was
    /// [told](Channel::tracks_of), if it needs to know them: it must join anew.
    Changed,
}

/// What a publisher has sent before it comes to a channel: which kinds of media, when, and what follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position {
    pub(super) watch: Watch,
    pub(super) adts: Option<adts::Config>,
    pub(super) places: Places,
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

impl AsMut<Channel> for Channel {
    fn as_mut(&mut self) -> &mut Channel {
        self
    }
}

impl Channel {
    /// An empty channel.
    #[must_use]
    pub fn new(config: Arc<ChannelConfig>) -> Self {
        let wait_queue = WaitQueue::new(config.merge);
        let header_changes = HeaderChanges::new(config.max_header_changes);
        Channel {
            view: View::new(config),
            adts: None,
            header_changes,
            is_flapping: false,
            subscribers: Slab::new(),
            wait_queue,
            awaiting_tracks: 0,
            stats: ChannelStats::default(),
            meters: Meters::default(),
            rate: Rate::default(),
            headerless: [None; 2],
            codecs: [None; 2],
            stats_of_departed: SubscriberStats::default(),
        }
    }

    /// A publisher begins, the first one or another. Its times continue the time line, and players that are there get
    /// its pictures from its first keyframe on.
    pub fn begin(&mut self, now: Time) {
        self.view.timeline.restart(now, Places::default());
        self.restart(now, Position::default(), false);
    }

    /// Takes a frame in.
    ///
    /// O(1) whatever the number of players, and no copy of the payload, but for sound in ADTS: players get it raw, with a
    /// sequence header if the publisher sends none. Repeated headers, and frames that no decoder can use yet, are left out.
    /// Call [`Hub::announce`](super::Hub::announce) afterwards, once for any number of frames.
    pub fn push(&mut self, now: Time, frame: Frame) {
        self.push_as(now, frame, |frame| frame);
    }

    /// As [`push`](Self::push), of what `make` makes of each frame that is kept: of more than one if it is sound in ADTS. Returns
    /// how many frames were cut out of `frame`: 0 for all but ADTS.
    pub(crate) fn push_as(&mut self, now: Time, frame: Frame, make: impl Fn(Frame) -> Frame) -> u64 {
        self.stats.frames += 1;
        self.stats.bytes += frame.payload.len() as u64;
        self.rate.add(now, frame.payload.len() as u64);
        self.meters.frame(now, &frame);
        self.trim(now);
        let cut = match Adts::read(&frame) {
            None => {
                self.store(now, make(frame));
                0
            }
            Some(adts) => self.store_adts(now, &adts, make),
        };
        self.stats.gop_overflows += u64::from(self.view.ring.bound_gop(&self.view.config));
        cut
    }

    fn store(&mut self, now: Time, frame: Frame) {
        match frame.class {
            FrameClass::SequenceHeader | FrameClass::Supplement | FrameClass::Metadata => self.push_header(now, frame),
            FrameClass::Keyframe | FrameClass::Inter | FrameClass::Disposable => self.push_coded(now, frame),
            FrameClass::Other => {
                let time = self.view.timeline.place(now, frame.kind, frame.timestamp);
                self.view.ring.push(frame, time, now);
            }
        }
    }

    /// The header is made once, and not where the publisher sends its own, which may say more. Returns how many frames there were.
    fn store_adts(&mut self, now: Time, adts: &Adts, make: impl Fn(Frame) -> Frame) -> u64 {
        let header = adts.header();
        let is_own = self.adts.is_none() && self.view.headers.is_fresh(header.kind, header.track);
        let is_made = self.adts == Some(adts.config()) && self.view.headers.contains(header.kind, header.track);
        if !is_own && !is_made {
            self.adts = Some(adts.config());
            self.store(now, make(header));
        }
        let mut count = 0;
        for frame in adts.frames() {
            self.store(now, make(frame));
            count += 1;
        }
        count
    }

    /// The publisher took its metadata back: a player that joins from now on gets none.
    ///
    /// Returns whether there was any.
    pub fn clear_metadata(&mut self) -> bool {
        self.view.headers.clear_metadata()
    }

    /// The stream is over: its players get what there is, then [`Next::Ended`]. A player that joins from now on waits for
    /// the next publisher and sees nothing of this one.
    pub fn end(&mut self) {
        self.view.generation += 1;
        self.view.ended = Ended {
            at: self.view.ring.end(),
            headers: mem::take(&mut self.view.headers),
            headers_since: self.view.headers_since,
            tracks: self.view.watch.promise().unwrap_or(self.view.watch.seen()),
            keyframe_gap: self.view.keyframe_gap,
        };
        self.forget_media();
    }

    /// A player joins: headers and the GOP cache first, if there are any, then the live frames.
    ///
    /// The cache ends when no picture has come for 5 s: a picture that old would come with all the sound since.
    ///
    /// Without a GOP cache it waits for the next keyframe if the stream has video. Its sound waits too, for at most a second,
    /// and not at all if it wants no video or if no picture came for a second.
    pub fn subscribe(&mut self, now: Time, join: Join) -> SubscriberId {
        let cursor = self.view.ring.gop_start().unwrap_or(self.view.ring.end());
        let awaits = self.view.ring.gop_start().is_none();
        self.awaiting_tracks += usize::from(join.needs_tracks);
        let group = self
            .wait_queue
            .group(join.merge.map(|asked| asked.min(self.view.config.max_merge)));
        let index = self.subscribers.insert(Subscriber {
            token: join.token,
            group,
            generation: self.view.generation,
            cursor,
            anchor: self.view.ring.end(),
            base: None,
            headers_due: Some(0),
            headers_version: 0,
            headers_until: 0,
            awaits: awaits.then_some(AwaitsKeyframe {
                since: now,
                audio_too: self.view.watch.frames() > 0,
                is_slow: false,
            }),
            is_parked: false,
            needs_tracks: join.needs_tracks,
            promised: None,
            is_outdated: false,
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
            self.wait_queue.remove(subscriber.group, id);
        }
        self.stats_of_departed.add(&subscriber.stats);
        Some(subscriber.stats)
    }

    /// What the player gets next. [`Next::Pending`] parks it until there is more.
    ///
    /// Cost: no allocation; the frame is borrowed. Frames that the player is to miss are passed over together.
    pub fn next(&mut self, id: SubscriberId) -> Next<'_> {
        let Some(subscriber) = self.subscribers.get_mut(id.0 as usize) else {
            return Next::Ended;
        };
        if subscriber.needs_tracks
            && !subscriber.is_paused
            && let Some(promise) = self.view.promise(subscriber.generation)
        {
            subscriber.needs_tracks = false;
            subscriber.promised = Some(promise);
            self.view.start_late(subscriber);
            // What came while it waited is the burst with which it begins, and no lag.
            subscriber.anchor = self.view.ring.end();
            self.awaiting_tracks -= 1;
        }
        let next = self.view.next(subscriber);
        if matches!(next, Next::Pending) && !mem::replace(&mut subscriber.is_parked, true) {
            self.wait_queue.park(subscriber.group, id);
        }
        next
    }

    /// Stops or resumes a player. On resuming it continues at the live edge, with headers and a keyframe.
    pub fn set_paused(&mut self, now: Time, id: SubscriberId, paused: bool) {
        let end = self.view.ring.end();
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
                self.view.start_late(subscriber);
            }
            FrameKind::Data => {}
        }
        subscriber.headers_due = Some(0);
    }

    /// Whether the publisher has changed its sequence headers more often than
    /// [`ChannelConfig::max_header_changes`] allow: nothing that a player could show.
    #[must_use]
    pub fn is_flapping(&self) -> bool {
        self.is_flapping
    }

    /// Which kinds of media a player that joins now can rely on, as soon as that can be said: at once in a stream that is
    /// running, and at the beginning once both kinds came, or one that was announced did not come in 3 s.
    #[must_use]
    pub fn tracks(&self) -> Option<Tracks> {
        self.view.watch.promise()
    }

    /// The [tracks](Self::tracks) that a player was told of, or would be now. From its first frame on it gets these only,
    /// and [`Next::Changed`] when they are wrong.
    #[must_use]
    pub fn tracks_of(&self, id: SubscriberId) -> Option<Tracks> {
        let subscriber = self.subscribers.get(id.0 as usize)?;
        subscriber.promised.or_else(|| self.view.promise(subscriber.generation))
    }

    /// The metadata and sequence headers that a joining player would get, in that order.
    pub fn headers(&self) -> impl Iterator<Item = &Frame> {
        self.view.headers.iter()
    }

    /// The frames of the GOP cache, in order, with the publisher's own timestamps. Headers among them are left out: a
    /// joining player gets the present [`headers`](Self::headers) instead.
    pub fn gop(&self) -> impl Iterator<Item = &Frame> {
        let start = self.view.ring.gop_start().unwrap_or(self.view.ring.end());
        let frames = self.view.ring.range(start, usize::MAX).map(|slot| &slot.frame);
        frames.filter(|frame| !frame.class.is_header())
    }

    /// What it was made with.
    #[must_use]
    pub fn config(&self) -> &ChannelConfig {
        &self.view.config
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
            timeline: self.view.timeline.stats(),
            ..self.stats
        }
    }

    /// What it has measured of its publisher. O(1).
    #[must_use]
    pub fn figures(&self, now: Time) -> Figures {
        self.meters.figures(now)
    }

    /// What a player waits for, if it is for more than the next frame. O(1).
    #[must_use]
    pub fn awaits(&self, id: SubscriberId) -> Option<Awaits> {
        let subscriber = self.subscribers.get(id.0 as usize)?;
        match () {
            () if subscriber.is_paused => Some(Awaits::Resume),
            () if subscriber.needs_tracks => Some(Awaits::Tracks),
            () => subscriber.awaits.map(|_| Awaits::Keyframe),
        }
    }

    /// When the frame came that a player gets next, if it is none of the burst with which it began. O(1).
    #[cfg(feature = "server")]
    pub(crate) fn waiting_since(&self, id: SubscriberId) -> Option<Time> {
        let subscriber = self.subscribers.get(id.0 as usize)?;
        let is_live = subscriber.generation == self.view.generation && subscriber.cursor >= subscriber.anchor;
        let slot = self.view.ring.get(subscriber.cursor).filter(|_| is_live)?;
        Some(slot.arrived)
    }

    /// Where a player is. O(1).
    #[must_use]
    pub fn lag(&self, id: SubscriberId) -> Option<Lag> {
        let subscriber = self.subscribers.get(id.0 as usize)?;
        let ring = &self.view.ring;
        let next = subscriber.cursor.max(ring.first());
        let slot = ring.get(next).filter(|_| subscriber.generation == self.view.generation);
        Some(slot.map_or(Lag::default(), |slot| Lag {
            age: ring.now().since(slot.arrived),
            bytes: ring.bytes_from(next),
            frames: ring.end() - next,
        }))
    }

    /// What its players have missed, those included that have left. O(players).
    #[must_use]
    pub fn drops(&self) -> SubscriberStats {
        let mut sum = self.stats_of_departed;
        for (_, subscriber) in &self.subscribers {
            sum.add(&subscriber.stats);
        }
        sum
    }

    /// What players missed that have left. It is counted from 0 again.
    #[cfg(feature = "server")]
    pub(crate) fn take_drops(&mut self) -> SubscriberStats {
        mem::take(&mut self.stats_of_departed)
    }

    /// Payload bytes per second: those of the last full second. O(1).
    #[must_use]
    pub const fn rate(&self, now: Time) -> u64 {
        self.rate.of_last_second(now)
    }

    /// The codec of each track, as far as it is known: of every track with a sequence header, and of the first without.
    pub fn codecs(&self) -> impl Iterator<Item = (FrameKind, TrackId, Codec)> {
        let announced = self.view.headers.iter().filter_map(|frame| {
            let is_header = frame.class == FrameClass::SequenceHeader;
            let codec = media::classify(frame.kind, &frame.payload).codec?;
            is_header.then_some((frame.kind, frame.track, codec))
        });
        let kinds = [FrameKind::Audio, FrameKind::Video];
        let headerless = kinds.into_iter().zip(self.headerless).filter_map(|(kind, codec)| {
            let codec = codec.filter(|_| !self.view.headers.contains(kind, TrackId(0)))?;
            Some((kind, TrackId(0), codec))
        });
        announced.chain(headerless)
    }

    /// Payload bytes of the GOP cache: what a player that joins gets at once. O(1).
    #[must_use]
    pub fn gop_bytes(&self) -> u64 {
        self.view
            .ring
            .gop_start()
            .map_or(0, |start| self.view.ring.bytes_from(start))
    }

    /// Frames that its players have missed, those included that have left. O(players).
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.drops().missed()
    }

    /// Payload bytes and frames in the ring.
    #[must_use]
    pub fn held(&self) -> (u64, usize) {
        (self.view.ring.bytes(), self.view.ring.len())
    }

    /// Keeps only the frames that came at most `keep` before the newest, or none, and ends the GOP cache unless that is to be
    /// kept. Players that are behind skip, those that join wait for a keyframe. Returns whether anything could go.
    #[cfg(feature = "server")]
    pub(crate) fn cut(&mut self, keep: Option<Duration>, keeps_gop: bool) -> bool {
        if !keeps_gop {
            self.view.ring.end_gop();
        }
        let end = self.view.ring.end();
        let from = keep.map_or(end, |keep| self.view.ring.first_younger(keep));
        self.view.ring.cut(from)
    }

    /// Bytes of memory held beside the payloads of its frames and headers, and those payloads: their bytes and their number.
    /// O(headers).
    #[cfg(feature = "server")]
    pub(crate) fn memory(&self) -> (usize, u64, usize) {
        let (headers, stored) = self.view.headers.memory();
        let (ended, stored_then) = self.view.ended.headers.memory();
        let players = self.subscribers.capacity() * size_of::<Subscriber>();
        let (bytes, frames) = self.held();
        let own = self.view.ring.own_memory() + headers + ended + players;
        (own, bytes + (stored + stored_then) as u64, frames)
    }

    pub(super) fn wait_queue(&mut self) -> &mut WaitQueue {
        &mut self.wait_queue
    }

    pub(super) fn poll_wake(&mut self) -> Option<u64> {
        let id = self.wait_queue.pop()?;
        let subscriber = self.subscribers.get_mut(id.0 as usize)?;
        subscriber.is_parked = false;
        Some(subscriber.token)
    }

    /// Lets go of frames that nobody waits for any more.
    fn trim(&mut self, now: Time) {
        let (parked, unannounced_from) = self.wait_queue.before_push(self.view.ring.end());
        // A player that waits for the tracks to be known is parked as well, but has not taken what was there.
        let is_all_parked = parked == self.subscribers.len() && self.awaiting_tracks == 0;
        let needed_from = is_all_parked.then_some(unannounced_from);
        self.view.ring.trim(now, &self.view.config, needed_from);
    }

    fn push_header(&mut self, now: Time, frame: Frame) {
        if frame.class == FrameClass::SequenceHeader {
            self.note_codec(now, &frame);
        }
        let stored = self.view.headers.store(&frame);
        match frame.class {
            FrameClass::Metadata => self.view.watch.metadata(self.view.headers.named()),
            _ => self.view.watch.header(&frame),
        }
        match stored {
            Stored::Ignored => {
                self.stats.repeated_headers += 1;
                return;
            }
            Stored::Changed if frame.class == FrameClass::SequenceHeader => {
                self.view.ring.end_gop();
                self.view.headers_since = self.view.ring.end();
                self.count_header_change(now);
            }
            Stored::Changed | Stored::First => {}
        }
        let time = self.view.timeline.current_of(frame.kind);
        self.view.ring.push(frame, time, now);
    }

    fn push_coded(&mut self, now: Time, frame: Frame) {
        self.note_codec(now, &frame);
        if !self.view.headers.serves(&frame) {
            let codec = media::classify(frame.kind, &frame.payload).codec;
            if needs_header(codec) {
                self.stats.without_header += 1;
                return;
            }
            self.note_headerless(&frame, codec);
        }
        self.view.watch.coded(now, &frame);
        if self.view.watch.settled().is_some() {
            self.view.headers.drop_stale();
        }
        if !self.view.watch.has_pictures() {
            self.view.ring.end_gop();
        }
        let time = self.view.timeline.advance(now, frame.kind, frame.timestamp);
        self.header_changes.pass(now, time);
        self.meters.coded(now, &frame, time);
        if starts_gop(&frame) {
            self.view.ring.mark_keyframe(&frame, time, self.view.config.gop_cache);
            self.view.keyframe_gap = KeyframeGap::after_keyframe(now);
        } else if is_picture(&frame) {
            self.view.keyframe_gap.picture(now);
        }
        self.view.ring.push(frame, time, now);
    }

    /// Looks at the codec of a header or of a coded frame. O(1), and O(players) when it is another than before.
    ///
    /// Decoders take other parameters in mid-stream, but no other codec: ffmpeg passes over what comes from then on. So
    /// players that have had something of the kind end and join anew, and the others begin behind the change.
    fn note_codec(&mut self, now: Time, frame: &Frame) {
        let [audio, video] = &mut self.codecs;
        let known = match frame.kind {
            FrameKind::Audio if frame.track.0 == 0 => audio,
            FrameKind::Video if frame.track.0 == 0 => video,
            _ => return,
        };
        let codec = media::codec(frame.kind, &frame.payload);
        if *known == codec || codec.is_none() || mem::replace(known, codec).is_none() {
            return;
        }
        self.view.headers.drop_track(frame.kind, frame.track);
        self.view.ring.end_gop();
        self.count_header_change(now);
        let (generation, end) = (self.view.generation, self.view.ring.end());
        let present = self.subscribers.iter_mut().map(|(_, subscriber)| subscriber);
        for subscriber in present.filter(|it| it.generation == generation) {
            if subscriber.stats.sent == 0 {
                subscriber.cursor = end;
                subscriber.anchor = end;
                subscriber.start_over(now);
            } else if subscriber.wants(frame.kind) && subscriber.knows(frame.kind) {
                subscriber.is_outdated = true;
            }
        }
    }

    fn count_header_change(&mut self, now: Time) {
        self.header_changes.pass(now, self.view.timeline.current());
        self.is_flapping |= self.header_changes.count();
    }

    fn note_headerless(&mut self, frame: &Frame, codec: Option<Codec>) {
        let [audio, video] = &mut self.headerless;
        match frame.kind {
            _ if frame.track.0 != 0 => {}
            FrameKind::Audio => *audio = codec,
            FrameKind::Video => *video = codec,
            FrameKind::Data => {}
        }
    }

    fn restart(&mut self, now: Time, position: Position, audio_waits: bool) {
        self.stats = ChannelStats::default();
        self.meters = Meters::default();
        self.view.headers.mark_stale();
        self.is_flapping = false;
        self.forget_media();
        self.view.watch = position.watch.moved_to(now);
        self.adts = position.adts;
        if self.view.watch.seen().video {
            // A keyframe may have come just before.
            self.view.keyframe_gap = KeyframeGap::after_keyframe(now);
        }
        self.view.ring.begin(Beginning { audio_waits });
        let (generation, end) = (self.view.generation, self.view.ring.end());
        let has_all = |it: &Subscriber| it.generation == generation && it.cursor >= end;
        for (_, subscriber) in self.subscribers.iter_mut().filter(|(_, it)| has_all(it)) {
            // A player that is there from the beginning gets all of it, also the sound before the first picture. One that
            // has not got there yet waits from there on.
            subscriber.awaits = Some(AwaitsKeyframe {
                since: now,
                audio_too: audio_waits,
                is_slow: false,
            });
        }
    }

    /// What comes next has nothing to do with the frames so far.
    fn forget_media(&mut self) {
        self.view.ring.end_gop();
        self.view.watch = Watch::default();
        self.adts = None;
        self.headerless = [None; 2];
        self.view.keyframe_gap = KeyframeGap::default();
    }
}

/// For a channel that replicates one of another worker, whose publisher it hears from the middle on.
#[cfg(any(feature = "server", test))]
impl Channel {
    /// As [`begin`](Self::begin), for a publisher that is at `position` elsewhere. If that was anything, its sound waits
    /// for its pictures, as for every player that joins in the middle.
    pub(crate) fn begin_at(&mut self, now: Time, position: Position) {
        self.view.timeline.restart(now, position.places);
        self.restart(now, position, position.watch.frames() > 0);
    }

    /// As [`begin_at`](Self::begin_at), for a publisher of which some frames were lost on the way: players that
    /// are there wait for its pictures, but their sound goes on. Its times go on as they are at its own channel.
    pub(crate) fn resume(&mut self, now: Time, position: Position) {
        self.view.timeline.resume(now, &position.places);
        self.restart(now, position, false);
    }

    /// Takes in frames of the publisher's [`Position`], which come as a batch: for players that had everything they are the burst
    /// with which they begin, and no lag. O(frames and players).
    pub(crate) fn push_burst(
        &mut self,
        now: Time,
        frames: impl IntoIterator<Item = Frame>,
        make: impl Fn(Frame) -> Frame,
    ) {
        let (start, watch) = (self.view.ring.end(), self.view.watch);
        for frame in frames {
            self.push_as(now, frame, &make);
        }
        self.view.watch = watch;
        let (end, generation) = (self.view.ring.end(), self.view.generation);
        let had_all = |it: &Subscriber| it.generation == generation && it.cursor >= start;
        for (_, subscriber) in self.subscribers.iter_mut().filter(|(_, it)| had_all(it)) {
            subscriber.anchor = end;
        }
    }

    /// What the present publisher has sent so far, for another channel that it is to [begin](Self::begin_at) in.
    #[must_use]
    pub(crate) fn position(&self) -> Position {
        Position {
            watch: self.view.watch,
            adts: self.adts,
            places: self.view.timeline.places(),
        }
    }
}

/// Whether a player can start at this frame: a keyframe of the default video track.
fn starts_gop(frame: &Frame) -> bool {
    is_picture(frame) && frame.class == FrameClass::Keyframe
}

/// Whether a coded frame is a picture of the default video track.
fn is_picture(frame: &Frame) -> bool {
    frame.kind == FrameKind::Video && frame.track.0 == 0
}

/// Whether no decoder can use a frame of the codec without a sequence header.
const fn needs_header(codec: Option<Codec>) -> bool {
    matches!(codec, Some(Codec::Aac | Codec::Avc | Codec::Hevc))
}
