//! Pulling values out of a message body.

use super::{Pairs, ValueRef, marker};
use crate::amf::{AmfError, AmfLimits, Text, Value, amf3, build::Build, input::Input};
use alloc::vec::Vec;

/// A borrowing pull reader: take what you need, skip the rest. Only [`value`](Self::value) allocates.
///
/// Arguments that are absent, `null` and `undefined` are alike, so [`number`](Self::number), [`string`](Self::string),
/// [`boolean`](Self::boolean) and [`object`](Self::object) each take one value, whatever it is, and answer `None` when
/// it is of another kind. After an error the reader stays in front of the value that it could not read.
///
/// It forgives what real encoders get wrong: objects that the end of the message closes, ECMA arrays whose count lies,
/// members without a name, any bytes in strings. A value in AMF3 behind the "avmplus" marker is read as AMF3.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    input: Input<'a>,
    len: usize,
}

impl<'a> Reader<'a> {
    /// A reader of the values in `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8], limits: AmfLimits) -> Self {
        Reader {
            input: Input::new(bytes, limits),
            len: bytes.len(),
        }
    }

    /// Whether no value is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.input.rest().is_empty()
    }

    /// Bytes taken so far.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.len.saturating_sub(self.input.rest().len())
    }

    /// What has not been taken.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.input.rest()
    }

    /// Takes the next value and decodes it whole.
    ///
    /// # Errors
    /// [`AmfError`] if no value is left, it is malformed or a limit is hit.
    pub fn value(&mut self) -> Result<Value, AmfError> {
        self.take()
    }

    /// Takes the next value without looking at it. The limits hold all the same.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn skip(&mut self) -> Result<(), AmfError> {
        self.take()
    }

    /// Takes the next value without decoding it; `None` at the end.
    ///
    /// # Errors
    /// [`AmfError`] if the value is malformed or a limit is hit.
    pub fn value_ref(&mut self) -> Result<Option<ValueRef<'a>>, AmfError> {
        if self.is_empty() {
            return Ok(None);
        }
        let start = self.input;
        self.skip()?;
        Ok(Some(ValueRef::between(&start, &self.input)))
    }

    /// Takes the next value; gives the number that it is or, being a string, that it spells (ZLMediaKit as a player
    /// sends the start of `play` so).
    ///
    /// # Errors
    /// As [`value_ref`](Self::value_ref).
    pub fn number(&mut self) -> Result<Option<f64>, AmfError> {
        let spelt = |value: ValueRef<'_>| value.as_str()?.trim().parse().ok();
        let value = self.value_ref()?;
        Ok(value.and_then(|value| value.as_f64().or_else(|| spelt(value))))
    }

    /// Takes the next value; gives its boolean.
    ///
    /// # Errors
    /// As [`value_ref`](Self::value_ref).
    pub fn boolean(&mut self) -> Result<Option<bool>, AmfError> {
        Ok(self.value_ref()?.and_then(|value| value.as_bool()))
    }

    /// Takes the next value; gives the bytes of its string, UTF-8 or not.
    ///
    /// # Errors
    /// As [`value_ref`](Self::value_ref).
    pub fn string(&mut self) -> Result<Option<&'a [u8]>, AmfError> {
        Ok(self.value_ref()?.and_then(|value| value.as_bytes()))
    }

    /// Takes the next value; gives the pairs of an object, typed object or ECMA array.
    ///
    /// # Errors
    /// As [`value_ref`](Self::value_ref).
    pub fn object(&mut self) -> Result<Option<Pairs<'a>>, AmfError> {
        Ok(self.value_ref()?.and_then(|value| value.as_object()))
    }

    fn take<B: Build>(&mut self) -> Result<B, AmfError> {
        let mut input = self.input;
        let value = read(&mut input)?;
        self.input = input;
        Ok(value)
    }
}

