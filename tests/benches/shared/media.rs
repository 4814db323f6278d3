//! What is published: a synthetic stream that is the same in every run, and says in each frame when it was sent.

use bytes::Bytes;
use headwater_core::amf::amf0::Writer;
use headwater_core::{Frame, FrameKind, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// One period of the pattern: a keyframe and all up to the next.
pub(crate) const GOP: Duration = Duration::from_secs(2);
/// 30 pictures a second.
const PICTURES: u32 = 60;
/// 43 a second, which is what AAC at 44.1 kHz makes of 1,024 samples each.
const SOUNDS: u32 = 86;

/// The bytes before the stamp: the AVC packet header (FLV 10.1 §E.4.3), the length of the NAL unit and its first byte.
const PICTURE_HEAD: usize = 10;
/// The bytes before the stamp: the AAC packet header (FLV 10.1 §E.4.2).
const SOUND_HEAD: usize = 2;

/// Marks a stamp.
const MAGIC: [u8; 4] = *b"HWst";
/// Mark, origin, number, time, and the checksum of all else in the payload.
const STAMP_LEN: usize = SUM_AT + 8;
const SUM_AT: usize = 20;

/// One period of 2.8 Mb/s H.264 and AAC, 30 pictures a second: frames as they lie in time.
#[derive(Debug)]
pub(crate) struct Pattern {
    slots: Vec<Slot>,
    /// Payload bytes of a period.
    bytes: usize,
}

#[derive(Debug)]
struct Slot {
    /// Since the start of the period.
    offset: Duration,
    kind: FrameKind,
    /// The payload, with room for a stamp.
    template: Vec<u8>,
}

/// What a frame says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Which publish of the stream it is from, if a stream is published more than once.
    pub(crate) origin: u32,
    /// The number of the frame in its stream, from 0.
    pub(crate) sequence: u32,
    /// When it was sent, by [`now`].
    pub(crate) sent: Duration,
}

impl Pattern {
    pub(crate) fn new() -> Self {
        Self::lighter(1)
    }

    /// The same, with pictures of only a part of the bytes.
    pub(crate) fn lighter(part: u32) -> Self {
        let mut noise = Noise(0x2545_F491_4F6C_DD1D);
        let pictures = (0..PICTURES).map(|index| {
            let is_key = index == 0;
            let len = if is_key { 60_000 } else { noise.between(5_000, 16_100) };
            Slot {
                offset: GOP * index / PICTURES,
                kind: FrameKind::Video,
                template: picture(is_key, &mut noise, len / part),
            }
        });
        let mut slots: Vec<_> = pictures.collect();
        slots.extend((0..SOUNDS).map(|index| Slot {
            offset: GOP * index / SOUNDS,
            kind: FrameKind::Audio,
            template: sound(&mut noise),
        }));
        slots.sort_by_key(|slot| slot.offset);
        let bytes = slots.iter().map(|slot| slot.template.len()).sum();
        Pattern { slots, bytes }
    }

    /// Payload bytes in a second, on average.
    pub(crate) fn bytes_per_second(&self) -> f64 {
        self.bytes as f64 / GOP.as_secs_f64()
    }

    /// Frames in a period.
    pub(crate) fn frames_per_gop(&self) -> u32 {
        PICTURES + SOUNDS
    }

    /// When frame `sequence` is to be sent, since the start of the stream.
    pub(crate) fn due(&self, sequence: u32) -> Duration {
        GOP * (sequence / self.frames_per_gop()) + self.slot(sequence).offset
    }

    /// Frame `sequence`, sent `now`.
    pub(crate) fn frame(&self, sequence: u32, now: Duration) -> Frame {
        self.frame_from(0, sequence, now)
    }

    /// Frame `sequence` of the publish `origin`, sent `now`.
    pub(crate) fn frame_from(&self, origin: u32, sequence: u32, now: Duration) -> Frame {
        let slot = self.slot(sequence);
        let mut payload = slot.template.clone();
        let nanos = u64::try_from(now.as_nanos()).expect("less than 500 years");
        let stamp = &mut payload[stamp_at(slot.kind)..][..SUM_AT];
        stamp[..4].copy_from_slice(&MAGIC);
        stamp[4..8].copy_from_slice(&origin.to_be_bytes());
        stamp[8..12].copy_from_slice(&sequence.to_be_bytes());
        stamp[12..].copy_from_slice(&nanos.to_be_bytes());
        let at = stamp_at(slot.kind) + SUM_AT;
        let sum = checksum(&payload[..at], &payload[at + 8..]);
        payload[at..at + 8].copy_from_slice(&sum.to_be_bytes());
        Frame::new(slot.kind, self.timestamp(sequence), Bytes::from(payload))
    }

    /// The timestamp of frame `sequence`, as its publisher gives it.
    pub(crate) fn timestamp(&self, sequence: u32) -> Timestamp {
        Timestamp::from_millis(u32::try_from(self.due(sequence).as_millis()).expect("less than 49 days"))
    }

    fn slot(&self, sequence: u32) -> &Slot {
        &self.slots[(sequence % self.frames_per_gop()) as usize]
    }
}

