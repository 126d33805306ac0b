//! Nacos's `Payload`, `Metadata` and protobuf's `Any`, written by hand from
//! `nacos_grpc_service.proto` (part 1.1 of the protocol notes): three messages need no compiler.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use distro_core::ids::Str;
use prost::Message as _;

use super::message::PREFIX_BYTES;
use super::status::{Code, Status};
use crate::codec::Payload;

/// Nacos `Metadata.headers`: access token, application name and what else a client says.
pub type Headers = BTreeMap<String, String>;

/// `message Payload`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WirePayload {
    /// Type, headers and address.
    #[prost(message, optional, tag = "2")]
    pub metadata: Option<WireMetadata>,
    /// The JSON text.
    #[prost(message, optional, tag = "3")]
    pub body: Option<WireAny>,
}

/// `message Metadata`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WireMetadata {
    /// Simple class name of the message.
    #[prost(string, tag = "3")]
    pub r#type: String,
    /// What Nacos keeps in `Request.headers`: access token, application name.
    #[prost(btree_map = "string, string", tag = "7")]
    pub headers: Headers,
    /// The sender's own idea of its address.
    #[prost(string, tag = "8")]
    pub client_ip: String,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WireAny {
    /// Java and Go leave it empty, Rust names the type; nobody reads it.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The JSON text.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
}

/// The payload in a protobuf message, and its headers.
///
/// # Errors
/// [`Code::Internal`]: it is no such message.
pub fn decode(message: Bytes) -> Result<(Payload, Headers), Status> {
    let wire = WirePayload::decode(message)
        .map_err(|error| Status::new(Code::Internal, format!("no Nacos Payload: {error}")))?;
    let WireMetadata {
        r#type,
        headers,
        client_ip,
    } = wire.metadata.unwrap_or_default();
    let payload = Payload {
        type_name: Str::from(r#type),
        client_ip: Str::from(client_ip),
        body: wire.body.unwrap_or_default().value,
    };
    Ok((payload, headers))
}

/// A payload as one gRPC message, its prefix included; a server sends no headers.
///
/// # Panics
/// When the body has more than 4 GiB less the envelope; senders check the size limit before.
pub fn frame(payload: &Payload, headers: &Headers) -> Bytes {
    let wire = WirePayload {
        metadata: Some(WireMetadata {
            r#type: payload.type_name.as_ref().to_owned(),
            headers: headers.clone(),
            client_ip: payload.client_ip.as_ref().to_owned(),
        }),
        body: Some(WireAny {
            type_url: String::new(),
            value: payload.body.clone(),
        }),
    };
    let length = wire.encoded_len();
    let mut bytes = BytesMut::with_capacity(PREFIX_BYTES + length);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length).expect("senders check the size limit before"));
    wire.encode(&mut bytes)
        .expect("the buffer grows as it is needed");
    bytes.freeze()
}
