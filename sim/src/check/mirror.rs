//! A node's table as its events tell it, with a short history of every list: what an answer is
//! held against without asking the node for its whole table.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use distro_core::hash::{hash_of, mix};
use distro_core::message::distro::ClientSyncData;
use distro_core::message::naming::{Instance, ServiceKey};
use distro_core::time::{Mono, Period};

use crate::check::lookup::Lookup;

/// An instance's place in a service: the hash of (ip, port, cluster).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

impl Place {
    /// The place of an instance.
    pub fn of(instance: &Instance) -> Place {
        Place(hash_of(&(
            &*instance.ip,
            instance.port,
            &*instance.cluster_name,
        )))
    }
}

/// One record of the mirror.
#[derive(Debug, Clone)]
pub struct Record {
    /// The record.
    pub data: Arc<ClientSyncData>,
    /// The node is its owner.
    pub native: bool,
}

/// Who holds an instance at a place, and who held it last.
#[derive(Debug, Default)]
struct Held {
    holders: Vec<(u32, Arc<Instance>)>,
    past: Vec<(Mono, Arc<Instance>)>,
}

/// One list and its recent past.
#[derive(Debug, Default)]
pub struct List {
    places: BTreeMap<Place, Held>,
    sum: u64,
    count: u32,
    /// Earlier sums, each with the moment until which it held.
    past: VecDeque<(Mono, u64)>,
}

/// A set of places as one number: the sum of the members' mixes, and it is never changed by order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlaceSet {
    /// Wrapping sum of the places' mixes.
    pub sum: u64,
    /// How many.
    pub count: u32,
}

impl PlaceSet {
    /// With one more place.
    pub fn add(&mut self, place: Place) {
        self.sum = self.sum.wrapping_add(mix(place.0));
        self.count += 1;
    }
}

impl List {
    /// How many places are filled.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// True when the set was exactly this at a moment not before `since`.
    pub fn was(&self, set: PlaceSet, since: Mono) -> bool {
        self.sum == set.sum
            || self
                .past
                .iter()
                .any(|(until, sum)| *until >= since && *sum == set.sum)
    }

    /// True when some record holds this very instance, or did at a moment not before `since`.
    pub fn has(&self, place: Place, instance: &Arc<Instance>, since: Mono) -> bool {
        let same = |held: &Arc<Instance>| Arc::ptr_eq(held, instance) || held == instance;
        self.places.get(&place).is_some_and(|held| {
            held.holders.iter().any(|(_, held)| same(held))
                || held
                    .past
                    .iter()
                    .any(|(until, held)| *until >= since && same(held))
        })
    }

    /// True when the place is filled now.
    pub fn fills(&self, place: Place) -> bool {
        self.places
            .get(&place)
            .is_some_and(|held| !held.holders.is_empty())
    }

    /// Clients that hold an instance at a place, by number.
    pub fn holders(&self, place: Place) -> impl Iterator<Item = u32> {
        self.places
            .get(&place)
            .into_iter()
            .flat_map(|held| held.holders.iter().map(|(client, _)| *client))
    }

    /// One instance for each filled place.
    pub fn instances(&self) -> impl Iterator<Item = (Place, &Arc<Instance>)> {
        self.places
            .iter()
            .filter_map(|(place, held)| held.holders.first().map(|(_, held)| (*place, held)))
    }

    fn remember(&mut self, at: Mono, window: Period) {
        let since = at - window;
        while self.past.front().is_some_and(|(until, _)| *until < since) {
            self.past.pop_front();
        }
        if self.past.back() != Some(&(at, self.sum)) {
            self.past.push_back((at, self.sum));
        }
    }

    fn put(&mut self, client: u32, instance: &Arc<Instance>) {
        let place = Place::of(instance);
        let held = self.places.entry(place).or_default();
        if held.holders.is_empty() {
            self.sum = self.sum.wrapping_add(mix(place.0));
            self.count += 1;
        }
        held.holders.push((client, instance.clone()));
    }

