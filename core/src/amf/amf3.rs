//! AMF3: what Flash clients with object encoding 3 switch to, one value at a time.
//!
//! Action Message Format AMF 3 (Adobe), 2013.

use super::{AmfError, AmfLimits, Text, Value, build::Build, input::Input};
use alloc::vec::Vec;

/// Classes whose traits are remembered for one value, so that skipping needs no memory of its own. Clients that talk to
/// a media server use one or two.
pub const MAX_CLASSES: usize = 16;

/// A string that is referred to is charged as one more value for so many bytes. The tree shares it, but a caller that
/// writes it out copies it, and references take two bytes each: a small message could become gigabytes.
const COPIED_BYTES_PER_VALUE: usize = 64;

/// Externalizable classes that we can read, because one value follows: length and name as they appear inline.
const TRANSPARENT_CLASSES: [&[u8]; 2] = [
    b"\x43flex.messaging.io.ArrayCollection",
    b"\x3bflex.messaging.io.ObjectProxy",
];

/// A reader of AMF3 values, each with reference tables of its own, as the "avmplus" marker of AMF0 demands.
///
/// References to strings and traits are resolved; references to objects become [`Value::Null`].
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    input: Input<'a>,
}

impl<'a> Reader<'a> {
    /// A reader of the values in `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8], limits: AmfLimits) -> Self {
        Reader {
            input: Input::new(bytes, limits),
        }
    }

    /// Whether no value is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.input.rest().is_empty()
    }

    /// What has not been taken.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.input.rest()
    }

    /// Takes the next value and decodes it whole.
    ///
    /// # Errors
    /// [`AmfError`] if no value is left, it is malformed or a limit is hit. Copies of a string that is referred to
    /// count against [`AmfLimits::values`] by their length.
    pub fn value(&mut self) -> Result<Value, AmfError> {
        self.take()
    }

    /// Takes the next value without looking at it and without allocating.
    ///
    /// # Errors
    /// As [`value`](Self::value), but nothing is copied, so nothing is charged for copies.
    pub fn skip(&mut self) -> Result<(), AmfError> {
        self.take()
    }

    fn take<B: Build>(&mut self) -> Result<B, AmfError> {
        let mut input = self.input;
        let value = read(&mut input)?;
        self.input = input;
        Ok(value)
    }
}

/// Reads one value with fresh reference tables.
pub(super) fn read<B: Build>(input: &mut Input<'_>) -> Result<B, AmfError> {
    let mut decoder = Decoder::<B> {
        input,
        strings: Vec::new(),
        traits: None,
    };
    decoder.value()
}

/// The number that `bytes` begin with, if they do.
pub(super) fn number(bytes: &[u8]) -> Option<f64> {
    let mut input = Input::new(bytes, AmfLimits::default());
    match input.u8().ok()? {
        marker::INTEGER => u29(&mut input).map(integer).ok(),
        marker::DOUBLE => input.f64().ok(),
        _ => None,
    }
}

/// The boolean that `bytes` begin with, if they do.
pub(super) const fn boolean(bytes: &[u8]) -> Option<bool> {
    match bytes {
        [marker::FALSE, ..] => Some(false),
        [marker::TRUE, ..] => Some(true),
        _ => None,
    }
}

/// The string that `bytes` begin with, if they do.
pub(super) fn string(bytes: &[u8]) -> Option<&[u8]> {
    let mut input = Input::new(bytes, AmfLimits::default());
    match input.u8().ok()? {
        marker::STRING => {
            // Nothing comes before it that it could refer to, so the string is here.
            let header = u29(&mut input).ok()?;
            input.take(header as usize >> 1).ok()
        }
        _ => None,
    }
}

/// One value under way, with the tables that references inside it point into. Object references become null, so objects
/// need no table.
struct Decoder<'i, 'a, B: Build> {
    input: &'i mut Input<'a>,
    strings: Vec<B::Text>,
    /// None before the first class, which few values have.
    traits: Option<[Option<Traits<B::Text>>; MAX_CLASSES]>,
}

/// What AMF3 says once about a class. AMF 3 §3.12. It stays in its table: an object that refers to it takes one name after
/// the other from there, and pays for each with a value.
struct Traits<T> {
    class_name: Option<T>,
    sealed_names: Vec<T>,
    members: Members,
}

#[derive(Clone, Copy)]
enum Members {
    Sealed,
    SealedAndDynamic,
    /// One value, which stands for the object.
    Transparent,
}

