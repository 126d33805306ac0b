//! Requests to and from their JSON text.

use std::collections::BTreeMap;

use bytes::Bytes;
use distro_core::ids::{ClientId, RequestId, Str};
use distro_core::message::cluster::{Member, ServerReloadRequest};
use distro_core::message::distro::DistroDataRequest;
use distro_core::message::fuzzy::{
    NamingFuzzyWatchChangeNotifyRequest, NamingFuzzyWatchRequest, NamingFuzzyWatchSyncRequest,
};
use distro_core::message::internal::{
    ConnectResetRequest, ConnectionSetupRequest, SetupAckRequest,
};
use distro_core::message::naming::{
    BatchInstanceRequest, InstanceRequest, ServiceInfo, ServiceListRequest, ServiceQueryRequest,
    SubscribeServiceRequest,
};
use distro_core::message::unsupported::Unsupported;
use distro_core::message::{Malformed, Received, Request, RequestType, Sender};
use serde::{Deserialize, Serialize};

use super::cluster::{MemberOut, ReloadIn, ReloadOut, ReportIn, ReportOut};
use super::dispatch::{RequestText, read_request, request_text};
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

/// JSON text of a request without content.
pub(super) fn bare_text(of: RequestType, id: Option<RequestId>) -> Vec<u8> {
    let id = id.filter(|_| of.facts().from == Sender::Server);
    to_json(&Bare {
        headers: NoHeaders::new(),
        request_id: id.map(|id| id.0.to_string()),
        module: "internal",
    })
}

/// Reads a request without content.
pub(super) fn read_bare(of: RequestType, payload: &Payload) -> Result<(), Str> {
    // Nacos answers this one without a look at the body (part 1.6, step 3).
    if of == RequestType::ServerCheck {
        return Ok(());
    }
    from_json::<AnyObject>(&payload.body).map(|AnyObject {}| ())
}

impl RequestText for ConnectionSetupRequest {
    fn text(&self, _: Option<RequestId>, _: &Ends) -> Vec<u8> {
        to_json(&SetupOut {
            headers: NoHeaders::new(),
            client_version: self.client_version.as_deref(),
            tenant: self.tenant.as_deref(),
            labels: &self.labels,
            ability_table: self.ability_table.as_ref(),
            module: "internal",
        })
    }
    fn read(payload: &Payload) -> Result<ConnectionSetupRequest, Str> {
        let wire: SetupIn = from_json(&payload.body)?;
        Ok(ConnectionSetupRequest {
            client_version: wire.client_version,
            tenant: wire.tenant,
            labels: present(wire.labels.unwrap_or_default()),
            ability_table: wire.ability_table.map(present),
            client_ip: payload.client_ip.clone(),
        })
    }
}

impl RequestText for SetupAckRequest {
    fn text(&self, _: Option<RequestId>, _: &Ends) -> Vec<u8> {
        to_json(&AckOut {
            headers: NoHeaders::new(),
            ability_table: &self.ability_table,
            module: "internal",
        })
    }
    fn read(payload: &Payload) -> Result<SetupAckRequest, Str> {
        let wire: AckIn = from_json(&payload.body)?;
        let ability_table = present(wire.ability_table.unwrap_or_default());
        Ok(SetupAckRequest { ability_table })
    }
}

impl RequestText for ConnectResetRequest {
    fn text(&self, id: Option<RequestId>, _: &Ends) -> Vec<u8> {
        to_json(&ResetOut {
            headers: NoHeaders::new(),
            request_id: id.map(|id| id.0.to_string()),
            server_ip: self.server_ip.as_deref(),
            server_port: self.server_port.as_deref(),
            connection_id: self.connection_id.as_ref(),
            module: "internal",
        })
    }
    fn read(payload: &Payload) -> Result<ConnectResetRequest, Str> {
        from_json(&payload.body)
    }
}

impl RequestText for ServerReloadRequest {
    fn text(&self, _: Option<RequestId>, _: &Ends) -> Vec<u8> {
        to_json(&ReloadOut::from(self))
    }
    fn read(payload: &Payload) -> Result<ServerReloadRequest, Str> {
        Ok(from_json::<ReloadIn>(&payload.body)?.into())
    }
}

impl RequestText for InstanceRequest {
    fn text(&self, _: Option<RequestId>, _: &Ends) -> Vec<u8> {
        to_json(&InstanceRequestOut::from(self))
    }
    fn read(payload: &Payload) -> Result<InstanceRequest, Str> {
        from_json::<InstanceRequestIn>(&payload.body)?.try_into()
    }
}

impl RequestText for BatchInstanceRequest {
    fn text(&self, _: Option<RequestId>, _: &Ends) -> Vec<u8> {
        to_json(&BatchInstanceRequestOut::from(self))
    }
    fn read(payload: &Payload) -> Result<BatchInstanceRequest, Str> {
        from_json::<BatchInstanceRequestIn>(&payload.body)?.try_into()
    }
}