/// Reads one value.
pub(super) fn read<B: Build>(input: &mut Input<'_>) -> Result<B, AmfError> {
    input.charge(1)?;
    match input.u8()? {
        marker::NUMBER => {
            let number = input.f64()?;
            Ok(B::leaf(|| Value::Number(number)))
        }
        marker::BOOLEAN => {
            let byte = input.u8()?;
            Ok(B::leaf(|| Value::Boolean(byte != 0)))
        }
        marker::STRING => {
            let text = short_text(input)?;
            Ok(B::string(B::text(|| Text::from(text))))
        }
        marker::OBJECT => Ok(B::object(None, pairs(input)?)),
        marker::NULL | marker::UNSUPPORTED => Ok(B::leaf(|| Value::Null)),
        marker::UNDEFINED => Ok(B::leaf(|| Value::Undefined)),
        marker::REFERENCE => {
            input.u16()?;
            Ok(B::leaf(|| Value::Null))
        }
        marker::ECMA_ARRAY => {
            // The count is a hint at best: OBS always writes 20, others 0. The end marker counts.
            input.u32()?;
            Ok(B::ecma_array(pairs(input)?))
        }
        marker::STRICT_ARRAY => {
            let count = input.u32()?;
            Ok(B::strict_array(elements(input, count)?))
        }
        marker::DATE => {
            let millis = input.f64()?;
            let _time_zone = input.u16()?;
            Ok(B::leaf(|| Value::Date(millis)))
        }
        marker::LONG_STRING => {
            let text = long_text(input)?;
            Ok(B::string(B::text(|| Text::from(text))))
        }
        marker::XML_DOCUMENT => {
            let text = long_text(input)?;
            Ok(B::leaf(|| Value::Xml(Text::from(text))))
        }
        marker::TYPED_OBJECT => {
            let name = short_text(input)?;
            let class_name = (!name.is_empty()).then(|| B::text(|| Text::from(name)));
            Ok(B::object(class_name, pairs(input)?))
        }
        marker::AVMPLUS => amf3::read(input),
        marker => Err(AmfError::UnknownMarker { marker }),
    }
}

/// Reads the key of the next pair. `None` is the end of the object: its end marker or, as Envivio encoders leave that
/// out, the end of the input.
pub(super) fn key<'a>(input: &mut Input<'a>) -> Result<Option<&'a [u8]>, AmfError> {
    if input.rest().is_empty() {
        input.cut();
        return Ok(None);
    }
    let key = short_text(input)?;
    if key.is_empty() && input.rest().first() == Some(&marker::OBJECT_END) {
        input.u8()?;
        return Ok(None);
    }
    Ok(Some(key))
}

/// Reads the value that belongs to `key`.
///
/// Some FLV files have members without a name. Where such a member makes no sense, the two zero bytes were rubbish and
/// the message ends there: `None`.
pub(super) fn member<B: Build>(input: &mut Input<'_>, key: &[u8]) -> Result<Option<B>, AmfError> {
    let before = *input;
    match read(input) {
        Err(error) if key.is_empty() && !error.is_limit() => {
            *input = before;
            input.cut();
            Ok(None)
        }
        value => value.map(Some),
    }
}

fn pairs<B: Build>(input: &mut Input<'_>) -> Result<Vec<(B::Text, B)>, AmfError> {
    input.enter()?;
    let mut pairs = Vec::new();
    while let Some(key) = key(input)? {
        let Some(value) = member(input, key)? else { break };
        pairs.push((B::text(|| Text::from(key)), value));
    }
    input.leave();
    Ok(pairs)
}

/// Nothing is reserved for `count`, which may lie: each element takes a byte and a unit of the budget, or fails.
fn elements<B: Build>(input: &mut Input<'_>, count: u32) -> Result<Vec<B>, AmfError> {
    input.enter()?;
    let mut elements = Vec::new();
    for _ in 0..count {
        elements.push(read(input)?);
    }
    input.leave();
    Ok(elements)
}

pub(super) fn short_text<'a>(input: &mut Input<'a>) -> Result<&'a [u8], AmfError> {
    let len = input.u16()?;
    input.take(usize::from(len))
}

