//! Instances as SDKs send and read them (part 4.2).

use std::collections::BTreeMap;

use distro_core::ids::Str;
use distro_core::message::metadata::Metadata;
use distro_core::message::naming::{Instance, Weight};
use serde::{Deserialize, Serialize};

use super::or_empty;

/// Metadata keys that Nacos's sync content uses for itself. As user metadata they poison every
/// reader of a Java node (part 12.28), so they are dropped where a client sends them.
pub(super) const RESERVED_KEYS: [&str; 3] = [
    "publishInstanceWeight",
    "publishInstanceEnable",
    "customInstanceId",
];

const HEART_BEAT_INTERVAL_MILLIS: u64 = 5_000;
const HEART_BEAT_TIMEOUT_MILLIS: u64 = 15_000;
const IP_DELETE_TIMEOUT_MILLIS: u64 = 30_000;

/// An instance as Jackson prints it, getters included.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InstanceOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    ip: &'a str,
    port: i32,
    weight: f64,
    healthy: bool,
    enabled: bool,
    ephemeral: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    cluster_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_name: Option<&'a str>,
    metadata: &'a Metadata,
    instance_heart_beat_interval: u64,
    instance_heart_beat_time_out: u64,
    ip_delete_timeout: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id_generator: Option<&'a str>,
}

/// An instance as SDKs read it.
pub(crate) fn instance_json(instance: &Instance) -> serde_json::Value {
    serde_json::to_value(InstanceOut::from(instance)).expect("its keys are texts")
}

/// Nacos honours a `preserved.*` time only when it is all digits.
fn preserved(instance: &Instance, key: &str, default: u64) -> u64 {
    let Some(text) = instance.metadata.get(key) else {
        return default;
    };
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().unwrap_or(default)
    } else {
        default
    }
}

impl<'a> From<&'a Instance> for InstanceOut<'a> {
    fn from(instance: &'a Instance) -> InstanceOut<'a> {
        let generator = if instance.metadata.is_empty() {
            Some("simple")
        } else {
            instance
                .metadata
                .get("preserved.instance.id.generator")
                .map(|name| &**name)
        };
        InstanceOut {
            instance_id: instance.instance_id.as_deref(),
            ip: &instance.ip,
            port: instance.port,
            weight: instance.weight.0,
            healthy: instance.healthy,
            enabled: instance.enabled,
            ephemeral: instance.ephemeral,
            cluster_name: &instance.cluster_name,
            service_name: instance.service_name.as_deref(),
            metadata: &instance.metadata,
            instance_heart_beat_interval: preserved(
                instance,
                "preserved.heart.beat.interval",
                HEART_BEAT_INTERVAL_MILLIS,
            ),
            instance_heart_beat_time_out: preserved(
                instance,
                "preserved.heart.beat.timeout",
                HEART_BEAT_TIMEOUT_MILLIS,
            ),
            ip_delete_timeout: preserved(
                instance,
                "preserved.ip.delete.timeout",
                IP_DELETE_TIMEOUT_MILLIS,
            ),
            instance_id_generator: generator,
        }
    }
}

/// An instance as SDKs send it: anything may be missing or null.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct InstanceIn {
    instance_id: Option<Str>,
    ip: Option<Str>,
    port: Option<i32>,
    weight: Option<f64>,
    healthy: Option<bool>,
    enabled: Option<bool>,
    ephemeral: Option<bool>,
    cluster_name: Option<Str>,
    service_name: Option<Str>,
    metadata: Option<BTreeMap<Str, Option<Str>>>,
}

impl From<InstanceIn> for Instance {
    fn from(wire: InstanceIn) -> Instance {
        let metadata = wire.metadata.unwrap_or_default();
        Instance {
            instance_id: wire.instance_id.filter(|id| !id.is_empty()),
            ip: or_empty(wire.ip),
            port: wire.port.unwrap_or(0),
            weight: Weight(wire.weight.unwrap_or(1.0)),
            healthy: wire.healthy.unwrap_or(true),
            enabled: wire.enabled.unwrap_or(true),
            ephemeral: wire.ephemeral.unwrap_or(true),
            cluster_name: or_empty(wire.cluster_name),
            service_name: wire.service_name.filter(|name| !name.is_empty()),
            metadata: metadata
                .into_iter()
                .filter(|(key, _)| !RESERVED_KEYS.contains(&&**key))
                .filter_map(|(key, value)| Some((key, value?)))
                .collect(),
        }
    }
}
