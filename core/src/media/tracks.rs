//! What a message carries, track by track: the one reader of audio and video tag headers. FLV 10.1 §E.4.2.1 and §E.4.3.1;
//! E-RTMP v2, "Enhanced Audio", "Enhanced Video" and "Multitrack Streaming".

use super::{Codec, FourCc, FrameKind, TrackId};
use core::iter::FusedIterator;
use core::mem;
use core::ops::Range;

/// Reads the tag header at the front of `payload`, and gives what it carries, track by track.
///
/// A message with a legacy header has one track, and so has an enhanced one without multitrack. Nothing is carried by an empty
/// message, which is a pause of audio, by a command to the player, and by data.
///
/// Cost: at most 16 ModEx blocks here, then a few comparisons for each track; a track takes four bytes at the least, and no
/// body is looked into. Nothing is allocated.
#[must_use]
#[inline]
pub fn tracks(kind: FrameKind, payload: &[u8]) -> TrackParts<'_> {
    let mut parts = TrackParts {
        payload_len: payload.len(),
        rest: payload,
        kind,
        form: Form::End,
        frame_type: None,
        packet: 0,
        nano_offset: 0,
    };
    if let Err(error) = parts.open() {
        parts.form = Form::Malformed(error);
    }
    parts
}

/// What a message carries of one track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackPart<'a> {
    /// The track: 0 unless a multitrack header says otherwise.
    pub track: TrackId,
    /// The codec.
    pub codec: Codec,
    /// The codec's name in an enhanced header; `None` in a legacy one.
    pub four_cc: Option<FourCc>,
    /// What sort of picture it is; `None` for audio. All tracks of a message have the same.
    pub frame_type: Option<VideoFrameType>,
    /// What the body is.
    pub packet: PacketType,
    /// Milliseconds from the message's timestamp (decoding time) to presentation; 0 where the header does not say.
    pub composition_time: i32,
    /// Nanoseconds to add to the time of presentation, as the sender says: below 1,000,000 if it is right. 0 where the header
    /// does not say. All tracks of a message have the same.
    pub nano_offset: u32,
    /// A configuration record, NAL units, samples: what is behind the header and its composition time.
    pub body: &'a [u8],
    /// Where in the payload that begins.
    start: usize,
}

impl TrackPart<'_> {
    /// Where in the payload the body is.
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        self.start..self.start.saturating_add(self.body.len())
    }
}

/// What a packet is. E-RTMP v2 numbers those of audio and of video apart; legacy headers of AVC and AAC have the first three,
/// those of codecs without configuration say nothing, which is [`CodedFrames`](Self::CodedFrames).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PacketType {
    /// Codec configuration.
    SequenceStart,
    /// A picture, or samples.
    CodedFrames,
    /// The track ends, or pauses.
    SequenceEnd,
    /// A picture whose composition time is 0 and left out.
    CodedFramesX,
    /// Of video: colours.
    Metadata,
    /// Of video: the configuration of AV1 as MPEG-2 TS has it.
    Mpeg2TsSequenceStart,
    /// Of audio: loudspeakers.
    MultichannelConfig,
    /// Under a legacy header: a client-side seek begins or ends.
    Command,
    /// One without a meaning.
    Unknown(u8),
}

/// The frame type field, the same in legacy (4 bits) and enhanced (3 bits) headers. FLV 10.1 §E.4.3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoFrameType(pub u8);

impl VideoFrameType {
    /// A keyframe.
    pub const KEY: VideoFrameType = VideoFrameType(1);
    /// A picture that depends on others.
    pub const INTER: VideoFrameType = VideoFrameType(2);
    /// A picture that no other depends on.
    pub const DISPOSABLE_INTER: VideoFrameType = VideoFrameType(3);
    /// A keyframe that a server made.
    pub const GENERATED_KEY: VideoFrameType = VideoFrameType(4);
    /// The next byte is the start (0) or end (1) of a client-side seek; there is no picture.
    pub const COMMAND: VideoFrameType = VideoFrameType(5);
}

