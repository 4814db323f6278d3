//! The demuxer: FLV bytes in, frames out.

use super::header::{DATA_OFFSET, SIGNATURE};
use super::{FileHeader, FlvError, PREVIOUS_TAG_SIZE_LEN, TagFlags, TagHeader};
use crate::amf::skip_selector;
use crate::media::Content;
use crate::{Frame, FrameKind, Limits};
use alloc::vec::Vec;
use bytes::Bytes;
use core::mem;

/// Reads an FLV stream, as it arrives, cut anywhere.
///
/// It keeps no bytes but eleven of header and the data of the tag under way, which it copies once, into the buffer
/// that becomes the frame's payload. That buffer grows with the bytes that arrive, never with the size announced.
/// Cost of a frame of up to 64 KiB: one copy, two allocations (buffer and, once cloned, reference count).
///
/// Errors are final: later calls repeat them.
#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct FlvReader {
    state: State,
    header: Scratch,
    limits: Limits,
}

/// What [`FlvReader::handle_input`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlvItem {
    /// A file header. A second one, after a tag, means that the sender started over.
    Header(TagFlags),
    /// An audio, video or script data tag; script data as [`normalize`](crate::media::script::normalize) makes it.
    Frame(Frame),
    /// Script data that orders to forget the metadata: `@clearDataFrame`.
    MetadataCleared,
    /// A tag that carries nothing for a player: of an unknown type, a picture without a byte, or script data that is
    /// unreadable or too large.
    Skipped {
        /// Its type.
        tag_type: u8,
    },
}

impl FlvReader {
    /// A reader at the start of a stream, which bounds tags by [`Limits::max_message_len`] (an error beyond it) and
    /// script data by [`Limits::max_command_len`] (skipped beyond it).
    #[must_use]
    pub fn new(limits: &Limits) -> FlvReader {
        FlvReader {
            state: State::FileHeader,
            header: Scratch::default(),
            limits: limits.clone(),
        }
    }

    /// Consumes from the front of `input`, stopping after the first item. `Ok(None)` means that all of it was taken.
    ///
    /// A frame is complete with its last byte: the previous tag size behind it is skipped unread, here and elsewhere,
    /// because many writers get it wrong and data sizes frame the stream already.
    ///
    /// # Errors
    /// Any [`FlvError`].
    pub fn handle_input(&mut self, input: &mut &[u8]) -> Result<Option<FlvItem>, FlvError> {
        let result = self.step(input);
        if let Err(error) = &result {
            self.state = State::Failed(error.clone());
        }
        result
    }

    /// Whether the bytes so far end at a tag's border, so that an end here cuts nothing off. Previous tag sizes that are
    /// missing do not count.
    #[must_use]
    pub fn is_at_tag_border(&self) -> bool {
        match &self.state {
            State::FileHeader | State::TagHeader => self.header.len == 0,
            State::Skip(left) => *left <= PREVIOUS_TAG_SIZE_LEN as u64,
            State::Data(_) | State::Failed(_) => false,
        }
    }

    /// Bytes of unfinished sound or pictures.
    pub(crate) fn media_under_way(&self) -> usize {
        match &self.state {
            State::Data(tag) if matches!(tag.header.tag_type, AUDIO | VIDEO) => tag.data.len(),
            _ => 0,
        }
    }

    /// Bytes of memory held, beside itself: what is there of the tag under way.
    #[must_use]
    pub const fn held_memory(&self) -> usize {
        match &self.state {
            State::Data(tag) => tag.data.capacity(),
            _ => 0,
        }
    }

    fn step(&mut self, input: &mut &[u8]) -> Result<Option<FlvItem>, FlvError> {
        loop {
            match &mut self.state {
                State::FileHeader => {
                    let Some(bytes) = self.header.fill(input) else {
                        return Ok(None);
                    };
                    let header = FileHeader::parse(bytes)?;
                    self.header.clear();
                    self.state = State::skip(header.data_offset.saturating_sub(DATA_OFFSET));
                    return Ok(Some(FlvItem::Header(header.flags)));
                }
                State::TagHeader => {
                    // A tool that restarts its muxer, or concatenated files, put a file header where a tag may begin.
                    // It cannot be one: its first byte has a reserved bit set.
                    let Some(front) = self.header.fill(input) else {
                        return Ok(None);
                    };
                    if *front == SIGNATURE {
                        self.state = State::FileHeader;
                        continue;
                    }
                    let Some(bytes) = self.header.fill(input) else {
                        return Ok(None);
                    };
                    let header = TagHeader::parse(bytes);
                    self.header.clear();
                    if let Some(item) = self.begin_tag(header)? {
                        return Ok(Some(item));
                    }
                }
                State::Data(tag) => {
                    if !tag.fill(input) {
                        return Ok(None);
                    }
                    let item = tag.finish(&self.limits);
                    self.state = State::skip(0);
                    return Ok(Some(item));
                }
                State::Skip(left) => {
                    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    *input = input.get(skipped..).unwrap_or_default();
                    *left = left.saturating_sub(skipped as u64);
                    if *left > 0 {
                        return Ok(None);
                    }
                    self.state = State::TagHeader;
                }
                State::Failed(error) => return Err(error.clone()),
            }
        }
    }

