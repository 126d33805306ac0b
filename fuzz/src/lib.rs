//! What must hold for any bytes, one function for each decoder that strangers reach. The fuzz
//! targets hand them what libFuzzer makes up; `tests/corpus.rs` hands them `corpus/`, whole and
//! damaged, with every run of the test suite.
//!
//! A failure is a panic, be it of an assertion here or of the code that is tried.

mod life;

use bytes::{Bytes, BytesMut};
use distro_core::message::{Received, ResponseBody};
use distro_node::carrier::grpc::message::{Encoding, Messages};
use distro_node::carrier::grpc::payload as protobuf;
use distro_node::carrier::tcp::{Frame, FrameCodec};
use distro_node::codec::{
    Ends, Payload, body_request_id, decode_request, decode_response, encode_request,
    encode_response, request_kind,
};
use distro_node::record::read;
use tokio_util::codec::{Decoder, Encoder};

pub use life::{life, node_after};

/// Small, so that the limit is reached.
const MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// Pieces of a stream of which the first byte says where it is cut.
fn pieces(input: &[u8]) -> Option<(&[u8], [&[u8]; 2])> {
    let (&cut, stream) = input.split_first()?;
    let (first, second) = stream.split_at(usize::from(cut).min(stream.len()));
    Some((stream, [first, second]))
}

/// Frames of our own carrier: what is read does not depend on how the stream arrives, and each
/// frame is written again as it came.
pub fn frame(input: &[u8]) {
    let Some((stream, halves)) = pieces(input) else {
        return;
    };
    let whole = frames(&[stream]);
    assert_eq!(whole, frames(&halves));
    let mut codec = FrameCodec::new(MESSAGE_BYTES_MAX as u64);
    let mut again = BytesMut::new();
    for frame in whole.0 {
        assert!(frame.payload.body.len() <= MESSAGE_BYTES_MAX);
        message(&frame.payload);
        codec
            .encode(frame, &mut again)
            .expect("it was within the limits");
    }
    assert!(stream.starts_with(&again));
}

/// The frames of a stream, and whether it could not be read on.
fn frames(pieces: &[&[u8]]) -> (Vec<Frame>, bool) {
    let mut codec = FrameCodec::new(MESSAGE_BYTES_MAX as u64);
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
    }
    (frames, false)
}

/// Messages in a gRPC body, some of them compressed: what is read does not depend on how the body
/// arrives, and is never longer than allowed.
pub fn body(input: &[u8]) {
    let Some((stream, halves)) = pieces(input) else {
        return;
    };
    for encoding in [Encoding::Identity, Encoding::Gzip] {
        let (whole, is_broken) = messages(encoding, &[stream]);
        assert!(
            whole
                .iter()
                .all(|message| message.len() <= MESSAGE_BYTES_MAX)
        );
        assert_eq!((whole, is_broken), messages(encoding, &halves));
    }
}

/// The messages of a body, and whether it could not be read on.
fn messages(encoding: Encoding, pieces: &[&[u8]]) -> (Vec<Bytes>, bool) {
    let mut reader = Messages::new(encoding, MESSAGE_BYTES_MAX);
    let mut messages = Vec::new();
    for piece in pieces {
        reader.push(Bytes::copy_from_slice(piece));
        loop {
            match reader.take() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(_) => return (messages, true),
            }
        }
    }
    (messages, false)
}

/// A protobuf message of Nacos: it is refused, or its payload is one that [`message`] takes.
pub fn payload(input: &[u8]) {
    let Ok((payload, headers)) = protobuf::decode(Bytes::copy_from_slice(input)) else {
        return;
    };
    let frame = protobuf::frame(&payload, &headers);
    let mut reader = Messages::new(Encoding::Identity, usize::MAX);
    reader.push(frame);
    let again = reader.take_only().map(protobuf::decode);
    assert_eq!(again, Ok(Ok((payload.clone(), headers))));
    message(&payload);
}

/// A payload read as a request and as an answer: what it means survives our own writing.
fn message(payload: &Payload) {
    let Payload {
        type_name, body, ..
    } = payload;
    body_request_id(body);
    request_kind(type_name, body);
    let ends = Ends::default();
    // Of everything else no more is kept than that it came.
    if let Received::Request(request) = decode_request(payload) {
        let again = decode_request(&encode_request(&request, None, &ends));
        assert_eq!(again, Received::Request(request));
    }
    if let Ok(response) = decode_response(payload) {
        let is_kept = !matches!(response.body, ResponseBody::Unsupported(_));
        if is_kept {
            let again = decode_response(&encode_response(&response, None, &ends));
            assert_eq!(again, Ok(response));
        }
    }
}

/// A recording of `distro serve --record`: its header and its steps, or an error that names a line.
pub fn recording(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if let Err(error) = read::header(first) {
        assert!(
            error.starts_with("line 1 ") || error.contains("version") || error.contains("timing")
        );
    }
    match read::steps(rest) {
        Ok(steps) => assert!(steps.len() <= rest.lines().count()),
        Err(error) => assert!(error.starts_with("line "), "{error}"),
    }
}
