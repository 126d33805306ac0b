//! Clients, counts, members, health: what a node says of itself (parts 9.2, 9.6, 9.7).

use std::sync::Arc;

use axum::http::StatusCode;
use distro_core::ids::{ClientId, NodeId};
use distro_core::message::cluster::NodeState;
use serde_json::{Value, json};

use super::Http;
use super::answer::{Outcome, Refusal, code};
use super::call::Call;
use crate::codec::instance_json;
use crate::shell::SDK_PORT_OFFSET;

/// Ids that are listed at most.
const IDS_MAX: usize = 10_000;

pub(super) async fn client_ids(http: Arc<Http>, _: Call) -> Outcome {
    let ids = http.look(|node| {
        let publishers = node
            .clients()
            .filter(|client| !client.data.services.is_empty());
        let ids = publishers
            .take(IDS_MAX)
            .map(|client| json!(client.data.client));
        Value::Array(ids.collect())
    });
    ids.await
}

fn client_id(call: &Call) -> ClientId {
    ClientId::new(call.text("clientId").unwrap_or(""))
}

fn no_client(client: &ClientId) -> Refusal {
    let text = format!("client {client} is not known to this node");
    Refusal::new(StatusCode::NOT_FOUND, code::NOT_FOUND, text)
}

pub(super) async fn client(http: Arc<Http>, call: Call) -> Outcome {
    let client = client_id(&call);
    let wanted = client.clone();
    let found = http.look(move |node| {
        let view = node.client(&wanted)?;
        let kind = if wanted.is_ip_port() {
            "ipPort"
        } else {
            "connection"
        };
        let mut found = json!({
            "clientId": wanted, "ephemeral": true, "clientType": kind, "native": view.native,
            "owner": view.origin.node, "revision": view.data.revision,
        });
        if let Some(connection) = node.connection(&wanted) {
            found["clientIp"] = json!(connection.ip);
            found["appName"] = json!(connection.app);
        }
        Some(found)
    });
    found.await?.ok_or_else(|| no_client(&client))
}

pub(super) async fn published(http: Arc<Http>, call: Call) -> Outcome {
    let client = client_id(&call);
    let wanted = client.clone();
    let data = http.look(move |node| node.client(&wanted).map(|view| view.data.clone()));
    let data = data.await?.ok_or_else(|| no_client(&client))?;
    let mut list = Vec::new();
    for (key, published) in &data.services {
        list.extend(published.instances().iter().map(|instance| {
            json!({
                "namespace": key.namespace, "group": key.group, "serviceName": key.name,
                "registeredInstance": instance_json(instance),
            })
        }));
    }
    Ok(Value::Array(list))
}

pub(super) async fn responsible(http: Arc<Http>, call: Call) -> Outcome {
    let tag = format!("{}:{}", call.text_or("ip", ""), call.text_or("port", "0"));
    let node = http
        .look(move |node| node.responsible(&tag).clone())
        .await?;
    Ok(json!({ "responsibleServer": node }))
}

pub(super) async fn metrics(http: Arc<Http>, call: Call) -> Outcome {
    let status = |ready| if ready { "UP" } else { "STARTING" };
    if call.flag("onlyStatus").unwrap_or(true) {
        let ready = http.look(distro_core::node::Node::is_ready).await?;
        return Ok(json!({ "status": status(ready) }));
    }
    let counts = http.look(move |node| {
        let sizes = node.sizes();
        let (places, own_places) = node.ip_port_clients();
        let clients = sizes.native_clients + sizes.synced_clients;
        json!({
            "status": status(node.is_ready()), "serviceCount": sizes.services,
            "instanceCount": sizes.instances, "subscribeCount": sizes.subscribers,
            "clientCount": clients, "connectionBasedClientCount": clients - places,
            "ephemeralIpPortClientCount": places, "persistentIpPortClientCount": 0,
            "responsibleClientCount": sizes.native_clients,
            "responsibleIpPortClientCount": own_places,
        })
    });
    counts.await
}

fn state_word(state: NodeState) -> &'static str {
    match state {
        NodeState::Starting => "STARTING",
        NodeState::Up => "UP",
        NodeState::Suspicious => "SUSPICIOUS",
        NodeState::Down => "DOWN",
    }
}

