//! The service index: which clients publish and subscribe each service (Nacos
//! `ClientServiceIndexesManager` and `ServiceStorage`).
//!
//! It is a pure projection of the client table, changed in the same step as the table, so it can
//! neither lag nor keep a phantom (part 12.17, incident 36).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::clients::Clients;
use crate::ids::{ClientId, Str};
use crate::message::distro::Word;
use crate::message::naming::{DEFAULT_CLUSTER, Instance, ServiceInfo, ServiceKey};
use crate::protect::Share;
use crate::time::{Mono, Wall};
use crate::view::Selection;

/// One service.
#[derive(Debug, Default)]
pub(crate) struct Service {
    /// `group@@name`, shared by its instances.
    grouped: Str,
    pub(crate) version: u64,
    pub(crate) publishers: BTreeSet<ClientId>,
    pub(crate) subscribers: BTreeSet<ClientId>,
    /// When it was last changed, in running time.
    pub(crate) changed: Mono,
    last_ref_time: i64,
    /// The unfiltered list at the current version.
    hosts: Option<Arc<[Arc<Instance>]>>,
}

impl Service {
    /// Its list is another from now on.
    fn change(&mut self, version: u64, now: Mono) {
        self.version = version;
        self.changed = now;
        self.hosts = None;
    }
}

/// All services.
#[derive(Debug)]
pub(crate) struct Services {
    table: BTreeMap<ServiceKey, Service>,
    /// Versions come from one counter per node life, so that a service that was dropped and comes
    /// back does not start again from a lower one.
    version: u64,
    /// No stamp is below it that a service starts with: the last one given to a list of a service
    /// that was not there, or that was dropped.
    stamp_floor: i64,
    publishers: u64,
    subscribers: u64,
    /// [`DEFAULT_CLUSTER`], shared by the instances in it.
    default_cluster: Str,
}

impl Default for Services {
    fn default() -> Services {
        Services {
            table: BTreeMap::new(),
            version: 0,
            stamp_floor: 0,
            publishers: 0,
            subscribers: 0,
            default_cluster: Str::from(DEFAULT_CLUSTER),
        }
    }
}

/// Which instances a reader wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filter<'a> {
    pub(crate) clusters: &'a str,
    pub(crate) healthy_only: bool,
    /// The service's protect threshold.
    pub(crate) protect: Option<Share>,
}

impl Filter<'_> {
    fn passes(&self, instance: &Instance) -> bool {
        let in_cluster = self.clusters.trim().is_empty()
            || self
                .clusters
                .split(',')
                .any(|cluster| cluster == &*instance.cluster_name);
        in_cluster && (instance.healthy || !self.healthy_only)
    }

    /// The instances that pass, and whether they are protected (Nacos
    /// `selectInstancesWithHealthyProtection`, which counts what the filter left).
    fn select(&self, all: &Arc<[Arc<Instance>]>) -> Selection {
        // Why not always a new list: most readers want all, and every copy costs its length.
        let hosts: Arc<[Arc<Instance>]> = if all.iter().all(|instance| self.passes(instance)) {
            Arc::clone(all)
        } else {
            let passing = all.iter().filter(|instance| self.passes(instance));
            passing.cloned().collect()
        };
        let protected = self.protect.is_some_and(|threshold| {
            let healthy = hosts.iter().filter(|instance| instance.healthy).count();
            threshold.holds(healthy, hosts.len())
        });
        let hosts = if protected {
            hosts.iter().map(as_healthy).collect()
        } else {
            hosts
        };
        Selection { hosts, protected }
    }
}

impl Services {
    pub(crate) fn get(&self, key: &ServiceKey) -> Option<&Service> {
        self.table.get(key)
    }

    /// A service's key and grouped name as the table has them.
    pub(crate) fn known(&self, key: &ServiceKey) -> Option<(&ServiceKey, &Str)> {
        let (key, service) = self.table.get_key_value(key)?;
        Some((key, &service.grouped))
    }

    /// The name of the cluster of instances that name none.
    pub(crate) fn default_cluster(&self) -> &Str {
        &self.default_cluster
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ServiceKey, &Service)> {
        self.table.iter()
    }

