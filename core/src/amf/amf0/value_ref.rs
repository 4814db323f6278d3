//! Values that stay where they are.

use super::{Reader, marker, reader};
use crate::amf::{AmfError, AmfLimits, Value, amf3, input::Input};
use core::{iter, str};

/// A value inside a message body, found and checked but not decoded. The accessors answer `None` for other kinds.
#[derive(Debug, Clone, Copy)]
pub struct ValueRef<'a> {
    raw: &'a [u8],
    limits: AmfLimits,
    is_closed: bool,
}

impl<'a> ValueRef<'a> {
    pub(super) fn between(start: &Input<'a>, end: &Input<'a>) -> Self {
        ValueRef {
            raw: start.until(end),
            limits: start.limits(),
            is_closed: !end.is_cut(),
        }
    }

    /// The value's bytes with the marker, to copy as they are if the value [is closed](Self::is_closed).
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether its bytes say where it ends. Not so if the end of the input closed an object in it: more bytes behind it
    /// would become members of that object.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The number.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self.raw {
            [marker::NUMBER, number @ ..] => number.try_into().map(f64::from_be_bytes).ok(),
            [marker::AVMPLUS, amf3 @ ..] => amf3::number(amf3),
            _ => None,
        }
    }

    /// The boolean: any byte but 0 is true.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.raw {
            [marker::BOOLEAN, byte] => Some(*byte != 0),
            [marker::AVMPLUS, amf3 @ ..] => amf3::boolean(amf3),
            _ => None,
        }
    }

    /// The bytes of the string, UTF-8 or not.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match self.raw {
            [marker::STRING, _, _, text @ ..] | [marker::LONG_STRING, _, _, _, _, text @ ..] => Some(text),
            [marker::AVMPLUS, amf3 @ ..] => amf3::string(amf3),
            _ => None,
        }
    }

    /// The string, if it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        str::from_utf8(self.as_bytes()?).ok()
    }

    /// The pairs of an object, typed object or ECMA array in AMF0.
    #[must_use]
    pub fn as_object(&self) -> Option<Pairs<'a>> {
        let mut input = Input::new(self.raw, self.limits);
        match input.u8().ok()? {
            marker::OBJECT => {}
            marker::ECMA_ARRAY => {
                input.u32().ok()?;
            }
            marker::TYPED_OBJECT => {
                reader::short_text(&mut input).ok()?;
            }
            _ => return None,
        }
        Some(Pairs { input })
    }

    /// The elements of a strict array in AMF0.
    #[must_use]
    pub fn as_strict_array(&self) -> Option<Elements<'a>> {
        match self.raw {
            [marker::STRICT_ARRAY, _, _, _, _, elements @ ..] => Some(Elements {
                reader: Reader::new(elements, self.limits),
            }),
            _ => None,
        }
    }

    /// Decodes the value.
    ///
    /// # Errors
    /// [`AmfError::TooManyValues`] if AMF3 refers to one string so often that its copies break the limit. Everything
    /// else has been checked.
    pub fn to_value(&self) -> Result<Value, AmfError> {
        Reader::new(self.raw, self.limits).value()
    }
}

/// A member of an object.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// Its name, UTF-8 or not.
    pub key: &'a [u8],
    /// Its value.
    pub value: ValueRef<'a>,
}

/// The members of an object, in order, duplicates included. Walking over all of them is O(bytes).
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    input: Input<'a>,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        // No error hides here: these bytes have been skipped over once, which checks them.
        let key = reader::key(&mut self.input).ok()??;
        let start = self.input;
        let () = reader::member(&mut self.input, key).ok()??;
        Some(Pair {
            key,
            value: ValueRef::between(&start, &self.input),
        })
    }
}

impl iter::FusedIterator for Pairs<'_> {}

/// The elements of a strict array, in order.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = ValueRef<'a>;

    fn next(&mut self) -> Option<ValueRef<'a>> {
        // As above: these bytes have been checked.
        self.reader.value_ref().ok().flatten()
    }
}

