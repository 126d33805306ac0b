//! Recordings of `distro serve --record`: any text is steps or an error with its line.

#![no_main]

use distro_node::record::read::{header, steps};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    drop(header(text));
    drop(steps(text));
});
