#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| distro_fuzz::payload(input));
