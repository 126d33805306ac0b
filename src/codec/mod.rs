//! Nacos's messages as they look on a wire: a type name, headers and a JSON body.
//!
//! Decoding is total. A type that nobody knows becomes `Received::Unknown`, a body that does not
//! parse becomes `Received::Malformed`, and an answer that does not parse is a [`DecodeError`]:
//! nothing a peer sends reaches a panic, and nothing is allocated that the peer did not send.
//!
//! Towards a Java node every body is what Jackson would print for the same message. What our own
//! nodes add (origin, digest, chunks, list version) are further keys, which Java ignores.
//!
//! # Layout
//! - `dispatch`: from a type to its text, by the table of messages
//! - `request`, `response`: one message type after the other
//! - `naming`, `instance`: instances and service lists · `hosts`: their text, kept · `distro`:
//!   replication · `sync`: its content · `fuzzy`: names by a pattern · `extension`: what only our
//!   own nodes say · `cluster`: members

mod cluster;
mod dispatch;
mod distro;
mod extension;
mod fuzzy;
mod hosts;
mod instance;
mod naming;
mod request;
mod response;
mod selector;
mod sync;

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod round_trip_tests;
#[cfg(test)]
mod sdk_golden_tests;

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use distro_core::ids::{NodeId, RequestId, Str};
use distro_core::message::{MessageKind, RequestType};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(crate) use instance::instance_json;
pub use request::{decode_request, encode_request};
pub use response::{decode_response, encode_response};
pub(crate) use selector::expression_of;

/// Longest piece of a parser's message that is kept: such texts quote the input.
const MESSAGE_CHARS_MAX: usize = 200;

/// Nacos `Payload`: one message, whatever carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Simple class name of the message (`metadata.type`).
    pub type_name: Str,
    /// The sender's own idea of its address (`metadata.clientIp`); empty when it said nothing.
    pub client_ip: Str,
    /// UTF-8 JSON text of the message (`body.value`).
    pub body: Bytes,
}

/// Who speaks with whom. Nacos writes the receiver's address into what it syncs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ends {
    /// This node; absent for a client.
    pub me: Option<NodeId>,
    /// The member at the other end, when this end knows it.
    pub peer: Option<NodeId>,
}

/// Why an answer could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// No answer has this type name.
    UnknownType(Str),
    /// The body does not parse.
    Malformed(Str),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::UnknownType(name) => write!(f, "no response type {name}"),
            DecodeError::Malformed(message) => write!(f, "malformed response: {message}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// The kind of a request that still is a payload, for faults that choose by kind.
///
/// Reads no more of the body than the operation of a `DistroDataRequest`.
pub fn request_kind(type_name: &str, body: &[u8]) -> MessageKind {
    match RequestType::from_name(type_name) {
        Some(of) => of
            .facts()
            .kind
            .unwrap_or_else(|| distro::operation_kind(body)),
        None => MessageKind::Unknown,
    }
}

/// The id that a server-initiated request or its answer carries in its body, for carriers without
/// a correlation id of their own.
pub fn body_request_id(body: &[u8]) -> Option<RequestId> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Peek {
        request_id: Option<String>,
    }
    let peek: Peek = serde_json::from_slice(body).ok()?;
    peek.request_id?.parse().ok().map(RequestId)
}

/// The first characters of a text that may quote a stranger.
fn clipped(text: &str) -> Str {
    match text.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => Str::from(&text[..end]),
        None => Str::from(text),
    }
}

/// JSON text of a message. Cannot fail: our messages have text keys and no failing serializers.
fn to_json<T: Serialize>(message: &T) -> Vec<u8> {
    serde_json::to_vec(message).expect("messages have text keys and plain values")
}

/// A message from JSON text; the error says what is wrong, in bounded length.
fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Str> {
    // Serde would fill a struct from an array by position; Jackson and we want an object.
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => serde_json::from_slice(body).map_err(|error| clipped(&error.to_string())),
        Some(_) => Err(Str::from("the body is no JSON object")),
        None => Err(Str::from("the body is empty")),
    }
}

/// The empty header map that the Rust SDK insists on.
type NoHeaders = BTreeMap<Str, Str>;

/// The text, or `fallback` when it is absent or empty.
fn or_default(text: Option<Str>, fallback: &str) -> Str {
    text.filter(|text| !text.is_empty())
        .unwrap_or_else(|| Str::from(fallback))
}

/// The text, or an empty one.
fn or_empty(text: Option<Str>) -> Str {
    text.unwrap_or_else(|| Str::from(""))
}