impl<B: Build> Decoder<'_, '_, B> {
    fn value(&mut self) -> Result<B, AmfError> {
        self.input.charge(1)?;
        match self.input.u8()? {
            marker::UNDEFINED => Ok(B::leaf(|| Value::Undefined)),
            marker::NULL => Ok(B::leaf(|| Value::Null)),
            marker::FALSE => Ok(B::leaf(|| Value::Boolean(false))),
            marker::TRUE => Ok(B::leaf(|| Value::Boolean(true))),
            marker::INTEGER => {
                let number = integer(u29(self.input)?);
                Ok(B::leaf(|| Value::Number(number)))
            }
            marker::DOUBLE => {
                let number = self.input.f64()?;
                Ok(B::leaf(|| Value::Number(number)))
            }
            marker::STRING => Ok(B::string(self.text()?.unwrap_or_else(|| B::text(Text::default)))),
            marker @ marker::XML_DOCUMENT..=marker::DICTIONARY => match self.inline()? {
                Some(header) => self.referable(marker, header),
                None => Ok(B::leaf(|| Value::Null)),
            },
            marker => Err(AmfError::UnknownMarker { marker }),
        }
    }

    /// Reads a value of a kind that can be referred to, as it stands here; `header` is its U29 without the lowest bit.
    fn referable(&mut self, marker: u8, header: u32) -> Result<B, AmfError> {
        match marker {
            marker::XML_DOCUMENT | marker::XML => {
                let text = self.input.take(header as usize)?;
                return Ok(B::leaf(|| Value::Xml(Text::from(text))));
            }
            marker::DATE => {
                let millis = self.input.f64()?;
                return Ok(B::leaf(|| Value::Date(millis)));
            }
            marker::BYTE_ARRAY => {
                self.input.take(header as usize)?;
                return Ok(B::leaf(|| Value::Null));
            }
            _ => {}
        }
        self.input.enter()?;
        let value = match marker {
            marker::ARRAY => self.array(header)?,
            marker::OBJECT => self.object(header)?,
            marker::DICTIONARY => self.dictionary(header)?,
            _ => self.vector(marker, header)?,
        };
        self.input.leave();
        Ok(value)
    }

    /// Elements without a name are left out where others have one. AMF0 would want their index as a key, which is many times
    /// the work that an element of one byte pays for.
    fn array(&mut self, dense_count: u32) -> Result<B, AmfError> {
        let pairs = self.dynamic_members()?;
        let elements = self.elements(dense_count)?;
        Ok(if pairs.is_empty() {
            B::strict_array(elements)
        } else {
            B::ecma_array(pairs)
        })
    }

    fn object(&mut self, header: u32) -> Result<B, AmfError> {
        let is_reference = header & 1 == 0;
        let index = if is_reference {
            header >> 1
        } else {
            self.define_class(header)?
        };
        let traits = self.known_class(index)?;
        let members = traits.members;
        if matches!(members, Members::Transparent) {
            return self.value();
        }
        let class_name = traits.class_name.clone();
        if let Some(name) = class_name.as_ref().filter(|_| is_reference) {
            charge_copy::<B>(self.input, name)?;
        }
        let mut pairs = Vec::new();
        while let Some(name) = self.known_class(index)?.sealed_names.get(pairs.len()).cloned() {
            if is_reference {
                charge_copy::<B>(self.input, &name)?;
            }
            pairs.push((name, self.value()?));
        }
        if matches!(members, Members::SealedAndDynamic) {
            pairs.append(&mut self.dynamic_members()?);
        }
        Ok(B::object(class_name, pairs))
    }

    fn known_class(&self, index: u32) -> Result<&Traits<B::Text>, AmfError> {
        let slot = self.traits.as_ref().and_then(|traits| traits.get(index as usize));
        let known = slot.and_then(Option::as_ref);
        known.ok_or(AmfError::DanglingReference { index })
    }

