//! What publishers send: frames that say of themselves which they are.

use crate::rng::Rng;
use headwater_core::amf::amf0::Writer;
use headwater_core::{Frame, FrameClass, FrameKind, Time, Timestamp};
use std::fmt;
use std::time::Duration;

/// What a frame of sound or pictures says in its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub source: u32,
    /// Which of the source's frames it is.
    pub number: u32,
    /// The sequence header that it needs.
    pub header: Header,
    pub gop: u16,
    /// How many pictures of its GOP others refer to before it.
    pub place: u16,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stamp {
            source,
            number,
            header,
            gop,
            place,
        } = self;
        let variant = header.variant;
        write!(
            f,
            "frame {number} of source {source} (GOP {gop}, place {place}, header {variant})"
        )
    }
}

/// What a sequence header says. Publishers of one stream may send the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    stream: u8,
    variant: u8,
}

impl Stamp {
    const LEN: usize = 14;

    fn to_bytes(self) -> [u8; Stamp::LEN] {
        let mut bytes = [0; Stamp::LEN];
        bytes[..4].copy_from_slice(&self.source.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.number.to_be_bytes());
        bytes[8..10].copy_from_slice(&[self.header.stream, self.header.variant]);
        bytes[10..12].copy_from_slice(&self.gop.to_be_bytes());
        bytes[12..].copy_from_slice(&self.place.to_be_bytes());
        bytes
    }

    /// The stamp of a coded frame.
    pub fn of(frame: &Frame) -> Stamp {
        let start = match (frame.kind, frame.payload[0] >> 4) {
            (FrameKind::Video, _) => PICTURE_HEAD,
            (_, ENHANCED_SOUND) => ENHANCED_SOUND_HEAD,
            _ => SOUND_HEAD,
        };
        let bytes = &frame.payload[start..start + Stamp::LEN];
        let short = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let long = |at: usize| u32::from(short(at)) << 16 | u32::from(short(at + 2));
        Stamp {
            source: long(0),
            number: long(4),
            header: Header {
                stream: bytes[8],
                variant: bytes[9],
            },
            gop: short(10),
            place: short(12),
        }
    }
}

impl Header {
    /// What a sequence header says.
    pub fn of(frame: &Frame) -> Header {
        let rest = &frame.payload[frame.payload.len() - 2..];
        Header {
            stream: rest[0],
            variant: rest[1],
        }
    }

    fn frame(self, kind: FrameKind, format: Format) -> Frame {
        let head: &[u8] = match (kind, format) {
            (FrameKind::Video, Format::Enhanced) => b"\x90avc1\x01",
            (FrameKind::Video, _) => &[0x17, 0, 0, 0, 0, 1],
            (_, Format::Enhanced) => b"\x90mp4a\x12\x10",
            _ => &[0xAF, 0, 0x12, 0x10],
        };
        let payload = [head, &[self.stream, self.variant]].concat();
        Frame::new(kind, Timestamp::ZERO, payload.into())
    }
}

const PICTURE_HEAD: usize = 10;
const SOUND_HEAD: usize = 3;
const ENHANCED_SOUND_HEAD: usize = 6;
/// The first four bits of sound whose codec has a FourCC.
const ENHANCED_SOUND: u8 = 9;

/// No clock that is believed goes on so far in a blink.
const MAX_STEP: Duration = Duration::from_secs(5);

/// How a stream is made: the same for all its publishers, as long as its name is the same.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub has_audio: bool,
    pub has_video: bool,
    pub has_metadata: bool,
    pub video_every: Duration,
    pub audio_every: Duration,
    /// How long after the first picture sound begins, if there are both.
    pub sound_after: Duration,
    pub gop_len: u16,
    /// Whether every other picture may be left out.
    pub has_disposable: bool,
    pub max_len: usize,
    pub new_headers: NewHeaders,
    /// Whether its headers come with each keyframe.
    pub repeats_headers: bool,
    pub clock: Clock,
    pub format: Format,
}

