//! Nacos `ClientSyncData`: one client's record as nodes send it to each other (part 7.6), with
//! the mapping between an instance and its publish info (part 5.5).

use std::collections::BTreeMap;
use std::sync::Arc;

use distro_core::ids::{ClientId, Revision, Str};
use distro_core::message::distro::{ClientSyncData, Origin, Word};
use distro_core::message::naming::{
    DEFAULT_CLUSTER, DEFAULT_GROUP, DEFAULT_NAMESPACE, Instance, Published, ServiceKey, Weight,
};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::distro::OriginWire;
use super::instance::RESERVED_KEYS;
use super::{clipped, or_default, or_empty};

const WEIGHT_KEY: &str = RESERVED_KEYS[0];
const ENABLE_KEY: &str = RESERVED_KEYS[1];
const ID_KEY: &str = RESERVED_KEYS[2];

/// The revision as Java reads it. Java's own ip-port revisions are signed hashes, so the sign is
/// carried through.
pub(super) const fn signed(revision: Revision) -> i64 {
    revision.0.cast_signed()
}

/// The inverse of [`signed`].
pub(super) const fn unsigned(revision: i64) -> Revision {
    Revision(revision.cast_unsigned())
}

/// A record on its way out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SyncOut<'a> {
    client_id: &'a str,
    attributes: AttributesOut,
    namespaces: Vec<&'a str>,
    group_names: Vec<&'a str>,
    service_names: Vec<&'a str>,
    instance_publish_infos: Vec<InfoOut<'a>>,
    batch_instance_data: BatchOut<'a>,
    /// Our extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<OriginWire>,
    /// Our extension: when each service was said, in the order of their keys.
    #[serde(skip_serializing_if = "<[Word]>::is_empty")]
    words: &'a [Word],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttributesOut {
    client_attributes: ClientAttributesOut,
}

#[derive(Serialize)]
struct ClientAttributesOut {
    revision: i64,
}

/// `{}` when nothing was batch-registered, as Jackson prints the empty object.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct BatchOut<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    namespaces: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    group_names: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    service_names: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    batch_instance_publish_infos: Vec<BatchInfoOut<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchInfoOut<'a> {
    port: i32,
    healthy: bool,
    instance_publish_infos: Vec<InfoOut<'a>>,
    metadata_id: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InfoOut<'a> {
    ip: &'a str,
    port: i32,
    healthy: bool,
    cluster: &'a str,
    extend_datum: ExtendDatum<'a>,
    metadata_id: String,
}

/// All metadata, then what Nacos adds of the instance.
struct ExtendDatum<'a>(&'a Instance);

impl Serialize for ExtendDatum<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let instance = self.0;
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in instance.metadata.iter() {
            if !RESERVED_KEYS.contains(&&**key) {
                map.serialize_entry(key, value)?;
            }
        }
        if let Some(id) = &instance.instance_id {
            map.serialize_entry(ID_KEY, id)?;
        }
        // Java leaves out what is within 1e-10 of one. Bit by bit is finer and still a double to
        // it, and our peers' copies stay equal to the original.
        if instance.weight != Weight::ONE {
            map.serialize_entry(WEIGHT_KEY, &instance.weight.0)?;
        }
        if !instance.enabled {
            map.serialize_entry(ENABLE_KEY, &false)?;
        }
        map.end()
    }
}

impl<'a> From<&'a Instance> for InfoOut<'a> {
    fn from(instance: &'a Instance) -> InfoOut<'a> {
        let cluster = match &*instance.cluster_name {
            "" => DEFAULT_CLUSTER,
            named => named,
        };
        InfoOut {
            ip: &instance.ip,
            port: instance.port,
            healthy: instance.healthy,
            cluster,
            extend_datum: ExtendDatum(instance),
            metadata_id: format!("{}:{}:{cluster}", instance.ip, instance.port),
        }
    }
}

impl<'a> From<&'a ClientSyncData> for SyncOut<'a> {
    fn from(record: &'a ClientSyncData) -> SyncOut<'a> {
        let revision = signed(record.revision);
        let mut out = SyncOut {
            client_id: record.client.as_str(),
            attributes: AttributesOut {
                client_attributes: ClientAttributesOut { revision },
            },
            namespaces: Vec::new(),
            group_names: Vec::new(),
            service_names: Vec::new(),
            instance_publish_infos: Vec::new(),
            batch_instance_data: BatchOut::default(),
            origin: record.origin.as_ref().map(OriginWire::from),
            words: &record.words,
        };
        for (service, published) in &record.services {
            match published {
                Published::Single(instance) => {
                    out.namespaces.push(&service.namespace);
                    out.group_names.push(&service.group);
                    out.service_names.push(&service.name);
                    out.instance_publish_infos.push(InfoOut::from(&**instance));
                }
                Published::Batch(instances) => {
                    let batch = &mut out.batch_instance_data;
                    batch.namespaces.push(&service.namespace);
                    batch.group_names.push(&service.group);
                    batch.service_names.push(&service.name);
                    batch.batch_instance_publish_infos.push(BatchInfoOut {
                        port: 0,
                        healthy: false,
                        instance_publish_infos: instances
                            .iter()
                            .map(|instance| InfoOut::from(&**instance))
                            .collect(),
                        metadata_id: "null:0:null",
                    });
                }
            }
        }
        out
    }
}

