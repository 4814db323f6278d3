//! Rows 21 to 25: values that are not what they say.

use crate::scene::Scene;

/// Our depth is 16, as ffmpeg's; what is deeper is a message that is read over, not the end of its connection.
#[test]
fn row_21_values_nested_too_deep_are_read_over() {
    Scene::new().hold(21);
}

#[test]
fn row_22_counts_and_lengths_that_lie_reserve_nothing() {
    for heard in Scene::new().hold(22) {
        assert!(heard.held < 64 << 10, "{}: {} bytes held", heard.what, heard.held);
    }
}

#[test]
fn row_23_references_are_not_expanded() {
    for heard in Scene::new().hold(23) {
        assert!(heard.held < 96 << 10, "{}: {} bytes held", heard.what, heard.held);
    }
}

#[test]
fn row_24_numbers_and_references_that_are_none_are_read_over() {
    Scene::new().hold(24);
}

/// No map is made of them: an object is a list of pairs, of which the first with a name counts.
#[test]
fn row_25_of_100_000_properties_4_096_are_read() {
    Scene::new().hold(25);
}
