//! Texts that many records have in common are held once. Every message brings its own copy of
//! them, and the names of a service are longer than all else that an instance needs.

use alloc::sync::Arc;

use super::Node;
use super::naming::normalised;
use crate::ids::Str;
use crate::message::distro::ClientSyncData;
use crate::message::naming::{DEFAULT_CLUSTER, Instance, Published, ServiceKey};

/// A service's names, shared with all who publish it.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) service: ServiceKey,
    /// `group@@name`.
    pub(super) grouped: Str,
}

impl Names {
    /// Lets an instance of the service share them. What it says stays the same.
    fn give(&self, instance: &mut Instance, default_cluster: &Str) {
        if let Some(name) = &mut instance.service_name
            && *name == self.grouped
        {
            *name = self.grouped.clone();
        }
        if &*instance.cluster_name == DEFAULT_CLUSTER {
            instance.cluster_name = default_cluster.clone();
        }
    }
}

impl Node {
    /// The names of a service as a request gives them, with Nacos's defaults for what is blank.
    pub(super) fn names(&self, asked: ServiceKey) -> Names {
        self.names_of(normalised(asked))
    }

    fn names_of(&self, service: ServiceKey) -> Names {
        match self.services.known(&service) {
            Some((known, grouped)) => Names {
                service: known.clone(),
                grouped: grouped.clone(),
            },
            None => Names {
                grouped: service.grouped_name(),
                service,
            },
        }
    }

    /// Lets a record that came over a wire share its texts with what is here: with the record
    /// that it replaces first, which then has nothing of its own but what it lost.
    pub(super) fn share_texts(&self, data: &mut Arc<ClientSyncData>, old: Option<&ClientSyncData>) {
        // One that somebody else holds too is not from a wire.
        let Some(data) = Arc::get_mut(data) else {
            return;
        };
        if let Some(old) = old {
            data.client = old.client.clone();
        }
        if let Some(origin) = &mut data.origin
            && let Some(known) = self.clients.known_origin(origin)
        {
            *origin = known.clone();
        }
        for (service, published) in &mut data.services {
            if let Some((known, before)) = old.and_then(|old| old.entry(service))
                && before == published
            {
                (*service, *published) = (known.clone(), before.clone());
                continue;
            }
            let names = self.names_of(service.clone());
            self.give_names(published, &names);
            *service = names.service;
        }
        data.services.shrink_to_fit();
    }

    fn give_names(&self, published: &mut Published, names: &Names) {
        let give = |instance: &mut Arc<Instance>| {
            if let Some(instance) = Arc::get_mut(instance) {
                names.give(instance, self.services.default_cluster());
            }
        };
        match published {
            Published::Single(instance) => give(instance),
            Published::Batch(instances) => {
                for instance in Arc::get_mut(instances).into_iter().flatten() {
                    give(instance);
                }
            }
        }
    }
}
