//! Script data, which RTMP calls data messages: metadata, captions, cue points.

use crate::Limits;
use crate::amf::amf0::{Pair, Pairs, Reader, Writer};
use crate::amf::{AmfError, AmfLimits, Value};
use alloc::vec::Vec;
use bytes::Bytes;

/// What script data asks for, with the payload that players get.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScriptData {
    /// Keep this as the stream's metadata and pass it on: `"onMetaData"` and an ECMA array.
    Metadata(Bytes),
    /// Forget the metadata: `@clearDataFrame`.
    ClearMetadata,
    /// Pass this on: any other name, with its values.
    Other(Bytes),
    /// Nothing in it for anyone: no name, metadata without pairs, unreadable or larger than
    /// [`Limits::max_metadata_len`].
    Ignored,
}

/// Makes of a publisher's script data what players can read.
///
/// `values` is the body of an RTMP data message or of an FLV tag of type 18; of type 15, what follows the
/// [selector](crate::amf::skip_selector). A command called `@setDataFrame`, as old versions of HaishinKit send it, works as
/// well.
///
/// - `@setDataFrame`, which is an order to the server, is stripped, however often it stands there.
/// - Values before the name, which cameras of Uniview send, are skipped.
/// - Metadata becomes an ECMA array with a true count, since HaishinKit reads nothing else. Its pairs keep their order
///   and bytes. Those of a Flash client in AMF3, which no other player reads, and those of an object that the end of the
///   message cuts are written anew.
/// - `duration`, `filesize` and `fileSize` are removed: a player would take the stream for a recording (ExoPlayer does).
/// - Anything else is passed on as it is, by reference.
///
/// Cost: one allocation for metadata in AMF0, none for the rest.
///
/// RTMP 1.0 §7.1.2; FLV 10.1 §E.4.4 and §E.5.
#[must_use]
pub fn normalize(values: &Bytes, limits: &Limits) -> ScriptData {
    // What we cannot read, a player cannot either.
    read(values, limits).unwrap_or(ScriptData::Ignored)
}

fn read(body: &Bytes, limits: &Limits) -> Result<ScriptData, AmfError> {
    let mut reader = Reader::new(body, limits.into());
    let mut start = 0;
    let (_, mut name) = next_string(&mut reader)?;
    while name == SET_DATA_FRAME {
        (start, name) = next_string(&mut reader)?;
    }
    match name {
        ON_METADATA => metadata(reader, limits),
        CLEAR_DATA_FRAME => match next_string(&mut reader)? {
            (_, ON_METADATA) => Ok(ScriptData::ClearMetadata),
            _ => Ok(ScriptData::Ignored),
        },
        _ => Ok(ScriptData::Other(body.slice(start..))),
    }
}

/// What metadata says of sound and pictures: that there are some, that there are none, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Named {
    /// By `hasAudio`, else by an `audiocodecid`.
    pub audio: Option<bool>,
    /// By `hasVideo`, else by a `videocodecid`.
    pub video: Option<bool>,
}

/// Reads what [normalized](normalize) metadata says of the kinds of media. O(length), no allocation.
#[must_use]
pub fn named(metadata: &[u8]) -> Named {
    let (mut has, mut codec) = (Named::default(), Named::default());
    for Pair { key, value } in pairs(metadata).into_iter().flatten() {
        let flag = value.as_bool().or_else(|| Some(value.as_f64()? != 0.0));
        let is_codec = value.as_f64().is_some() || value.as_bytes().is_some_and(|name| !name.is_empty());
        match key {
            HAS_AUDIO => has.audio = flag,
            HAS_VIDEO => has.video = flag,
            b"audiocodecid" => codec.audio = is_codec.then_some(true),
            b"videocodecid" => codec.video = is_codec.then_some(true),
            _ => {}
        }
    }
    Named {
        audio: has.audio.or(codec.audio),
        video: has.video.or(codec.video),
    }
}

