//! Service lists and the requests of Nacos's naming module.

use std::sync::Arc;

use distro_core::constants::CACHE_MILLIS;
use distro_core::ids::{RequestId, Str};
use distro_core::message::naming::{
    BatchInstanceRequest, DEFAULT_GROUP, DEFAULT_NAMESPACE, Instance, InstanceOperation,
    InstanceRequest, ServiceInfo, ServiceKey, ServiceListRequest, ServiceQueryRequest,
    SubscribeServiceRequest,
};
use serde::{Deserialize, Serialize};

use super::hosts::HostsOut;
use super::instance::{InstanceIn, InstanceOut};
use super::{NoHeaders, or_default, or_empty, selector};

/// The service that a request names; SDKs may leave the defaults out.
fn service_key(namespace: Option<Str>, group: Option<Str>, name: Option<Str>) -> ServiceKey {
    ServiceKey {
        namespace: or_default(namespace, DEFAULT_NAMESPACE),
        group: or_default(group, DEFAULT_GROUP),
        name: or_empty(name),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InstanceRequestOut<'a> {
    headers: NoHeaders,
    namespace: &'a str,
    service_name: &'a str,
    group_name: &'a str,
    #[serde(rename = "type")]
    operation: InstanceOperation,
    instance: InstanceOut<'a>,
    module: &'static str,
}

impl<'a> From<&'a InstanceRequest> for InstanceRequestOut<'a> {
    fn from(request: &'a InstanceRequest) -> InstanceRequestOut<'a> {
        InstanceRequestOut {
            headers: NoHeaders::new(),
            namespace: &request.service.namespace,
            service_name: &request.service.name,
            group_name: &request.service.group,
            operation: request.operation,
            instance: InstanceOut::from(&request.instance),
            module: "naming",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InstanceRequestIn {
    namespace: Option<Str>,
    service_name: Option<Str>,
    group_name: Option<Str>,
    #[serde(rename = "type")]
    operation: Option<Str>,
    instance: Option<InstanceIn>,
}

impl TryFrom<InstanceRequestIn> for InstanceRequest {
    type Error = Str;
    fn try_from(wire: InstanceRequestIn) -> Result<InstanceRequest, Str> {
        let operation = match wire.operation.as_deref().unwrap_or("") {
            "registerInstance" => InstanceOperation::Register,
            "deregisterInstance" => InstanceOperation::Deregister,
            other => return Err(super::clipped(&format!("Unsupported request type {other}"))),
        };
        if wire.instance.is_none() && operation == InstanceOperation::Register {
            return Err(Str::from("Instance can not be null."));
        }
        let instance = wire.instance.unwrap_or_default().into();
        Ok(InstanceRequest {
            service: service_key(wire.namespace, wire.group_name, wire.service_name),
            operation,
            instance,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchInstanceRequestOut<'a> {
    headers: NoHeaders,
    namespace: &'a str,
    service_name: &'a str,
    group_name: &'a str,
    #[serde(rename = "type")]
    operation: &'static str,
    instances: Vec<InstanceOut<'a>>,
    module: &'static str,
}

/// Name of the only operation a batch request has.
pub(super) const BATCH_REGISTER: &str = "batchRegisterInstance";

impl<'a> From<&'a BatchInstanceRequest> for BatchInstanceRequestOut<'a> {
    fn from(request: &'a BatchInstanceRequest) -> BatchInstanceRequestOut<'a> {
        BatchInstanceRequestOut {
            headers: NoHeaders::new(),
            namespace: &request.service.namespace,
            service_name: &request.service.name,
            group_name: &request.service.group,
            operation: BATCH_REGISTER,
            instances: request.instances.iter().map(InstanceOut::from).collect(),
            module: "naming",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchInstanceRequestIn {
    namespace: Option<Str>,
    service_name: Option<Str>,
    group_name: Option<Str>,
    #[serde(rename = "type")]
    operation: Option<Str>,
    instances: Option<Vec<InstanceIn>>,
}

impl TryFrom<BatchInstanceRequestIn> for BatchInstanceRequest {
    type Error = Str;
    fn try_from(wire: BatchInstanceRequestIn) -> Result<BatchInstanceRequest, Str> {
        let operation = wire.operation.as_deref().unwrap_or("");
        if operation != BATCH_REGISTER {
            return Err(super::clipped(&format!(
                "Unsupported request type {operation}"
            )));
        }
        let instances = wire
            .instances
            .unwrap_or_default()
            .into_iter()
            .map(Instance::from)
            .collect();
        Ok(BatchInstanceRequest {
            service: service_key(wire.namespace, wire.group_name, wire.service_name),
            instances,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubscribeOut<'a> {
    headers: NoHeaders,
    namespace: &'a str,
    service_name: &'a str,
    group_name: &'a str,
    subscribe: bool,
    clusters: &'a str,
    module: &'static str,
}

impl<'a> From<&'a SubscribeServiceRequest> for SubscribeOut<'a> {
    fn from(request: &'a SubscribeServiceRequest) -> SubscribeOut<'a> {
        SubscribeOut {
            headers: NoHeaders::new(),
            namespace: &request.service.namespace,
            service_name: &request.service.name,
            group_name: &request.service.group,
            subscribe: request.subscribe,
            clusters: &request.clusters,
            module: "naming",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubscribeIn {
    namespace: Option<Str>,
    service_name: Option<Str>,
    group_name: Option<Str>,
    subscribe: Option<bool>,
    clusters: Option<Str>,
}

impl From<SubscribeIn> for SubscribeServiceRequest {
    fn from(wire: SubscribeIn) -> SubscribeServiceRequest {
        SubscribeServiceRequest {
            service: service_key(wire.namespace, wire.group_name, wire.service_name),
            // A Java boolean that is not sent is false.
            subscribe: wire.subscribe.unwrap_or(false),
            clusters: or_empty(wire.clusters),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QueryOut<'a> {
    headers: NoHeaders,
    namespace: &'a str,
    service_name: &'a str,
    group_name: &'a str,
    cluster: &'a str,
    healthy_only: bool,
    udp_port: u16,
    module: &'static str,
}

impl<'a> From<&'a ServiceQueryRequest> for QueryOut<'a> {
    fn from(request: &'a ServiceQueryRequest) -> QueryOut<'a> {
        QueryOut {
            headers: NoHeaders::new(),
            namespace: &request.service.namespace,
            service_name: &request.service.name,
            group_name: &request.service.group,
            cluster: &request.clusters,
            healthy_only: request.healthy_only,
            udp_port: 0,
            module: "naming",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QueryIn {
    namespace: Option<Str>,
    service_name: Option<Str>,
    group_name: Option<Str>,
    cluster: Option<Str>,
    healthy_only: Option<bool>,
    /// The Python SDK's spelling.
    health_only: Option<bool>,
}

impl From<QueryIn> for ServiceQueryRequest {
    fn from(wire: QueryIn) -> ServiceQueryRequest {
        ServiceQueryRequest {
            service: service_key(wire.namespace, wire.group_name, wire.service_name),
            clusters: or_empty(wire.cluster),
            healthy_only: wire.healthy_only.or(wire.health_only).unwrap_or(false),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListOut<'a> {
    headers: NoHeaders,
    namespace: &'a str,
    service_name: &'static str,
    group_name: &'a str,
    page_no: i32,
    page_size: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    selector: Option<String>,
    module: &'static str,
}

impl<'a> From<&'a ServiceListRequest> for ListOut<'a> {
    fn from(request: &'a ServiceListRequest) -> ListOut<'a> {
        ListOut {
            headers: NoHeaders::new(),
            namespace: &request.namespace,
            service_name: "",
            group_name: &request.group,
            page_no: request.page_no,
            page_size: request.page_size,
            selector: selector::text_of(&request.selector),
            module: "naming",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListIn {
    namespace: Option<Str>,
    group_name: Option<Str>,
    page_no: Option<i32>,
    page_size: Option<i32>,
    selector: Option<Str>,
}

impl TryFrom<ListIn> for ServiceListRequest {
    type Error = Str;
    fn try_from(wire: ListIn) -> Result<ServiceListRequest, Str> {
        Ok(ServiceListRequest {
            namespace: or_default(wire.namespace, DEFAULT_NAMESPACE),
            group: or_default(wire.group_name, DEFAULT_GROUP),
            page_no: wire.page_no.unwrap_or(0),
            page_size: wire.page_size.unwrap_or(0),
            selector: selector::expression_of(wire.selector.as_deref().unwrap_or(""))?,
        })
    }
}

/// A service list as SDKs of every age read it: both spellings of `allIPs`, no null anywhere.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceInfoOut<'a> {
    name: &'a str,
    group_name: &'a str,
    clusters: &'a str,
    cache_millis: i64,
    hosts: HostsOut<'a>,
    last_ref_time: i64,
    checksum: &'static str,
    all_ips: bool,
    #[serde(rename = "allIPs")]
    all_ips_2x: bool,
    reach_protection_threshold: bool,
    valid: bool,
    /// Our extension; absent from a node that does not count versions.
    #[serde(skip_serializing_if = "is_zero")]
    version: u64,
    /// Our extension: Nacos leaves the namespace to the client, which knows its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace_id: Option<&'a str>,
}

/// True for what is left out because it says nothing.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
pub(super) fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl<'a> From<&'a ServiceInfo> for ServiceInfoOut<'a> {
    fn from(info: &'a ServiceInfo) -> ServiceInfoOut<'a> {
        let namespace = &*info.service.namespace;
        ServiceInfoOut {
            name: &info.service.name,
            group_name: &info.service.group,
            clusters: &info.clusters,
            cache_millis: CACHE_MILLIS,
            hosts: HostsOut(&info.hosts),
            last_ref_time: info.last_ref_time,
            checksum: "",
            all_ips: false,
            all_ips_2x: false,
            reach_protection_threshold: info.reach_protection_threshold,
            valid: true,
            version: info.version,
            namespace_id: (namespace != DEFAULT_NAMESPACE).then_some(namespace),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceInfoIn {
    name: Option<Str>,
    group_name: Option<Str>,
    clusters: Option<Str>,
    hosts: Option<Vec<InstanceIn>>,
    reach_protection_threshold: Option<bool>,
    last_ref_time: Option<i64>,
    version: Option<u64>,
    namespace_id: Option<Str>,
}

impl From<ServiceInfoIn> for ServiceInfo {
    fn from(wire: ServiceInfoIn) -> ServiceInfo {
        let hosts = wire.hosts.unwrap_or_default();
        ServiceInfo {
            service: service_key(wire.namespace_id, wire.group_name, wire.name),
            clusters: or_empty(wire.clusters),
            hosts: hosts
                .into_iter()
                .map(|host| Arc::new(host.into()))
                .collect(),
            reach_protection_threshold: wire.reach_protection_threshold.unwrap_or(false),
            last_ref_time: wire.last_ref_time.unwrap_or(0),
            version: wire.version.unwrap_or(0),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NotifyOut<'a> {
    headers: NoHeaders,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    service_info: ServiceInfoOut<'a>,
    module: &'static str,
}

impl<'a> NotifyOut<'a> {
    pub(super) fn new(info: &'a ServiceInfo, id: Option<RequestId>) -> NotifyOut<'a> {
        NotifyOut {
            headers: NoHeaders::new(),
            request_id: id.map(|id| id.0.to_string()),
            service_info: info.into(),
            module: "naming",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NotifyIn {
    pub(super) service_info: ServiceInfoIn,
}