    /// All services from this key on, in key order.
    pub(crate) fn range_from(
        &self,
        first: &ServiceKey,
    ) -> impl Iterator<Item = (&ServiceKey, &Service)> {
        self.table.range(first..)
    }

    /// True when somebody publishes the service.
    pub(crate) fn is_published(&self, key: &ServiceKey) -> bool {
        self.table
            .get(key)
            .is_some_and(|service| !service.publishers.is_empty())
    }

    /// The services of a namespace that somebody publishes, in key order.
    pub(crate) fn published_in(&self, namespace: &str) -> impl Iterator<Item = &ServiceKey> {
        let first = ServiceKey {
            namespace: Str::from(namespace),
            group: Str::from(""),
            name: Str::from(""),
        };
        self.table
            .range(first.clone()..)
            .take_while(move |(key, _)| key.namespace == first.namespace)
            .filter(|(_, service)| !service.publishers.is_empty())
            .map(|(key, _)| key)
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn publisher_count(&self) -> u64 {
        self.publishers
    }

    pub(crate) fn subscriber_count(&self) -> u64 {
        self.subscribers
    }

    /// Enters a publisher. The list changes even if it was one already: its content did.
    pub(crate) fn add_publisher(&mut self, key: &ServiceKey, client: &ClientId, now: Mono) -> u64 {
        self.version += 1;
        let service = Self::entry(&mut self.table, key, self.stamp_floor);
        if service.publishers.insert(client.clone()) {
            self.publishers += 1;
        }
        service.change(self.version, now);
        self.version
    }

    /// Takes a publisher out. `None` when it was none.
    pub(crate) fn remove_publisher(
        &mut self,
        key: &ServiceKey,
        client: &ClientId,
        now: Mono,
    ) -> Option<u64> {
        if !self.table.get_mut(key)?.publishers.remove(client) {
            return None;
        }
        self.publishers -= 1;
        Some(self.changed(key, now))
    }

    /// Enters a subscriber. True when it was none before.
    pub(crate) fn add_subscriber(&mut self, key: &ServiceKey, client: &ClientId) -> bool {
        let fresh = Self::entry(&mut self.table, key, self.stamp_floor)
            .subscribers
            .insert(client.clone());
        self.subscribers += u64::from(fresh);
        fresh
    }

    pub(crate) fn remove_subscriber(&mut self, key: &ServiceKey, client: &ClientId) {
        let Some(service) = self.table.get_mut(key) else {
            return;
        };
        if service.subscribers.remove(client) {
            self.subscribers -= 1;
        }
        if service.publishers.is_empty() && service.subscribers.is_empty() && service.version == 0 {
            // It never had a publisher: nothing to remember.
            self.forget(key);
        }
    }

    /// Drops a service. Should it come back, its lists are stamped later than those before.
    fn forget(&mut self, key: &ServiceKey) {
        if let Some(service) = self.table.remove(key) {
            self.stamp_floor = self.stamp_floor.max(service.last_ref_time);
        }
    }

    /// Marks the list as changed and returns its new version.
    pub(crate) fn changed(&mut self, key: &ServiceKey, now: Mono) -> u64 {
        self.version += 1;
        if let Some(service) = self.table.get_mut(key) {
            service.change(self.version, now);
        }
        self.version
    }

    fn entry<'a>(
        table: &'a mut BTreeMap<ServiceKey, Service>,
        key: &ServiceKey,
        stamp_floor: i64,
    ) -> &'a mut Service {
        // Why the key is cloned: it costs less than a second search.
        table.entry(key.clone()).or_insert_with(|| Service {
            grouped: key.grouped_name(),
            last_ref_time: stamp_floor,
            ..Service::default()
        })
    }

    /// Drops services that nobody has published or subscribed since `before`.
    pub(crate) fn drop_empty(&mut self, before: Mono) -> Vec<ServiceKey> {
        let empty: Vec<ServiceKey> = self
            .table
            .iter()
            .filter(|(_, service)| {
                service.publishers.is_empty()
                    && service.subscribers.is_empty()
                    && service.changed <= before
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in &empty {
            self.forget(key);
        }
        empty
    }

    /// The list as a reader gets it, stamped. A service that does not exist has an empty list.
    pub(crate) fn info(
        &mut self,
        clients: &Clients,
        key: &ServiceKey,
        filter: Filter<'_>,
        wall: Wall,
    ) -> Arc<ServiceInfo> {
        let (selection, version, last_ref_time) = match self.table.get_mut(key) {
            Some(service) => {
                let all = service
                    .hosts
                    .get_or_insert_with(|| project(clients, key, &service.publishers).into());
                // Strictly increasing, whatever the wall clock does: clients order lists by it.
                service.last_ref_time = wall.0.max(service.last_ref_time + 1);
                (filter.select(all), service.version, service.last_ref_time)
            }
            None => {
                self.stamp_floor = self.stamp_floor.max(wall.0);
                (Selection::default(), self.version, self.stamp_floor)
            }
        };
        Arc::new(ServiceInfo {
            service: key.clone(),
            clusters: Str::from(filter.clusters),
            hosts: selection.hosts,
            reach_protection_threshold: selection.protected,
            last_ref_time,
            version,
        })
    }

    /// All instances of a service, disabled ones too.
    pub(crate) fn instances(&self, clients: &Clients, key: &ServiceKey) -> Vec<Arc<Instance>> {
        self.table.get(key).map_or_else(Vec::new, |service| {
            claimed(clients, key, &service.publishers)
        })
    }

    /// The list without stamping it.
    pub(crate) fn list(
        &self,
        clients: &Clients,
        key: &ServiceKey,
        filter: Filter<'_>,
    ) -> Selection {
        let Some(service) = self.table.get(key) else {
            return Selection::default();
        };
        match &service.hosts {
            Some(hosts) => filter.select(hosts),
            None => filter.select(&project(clients, key, &service.publishers).into()),
        }
    }
}

fn as_healthy(instance: &Arc<Instance>) -> Arc<Instance> {
    if instance.healthy {
        return Arc::clone(instance);
    }
    let mut healthy = Instance::clone(instance);
    healthy.healthy = true;
    Arc::new(healthy)
}

/// The enabled instances that the publishers publish, each (ip, port, cluster) once.
///
/// When two records claim the same one, the record whose owner still lives wins over one whose
/// owner has a later life, then the claim that was said later, and then the later client id: the
/// same at every node (docs/PROTOCOL.md, Places). Why: a client that moved is listed twice until
/// its old record is gone, and consumers must not see the old content beside the new (part 12.23,
/// 12.46, invariant S7).
fn project(
    clients: &Clients,
    key: &ServiceKey,
    publishers: &BTreeSet<ClientId>,
) -> Vec<Arc<Instance>> {
    let mut hosts = claimed(clients, key, publishers);
    hosts.retain(|instance| instance.enabled);
    hosts
}

/// What decides between two claims to a place; the last part only between records of Nacos peers,
/// who do not say when.
type Rank = (bool, Word, bool);

/// The same with disabled instances.
fn claimed(
    clients: &Clients,
    key: &ServiceKey,
    publishers: &BTreeSet<ClientId>,
) -> Vec<Arc<Instance>> {
    let mut claims: Vec<(Rank, &Arc<Instance>)> = Vec::with_capacity(publishers.len());
    let hidden = clients.given_up.of(key);
    for client in publishers {
        let entry = clients
            .get(client)
            .expect("the index holds only clients of the table");
        let (published, word) = entry
            .data
            .claim(key)
            .expect("the index holds only what its clients publish");
        let rank = (
            !clients.is_orphan(&entry.data),
            word,
            word == Word(0) && entry.native.is_some(),
        );
        let hidden = hidden.filter(|_| clients.owner_is_away(entry));
        let seen = published
            .instances()
            .iter()
            .filter(|one| hidden.is_none_or(|hidden| !hidden.hides(one, word)));
        claims.extend(seen.map(|one| (rank, one)));
    }
    // Why stable: among equal ranks the later client wins, and it comes last.
    claims.sort_by(|(_, one), (_, two)| place(one).cmp(&place(two)));
    claims
        .chunk_by(|(_, one), (_, two)| place(one) == place(two))
        .filter_map(|same| same.iter().max_by_key(|(rank, _)| *rank))
        .map(|(_, instance)| Arc::clone(instance))
        .collect()
}

fn place(instance: &Instance) -> (&str, i32, &str) {
    (&instance.ip, instance.port, &instance.cluster_name)
}
