//! Requests to and from their JSON text.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use distro_core::ids::{ClientId, RequestId, Str};
use distro_core::message::internal::{
    ConnectResetRequest, ConnectionSetupRequest, SetupAckRequest,
};
use distro_core::message::unsupported::Unsupported;
use distro_core::message::{MalformedRequest, MessageKind, Request};
use serde::{Deserialize, Serialize};

use super::cluster::{MemberOut, ReloadIn, ReloadOut, ReportIn, ReportOut};
use super::fuzzy::{ChangeIn, ChangeOut, SyncIn, SyncOut, WatchIn, WatchOut};
use super::naming::{
    BatchInstanceRequestIn, BatchInstanceRequestOut, InstanceRequestIn, InstanceRequestOut, ListIn,
    ListOut, NotifyIn, NotifyOut, QueryIn, QueryOut, SubscribeIn, SubscribeOut,
};
use super::{Ends, NoHeaders, Payload, clipped, distro, from_json, to_json};

/// A request without fields of its own.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bare {
    headers: NoHeaders,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    module: &'static str,
}

impl Bare {
    fn internal(id: Option<RequestId>) -> Bare {
        let request_id = id.map(|id| id.0.to_string());
        Bare {
            headers: NoHeaders::new(),
            request_id,
            module: "internal",
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SetupOut<'a> {
    headers: NoHeaders,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    labels: &'a BTreeMap<Str, Str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ability_table: Option<&'a BTreeMap<Str, bool>>,
    module: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SetupIn {
    client_version: Option<Str>,
    tenant: Option<Str>,
    labels: Option<BTreeMap<Str, Option<Str>>>,
    ability_table: Option<BTreeMap<Str, Option<bool>>>,
}

/// A table without the entries that are null.
fn present<T>(table: BTreeMap<Str, Option<T>>) -> BTreeMap<Str, T> {
    table
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AckOut<'a> {
    headers: NoHeaders,
    ability_table: &'a BTreeMap<Str, bool>,
    module: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AckIn {
    ability_table: Option<BTreeMap<Str, Option<bool>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResetOut<'a> {
    headers: NoHeaders,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_ip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_port: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<&'a ClientId>,
    module: &'static str,
}

/// Any object; Jackson refuses everything else as a request.
#[derive(Deserialize)]
struct AnyObject {}

/// The payload of a request. `id` is written into the body where Nacos does so, which is on what
/// a server asks of its clients.
pub fn encode_request(request: &Request, id: Option<RequestId>, ends: &Ends) -> Payload {
    let mut client_ip = Str::from("");
    let body = match request {
        Request::ServerCheck
        | Request::HealthCheck
        | Request::ServerLoaderInfo
        | Request::Unsupported(_)
        | Request::Unknown(_) => to_json(&Bare::internal(None)),
        Request::ClientDetection => to_json(&Bare::internal(id)),
        Request::ConnectionSetup(setup) => {
            client_ip = setup.client_ip.clone();
            to_json(&SetupOut {
                headers: NoHeaders::new(),
                client_version: setup.client_version.as_deref(),
                tenant: setup.tenant.as_deref(),
                labels: &setup.labels,
                ability_table: setup.ability_table.as_ref(),
                module: "internal",
            })
        }
        Request::SetupAck(ack) => to_json(&AckOut {
            headers: NoHeaders::new(),
            ability_table: &ack.ability_table,
            module: "internal",
        }),
        Request::ConnectReset(reset) => to_json(&ResetOut {
            headers: NoHeaders::new(),
            request_id: id.map(|id| id.0.to_string()),
            server_ip: reset.server_ip.as_deref(),
            server_port: reset.server_port.as_deref(),
            connection_id: reset.connection_id.as_ref(),
            module: "internal",
        }),
        Request::ServerReload(reload) => to_json(&ReloadOut::from(reload)),
        Request::Instance(instance) | Request::PersistentInstance(instance) => {
            to_json(&InstanceRequestOut::from(&**instance))
        }
        Request::BatchInstance(batch) => to_json(&BatchInstanceRequestOut::from(&**batch)),
        Request::SubscribeService(subscribe) => to_json(&SubscribeOut::from(&**subscribe)),
        Request::ServiceQuery(query) => to_json(&QueryOut::from(&**query)),
        Request::ServiceList(list) => to_json(&ListOut::from(&**list)),
        Request::NotifySubscriber(info) => to_json(&NotifyOut::new(info, id)),
        Request::NamingFuzzyWatch(watch) => to_json(&WatchOut::from(&**watch)),
        Request::NamingFuzzyWatchSync(sync) => to_json(&SyncOut::new(sync, id)),
        Request::NamingFuzzyWatchChangeNotify(change) => to_json(&ChangeOut::new(change, id)),
        Request::DistroData(data) => distro::encode_request(data, ends),
        Request::MemberReport(member) => to_json(&ReportOut {
            headers: NoHeaders::new(),
            node: MemberOut::from(&**member),
            module: "cluster",
        }),
        // Whoever sends such a request wants to see it refused.
        Request::Malformed(_) => Vec::new(),
    };
    Payload {
        type_name: Str::from(request.type_name()),
        client_ip,
        body: Bytes::from(body),
    }
}

/// The request in a payload. Never fails: what cannot be read is a request that says so.
pub fn decode_request(payload: &Payload) -> Request {
    decode(payload).unwrap_or_else(|message| {
        let type_name = payload.type_name.clone();
        Request::Malformed(Box::new(MalformedRequest { type_name, message }))
    })
}

fn decode(payload: &Payload) -> Result<Request, Str> {
    let body = &payload.body;
    let object = || from_json::<AnyObject>(body);
    Ok(match &*payload.type_name {
        // Nacos answers this one without a look at the body (part 1.6, step 3).
        "ServerCheckRequest" => Request::ServerCheck,
        "HealthCheckRequest" => object().map(|_| Request::HealthCheck)?,
        "ClientDetectionRequest" => object().map(|_| Request::ClientDetection)?,
        "ServerLoaderInfoRequest" => object().map(|_| Request::ServerLoaderInfo)?,
        "ConnectionSetupRequest" => {
            let wire: SetupIn = from_json(body)?;
            Request::ConnectionSetup(Box::new(ConnectionSetupRequest {
                client_version: wire.client_version,
                tenant: wire.tenant,
                labels: present(wire.labels.unwrap_or_default()),
                ability_table: wire.ability_table.map(present),
                client_ip: payload.client_ip.clone(),
            }))
        }
        "SetupAckRequest" => {
            let wire: AckIn = from_json(body)?;
            let ability_table = present(wire.ability_table.unwrap_or_default());
            Request::SetupAck(SetupAckRequest { ability_table })
        }
        "ConnectResetRequest" => Request::ConnectReset(from_json::<ConnectResetRequest>(body)?),
        "ServerReloadRequest" => Request::ServerReload(from_json::<ReloadIn>(body)?.into()),
        "InstanceRequest" => {
            Request::Instance(Box::new(from_json::<InstanceRequestIn>(body)?.try_into()?))
        }
        "PersistentInstanceRequest" => {
            Request::PersistentInstance(Box::new(from_json::<InstanceRequestIn>(body)?.try_into()?))
        }
        "BatchInstanceRequest" => Request::BatchInstance(Box::new(
            from_json::<BatchInstanceRequestIn>(body)?.try_into()?,
        )),
        "SubscribeServiceRequest" => {
            Request::SubscribeService(Box::new(from_json::<SubscribeIn>(body)?.into()))
        }
        "ServiceQueryRequest" => {
            Request::ServiceQuery(Box::new(from_json::<QueryIn>(body)?.into()))
        }
        "ServiceListRequest" => {
            Request::ServiceList(Box::new(from_json::<ListIn>(body)?.try_into()?))
        }
        "NotifySubscriberRequest" => {
            let wire: NotifyIn = from_json(body)?;
            Request::NotifySubscriber(Arc::new(wire.service_info.into()))
        }
        "NamingFuzzyWatchRequest" => {
            Request::NamingFuzzyWatch(Box::new(from_json::<WatchIn>(body)?.try_into()?))
        }
        "NamingFuzzyWatchSyncRequest" => {
            Request::NamingFuzzyWatchSync(Box::new(from_json::<SyncIn>(body)?.try_into()?))
        }
        "NamingFuzzyWatchChangeNotifyRequest" => Request::NamingFuzzyWatchChangeNotify(Box::new(
            from_json::<ChangeIn>(body)?.try_into()?,
        )),
        "DistroDataRequest" => Request::DistroData(distro::decode_request(body)?),
        "MemberReportRequest" => {
            let wire: ReportIn = from_json(body)?;
            let node = wire
                .node
                .ok_or_else(|| Str::from("Node information is illegal"))?;
            Request::MemberReport(Box::new(node.try_into()?))
        }
        other => match Unsupported::of_request(other) {
            Some(which) => object().map(|_| Request::Unsupported(which))?,
            None => Request::Unknown(clipped(other)),
        },
    })
}

/// The kind of a type name. `DistroDataRequest` has several kinds and is not asked for here.
pub(super) fn kind_of_type(type_name: &str) -> MessageKind {
    match type_name {
        "ServerCheckRequest" | "ConnectionSetupRequest" | "SetupAckRequest" => MessageKind::Setup,
        "HealthCheckRequest" => MessageKind::HealthCheck,
        "ClientDetectionRequest" => MessageKind::Detection,
        "ConnectResetRequest" | "ServerLoaderInfoRequest" | "ServerReloadRequest" => {
            MessageKind::Reset
        }
        "InstanceRequest" | "BatchInstanceRequest" | "PersistentInstanceRequest" => {
            MessageKind::Register
        }
        "SubscribeServiceRequest" | "NamingFuzzyWatchRequest" => MessageKind::Subscribe,
        "ServiceQueryRequest" | "ServiceListRequest" => MessageKind::Query,
        "NotifySubscriberRequest"
        | "NamingFuzzyWatchSyncRequest"
        | "NamingFuzzyWatchChangeNotifyRequest" => MessageKind::Push,
        "MemberReportRequest" => MessageKind::Report,
        _ => MessageKind::Unknown,
    }
}
