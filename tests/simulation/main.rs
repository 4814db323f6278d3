//! Whole servers in a world where everything goes wrong, from one seed each.
//!
//! A seed draws a [`plan`]: how many workers there are, who publishes and plays and how, and what goes wrong when: small pieces,
//! delays, stalls, resets, publishers that come and go, an application that answers late, workers that pause, time that leaps.
//! Further worlds also have a player that changes its mind all the time, operators, publishers of other formats and more that goes
//! wrong. For a while it does. Then all is well, and every player has to get everything that is published. [`screen`] says what must be
//! true of each frame that a player gets, [`oracle`] what must be true of the servers, and [`marks`] what the worlds have to go
//! through so that this means something.
//!
//! Nothing here waits, and nothing comes from outside: a seed gives the same world each time. Worlds are independent of each
//! other, and run on all cores.
//!
//! | | |
//! |--|--|
//! | `cargo test --test simulation` | the first 4,000 seeds, and 2,000 further worlds, from seed 2^32 on |
//! | `HEADWATER_SEEDS=100000 cargo test --release --test simulation every_seed -- --nocapture` | so many, half as many further ones, and how much that was |
//! | `HEADWATER_SEED=7 cargo test --test simulation every_seed -- --nocapture` | one, and its story |
//!
//! With `HEADWATER_RECORD=DIR`, a story also leaves a recording of each connection that failed in that folder, as `--record-on-error`
//! does: `headwater-tokio --replay FILE` plays it step by step.
//!
//! A seed that fails is [made smaller](shrink) first: the test prints the smallest plan that fails as it did, and its story.
//!
//! # What it finds
//!
//! Faults that were mended once, or that a change could make, put in one at a time, and how many of the seeds that run by default
//! find them at least:
//!
//! | fault | seeds that find it | the first |
//! |--|--:|--:|
//! | a publisher is replaced without being heard first | 70 | 49 |
//! | a worker that was late itself takes that for a publisher's silence | 130 | 7 |
//! | a publish or play of the program's own stays for good if it was dropped before it heard of its end | 34 | 218 |
//! | every jump of a timestamp is believed | 284 | 20 |
//! | a reset is not heard while a request waits for its answer | 185 | 1 |
//! | what was deferred is not read when its turn comes | 28 | 132 |
//! | a half-closed connection that takes nothing may stay | 10 | 52 |
//! | any answer settles the question that is open, whichever it was for | 7 | 125 |
//! | frames of an earlier subscription are taken in | 15 | 15 |
//! | nothing is let go of when memory is short | 61 | 102 |
//! | a burst from another worker is kept however short memory is | 5 | 102 |
//! | a publish of the program's own waits for leave to stay that nobody gives | 1 | 2^32 + 1,677 |
//! | sound that a player hears stops until the next keyframe | 1 | 2^32 + 1,838 |
#![allow(unreachable_pub, reason = "nothing in a test can be reached from elsewhere")]
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a test")]

mod actor;
mod application;
mod encoder;
mod framing;
mod hostile;
mod journal;
mod link;
mod marks;
mod media;
mod operator;
mod oracle;
mod plan;
mod restless;
mod rng;
mod scarcity;
mod screen;
mod shrink;
mod swarm;
mod wire;
mod world;

use marks::Marks;
use plan::{FURTHER, Plan};
use std::env;
use std::time::Duration;

/// Seeds that are run if nobody says otherwise.
const SEEDS: u64 = 4_000;

/// The first `count` seeds, and half as many of the further worlds.
fn first(count: u64) -> Vec<u64> {
    (0..count).chain(FURTHER..FURTHER + count / 2).collect()
}

fn number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is a number, not {value}")),
    )
}

#[test]
fn every_seed_holds() {
    let one = number("HEADWATER_SEED");
    let seeds = match one {
        Some(seed) => vec![seed],
        None => first(number("HEADWATER_SEEDS").unwrap_or(SEEDS)),
    };
    let outcomes = swarm::for_each(&seeds, |seed| swarm::run(&Plan::draw(seed), false));
    let (mut steps, mut span, mut marks, mut failed) = (0, Duration::ZERO, Marks::default(), Vec::new());
    for (seed, outcome) in outcomes {
        match outcome {
            Ok(outcome) => {
                steps += outcome.steps;
                span += outcome.span;
                marks.extend(outcome.marks);
            }
            Err(reason) => {
                eprintln!("seed {seed}: {reason}");
                failed.push((seed, reason));
            }
        }
    }
    if let Some((seed, reason)) = failed.first() {
        report(*seed, reason);
        panic!("{} seeds fail. Seed {seed}: {reason}", failed.len());
    }
    let hours = span.as_secs_f64() / 3_600.0;
    println!("all hold: {steps} steps, {hours:.1} hours of their time");
    match one {
        Some(seed) => drop(swarm::run(&Plan::draw(seed), true)),
        None => assert_eq!(marks.missing(), [""; 0], "no seed has gone through these"),
    }
}

/// Tells the story of a seed that fails, with as little in it as possible.
fn report(seed: u64, reason: &str) {
    let plan = Plan::draw(seed);
    assert_eq!(swarm::run(&plan, false).unwrap_err(), reason, "it fails only sometimes");
    let plan = shrink::shrink(&plan, reason);
    let _ = swarm::run(&plan, true);
    println!("{plan}Replay it: HEADWATER_SEED={seed} cargo test --test simulation every_seed -- --nocapture");
}

#[test]
fn a_seed_gives_the_same_world_each_time() {
    let twice = |seed| [(); 2].map(|()| swarm::run(&Plan::draw(seed), false));
    for (seed, [first, second]) in swarm::for_each(&first(SEEDS / 20), twice) {
        assert_eq!(first, second, "seed {seed}");
    }
}
