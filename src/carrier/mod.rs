//! Ways to carry payloads between two ends.

pub mod grpc;
pub mod tcp;
pub mod unfinished;

use std::fmt;
use std::str::FromStr;

use crate::text::kind::Word;

/// How a connection carries its payloads. A node tells them apart by the first bytes of a
/// connection, so both share its port for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Carrier {
    /// Length-delimited frames: between our own nodes and for our own clients.
    #[default]
    Tcp,
    /// Nacos's two gRPC services: what official SDKs speak.
    Grpc,
}

impl Word for Carrier {
    const NOUN: &'static str = "carrier";

    fn all() -> Vec<(Carrier, &'static str)> {
        Carrier::ALL.to_vec()
    }
}

impl Carrier {
    /// All carriers with the names that people write.
    pub const ALL: [(Carrier, &'static str); 2] = [(Carrier::Tcp, "tcp"), (Carrier::Grpc, "grpc")];

    /// The name that people write.
    pub const fn name(self) -> &'static str {
        match self {
            Carrier::Tcp => "tcp",
            Carrier::Grpc => "grpc",
        }
    }

    /// What a client sends first, so that a node knows it for one of its own.
    pub const fn greeting(self) -> &'static [u8] {
        match self {
            Carrier::Tcp => &tcp::PREAMBLE,
            Carrier::Grpc => grpc::GREETING,
        }
    }

    /// The carrier of an accepted connection by its first bytes; `None` for a stranger.
    pub fn of_first_bytes(first: [u8; tcp::PREAMBLE.len()]) -> Option<Carrier> {
        match first {
            tcp::PREAMBLE => Some(Carrier::Tcp),
            grpc::PREFACE_START => Some(Carrier::Grpc),
            _ => None,
        }
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Carrier {
    type Err = String;

    fn from_str(text: &str) -> Result<Carrier, String> {
        let known = Carrier::ALL.iter().find(|(_, name)| *name == text);
        known
            .map(|(carrier, _)| *carrier)
            .ok_or_else(|| format!("`{text}` is no carrier; write tcp or grpc"))
    }
}
