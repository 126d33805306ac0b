//! Our own frames: any bytes, in two pieces, give frames, nothing, or an error.

#![no_main]

use bytes::BytesMut;
use distro_node::carrier::tcp::FrameCodec;
use distro_node::codec::{decode_request, decode_response};
use libfuzzer_sys::fuzz_target;
use tokio_util::codec::Decoder;

const MESSAGE_BYTES_MAX: u64 = 64 * 1024;

fuzz_target!(|input: (&[u8], &[u8])| {
    let mut codec = FrameCodec::new(MESSAGE_BYTES_MAX);
    let mut buffer = BytesMut::new();
    for piece in [input.0, input.1] {
        buffer.extend_from_slice(piece);
        while let Ok(Some(frame)) = codec.decode(&mut buffer) {
            assert!(frame.payload.body.len() as u64 <= MESSAGE_BYTES_MAX);
            decode_request(&frame.payload);
            drop(decode_response(&frame.payload));
        }
    }
});
