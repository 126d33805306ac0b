//! A node's table as its events tell it, with a short history of every list: what an answer is
//! held against without asking the node for its whole table.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use distro_core::ids::Str;
use distro_core::message::distro::ClientSyncData;
use distro_core::message::naming::{Instance, ServiceKey};
use distro_core::time::{Mono, Period};

use crate::check::lookup::Lookup;

/// An instance's place in a service: a number that each (ip, port, cluster) gets when it shows up,
/// so that two places can't be taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(u32);

/// Numbers for places, given as they show up.
#[derive(Debug, Default)]
pub struct Places {
    numbers: Lookup<(Str, i32, Str)>,
    count: u32,
}

impl Places {
    /// The place of an instance when it has shown up already.
    pub fn known(&self, instance: &Instance) -> Option<Place> {
        let (ip, cluster) = (instance.ip.clone(), instance.cluster_name.clone());
        self.numbers.get(&(ip, instance.port, cluster)).map(Place)
    }

    /// The place of an instance.
    pub fn number(&mut self, instance: &Instance) -> Place {
        self.numbered((
            instance.ip.clone(),
            instance.port,
            instance.cluster_name.clone(),
        ))
    }

    /// The place with this ip, port and cluster.
    pub fn numbered(&mut self, key: (Str, i32, Str)) -> Place {
        if let Some(number) = self.numbers.get(&key) {
            return Place(number);
        }
        let number = self.count;
        self.numbers.insert(key, number);
        self.count += 1;
        Place(number)
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

/// Whether a list has an instance at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Standing {
    /// Nobody publishes an enabled one there: it has none.
    #[default]
    Absent,
    /// Some publish an enabled one there and others a disabled one: which of the records counts is
    /// the node's to say.
    Doubtful,
    /// All who publish there publish an enabled one: it has one.
    Sure,
}

impl Standing {
    fn allows(self, listed: bool) -> bool {
        match self {
            Standing::Absent => !listed,
            Standing::Doubtful => true,
            Standing::Sure => listed,
        }
    }
}

/// Who holds an instance at a place, and who held it last.
#[derive(Debug, Default)]
struct Held {
    holders: Vec<(u32, Arc<Instance>)>,
    past: Vec<(Mono, Arc<Instance>)>,
    standing: Standing,
    /// The place was given up while a member was away: what that member's records claim there may
    /// be hidden.
    given_up: bool,
}

impl Held {
    fn stand(&self) -> Standing {
        let enabled = self.holders.iter().filter(|(_, held)| held.enabled).count();
        if enabled == 0 {
            Standing::Absent
        } else if enabled == self.holders.len() && !self.given_up {
            Standing::Sure
        } else {
            Standing::Doubtful
        }
    }
}

/// A place's standing before it changed.
#[derive(Debug, Clone, Copy)]
struct Change {
    until: Mono,
    /// What changed in one step was never seen in part.
    step: u64,
    place: Place,
    before: Standing,
}

/// How an answer fits a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is the list as it is now.
    Now,
    /// It is the list as it was a moment ago.
    Lately,
    /// It is neither.
    Never,
}

/// One list and its recent past.
#[derive(Debug, Default)]
pub struct List {
    places: BTreeMap<Place, Held>,
    /// Places with a holder.
    filled: u32,
    /// Places that are not absent.
    shown: u32,
    /// Places that are sure.
    sure: u32,
    steps: u64,
    /// Latest last.
    past: VecDeque<Change>,
}

impl List {
    /// How many places the list has at most.
    pub fn count(&self) -> u32 {
        self.shown
    }

    /// How many places the list has at least.
    pub fn sure(&self) -> u32 {
        self.sure
    }

    /// Goes up with every change.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// How a set of places, in order, fits the list as it is, or was at a moment not before
    /// `since`.
    pub fn fit(&self, answer: &[Place], since: Mono) -> Fit {
        let mut wrong: BTreeSet<Place> = BTreeSet::new();
        let mut rest = answer.iter().copied().peekable();
        for (place, held) in &self.places {
            while let Some(unknown) = rest.next_if(|next| next < place) {
                wrong.insert(unknown);
            }
            let listed = rest.next_if_eq(place).is_some();
            if !held.standing.allows(listed) {
                wrong.insert(*place);
            }
        }
        wrong.extend(rest);
        if wrong.is_empty() {
            return Fit::Now;
        }
        // Back through the past, a step at a time, until nothing is wrong any more.
        let mut left = self.past.len();
        while let Some(last) = left.checked_sub(1).and_then(|index| self.past.get(index)) {
            if last.until < since {
                return Fit::Never;
            }
            let step = last.step;
            while let Some(change) = left.checked_sub(1).and_then(|index| self.past.get(index))
                && change.step == step
            {
                left -= 1;
                let listed = answer.binary_search(&change.place).is_ok();
                if change.before.allows(listed) {
                    wrong.remove(&change.place);
                } else {
                    wrong.insert(change.place);
                }
            }
            if wrong.is_empty() {
                return Fit::Lately;
            }
        }
        Fit::Never
    }

    /// Whether some record holds this very instance, or did at a moment not before `since`.
    pub fn has(&self, place: Place, instance: &Arc<Instance>, since: Mono) -> Fit {
        let same = |held: &Arc<Instance>| Arc::ptr_eq(held, instance) || held == instance;
        let Some(held) = self.places.get(&place) else {
            return Fit::Never;
        };
        if held.holders.iter().any(|(_, held)| same(held)) {
            return Fit::Now;
        }
        let lately = |(until, held): &(Mono, Arc<Instance>)| *until >= since && same(held);
        if held.past.iter().any(lately) {
            Fit::Lately
        } else {
            Fit::Never
        }
    }