/// Nacos `Member` (part 8.2).
fn member(node: &NodeId, state: NodeState, version: Option<&str>) -> Value {
    let mut extend = json!({ "readyToUpgrade": true, "supportGrayModel": true });
    if let Some(version) = version {
        extend["version"] = json!(version);
    }
    let port = node.port().parse::<u16>().ok();
    if let Some(raft) = port.and_then(|port| port.checked_sub(SDK_PORT_OFFSET)) {
        extend["raftPort"] = json!(raft.to_string());
    }
    json!({
        "ip": node.ip(), "port": port, "state": state_word(state), "extendInfo": extend,
        "address": node, "failAccessCnt": 0, "grpcReportEnabled": true,
        "abilities": {
            "remoteAbility": { "supportRemoteConnection": true, "grpcReportEnabled": true },
            "configAbility": { "supportRemoteMetrics": false },
            "namingAbility": { "supportJraft": true },
        },
    })
}

async fn me(http: &Http) -> Result<(NodeId, NodeState, u64), Refusal> {
    let seen = http.look(|node| {
        let state = if node.is_ready() {
            NodeState::Up
        } else {
            NodeState::Starting
        };
        (node.id().clone(), state, node.members().count() as u64)
    });
    seen.await
}

pub(super) async fn nodes(http: Arc<Http>, call: Call) -> Outcome {
    let (node, state, _) = me(&http).await?;
    let others = http.look(|node| {
        let member = |seen: distro_core::view::MemberView<'_>| (seen.node.clone(), seen.state);
        node.members().map(member).collect::<Vec<_>>()
    });
    let mut all: Vec<(NodeId, NodeState)> = others.await?;
    all.push((node.clone(), state));
    all.sort();
    let part = call.text("keyword").or_else(|| call.text("address"));
    all.retain(|(node, _)| node.as_str().contains(part.unwrap_or("")));
    let version = |one: &NodeId| (*one == node).then_some(http.nacos_version());
    let view = |(node, state): &(NodeId, NodeState)| member(node, *state, version(node));
    Ok(all.iter().map(view).collect())
}

pub(super) async fn this_node(http: Arc<Http>, _: Call) -> Outcome {
    let (node, state, _) = me(&http).await?;
    Ok(member(&node, state, Some(http.nacos_version())))
}

pub(super) async fn node_health(http: Arc<Http>, _: Call) -> Outcome {
    let (_, state, _) = me(&http).await?;
    Ok(json!(state_word(state)))
}

pub(super) async fn live_v1(_: Arc<Http>, _: Call) -> Outcome {
    Ok(json!("OK"))
}

pub(super) async fn live(_: Arc<Http>, _: Call) -> Outcome {
    Ok(json!("ok"))
}

async fn is_ready(http: &Http) -> Result<(), Refusal> {
    let text = "naming not in readiness";
    let not = |status| Refusal::new(status, code::SERVER, text);
    if http.is_draining() || !http.look(distro_core::node::Node::is_ready).await? {
        return Err(not(StatusCode::INTERNAL_SERVER_ERROR));
    }
    Ok(())
}

pub(super) async fn ready_v1(http: Arc<Http>, _: Call) -> Outcome {
    is_ready(&http).await.map(|()| json!("OK"))
}

/// Nacos answers 200 and a failing code; a probe that looks at the status would never notice.
pub(super) async fn ready(http: Arc<Http>, _: Call) -> Outcome {
    is_ready(&http).await.map(|()| json!("ok"))
}

pub(super) async fn actuator(http: Arc<Http>, _: Call) -> Outcome {
    is_ready(&http).await.map(|()| json!({ "status": "UP" }))
}

pub(super) async fn server(http: Arc<Http>, _: Call) -> Outcome {
    let (_, _, others) = me(&http).await?;
    let mode = if others == 0 { "standalone" } else { "cluster" };
    let auth = http.auth.is_on();
    Ok(json!({
        "version": http.nacos_version(), "standalone_mode": mode, "startup_mode": mode,
        "function_mode": "naming", "auth_enabled": auth.to_string(),
        "auth_system_type": if auth { "nacos" } else { "" }, "login_page_enabled": "false",
        "auth_admin_request": "false", "server_port": http.port.to_string(),
        "distro_version": env!("CARGO_PKG_VERSION"),
    }))
}