    fn begin_tag(&mut self, header: TagHeader) -> Result<Option<FlvItem>, FlvError> {
        let TagHeader {
            tag_type, data_size, ..
        } = header;
        if header.is_encrypted {
            return Err(FlvError::Encrypted { tag_type });
        }
        if data_size > self.limits.max_message_len {
            return Err(FlvError::TagTooLarge {
                len: data_size,
                max: self.limits.max_message_len,
            });
        }
        let is_wanted = match tag_type {
            AUDIO | VIDEO => true,
            SCRIPT | SCRIPT_AMF3 => data_size <= self.limits.max_command_len,
            _ => false,
        };
        if is_wanted {
            self.state = State::Data(Tag {
                header,
                data: Vec::new(),
            });
            Ok(None)
        } else {
            self.state = State::skip(data_size);
            Ok(Some(FlvItem::Skipped { tag_type }))
        }
    }
}

#[derive(Debug)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
enum State {
    FileHeader,
    TagHeader,
    #[cfg_attr(feature = "server", serde(skip))]
    Data(Tag),
    /// So many bytes to pass over.
    Skip(u64),
    #[cfg_attr(feature = "server", serde(skip))]
    Failed(FlvError),
}

impl State {
    /// Passes over `data_size` bytes and the previous tag size behind them.
    fn skip(data_size: u32) -> State {
        State::Skip(u64::from(data_size).saturating_add(PREVIOUS_TAG_SIZE_LEN as u64))
    }
}

/// The header under way.
#[derive(Debug, Default)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
struct Scratch {
    bytes: [u8; TagHeader::LEN],
    len: usize,
}

impl Scratch {
    /// Takes from `input` until `N` bytes are here, and returns the first `N`; `None` if `input` ends before that.
    fn fill<const N: usize>(&mut self, input: &mut &[u8]) -> Option<&[u8; N]> {
        let missing = N.saturating_sub(self.len).min(input.len());
        let piece = input.split_off(..missing)?;
        let end = self.len.saturating_add(missing);
        self.bytes.get_mut(self.len..end)?.copy_from_slice(piece);
        self.len = end;
        self.bytes.get(..self.len)?.first_chunk()
    }

    fn clear(&mut self) {
        self.len = 0;
    }
}

/// The tag under way.
#[derive(Debug)]
struct Tag {
    header: TagHeader,
    data: Vec<u8>,
}

impl Tag {
    /// Takes from `input` what is missing. `false` if `input` ends before that.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the data is never longer than `size`, and that has 24 bits"
    )]
    fn fill(&mut self, input: &mut &[u8]) -> bool {
        let size = self.header.data_size as usize;
        let missing = size - self.data.len();
        let Some(piece) = input.split_off(..missing.min(input.len())) else {
            return false;
        };
        let len = self.data.len() + piece.len();
        let capacity = self.data.capacity();
        if len > capacity {
            // Never beyond `size`, so that the full buffer becomes `Bytes` as it is.
            let target = len.max(2 * capacity).max(FIRST_RESERVE).min(size);
            self.data.reserve_exact(target - self.data.len());
        }
        self.data.extend_from_slice(piece);
        len == size
    }

    fn finish(&mut self, limits: &Limits) -> FlvItem {
        let TagHeader {
            tag_type, timestamp, ..
        } = self.header;
        let payload = Bytes::from(mem::take(&mut self.data));
        let (kind, body) = match tag_type {
            AUDIO => (FrameKind::Audio, payload),
            VIDEO => (FrameKind::Video, payload),
            SCRIPT_AMF3 => (FrameKind::Data, payload.slice_ref(skip_selector(&payload))),
            _ => (FrameKind::Data, payload),
        };
        match Content::read(kind, timestamp, body, limits) {
            Content::Frame(frame) => FlvItem::Frame(frame),
            Content::MetadataCleared => FlvItem::MetadataCleared,
            Content::Nothing => FlvItem::Skipped { tag_type },
        }
    }
}

