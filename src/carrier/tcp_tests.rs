use bytes::{Bytes, BytesMut};
use distro_core::ids::{RequestId, Str};
use proptest::prelude::*;
use tokio_util::codec::{Decoder, Encoder};

use super::*;

fn frame(body: &[u8]) -> Frame {
    Frame {
        kind: FrameKind::Request,
        id: RequestId(u64::MAX - 1),
        payload: Payload {
            type_name: Str::from("InstanceRequest"),
            client_ip: Str::from("10.0.0.5"),
            body: Bytes::copy_from_slice(body),
        },
    }
}

fn encoded(frame: Frame) -> BytesMut {
    let mut bytes = BytesMut::new();
    FrameCodec::new(4096).encode(frame, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_frame_comes_back_as_it_was_byte_by_byte() {
    let bytes = encoded(frame(b"{}"));
    let mut codec = FrameCodec::new(4096);
    let mut arrived = BytesMut::new();
    for byte in &bytes[..bytes.len() - 1] {
        arrived.extend_from_slice(&[*byte]);
        assert_eq!(codec.decode(&mut arrived).unwrap(), None);
    }
    arrived.extend_from_slice(&bytes[bytes.len() - 1..]);
    assert_eq!(codec.decode(&mut arrived).unwrap(), Some(frame(b"{}")));
}

#[test]
fn a_length_over_the_limit_is_refused_before_the_bytes_arrive() {
    let mut codec = FrameCodec::new(4096);
    let mut arrived = BytesMut::from(&u32::MAX.to_be_bytes()[..]);
    assert!(matches!(
        codec.decode(&mut arrived),
        Err(FrameError::TooLong)
    ));
    assert!(
        arrived.capacity() < 4096,
        "nothing was allocated for the frame"
    );
}

#[test]
fn a_body_over_the_limit_is_not_sent() {
    let mut bytes = BytesMut::new();
    let error = FrameCodec::new(16)
        .encode(frame(&[b' '; 17]), &mut bytes)
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    assert!(bytes.is_empty());
}

#[test]
fn a_client_address_that_is_too_long_is_left_out() {
    let mut long = frame(b"{}");
    long.payload.client_ip = Str::from("x".repeat(300));
    let decoded = FrameCodec::new(4096)
        .decode(&mut encoded(long))
        .unwrap()
        .unwrap();
    assert_eq!(&*decoded.payload.client_ip, "");
}

#[test]
fn no_known_stranger_begins_like_a_friend() {
    for stranger in [
        &b"GET / HT"[..],
        b"PRI * HT",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
    ] {
        assert_ne!(stranger, PREAMBLE);
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut source = BytesMut::from(&bytes[..]);
        let mut codec = FrameCodec::new(4096);
        while let Ok(Some(decoded)) = codec.decode(&mut source) {
            prop_assert!(decoded.payload.body.len() <= 4096);
        }
    }

    #[test]
    fn a_cut_frame_is_no_frame(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Some(view) = FrameView::parse(&bytes) {
            prop_assert!(view.body_at <= bytes.len());
        }
    }
}
