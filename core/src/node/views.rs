//! What can be seen of a node from outside.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::clients::Client;
use super::services::Filter;
use super::{Node, Stage};
use crate::config::ConnectionLimits;
use crate::ids::{ClientId, Incarnation, NodeId};
use crate::message::MessageKind;
use crate::message::naming::{Instance, ServiceKey};
use crate::profile::Profile;
use crate::protect::Share;
use crate::time::Period;
use crate::view::{
    ClientView, ConnectionView, Counters, MemberView, Selection, ServiceView, Sizes,
};

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

    /// The client records after this one, in id order; after the empty id come all.
    pub fn clients_after(&self, client: &ClientId) -> impl Iterator<Item = ClientView<'_>> {
        let after = self.clients.after(client);
        after.map(|(_, client)| self.client_view(client))
    }

    /// The transport of a native client; absent for a synced one.
    pub fn connection(&self, client: &ClientId) -> Option<ConnectionView<'_>> {
        let native = self.clients.get(client)?.native.as_ref()?;
        let connection = self.connections.get(native.conn?)?;
        let setup = connection.setup.as_ref();
        Some(ConnectionView {
            ip: setup.map_or(&connection.remote_ip, |setup| &setup.client_ip),
            app: setup.map_or("-", |setup| &setup.app),
            idle: self.aged().since(connection.active),
            subscriptions: native.subscriptions.len() as u64,
        })
    }

    /// Every instance of a service, disabled ones too: what operators see and clients do not.
    pub fn instances(&self, key: &ServiceKey) -> Vec<Arc<Instance>> {
        self.services.instances(&self.clients, key)
    }

    /// The limits on client connections as they are now.
    pub fn limits(&self) -> &ConnectionLimits {
        &self.connections.limits
    }

    /// True when something about the client waits for, or is under way to, the member.
    pub fn is_syncing(&self, member: &NodeId, client: &ClientId) -> bool {
        self.syncs.is_busy(member, client)
    }

    /// How long the oldest sync to a member has waited to be sent, in aging time; zero when none
    /// waits. Looks at every one that waits.
    pub fn sync_lag(&self, member: &NodeId) -> Period {
        let oldest = self.syncs.oldest(member);
        oldest.map_or(Period::ZERO, |oldest| self.aged().since(oldest))
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
        self.clients.remaining(client, self.aged())
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

    /// The services after this one, in key order.
    pub fn services_after(&self, key: &ServiceKey) -> impl Iterator<Item = ServiceView<'_>> {
        let from = self.services.range_from(key);
        from.filter(move |(at, _)| *at != key)
            .map(|(key, service)| ServiceView {
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
    pub fn list(
        &self,
        key: &ServiceKey,
        clusters: &str,
        healthy_only: bool,
    ) -> Arc<[Arc<Instance>]> {
        self.select(key, clusters, healthy_only).hosts
    }

    /// The same, and whether the service is protected.
    pub fn select(&self, key: &ServiceKey, clusters: &str, healthy_only: bool) -> Selection {
        let filter = Filter {
            clusters,
            healthy_only,
            protect: self.protect_threshold(key),
        };
        self.services.list(&self.clients, key, filter)
    }

    /// The protect threshold of a service; `None` when it is never protected.
    pub fn protect_threshold(&self, key: &ServiceKey) -> Option<Share> {
        self.config.protect.of(key)
    }

    /// The other members in address order.
    pub fn members(&self) -> impl Iterator<Item = MemberView<'_>> {
        self.members.iter().map(|(node, fellow)| MemberView {
            node,
            state: fellow.state,
            connected: fellow.is_running(),
            incarnation: fellow.incarnation,
            pending: self.syncs.pending(node),
            proof: fellow.proof,
        })
    }

    /// What it counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many requests it has received, by kind.
    pub fn requests(&self) -> impl Iterator<Item = (MessageKind, u64)> {
        let kinds = MessageKind::ALL.iter().map(|(kind, _)| *kind);
        kinds.zip(self.requests)
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
            fuzzy_patterns: self.fuzzy.pattern_count() as u64,
            watches_pending: self.fuzzy.pending() as u64,
        }
    }
}
