//! Rows 32 to 37: media, which are passed on whatever they are, as long as they are bounded.

use crate::scene::Scene;

#[test]
fn row_32_aggregates_give_what_is_whole_in_them() {
    Scene::new().hold(32);
}

/// A header above 256 KiB is passed on and not kept, and of those that are kept there are 32.
#[test]
fn row_33_lies_in_enhanced_rtmp_are_frames_for_nobody() {
    let mut scene = Scene::new();
    for heard in scene.hold(33) {
        assert!(heard.held < 3 << 20, "{}: {} bytes held", heard.what, heard.held);
    }
}

#[test]
fn row_34_headers_that_change_with_each_picture_are_fatal() {
    for heard in Scene::new().hold(34) {
        assert!(String::from_utf8_lossy(&heard.bytes).contains("NetStream.Publish.Failed"));
    }
}

#[test]
fn row_35_keyframes_alone_or_none_fill_bounded_memory() {
    let mut scene = Scene::new();
    // A frame of a few bytes has 256 in the ring: its slot and its buffer.
    scene.may_hold(9_000 * 256);
    scene.hold(35);
}

#[test]
fn row_36_absurd_parameter_sets_say_nothing_and_end_nothing() {
    Scene::new().hold(36);
}

/// By RTMP metadata have 256 KiB at the most, as all commands; none above 64 KiB are kept.
#[test]
fn row_37_huge_metadata_are_not_kept() {
    Scene::new().hold(37);
}