    /// Reads the traits of a class, which are here, and returns their place in the table. `header` is the object's U29
    /// without the lowest bit.
    fn define_class(&mut self, header: u32) -> Result<u32, AmfError> {
        let start = *self.input;
        let class_name = self.text()?;
        let members = match (header & 2 != 0, header & 4 != 0) {
            // It writes itself, so it has no names, and what claims some is no client's.
            (true, _) if header >> 3 == 0 && TRANSPARENT_CLASSES.contains(&start.until(self.input)) => {
                Members::Transparent
            }
            (true, _) => return Err(AmfError::UnknownExternalizable),
            (false, true) => Members::SealedAndDynamic,
            (false, false) => Members::Sealed,
        };
        let mut sealed_names = Vec::new();
        for _ in 0..header >> 3 {
            self.input.charge(1)?;
            sealed_names.push(self.text()?.unwrap_or_else(|| B::text(Text::default)));
        }
        let traits = self.traits.get_or_insert([const { None }; MAX_CLASSES]);
        let free = (0..).zip(traits).find(|(_, slot)| slot.is_none());
        let (index, slot) = free.ok_or(AmfError::TooManyClasses { max: MAX_CLASSES })?;
        *slot = Some(Traits {
            class_name,
            sealed_names,
            members,
        });
        Ok(index)
    }

    /// Key and value pairs up to the empty key.
    fn dynamic_members(&mut self) -> Result<Vec<(B::Text, B)>, AmfError> {
        let mut pairs = Vec::new();
        while let Some(key) = self.text()? {
            pairs.push((key, self.value()?));
        }
        Ok(pairs)
    }

    fn elements(&mut self, count: u32) -> Result<Vec<B>, AmfError> {
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.push(self.value()?);
        }
        Ok(elements)
    }

    fn vector(&mut self, marker: u8, count: u32) -> Result<B, AmfError> {
        let _fixed_length = self.input.u8()?;
        if marker == marker::VECTOR_OBJECT {
            let _class_name = self.text()?;
            return Ok(B::strict_array(self.elements(count)?));
        }
        let mut elements = Vec::new();
        for _ in 0..count {
            self.input.charge(1)?;
            let number = match marker {
                marker::VECTOR_INT => f64::from(self.input.i32()?),
                marker::VECTOR_UINT => f64::from(self.input.u32()?),
                marker::VECTOR_DOUBLE => self.input.f64()?,
                marker => return Err(AmfError::UnknownMarker { marker }),
            };
            elements.push(B::leaf(|| Value::Number(number)));
        }
        Ok(B::strict_array(elements))
    }

    fn dictionary(&mut self, count: u32) -> Result<B, AmfError> {
        let _weak_keys = self.input.u8()?;
        for _ in 0..count {
            let _key = self.value()?;
            let _value = self.value()?;
        }
        Ok(B::leaf(|| Value::Null))
    }

    /// Reads the U29 that begins a referable value: its upper 28 bits or, for a reference, `None`.
    fn inline(&mut self) -> Result<Option<u32>, AmfError> {
        let header = u29(self.input)?;
        Ok((header & 1 == 1).then_some(header >> 1))
    }

    /// Reads a string, here or by reference; `None` if it is empty.
    fn text(&mut self) -> Result<Option<B::Text>, AmfError> {
        let header = u29(self.input)?;
        if header & 1 == 0 {
            let index = header >> 1;
            let text = self.strings.get(index as usize);
            let text = text.ok_or(AmfError::DanglingReference { index })?;
            charge_copy::<B>(self.input, text)?;
            return Ok(Some(text.clone()));
        }
        let bytes = self.input.take(header as usize >> 1)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let text = B::text(|| Text::from(bytes));
        self.strings.push(text.clone());
        Ok(Some(text))
    }
}

fn charge_copy<B: Build>(input: &mut Input<'_>, text: &B::Text) -> Result<(), AmfError> {
    let values = B::text_len(text) / COPIED_BYTES_PER_VALUE;
    input.charge(u32::try_from(values).unwrap_or(u32::MAX))
}

