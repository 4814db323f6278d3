//! A publisher whose headers or codecs are not those of before.

use super::tracks::{BOTH, every_40_ms};
use super::*;

#[test]
fn a_publisher_that_returns_without_headers_goes_on() {
    let mut stage = Stage::new(|_| {});
    stage.push("M V A S K0 a5 P40");
    let player = stage.join();
    stage.take(player);
    stage.begin();
    let script = format!("K1000 a1005 {}", every_40_ms("P", 1_040..2_000));
    stage.push(&format!("{script} a2005"));
    assert_eq!(stage.take(player), format!("{script} a2005"));
    assert_eq!(stage.channel().stats().without_header, 0);
    let (tracks, seen) = stage.see();
    assert!(tracks == BOTH && seen.starts_with("A0 V0 S0 K0 a5 "), "{seen}");
}