impl Stamp {
    /// The stamp in a frame, if it has one.
    pub(crate) fn of(frame: &Frame) -> Option<Stamp> {
        let stamp = frame.payload.get(stamp_at(frame.kind)..)?.first_chunk::<STAMP_LEN>()?;
        let (magic, rest) = stamp.split_first_chunk::<4>()?;
        let (origin, rest) = rest.split_first_chunk::<4>()?;
        let (sequence, sent) = rest.split_first_chunk::<4>()?;
        (*magic == MAGIC).then_some(Stamp {
            origin: u32::from_be_bytes(*origin),
            sequence: u32::from_be_bytes(*sequence),
            sent: Duration::from_nanos(u64::from_be_bytes(*sent.first_chunk()?)),
        })
    }

    /// Whether a frame that has a stamp is as it was published, by its checksum.
    pub(crate) fn is_intact(frame: &Frame) -> bool {
        let (before, rest) = frame.payload.split_at(stamp_at(frame.kind) + SUM_AT);
        rest.split_first_chunk()
            .is_some_and(|(sum, after)| checksum(before, after) == u64::from_be_bytes(*sum))
    }
}

/// Of two slices that are one after the other. Any change of one byte changes it, as every step is a bijection.
fn checksum(before: &[u8], after: &[u8]) -> u64 {
    let chunks = before.chunks(8).chain(after.chunks(8));
    chunks.fold(before.len() as u64, |sum, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (sum.rotate_left(29) ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    })
}

/// A clock that all processes of this machine share.
pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(
        u64::try_from(time.tv_sec).expect("it starts at 0"),
        u32::try_from(time.tv_nsec).expect("less than a second"),
    )
}

/// Metadata and sequence headers: what a publisher sends first.
pub(crate) fn headers() -> [Frame; 3] {
    let mut metadata = Vec::new();
    Writer::new(&mut metadata)
        .string("onMetaData")
        .ecma_array_start(6)
        .key("width")
        .number(1_280.0)
        .key("height")
        .number(720.0)
        .key("framerate")
        .number(30.0)
        .key("videocodecid")
        .number(7.0)
        .key("audiocodecid")
        .number(10.0)
        .key("videodatarate")
        .number(2_700.0)
        .object_end();
    [
        Frame::data(Timestamp::ZERO, metadata.into()),
        Frame::video(Timestamp::ZERO, Bytes::from_static(AVC_SEQUENCE_HEADER)),
        Frame::audio(Timestamp::ZERO, Bytes::from_static(AAC_SEQUENCE_HEADER)),
    ]
}

/// x264: 1280x720, High, 3.1, 30 frames per second.
const AVC_SEQUENCE_HEADER: &[u8] = b"\x17\x00\x00\x00\x00\
    \x01\x64\x00\x1F\xFF\xE1\
    \x00\x19\x67\x64\x00\x1F\xAC\xD9\x40\x50\x05\xBB\x01\x10\x00\x00\x03\x00\x10\x00\x00\x03\x03\xC0\xF1\x83\x19\x60\
    \x01\x00\x06\x68\xEB\xE3\xCB\x22\xC0\xFD\xF8\xF8\x00";

/// AAC-LC, 44.1 kHz, stereo.
const AAC_SEQUENCE_HEADER: &[u8] = b"\xAF\x00\x12\x10";

fn picture(is_key: bool, noise: &mut Noise, len: u32) -> Vec<u8> {
    let (first, nal) = if is_key { (0x17, 0x65) } else { (0x27, 0x41) };
    let nal_len = len - 9;
    let mut payload = vec![first, 1, 0, 0, 0];
    payload.extend(nal_len.to_be_bytes());
    payload.push(nal);
    noise.fill(&mut payload, len);
    payload
}

fn sound(noise: &mut Noise) -> Vec<u8> {
    let mut payload = vec![0xAF, 1];
    let len = noise.between(350, 391);
    noise.fill(&mut payload, len);
    payload
}

fn stamp_at(kind: FrameKind) -> usize {
    match kind {
        FrameKind::Video => PICTURE_HEAD,
        FrameKind::Audio | FrameKind::Data => SOUND_HEAD,
    }
}

/// Xorshift: noise that is the same every time.
#[derive(Debug, Clone)]
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds give numbers that have nothing to do with each other, and the state is never zero.
        Noise(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number from `from` on, below `to`.
    pub(crate) fn between(&mut self, from: u32, to: u32) -> u32 {
        from + u32::try_from(self.next() % u64::from(to - from)).expect("less than 32 bits")
    }

    /// A time between two times.
    pub(crate) fn time(&mut self, from: Duration, to: Duration) -> Duration {
        let millis = |time: Duration| u32::try_from(time.as_millis()).expect("less than 49 days");
        Duration::from_millis(self.between(millis(from), millis(to) + 1).into())
    }

    /// One of `choices`.
    pub(crate) fn choose<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[usize::try_from(self.next() % choices.len() as u64).expect("it is below a length")]
    }

    /// Any bytes.
    pub(crate) fn bytes(&mut self, len: u32) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[4]).collect()
    }

    /// Appends bytes up to `len`, without the zeros that could make a start code.
    fn fill(&mut self, payload: &mut Vec<u8>, len: u32) {
        while payload.len() < len as usize {
            payload.push(self.next().to_le_bytes()[4] | 1);
        }
    }
}
