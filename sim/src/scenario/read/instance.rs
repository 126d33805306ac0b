//! Instances: what a file says of them, and what is the client's own.

use std::ops::Range;

use distro_core::ids::Str;
use distro_core::message::metadata::Metadata;
use distro_core::message::naming::{Instance, ServiceKey};
use distro_node::text::collect::{List, Map};

use super::super::address::INSTANCE_PORT;
use super::super::fields::Found;
use super::super::kinds::{Batches, Instances, Registered, Unnamed};
use super::super::tables;

/// The instance that a table says, given what the client publishes by itself.
pub(super) fn fill(said: &tables::Instance, own: Instance) -> Instance {
    let text = |said: &Option<String>| said.as_deref().map(Str::from);
    Instance {
        instance_id: text(&said.instance_id).or(own.instance_id),
        ip: text(&said.ip).unwrap_or(own.ip),
        port: said.port.0,
        weight: said.weight.0,
        healthy: *said.healthy,
        enabled: *said.enabled,
        ephemeral: *said.ephemeral,
        cluster_name: Str::from(said.cluster.as_str()),
        service_name: text(&said.service_name).or(own.service_name),
        metadata: said.metadata.as_ref().map_or(own.metadata, metadata),
    }
}

/// Free text pairs.
pub(super) fn metadata(said: &Map<String, String>) -> Metadata {
    let pairs = said.iter();
    pairs
        .map(|(name, text)| (Str::from(name.as_str()), Str::from(text.as_str())))
        .collect()
}

/// What to register, each service once.
pub(super) fn register(
    found: &mut Found,
    said: &List<Registered>,
) -> Vec<(ServiceKey, tables::Instance)> {
    let mut list = Vec::new();
    for slot in &said.0 {
        let instance = slot.value.as_ref().map(|Registered(instance)| instance);
        if let Some((instance, service)) =
            instance.and_then(|instance| Some((instance, instance.service.as_ref()?)))
        {
            once(found, &list, slot.span(), &service.0);
            list.push((service.0.clone(), instance.clone()));
        }
    }
    list
}

/// Notes a service that a list has already: a second entry would replace the first.
pub(super) fn once<T>(
    found: &mut Found,
    list: &[(ServiceKey, T)],
    span: Range<usize>,
    service: &ServiceKey,
) {
    if list.iter().all(|(known, _)| known != service) {
        return;
    }
    found.add(
        span,
        format!("`{}` is named for the second time", service.name),
        "a client publishes one entry per service: use `batch` for several instances, or another \
         client",
    );
}

/// The instances of one list. Ports that nobody names count up.
pub(super) fn instances(said: &Instances) -> Vec<tables::Instance> {
    let counted = |(offset, Unnamed(mut said)): (i32, Unnamed)| {
        if said.port.place.is_none() {
            said.port.value.0 = i32::from(INSTANCE_PORT) + offset;
        }
        said
    };
    match said {
        Instances::Count(count) => (0..*count)
            .filter_map(|offset| i32::try_from(offset).ok())
            .map(|offset| counted((offset, Unnamed::default())))
            .collect(),
        Instances::Each(list) => (0..).zip(list.values().cloned()).map(counted).collect(),
    }
}

/// What to batch-register, each service once.
pub(super) fn batch(found: &mut Found, said: &Batches) -> Vec<(ServiceKey, Vec<tables::Instance>)> {
    let mut list = Vec::new();
    for slot in &said.0.0 {
        let Some(batch) = &slot.value else { continue };
        if let (Some(service), Some(said)) = (&*batch.service, &*batch.instances) {
            once(found, &list, slot.span(), &service.0);
            list.push((service.0.clone(), instances(said)));
        }
    }
    list
}
