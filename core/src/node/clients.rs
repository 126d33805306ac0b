//! The client table: native clients (connected here) and synced ones (vouched for by an owner).
//!
//! Synced records are grouped by origin, the owner and its incarnation. A group shares one lease,
//! because its owner renews all of it with one digest; records of Nacos peers, who verify one by
//! one, have a lease each.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::digest::DigestTree;
use super::given_up::GivenUps;
use super::tombstones::Tombstones;
use crate::ids::{ClientId, ConnId, Incarnation, NodeId, Revision, Str};
use crate::message::distro::{ClientSyncData, Origin, Word};
use crate::message::naming::{Published, ServiceKey};
use crate::time::{Mono, Period};

/// A native client's subscription to one service (Nacos `Subscriber`).
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    /// Comma-separated clusters as asked for.
    pub(crate) clusters: Str,
}

/// What a native client has besides its record.
#[derive(Debug)]
pub(crate) struct Native {
    /// Its transport; absent for a client without one, which lives by beats.
    pub(crate) conn: Option<ConnId>,
    /// What it subscribes.
    pub(crate) subscriptions: BTreeMap<ServiceKey, Subscription>,
}

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    /// Its record; shared with every message that carries it.
    pub(crate) data: Arc<ClientSyncData>,
    /// Present when this node is the owner. Boxed, since most clients are others'.
    pub(crate) native: Option<Box<Native>>,
    /// When the lease of a record without an origin is over, in aging time.
    pub(crate) expires: Mono,
}

/// The synced records of one life of one owner.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// Digest over the group's records.
    pub(crate) tree: DigestTree,
    /// When the lease is over if nothing more is heard of the owner, in aging time. Why not when it
    /// was last heard of: what remains of a lease may begin before this process did.
    pub(crate) expires: Mono,
    /// Present when the owner has a later life: when these records end.
    pub(crate) ends: Option<Mono>,
}

/// The client table and what hangs on it.
#[derive(Debug)]
pub(crate) struct Clients {
    table: BTreeMap<ClientId, Client>,
    /// Clients without a connection, whoever owns them.
    ip_port: BTreeSet<ClientId>,
    groups: BTreeMap<Origin, Group>,
    own: DigestTree,
    tombstones: Tombstones,
    /// Origin of records whose sender did not say: a Nacos peer.
    unknown: Origin,
    /// Members that can be reached: what they do not take back stands.
    present: BTreeSet<NodeId>,
    /// What hides claims of those that cannot be reached.
    pub(crate) given_up: GivenUps,
    native_count: usize,
    /// Synced records without an origin.
    single_count: usize,
    instances: u64,
}

fn instances_of(data: &ClientSyncData) -> u64 {
    data.services
        .iter()
        .map(|(_, published)| published.instances().len() as u64)
        .sum()
}

impl Clients {
    pub(crate) fn new() -> Clients {
        Clients {
            table: BTreeMap::new(),
            ip_port: BTreeSet::new(),
            groups: BTreeMap::new(),
            own: DigestTree::default(),
            tombstones: Tombstones::default(),
            unknown: Origin {
                node: NodeId(Str::from("")),
                incarnation: Incarnation(0),
            },
            present: BTreeSet::new(),
            given_up: GivenUps::default(),
            native_count: 0,
            single_count: 0,
            instances: 0,
        }
    }

    pub(crate) fn get(&self, client: &ClientId) -> Option<&Client> {
        self.table.get(client)
    }

    pub(crate) fn native_mut(&mut self, client: &ClientId) -> Option<&mut Native> {
        self.table.get_mut(client)?.native.as_deref_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ClientId, &Client)> {
        self.table.iter()
    }

    /// The clients after this one, in id order.
    pub(crate) fn after(&self, client: &ClientId) -> impl Iterator<Item = (&ClientId, &Client)> {
        use core::ops::Bound::{Excluded, Unbounded};
        self.table.range((Excluded(client.clone()), Unbounded))
    }

    pub(crate) fn natives(&self) -> impl Iterator<Item = (&ClientId, &Client)> {
        self.table
            .iter()
            .filter(|(_, client)| client.native.is_some())
    }

