//! The commands that a client sends. RTMP 1.0 §7.2.

use super::{ClientRequest, Purpose};
use crate::rtmp::chunk::MessageStreamId;
use crate::rtmp::message::command::encode;
use bytes::{Bytes, BytesMut};

/// Transaction ID of `connect`.
pub(super) const CONNECT: f64 = 1.0;
/// Transaction ID of `createStream`, the same whether other calls come before it or not.
pub(super) const CREATE_STREAM: f64 = 4.0;

pub(super) fn connect(request: &ClientRequest) -> Bytes {
    encode("connect", CONNECT, |arguments| {
        arguments.object_start();
        arguments.key("app").string(&*request.app);
        match request.purpose {
            Purpose::Publish => {
                arguments.key("type").string("nonprivate");
                arguments.key("flashVer").string("FMLE/3.0 (compatible; Headwater)");
            }
            Purpose::Play => {
                arguments.key("flashVer").string("LNX 9,0,124,2");
                arguments.key("fpad").boolean(false);
                arguments.key("capabilities").number(15.0);
                arguments.key("audioCodecs").number(4_071.0);
                arguments.key("videoCodecs").number(252.0);
                arguments.key("videoFunction").number(1.0);
            }
        }
        arguments.key("tcUrl").string(&*request.tc_url);
        arguments.object_end();
    })
}

pub(super) fn release_stream(name: &str) -> Bytes {
    encode("releaseStream", 2.0, |arguments| {
        arguments.null().string(name);
    })
}

pub(super) fn fc_publish(name: &str) -> Bytes {
    encode("FCPublish", 3.0, |arguments| {
        arguments.null().string(name);
    })
}

pub(super) fn create_stream() -> Bytes {
    encode("createStream", CREATE_STREAM, |arguments| {
        arguments.null();
    })
}

/// Always "live": YouTube refuses other types.
pub(super) fn publish(name: &str) -> Bytes {
    encode("publish", 5.0, |arguments| {
        arguments.null().string(name).string("live");
    })
}

/// From wherever it is, live or not.
pub(super) fn play(name: &str) -> Bytes {
    encode("play", 5.0, |arguments| {
        arguments.null().string(name).number(-2.0);
    })
}

pub(super) fn fc_unpublish(name: &str) -> Bytes {
    encode("FCUnpublish", 6.0, |arguments| {
        arguments.null().string(name);
    })
}

pub(super) fn delete_stream(stream: MessageStreamId) -> Bytes {
    encode("deleteStream", 7.0, |arguments| {
        arguments.null().number(stream.0.into());
    })
}

/// The body of a data message that makes `metadata` the frame that late players get. RTMP 1.0 §7.1.2.
pub(super) fn set_data_frame(metadata: &[u8]) -> Bytes {
    let name = b"\x02\x00\x0D@setDataFrame";
    let mut body = BytesMut::with_capacity(name.len().saturating_add(metadata.len()));
    body.extend_from_slice(name);
    body.extend_from_slice(metadata);
    body.freeze()
}