/// A 29-bit number: seven bits a byte, the highest bit says that another byte follows; a fourth gives all its bits.
fn u29(input: &mut Input<'_>) -> Result<u32, AmfError> {
    let first = input.u8()?;
    if first & 0x80 == 0 {
        return Ok(first.into());
    }
    let mut number = u32::from(first & 0x7F);
    for _ in 0..2 {
        let byte = input.u8()?;
        number = number << 7 | u32::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Ok(number << 8 | u32::from(input.u8()?))
}

/// Extends the sign of a 29-bit integer.
fn integer(u29: u32) -> f64 {
    f64::from((u29 << 3).cast_signed() >> 3)
}

/// Type markers. AMF 3 §3.1.
mod marker {
    pub(super) const UNDEFINED: u8 = 0x00;
    pub(super) const NULL: u8 = 0x01;
    pub(super) const FALSE: u8 = 0x02;
    pub(super) const TRUE: u8 = 0x03;
    pub(super) const INTEGER: u8 = 0x04;
    pub(super) const DOUBLE: u8 = 0x05;
    pub(super) const STRING: u8 = 0x06;
    pub(super) const XML_DOCUMENT: u8 = 0x07;
    pub(super) const DATE: u8 = 0x08;
    pub(super) const ARRAY: u8 = 0x09;
    pub(super) const OBJECT: u8 = 0x0A;
    pub(super) const XML: u8 = 0x0B;
    pub(super) const BYTE_ARRAY: u8 = 0x0C;
    pub(super) const VECTOR_INT: u8 = 0x0D;
    pub(super) const VECTOR_UINT: u8 = 0x0E;
    pub(super) const VECTOR_DOUBLE: u8 = 0x0F;
    pub(super) const VECTOR_OBJECT: u8 = 0x10;
    pub(super) const DICTIONARY: u8 = 0x11;
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    fn value(bytes: &[u8]) -> Result<Value, AmfError> {
        Reader::new(bytes, AmfLimits::default()).value()
    }

    fn skip(bytes: &[u8]) -> Result<(), AmfError> {
        Reader::new(bytes, AmfLimits::default()).skip()
    }

    fn object(pairs: &[(&str, Value)]) -> Value {
        Value::Object(
            pairs
                .iter()
                .map(|(key, value)| ((*key).into(), value.clone()))
                .collect(),
        )
    }

    #[test]
    fn integers_have_29_bits_and_a_sign() {
        for (bytes, number) in [
            (&b"\x04\x00"[..], 0.0),
            (b"\x04\x7F", 127.0),
            (b"\x04\x81\x00", 128.0),
            (b"\x04\xFF\x7F", 16_383.0),
            (b"\x04\x81\x80\x00", 16_384.0),
            (b"\x04\x80\xC0\x80\x00", 2_097_152.0),
            (b"\x04\xBF\xFF\xFF\xFF", 268_435_455.0),
            (b"\x04\xC0\x80\x80\x00", -268_435_456.0),
            (b"\x04\xFF\xFF\xFF\xFF", -1.0),
        ] {
            assert_eq!(value(bytes), Ok(Value::Number(number)), "{bytes:x?}");
            assert_eq!(super::number(bytes), Some(number));
        }
    }

    #[test]
    fn an_array_with_keys_becomes_an_ecma_array() {
        assert_eq!(
            value(b"\x09\x05\x01\x03\x02"),
            Ok(Value::StrictArray([true, false].map(Value::Boolean).into()))
        );
        let named = [("a".into(), Value::Null)];
        assert_eq!(value(b"\x09\x03\x03a\x01\x01\x03"), Ok(Value::EcmaArray(named.into())));
    }

    #[test]
    fn strings_and_traits_are_remembered_within_a_value() {
        // Two objects of class C with one sealed member "k": the second refers to the traits, its value to "k" itself.
        let body = b"\x09\x05\x01\x0A\x13\x03C\x03k\x01\x0A\x01\x06\x02";
        let class_name = Text::from("C");
        let of_class = |value| Value::TypedObject {
            class_name: class_name.clone(),
            pairs: [("k".into(), value)].into(),
        };
        let expected = [of_class(Value::Null), of_class(Value::String("k".into()))];
        assert_eq!(value(body), Ok(Value::StrictArray(expected.into())));
        assert_eq!(skip(body), Ok(()));
    }

    #[test]
    fn tables_start_afresh_with_each_value() {
        let body = b"\x06\x03a\x06\x00";
        let mut reader = Reader::new(body, AmfLimits::default());
        assert_eq!(reader.value(), Ok(Value::String("a".into())));
        assert_eq!(reader.value(), Err(AmfError::DanglingReference { index: 0 }));
        assert_eq!(reader.rest(), b"\x06\x00");
    }

    #[test]
    fn a_dynamic_object_has_pairs_up_to_the_empty_key() {
        let body = b"\x0A\x0B\x01\x0Bwidth\x04\x8A\x00\x01";
        assert_eq!(value(body), Ok(object(&[("width", Value::Number(1_280.0))])));
    }

    #[test]
    fn what_amf0_cannot_say_is_null() {
        let byte_array = b"\x0C\x05\xAB\xCD";
        let reference = b"\x0A\x00";
        let dictionary = b"\x11\x03\x00\x06\x03k\x04\x01";
        for body in [&byte_array[..], reference, dictionary] {
            assert_eq!(value(body), Ok(Value::Null), "{body:x?}");
        }
    }

    #[test]
    fn vectors_become_strict_arrays() {
        let numbers = |numbers: &[f64]| Ok(Value::StrictArray(numbers.iter().copied().map(Value::Number).collect()));
        assert_eq!(
            value(b"\x0D\x05\x00\xFF\xFF\xFF\xFF\x00\x00\x00\x02"),
            numbers(&[-1.0, 2.0])
        );
        assert_eq!(value(b"\x0E\x03\x01\xFF\xFF\xFF\xFF"), numbers(&[4_294_967_295.0]));
        assert_eq!(value(b"\x0F\x03\x00\x40\x00\0\0\0\0\0\0"), numbers(&[2.0]));
        assert_eq!(value(b"\x10\x03\x00\x03C\x04\x01"), numbers(&[1.0]));
    }

    #[test]
    fn an_array_collection_is_the_value_inside() {
        let mut body = b"\x0A\x07\x43flex.messaging.io.ArrayCollection".to_vec();
        body.extend(b"\x09\x03\x01\x03");
        assert_eq!(value(&body), Ok(Value::StrictArray([Value::Boolean(true)].into())));
        let unknown = b"\x0A\x07\x03X\x01";
        assert_eq!(value(unknown), Err(AmfError::UnknownExternalizable));
    }

    #[test]
    fn references_that_point_at_nothing_are_refused() {
        assert_eq!(value(b"\x06\x00"), Err(AmfError::DanglingReference { index: 0 }));
        assert_eq!(value(b"\x0A\x05"), Err(AmfError::DanglingReference { index: 1 }));
    }

    #[test]
    fn counts_that_lie_are_refused_without_reserving() {
        for marker in [0x09, 0x0A, 0x0D, 0x0E, 0x0F, 0x10, 0x11] {
            // The largest count that a U29 can say, then the bytes that each kind wants before its elements.
            let body = [marker, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0x01];
            let refused = value(&body);
            assert!(refused.is_err(), "{marker:#x}: {refused:?}");
            assert_eq!(skip(&body).err(), refused.err());
        }
        for marker in [0x06, 0x07, 0x0B, 0x0C] {
            assert_eq!(value(&[marker, 0xFF, 0xFF, 0xFF, 0xFF]), Err(AmfError::Truncated));
        }
    }

    #[test]
    fn depth_is_bounded() {
        let arrays = b"\x09\x03\x01".repeat(1_000);
        assert_eq!(skip(&arrays), Err(AmfError::TooDeep { max: 16 }));
        let collections = b"\x0A\x07\x43flex.messaging.io.ArrayCollection".repeat(20);
        assert_eq!(skip(&collections), Err(AmfError::TooDeep { max: 16 }));
    }

    #[test]
    fn copies_of_a_long_string_use_up_the_limit() {
        // A string of 8,191 bytes, then 4,000 references to it of two bytes each.
        let mut body = b"\x09\xBE\x43\x01\x06\xFF\x7F".to_vec();
        body.extend([b'x'; 8_191]);
        body.extend(b"\x06\x00".repeat(4_002));
        assert_eq!(value(&body), Err(AmfError::TooManyValues { max: 4_096 }));
        assert_eq!(skip(&body), Ok(()), "skipping copies nothing");
    }

    #[test]
    fn a_class_that_writes_itself_has_no_names() {
        let body = |names: u8| {
            let head = [0x0A, names << 4 | 0x07];
            [
                &head[..],
                TRANSPARENT_CLASSES[0],
                &b"\x03n".repeat(names.into()),
                b"\x04\x2A",
            ]
            .concat()
        };
        assert_eq!(value(&body(0)), Ok(Value::Number(42.0)));
        assert_eq!(value(&body(3)), Err(AmfError::UnknownExternalizable));
    }

    #[test]
    fn classes_are_bounded() {
        let body = |classes: u8| {
            let mut body = [0x09, classes << 1 | 1, 0x01].to_vec();
            for class in 0..classes {
                body.extend([0x0A, 0x03, 0x03, b'a' + class]);
            }
            body
        };
        assert_eq!(skip(&body(16)), Ok(()));
        assert_eq!(skip(&body(17)), Err(AmfError::TooManyClasses { max: MAX_CLASSES }));
    }

    /// Writes everything inline, objects as dynamic ones.
    fn write(value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Undefined => out.push(marker::UNDEFINED),
            Value::Null => out.push(marker::NULL),
            Value::Boolean(false) => out.push(marker::FALSE),
            Value::Boolean(true) => out.push(marker::TRUE),
            Value::Number(number) => {
                out.push(marker::DOUBLE);
                out.extend(number.to_be_bytes());
            }
            Value::String(text) => {
                out.push(marker::STRING);
                write_text(text, out);
            }
            Value::Xml(text) => {
                out.push(marker::XML);
                write_text(text, out);
            }
            Value::Date(millis) => {
                out.extend([marker::DATE, 1]);
                out.extend(millis.to_be_bytes());
            }
            Value::EcmaArray(pairs) => {
                out.extend([marker::ARRAY, 1]);
                write_pairs(pairs, out);
            }
            Value::StrictArray(elements) => {
                out.push(marker::ARRAY);
                write_u29(elements.len() << 1 | 1, out);
                out.push(1);
                elements.iter().for_each(|element| write(element, out));
            }
            Value::Object(pairs) => {
                out.extend([marker::OBJECT, 0x0B, 1]);
                write_pairs(pairs, out);
            }
            Value::TypedObject { class_name, pairs } => {
                out.extend([marker::OBJECT, 0x0B]);
                write_text(class_name, out);
                write_pairs(pairs, out);
            }
        }
    }

    fn write_pairs(pairs: &[(Text, Value)], out: &mut Vec<u8>) {
        for (key, value) in pairs {
            write_text(key, out);
            write(value, out);
        }
        out.push(1);
    }

    fn write_text(text: &Text, out: &mut Vec<u8>) {
        write_u29(text.as_bytes().len() << 1 | 1, out);
        out.extend(text.as_bytes());
    }

    /// Lengths here are below 8 KiB, so two bytes do.
    fn write_u29(number: usize, out: &mut Vec<u8>) {
        if number >= 1 << 7 {
            out.push(u8::try_from(number >> 7).unwrap() | 0x80);
        }
        out.push(u8::try_from(number & 0x7F).unwrap());
    }

    /// What AMF3 cannot say: an empty key, an ECMA array without pairs, many classes.
    fn without_amf0_only(value: Value) -> Value {
        let members = |pairs: Vec<(Text, Value)>| -> Vec<_> {
            let named = pairs.into_iter().filter(|(key, _)| !key.as_bytes().is_empty());
            named.map(|(key, value)| (key, without_amf0_only(value))).collect()
        };
        match value {
            Value::Object(pairs) => Value::StrictArray(members(pairs).into_iter().map(|(_, value)| value).collect()),
            Value::TypedObject { pairs, .. } | Value::EcmaArray(pairs) => match members(pairs) {
                pairs if pairs.is_empty() => Value::Null,
                pairs => Value::EcmaArray(pairs),
            },
            Value::StrictArray(elements) => Value::StrictArray(elements.into_iter().map(without_amf0_only).collect()),
            value => value,
        }
    }

    quickcheck! {
        fn reads_back_what_was_written(value: Value, class: bool) -> bool {
            let inner = without_amf0_only(value);
            let value = match class {
                true => Value::TypedObject { class_name: "C".into(), pairs: [("k".into(), inner)].into() },
                false => Value::Object([("k".into(), inner)].into()),
            };
            let mut body = Vec::new();
            write(&value, &mut body);
            let mut again = Vec::new();
            write(&super::tests::value(&body).unwrap(), &mut again);
            again == body && skip(&body) == Ok(())
        }

        fn any_bytes_are_read_or_refused(body: Vec<u8>, value: Value, at: usize) -> bool {
            // Rubbish alone, and rubbish over the tail of something sound.
            let mut mixed = Vec::new();
            write(&value, &mut mixed);
            mixed.truncate(at % mixed.len() + 1);
            mixed.extend(&body);
            [body, mixed].iter().all(|body| {
                let mut reader = Reader::new(body, AmfLimits::default());
                let mut skipping = reader.clone();
                let same = reader.value().map(drop) == skipping.skip();
                same && reader.rest() == skipping.rest()
            })
        }
    }
}
