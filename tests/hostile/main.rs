//! Hostile peers beside a good stream, with each binary: the stream loses no frame, the server keeps neither memory nor file
//! descriptors, and the log says of everything that was refused why. `rows` has each kind of peer alone and looks at what it
//! hears, `crowd` has all of them at once.
//!
//! What the peers say is what `core/driver/tests/hostile` says to a server in memory, row by row.
#![cfg(all(target_os = "linux", any(feature = "mio", feature = "smol", feature = "tokio")))]

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod crowd;
mod good;
#[allow(dead_code, reason = "some of it is for the tests in memory")]
#[path = "../../core/driver/tests/hostile/inputs/mod.rs"]
mod inputs;
mod rows;

/// Characters that a terminal or a collector of logs could take for something else.
fn is_raw(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2028}' | '\u{2029}')
}
