//! What can be seen of a node from outside.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::clients::Client;
use super::services::Filter;
use super::{Node, Stage};
use crate::ids::{ClientId, Incarnation, NodeId};
use crate::message::naming::{Instance, ServiceKey};
use crate::profile::Profile;
use crate::time::Period;
use crate::view::{ClientView, Counters, MemberView, ServiceView, Sizes};

impl Node {
    /// This node's address.
    pub fn id(&self) -> &NodeId {
        &self.config.node
    }

    /// True once the first load is settled.
    pub fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// This life's number. It may rise until the node is ready.
    pub fn incarnation(&self) -> Incarnation {
        self.origin.incarnation
    }

    /// Its behaviours.
    pub fn profile(&self) -> Profile {
        self.config.profile
    }

    /// All client records in id order.
    pub fn clients(&self) -> impl Iterator<Item = ClientView<'_>> {
        self.clients
            .iter()
            .map(|(_, client)| self.client_view(client))
    }

    /// One client record.
    pub fn client(&self, client: &ClientId) -> Option<ClientView<'_>> {
        self.clients
            .get(client)
            .map(|client| self.client_view(client))
    }

    fn client_view<'a>(&'a self, client: &'a Client) -> ClientView<'a> {
        let native = client.native.is_some();
        ClientView {
            data: &client.data,
            origin: if native {
                &self.origin
            } else {
                self.clients.origin_of(&client.data)
            },
            native,
        }
    }

    /// What remains of a synced record's lease in this node's running time; absent for native
    /// clients and for those that are not there.
    pub fn remaining(&self, client: &ClientId) -> Option<Period> {
        let client = self.clients.get(client)?;
        self.clients.remaining(client, self.aged(), self.lease())
    }

    /// All services in key order.
    pub fn services(&self) -> impl Iterator<Item = ServiceView<'_>> {
        self.services.iter().map(|(key, service)| ServiceView {
            key,
            version: service.version,
            publishers: &service.publishers,
            subscribers: &service.subscribers,
        })
    }

    /// One service.
    pub fn service(&self, key: &ServiceKey) -> Option<ServiceView<'_>> {
        let (key, service) = self
            .services
            .range_from(key)
            .next()
            .filter(|(at, _)| *at == key)?;
        Some(ServiceView {
            key,
            version: service.version,
            publishers: &service.publishers,
            subscribers: &service.subscribers,
        })
    }

    /// The enabled instances of a service as a query would list them now, in the order of
    /// (ip, port, cluster). `clusters` is comma-separated, empty for all.
    pub fn list(&self, key: &ServiceKey, clusters: &str, healthy_only: bool) -> Vec<Arc<Instance>> {
        self.services.list(
            &self.clients,
            key,
            Filter {
                clusters,
                healthy_only,
            },
        )
    }

    /// The other members in address order.
    pub fn members(&self) -> impl Iterator<Item = MemberView<'_>> {
        self.members.iter().map(|(node, fellow)| MemberView {
            node,
            state: fellow.state,
            connected: fellow.is_running(),
            incarnation: fellow.incarnation,
            pending: self.syncs.pending(node),
        })
    }

    /// What it counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How big its tables are.
    pub fn sizes(&self) -> Sizes {
        let native = self.clients.native_count() as u64;
        Sizes {
            connections: self.connections.len() as u64,
            native_clients: native,
            synced_clients: self.clients.len() as u64 - native,
            instances: self.clients.instances(),
            services: self.services.len() as u64,
            publishers: self.services.publisher_count(),
            subscribers: self.services.subscriber_count(),
            tombstones: self.clients.tombstone_count() as u64,
            syncs_pending: self.syncs.waiting(),
            requests_in_flight: self.calls.len() as u64,
            pushes_pending: self.pushes.len() as u64,
        }
    }
}