    /// Clients that hold an enabled instance at a place, by number.
    pub fn holders(&self, place: Place) -> impl Iterator<Item = u32> {
        let holders = self
            .places
            .get(&place)
            .map_or(&[][..], |held| &held.holders);
        let enabled = holders.iter().filter(|(_, instance)| instance.enabled);
        enabled.map(|(client, _)| *client)
    }

    /// One instance for each place that must be in the list.
    pub fn instances(&self) -> impl Iterator<Item = (Place, &Arc<Instance>)> {
        self.places
            .iter()
            .filter(|(_, held)| held.standing == Standing::Sure)
            .filter_map(|(place, held)| held.holders.first().map(|(_, held)| (*place, held)))
    }

    /// A record is about to change: what follows is one step. Forgets what is long past.
    fn step(&mut self, at: Mono, window: Period) {
        let since = at - window;
        while self.past.front().is_some_and(|past| past.until < since) {
            self.past.pop_front();
        }
        self.steps += 1;
    }

    /// A place's holders changed.
    fn changed(&mut self, place: Place, at: Mono) {
        let Some(held) = self.places.get_mut(&place) else {
            return;
        };
        let (before, now) = (held.standing, held.stand());
        if before == now {
            return;
        }
        held.standing = now;
        self.past.push_back(Change {
            until: at,
            step: self.steps,
            place,
            before,
        });
        self.shown += u32::from(before == Standing::Absent);
        self.shown -= u32::from(now == Standing::Absent);
        self.sure += u32::from(now == Standing::Sure);
        self.sure -= u32::from(before == Standing::Sure);
    }

    fn give_up(&mut self, place: Place, at: Mono) {
        self.places.entry(place).or_default().given_up = true;
        self.changed(place, at);
    }

    fn put(&mut self, client: u32, (place, instance): (Place, &Arc<Instance>), at: Mono) {
        let held = self.places.entry(place).or_default();
        self.filled += u32::from(held.holders.is_empty());
        held.holders.push((client, instance.clone()));
        self.changed(place, at);
    }

    fn take(&mut self, client: u32, place: Place, at: Mono, window: Period) {
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
        self.filled -= u32::from(held.holders.is_empty());
        self.changed(place, at);
    }

    /// Forgets places that nobody fills and nobody may still answer with.
    fn forget(&mut self, at: Mono, window: Period) {
        if self.places.len() > self.filled as usize * 2 + 16 {
            self.places.retain(|_, held| {
                !held.holders.is_empty()
                    || held.given_up
                    || held.past.iter().any(|(until, _)| *until >= at - window)
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
    /// Services whose list the last change left without an instance.
    emptied: Vec<u32>,
}

/// The names that mirrors number.
#[derive(Debug, Default)]
pub struct Names {
    /// Services.
    pub services: Services,
    /// Places in them.
    pub places: Places,
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

impl Mirror {
    /// Forgets everything: the process is gone.
    pub fn clear(&mut self) {
        self.records.clear();
        self.lists.clear();
        self.emptied.clear();
    }

    /// A service's list.
    pub fn list(&self, service: u32) -> Option<&List> {
        self.lists.get(&service)
    }

    /// Services whose list the last change of a record left without an instance.
    pub fn emptied(&self) -> &[u32] {
        &self.emptied
    }

    /// A place of a service was given up while a member was away.
    pub fn give_up(&mut self, service: u32, place: Place, at: Mono, window: Period) {
        let list = self.lists.entry(service).or_default();
        list.step(at, window);
        list.give_up(place, at);
    }

    /// A record was created or changed.
    pub fn change(
        &mut self,
        (client, record): (u32, Record),
        names: &mut Names,
        at: Mono,
        window: Period,
    ) {
        self.emptied.clear();
        let old = self.records.insert(client, record.clone());
        if let Some(old) = &old
            && Arc::ptr_eq(&old.data, &record.data)
        {
            return;
        }
        let old = old.as_ref().map(|record| &*record.data);
        self.replace(client, (old, Some(&record.data)), names, (at, window));
    }

    /// A record was removed.
    pub fn remove(&mut self, client: u32, names: &mut Names, at: Mono, window: Period) {
        self.emptied.clear();
        if let Some(old) = self.records.remove(&client) {
            self.replace(client, (Some(&old.data), None), names, (at, window));
        }
    }

    fn replace(
        &mut self,
        client: u32,
        (old, new): (Option<&ClientSyncData>, Option<&ClientSyncData>),
        names: &mut Names,
        (at, window): (Mono, Period),
    ) {
        let none = Vec::new();
        let old_services = old.map_or(&none, |data| &data.services);
        let new_services = new.map_or(&none, |data| &data.services);
        for (key, published) in old_services {
            let next = new_services.iter().find(|entry| entry.0 == *key);
            if next.is_some_and(|entry| entry.1 == *published) {
                continue;
            }
            let service = names.services.number(key);
            let list = self.lists.entry(service).or_default();
            let before = list.count();
            list.step(at, window);
            for instance in published.instances() {
                list.take(client, names.places.number(instance), at, window);
            }
            for instance in next.iter().flat_map(|entry| entry.1.instances()) {
                list.put(client, (names.places.number(instance), instance), at);
            }
            list.forget(at, window);
            if before > 0 && list.count() == 0 {
                self.emptied.push(service);
            }
        }
        for (key, published) in new_services {
            if old_services.iter().any(|entry| entry.0 == *key) {
                continue;
            }
            let list = self.lists.entry(names.services.number(key)).or_default();
            list.step(at, window);
            for instance in published.instances() {
                list.put(client, (names.places.number(instance), instance), at);
            }
        }
    }
}