    fn take(&mut self, client: u32, instance: &Arc<Instance>, at: Mono, window: Period) {
        let place = Place::of(instance);
        let Some(held) = self.places.get_mut(&place) else {
            return;
        };
        let Some(index) = held
            .holders
            .iter()
            .position(|(holder, _)| *holder == client)
        else {
            return;
        };
        let (_, old) = held.holders.swap_remove(index);
        held.past.retain(|(until, _)| *until >= at - window);
        held.past.push((at, old));
        if held.holders.is_empty() {
            self.sum = self.sum.wrapping_sub(mix(place.0));
            self.count -= 1;
        }
    }

    /// Forgets places that nobody fills and nobody may still answer with.
    fn forget(&mut self, at: Mono, window: Period) {
        if self.places.len() > self.count as usize * 2 + 16 {
            self.places.retain(|_, held| {
                !held.holders.is_empty() || held.past.iter().any(|(until, _)| *until >= at - window)
            });
        }
    }
}

/// The mirror of one node's tables.
#[derive(Debug, Default)]
pub struct Mirror {
    /// Records by client number.
    pub records: BTreeMap<u32, Record>,
    lists: BTreeMap<u32, List>,
}

/// Numbers for services, given as they show up.
#[derive(Debug, Default)]
pub struct Services {
    numbers: Lookup<ServiceKey>,
    keys: Vec<ServiceKey>,
}

impl Services {
    /// The service's number.
    pub fn number(&mut self, key: &ServiceKey) -> u32 {
        if let Some(number) = self.numbers.get(key) {
            return number;
        }
        let number = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.numbers.insert(key.clone(), number);
        self.keys.push(key.clone());
        number
    }

    /// The service's number when it has shown up already.
    pub fn known(&self, key: &ServiceKey) -> Option<u32> {
        self.numbers.get(key)
    }

    /// The service with a number.
    pub fn key(&self, number: u32) -> &ServiceKey {
        &self.keys[number as usize]
    }
}

/// The enabled instances of a record's entry: what is listed of it.
pub fn listed(entry: &[Arc<Instance>]) -> impl Iterator<Item = &Arc<Instance>> {
    entry.iter().filter(|instance| instance.enabled)
}

impl Mirror {
    /// Forgets everything: the process is gone.
    pub fn clear(&mut self) {
        self.records.clear();
        self.lists.clear();
    }

    /// A service's list.
    pub fn list(&self, service: u32) -> Option<&List> {
        self.lists.get(&service)
    }

    /// A record was created or changed.
    pub fn change(
        &mut self,
        (client, record): (u32, Record),
        services: &mut Services,
        at: Mono,
        window: Period,
    ) {
        let old = self.records.insert(client, record.clone());
        if let Some(old) = &old
            && Arc::ptr_eq(&old.data, &record.data)
        {
            return;
        }
        let old = old.as_ref().map(|record| &*record.data);
        self.replace(client, (old, Some(&record.data)), services, (at, window));
    }

    /// A record was removed.
    pub fn remove(&mut self, client: u32, services: &mut Services, at: Mono, window: Period) {
        if let Some(old) = self.records.remove(&client) {
            self.replace(client, (Some(&old.data), None), services, (at, window));
        }
    }

    fn replace(
        &mut self,
        client: u32,
        (old, new): (Option<&ClientSyncData>, Option<&ClientSyncData>),
        services: &mut Services,
        (at, window): (Mono, Period),
    ) {
        let none = Vec::new();
        let old_services = old.map_or(&none, |data| &data.services);
        let new_services = new.map_or(&none, |data| &data.services);
        for (key, published) in old_services {
            if new_services
                .iter()
                .any(|entry| entry.0 == *key && entry.1 == *published)
            {
                continue;
            }
            let list = self.lists.entry(services.number(key)).or_default();
            list.remember(at, window);
            for instance in listed(published.instances()) {
                list.take(client, instance, at, window);
            }
            list.forget(at, window);
        }
        for (key, published) in new_services {
            if old_services
                .iter()
                .any(|entry| entry.0 == *key && entry.1 == *published)
            {
                continue;
            }
            let list = self.lists.entry(services.number(key)).or_default();
            list.remember(at, window);
            for instance in listed(published.instances()) {
                list.put(client, instance);
            }
        }
    }
}
