//! What can go wrong for a program that uses a registry.

use std::fmt;

use distro_core::ids::Str;
use distro_core::message::naming::ServiceKey;
use distro_core::sdk::io::CallError;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// What the program gave is wrong; nothing was sent. The text says what would be right.
    Input(String),
    /// No node could be reached in time; the text says what was tried, if anything can be said.
    NotConnected(String),
    /// A node is connected and did not answer in time, or only "not now".
    Timeout,
    /// The node said no, and nothing changed there.
    Refused {
        /// Nacos's error code.
        code: i32,
        /// The node's words.
        message: Str,
    },
    /// A later call of this client for the same service took this one's place before it was
    /// answered.
    Superseded,
    /// An update of what this client never registered.
    NotRegistered(ServiceKey),
    /// The client was closed, or its thread ended.
    Closed,
    /// The operating system gave no thread or no event loop.
    System(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Input(text) | Error::System(text) => f.write_str(text),
            Error::NotConnected(tried) if tried.is_empty() => {
                f.write_str("no node could be reached in time")
            }
            Error::NotConnected(tried) => write!(f, "no node could be reached in time: {tried}"),
            Error::Timeout => f.write_str("the node did not answer in time"),
            Error::Refused { code, message } => {
                write!(f, "the node refused: {message} (code {code})")
            }
            Error::Superseded => f.write_str("a later call for the same service took its place"),
            Error::NotRegistered(service) => {
                write!(f, "this client registered nothing for {service}")
            }
            Error::Closed => f.write_str("the client is closed"),
        }
    }
}

impl std::error::Error for Error {}

impl From<CallError> for Error {
    fn from(error: CallError) -> Error {
        match error {
            CallError::NotConnected => Error::NotConnected(String::new()),
            CallError::Timeout => Error::Timeout,
            CallError::Refused { code, message } => Error::Refused { code, message },
            CallError::Superseded => Error::Superseded,
        }
    }
}
