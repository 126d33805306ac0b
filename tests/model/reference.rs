//! The reference: what a node's tables should be, on a page.

use std::collections::{BTreeMap, BTreeSet};

use distro_core::ids::{ClientId, Incarnation, NodeId};
use distro_core::message::distro::Origin;
use distro_core::message::naming::ServiceKey;

/// What a client publishes: an ip and a port by service.
pub(crate) type Content = BTreeMap<ServiceKey, (String, i32)>;

/// What a record should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) origin: Origin,
    pub(crate) revision: u64,
    pub(crate) content: Content,
}

/// The reference: records, who is native, who is buried, and the latest life of each peer.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) records: BTreeMap<ClientId, Record>,
    pub(crate) natives: BTreeSet<ClientId>,
    pub(crate) buried: BTreeSet<ClientId>,
    pub(crate) lives: BTreeMap<NodeId, Incarnation>,
}

impl Model {
    pub(crate) fn sync(&mut self, client: &ClientId, record: Record) {
        let life = self
            .lives
            .get(&record.origin.node)
            .copied()
            .unwrap_or_default();
        let is_late = record.origin.incarnation < life;
        if is_late || self.buried.contains(client) || self.natives.contains(client) {
            return;
        }
        let is_newer = self.records.get(client).is_none_or(|held| {
            held.origin.node == record.origin.node
                && (record.origin.incarnation, record.revision)
                    > (held.origin.incarnation, held.revision)
        });
        if is_newer {
            self.records.insert(client.clone(), record);
        }
    }

    pub(crate) fn delete(&mut self, client: &ClientId, by: &Origin) {
        if self.natives.contains(client) {
            return;
        }
        let may = self.records.get(client).is_none_or(|held| {
            held.origin.node == by.node && held.origin.incarnation <= by.incarnation
        });
        if may {
            self.records.remove(client);
            self.buried.insert(client.clone());
        }
    }
}