    pub(crate) fn native_count(&self) -> usize {
        self.native_count
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn instances(&self) -> u64 {
        self.instances
    }

    pub(crate) fn own_tree(&self) -> &DigestTree {
        &self.own
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = (&Origin, &Group)> {
        self.groups.iter()
    }

    pub(crate) fn group(&self, origin: &Origin) -> Option<&Group> {
        self.groups.get(origin)
    }

    pub(crate) fn group_mut(&mut self, origin: &Origin) -> &mut Group {
        self.groups.entry(origin.clone()).or_default()
    }

    /// An owner as its group names it.
    pub(crate) fn known_origin(&self, origin: &Origin) -> Option<&Origin> {
        Some(self.groups.get_key_value(origin)?.0)
    }

    pub(crate) fn origin_of<'a>(&'a self, data: &'a ClientSyncData) -> &'a Origin {
        data.origin.as_ref().unwrap_or(&self.unknown)
    }

    /// Creates a native client. `conn` is absent for one without a connection.
    pub(crate) fn insert_native(&mut self, data: Arc<ClientSyncData>, conn: Option<ConnId>) {
        let client = data.client.clone();
        self.own.set(&client, None, data.revision);
        self.native_count += 1;
        self.instances += instances_of(&data);
        self.note_ip_port(&client);
        let native = Some(Box::new(Native {
            conn,
            subscriptions: BTreeMap::new(),
        }));
        let before = self.table.insert(
            client,
            Client {
                data,
                native,
                expires: Mono(0),
            },
        );
        assert!(before.is_none(), "connection ids are never reused");
    }

    fn note_ip_port(&mut self, client: &ClientId) {
        if client.is_ip_port() {
            self.ip_port.insert(client.clone());
        }
    }

    /// Clients without a connection, in id order.
    pub(crate) fn ip_port(&self) -> &BTreeSet<ClientId> {
        &self.ip_port
    }

    /// Raises a native record's revision to at least this.
    pub(crate) fn raise(&mut self, client: &ClientId, least: Revision) {
        let entry = self.table.get_mut(client);
        let Some(entry) = entry.filter(|entry| entry.native.is_some()) else {
            return;
        };
        let old = entry.data.revision;
        if old < least {
            Arc::make_mut(&mut entry.data).revision = least;
            self.own.set(client, Some(old), least);
        }
    }

    /// Changes what a native client publishes for one service and counts the revision up, unless
    /// `keep_revision`. `None` withdraws. `word` is when it says so, absent in the profiles that
    /// know no words. Returns what was published before and when that was said; the outer `None`
    /// means that there is no such native client.
    pub(crate) fn publish(
        &mut self,
        client: &ClientId,
        service: &ServiceKey,
        published: Option<Published>,
        word: Option<Word>,
        keep_revision: bool,
    ) -> Option<Option<(Published, Word)>> {
        let entry = self
            .table
            .get_mut(client)
            .filter(|entry| entry.native.is_some())?;
        let data = Arc::make_mut(&mut entry.data);
        let old_revision = data.revision;
        if !keep_revision {
            data.revision = data.revision.next();
        }
        let added = published
            .as_ref()
            .map_or(0, |new| new.instances().len() as u64);
        let position = data.services.binary_search_by(|(key, _)| key.cmp(service));
        let before = match (position, published) {
            (Ok(at), Some(new)) => {
                let said = data.word(at);
                if let (Some(word), Some(slot)) = (word, data.words.get_mut(at)) {
                    *slot = word;
                }
                Some((core::mem::replace(&mut data.services[at].1, new), said))
            }
            (Ok(at), None) => {
                let said = data.word(at);
                if at < data.words.len() {
                    data.words.remove(at);
                }
                Some((data.services.remove(at).1, said))
            }
            (Err(at), Some(new)) => {
                let services = &mut data.services;
                // Why not left to the list itself: it makes room for four entries with the first,
                // and then doubles.
                if services.len() == services.capacity() {
                    services.reserve_exact(services.len() / 2 + 1);
                }
                services.insert(at, (service.clone(), new));
                if let Some(word) = word {
                    if data.words.len() == data.words.capacity() {
                        data.words.reserve_exact(data.words.len() / 2 + 1);
                    }
                    data.words.insert(at, word);
                }
                None
            }
            (Err(_), None) => None,
        };
        let removed = before
            .as_ref()
            .map_or(0, |(old, _)| old.instances().len() as u64);
        self.instances = self.instances + added - removed;
        let revision = data.revision;
        self.own.set(client, Some(old_revision), revision);
        Some(before)
    }

    /// Puts a synced record in place of what was there, and renews nothing; `expires` is the end of
    /// a lease that begins with it. The revision of an existing record is the caller's to decide.
    pub(crate) fn put_synced(&mut self, data: Arc<ClientSyncData>, expires: Mono) {
        let client = data.client.clone();
        let added = instances_of(&data);
        let old = self
            .table
            .get(&client)
            .map(|entry| (entry.data.clone(), entry.native.is_some()));
        if let Some((old, native)) = &old {
            self.instances -= instances_of(old);
            self.leave_group(old, *native);
        }
        self.instances += added;
        if old.as_ref().is_some_and(|(_, native)| *native) {
            // Only the quirk that lets peers overwrite native clients comes here.
            self.own.set(&client, None, data.revision);
        } else if data.origin.is_none() {
            self.single_count += 1;
        } else if let Some(origin) = &data.origin {
            let fresh = !self.groups.contains_key(origin);
            let group = self.groups.entry(origin.clone()).or_default();
            group.tree.set(&client, None, data.revision);
            if fresh {
                group.expires = expires;
            }
        }
        match self.table.get_mut(&client) {
            Some(entry) => entry.data = data,
            None => {
                self.note_ip_port(&client);
                self.table.insert(
                    client,
                    Client {
                        data,
                        native: None,
                        expires,
                    },
                );
            }
        }
    }

    /// Removes a client from the table, its group and its digest.
    pub(crate) fn remove(&mut self, client: &ClientId) -> Option<Client> {
        let entry = self.table.remove(client)?;
        self.ip_port.remove(client);
        self.instances -= instances_of(&entry.data);
        self.leave_group(&entry.data, entry.native.is_some());
        if entry.native.is_some() {
            self.native_count -= 1;
        }
        Some(entry)
    }

    fn leave_group(&mut self, data: &ClientSyncData, native: bool) {
        if native {
            self.own.remove(&data.client, data.revision);
        } else if let Some(origin) = &data.origin {
            let group = self
                .groups
                .get_mut(origin)
                .expect("a synced record has its group");
            group.tree.remove(&data.client, data.revision);
        } else {
            self.single_count -= 1;
        }
    }

    /// Forgets groups without records whose lease or grace is over, or that a later life replaced.
    pub(crate) fn drop_empty_groups(&mut self, is_over: impl Fn(&Group) -> bool) {
        self.groups
            .retain(|_, group| !group.tree.is_empty() || !is_over(group));
    }

    /// Renews the lease of one record that has no origin. False when it is not there.
    pub(crate) fn renew(&mut self, client: &ClientId, expires: Mono) -> bool {
        self.table
            .get_mut(client)
            .map(|entry| entry.expires = expires)
            .is_some()
    }

    /// What remains of a synced record's lease; `None` for a native one.
    pub(crate) fn remaining(&self, client: &Client, aged: Mono) -> Option<Period> {
        if client.native.is_some() {
            return None;
        }
        let Some(group) = client
            .data
            .origin
            .as_ref()
            .and_then(|origin| self.groups.get(origin))
        else {
            return Some(client.expires.since(aged));
        };
        let remaining = group.expires.since(aged);
        Some(
            group
                .ends
                .map_or(remaining, |ends| remaining.min(ends.since(aged))),
        )
    }

    /// Marks all earlier lives of an owner as over: their records end at `ends` at the latest.
    pub(crate) fn end_earlier_lives(&mut self, current: &Origin, ends: Mono) -> bool {
        let mut any = false;
        for (origin, group) in &mut self.groups {
            if origin.node == current.node
                && origin.incarnation < current.incarnation
                && group.ends.is_none()
            {
                group.ends = Some(ends);
                any |= !group.tree.is_empty();
            }
        }
        any
    }

    /// True when the record's owner has a later life, so that a returned client replaces it.
    pub(crate) fn is_orphan(&self, data: &ClientSyncData) -> bool {
        data.origin
            .as_ref()
            .and_then(|origin| self.groups.get(origin))
            .is_some_and(|group| group.ends.is_some())
    }

    /// Notes whether a member can be reached. True when that is news.
    pub(crate) fn set_present(&mut self, member: &NodeId, present: bool) -> bool {
        if present {
            self.present.insert(member.clone())
        } else {
            self.present.remove(member)
        }
    }

    fn is_away(&self, origin: &Origin, group: &Group) -> bool {
        group.ends.is_some() || !self.present.contains(&origin.node)
    }

    /// True when nobody can speak for the record at present: its owner cannot be reached, or has a
    /// later life.
    pub(crate) fn owner_is_away(&self, client: &Client) -> bool {
        client.native.is_none()
            && client.data.origin.as_ref().is_some_and(|origin| {
                let group = self.groups.get(origin);
                group.is_none_or(|group| self.is_away(origin, group))
            })
    }

    /// True when records are held for which nobody can speak at present.
    pub(crate) fn any_owner_is_away(&self) -> bool {
        self.groups
            .iter()
            .any(|(origin, group)| !group.tree.is_empty() && self.is_away(origin, group))
    }

    pub(crate) fn bury(&mut self, client: &ClientId, now: Mono, keep: Period) -> bool {
        self.tombstones.add(client, now + keep)
    }

    pub(crate) fn is_buried(&self, client: &ClientId) -> bool {
        self.tombstones.contains(client)
    }

    pub(crate) fn purge_tombstones(&mut self, now: Mono) {
        self.tombstones.purge(now);
    }

    pub(crate) fn tombstone_count(&self) -> usize {
        self.tombstones.len()
    }

    /// Gives every native record a new origin, because this life got a higher incarnation.
    pub(crate) fn reincarnate(&mut self, origin: &Origin) {
        for entry in self
            .table
            .values_mut()
            .filter(|entry| entry.native.is_some())
        {
            Arc::make_mut(&mut entry.data).origin = Some(origin.clone());
        }
    }

    /// True when records of Nacos peers are held, whose leases run one by one.
    pub(crate) fn has_records_without_origin(&self) -> bool {
        self.single_count > 0
    }

    /// The ids of synced records without an origin whose own lease is over.
    pub(crate) fn expired_singly(&self, aged: Mono, lease: Period) -> Vec<(ClientId, Period)> {
        self.table
            .iter()
            .filter(|(_, entry)| entry.native.is_none() && entry.data.origin.is_none())
            .filter(|(_, entry)| entry.expires < aged)
            .map(|(client, entry)| (client.clone(), (aged + lease).since(entry.expires)))
            .collect()
    }

    /// The revision of a record, native or synced.
    pub(crate) fn revision(&self, client: &ClientId) -> Option<Revision> {
        self.table.get(client).map(|entry| entry.data.revision)
    }
}