/// What metadata says of the pictures. It is what an encoder claims, and may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Declared {
    /// `width`, in pixels.
    pub width: Option<u32>,
    /// `height`, in pixels.
    pub height: Option<u32>,
    /// `framerate`, else `videoframerate` or `fps`, in frames a second.
    pub frame_rate: Option<f64>,
}

/// Reads what [normalized](normalize) metadata says of the pictures. O(length), no allocation.
#[must_use]
pub fn declared(metadata: &[u8]) -> Declared {
    let mut declared = Declared::default();
    for Pair { key, value } in pairs(metadata).into_iter().flatten() {
        let number = value.as_f64().filter(|number| number.is_finite() && *number > 0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        let pixels = number.map(|number| number as u32);
        match key {
            b"width" => declared.width = pixels,
            b"height" => declared.height = pixels,
            b"framerate" => declared.frame_rate = number,
            b"videoframerate" | b"fps" => declared.frame_rate = declared.frame_rate.or(number),
            _ => {}
        }
    }
    declared
}

/// [Normalized](normalize) metadata in which `hasAudio` and `hasVideo`, where they stand, say what they are to say; `None` if
/// they do already. O(length), at most one allocation.
#[must_use]
pub fn with_tracks(metadata: &[u8], audio: bool, video: bool) -> Option<Bytes> {
    let right = |key: &[u8]| match key {
        HAS_AUDIO => Some(audio),
        HAS_VIDEO => Some(video),
        _ => None,
    };
    let pairs = pairs(metadata)?;
    let is_wrong = |it: &Pair<'_>| right(it.key).is_some_and(|right| it.value.as_bool() != Some(right));
    if !pairs.clone().any(|pair| is_wrong(&pair)) {
        return None;
    }
    let mut body = Vec::with_capacity(metadata.len());
    let mut writer = Writer::new(&mut body);
    let count = u32::try_from(pairs.clone().count()).unwrap_or_default();
    writer.string(ON_METADATA).ecma_array_start(count);
    for Pair { key, value } in pairs {
        writer.key(key);
        match right(key) {
            Some(right) => writer.boolean(right),
            None => writer.raw(value.raw()),
        };
    }
    writer.object_end();
    Some(body.into())
}

/// The pairs of normalized metadata.
fn pairs(metadata: &[u8]) -> Option<Pairs<'_>> {
    let mut reader = Reader::new(metadata, AmfLimits::default());
    reader.skip().ok()?;
    reader.object().ok()?
}

/// Takes values up to the first string. Where it starts, and its bytes.
fn next_string<'a>(reader: &mut Reader<'a>) -> Result<(usize, &'a [u8]), AmfError> {
    while !reader.is_empty() {
        let start = reader.position();
        if let Some(string) = reader.string()? {
            return Ok((start, string));
        }
    }
    Err(AmfError::ExpectedString)
}

/// Makes metadata of the pairs of the next value.
#[expect(clippy::arithmetic_side_effects, reason = "the sum of pieces of the message")]
fn metadata(mut reader: Reader<'_>, limits: &Limits) -> Result<ScriptData, AmfError> {
    let Some(value) = reader.value_ref()? else {
        return Ok(ScriptData::Ignored);
    };
    let pairs = match value.as_object() {
        Some(pairs) if value.is_closed() => pairs,
        _ => return Ok(rewritten(&value.to_value()?, limits)),
    };
    let pairs = pairs.filter(|pair| !NOT_LIVE.contains(&pair.key));
    let mut len = ENVELOPE_LEN;
    let mut count = 0;
    for Pair { key, value } in pairs.clone() {
        len += 2 + key.len() + value.raw().len();
        count += 1;
    }
    if len > limits.max_metadata_len {
        return Ok(ScriptData::Ignored);
    }
    let mut body = Vec::with_capacity(len);
    let mut writer = Writer::new(&mut body);
    writer.string(ON_METADATA).ecma_array_start(count);
    for Pair { key, value } in pairs {
        writer.key(key).raw(value.raw());
    }
    writer.object_end();
    Ok(ScriptData::Metadata(body.into()))
}