/// Why the tracks of a message, or the rest of them, cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrackError {
    /// The message ends in a header, or before a track of the size that it announces.
    #[error("the message ends within a header or a track")]
    CutShort,
    /// Only one type of ModEx block is defined, so real messages carry one.
    #[error("more than {MAX_MOD_EX} ModEx blocks")]
    TooManyModEx,
    /// Multitrack or ModEx as the packet type of a track.
    #[error("packet type {0} within multitrack")]
    Nested(u8),
    /// A multitrack type other than one track, many tracks, and many tracks of many codecs.
    #[error("unknown multitrack type {0}")]
    UnknownMultitrackType(u8),
}

/// The tracks of a message: see [`tracks()`].
///
/// Of a message that is malformed it gives the tracks in front of the fault, then the error, then nothing.
#[derive(Debug, Clone)]
pub struct TrackParts<'a> {
    payload_len: usize,
    /// What has not been read.
    rest: &'a [u8],
    kind: FrameKind,
    form: Form,
    frame_type: Option<VideoFrameType>,
    /// The packet type's number, the same for all tracks.
    packet: u8,
    nano_offset: u32,
}

/// What `rest` is.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// What a legacy header has behind its first byte.
    Legacy(Codec),
    /// FourCC, and body.
    Plain,
    /// FourCC, track ID and body.
    OneTrack,
    /// Track ID, size and body, repeated.
    ManyTracks(FourCc),
    /// FourCC, track ID, size and body, repeated.
    ManyTracksManyCodecs,
    Malformed(TrackError),
    End,
}