impl RequestText for SubscribeServiceRequest {
    fn text(&self, _: Option<RequestId>, _: &Ends) -> Vec<u8> {
        to_json(&SubscribeOut::from(self))
    }
    fn read(payload: &Payload) -> Result<SubscribeServiceRequest, Str> {
        Ok(from_json::<SubscribeIn>(&payload.body)?.into())
    }
}

impl RequestText for ServiceQueryRequest {
    fn text(&self, _: Option<RequestId>, _: &Ends) -> Vec<u8> {
        to_json(&QueryOut::from(self))
    }
    fn read(payload: &Payload) -> Result<ServiceQueryRequest, Str> {
        Ok(from_json::<QueryIn>(&payload.body)?.into())
    }
}

impl RequestText for ServiceListRequest {
    fn text(&self, _: Option<RequestId>, _: &Ends) -> Vec<u8> {
        to_json(&ListOut::from(self))
    }
    fn read(payload: &Payload) -> Result<ServiceListRequest, Str> {
        from_json::<ListIn>(&payload.body)?.try_into()
    }
}

impl RequestText for ServiceInfo {
    fn text(&self, id: Option<RequestId>, _: &Ends) -> Vec<u8> {
        to_json(&NotifyOut::new(self, id))
    }
    fn read(payload: &Payload) -> Result<ServiceInfo, Str> {
        Ok(from_json::<NotifyIn>(&payload.body)?.service_info.into())
    }
}

impl RequestText for NamingFuzzyWatchRequest {
    fn text(&self, _: Option<RequestId>, _: &Ends) -> Vec<u8> {
        to_json(&WatchOut::from(self))
    }
    fn read(payload: &Payload) -> Result<NamingFuzzyWatchRequest, Str> {
        from_json::<WatchIn>(&payload.body)?.try_into()
    }
}

impl RequestText for NamingFuzzyWatchSyncRequest {
    fn text(&self, id: Option<RequestId>, _: &Ends) -> Vec<u8> {
        to_json(&SyncOut::new(self, id))
    }
    fn read(payload: &Payload) -> Result<NamingFuzzyWatchSyncRequest, Str> {
        from_json::<SyncIn>(&payload.body)?.try_into()
    }
}

impl RequestText for NamingFuzzyWatchChangeNotifyRequest {
    fn text(&self, id: Option<RequestId>, _: &Ends) -> Vec<u8> {
        to_json(&ChangeOut::new(self, id))
    }
    fn read(payload: &Payload) -> Result<NamingFuzzyWatchChangeNotifyRequest, Str> {
        from_json::<ChangeIn>(&payload.body)?.try_into()
    }
}

impl RequestText for DistroDataRequest {
    fn text(&self, _: Option<RequestId>, ends: &Ends) -> Vec<u8> {
        distro::encode_request(self, ends)
    }
    fn read(payload: &Payload) -> Result<DistroDataRequest, Str> {
        distro::decode_request(&payload.body)
    }
}

impl RequestText for Member {
    fn text(&self, _: Option<RequestId>, _: &Ends) -> Vec<u8> {
        to_json(&ReportOut {
            headers: NoHeaders::new(),
            node: MemberOut::from(self),
            module: "cluster",
        })
    }
    fn read(payload: &Payload) -> Result<Member, Str> {
        let node = from_json::<ReportIn>(&payload.body)?.node;
        node.ok_or_else(|| Str::from("Node information is illegal"))?
            .try_into()
    }
}

/// The payload of a request. `id` is written into the body where Nacos does so, which is on what
/// a server asks of its clients.
pub fn encode_request(request: &Request, id: Option<RequestId>, ends: &Ends) -> Payload {
    let mut client_ip = Str::from("");
    if let Request::ConnectionSetup(setup) = request {
        client_ip = setup.client_ip.clone();
    }
    Payload {
        type_name: Str::from(request.type_name()),
        client_ip,
        body: Bytes::from(request_text(request, id, ends)),
    }
}

/// What a payload that came as a request is. Never fails: what is no request says so.
pub fn decode_request(payload: &Payload) -> Received {
    let name = &*payload.type_name;
    let read = match (RequestType::from_name(name), Unsupported::of_request(name)) {
        (Some(of), _) => read_request(of, payload).map(Received::Request),
        (None, Some(which)) => {
            from_json::<AnyObject>(&payload.body).map(|AnyObject {}| Received::Unsupported(which))
        }
        (None, None) => Ok(Received::Unknown(clipped(name))),
    };
    read.unwrap_or_else(|message| {
        let type_name = payload.type_name.clone();
        Received::Malformed(Box::new(Malformed { type_name, message }))
    })
}
