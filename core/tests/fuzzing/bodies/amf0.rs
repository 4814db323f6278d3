//! AMF0: skipping, borrowing and decoding see the same values, the limits hold, and what was read can be written and read again.

use super::memory::Meter;
use headwater_core::amf::amf0::{Reader, ValueRef, Writer};
use headwater_core::amf::{AmfError, AmfLimits, Value};

/// Says that AMF3 follows.
const AVMPLUS: u8 = 0x11;

pub(super) fn check(bytes: &[u8]) {
    let (strictness, body) = match bytes {
        [first, body @ ..] => (*first, body),
        [] => (0, bytes),
    };
    let limits = limits(strictness);
    let meter = Meter::new();
    let mut reader = Reader::new(body, limits);
    for _ in 0..=body.len() {
        let before = reader.clone();
        let (mut skipping, mut borrowing) = (before.clone(), before.clone());
        let value = reader.value();
        let skipped = skipping.skip();
        let borrowed = borrowing.value_ref();
        // Values and their places in vectors that have grown by doubling; strings on top.
        meter.assert_at_most((limits.values as usize) * 256 + 4 * body.len() + (8 << 10));
        match &value {
            Ok(value) => {
                assert_eq!(skipped, Ok(()));
                let borrowed = borrowed.unwrap().expect("a value");
                assert_eq!(skipping.position(), reader.position());
                assert_eq!(borrowing.position(), reader.position());
                assert_eq!(borrowed.raw().len(), reader.position() - before.position());
                check_value(value, limits);
                check_borrowed(borrowed, value);
                check_accessors(&before, reader.position());
            }
            Err(error) => {
                assert_eq!(reader.position(), before.position(), "an error takes nothing");
                assert_eq!(reader.value().as_ref(), Err(error), "it repeats");
                // Copies of strings in AMF3 count only where they are made: skipping goes on, and may find something else.
                let may_copy = body.contains(&AVMPLUS) && matches!(error, AmfError::TooManyValues { .. });
                assert!(may_copy || skipped.as_ref() == Err(error), "{error} and {skipped:?}");
                if !before.is_empty() {
                    assert_eq!(borrowed.is_err(), skipped.is_err());
                }
                return;
            }
        }
    }
    assert!(reader.is_empty(), "each value takes a byte at the least");
}

fn limits(strictness: u8) -> AmfLimits {
    match strictness % 4 {
        0 => AmfLimits { depth: 3, values: 20 },
        _ => AmfLimits::default(),
    }
}

/// What holds for everything that was decoded.
pub(super) fn check_value(value: &Value, limits: AmfLimits) {
    assert!(count(value) <= limits.values as usize);
    assert!(depth(value) <= usize::from(limits.depth));
    let written = write(value);
    let mut reader = Reader::new(&written, limits);
    let again = reader.value().expect("what was written can be read");
    assert!(reader.is_empty());
    // As bytes, since a number may be none.
    assert_eq!(write(&again), written);
    for (key, _) in value.pairs() {
        let last = value.pairs().iter().rev().find(|(name, _)| name == key);
        if let Some(key) = key.as_str() {
            assert_eq!(value.get(key).map(write), last.map(|(_, value)| write(value)));
        }
    }
    let _ = format!("{value:?}");
}

fn check_borrowed(borrowed: ValueRef<'_>, value: &Value) {
    if let Ok(decoded) = borrowed.to_value() {
        assert_eq!(write(&decoded), write(value));
    }
    match value {
        Value::Number(number) => assert_eq!(borrowed.as_f64().map(f64::to_bits), Some(number.to_bits())),
        Value::Boolean(boolean) => assert_eq!(borrowed.as_bool(), Some(*boolean)),
        Value::String(text) => assert_eq!(borrowed.as_bytes(), Some(text.as_bytes())),
        _ => assert!(borrowed.as_bytes().is_none() && borrowed.as_f64().is_none()),
    }
    if let Some(pairs) = borrowed.as_object() {
        let pairs: Vec<_> = pairs.collect();
        assert_eq!(pairs.len(), value.pairs().len());
        for (pair, (key, value)) in pairs.iter().zip(value.pairs()) {
            assert_eq!(pair.key, key.as_bytes());
            check_borrowed(pair.value, value);
        }
    }
    if let (Some(elements), Value::StrictArray(values)) = (borrowed.as_strict_array(), value) {
        let elements: Vec<_> = elements.collect();
        assert_eq!(elements.len(), values.len());
        for (element, value) in elements.into_iter().zip(values) {
            check_borrowed(element, value);
        }
    }
}

/// Whatever is asked for, one value is taken.
fn check_accessors(before: &Reader<'_>, position: usize) {
    let mut readers = [before.clone(), before.clone(), before.clone(), before.clone()];
    let [a, b, c, d] = &mut readers;
    let _ = (
        a.number().unwrap(),
        b.string().unwrap(),
        c.boolean().unwrap(),
        d.object().unwrap(),
    );
    assert!(readers.iter().all(|reader| reader.position() == position));
}

fn write(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    Writer::new(&mut bytes).value(value);
    bytes
}

fn inside(value: &Value) -> Vec<&Value> {
    match value {
        Value::StrictArray(elements) => elements.iter().collect(),
        value => value.pairs().iter().map(|(_, value)| value).collect(),
    }
}

fn count(value: &Value) -> usize {
    1 + inside(value).into_iter().map(count).sum::<usize>()
}

fn depth(value: &Value) -> usize {
    match value {
        Value::StrictArray(_) | Value::Object(_) | Value::EcmaArray(_) | Value::TypedObject { .. } => {
            1 + inside(value).into_iter().map(depth).max().unwrap_or(0)
        }
        _ => 0,
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut connect = vec![1];
    Writer::new(&mut connect).string("connect").number(1.0);
    Writer::new(&mut connect)
        .object_start()
        .key("app")
        .string("live")
        .key("caps")
        .number(15.0);
    Writer::new(&mut connect)
        .key("fourCcList")
        .strict_array_start(2)
        .string("av01")
        .string("hvc1");
    Writer::new(&mut connect)
        .key("videoFourCcInfoMap")
        .object_start()
        .key("*")
        .number(7.0)
        .object_end();
    Writer::new(&mut connect).object_end().null().undefined().boolean(true);
    all.push(connect);
    let mut metadata = vec![1];
    Writer::new(&mut metadata).string("@setDataFrame").string("onMetaData");
    Writer::new(&mut metadata)
        .ecma_array_start(20)
        .key("width")
        .number(1280.0)
        .key("encoder")
        .string("x");
    all.push(metadata);
    let others: [&[u8]; 6] = [
        b"\x01\x0B\x42\x76\x0D\xA6\x1E\x40\x00\x00\x00\x00\x0D\x07\x00\x01",
        b"\x00\x0C\x00\x00\x00\x04long\x0F\x00\x00\x00\x04<a/>",
        b"\x01\x10\x00\x05Class\x00\x01a\x05\x00\x00\x09",
        b"\x01\x11\x0A\x0B\x01\x03a\x04\x7F\x06\x03b\x06\x02\x01",
        b"\x00\x03\x00\x01a\x03\x00\x01b\x03\x00\x01c\x03\x00\x00\x09",
        b"\x01\x03\x00\x00\x01\x01\x00\x00\xFFrubbish",
    ];
    all.extend(others.map(<[u8]>::to_vec));
    all
}
