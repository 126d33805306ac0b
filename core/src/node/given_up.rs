//! Places that applications gave up while a member was away (docs/PROTOCOL.md, Last words).
//!
//! The member's records may still claim them and nobody can withdraw those. What is remembered
//! here hides them: a claim said before the one that was given up, while its owner is away.
//! Entries join by the higher word and travel with digests, each to a member that does not have it
//! yet, so what any node knows all learn.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::{NamingEvent, Node};
use crate::constants::{GIVEN_UP_BATCH, GIVEN_UP_MAX};
use crate::event::Event;
use crate::ids::{NodeId, Str};
use crate::io::Output;
use crate::message::distro::{GivenUp, Word};
use crate::message::naming::{Instance, Published, ServiceKey};
use crate::time::{Mono, Period};

/// Where an instance of a service is: ip, port, cluster.
pub(crate) type Place = (Str, i32, Str);

/// The place of an instance.
pub(crate) fn place_of(instance: &Instance) -> Place {
    (
        instance.ip.clone(),
        instance.port,
        instance.cluster_name.clone(),
    )
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    word: Word,
    /// When it may be forgotten, in running time.
    ends: Mono,
    /// Its number among all that was learnt: members are told what is above what they know.
    serial: u64,
}

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct GivenUps {
    table: BTreeMap<ServiceKey, BTreeMap<Place, Entry>>,
    /// The same by serial, the oldest first.
    order: BTreeMap<u64, (ServiceKey, Place)>,
    serial: u64,
}

impl GivenUps {
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// What hides claims to places of a service, if anything does.
    pub(crate) fn of(&self, service: &ServiceKey) -> Option<Hidden<'_>> {
        self.table.get(service).map(Hidden)
    }

    /// The services that have such places.
    pub(crate) fn services(&self) -> impl Iterator<Item = &ServiceKey> {
        self.table.keys()
    }

    /// Joins an entry. False when it says nothing new.
    fn learn(&mut self, given_up: &GivenUp, ends: Mono) -> bool {
        let GivenUp {
            service,
            ip,
            port,
            cluster,
            word,
            remaining: _,
        } = given_up;
        let (place, word) = ((ip.clone(), *port, cluster.clone()), *word);
        let places = self.table.entry(service.clone()).or_default();
        if let Some(known) = places.get(&place) {
            if known.word >= word {
                return false;
            }
            self.order.remove(&known.serial);
        }
        self.serial += 1;
        let serial = self.serial;
        places.insert(place.clone(), Entry { word, ends, serial });
        self.order.insert(serial, (service.clone(), place));
        true
    }

    fn forget(&mut self, serial: u64) -> Option<ServiceKey> {
        let (service, place) = self.order.remove(&serial)?;
        if let Some(places) = self.table.get_mut(&service) {
            places.remove(&place);
            if places.is_empty() {
                self.table.remove(&service);
            }
        }
        Some(service)
    }

    /// Forgets the oldest entry when there are too many.
    fn shrink(&mut self) -> Option<ServiceKey> {
        if self.order.len() <= GIVEN_UP_MAX {
            return None;
        }
        let (oldest, _) = self.order.first_key_value()?;
        self.forget(*oldest)
    }

    fn purge(&mut self, now: Mono) -> BTreeSet<ServiceKey> {
        let is_over = |(service, place): &(ServiceKey, Place)| {
            let entry = self.table.get(service).and_then(|at| at.get(place));
            entry.is_none_or(|entry| entry.ends <= now)
        };
        let over: Vec<u64> = self
            .order
            .iter()
            .filter(|(_, at)| is_over(at))
            .map(|(serial, _)| *serial)
            .collect();
        over.into_iter()
            .filter_map(|serial| self.forget(serial))
            .collect()
    }

    /// What was learnt after `told`, a message full at most, and the last serial in it.
    pub(crate) fn after(&self, told: u64, now: Mono) -> (Vec<GivenUp>, u64) {
        let mut last = told;
        let news = self.order.range(told + 1..).take(GIVEN_UP_BATCH);
        let news = news.filter_map(|(serial, (service, place))| {
            last = *serial;
            let entry = self.table.get(service)?.get(place)?;
            let (ip, port, cluster) = place.clone();
            Some(GivenUp {
                service: service.clone(),
                ip,
                port,
                cluster,
                word: entry.word,
                remaining: entry.ends.since(now),
            })
        });
        (news.collect(), last)
    }
}

/// The places of one service at which claims may be hidden.
#[derive(Clone, Copy)]
pub(crate) struct Hidden<'a>(&'a BTreeMap<Place, Entry>);

impl Hidden<'_> {
    /// Whether a claim said at `word` is hidden while its owner is away.
    pub(crate) fn hides(self, instance: &Instance, word: Word) -> bool {
        self.0
            .get(&place_of(instance))
            .is_some_and(|entry| entry.word > word)
    }
}

