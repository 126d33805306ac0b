//! Payloads as length-delimited frames, many in flight.
//!
//! A connection begins with [`PREAMBLE`] in each direction, so that a stranger (a browser, a TLS
//! or gRPC client) is told from a friend by its first bytes. Then come frames:
//!
//! ```text
//! u32  length of what follows
//! u8   kind: 1 request, 2 response, 3 one-way message
//! u64  correlation id: chosen by the requester, echoed by the answer
//! u8   length of the type name, then the type name
//! u8   length of the client address, then the client address
//! ...  JSON body
//! ```
//!
//! Numbers are big-endian.

use std::fmt;
use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use distro_core::ids::{RequestId, Str};
use tokio_util::codec::{Decoder, Encoder};

use crate::codec::Payload;

/// First bytes of a connection in each direction: a name and the version of the framing. No TLS
/// record, HTTP method or HTTP/2 preface begins like this.
pub const PREAMBLE: [u8; 8] = *b"DISTRO\x00\x01";

/// Bytes of the length field.
const LENGTH_BYTES: usize = 4;
/// Bytes of a frame before the type name.
const FIXED_BYTES: usize = 1 + 8;
/// Most bytes that kind, id, type name and client address take together.
const HEADER_BYTES_MAX: usize = FIXED_BYTES + 2 * (1 + u8::MAX as usize);

/// Most bytes that are claimed for a frame before they have arrived.
const STEP_BYTES: usize = 64 * 1024;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// A request that is answered.
    Request = 1,
    /// An answer.
    Response = 2,
    /// A request without an answer: the two messages of the connection setup.
    OneWay = 3,
}

/// One message on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it carries.
    pub kind: FrameKind,
    /// Pairs an answer with its request.
    pub id: RequestId,
    /// The message.
    pub payload: Payload,
}

/// A frame looked at in place, without its length field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameView<'a> {
    /// What it carries.
    pub kind: FrameKind,
    /// Pairs an answer with its request.
    pub id: RequestId,
    /// Nacos type name.
    pub type_name: &'a str,
    /// The client address.
    pub client_ip: &'a str,
    /// Where the body begins.
    pub body_at: usize,
}

impl<'a> FrameView<'a> {
    /// Reads the header of a frame; `None` when it is not one.
    pub fn parse(frame: &'a [u8]) -> Option<FrameView<'a>> {
        let kind = match frame.first()? {
            1 => FrameKind::Request,
            2 => FrameKind::Response,
            3 => FrameKind::OneWay,
            _ => return None,
        };
        let id = u64::from_be_bytes(frame.get(1..FIXED_BYTES)?.try_into().ok()?);
        let (type_name, at) = short_text(frame, FIXED_BYTES)?;
        let (client_ip, body_at) = short_text(frame, at)?;
        Some(FrameView {
            kind,
            id: RequestId(id),
            type_name,
            client_ip,
            body_at,
        })
    }
}

/// A text with its length in front, and where it ends.
fn short_text(frame: &[u8], at: usize) -> Option<(&str, usize)> {
    let start = at + 1;
    let end = start + usize::from(*frame.get(at)?);
    Some((std::str::from_utf8(frame.get(start..end)?).ok()?, end))
}

/// Puts frames on a byte stream and takes them off again, up to a size.
///
/// Both directions refuse a frame whose body is over the limit: sending one is the sender's
/// mistake, receiving one ends the connection before anything is allocated for it.
///
/// Memory follows what arrives: a length alone claims no more than [`STEP_BYTES`].
#[derive(Debug)]
pub struct FrameCodec {
    body_bytes_max: usize,
}

/// Why what arrived is no frame. The connection cannot go on.
#[derive(Debug)]
pub enum FrameError {
    /// Longer than the limit.
    TooLong,
    /// Its header does not read.
    NoHeader,
    /// The stream below failed.
    Io(io::Error),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::TooLong => f.write_str("frame over the limit"),
            FrameError::NoHeader => f.write_str("no frame header"),
            FrameError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FrameError {}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> FrameError {
        FrameError::Io(error)
    }
}

impl From<FrameError> for io::Error {
    fn from(error: FrameError) -> io::Error {
        match error {
            FrameError::Io(error) => error,
            FrameError::TooLong | FrameError::NoHeader => {
                io::Error::new(io::ErrorKind::InvalidData, error)
            }
        }
    }
}

impl FrameCodec {
    /// For bodies of at most `message_bytes_max`.
    pub fn new(message_bytes_max: u64) -> FrameCodec {
        let ceiling = u32::MAX as usize - HEADER_BYTES_MAX;
        let body_bytes_max = usize::try_from(message_bytes_max)
            .unwrap_or(ceiling)
            .min(ceiling);
        FrameCodec { body_bytes_max }
    }

    /// True when a payload may be sent.
    pub fn fits(&self, payload: &Payload) -> bool {
        payload.body.len() <= self.body_bytes_max
    }
}

/// A broken rule of the framing.
fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Decoder for FrameCodec {
    type Item = Frame;
    type Error = FrameError;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let Some(length) = source.first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > self.body_bytes_max + HEADER_BYTES_MAX {
            return Err(FrameError::TooLong);
        }
        let missing = (LENGTH_BYTES + length).saturating_sub(source.len());
        if missing > 0 {
            source.reserve(missing.min(STEP_BYTES));
            return Ok(None);
        }
        source.advance(LENGTH_BYTES);
        let bytes = source.split_to(length).freeze();
        let view = FrameView::parse(&bytes).ok_or(FrameError::NoHeader)?;
        let FrameView {
            kind, id, body_at, ..
        } = view;
        let (type_name, client_ip) = (Str::from(view.type_name), Str::from(view.client_ip));
        let mut body: Bytes = bytes;
        body.advance(body_at);
        if body.len() > self.body_bytes_max {
            return Err(FrameError::TooLong);
        }
        Ok(Some(Frame {
            kind,
            id,
            payload: Payload {
                type_name,
                client_ip,
                body,
            },
        }))
    }
}

impl Encoder<Frame> for FrameCodec {
    type Error = io::Error;

    fn encode(&mut self, frame: Frame, target: &mut BytesMut) -> io::Result<()> {
        let Payload {
            type_name,
            client_ip,
            body,
        } = &frame.payload;
        let type_len = u8::try_from(type_name.len()).map_err(|_| broken("type name too long"))?;
        // An address is free text and only informs: a long one is left out.
        let (ip_len, ip) = u8::try_from(client_ip.len()).map_or((0, ""), |len| (len, &**client_ip));
        if !self.fits(&frame.payload) {
            return Err(broken("body over the limit"));
        }
        let length = FIXED_BYTES + 2 + type_name.len() + ip.len() + body.len();
        target.reserve(LENGTH_BYTES + length);
        target.put_u32(u32::try_from(length).map_err(|_| broken("frame over the limit"))?);
        target.put_u8(frame.kind as u8);
        target.put_u64(frame.id.0);
        target.put_u8(type_len);
        target.put_slice(type_name.as_bytes());
        target.put_u8(ip_len);
        target.put_slice(ip.as_bytes());
        target.put_slice(body);
        Ok(())
    }
}

#[cfg(test)]
#[path = "tcp_tests.rs"]
mod tests;
