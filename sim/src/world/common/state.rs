//! One number for what all nodes hold at the end.

use std::hash::{Hash, Hasher};

use distro_core::hash::StableHasher;

use super::nodes_of;
use crate::observe::Tables;
use crate::scenario::model::{HostId, Scenario};

/// Hash of the tables of all nodes that run: records, owners and service indices, in canonical
/// order, without times.
pub(crate) fn state_hash(scenario: &Scenario, tables: &dyn Tables) -> u64 {
    let mut hasher = StableHasher::default();
    for index in 0..nodes_of(scenario) {
        tables.with_node(HostId(index), &mut |node| {
            index.hash(&mut hasher);
            for client in node.clients() {
                client.data.client.hash(&mut hasher);
                client.origin.hash(&mut hasher);
                client.native.hash(&mut hasher);
                client.data.revision.hash(&mut hasher);
                client.data.services.hash(&mut hasher);
            }
            for service in node.services() {
                service.key.hash(&mut hasher);
                service.publishers.hash(&mut hasher);
                service.subscribers.hash(&mut hasher);
            }
        });
    }
    hasher.finish()
}