/// How the messages of a publisher are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As FLV had it first.
    Plain,
    /// As Enhanced RTMP has it: with FourCCs.
    Enhanced,
    /// Its sound is in ADTS frames, and has no sequence header: the server makes one, and takes the frames out.
    Adts,
}

/// The sequence header of sound that is sent as ADTS: AAC-LC, 44.1 kHz, stereo.
const ADTS_HEADER: Header = Header {
    stream: 0x12,
    variant: 0x10,
};

/// When a publisher makes other sequence headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewHeaders {
    Never,
    /// With this GOP.
    Once(u16),
    WithEachGop,
}

/// What the timestamps of a publisher are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    Good,
    /// Sound has a clock of its own, so far ahead.
    Skewed(i32),
    /// All jump so far, with each keyframe or with so many sounds.
    Jumps(i32),
    /// Each other picture says so much less than it should.
    StepsBack(u32),
    /// All say the same.
    Stands,
}

impl Clock {
    fn draw(rng: &mut Rng) -> Clock {
        match rng.below(8) {
            0 => Clock::Skewed(rng.pick(&[-3_600_000, -20_000, -400, 300, 7_000, 86_400_000])),
            1 => Clock::Jumps(rng.pick(&[-1_000_000, -9_000, 9_000, 80_000_000])),
            2 => Clock::StepsBack(rng.pick(&[10, 100, 400])),
            3 => Clock::Stands,
            _ => Clock::Good,
        }
    }

    /// What a frame says that comes `elapsed` ms after the first.
    fn say(self, kind: FrameKind, elapsed: u32, jumps: u32, pictures: u32) -> u32 {
        match self {
            Clock::Skewed(by) if kind == FrameKind::Audio => elapsed.wrapping_add_signed(by),
            Clock::Jumps(by) => elapsed.wrapping_add_signed(by.wrapping_mul(jumps.cast_signed())),
            Clock::StepsBack(by) if kind == FrameKind::Video && pictures % 2 == 1 => elapsed.wrapping_sub(by),
            Clock::Stands => 0,
            _ => elapsed,
        }
    }

    /// Whether a player gets each kind as its publisher says, but for where it begins.
    pub fn is_believed(self) -> bool {
        matches!(self, Clock::Good | Clock::Skewed(_))
    }
}

impl Style {
    pub fn draw(rng: &mut Rng) -> Style {
        let has_video = !rng.once_in(8);
        let new_headers = rng.pick(&[
            NewHeaders::Never,
            NewHeaders::Never,
            NewHeaders::Once(1),
            NewHeaders::Once(4),
            NewHeaders::WithEachGop,
        ]);
        // Other headers twice a second are as much as a good encoder makes.
        let min_gop_len = if new_headers == NewHeaders::WithEachGop { 12 } else { 2 };
        Style {
            has_audio: !has_video || !rng.once_in(8),
            has_video,
            has_metadata: rng.once_in(2),
            video_every: rng.millis(40, 100),
            audio_every: rng.millis(50, 110),
            sound_after: Duration::ZERO,
            gop_len: u16::try_from(rng.between(min_gop_len, 15)).unwrap(),
            has_disposable: rng.once_in(2),
            max_len: rng.pick(&[40, 200, 600, 3_000]),
            new_headers,
            repeats_headers: rng.once_in(3),
            clock: Clock::draw(rng),
            format: Format::Plain,
        }
    }
}

/// A header or frame that was sent.
#[derive(Debug)]
pub struct Sent {
    pub frame: Frame,
    pub at: Time,
    /// What a good clock says of it, in ms since the first.
    pub elapsed: u32,
}

/// One publisher's frames, from its connection to its end.
#[derive(Debug)]
pub struct Source {
    pub stream: usize,
    pub id: u32,
    pub style: Style,
    header: Header,
    pub sent: Vec<Sent>,
    started: Option<Time>,
    /// Its own time at the start.
    origin: u32,
    /// Since then, for the frame that is made.
    elapsed: u32,
    /// How often its clock has jumped, if it does.
    jumps: u32,
    /// How often time has leapt so far that a jump of its clock may be for real.
    pub leaps: u32,
    asked: Option<Time>,
    pictures: u32,
    sounds: u32,
    gop: u16,
    place: u16,
}

