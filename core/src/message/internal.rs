//! Connection setup and life (Nacos module `internal`).

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{ClientId, Str};

/// Nacos `ServerCheckResponse`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerCheckResponse {
    /// The id this transport has, or will have once it is set up.
    pub connection_id: ClientId,
    /// True: an ability table in the setup will be answered with a `SetupAck`.
    #[serde(default)]
    pub support_ability_negotiation: bool,
}

/// Nacos `ConnectionSetupRequest`, the first message on a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectionSetupRequest {
    /// Kind and version of the SDK, such as `Nacos-Java-Client:v3.1.0`.
    pub client_version: Option<Str>,
    /// The client's namespace.
    pub tenant: Option<Str>,
    /// `source`, `module`, `AppName` and others; see [`label`].
    pub labels: BTreeMap<Str, Str>,
    /// What the client can do; present (even if empty) means that it waits for a `SetupAck`.
    pub ability_table: Option<BTreeMap<Str, bool>>,
    /// The client's own idea of its address (`Payload.metadata.clientIp`); limits count by it.
    #[serde(skip)]
    pub client_ip: Str,
}

/// Label keys and values of a connection setup.
pub mod label {
    /// Who connects: [`SOURCE_SDK`] or [`SOURCE_CLUSTER`].
    pub const SOURCE: &str = "source";
    /// A client.
    pub const SOURCE_SDK: &str = "sdk";
    /// A fellow node.
    pub const SOURCE_CLUSTER: &str = "cluster";
    /// What the connection is for; only [`MODULE_NAMING`] gets a naming client.
    pub const MODULE: &str = "module";
    /// Service naming.
    pub const MODULE_NAMING: &str = "naming";
    /// The application's name.
    pub const APP_NAME: &str = "AppName";
    /// Our extension: the address of the dialling node.
    pub const NODE: &str = "distro.node";
    /// Our extension: the incarnation of the dialling node, decimal.
    pub const INCARNATION: &str = "distro.incarnation";
}

/// Ability keys of a setup and its acknowledgement.
pub mod ability {
    /// Our extension: versioned records, digest verify, chunked snapshot.
    pub const DISTRO: &str = "distro";
    /// Persistent registration over this connection.
    pub const PERSISTENT_BY_GRPC: &str = "supportPersistentInstanceByGrpc";
    /// Fuzzy watch.
    pub const FUZZY_WATCH: &str = "fuzzyWatch";
    /// Distributed locks.
    pub const LOCK: &str = "lock";
    /// Model context protocol registry.
    pub const MCP: &str = "mcp";
}

/// Nacos `SetupAckRequest`: the server's abilities, and the sign that the setup is registered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SetupAckRequest {
    /// What the server can do; a missing key reads as "no".
    pub ability_table: BTreeMap<Str, bool>,
}

/// Nacos `ConnectResetRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConnectResetRequest {
    /// Where to go; absent means the next server in the client's list.
    pub server_ip: Option<Str>,
    /// Main port of that server, as text.
    pub server_port: Option<Str>,
    /// The connection that is to be given up.
    pub connection_id: Option<ClientId>,
}
