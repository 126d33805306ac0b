//! Ephemeral naming (Nacos module `naming`).

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::metadata::Metadata;
use crate::ids::Str;

/// The namespace that clients use when they name none.
pub const DEFAULT_NAMESPACE: &str = "public";
/// The group that clients use when they name none.
pub const DEFAULT_GROUP: &str = "DEFAULT_GROUP";
/// The cluster of an instance that names none.
pub const DEFAULT_CLUSTER: &str = "DEFAULT";

/// The identity of a service: Nacos `Service` without `ephemeral`, which is not part of equality.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceKey {
    /// Namespace id.
    pub namespace: Str,
    /// Group name.
    #[serde(rename = "groupName")]
    pub group: Str,
    /// Plain service name, without the group.
    #[serde(rename = "serviceName")]
    pub name: Str,
}

impl ServiceKey {
    /// A service of the default namespace and group.
    pub fn named(name: &str) -> ServiceKey {
        ServiceKey {
            namespace: Str::from(DEFAULT_NAMESPACE),
            group: Str::from(DEFAULT_GROUP),
            name: Str::from(name),
        }
    }

    /// Nacos's grouped name, `group@@name`.
    pub fn grouped_name(&self) -> Str {
        Str::from(format!("{}@@{}", self.group, self.name))
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@@{}@@{}", self.namespace, self.group, self.name)
    }
}

/// An instance's weight: a double on the wire, compared and hashed by its bits.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Weight(pub f64);

impl Weight {
    /// The weight of an instance that names none.
    pub const ONE: Weight = Weight(1.0);
}

impl Default for Weight {
    fn default() -> Weight {
        Weight::ONE
    }
}

impl PartialEq for Weight {
    fn eq(&self, other: &Weight) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Weight {}

impl Hash for Weight {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

const fn yes() -> bool {
    true
}

/// Nacos `Instance`: what a client publishes for a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Set by the server when the client leaves it out: `ip#port#cluster#group@@service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<Str>,
    /// Address; any text without CJK characters or blanks.
    #[serde(default)]
    pub ip: Str,
    /// Port, 0 to 65535; wider so that a bad value gets a clear refusal.
    #[serde(default)]
    pub port: i32,
    /// Load-balancing weight.
    #[serde(default)]
    pub weight: Weight,
    /// Stored as sent.
    #[serde(default = "yes")]
    pub healthy: bool,
    /// A disabled instance is never listed.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Always true here.
    #[serde(default = "yes")]
    pub ephemeral: bool,
    /// Blank is stored as `DEFAULT`.
    #[serde(default)]
    pub cluster_name: Str,
    /// Grouped name, set by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<Str>,
    /// Free text pairs.
    #[serde(default)]
    pub metadata: Metadata,
}

impl Instance {
    /// A healthy instance of weight one in the default cluster.
    pub fn new(ip: &str, port: u16) -> Instance {
        Instance {
            instance_id: None,
            ip: Str::from(ip),
            port: i32::from(port),
            weight: Weight::ONE,
            healthy: true,
            enabled: true,
            ephemeral: true,
            cluster_name: Str::from(DEFAULT_CLUSTER),
            service_name: None,
            metadata: Metadata::default(),
        }
    }
}

/// What one client publishes for one service.
///
/// A client has exactly one entry per service: a second register replaces the first, and only a
/// batch holds several instances (Nacos `InstancePublishInfo`, `BatchInstancePublishInfo`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Published {
    /// From a register.
    Single(Arc<Instance>),
    /// From a batch register; may be empty.
    Batch(Arc<[Arc<Instance>]>),
}

impl Published {
    /// The instances, one or many.
    pub fn instances(&self) -> &[Arc<Instance>] {
        match self {
            Published::Single(instance) => core::slice::from_ref(instance),
            Published::Batch(instances) => instances,
        }
    }
}

/// The two operations of an [`InstanceRequest`] (Nacos `NamingRemoteConstants`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum InstanceOperation {
    /// Publish, or replace what is published. Nacos's answer says so too when it failed before the
    /// operation was looked at.
    #[default]
    #[serde(rename = "registerInstance")]
    Register,
    /// Withdraw whatever this client publishes for the service.
    #[serde(rename = "deregisterInstance")]
    Deregister,
}

/// Nacos `InstanceRequest` and `PersistentInstanceRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InstanceRequest {
    /// Which service.
    pub service: ServiceKey,
    /// Register or deregister.
    pub operation: InstanceOperation,
    /// The instance; on deregister its content does not matter.
    pub instance: Instance,
}

/// Nacos `BatchInstanceRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BatchInstanceRequest {
    /// Which service.
    pub service: ServiceKey,
    /// The whole list that this client publishes from now on.
    pub instances: Vec<Instance>,
}

/// Nacos `SubscribeServiceRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SubscribeServiceRequest {
    /// Which service; it need not exist.
    pub service: ServiceKey,
    /// False: unsubscribe.
    pub subscribe: bool,
    /// Comma-separated clusters, empty for all. Echoed byte for byte.
    pub clusters: Str,
}

/// Nacos `ServiceQueryRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServiceQueryRequest {
    /// Which service.
    pub service: ServiceKey,
    /// Comma-separated clusters, empty for all.
    pub clusters: Str,
    /// Leave out unhealthy instances.
    pub healthy_only: bool,
}

/// Nacos `ServiceListRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServiceListRequest {
    /// Namespace id, matched exactly.
    pub namespace: Str,
    /// Group, matched exactly.
    pub group: Str,
    /// First page is 1; less reads as 1.
    pub page_no: i32,
    /// Names per page; less than 0 is refused.
    pub page_size: i32,
    /// Which services, as a [`Selector`](super::selector::Selector) reads it; all when blank. They
    /// are counted after this.
    pub selector: Str,
}

/// Nacos `ServiceListResponse`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceListResponse {
    /// How many services there are on all pages.
    pub count: i32,
    /// The names on this page, without the group, in name order.
    pub service_names: Vec<Str>,
}

/// Nacos `ServiceInfo`: the list of a service as clients get it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServiceInfo {
    /// Which service. On the wire: plain name and group.
    pub service: ServiceKey,
    /// The filter that was asked for, byte for byte.
    pub clusters: Str,
    /// Enabled instances that match, in the order of (ip, port, cluster). Shared by all lists of a
    /// service that nothing was left out of, as long as they stay the same.
    pub hosts: Arc<[Arc<Instance>]>,
    /// Too few instances are healthy: unhealthy ones are named as healthy (`protectThreshold`).
    pub reach_protection_threshold: bool,
    /// Milliseconds; strictly increasing per node and service, near the wall clock. Official SDKs
    /// order lists by it.
    pub last_ref_time: i64,
    /// Our extension: the node's own version of the list, no wall time in it. It goes up with
    /// every change of the service on the answering node and is comparable only within one
    /// connection. Zero from a Java node.
    pub version: u64,
}
