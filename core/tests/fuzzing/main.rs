//! The bodies of the fuzz targets, on what a fuzzer has found before and on a stream of inputs that a seed makes of it.
//!
//! `HEADWATER_FUZZ=20000 cargo test --test fuzzing` takes so many inputs for each target instead of the usual few hundred, and
//! `HEADWATER_SEED=7` others. An input that fails is printed in hexadecimal.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    missing_docs,
    unreachable_pub,
    reason = "a test"
)]

mod bodies;
mod mutate;

use bodies::{TARGETS, Target};
use mutate::Mutator;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

/// Inputs of the stream that a target gets.
const STREAM: u64 = 250;

fn from_environment(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Checks one input, and prints it if it fails.
fn check(target: &Target, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.check)(input))) {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        eprintln!("{} fails with these {} bytes: {hex}", target.name, input.len());
        resume_unwind(panic);
    }
}

/// One target at a time, since each counts the memory of the process.
fn run(name: &str) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let target = bodies::target(name);
    let mut inputs = (target.seeds)();
    assert!(!inputs.is_empty(), "a target needs something to begin with");
    inputs.extend(target.corpus());
    inputs.push(Vec::new());
    for input in &inputs {
        check(target, input);
    }
    let mut mutator = Mutator::new(from_environment("HEADWATER_SEED", 1));
    for _ in 0..from_environment("HEADWATER_FUZZ", STREAM) {
        check(target, &mutator.mutant(&inputs));
    }
}

macro_rules! each_target {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        #[test]
        fn each_target_has_a_test() {
            assert!(TARGETS.iter().map(|target| target.name).eq([$(stringify!($name)),*]));
        }
    };
}

each_target! {
    amf0 amf3 media flv handshake chunk_reader chunk_pair rtmp_server rtmp_client identity http websocket server
}
