//! AMF3: skipping and decoding see the same values, the limits hold, and what was read can be written as AMF0.

use super::amf0::check_value;
use super::memory::Meter;
use headwater_core::amf::amf3::Reader;
use headwater_core::amf::{AmfError, AmfLimits};

pub(super) fn check(bytes: &[u8]) {
    let (limits, body) = match bytes {
        [0, body @ ..] => (AmfLimits { depth: 3, values: 20 }, body),
        [_, body @ ..] => (AmfLimits::default(), body),
        [] => (AmfLimits::default(), bytes),
    };
    let meter = Meter::new();
    let mut reader = Reader::new(body, limits);
    while !reader.is_empty() {
        let before = reader.clone();
        let mut skipping = before.clone();
        let value = reader.value();
        let skipped = skipping.skip();
        meter.assert_at_most((limits.values as usize) * 256 + 4 * body.len() + (8 << 10));
        match &value {
            Ok(value) => {
                assert_eq!(skipped, Ok(()));
                assert_eq!(skipping.rest(), reader.rest());
                assert!(
                    reader.rest().len() < before.rest().len(),
                    "a value takes a byte at the least"
                );
                check_value(value, limits);
            }
            Err(error) => {
                assert_eq!(reader.rest(), before.rest(), "an error takes nothing");
                assert_eq!(reader.value().as_ref(), Err(error), "it repeats");
                // Copies of strings count only where they are made: skipping goes on, and may find something else.
                let may_copy = matches!(error, AmfError::TooManyValues { .. });
                assert!(may_copy || skipped.as_ref() == Err(error), "{error} and {skipped:?}");
                return;
            }
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let all: [&[u8]; 9] = [
        b"\x01\x00\x01\x02\x03\x04\x7F\x04\xFF\xFF\xFF\xFF\x05\x40\x10\x00\x00\x00\x00\x00\x00",
        b"\x01\x06\x0Bhello\x06\x01\x07\x05<>\x08\x01\x42\x76\x0D\xA6\x1E\x40\x00\x00",
        // An array with a key and two elements, and an anonymous object.
        b"\x01\x09\x05\x03a\x04\x01\x01\x04\x01\x04\x02\x0A\x0B\x01\x03k\x06\x03v\x01",
        // A class with sealed members, twice: the traits are referred to.
        b"\x01\x09\x05\x01\x0A\x23\x03C\x03x\x03y\x04\x01\x04\x02\x0A\x01\x04\x03\x04\x04",
        b"\x01\x0A\x07\x43flex.messaging.io.ArrayCollection\x09\x03\x01\x04\x05",
        b"\x01\x0C\x07abc\x0D\x05\x00\x00\x00\x00\x01\x00\x00\x00\x02",
        b"\x01\x0F\x05\x00\x3F\xF0\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00",
        b"\x01\x10\x05\x00\x01\x04\x01\x04\x02\x11\x03\x00\x06\x03k\x04\x01",
        b"\x00\x09\x0B\x01\x06\x43a string of thirty-three characters\x06\x00\x06\x00\x06\x00\x06\x00",
    ];
    all.map(<[u8]>::to_vec).into()
}
