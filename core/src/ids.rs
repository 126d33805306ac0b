//! Identities and counters, each its own type so that the compiler keeps them apart.

use alloc::sync::Arc;
use core::fmt;

use serde::{Deserialize, Serialize};

/// Shared immutable text. Names are made once and then only counted, never copied.
pub type Str = Arc<str>;

/// A member's address, `ip:port` of its main port, exactly as the member lists spell it (Nacos
/// `Member.address`). It names the node in every record and trace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub Str);

/// A connection id, which is also the client's id and the Distro resource key (Nacos
/// `connectionId`). Unique over nodes and time, never reused, never contains `#`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(pub Str);

/// A transport connection, numbered by the shell. Unique within one life of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnId(pub u64);

/// Pairs a response with its request. Unique per sender and connection; each direction of a
/// connection counts for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub u64);

/// The version of a client's record under its owner (Nacos `AbstractClient.revision`).
///
/// A native record starts at 0 and goes up by one with every register, deregister and batch
/// register. Equal revisions of one client mean equal content (invariant S3).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

/// One life of a node process: higher is later. Zero means that the peer did not say, as no Java
/// node does.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Incarnation(pub u64);

impl NodeId {
    /// A node id from its `ip:port` text.
    pub fn new(address: &str) -> NodeId {
        NodeId(Arc::from(address))
    }

    /// The `ip:port` text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the last colon; the whole text when there is none.
    pub fn ip(&self) -> &str {
        self.0.rsplit_once(':').map_or(&self.0, |(ip, _)| ip)
    }

    /// The part after the last colon; empty when there is none.
    pub fn port(&self) -> &str {
        self.0.rsplit_once(':').map_or("", |(_, port)| port)
    }
}

impl ClientId {
    /// A client id from its text.
    pub fn new(text: &str) -> ClientId {
        ClientId(Arc::from(text))
    }

    /// The id of a client without a connection (Nacos `IpPortBasedClient`).
    pub fn of_ip_port(ip: &str, port: i32) -> ClientId {
        ClientId(Arc::from(alloc::format!("{ip}:{port}#true")))
    }

    /// True for a client without a connection: such ids name an instance's place, so they are
    /// used again, and their owner may change.
    pub fn is_ip_port(&self) -> bool {
        self.0.contains('#')
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Revision {
    /// The revision that follows.
    #[must_use]
    pub const fn next(self) -> Revision {
        Revision(self.0.saturating_add(1))
    }
}

macro_rules! display_inner {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}
display_inner!(NodeId, ClientId, ConnId, RequestId, Revision, Incarnation);