/// Makes metadata of the pairs of `value`, which are written anew, up to the limit.
fn rewritten(value: &Value, limits: &Limits) -> ScriptData {
    let (Value::Object(pairs) | Value::EcmaArray(pairs) | Value::TypedObject { pairs, .. }) = value else {
        return ScriptData::Ignored;
    };
    let pairs = pairs.iter().filter(|(key, _)| !NOT_LIVE.contains(&key.as_bytes()));
    let count = u32::try_from(pairs.clone().count()).unwrap_or_default();
    let mut body = Vec::new();
    Writer::new(&mut body).string(ON_METADATA).ecma_array_start(count);
    for (key, value) in pairs {
        Writer::new(&mut body).key(key.as_bytes()).value(value);
        if body.len() > limits.max_metadata_len {
            return ScriptData::Ignored;
        }
    }
    Writer::new(&mut body).object_end();
    if body.len() > limits.max_metadata_len {
        return ScriptData::Ignored;
    }
    ScriptData::Metadata(body.into_boxed_slice().into())
}

const SET_DATA_FRAME: &[u8] = b"@setDataFrame";
const CLEAR_DATA_FRAME: &[u8] = b"@clearDataFrame";
const HAS_AUDIO: &[u8] = b"hasAudio";
const HAS_VIDEO: &[u8] = b"hasVideo";
const ON_METADATA: &[u8] = b"onMetaData";

/// Members of metadata that are true of files only.
const NOT_LIVE: [&[u8]; 3] = [b"duration", b"filesize", b"fileSize"];

