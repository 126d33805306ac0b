//! What arrives in the place of a request: the request, or why it is none that a handler takes.

use alloc::boxed::Box;
use core::hash::{Hash, Hasher};

use super::unsupported::Unsupported;
use super::{MessageKind, Request, Response};
use crate::ids::Str;

/// What a peer sent as a request. All but the first is refused and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A request that somebody here may handle.
    Request(Request),
    /// A request whose sender has no right to it.
    Denied(Box<Denied>),
    /// A type of a module that is not offered here.
    Unsupported(Unsupported),
    /// A type nobody here knows.
    Unknown(Str),
    /// A known type whose body does not parse.
    Malformed(Box<Malformed>),
}

/// A request without the right to it. Nacos looks at tokens late: a node that would not even answer
/// a health check says so in place of the refusal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Denied {
    /// What was asked.
    pub request: Request,
    /// What it is answered when nothing else speaks against it.
    pub refusal: Response,
}

/// A request whose body the decoder refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Malformed {
    /// Nacos type name as received.
    pub type_name: Str,
    /// What the decoder says is wrong.
    pub message: Str,
}

impl Received {
    /// First and last of the numbers by which traces hash what is no request.
    pub(super) const NUMBERS: (u8, u8) = (20, 23);

    /// Nacos's type name, as in `Payload.metadata.type`.
    pub fn type_name(&self) -> &str {
        match self {
            Received::Request(request) => request.type_name(),
            Received::Denied(denied) => denied.request.type_name(),
            Received::Unsupported(which) => which.type_name(),
            Received::Unknown(name) => name,
            Received::Malformed(malformed) => &malformed.type_name,
        }
    }

    /// The kind that counters are kept by.
    pub const fn kind(&self) -> MessageKind {
        match self {
            Received::Request(request) => request.kind(),
            Received::Denied(denied) => denied.request.kind(),
            Received::Unsupported(_) | Received::Unknown(_) | Received::Malformed(_) => {
                MessageKind::Unknown
            }
        }
    }

    /// True for what its sender waits to see answered.
    pub const fn expects_response(&self) -> bool {
        match self {
            Received::Request(request) => request.expects_response(),
            Received::Denied(denied) => denied.request.expects_response(),
            Received::Unsupported(_) | Received::Unknown(_) | Received::Malformed(_) => true,
        }
    }

    /// The request, when it is one that somebody here may handle.
    pub const fn request(&self) -> Option<&Request> {
        match self {
            Received::Request(request) => Some(request),
            Received::Denied(_)
            | Received::Unsupported(_)
            | Received::Unknown(_)
            | Received::Malformed(_) => None,
        }
    }
}

impl From<Request> for Received {
    fn from(request: Request) -> Received {
        Received::Request(request)
    }
}

/// A request hashes as itself; the others have [numbers](Received::NUMBERS) that no request has.
impl Hash for Received {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Received::Request(request) => request.hash(state),
            Received::Unsupported(which) => {
                state.write_isize(20);
                which.hash(state);
            }
            Received::Unknown(name) => {
                state.write_isize(21);
                name.hash(state);
            }
            Received::Malformed(malformed) => {
                state.write_isize(22);
                malformed.hash(state);
            }
            Received::Denied(denied) => {
                state.write_isize(23);
                denied.hash(state);
            }
        }
    }
}
