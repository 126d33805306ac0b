//! Membership and load between nodes (Nacos module `cluster`).

use serde::{Deserialize, Serialize};

use crate::ids::{Incarnation, NodeId, Str};

/// Nacos `NodeState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum NodeState {
    /// Not ready: its first load is not settled.
    Starting,
    /// Answers.
    Up,
    /// Missed at least one report.
    Suspicious,
    /// Missed more than `fail-access-cnt` reports.
    Down,
}

/// Nacos `Member` as it is reported, without what only Java's Raft needs (the codec adds that).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    /// Address of its main port.
    pub node: NodeId,
    /// Its own view of its state.
    pub state: NodeState,
    /// Which life; zero from a Java node.
    pub incarnation: Incarnation,
    /// Its version text, such as `3.1.0`.
    pub version: Str,
}

/// Nacos `ServerReloadRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerReloadRequest {
    /// How many client connections may stay.
    pub reload_count: u32,
    /// Where the others are sent, `ip:port`.
    pub reload_server: Option<NodeId>,
}

/// Nacos `ServerLoaderMetrics`, what a node says of its load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LoaderMetrics {
    /// All connections.
    pub connections: u32,
    /// Those of clients.
    pub sdk_connections: u32,
}