impl<'a> TrackParts<'a> {
    /// Whether there is nothing more to come, not even an error.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.form, Form::End)
    }

    /// The codec of the next track, if there is one, however it goes on.
    #[inline]
    pub(super) fn codec(&self) -> Option<Codec> {
        match self.form {
            Form::Legacy(codec) => Some(codec),
            Form::ManyTracks(four_cc) => Some(Codec::from_four_cc(four_cc)),
            Form::Plain | Form::OneTrack | Form::ManyTracksManyCodecs => {
                let four_cc = self.rest.first_chunk()?;
                Some(Codec::from_four_cc(FourCc(*four_cc)))
            }
            Form::Malformed(_) | Form::End => None,
        }
    }

    /// Reads what all tracks have in common.
    #[inline]
    fn open(&mut self) -> Result<(), TrackError> {
        let Some((&first, rest)) = self.rest.split_first() else {
            return Ok(());
        };
        self.rest = rest;
        let (is_enhanced, multitrack) = match self.kind {
            FrameKind::Audio => (first >> 4 == AUDIO_EX_HEADER, AUDIO_MULTITRACK),
            FrameKind::Video => {
                let is_enhanced = first & VIDEO_EX_HEADER != 0;
                let bits = if is_enhanced { first & !VIDEO_EX_HEADER } else { first };
                self.frame_type = Some(VideoFrameType(bits >> 4));
                (is_enhanced, VIDEO_MULTITRACK)
            }
            FrameKind::Data => return Ok(()),
        };
        if !is_enhanced {
            self.form = Form::Legacy(match self.kind {
                FrameKind::Audio => Codec::from_sound_format(first >> 4),
                _ => Codec::from_video_id(first & 0x0F),
            });
            return Ok(());
        }
        self.packet = first & 0x0F;
        self.read_mod_ex()?;
        // Metadata is exempt: ffmpeg sends it with this frame type (first byte D4).
        let is_metadata = packet_type(self.kind, self.packet) == PacketType::Metadata;
        if self.frame_type == Some(VideoFrameType::COMMAND) && !is_metadata {
            // One byte of command and no FourCC.
            return Ok(());
        }
        self.form = if self.packet == multitrack {
            self.read_multitrack(multitrack)?
        } else {
            Form::Plain
        };
        Ok(())
    }

    /// Reads ModEx blocks up to another packet type.
    ///
    /// A block is `size - 1: u8` (256 means that `size - 1: u16` follows), that many bytes, and a byte of ModEx type and
    /// next packet type. The only type so far is TimestampOffsetNano.
    fn read_mod_ex(&mut self) -> Result<(), TrackError> {
        for _ in 0..=MAX_MOD_EX {
            if self.packet != MOD_EX {
                return Ok(());
            }
            let mut size = usize::from(self.byte()?) + 1;
            if size == 256 {
                size = usize::from(u16::from_be_bytes(self.chunk()?)) + 1;
            }
            let data = self.split(size)?;
            let types = self.byte()?;
            if types >> 4 == TIMESTAMP_OFFSET_NANO
                && let Some([a, b, c]) = data.first_chunk()
            {
                self.nano_offset = u32::from_be_bytes([0, *a, *b, *c]);
            }
            self.packet = types & 0x0F;
        }
        Err(TrackError::TooManyModEx)
    }

    fn read_multitrack(&mut self, multitrack: u8) -> Result<Form, TrackError> {
        let types = self.byte()?;
        self.packet = types & 0x0F;
        if self.packet == multitrack || self.packet == MOD_EX {
            return Err(TrackError::Nested(self.packet));
        }
        match types >> 4 {
            ONE_TRACK => Ok(Form::OneTrack),
            MANY_TRACKS => Ok(Form::ManyTracks(FourCc(self.chunk()?))),
            MANY_TRACKS_MANY_CODECS => Ok(Form::ManyTracksManyCodecs),
            other => Err(TrackError::UnknownMultitrackType(other)),
        }
    }

    /// Reads one track, and puts down what comes behind it.
    #[inline]
    fn part(&mut self) -> Result<Option<TrackPart<'a>>, TrackError> {
        let form = mem::replace(&mut self.form, Form::End);
        let (four_cc, track, body) = match form {
            Form::Legacy(codec) => return self.legacy(codec).map(Some),
            Form::Plain => (FourCc(self.chunk()?), 0, self.split(self.rest.len())?),
            Form::OneTrack => (FourCc(self.chunk()?), self.byte()?, self.split(self.rest.len())?),
            Form::ManyTracks(four_cc) => {
                let (track, body) = self.sized()?;
                (four_cc, track, body)
            }
            Form::ManyTracksManyCodecs => {
                let four_cc = FourCc(self.chunk()?);
                let (track, body) = self.sized()?;
                (four_cc, track, body)
            }
            Form::Malformed(error) => return Err(error),
            Form::End => return Ok(None),
        };
        let end = self.payload_len.saturating_sub(self.rest.len());
        let codec = Codec::from_four_cc(four_cc);
        let packet = packet_type(self.kind, self.packet);
        let (composition_time, body) = match (packet, codec) {
            (PacketType::CodedFrames, Codec::Avc | Codec::Hevc | Codec::Vvc) => split_composition_time(body)?,
            _ => (0, body),
        };
        if !self.rest.is_empty() {
            self.form = form;
        }
        Ok(Some(TrackPart {
            track: TrackId(track),
            codec,
            four_cc: Some(four_cc),
            frame_type: self.frame_type,
            packet,
            composition_time,
            nano_offset: self.nano_offset,
            body,
            start: end.saturating_sub(body.len()),
        }))
    }

    /// Reads what is behind the first byte of a legacy header.
    #[inline]
    fn legacy(&mut self, codec: Codec) -> Result<TrackPart<'a>, TrackError> {
        let mut composition_time = 0;
        let packet = match codec {
            _ if self.frame_type == Some(VideoFrameType::COMMAND) => PacketType::Command,
            Codec::Aac => packet_type(FrameKind::Audio, self.byte()?),
            // HEVC and AV1 under legacy codec IDs borrow the layout of AVC.
            Codec::Avc | Codec::Hevc | Codec::Av1 => {
                let packet = match self.byte()? {
                    known @ 0..=2 => packet_type(FrameKind::Video, known),
                    other => PacketType::Unknown(other),
                };
                let (time, rest) = split_composition_time(self.rest)?;
                self.rest = rest;
                if packet == PacketType::CodedFrames {
                    composition_time = time;
                }
                packet
            }
            _ => PacketType::CodedFrames,
        };
        let body = mem::take(&mut self.rest);
        Ok(TrackPart {
            track: TrackId(0),
            codec,
            four_cc: None,
            frame_type: self.frame_type,
            packet,
            composition_time,
            nano_offset: 0,
            body,
            start: self.payload_len.saturating_sub(body.len()),
        })
    }

    /// A track with its size in front.
    fn sized(&mut self) -> Result<(u8, &'a [u8]), TrackError> {
        let [track, a, b, c] = self.chunk()?;
        // A size that does not fit is too long all the same.
        let size = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        Ok((track, self.split(size)?))
    }

    fn byte(&mut self) -> Result<u8, TrackError> {
        let [byte] = self.chunk()?;
        Ok(byte)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], TrackError> {
        let (chunk, rest) = self.rest.split_first_chunk().ok_or(TrackError::CutShort)?;
        self.rest = rest;
        Ok(*chunk)
    }

    fn split(&mut self, len: usize) -> Result<&'a [u8], TrackError> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(TrackError::CutShort)?;
        self.rest = rest;
        Ok(bytes)
    }
}