impl Source {
    pub fn new(id: usize, stream: usize, style: Style, rng: &mut Rng) -> Source {
        Source {
            stream,
            id: u32::try_from(id).unwrap(),
            style,
            header: Header {
                stream: u8::try_from(stream).unwrap(),
                variant: u8::try_from(rng.below(2)).unwrap(),
            },
            sent: Vec::new(),
            started: None,
            origin: match rng.below(3) {
                0 => 0,
                1 => u32::MAX - u32::try_from(rng.below(4_000)).unwrap(),
                _ => u32::try_from(rng.below(1 << 31)).unwrap(),
            },
            elapsed: 0,
            jumps: 0,
            leaps: 0,
            asked: None,
            pictures: 0,
            sounds: 0,
            gop: 0,
            place: 0,
        }
    }

    /// What is to be sent until `now`.
    pub fn due(&mut self, now: Time, rng: &mut Rng) -> Vec<Frame> {
        let is_first = self.started.is_none();
        let asked = self.asked.replace(now).unwrap_or(now);
        self.leaps += u32::from(now.since(asked) > MAX_STEP);
        let started = *self.started.get_or_insert(now);
        let from = self.sent.len();
        if is_first {
            if self.style.has_metadata {
                self.push(now, self.metadata());
            }
            self.push_headers(now);
        }
        loop {
            let picture = started + self.style.video_every * self.pictures;
            let sound = started + self.style.audio_every * self.sounds;
            let is_picture = self.style.has_video && (!self.style.has_audio || picture <= sound);
            let due = if is_picture { picture } else { sound };
            if due > now {
                break;
            }
            let elapsed = u32::try_from(due.since(started).as_millis()).unwrap();
            self.elapsed = elapsed;
            if is_picture {
                self.push_picture(now, rng);
            } else if self.style.has_video && due < started + self.style.sound_after {
                self.sounds += 1;
            } else {
                self.jumps += u32::from(!self.style.has_video && self.sounds % 20 == 19);
                let timestamp = self.timestamp(FrameKind::Audio);
                let mut stamp = self.stamp();
                let head: &[u8] = match self.style.format {
                    Format::Enhanced => b"\x91mp4a\x21",
                    _ => &[0xAF, 1, 0x21],
                };
                if self.style.format == Format::Adts {
                    stamp.header = ADTS_HEADER;
                }
                let mut payload = [head, &stamp.to_bytes()].concat();
                payload.resize(payload.len() + rng.size(0, 60), 0x5A);
                self.sounds += 1;
                self.push(now, Frame::audio(timestamp, payload.into()));
            }
        }
        self.sent[from..].iter().map(|sent| self.to_wire(&sent.frame)).collect()
    }

    /// A frame as it is sent, which may not be as players get it.
    fn to_wire(&self, frame: &Frame) -> Frame {
        if self.style.format != Format::Adts || frame.kind != FrameKind::Audio {
            return frame.clone();
        }
        let body = &frame.payload[SOUND_HEAD - 1..];
        let len = u8::try_from(body.len() + 7).expect("sound is short");
        let adts = [0xFF, 0xF1, 0x50, 0x80, len >> 3, len << 5 | 0x1F, 0xFC];
        Frame::audio(frame.timestamp, [&[0xAF, 1], &adts[..], body].concat().into())
    }

    /// Whether all kinds of media have begun.
    pub fn is_complete(&self, now: Time) -> bool {
        let is_late = self.style.has_audio && self.style.has_video;
        let started = self.started.unwrap_or(now);
        !is_late || started + self.style.sound_after + self.style.audio_every < now
    }

    /// It says nothing for a while, which its clock knows.
    pub fn skip(&mut self, span: Duration) {
        let steps = |every: Duration| u32::try_from(span.as_millis() / every.as_millis()).unwrap();
        self.pictures += steps(self.style.video_every);
        self.sounds += steps(self.style.audio_every);
        // What follows refers to what was not sent.
        self.place = self.style.gop_len;
    }