impl iter::FusedIterator for Elements<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::amf0::Writer;
    use alloc::vec::Vec;
    use quickcheck::quickcheck;

    fn value_ref(body: &[u8]) -> ValueRef<'_> {
        Reader::new(body, AmfLimits::default()).value_ref().unwrap().unwrap()
    }

    #[test]
    fn pairs_come_in_order_with_duplicates() {
        let mut body = Vec::new();
        let writer = &mut Writer::new(&mut body);
        writer
            .ecma_array_start(0)
            .key("b")
            .number(1.0)
            .key("a")
            .null()
            .key("b")
            .boolean(true);
        writer.object_end().string("after");
        let mut reader = Reader::new(&body, AmfLimits::default());
        let pairs: Vec<_> = reader.object().unwrap().unwrap().collect();
        let keys: Vec<_> = pairs.iter().map(|pair| pair.key).collect();
        assert_eq!(keys, [b"b", b"a", b"b"]);
        assert_eq!(pairs[0].value.as_f64(), Some(1.0));
        assert_eq!(pairs[2].value.as_bool(), Some(true));
        assert_eq!(pairs[1].value.raw(), [marker::NULL]);
        assert_eq!(
            reader.string(),
            Ok(Some(&b"after"[..])),
            "the reader stands behind the object"
        );
    }

    #[test]
    fn objects_and_arrays_inside_are_walked() {
        let mut body = Vec::new();
        let writer = &mut Writer::new(&mut body);
        writer
            .object_start()
            .key("fourCcList")
            .strict_array_start(2)
            .string("av01")
            .string("hvc1");
        writer
            .key("map")
            .object_start()
            .key("*")
            .number(7.0)
            .object_end()
            .object_end();
        let pairs: Vec<_> = value_ref(&body).as_object().unwrap().collect();
        let list: Vec<_> = pairs[0]
            .value
            .as_strict_array()
            .unwrap()
            .map(|value| value.as_str())
            .collect();
        assert_eq!(list, [Some("av01"), Some("hvc1")]);
        let mask = pairs[1].value.as_object().unwrap().next().unwrap();
        assert_eq!((mask.key, mask.value.as_f64()), (&b"*"[..], Some(7.0)));
    }

    #[test]
    fn pairs_end_where_a_cut_object_ends() {
        let mut pairs = value_ref(b"\x03\0\x01a\x05\0\0\xFF").as_object().unwrap();
        assert_eq!(pairs.next().unwrap().key, b"a");
        assert!(pairs.next().is_none());
        assert!(pairs.next().is_none());
    }

    quickcheck! {
        fn walking_and_decoding_agree(value: Value) -> bool {
            let mut body = Vec::new();
            Writer::new(&mut body).value(&value);
            agrees(value_ref(&body), &value)
        }
    }

    fn agrees(found: ValueRef<'_>, value: &Value) -> bool {
        let mut raw = Vec::new();
        Writer::new(&mut raw).value(value);
        let kind = match value {
            Value::Number(number) => found.as_f64().map(f64::to_bits) == Some(number.to_bits()),
            Value::Boolean(boolean) => found.as_bool() == Some(*boolean),
            Value::String(text) => found.as_bytes() == Some(text.as_bytes()),
            Value::Object(pairs) | Value::EcmaArray(pairs) | Value::TypedObject { pairs, .. } => {
                let walked: Vec<_> = found.as_object().unwrap().collect();
                walked.len() == pairs.len()
                    && walked
                        .iter()
                        .zip(pairs)
                        .all(|(pair, (key, value))| pair.key == key.as_bytes() && agrees(pair.value, value))
            }
            Value::StrictArray(elements) => {
                let walked: Vec<_> = found.as_strict_array().unwrap().collect();
                walked.len() == elements.len()
                    && walked.iter().zip(elements).all(|(found, value)| agrees(*found, value))
            }
            _ => found.as_f64().is_none() && found.as_bytes().is_none() && found.as_object().is_none(),
        };
        kind && found.raw() == raw
    }
}