impl<'a> Iterator for TrackParts<'a> {
    type Item = Result<TrackPart<'a>, TrackError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.part().transpose()
    }
}

impl FusedIterator for TrackParts<'_> {}

/// The packet type of this number. AACPacketType and AudioPacketType agree, and so do AVCPacketType and VideoPacketType.
const fn packet_type(kind: FrameKind, number: u8) -> PacketType {
    match (kind, number) {
        (_, 0) => PacketType::SequenceStart,
        (_, 1) => PacketType::CodedFrames,
        (_, 2) => PacketType::SequenceEnd,
        (FrameKind::Audio, 4) => PacketType::MultichannelConfig,
        (FrameKind::Video, 3) => PacketType::CodedFramesX,
        (FrameKind::Video, 4) => PacketType::Metadata,
        (FrameKind::Video, 5) => PacketType::Mpeg2TsSequenceStart,
        (_, other) => PacketType::Unknown(other),
    }
}

/// The signed 24-bit composition time in front of `rest`.
fn split_composition_time(rest: &[u8]) -> Result<(i32, &[u8]), TrackError> {
    let ([a, b, c], body) = rest.split_first_chunk().ok_or(TrackError::CutShort)?;
    Ok((i32::from_be_bytes([*a, *b, *c, 0]) >> 8, body))
}

/// ModEx blocks accepted in one message. Only one type is defined, so real messages carry one.
const MAX_MOD_EX: usize = 16;

/// The sound format that announces an enhanced audio header.
const AUDIO_EX_HEADER: u8 = 9;
/// The bit of the first byte that announces an enhanced video header.
const VIDEO_EX_HEADER: u8 = 0x80;

/// The packet types that announce several tracks, and a ModEx block.
const AUDIO_MULTITRACK: u8 = 5;
const VIDEO_MULTITRACK: u8 = 6;
const MOD_EX: u8 = 7;

/// The values of AvMultitrackType.
const ONE_TRACK: u8 = 0;
const MANY_TRACKS: u8 = 1;
const MANY_TRACKS_MANY_CODECS: u8 = 2;

/// The value of AudioPacketModExType and VideoPacketModExType.
const TIMESTAMP_OFFSET_NANO: u8 = 0;

#[cfg(test)]
mod tests;
