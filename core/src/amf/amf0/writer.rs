//! Writing values.

use super::marker;
use crate::amf::{Text, Value};
use bytes::BufMut;

/// Appends values to a buffer. Calls chain.
///
/// ```
/// use headwater_core::amf::amf0::Writer;
///
/// let mut body = Vec::new();
/// Writer::new(&mut body).string("_result").number(4.0).null().number(1.0);
/// assert_eq!(body, b"\x02\0\x07_result\0\x40\x10\0\0\0\0\0\0\x05\0\x3f\xf0\0\0\0\0\0\0");
/// ```
///
/// The caller ends each object that it starts; inside one, each value follows its [`key`](Self::key).
///
/// # Panics
/// Each method, if the buffer cannot grow and is full: see [`BufMut`].
#[derive(Debug)]
pub struct Writer<B>(B);

impl<B: BufMut> Writer<B> {
    /// A writer that appends to `buffer`, which may be a `&mut` reference.
    pub const fn new(buffer: B) -> Self {
        Writer(buffer)
    }

    /// Appends a number.
    pub fn number(&mut self, number: f64) -> &mut Self {
        self.0.put_u8(marker::NUMBER);
        self.0.put_f64(number);
        self
    }

    /// Appends a boolean.
    pub fn boolean(&mut self, boolean: bool) -> &mut Self {
        self.0.put_slice(&[marker::BOOLEAN, u8::from(boolean)]);
        self
    }

    /// Appends a string: a long string from 65,536 bytes on, cut at 4,294,967,295.
    pub fn string(&mut self, text: impl AsRef<[u8]>) -> &mut Self {
        let text = text.as_ref();
        if let Ok(len) = u16::try_from(text.len()) {
            self.0.put_u8(marker::STRING);
            self.0.put_u16(len);
            self.0.put_slice(text);
        } else {
            self.long_text(marker::LONG_STRING, text);
        }
        self
    }

    /// Appends `null`.
    pub fn null(&mut self) -> &mut Self {
        self.0.put_u8(marker::NULL);
        self
    }

    /// Appends `undefined`.
    pub fn undefined(&mut self) -> &mut Self {
        self.0.put_u8(marker::UNDEFINED);
        self
    }

    /// Starts an object without a class.
    pub fn object_start(&mut self) -> &mut Self {
        self.0.put_u8(marker::OBJECT);
        self
    }

    /// Starts an ECMA array that will have `count` pairs.
    pub fn ecma_array_start(&mut self, count: u32) -> &mut Self {
        self.0.put_u8(marker::ECMA_ARRAY);
        self.0.put_u32(count);
        self
    }

    /// Begins a pair in an object or ECMA array. Names are cut at 65,535 bytes, the most that the format can say.
    pub fn key(&mut self, name: impl AsRef<[u8]>) -> &mut Self {
        let name = name.as_ref();
        let len = u16::try_from(name.len()).unwrap_or(u16::MAX);
        self.0.put_u16(len);
        self.0.put_slice(name.get(..usize::from(len)).unwrap_or(name));
        self
    }

    /// Ends an object or ECMA array.
    pub fn object_end(&mut self) -> &mut Self {
        self.0.put_slice(&[0, 0, marker::OBJECT_END]);
        self
    }

    /// Starts a strict array: the next `count` values are its elements.
    pub fn strict_array_start(&mut self, count: u32) -> &mut Self {
        self.0.put_u8(marker::STRICT_ARRAY);
        self.0.put_u32(count);
        self
    }

    /// Appends a value that is encoded already, as [`ValueRef::raw`](super::ValueRef::raw) gives it.
    pub fn raw(&mut self, encoded: &[u8]) -> &mut Self {
        self.0.put_slice(encoded);
        self
    }

    /// Appends a value and everything inside it. Recursion is as deep as the value.
    pub fn value(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Number(number) => self.number(*number),
            Value::Boolean(boolean) => self.boolean(*boolean),
            Value::String(text) => self.string(text.as_bytes()),
            Value::Object(pairs) => self.object_start().pairs(pairs),
            Value::Null => self.null(),
            Value::Undefined => self.undefined(),
            Value::EcmaArray(pairs) => self.ecma_array_start(count(pairs)).pairs(pairs),
            Value::StrictArray(elements) => {
                let start = self.strict_array_start(count(elements));
                elements.iter().fold(start, Self::value)
            }
            Value::Date(millis) => {
                self.0.put_u8(marker::DATE);
                self.0.put_f64(*millis);
                self.0.put_i16(0);
                self
            }
            Value::Xml(text) => self.long_text(marker::XML_DOCUMENT, text.as_bytes()),
            Value::TypedObject { class_name, pairs } => {
                self.0.put_u8(marker::TYPED_OBJECT);
                self.key(class_name.as_bytes()).pairs(pairs)
            }
        }
    }

    fn pairs(&mut self, pairs: &[(Text, Value)]) -> &mut Self {
        for (key, value) in pairs {
            self.key(key.as_bytes()).value(value);
        }
        self.object_end()
    }

    fn long_text(&mut self, marker: u8, text: &[u8]) -> &mut Self {
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.0.put_u8(marker);
        self.0.put_u32(len);
        self.0.put_slice(text.get(..len as usize).unwrap_or(text));
        self
    }
}

/// The count to announce for members in memory, of which there are never 2^32.
fn count<T>(members: &[T]) -> u32 {
    u32::try_from(members.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    #[test]
    fn an_empty_object_is_a_marker_and_an_end() {
        let mut body = Vec::new();
        Writer::new(&mut body).object_start().object_end();
        assert_eq!(body, [3, 0, 0, 9]);
    }

    #[test]
    fn a_string_of_65536_bytes_is_a_long_string() {
        let mut body = Vec::new();
        Writer::new(&mut body).string(vec![b'x'; 65_535]);
        assert_eq!((&body[..3], body.len()), (&[2, 0xFF, 0xFF][..], 3 + 65_535));
        body.clear();
        Writer::new(&mut body).string(vec![b'x'; 65_536]);
        assert_eq!((&body[..5], body.len()), (&[12, 0, 1, 0, 0][..], 5 + 65_536));
    }

    #[test]
    fn a_name_of_65536_bytes_is_cut() {
        let mut body = Vec::new();
        Writer::new(&mut body).key(vec![b'x'; 65_536]);
        assert_eq!((&body[..2], body.len()), (&[0xFF, 0xFF][..], 2 + 65_535));
    }
}