/// What is reserved for a tag before its data is there. 64 KiB: nearly every tag fits, and a peer that announces more
/// than it sends makes us hold little.
const FIRST_RESERVE: usize = 64 << 10;

const AUDIO: u8 = 8;
const VIDEO: u8 = 9;
/// Script data with an AMF3 selector byte. E-RTMP v2.
const SCRIPT_AMF3: u8 = 15;
/// Script data in AMF0.
const SCRIPT: u8 = 18;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flv::FlvWriter;
    use crate::{FrameClass, Output, Timestamp};
    use alloc::vec;
    use bytes::{Buf, BufMut};
    use quickcheck::{Arbitrary, Gen, TestResult, quickcheck};

    type Items = Result<Vec<FlvItem>, FlvError>;

    /// Feeds `bytes` in pieces of the given sizes, over and over; every call must take bytes, give an item or be the last.
    fn read_in_pieces(bytes: &[u8], sizes: &[usize]) -> (Items, bool) {
        let mut reader = FlvReader::new(&small_limits());
        let mut items = Vec::new();
        let mut left = bytes;
        let mut sizes = sizes.iter().cycle();
        while !left.is_empty() {
            let size = (*sizes.next().unwrap()).clamp(1, left.len());
            let mut piece = left.split_off(..size).unwrap();
            loop {
                match reader.handle_input(&mut piece) {
                    Ok(Some(item)) => items.push(item),
                    Ok(None) => break assert!(piece.is_empty()),
                    Err(error) => return (Err(error), false),
                }
            }
        }
        (Ok(items), reader.is_at_tag_border())
    }

    fn read(bytes: &[u8]) -> Items {
        read_in_pieces(bytes, &[bytes.len()]).0
    }

    /// Reads `bytes` whole and through every cut, and expects the same each time.
    fn read_every_way(bytes: &[u8]) -> Items {
        let whole = read_in_pieces(bytes, &[bytes.len()]);
        assert_eq!(read_in_pieces(bytes, &[1]), whole);
        for cut in 1..bytes.len() {
            assert_eq!(read_in_pieces(bytes, &[cut, bytes.len()]), whole, "cut at {cut}");
        }
        whole.0
    }

    fn small_limits() -> Limits {
        Limits {
            max_message_len: 200_000,
            max_command_len: 1_000,
            ..Limits::default()
        }
    }

    /// One part of a stream.
    #[derive(Debug, Clone)]
    enum Part {
        Header(TagFlags),
        Frame(Frame),
    }

    impl Arbitrary for Part {
        fn arbitrary(g: &mut Gen) -> Part {
            let payload: Vec<u8> = if bool::arbitrary(g) {
                Vec::arbitrary(g)
            } else {
                vec![u8::arbitrary(g); usize::arbitrary(g) % 200_000]
            };
            let timestamp = Timestamp::from_millis(u32::arbitrary(g));
            match u8::arbitrary(g) % 4 {
                0 => Part::Header(TagFlags {
                    audio: bool::arbitrary(g),
                    video: bool::arbitrary(g),
                }),
                1 => Part::Frame(Frame::audio(timestamp, payload.into())),
                _ => Part::Frame(Frame::video(timestamp, payload.into())),
            }
        }
    }

    fn write(parts: &[Part]) -> (Vec<u8>, Vec<FlvItem>) {
        let mut out = Output::new();
        let flags = TagFlags::default();
        FlvWriter::header(flags, &mut out);
        let mut items = vec![FlvItem::Header(flags)];
        for part in parts {
            match part {
                Part::Header(flags) => {
                    FlvWriter::header(*flags, &mut out);
                    items.push(FlvItem::Header(*flags));
                }
                Part::Frame(frame) => {
                    FlvWriter::frame(frame, &mut out);
                    items.push(match frame.kind {
                        FrameKind::Video if frame.payload.is_empty() => FlvItem::Skipped { tag_type: VIDEO },
                        _ => FlvItem::Frame(frame.clone()),
                    });
                }
            }
        }
        (out.copy_to_bytes(out.remaining()).into(), items)
    }

    quickcheck! {
        fn reads_what_was_written_however_it_is_cut(parts: Vec<Part>, sizes: Vec<u16>) -> bool {
            let (bytes, items) = write(&parts);
            let sizes: Vec<usize> = sizes.into_iter().chain([4_000]).map(usize::from).collect();
            read_in_pieces(&bytes, &sizes) == (Ok(items), true)
        }

        fn any_bytes_are_read_the_same_however_they_are_cut(bytes: Vec<u8>, sizes: Vec<usize>) -> TestResult {
            if sizes.is_empty() {
                return TestResult::discard();
            }
            let bytes = [&b"FLV\x01\x05\0\0\0\x09\0\0\0\0"[..], &bytes].concat();
            TestResult::from_bool(read_in_pieces(&bytes, &sizes) == read_in_pieces(&bytes, &[bytes.len()]))
        }
    }

    fn tag(tag_type: u8, data_size: u32, data: &[u8]) -> Vec<u8> {
        let header = TagHeader {
            tag_type,
            is_encrypted: false,
            data_size,
            timestamp: Timestamp::ZERO,
        };
        [&header.write()[..], data, &(11 + data_size).to_be_bytes()].concat()
    }

    fn stream(tags: &[Vec<u8>]) -> Vec<u8> {
        [b"FLV\x01\x05\0\0\0\x09\0\0\0\0", &tags.concat()[..]].concat()
    }

    const BOTH: TagFlags = TagFlags {
        audio: true,
        video: true,
    };

    #[test]
    fn reads_headers_and_tags_through_every_cut() {
        let mut bytes = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
        bytes.put_slice(b"\x08\0\0\x04\0\0\0\0\0\0\0\xAF\x00\x12\x10\0\0\0\x0F");
        bytes.put_slice(b"\x09\0\0\x05\0\x01\x90\0\0\0\0\x17\x02\0\0\0\0\0\0\x10");
        let items = read_every_way(&bytes).unwrap();
        let [FlvItem::Header(flags), FlvItem::Frame(audio), FlvItem::Frame(video)] = &items[..] else {
            panic!("{items:?}");
        };
        assert_eq!(*flags, BOTH);
        assert_eq!(
            (audio.class, &audio.payload[..]),
            (FrameClass::SequenceHeader, &b"\xAF\x00\x12\x10"[..])
        );
        assert_eq!(
            (video.class, video.timestamp),
            (FrameClass::Other, Timestamp::from_millis(400))
        );
    }

    #[test]
    fn a_frame_is_complete_before_its_tag_size_arrives() {
        let bytes = stream(&[tag(8, 2, b"\xAF\x01")]);
        let items = read(&bytes[..bytes.len() - 4]).unwrap();
        assert!(matches!(&items[..], [FlvItem::Header(_), FlvItem::Frame(_)]));
    }

    #[test]
    fn wrong_tag_sizes_and_longer_headers_are_passed_over() {
        let mut bytes = b"FLV\x01\x05\0\0\0\x0C???\xFF\xFF\xFF\xFF".to_vec();
        bytes.put_slice(&tag(8, 2, b"\xAF\x01"));
        let end = bytes.len();
        bytes[end - 4..].fill(0xEE);
        bytes.put_slice(&tag(9, 0, b""));
        assert_eq!(read_every_way(&bytes).unwrap().len(), 3);
    }

    #[test]
    fn a_file_header_after_a_tag_starts_over() {
        let once = stream(&[tag(8, 2, b"\xAF\x01")]);
        let items = read_every_way(&[&once[..], &once].concat()).unwrap();
        assert_eq!(items[..2], items[2..]);
    }

    #[test]
    fn an_empty_picture_is_skipped_and_empty_audio_is_a_pause() {
        let items = read(&stream(&[tag(9, 0, b""), tag(8, 0, b"")])).unwrap();
        let [_, FlvItem::Skipped { tag_type: VIDEO }, FlvItem::Frame(pause)] = &items[..] else {
            panic!("{items:?}");
        };
        assert_eq!((pause.kind, pause.payload.len()), (FrameKind::Audio, 0));
    }

    #[test]
    fn unknown_tags_and_oversized_scripts_are_skipped() {
        let bytes = stream(&[tag(10, 3, b"???"), tag(18, 1_001, &[0; 1_001]), tag(8, 2, b"\xAF\x01")]);
        let items = read_every_way(&bytes).unwrap();
        assert_eq!(items[1], FlvItem::Skipped { tag_type: 10 });
        assert_eq!(items[2], FlvItem::Skipped { tag_type: 18 });
        assert!(matches!(items[3], FlvItem::Frame(_)));
    }

    #[test]
    fn script_data_becomes_what_players_read() {
        let metadata = b"\x02\0\x0aonMetaData\x08\0\0\0\x01\0\x05width\0\x40\x94\0\0\0\0\0\0\0\0\x09";
        let order = [b"\x02\0\x0d@setDataFrame", &metadata[..]].concat();
        let in_amf3 = [b"\0", &metadata[..]].concat();
        let script = |tag_type, data: &[u8]| tag(tag_type, u32::try_from(data.len()).unwrap(), data);
        let bytes = stream(&[
            script(18, metadata),
            script(18, &order),
            script(15, &in_amf3),
            script(18, b"\x02\0\x0aonTextData\x05"),
            script(18, b"\x02\0\x0f@clearDataFrame\x02\0\x0aonMetaData"),
            script(18, b"garbage"),
            script(18, b""),
        ]);
        let items = read_every_way(&bytes).unwrap();
        let metadata = FlvItem::Frame(Frame::data(Timestamp::ZERO, metadata.to_vec().into()));
        assert!(matches!(&metadata, FlvItem::Frame(frame) if frame.class == FrameClass::Metadata));
        let text = FlvItem::Frame(Frame::data(
            Timestamp::ZERO,
            Bytes::from_static(b"\x02\0\x0aonTextData\x05"),
        ));
        let skipped = FlvItem::Skipped { tag_type: 18 };
        let expected = [
            metadata.clone(),
            metadata.clone(),
            metadata,
            text,
            FlvItem::MetadataCleared,
            skipped.clone(),
            skipped,
        ];
        assert_eq!(items[1..], expected);
    }

    #[test]
    fn broken_framing_is_an_error_that_stays() {
        assert_eq!(
            read_every_way(b"<html>404</html>"),
            Err(FlvError::BadSignature { found: *b"<ht" })
        );
        assert_eq!(
            read_every_way(&stream(&[tag(9, 200_001, b"")])),
            Err(FlvError::TagTooLarge {
                len: 200_001,
                max: 200_000
            })
        );
        let bytes = [&stream(&[])[..], b"\x28\0\0\x02\0\0\0\0\0\0\0\xAF\x01"].concat();
        let error = FlvError::Encrypted { tag_type: 8 };
        assert_eq!(read_every_way(&bytes), Err(error.clone()));

        let mut reader = FlvReader::new(&small_limits());
        let mut input = &bytes[..];
        assert!(reader.handle_input(&mut input).is_ok());
        assert_eq!(reader.handle_input(&mut input), Err(error.clone()));
        assert_eq!(reader.handle_input(&mut &[][..]), Err(error));
    }

    #[test]
    fn an_end_inside_a_tag_is_told_from_one_at_its_border() {
        let bytes = stream(&[tag(8, 2, b"\xAF\x01"), tag(10, 7, &[0; 7])]);
        let borders: Vec<usize> = (0..=bytes.len())
            .filter(|&end| read_in_pieces(&bytes[..end], &[end]).1)
            .collect();
        let tags = [0, 9, 26, 48];
        let expected: Vec<usize> = tags
            .iter()
            .flat_map(|&end| end..=end + 4)
            .filter(|end| !(1..=4).contains(end))
            .collect();
        assert_eq!(borders, expected);
    }

    #[test]
    fn announced_sizes_reserve_little() {
        let mut reader = FlvReader::new(&Limits::default());
        let bytes = stream(&[tag(9, 8 << 20, &[7; 10])]);
        let mut input = &bytes[..];
        while reader.handle_input(&mut input).unwrap().is_some() {}
        let State::Data(tag) = &reader.state else {
            panic!("{reader:?}");
        };
        assert_eq!(tag.data.capacity(), FIRST_RESERVE);
    }

    #[test]
    fn a_payload_is_no_larger_than_its_buffer() {
        let bytes = stream(&[tag(9, 150_000, &[7; 150_000])]);
        let (items, _) = read_in_pieces(&bytes, &[1_000]);
        let Some(FlvItem::Frame(frame)) = items.unwrap().pop() else {
            panic!("no frame");
        };
        let payload = frame.payload.try_into_mut().unwrap();
        assert_eq!((payload.len(), payload.capacity()), (150_000, 150_000));
    }
}
