//! Clients that this node sent away and that have left: their records stay until they have arrived
//! (docs/PROTOCOL.md, Departures).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::given_up::{Place, place_of};
use super::{NamingEvent, Node};
use crate::ids::ClientId;
use crate::io::{CloseReason, Output, RemoveCause};
use crate::message::distro::{ClientSyncData, Word};
use crate::message::naming::{Published, ServiceKey};
use crate::time::{Mono, Period};

/// A client that was asked to leave.
#[derive(Debug, Default)]
struct Departure {
    /// When its record is given up, in running time; absent while it is still connected.
    ends: Option<Mono>,
    /// Its places that somebody has claimed since.
    arrived: BTreeSet<(ServiceKey, Place)>,
    /// Its places that nobody has.
    awaited: BTreeSet<(ServiceKey, Place)>,
}

/// Clients that were asked to leave, or have left and not arrived yet.
#[derive(Debug, Default)]
pub(crate) struct Departures {
    table: BTreeMap<ClientId, Departure>,
    /// Who awaits a higher word than this at a place.
    places: BTreeMap<(ServiceKey, Place), (Word, ClientId)>,
    ends: BTreeSet<(Mono, ClientId)>,
}

impl Departures {
    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The earliest end of all.
    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        self.ends.first().map(|(ends, _)| *ends)
    }

    /// Awaits claims to all places of a record that nobody has claimed since it was asked to leave.
    fn await_claims(&mut self, data: &ClientSyncData) {
        let departure = self.table.entry(data.client.clone()).or_default();
        for (at, (service, published)) in data.services.iter().enumerate() {
            let word = data.word(at);
            for instance in published.instances() {
                let key = (service.clone(), place_of(instance));
                // Of two that leave the same place behind the later one waits for it.
                let is_later = self.places.get(&key).is_none_or(|(said, _)| *said <= word);
                if is_later && !departure.arrived.contains(&key) {
                    self.places.insert(key.clone(), (word, data.client.clone()));
                    departure.awaited.insert(key);
                }
            }
        }
    }

    /// Somebody claims a place. Returns the client that has left and has arrived by this.
    fn claimed(
        &mut self,
        service: &ServiceKey,
        place: Place,
        (by, word): (&ClientId, Word),
    ) -> Option<ClientId> {
        let key = (service.clone(), place);
        let (said, who) = self.places.get(&key)?;
        if *said >= word || who == by {
            return None;
        }
        let (_, client) = self.places.remove(&key)?;
        let departure = self.table.get_mut(&client)?;
        departure.awaited.remove(&key);
        departure.arrived.insert(key);
        (departure.awaited.is_empty() && departure.ends.is_some()).then_some(client)
    }

    /// The client has closed its connection. False when there is nothing to wait for.
    fn leave(&mut self, data: &ClientSyncData, ends: Mono) -> bool {
        self.await_claims(data);
        let Some(departure) = self.table.get_mut(&data.client) else {
            return false;
        };
        if departure.awaited.is_empty() {
            return false;
        }
        departure.ends = Some(ends);
        self.ends.insert((ends, data.client.clone()));
        true
    }

    fn overdue(&self, now: Mono) -> Option<(Mono, ClientId)> {
        self.ends.first().filter(|(ends, _)| *ends <= now).cloned()
    }

    /// The client is gone, or need not be waited for.
    pub(crate) fn forget(&mut self, client: &ClientId) {
        let Some(departure) = self.table.remove(client) else {
            return;
        };
        if let Some(ends) = departure.ends {
            self.ends.remove(&(ends, client.clone()));
        }
        for key in departure.awaited {
            if self.places.get(&key).is_some_and(|(_, who)| who == client) {
                self.places.remove(&key);
            }
        }
    }
}

impl Node {
    /// A client was asked to leave: from now on its places are looked for elsewhere.
    pub(super) fn asked_to_leave(&mut self, client: &ClientId) {
        if self.is_standalone() || !self.config.profile.speaks_distro() {
            return;
        }
        if let Some(entry) = self.clients.get(client) {
            self.departures.await_claims(&entry.data);
        }
    }

    /// Keeps the record of a client that was asked to leave and has closed its connection. False
    /// when there is nothing to keep it for.
    pub(super) fn depart(&mut self, client: &ClientId) -> bool {
        let ends = self.run() + self.config.timing.return_grace;
        let Some(entry) = self.clients.get(client) else {
            return false;
        };
        // Nobody else could tell of its arrival.
        let alone = self.is_standalone() || !self.config.profile.speaks_distro();
        if alone || !self.departures.leave(&entry.data, ends) {
            return false;
        }
        let Some(native) = self.clients.native_mut(client) else {
            return false;
        };
        native.conn = None;
        for (service, _) in core::mem::take(&mut native.subscriptions) {
            let client = client.clone();
            self.publish(NamingEvent::ClientUnsubscribeService(service, client));
        }
        true
    }

    /// Somebody publishes this: who left its places behind may have arrived.
    pub(super) fn arrived(
        &mut self,
        service: &ServiceKey,
        published: &Published,
        said: (&ClientId, Word),
        out: &mut Vec<Output>,
    ) {
        for instance in published.instances() {
            let place = place_of(instance);
            if let Some(client) = self.departures.claimed(service, place, said) {
                self.end_departure(&client, out);
            }
        }
    }

    /// The same for all that a record says.
    pub(super) fn arrived_with(&mut self, data: &ClientSyncData, out: &mut Vec<Output>) {
        if self.departures.is_empty() {
            return;
        }
        for (at, (service, published)) in data.services.iter().enumerate() {
            self.arrived(service, published, (&data.client, data.word(at)), out);
        }
    }

    /// Gives up those that did not arrive in time.
    pub(super) fn end_departures(&mut self, out: &mut Vec<Output>) {
        let run = self.run();
        while let Some((_, client)) = self.departures.overdue(run) {
            self.end_departure(&client, out);
        }
    }

    fn end_departure(&mut self, client: &ClientId, out: &mut Vec<Output>) {
        self.departures.forget(client);
        let cause = RemoveCause::Ejected(CloseReason::Rebalanced);
        self.remove_client(client, cause, Period::ZERO, out);
    }
}
