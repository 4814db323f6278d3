#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (headwater_fuzz::target("http").check)(input));
