//! Members as nodes report themselves, and load figures (parts 3.5 and 8.2).

use distro_core::ids::{Incarnation, NodeId, Str};
use distro_core::message::cluster::{LoaderMetrics, Member, NodeState, ServerReloadRequest};
use serde::{Deserialize, Serialize};

use super::naming::is_zero;
use super::{NoHeaders, clipped, or_empty};

/// Nacos's JRaft port is this far below the main port. We run no Raft, but a Java node compares
/// the field, so it must be there and constant.
const RAFT_PORT_OFFSET: u16 = 1000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MemberOut<'a> {
    ip: &'a str,
    port: u16,
    state: NodeState,
    extend_info: ExtendInfoOut<'a>,
    address: &'a NodeId,
    abilities: AbilitiesOut,
    fail_access_cnt: u32,
    grpc_report_enabled: bool,
    /// Our extension.
    #[serde(skip_serializing_if = "is_zero")]
    incarnation: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExtendInfoOut<'a> {
    raft_port: String,
    ready_to_upgrade: bool,
    support_gray_model: bool,
    version: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AbilitiesOut {
    remote_ability: RemoteAbilityOut,
    config_ability: ConfigAbilityOut,
    naming_ability: NamingAbilityOut,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RemoteAbilityOut {
    support_remote_connection: bool,
    grpc_report_enabled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigAbilityOut {
    support_remote_metrics: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NamingAbilityOut {
    support_jraft: bool,
}

impl<'a> From<&'a Member> for MemberOut<'a> {
    fn from(member: &'a Member) -> MemberOut<'a> {
        let port: u16 = member.node.port().parse().unwrap_or(0);
        MemberOut {
            ip: member.node.ip(),
            port,
            state: member.state,
            extend_info: ExtendInfoOut {
                raft_port: port.saturating_sub(RAFT_PORT_OFFSET).to_string(),
                ready_to_upgrade: true,
                support_gray_model: true,
                version: &member.version,
            },
            address: &member.node,
            abilities: AbilitiesOut {
                remote_ability: RemoteAbilityOut {
                    support_remote_connection: true,
                    grpc_report_enabled: true,
                },
                config_ability: ConfigAbilityOut {
                    support_remote_metrics: false,
                },
                naming_ability: NamingAbilityOut {
                    support_jraft: true,
                },
            },
            fail_access_cnt: 0,
            grpc_report_enabled: true,
            incarnation: member.incarnation.0,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MemberIn {
    ip: Option<Str>,
    port: Option<i32>,
    state: Option<Str>,
    extend_info: Option<ExtendInfoIn>,
    address: Option<Str>,
    incarnation: Option<Incarnation>,
}

#[derive(Deserialize)]
struct ExtendInfoIn {
    version: Option<Str>,
}

impl TryFrom<MemberIn> for Member {
    type Error = Str;
    fn try_from(wire: MemberIn) -> Result<Member, Str> {
        let address = match (
            wire.address.filter(|text| !text.is_empty()),
            wire.ip,
            wire.port,
        ) {
            (Some(address), _, _) => address,
            (None, Some(ip), Some(port)) if !ip.is_empty() => Str::from(format!("{ip}:{port}")),
            (None, _, _) => return Err(Str::from("Node information is illegal")),
        };
        let state = match wire.state.as_deref().unwrap_or("UP") {
            "STARTING" => NodeState::Starting,
            "UP" => NodeState::Up,
            "SUSPICIOUS" => NodeState::Suspicious,
            // A node that isolated itself wants no traffic, which is what DOWN means to us.
            "DOWN" | "ISOLATION" => NodeState::Down,
            other => return Err(clipped(&format!("unknown member state {other}"))),
        };
        Ok(Member {
            node: NodeId(address),
            state,
            incarnation: wire.incarnation.unwrap_or_default(),
            version: or_empty(wire.extend_info.and_then(|info| info.version)),
        })
    }
}

#[derive(Serialize)]
pub(super) struct ReportOut<'a> {
    pub(super) headers: NoHeaders,
    pub(super) node: MemberOut<'a>,
    pub(super) module: &'static str,
}

#[derive(Deserialize)]
pub(super) struct ReportIn {
    pub(super) node: Option<MemberIn>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReloadOut<'a> {
    headers: NoHeaders,
    reload_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    reload_server: Option<&'a NodeId>,
    module: &'static str,
}

impl<'a> From<&'a ServerReloadRequest> for ReloadOut<'a> {
    fn from(request: &'a ServerReloadRequest) -> ReloadOut<'a> {
        ReloadOut {
            headers: NoHeaders::new(),
            reload_count: request.reload_count,
            reload_server: request.reload_server.as_ref(),
            module: "internal",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReloadIn {
    reload_count: Option<i64>,
    reload_server: Option<NodeId>,
}

impl From<ReloadIn> for ServerReloadRequest {
    fn from(wire: ReloadIn) -> ServerReloadRequest {
        let count = wire.reload_count.unwrap_or(0).clamp(0, i64::from(u32::MAX));
        ServerReloadRequest {
            reload_count: u32::try_from(count).unwrap_or(u32::MAX),
            reload_server: wire
                .reload_server
                .filter(|server| !server.as_str().is_empty()),
        }
    }
}

/// Load figures, all of them text.
#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MetricsWire {
    con_count: Str,
    sdk_con_count: Str,
    load: Str,
    cpu: Str,
}

impl From<LoaderMetrics> for MetricsWire {
    fn from(metrics: LoaderMetrics) -> MetricsWire {
        MetricsWire {
            con_count: Str::from(metrics.connections.to_string()),
            sdk_con_count: Str::from(metrics.sdk_connections.to_string()),
            load: Str::from("0.0"),
            cpu: Str::from("0.0"),
        }
    }
}

impl From<MetricsWire> for LoaderMetrics {
    fn from(wire: MetricsWire) -> LoaderMetrics {
        LoaderMetrics {
            connections: wire.con_count.parse().unwrap_or(0),
            sdk_connections: wire.sdk_con_count.parse().unwrap_or(0),
        }
    }
}