    /// Some of the last frames: enough to have a picture among them. If there are too few, one that nobody can have.
    pub fn latest(&self) -> impl Iterator<Item = Stamp> {
        let coded = self.sent.iter().rev().filter(|sent| is_coded(&sent.frame));
        let mut coded = coded.skip(1).take(6).map(|sent| Stamp::of(&sent.frame)).peekable();
        let none = coded.peek().is_none().then(|| self.stamp());
        coded.chain(none)
    }

    fn timestamp(&self, kind: FrameKind) -> Timestamp {
        let said = self.style.clock.say(kind, self.elapsed, self.jumps, self.pictures);
        Timestamp::from_millis(self.origin.wrapping_add(said))
    }

    fn push_picture(&mut self, now: Time, rng: &mut Rng) {
        let is_key = self.pictures == 0 || self.place >= self.style.gop_len;
        if is_key && self.pictures > 0 {
            self.gop += 1;
            self.place = 0;
            self.jumps += 1;
            let changes = match self.style.new_headers {
                NewHeaders::Never => false,
                NewHeaders::Once(gop) => gop == self.gop,
                NewHeaders::WithEachGop => true,
            };
            if changes {
                self.header.variant = self.header.variant.wrapping_add(1) % 4;
            }
            if changes || self.style.repeats_headers {
                self.push_headers(now);
            }
        }
        let timestamp = self.timestamp(FrameKind::Video);
        let is_disposable = !is_key && self.style.has_disposable && rng.once_in(2);
        self.place += u16::from(!is_key && !is_disposable);
        let (first, unit) = match (is_key, is_disposable) {
            (true, _) => (0x17, 0x65),
            (_, true) => (0x27, 0x01),
            _ => (0x27, 0x41),
        };
        let filler = rng.size(
            0,
            if is_key {
                self.style.max_len
            } else {
                self.style.max_len / 4
            },
        );
        let len = u32::try_from(1 + Stamp::LEN + filler).unwrap();
        let mut payload = match self.style.format {
            // Of a picture without a composition time.
            Format::Enhanced => [&[first - 7 + 0x83], &b"avc1"[..]].concat(),
            _ => vec![first, 1, 0, 0, 0],
        };
        payload.extend(len.to_be_bytes());
        payload.push(unit);
        payload.extend(self.stamp().to_bytes());
        payload.resize(payload.len() + filler, 0xA5);
        self.pictures += 1;
        self.push(now, Frame::video(timestamp, payload.into()));
    }

    fn push_headers(&mut self, now: Time) {
        for (kind, is_there) in [
            (FrameKind::Video, self.style.has_video),
            (FrameKind::Audio, self.style.has_audio),
        ] {
            // ADTS has no header of its own.
            let is_sent = kind == FrameKind::Video || self.style.format != Format::Adts;
            if is_there && is_sent {
                self.push(now, self.header.frame(kind, self.style.format));
            }
        }
    }

    fn push(&mut self, now: Time, frame: Frame) {
        let elapsed = self.elapsed;
        self.sent.push(Sent {
            frame,
            at: now,
            elapsed,
        });
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            source: self.id,
            number: u32::try_from(self.sent.len()).unwrap(),
            header: self.header,
            gop: self.gop,
            place: self.place,
        }
    }

    fn metadata(&self) -> Frame {
        let mut body = Vec::new();
        let mut writer = Writer::new(&mut body);
        writer.string("onMetaData").ecma_array_start(2);
        writer.key("hasAudio").boolean(self.style.has_audio);
        writer.key("hasVideo").boolean(self.style.has_video);
        writer.object_end();
        Frame::data(Timestamp::ZERO, body.into())
    }
}

/// Whether it is sound or a picture, and no header.
pub fn is_coded(frame: &Frame) -> bool {
    matches!(
        frame.class,
        FrameClass::Keyframe | FrameClass::Inter | FrameClass::Disposable
    )
}
