//! Payloads over gRPC, as official Nacos SDKs speak it: the unary `/Request/request`, and the
//! stream `/BiRequestStream/requestBiStream` on which a server asks its client.
//!
//! One connection is one HTTP/2 connection; that alone pairs its unary calls with its stream
//! (Nacos pairs them by the transport, part 2.1 of the protocol notes).
//!
//! This is HTTP/2 by `h2` with the five bytes of gRPC's framing on top, and not `tonic`: one task
//! drives a connection with all its calls, where hyper spawns one for each call. That is what a
//! node with tens of thousands of calls per second spends least on, it needs no executor, so the
//! same code runs on a simulated network, and nothing writes a `date` header that no replay
//! repeats. The two services need nothing else of what tonic offers.
//!
//! # Layout
//! - [`server`], [`client`]: the two ends of a connection, payloads in and out
//! - [`payload`]: Nacos's protobuf messages · [`message`]: gRPC's framing of messages in a body
//! - [`status`]: what gRPC says when there is no message · `unsent`: what waits to be written ·
//!   `gather`: how it is written ·
//!   `body`: what arrives · `answer`: how a server answers

mod answer;
mod body;
pub mod client;
mod gather;
pub mod message;
pub mod payload;
pub mod server;
pub mod status;
mod unsent;

#[cfg(test)]
mod tests;

/// How an HTTP/2 connection begins; the full preface is `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`.
pub const PREFACE_START: [u8; 8] = *b"PRI * HT";

/// The whole preface and empty settings: what every HTTP/2 client sends before anything else.
pub(crate) const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Path of the unary call.
pub const UNARY_PATH: &str = "/Request/request";
/// Path of the stream.
pub const STREAM_PATH: &str = "/BiRequestStream/requestBiStream";

/// The content type of requests and responses; requests may add a suffix such as `+proto`.
const CONTENT_TYPE: &str = "application/grpc";

/// Calls that one connection may have open. Their answers together fit into the queue of the
/// connection, so a client within the limit is never cut for asking much at once.
pub const STREAMS_MAX: u32 = 512;
/// Streams of `requestBiStream` that one connection may have open. Nacos keeps the first; a
/// client that opens a second has given up the first.
const BI_STREAMS_MAX: usize = 4;
/// Bytes that a peer may send on one stream before this end has read them (HTTP/2's default).
const STREAM_WINDOW_BYTES: u32 = 65_535;
/// Bytes that a peer may send on all streams of a connection before this end has read them.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes of headers that one call may have.
const HEADER_BYTES_MAX: u32 = 16 * 1024;
/// Bytes of messages that wait to be written because the peer does not read. Beyond it this end
/// takes nothing more to send, and a push is refused as busy.
const UNSENT_BYTES_MAX: usize = 256 * 1024;
/// Bytes that a message may have on the wire beside its body: type name, headers, address.
const ENVELOPE_BYTES_MAX: usize = 64 * 1024;

/// Most bytes of one message on the wire when its body may have `message_bytes_max`.
fn wire_bytes_max(message_bytes_max: u64) -> usize {
    let ceiling = u32::MAX as usize - ENVELOPE_BYTES_MAX;
    let body = usize::try_from(message_bytes_max).unwrap_or(ceiling);
    body.min(ceiling) + ENVELOPE_BYTES_MAX
}