impl Node {
    /// A native client gives up what it claimed, in all or for `still`. It matters only while a
    /// member is away whose records may claim the same.
    pub(super) fn gave_up(
        &mut self,
        service: &ServiceKey,
        claimed: &Published,
        word: Word,
        still: Option<&Published>,
        out: &mut Vec<Output>,
    ) {
        if !self.config.profile.speaks_distro() || !self.clients.any_owner_is_away() {
            return;
        }
        let kept: BTreeSet<Place> = still
            .into_iter()
            .flat_map(Published::instances)
            .map(|instance| place_of(instance))
            .collect();
        for instance in claimed.instances() {
            let place = place_of(instance);
            if kept.contains(&place) {
                continue;
            }
            let (ip, port, cluster) = place;
            let given_up = GivenUp {
                service: service.clone(),
                ip,
                port,
                cluster,
                word,
                remaining: self.remembered_for(),
            };
            self.learn_given_up(given_up, out);
        }
    }

    /// Longer than any copy of a record can be kept whose owner is away by now.
    fn remembered_for(&self) -> Period {
        let timing = &self.config.timing;
        timing.client_expired_time + timing.client_clean_interval.times(2)
    }

    fn learn_given_up(&mut self, given_up: GivenUp, out: &mut Vec<Output>) {
        let ends = self.run() + given_up.remaining;
        if !self.clients.given_up.learn(&given_up, ends) {
            return;
        }
        self.list_changed(given_up.service.clone());
        out.push(Output::Event(Event::GivenUp(given_up)));
        if let Some(forgotten) = self.clients.given_up.shrink() {
            out.push(Output::Event(Event::BoundReached("given-up")));
            self.list_changed(forgotten);
        }
    }

    /// A fellow node tells of places that were given up.
    pub(super) fn hear_given_up(&mut self, told: &[GivenUp], out: &mut Vec<Output>) {
        for entry in told.iter().take(GIVEN_UP_BATCH) {
            if !self.can_be_said(entry.word) {
                continue;
            }
            self.words.hear(entry.word, self.now.mono);
            let remaining = entry.remaining.min(self.remembered_for());
            let entry = entry.clone();
            self.learn_given_up(GivenUp { remaining, ..entry }, out);
        }
    }

    /// Forgets what no record can claim any more.
    pub(super) fn purge_given_up(&mut self) {
        if self.clients.given_up.is_empty() {
            return;
        }
        for service in self.clients.given_up.purge(self.run()) {
            self.list_changed(service);
        }
    }

    /// A member came or went: what is hidden depends on it.
    pub(super) fn note_presence(&mut self, member: &NodeId, present: bool) {
        if !self.clients.set_present(member, present) {
            return;
        }
        let services: Vec<ServiceKey> = self.clients.given_up.services().cloned().collect();
        for service in services {
            self.list_changed(service);
        }
    }

    fn list_changed(&mut self, service: ServiceKey) {
        if self.services.get(&service).is_some() {
            let version = self.services.changed(&service, self.run());
            self.publish(NamingEvent::ServiceChanged(service, version));
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    fn given_up(port: i32, word: u64) -> GivenUp {
        GivenUp {
            service: ServiceKey::named("orders"),
            ip: Str::from("10.1.0.1"),
            port,
            cluster: Str::from("DEFAULT"),
            word: Word(word),
            remaining: Period::from_secs(9),
        }
    }

    const LATER: Mono = Mono(9_000_000);

    #[test]
    fn entries_join_by_the_higher_word_in_any_order() {
        for order in [[3, 5], [5, 3]] {
            let mut table = GivenUps::default();
            let news = order.map(|word| table.learn(&given_up(1, word), LATER));
            assert_eq!(news, [true, order[0] < order[1]]);
            assert!(!table.learn(&given_up(1, 5), LATER));
            let (told, _) = table.after(0, Mono(0));
            assert_eq!(told, [given_up(1, 5)]);
        }
    }

    #[test]
    fn a_member_is_told_what_it_does_not_know_a_message_full_at_a_time() {
        let mut table = GivenUps::default();
        let count = i32::try_from(GIVEN_UP_BATCH).expect("it is small") + 1;
        for port in 0..count {
            assert!(table.learn(&given_up(port, 1), LATER));
        }
        let (first, told) = table.after(0, Mono(0));
        assert_eq!(first.len(), GIVEN_UP_BATCH);
        let (rest, told) = table.after(told, Mono(0));
        assert_eq!(rest, [given_up(count - 1, 1)]);
        assert_eq!(table.after(told, Mono(0)), (Vec::new(), told));
        assert!(table.learn(&given_up(0, 2), LATER));
        assert_eq!(table.after(told, Mono(0)).0, [given_up(0, 2)]);
    }

    #[test]
    fn what_is_over_or_too_much_is_forgotten() {
        let mut table = GivenUps::default();
        assert!(table.learn(&given_up(1, 1), Mono(5)));
        assert!(table.learn(&given_up(2, 1), Mono(7)));
        assert_eq!(table.purge(Mono(5)).len(), 1);
        assert_eq!(table.after(0, Mono(7)).0.len(), 1);
        assert_eq!(table.purge(Mono(7)).len(), 1);
        assert!(table.is_empty() && table.table.is_empty());
        for n in 0..=GIVEN_UP_MAX {
            let mut one = given_up(0, 1);
            one.ip = Str::from(format!("10.{n}"));
            assert!(table.learn(&one, LATER));
            assert_eq!(table.shrink().is_some(), n == GIVEN_UP_MAX);
        }
        assert_eq!(table.order.len(), GIVEN_UP_MAX);
    }
}