/// Bytes of metadata without pairs: the name with marker and length, marker and count of the array, its end.
const ENVELOPE_LEN: usize = 3 + ON_METADATA.len() + 5 + 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::Text;
    use quickcheck::quickcheck;

    /// The body that `write` writes.
    fn body(write: impl FnOnce(&mut Writer<&mut Vec<u8>>)) -> Bytes {
        let mut body = Vec::new();
        write(&mut Writer::new(&mut body));
        body.into()
    }

    fn normalized(body: &Bytes) -> ScriptData {
        normalize(body, &Limits::default())
    }

    fn metadata_of(pairs: &[(&str, f64)]) -> ScriptData {
        ScriptData::Metadata(body(|w| {
            w.string("onMetaData")
                .ecma_array_start(u32::try_from(pairs.len()).unwrap());
            for (key, number) in pairs {
                w.key(key).number(*number);
            }
            w.object_end();
        }))
    }

    #[test]
    fn the_order_to_the_server_is_stripped_and_the_count_made_true() {
        // As OBS sends it: an ECMA array that announces 20 pairs.
        let obs = body(|w| {
            w.string("@setDataFrame").string("onMetaData").ecma_array_start(20);
            w.key("duration")
                .number(0.0)
                .key("fileSize")
                .number(0.0)
                .key("width")
                .number(1280.0);
            w.key("filesize").number(0.0).key("height").number(720.0).object_end();
        });
        assert_eq!(normalized(&obs), metadata_of(&[("width", 1280.0), ("height", 720.0)]));
    }

    #[test]
    fn an_order_that_is_given_twice_is_stripped_twice() {
        let twice = body(|w| {
            w.string("@setDataFrame").number(0.0).string("@setDataFrame");
            w.string("onMetaData").object_start().key("width").number(1280.0);
            w.object_end();
        });
        assert_eq!(normalized(&twice), metadata_of(&[("width", 1280.0)]));
        let other = body(|w| {
            w.string("@setDataFrame").string("@setDataFrame").string("onCuePoint");
        });
        assert_eq!(
            normalized(&other),
            ScriptData::Other(body(|w| {
                w.string("onCuePoint");
            }))
        );
    }

    #[test]
    fn metadata_comes_in_several_shapes() {
        let pair = |w: &mut Writer<&mut Vec<u8>>| {
            w.key("width").number(1280.0);
        };
        let plain_object = body(|w| {
            pair(w.string("onMetaData").object_start());
            w.object_end();
        });
        let leading_number = body(|w| {
            pair(w.number(3.0).string("onMetaData").ecma_array_start(0));
            w.object_end();
        });
        let as_command = body(|w| {
            pair(
                w.string("@setDataFrame")
                    .number(0.0)
                    .null()
                    .string("onMetaData")
                    .object_start(),
            );
            w.object_end();
        });
        let without_end = body(|w| pair(w.string("@setDataFrame").string("onMetaData").ecma_array_start(1)));
        for body in [plain_object, leading_number, as_command, without_end] {
            assert_eq!(normalized(&body), metadata_of(&[("width", 1280.0)]), "{body:x?}");
        }
    }

    #[test]
    fn pairs_keep_order_duplicates_and_bytes() {
        // NaN with a payload, a date with a time zone, a string that is not UTF-8, a key twice.
        let pairs = b"\0\x01b\0\x7F\xF8\0\0\0\0\0\x07\0\x01d\x0B\0\0\0\0\0\0\0\0\0\x3C\0\x01b\x02\0\x01\xFF";
        let published = body(|w| {
            w.string("@setDataFrame")
                .string("onMetaData")
                .object_start()
                .raw(pairs)
                .object_end();
        });
        let expected = body(|w| {
            w.string("onMetaData").ecma_array_start(3).raw(pairs).object_end();
        });
        assert_eq!(normalized(&published), ScriptData::Metadata(expected));
    }

    #[test]
    fn an_inner_object_is_closed_by_the_end_of_the_message() {
        let cut = body(|w| {
            w.string("onMetaData")
                .object_start()
                .key("inner")
                .object_start()
                .key("a")
                .null();
        });
        let closed = body(|w| {
            w.string("onMetaData")
                .ecma_array_start(1)
                .key("inner")
                .object_start()
                .key("a")
                .null();
            w.object_end().object_end();
        });
        assert_eq!(normalized(&cut), ScriptData::Metadata(closed));
    }

    #[test]
    fn metadata_in_amf3_is_written_in_amf0() {
        let flash = body(|w| {
            w.string("@setDataFrame").string("onMetaData");
            // A dynamic object with an integer and a duration.
            w.raw(b"\x11\x0A\x0B\x01\x0Bwidth\x04\x8A\x00\x11duration\x04\x00\x01");
        });
        assert_eq!(normalized(&flash), metadata_of(&[("width", 1280.0)]));
    }

    #[test]
    fn other_names_pass_by_reference() {
        let text = body(|w| {
            w.string("onTextData")
                .object_start()
                .key("text")
                .string("hi")
                .object_end();
        });
        let ScriptData::Other(passed) = normalized(&text) else {
            panic!("not passed on");
        };
        assert_eq!((passed.as_ptr(), passed.len()), (text.as_ptr(), text.len()));

        let order = body(|w| {
            w.string("@setDataFrame")
                .string("|RtmpSampleAccess")
                .boolean(true)
                .boolean(true);
        });
        let stripped = body(|w| {
            w.string("|RtmpSampleAccess").boolean(true).boolean(true);
        });
        assert_eq!(normalized(&order), ScriptData::Other(stripped));
    }

    #[test]
    fn clear_data_frame_clears_metadata_only() {
        let clear = |name| {
            normalized(&body(|w| {
                w.string("@clearDataFrame").string(name);
            }))
        };
        assert_eq!(clear("onMetaData"), ScriptData::ClearMetadata);
        assert_eq!(clear("onTextData"), ScriptData::Ignored);
    }

    #[test]
    fn nothing_to_offer_is_ignored() {
        for written in [
            body(|_| {}),
            body(|w| {
                w.null().number(1.0);
            }),
            body(|w| {
                w.string("@setDataFrame");
            }),
            body(|w| {
                w.string("onMetaData");
            }),
            body(|w| {
                w.string("onMetaData").null();
            }),
            body(|w| {
                w.string("onMetaData").object_start().key("a").raw(&[0xFF]);
            }),
        ] {
            assert_eq!(normalized(&written), ScriptData::Ignored, "{written:x?}");
        }
    }

    #[test]
    fn metadata_names_kinds_by_flag_and_else_by_codec() {
        let read = |write: fn(&mut Writer<&mut Vec<u8>>)| {
            named(&body(|w| {
                w.string("onMetaData").ecma_array_start(2);
                write(w);
                w.object_end();
            }))
        };
        let of = |audio, video| Named { audio, video };
        assert_eq!(read(|_| {}), of(None, None));
        let codecs = read(|w| {
            w.key("audiocodecid").number(10.0).key("videocodecid").string("");
        });
        assert_eq!(codecs, of(Some(true), None));
        let flags = read(|w| {
            w.key("audiocodecid").number(10.0).key("hasAudio").boolean(false);
            w.key("hasVideo").number(1.0);
        });
        assert_eq!(flags, of(Some(false), Some(true)));
        assert_eq!(named(b""), of(None, None));
    }

    #[test]
    fn the_flags_are_corrected_and_nothing_else() {
        let with = |audio| {
            body(|w| {
                w.string("onMetaData").ecma_array_start(3).key("width").number(1280.0);
                w.key("hasAudio").boolean(audio).key("encoder").string("x").object_end();
            })
        };
        assert_eq!(with_tracks(&with(true), false, true), Some(with(false)));
        assert_eq!(with_tracks(&with(true), true, false), None);
    }

    #[test]
    fn the_length_limit_is_exact() {
        let ScriptData::Metadata(exact) = metadata_of(&[("width", 1280.0)]) else {
            unreachable!()
        };
        for (max_metadata_len, kept) in [(exact.len(), true), (exact.len() - 1, false)] {
            let limits = Limits {
                max_metadata_len,
                ..Limits::default()
            };
            let read = normalize(&exact, &limits);
            assert_eq!(read != ScriptData::Ignored, kept);
        }
    }

    quickcheck! {
        fn metadata_is_an_array_of_the_live_pairs_and_stays_as_it_is(pairs: Vec<(Text, Value)>, cut: Option<usize>) -> bool {
            let published = body(|w| {
                w.string("@setDataFrame").string("onMetaData").value(&Value::Object(pairs));
            });
            let published = published.slice(..cut.map_or(published.len(), |cut| cut % published.len()));
            let ScriptData::Metadata(metadata) = normalized(&published) else {
                return cut.is_some();
            };
            let mut reader = Reader::new(&metadata, AmfLimits::default());
            reader.skip().unwrap();
            let announced = u32::from_be_bytes(*reader.rest()[1..].first_chunk().unwrap()) as usize;
            let read: Vec<_> = reader.object().unwrap().unwrap().collect();
            read.len() == announced
                && read.iter().all(|pair| !NOT_LIVE.contains(&pair.key))
                && reader.is_empty()
                && normalized(&metadata) == ScriptData::Metadata(metadata)
        }

        fn any_bytes_stay_within_the_limit(body: Vec<u8>, max_metadata_len: u8) -> bool {
            let limits = Limits {
                max_metadata_len: max_metadata_len.into(),
                ..Limits::default()
            };
            let body = Bytes::from([b"\x02\0\x0aonMetaData\x08\0\0\0\0", &body[..]].concat());
            match normalize(&body, &limits) {
                ScriptData::Metadata(metadata) => metadata.len() <= limits.max_metadata_len,
                frame => frame == ScriptData::Ignored,
            }
        }
    }
}
