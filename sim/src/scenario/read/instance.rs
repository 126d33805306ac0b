//! Services and instances, wherever a file names them.

use distro_core::ids::Str;
use distro_core::message::metadata::Metadata;
use distro_core::message::naming::{
    DEFAULT_GROUP, DEFAULT_NAMESPACE, Instance, ServiceKey, Weight,
};

use super::super::address::INSTANCE_PORT;
use super::super::fields::{Fields, Found, Value, key_of};
use super::super::schema::{BATCH, INSTANCE, Key, SERVICE_TABLE};
use super::super::value;

/// Most instances of one list: their ports count up and must stay ports.
pub(super) const BATCH_MAX: u32 = 50_000;

/// What a file says of an instance; the rest is the client's own.
#[derive(Debug, Clone, Default)]
pub(super) struct Template {
    ip: Option<Str>,
    port: Option<i32>,
    weight: Option<Weight>,
    healthy: Option<bool>,
    enabled: Option<bool>,
    ephemeral: Option<bool>,
    cluster: Option<Str>,
    metadata: Option<Metadata>,
    instance_id: Option<Str>,
    service_name: Option<Str>,
}

impl Template {
    /// The instance, given what the client publishes by itself.
    pub(super) fn fill(&self, own: Instance) -> Instance {
        Instance {
            instance_id: self.instance_id.clone().or(own.instance_id),
            ip: self.ip.clone().unwrap_or(own.ip),
            port: self.port.unwrap_or(own.port),
            weight: self.weight.unwrap_or(own.weight),
            healthy: self.healthy.unwrap_or(own.healthy),
            enabled: self.enabled.unwrap_or(own.enabled),
            ephemeral: self.ephemeral.unwrap_or(own.ephemeral),
            cluster_name: self.cluster.clone().unwrap_or(own.cluster_name),
            service_name: self.service_name.clone().or(own.service_name),
            metadata: self.metadata.clone().unwrap_or(own.metadata),
        }
    }
}

/// Reads the keys of an instance from a table that may have others too.
pub(super) fn template(found: &mut Found, table: &Fields<'_>) -> Template {
    let text = |found: &mut Found, key| table.text(found, key).map(Str::from);
    Template {
        ip: text(found, "ip"),
        port: table.get("port").and_then(|value| {
            let port = found.integer("port", value, i64::from(i32::MIN), i64::from(i32::MAX))?;
            i32::try_from(port).ok()
        }),
        weight: table.get("weight").and_then(|value| weight(found, value)),
        healthy: table.flag(found, "healthy"),
        enabled: table.flag(found, "enabled"),
        ephemeral: table.flag(found, "ephemeral"),
        cluster: text(found, "cluster"),
        metadata: table
            .get("metadata")
            .and_then(|value| metadata(found, value)),
        instance_id: text(found, "instance-id"),
        service_name: text(found, "service-name"),
    }
}

fn weight(found: &mut Found, value: &Value<'_>) -> Option<Weight> {
    let number = value
        .get_ref()
        .as_float()
        .map(toml::de::DeFloat::as_str)
        .or_else(|| {
            value
                .get_ref()
                .as_integer()
                .map(toml::de::DeInteger::as_str)
        });
    let weight = number.and_then(|number| number.parse().ok());
    if weight.is_none() {
        found.wrong_type("weight", value, "a number, such as 1.0");
    }
    weight.map(Weight)
}

/// Free text pairs.
pub(super) fn metadata(found: &mut Found, value: &Value<'_>) -> Option<Metadata> {
    let table = Fields::free(found, "metadata", value)?;
    let mut pairs = Vec::new();
    for (name, _, value) in table.entries() {
        if let Some(text) = found.text(name, value) {
            pairs.push((Str::from(name), Str::from(text)));
        }
    }
    Some(pairs.into_iter().collect())
}

