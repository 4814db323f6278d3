//! Rows 21 to 25: values that are not what they say.

use super::*;

pub(super) fn inputs() -> Vec<Input> {
    let in_call = |row, what, value: Vec<u8>| {
        // An unknown call skips its arguments, a publish's metadata are read.
        rtmp(
            row,
            what,
            publishing(&[
                call("no", &value),
                metadata(&value),
                message(15, 1, &[&[0][..], &string(b"onMetaData"), &value].concat()),
            ]),
            GoesOn,
        )
    };
    let in_connect = |row, what, value: &[u8]| rtmp(row, what, connected_with(&pair("x", value)), GoesOn);
    let arrays = |depth: usize| b"\x0A\0\0\0\x01".repeat(depth);
    let amf3 = |value: &[u8]| [&[0x11][..], value].concat();
    let many = |count: usize| [&[3][..], &b"\0\x01k\x05".repeat(count), &[0, 0, 9]].concat();
    let inline_object = b"\x0A\x0B\x01\x03a";
    vec![
        rtmp(
            21,
            "70,000 arrays in arrays",
            connected(&[call("no", &arrays(70_000))]),
            Ends("message of 350"),
        ),
        in_call(21, "50,000 arrays in arrays", arrays(50_000)),
        in_call(21, "objects in objects", b"\x03\0\x01k".repeat(20_000)),
        in_call(21, "maps in maps", b"\x08\0\0\0\x01\0\x01k".repeat(20_000)),
        in_call(21, "AMF3 arrays in arrays", amf3(&b"\x09\x03\x01".repeat(20_000))),
        in_call(21, "AMF3 objects in objects", amf3(&inline_object.repeat(20_000))),
        in_call(
            21,
            "AMF3 within AMF0 within arrays",
            [arrays(10), amf3(&b"\x09\x03\x01".repeat(20_000))].concat(),
        ),
        in_connect(21, "arrays in arrays of connect", &arrays(40_000)),
        in_call(
            22,
            "a map of 2^32 - 1",
            [&b"\x08\xFF\xFF\xFF\xFF"[..], &pair("k", &[5]), b"\0\0\x09"].concat(),
        ),
        in_call(22, "an array of 2^32 - 1", b"\x0A\xFF\xFF\xFF\xFF\x05".to_vec()),
        in_call(22, "a string of 2^32 - 1", b"\x0C\xFF\xFF\xFF\xFFabc".to_vec()),
        in_call(22, "a string of 65,535", b"\x02\xFF\xFFabc".to_vec()),
        in_call(22, "XML of 2^32 - 1", b"\x0F\xFF\xFF\xFF\xFF<x/>".to_vec()),
        in_call(22, "an AMF3 array of 2^28 - 1", amf3(b"\x09\xFF\xFF\xFF\xFF\x01\x05")),
        in_call(
            22,
            "an AMF3 class of 2^25 - 1 names",
            amf3(b"\x0A\xFF\xFF\xFF\xFB\x01\x03a"),
        ),
        in_call(
            22,
            "an AMF3 vector of 2^28 - 1",
            amf3(b"\x0D\xFF\xFF\xFF\xFF\0\0\0\0\x01"),
        ),
        in_call(22, "AMF3 bytes of 2^28 - 1", amf3(b"\x0C\xFF\xFF\xFF\xFFabc")),
        in_call(22, "an AMF3 string of 2^28 - 1", amf3(b"\x06\xFF\xFF\xFF\xFFabc")),
        in_connect(22, "a string of connect that is too long", b"\x02\xFF\xFFabc"),
        in_call(
            23,
            "an object that refers to itself",
            [&[3][..], &pair("me", &[7, 0, 0]).repeat(1_000), &[0, 0, 9]].concat(),
        ),
        in_call(
            23,
            "AMF3 objects that refer to each other",
            amf3(&[&b"\x09\x8F\x51\x01"[..], &b"\x09\0\x09\x02".repeat(500)].concat()),
        ),
        in_call(23, "a large AMF3 class, referred to", dear_amf3()),
        in_call(24, "a number of five bytes", amf3(b"\x04\xFF\xFF\xFF\xFF\xFF\xFF\xFF")),
        in_call(24, "a number that is cut", amf3(b"\x04\x80\x80")),
        in_call(24, "a string that nobody has said", amf3(b"\x06\x80\x02")),
        in_call(24, "a class that nobody has said", amf3(b"\x0A\xFD")),
        rtmp(
            25,
            "100,000 properties",
            connected(&[call("no", &many(100_000))]),
            Ends("message of 400"),
        ),
        in_call(25, "50,000 properties of one name", many(50_000)),
        in_connect(25, "50,000 properties of connect", &many(50_000)),
        rtmp(
            25,
            "50,000 apps",
            connected_with(&pair("app", &string(b"other")).repeat(20_000)),
            GoesOn,
        ),
    ]
}

/// An AMF3 class of 2,040 names that writes itself, referred to 1,000 times.
fn dear_amf3() -> Vec<u8> {
    [
        &[0x11, 0x09, 0x8F, 0x53, 0x01][..],
        &[0x0A, 0x81, 0xFF, 0x07],
        b"\x43flex.messaging.io.ArrayCollection",
        &[0x03, b'n'].repeat(2_040),
        &[1],
        &[0x0A, 0x01, 0x01].repeat(1_000),
    ]
    .concat()
}
