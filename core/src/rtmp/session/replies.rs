//! The commands that we send. RTMP 1.0 §7.2, E-RTMP v2 "Enhancing NetConnection connect Command".
//!
//! All in AMF0, which Flash understands too; all with a description, which some clients insist on.

use super::{Status, StatusCode};
use crate::amf::amf0::Writer;
use crate::rtmp::message::command;
use bytes::{Bytes, BytesMut};

/// The version that we claim to be. Some hardware encoders parse it, so it must look like this.
const FMS_VERSION: &str = "FMS/3,0,1,123";
/// What FMS 3 could do.
const FMS_CAPABILITIES: f64 = 31.0;

/// The codecs that we forward, by FourCC. Naming them says more than `"*"`, which claims to decode anything.
const FOUR_CCS: [&str; 12] = [
    "av01", "vp09", "vp08", "hvc1", "avc1", "vvc1", "ac-3", "ec-3", "Opus", ".mp3", "fLaC", "mp4a",
];
/// `CanForward` in the maps of codecs.
const CAN_FORWARD: f64 = 4.0;
/// `capsEx`: multitrack, modifiers, nanosecond offsets.
const CAPS_EX: f64 = 14.0;

/// The answer to `connect`. What we can of Enhanced RTMP is said only to those that mentioned it, because old parsers
/// know the plain form.
pub(super) fn connected(transaction_id: f64, object_encoding: u8, is_enhanced: bool) -> Bytes {
    command::encode("_result", transaction_id, |writer| {
        writer.object_start();
        writer.key("fmsVer").string(FMS_VERSION);
        writer.key("capabilities").number(FMS_CAPABILITIES);
        if is_enhanced {
            writer.key("fourCcList").strict_array_start(12);
            for four_cc in FOUR_CCS {
                writer.string(four_cc);
            }
            for map in ["videoFourCcInfoMap", "audioFourCcInfoMap"] {
                writer.key(map).object_start().key("*").number(CAN_FORWARD).object_end();
            }
            writer.key("capsEx").number(CAPS_EX);
        }
        writer.object_end();
        info(
            writer,
            &Status::new(StatusCode::ConnectSuccess, "Connection succeeded."),
        );
        writer.key("objectEncoding").number(object_encoding.into());
        writer.object_end();
    })
}

/// The answer to a call whose result is a number.
pub(super) fn number(transaction_id: f64, number: f64) -> Bytes {
    command::encode("_result", transaction_id, |writer| {
        writer.null().number(number);
    })
}

/// The answer to a call that has no result.
pub(super) fn nothing(transaction_id: f64) -> Bytes {
    command::encode("_result", transaction_id, |writer| {
        writer.null().undefined();
    })
}

/// The refusal of a call.
pub(super) fn error(transaction_id: f64, status: &Status) -> Bytes {
    notification("_error", transaction_id, status)
}

/// What happens on a message stream, for that message stream.
pub(super) fn on_status(status: &Status) -> Bytes {
    notification("onStatus", 0.0, status)
}

/// A command that carries a status.
pub(super) fn notification(name: &str, transaction_id: f64, status: &Status) -> Bytes {
    command::encode(name, transaction_id, |writer| {
        writer.null();
        info(writer, status);
        writer.object_end();
    })
}

/// Begins the information object that carries `status`.
fn info(writer: &mut Writer<&mut BytesMut>, status: &Status) {
    writer.object_start();
    writer.key("level").string(status.code.level().as_str());
    writer.key("code").string(status.code.as_str());
    writer.key("description").string(&*status.description);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::amf0::Reader;
    use crate::amf::{AmfLimits, Value};
    use alloc::vec::Vec;

    fn values(body: &[u8]) -> Vec<Value> {
        let mut reader = Reader::new(body, AmfLimits::default());
        core::iter::from_fn(|| (!reader.is_empty()).then(|| reader.value().unwrap())).collect()
    }

    #[test]
    fn the_answer_to_create_stream_has_its_bytes() {
        let expected = b"\x02\0\x07_result\0\x40\x10\0\0\0\0\0\0\x05\0\x3F\xF0\0\0\0\0\0\0";
        assert_eq!(number(4.0, 1.0), &expected[..]);
    }

    #[test]
    fn the_answer_to_connect_echoes_the_object_encoding() {
        let values = values(&connected(1.0, 3, false));
        let [_, _, properties, info] = values.as_slice() else {
            panic!("{values:?}");
        };
        assert_eq!(properties.get("fmsVer").and_then(Value::as_str), Some("FMS/3,0,1,123"));
        assert_eq!(properties.get("capsEx"), None);
        assert_eq!(info.get("level").and_then(Value::as_str), Some("status"));
        assert_eq!(info.get("objectEncoding").and_then(Value::as_f64), Some(3.0));
    }

    #[test]
    fn every_status_has_a_level_and_a_description() {
        let values = values(&on_status(&Status::new(
            StatusCode::PublishBadName,
            "Already publishing.",
        )));
        let [name, transaction_id, command_object, info] = values.as_slice() else {
            panic!("{values:?}");
        };
        assert_eq!(name.as_str(), Some("onStatus"));
        assert_eq!((transaction_id, command_object), (&Value::Number(0.0), &Value::Null));
        let member = |key| info.get(key).and_then(Value::as_str);
        assert_eq!(member("level"), Some("error"));
        assert_eq!(member("code"), Some("NetStream.Publish.BadName"));
        assert_eq!(member("description"), Some("Already publishing."));
    }
}
