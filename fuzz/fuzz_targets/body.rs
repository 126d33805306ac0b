//! gRPC's framing: any bytes, in two pieces, compressed or not, give messages, nothing, or an error.

#![no_main]

use bytes::Bytes;
use distro_node::carrier::grpc::message::{Encoding, Messages};
use libfuzzer_sys::fuzz_target;

const MESSAGE_BYTES_MAX: usize = 64 * 1024;

fuzz_target!(|input: (bool, &[u8], &[u8])| {
    let (zipped, first, second) = input;
    let encoding = if zipped {
        Encoding::Gzip
    } else {
        Encoding::Identity
    };
    let mut messages = Messages::new(encoding, MESSAGE_BYTES_MAX);
    for piece in [first, second] {
        messages.push(Bytes::copy_from_slice(piece));
        while let Ok(Some(message)) = messages.take() {
            assert!(message.len() <= MESSAGE_BYTES_MAX);
        }
    }
});
