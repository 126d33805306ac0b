//! Nacos's protobuf and JSON: any message decodes or is refused, and what decodes survives our own
//! encoding.

#![no_main]

use bytes::Bytes;
use distro_node::carrier::grpc::payload;
use distro_node::codec::{
    Ends, body_request_id, decode_request, decode_response, encode_request, request_kind,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    let Ok((payload, _)) = payload::decode(Bytes::copy_from_slice(message)) else {
        return;
    };
    body_request_id(&payload.body);
    request_kind(&payload.type_name, &payload.body);
    drop(decode_response(&payload));
    let request = decode_request(&payload);
    encode_request(&request, None, &Ends::default());
});
