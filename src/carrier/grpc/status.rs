//! What gRPC says when there is no message: a status.

use std::fmt;

use http::{HeaderMap, HeaderValue};

/// The codes that this carrier gives or tells apart, with gRPC's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// It went well.
    Ok = 0,
    /// The caller gave up.
    Cancelled = 1,
    /// The peer gave a code that means nothing to us.
    Unknown = 2,
    /// A message over the size limit, or too many streams.
    ResourceExhausted = 8,
    /// No such service or method, or an encoding that this end does not know.
    Unimplemented = 12,
    /// The peer broke gRPC's rules.
    Internal = 13,
    /// The server is going away, or the connection ended.
    Unavailable = 14,
}

/// A status that is not OK, with what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The class.
    pub code: Code,
    /// In words. Printable ASCII, as the header needs it.
    pub message: String,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gRPC status {:?}: {}", self.code, self.message)
    }
}

impl std::error::Error for Status {}

impl Status {
    /// A status with a message, whose characters outside printable ASCII become `?`.
    pub fn new(code: Code, message: impl Into<String>) -> Status {
        let mut message: String = message.into();
        if !message.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            let plain = |char: char| {
                if (' '..='~').contains(&char) {
                    char
                } else {
                    '?'
                }
            };
            message = message.chars().map(plain).collect();
        }
        Status { code, message }
    }

    /// Writes it where gRPC has it: into trailers, or headers when nothing else is sent.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        headers.insert("grpc-status", HeaderValue::from(self.code as u16));
        // A percent sign would begin an escape; our own texts have none, a quoted one may.
        let text = self.message.replace('%', "%25");
        if let Ok(text) = HeaderValue::from_str(&text) {
            headers.insert("grpc-message", text);
        }
    }

    /// Reads it from trailers or headers; `Ok` when it says so. A missing status is an error.
    ///
    /// # Errors
    /// The status, when it is not OK.
    pub(super) fn read(headers: &HeaderMap) -> Result<(), Status> {
        let Some(code) = headers.get("grpc-status") else {
            return Err(Status::new(Code::Internal, "an answer without grpc-status"));
        };
        let code = match code.as_bytes() {
            b"0" => return Ok(()),
            b"1" => Code::Cancelled,
            b"8" => Code::ResourceExhausted,
            b"12" => Code::Unimplemented,
            b"13" => Code::Internal,
            b"14" => Code::Unavailable,
            _ => Code::Unknown,
        };
        let message = headers.get("grpc-message");
        let message = message.map_or_else(String::new, |text| {
            String::from_utf8_lossy(text.as_bytes()).into_owned()
        });
        Err(Status::new(code, message))
    }
}

/// Trailers of an answer that went well.
pub(super) fn ok_trailers() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers
}