/// A service, as text or as a table.
pub(super) fn service(found: &mut Found, value: &Value<'_>) -> Option<ServiceKey> {
    if !value.get_ref().is_table() {
        return found.read(
            "service",
            value,
            "a service's name in quotes",
            value::service,
        );
    }
    let table = found.table("service", value, SERVICE_TABLE.keys)?;
    let name = table.required(found, key_of(SERVICE_TABLE.keys, "name"))?;
    Some(ServiceKey {
        namespace: Str::from(table.text(found, "namespace").unwrap_or(DEFAULT_NAMESPACE)),
        group: Str::from(table.text(found, "group").unwrap_or(DEFAULT_GROUP)),
        name: Str::from(found.text("name", name)?),
    })
}

/// The service that a table must name.
pub(super) fn service_of(found: &mut Found, table: &Fields<'_>, key: &Key) -> Option<ServiceKey> {
    let value = table.required(found, key)?;
    service(found, value)
}

/// What to register: services, or instance tables that name theirs.
pub(super) fn register(found: &mut Found, value: &Value<'_>) -> Vec<(ServiceKey, Template)> {
    let mut list = Vec::new();
    let right = "a list of services, such as [\"orders\"]";
    for element in found.list("register", value, right) {
        let entry = if element.get_ref().is_table() {
            let Some(table) = found.table("an instance", element, INSTANCE.keys) else {
                continue;
            };
            let service = service_of(found, &table, key_of(INSTANCE.keys, "service"));
            service.map(|service| (service, template(found, &table)))
        } else {
            service(found, element).map(|service| (service, Template::default()))
        };
        let Some(entry) = entry else { continue };
        if list.iter().any(|(service, _)| *service == entry.0) {
            once(found, element, &entry.0);
        }
        list.push(entry);
    }
    list
}

/// A client has one entry per service: a second one would replace the first.
pub(super) fn once(found: &mut Found, value: &Value<'_>, service: &ServiceKey) {
    found.add(
        value.span(),
        format!("`{}` is named for the second time", service.name),
        "a client publishes one entry per service: use `batch` for several instances, or another \
         client",
    );
}

/// The instances of a batch: a count, or a list of tables.
pub(super) fn instances(found: &mut Found, value: &Value<'_>) -> Vec<Template> {
    let counted = |port_offset: u32| Template {
        port: i32::try_from(port_offset)
            .ok()
            .map(|offset| i32::from(INSTANCE_PORT) + offset),
        ..Template::default()
    };
    if value.get_ref().is_integer() {
        let count = found
            .integer("instances", value, 0, i64::from(BATCH_MAX))
            .unwrap_or(0);
        return (0..u32::try_from(count).unwrap_or(0))
            .map(counted)
            .collect();
    }
    let mut list = Vec::new();
    let keys: Vec<Key> = INSTANCE
        .keys
        .iter()
        .filter(|key| key.name != "service")
        .copied()
        .collect();
    let right = "a count or a list of instance tables";
    for (offset, element) in (0..).zip(found.list("instances", value, right)) {
        if let Some(table) = found.table("an instance", element, &keys) {
            let said = template(found, &table);
            let port = said.port.or(counted(offset).port);
            list.push(Template { port, ..said });
        }
    }
    list
}

/// What to batch-register: `{ orders = 3 }` or a list of tables.
pub(super) fn batch(found: &mut Found, value: &Value<'_>) -> Vec<(ServiceKey, Vec<Template>)> {
    let mut list: Vec<(ServiceKey, Vec<Template>)> = Vec::new();
    if value.get_ref().is_table() {
        let table = Fields::free(found, "batch", value);
        for (name, span, value) in table.iter().flat_map(Fields::entries) {
            if let Some(service) = found.take(span, value::service(name)) {
                list.push((service, instances(found, value)));
            }
        }
        return list;
    }
    let right = "a table such as { orders = 3 }, or a list of tables";
    for element in found.list("batch", value, right) {
        let Some(table) = found.table("a batch", element, BATCH.keys) else {
            continue;
        };
        let service = service_of(found, &table, key_of(BATCH.keys, "service"));
        let value = table.required(found, key_of(BATCH.keys, "instances"));
        if let (Some(service), Some(value)) = (service, value) {
            if list.iter().any(|(known, _)| *known == service) {
                once(found, element, &service);
            }
            list.push((service, instances(found, value)));
        }
    }
    list
}
