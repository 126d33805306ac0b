//! gRPC's framing: in a body, each message follows one byte that says whether it is compressed and
//! four that say how long it is.

use std::io::Read;

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

use super::status::{Code, Status};

/// Bytes before a message.
pub const PREFIX_BYTES: usize = 5;

/// How compressed messages of a body are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// None may be.
    Identity,
    /// By gzip.
    Gzip,
}

impl Encoding {
    /// What the headers of a call say.
    ///
    /// # Errors
    /// [`Code::Unimplemented`]: an encoding that this end does not know.
    pub fn of(headers: &HeaderMap) -> Result<Encoding, Status> {
        match headers.get("grpc-encoding").map(|value| value.as_bytes()) {
            None | Some(b"identity") => Ok(Encoding::Identity),
            Some(b"gzip") => Ok(Encoding::Gzip),
            Some(_) => Err(Status::new(
                Code::Unimplemented,
                "grpc-encoding is neither identity nor gzip",
            )),
        }
    }
}

/// Takes messages off the pieces of a body.
#[derive(Debug)]
pub struct Messages {
    encoding: Encoding,
    bytes_max: usize,
    /// What arrived and is not taken: one piece as it came, or several put together.
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    Piece(Bytes),
    Gathered(BytesMut),
}

impl Messages {
    /// For messages of at most `bytes_max`, also after decompression.
    pub fn new(encoding: Encoding, bytes_max: usize) -> Messages {
        Messages {
            encoding,
            bytes_max,
            rest: Rest::Piece(Bytes::new()),
        }
    }

    /// What the head of the body says about its messages.
    pub fn set_encoding(&mut self, encoding: Encoding) {
        self.encoding = encoding;
    }

    /// Most bytes of a message.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Bytes that arrived and are not taken.
    pub fn gathered(&self) -> usize {
        match &self.rest {
            Rest::Piece(piece) => piece.len(),
            Rest::Gathered(bytes) => bytes.len(),
        }
    }

    /// The next piece arrived.
    pub fn push(&mut self, piece: Bytes) {
        match &mut self.rest {
            Rest::Piece(rest) if rest.is_empty() => self.rest = Rest::Piece(piece),
            Rest::Piece(rest) => {
                let mut bytes = BytesMut::with_capacity(rest.len() + piece.len());
                bytes.extend_from_slice(rest);
                bytes.extend_from_slice(&piece);
                self.rest = Rest::Gathered(bytes);
            }
            Rest::Gathered(bytes) => bytes.extend_from_slice(&piece),
        }
    }

    fn bytes(&self) -> &[u8] {
        match &self.rest {
            Rest::Piece(piece) => piece,
            Rest::Gathered(bytes) => bytes,
        }
    }

    /// Whether the next message is compressed, and its length, once they have arrived.
    ///
    /// # Errors
    /// As [`Messages::take`].
    pub fn prefix(&self) -> Result<Option<(bool, usize)>, Status> {
        let Some(prefix) = self.bytes().first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let [flag, length @ ..] = *prefix;
        let compressed = match flag {
            0 => false,
            1 => true,
            _ => {
                let text = format!("a message with the compression flag {flag}");
                return Err(Status::new(Code::Internal, text));
            }
        };
        let length = u32::from_be_bytes(length) as usize;
        if length > self.bytes_max {
            return Err(self.too_long(length));
        }
        Ok(Some((compressed, length)))
    }

    /// The only message of a body that has ended.
    ///
    /// # Errors
    /// There is none, or more than one, or as [`Messages::take`].
    pub fn take_only(&mut self) -> Result<Bytes, Status> {
        let wrong = |what| Err(Status::new(Code::Internal, what));
        match self.take()? {
            None => wrong("a body without a whole message"),
            Some(_) if self.gathered() > 0 => wrong("more than one message in a unary call"),
            Some(message) => Ok(message),
        }
    }

    /// The next whole message, without its prefix.
    ///
    /// # Errors
    /// The body cannot be read on: a message over the limit, or a broken rule.
    pub fn take(&mut self) -> Result<Option<Bytes>, Status> {
        let Some((compressed, length)) = self.prefix()? else {
            return Ok(None);
        };
        if self.bytes().len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        let message = match &mut self.rest {
            Rest::Piece(piece) => {
                piece.advance(PREFIX_BYTES);
                piece.split_to(length)
            }
            Rest::Gathered(bytes) => {
                bytes.advance(PREFIX_BYTES);
                bytes.split_to(length).freeze()
            }
        };
        if self.gathered() == 0 {
            self.rest = Rest::Piece(Bytes::new());
        }
        if !compressed {
            return Ok(Some(message));
        }
        match self.encoding {
            Encoding::Gzip => self.inflate(&message).map(Some),
            Encoding::Identity => Err(Status::new(
                Code::Internal,
                "a compressed message without grpc-encoding",
            )),
        }
    }

    fn inflate(&self, message: &[u8]) -> Result<Bytes, Status> {
        let mut plain = Vec::new();
        // One byte more than allowed shows that there is more.
        let limit = self.bytes_max as u64 + 1;
        flate2::read::GzDecoder::new(message)
            .take(limit)
            .read_to_end(&mut plain)
            .map_err(|error| Status::new(Code::Internal, format!("not gzip: {error}")))?;
        if plain.len() > self.bytes_max {
            return Err(self.too_long(plain.len()));
        }
        Ok(Bytes::from(plain))
    }

    fn too_long(&self, length: usize) -> Status {
        let text = format!(
            "a message of {length} bytes or more, the limit is {}",
            self.bytes_max
        );
        Status::new(Code::ResourceExhausted, text)
    }
}