pub(super) fn long_text<'a>(input: &mut Input<'a>) -> Result<&'a [u8], AmfError> {
    let len = input.u32()?;
    input.take(usize::try_from(len).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::amf0::Writer;
    use alloc::vec;
    use quickcheck::quickcheck;

    fn reader(bytes: &[u8]) -> Reader<'_> {
        Reader::new(bytes, AmfLimits::default())
    }

    fn value(bytes: &[u8]) -> Result<Value, AmfError> {
        reader(bytes).value()
    }

    #[test]
    fn reads_the_head_of_connect() {
        let body = b"\x02\0\x07connect\0\x3F\xF0\0\0\0\0\0\0\x03\0\x03app\x02\0\x04live\0\0\x09";
        let mut reader = reader(body);
        assert_eq!(reader.string(), Ok(Some(&b"connect"[..])));
        assert_eq!(reader.number(), Ok(Some(1.0)));
        assert_eq!(reader.position(), 19);
        let app = reader.object().unwrap().unwrap().next().unwrap();
        assert_eq!((app.key, app.value.as_str()), (&b"app"[..], Some("live")));
        assert!(reader.is_empty());
        assert_eq!(reader.position(), body.len());
    }

    #[test]
    fn absent_null_undefined_and_other_kinds_are_alike() {
        for bytes in [
            &b""[..],
            b"\x05",
            b"\x06",
            b"\x0D",
            b"\x07\0\0",
            b"\x01\x01",
            b"\x03\0\0\x09",
        ] {
            let mut reader = reader(bytes);
            assert_eq!(reader.number(), Ok(None), "{bytes:x?}");
            assert!(reader.is_empty());
        }
        assert_eq!(reader(b"\x05").string(), Ok(None));
        assert_eq!(reader(b"\x05").boolean(), Ok(None));
        assert!(reader(b"\x05").object().unwrap().is_none());
    }

    #[test]
    fn a_number_may_be_spelt() {
        assert_eq!(reader(b"\x02\0\x05-2000").number(), Ok(Some(-2000.0)));
        assert_eq!(reader(b"\x02\0\x04live").number(), Ok(None));
    }

    #[test]
    fn any_byte_but_zero_is_true() {
        assert_eq!(reader(b"\x01\x07").boolean(), Ok(Some(true)));
        assert_eq!(reader(b"\x01\x00").boolean(), Ok(Some(false)));
    }

    #[test]
    fn an_ecma_array_ends_with_the_input_whatever_its_count_says() {
        let pair = ("a".into(), Value::Number(1.0));
        let lying = b"\x08\0\0\0\xFF\0\x01a\0\x3F\xF0\0\0\0\0\0\0";
        assert_eq!(value(lying), Ok(Value::EcmaArray(vec![pair.clone()])));
        let zero = b"\x08\0\0\0\0\0\x01a\0\x3F\xF0\0\0\0\0\0\0\0\0\x09";
        assert_eq!(value(zero), Ok(Value::EcmaArray(vec![pair])));
    }

    #[test]
    fn a_cut_is_forgiven_between_pairs_only() {
        let whole = b"\x03\0\x01a\x01\x01\0\x01b\x05\0\0\x09";
        // After the object marker, after each pair and inside an end marker.
        let forgiven = [1, 6, 10, 12];
        for cut in 0..whole.len() {
            let read = value(&whole[..cut]);
            assert_eq!(read.is_ok(), forgiven.contains(&cut), "cut at {cut}: {read:?}");
        }
    }

    #[test]
    fn a_member_may_have_no_name() {
        let named = Value::Object(vec![("".into(), Value::Boolean(true))]);
        assert_eq!(value(b"\x03\0\0\x01\x01\0\0\x09"), Ok(named));
    }

    #[test]
    fn rubbish_after_an_empty_name_ends_the_message() {
        let mut reader = reader(b"\x03\0\x01a\x01\x01\0\0\xFFrubbish");
        let value = Value::Object(vec![("a".into(), Value::Boolean(true))]);
        assert_eq!(reader.value(), Ok(value));
        assert!(reader.is_empty());
    }

    #[test]
    fn the_limits_hold_behind_an_empty_name() {
        let nested = b"\x03\0\0".repeat(17);
        assert_eq!(value(&nested), Err(AmfError::TooDeep { max: 16 }));
    }

    #[test]
    fn reserved_markers_end_the_message() {
        for marker in [0x04, 0x09, 0x0E, 0x12, 0xFF] {
            assert_eq!(value(&[marker]), Err(AmfError::UnknownMarker { marker }));
        }
    }

    #[test]
    fn an_error_repeats_and_takes_nothing() {
        let mut reader = reader(b"\x05\x02\0\x09cut");
        reader.skip().unwrap();
        for _ in 0..2 {
            assert_eq!(reader.skip(), Err(AmfError::Truncated));
            assert_eq!(reader.position(), 1);
        }
    }

    #[test]
    fn depth_is_bounded_while_skipping_too() {
        let arrays = b"\x0A\0\0\0\x01".repeat(70_000);
        let limit = Err(AmfError::TooDeep { max: 16 });
        assert_eq!(reader(&arrays).skip(), limit);
        assert_eq!(value(&arrays), Err(AmfError::TooDeep { max: 16 }));
        let mut deepest = b"\x0A\0\0\0\x01".repeat(16);
        deepest.push(marker::NULL);
        assert_eq!(reader(&deepest).skip(), Ok(()));
    }

    #[test]
    fn values_are_bounded_while_skipping_too() {
        let limit = AmfError::TooManyValues { max: 4_096 };
        let mut body = vec![marker::STRICT_ARRAY, 0xFF, 0xFF, 0xFF, 0xFF];
        body.extend([marker::NULL; 5_000]);
        assert_eq!(reader(&body).skip(), Err(limit));
        assert_eq!(value(&body), Err(limit));
        let nulls = [marker::NULL; 5_000];
        let mut reader = reader(&nulls);
        for _ in 0..4_096 {
            reader.skip().unwrap();
        }
        assert_eq!(
            reader.skip(),
            Err(limit),
            "the limit is for the message, not for one value"
        );
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for bytes in [
            &b"\x02\xFF\xFFabc"[..],
            b"\x0C\xFF\xFF\xFF\xFFabc",
            b"\x0F\xFF\xFF\xFF\xFFabc",
            b"\x0A\xFF\xFF\xFF\xFF\x05",
        ] {
            assert_eq!(value(bytes), Err(AmfError::Truncated), "{bytes:x?}");
        }
    }

    #[test]
    fn references_are_not_expanded() {
        let array = b"\x0A\0\0\0\x02\x05\x07\0\0";
        assert_eq!(value(array), Ok(Value::StrictArray(vec![Value::Null, Value::Null])));
    }

    #[test]
    fn a_typed_object_is_an_object() {
        let mut reader = reader(b"\x10\0\x01C\0\x01a\x05\0\0\x09\x05");
        assert_eq!(reader.object().unwrap().unwrap().count(), 1);
        assert_eq!(reader.rest(), b"\x05");
    }

    #[test]
    fn avmplus_switches_one_value_to_amf3() {
        let mut reader = reader(b"\x11\x06\x07cam\x11\x04\x05\x11\x03\x02\0\x04live");
        assert_eq!(reader.string(), Ok(Some(&b"cam"[..])));
        assert_eq!(reader.number(), Ok(Some(5.0)));
        assert_eq!(reader.boolean(), Ok(Some(true)));
        assert_eq!(reader.string(), Ok(Some(&b"live"[..])));
    }

    quickcheck! {
        fn reads_back_what_was_written(values: Vec<Value>) -> bool {
            let mut body = Vec::new();
            let mut writer = Writer::new(&mut body);
            for value in &values {
                writer.value(value);
            }
            // By bytes, since NaN does not equal itself.
            let mut again = Vec::new();
            let mut reader = reader(&body);
            while !reader.is_empty() {
                Writer::new(&mut again).value(&reader.value().unwrap());
            }
            again == body
        }

        fn skipping_ends_where_decoding_ends(value: Value, junk: Vec<(usize, u8)>) -> bool {
            let mut body = Vec::new();
            Writer::new(&mut body).value(&value).number(1.0);
            for (at, byte) in junk {
                let at = at % body.len();
                body[at] = byte;
            }
            let (mut skipping, mut decoding) = (reader(&body), reader(&body));
            skipping.skip() == decoding.value().map(drop) && skipping.position() == decoding.position()
        }

        fn any_bytes_are_read_or_refused(body: Vec<u8>) -> bool {
            let mut reader = reader(&body);
            while !reader.is_empty() {
                let before = reader.position();
                if reader.value().is_err() {
                    return reader.position() == before;
                }
                assert!(reader.position() > before);
            }
            true
        }
    }
}