/// A record on its way in. Java's arrays are parallel; whatever is missing reads as empty.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SyncIn {
    client_id: ClientId,
    attributes: Option<AttributesIn>,
    namespaces: Option<Vec<Option<Str>>>,
    group_names: Option<Vec<Option<Str>>>,
    service_names: Option<Vec<Option<Str>>>,
    instance_publish_infos: Option<Vec<InfoIn>>,
    batch_instance_data: Option<BatchIn>,
    origin: Option<OriginWire>,
    #[serde(default)]
    words: Vec<Word>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttributesIn {
    client_attributes: Option<ClientAttributesIn>,
}

#[derive(Deserialize)]
struct ClientAttributesIn {
    revision: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchIn {
    namespaces: Option<Vec<Option<Str>>>,
    group_names: Option<Vec<Option<Str>>>,
    service_names: Option<Vec<Option<Str>>>,
    batch_instance_publish_infos: Option<Vec<BatchInfoIn>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchInfoIn {
    instance_publish_infos: Option<Vec<InfoIn>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InfoIn {
    ip: Option<Str>,
    port: Option<i32>,
    healthy: Option<bool>,
    cluster: Option<Str>,
    extend_datum: Option<BTreeMap<Str, Value>>,
}

/// Text of an untyped value, as Java's `toString` would give it; nothing for a null.
fn text_of(value: Value) -> Option<Str> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(Str::from(text)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some(Str::from(value.to_string()))
        }
    }
}

/// A number, or text that holds one. Why: a foreign node may have synced either (part 12.28).
fn weight_of(value: &Value) -> Option<Weight> {
    let weight = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    weight.is_finite().then_some(Weight(weight))
}

fn enabled_of(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str()?.parse().ok())
}

impl InfoIn {
    fn instance(self, grouped: &Str) -> Instance {
        let mut extend = self.extend_datum.unwrap_or_default();
        let weight = extend
            .remove(WEIGHT_KEY)
            .and_then(|value| weight_of(&value));
        let enabled = extend
            .remove(ENABLE_KEY)
            .and_then(|value| enabled_of(&value));
        Instance {
            instance_id: extend
                .remove(ID_KEY)
                .and_then(text_of)
                .filter(|id| !id.is_empty()),
            ip: or_empty(self.ip),
            port: self.port.unwrap_or(0),
            weight: weight.unwrap_or(Weight::ONE),
            healthy: self.healthy.unwrap_or(false),
            enabled: enabled.unwrap_or(true),
            ephemeral: true,
            cluster_name: or_default(self.cluster, DEFAULT_CLUSTER),
            service_name: Some(grouped.clone()),
            metadata: extend
                .into_iter()
                .filter_map(|(key, value)| Some((key, text_of(value)?)))
                .collect(),
        }
    }
}

/// The services that three parallel arrays name.
fn keys(
    namespaces: Option<Vec<Option<Str>>>,
    groups: Option<Vec<Option<Str>>>,
    names: Option<Vec<Option<Str>>>,
    infos: usize,
) -> Result<Vec<ServiceKey>, Str> {
    let (namespaces, groups, names) = (
        namespaces.unwrap_or_default(),
        groups.unwrap_or_default(),
        names.unwrap_or_default(),
    );
    if [namespaces.len(), groups.len(), names.len()] != [infos; 3] {
        return Err(clipped(&format!(
            "{} namespaces, {} groups, {} names for {infos} publish infos",
            namespaces.len(),
            groups.len(),
            names.len()
        )));
    }
    Ok(namespaces
        .into_iter()
        .zip(groups)
        .zip(names)
        .map(|((namespace, group), name)| ServiceKey {
            namespace: or_default(namespace, DEFAULT_NAMESPACE),
            group: or_default(group, DEFAULT_GROUP),
            name: or_empty(name),
        })
        .collect())
}

impl TryFrom<SyncIn> for ClientSyncData {
    type Error = Str;
    fn try_from(wire: SyncIn) -> Result<ClientSyncData, Str> {
        // As Java applies them: batches first, so a single registration of the same service wins.
        let mut services: BTreeMap<ServiceKey, Published> = BTreeMap::new();
        if let Some(batch) = wire.batch_instance_data {
            let infos = batch.batch_instance_publish_infos.unwrap_or_default();
            let keys = keys(
                batch.namespaces,
                batch.group_names,
                batch.service_names,
                infos.len(),
            )?;
            for (service, info) in keys.into_iter().zip(infos) {
                let grouped = service.grouped_name();
                let instances = info.instance_publish_infos.unwrap_or_default().into_iter();
                let batch = instances
                    .map(|info| Arc::new(info.instance(&grouped)))
                    .collect();
                services.insert(service, Published::Batch(batch));
            }
        }
        let infos = wire.instance_publish_infos.unwrap_or_default();
        let keys = keys(
            wire.namespaces,
            wire.group_names,
            wire.service_names,
            infos.len(),
        )?;
        for (service, info) in keys.into_iter().zip(infos) {
            let instance = info.instance(&service.grouped_name());
            services.insert(service, Published::Single(Arc::new(instance)));
        }
        let attributes = wire
            .attributes
            .and_then(|attributes| attributes.client_attributes);
        let revision = attributes
            .and_then(|attributes| attributes.revision)
            .unwrap_or(0);
        if !wire.words.is_empty() && wire.words.len() != services.len() {
            return Err(clipped(&format!(
                "{} words for {} services",
                wire.words.len(),
                services.len()
            )));
        }
        Ok(ClientSyncData {
            client: wire.client_id,
            origin: wire.origin.map(Origin::from),
            revision: unsigned(revision),
            services: services.into_iter().collect(),
            words: wire.words,
        })
    }
}
