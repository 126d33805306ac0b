//! Places for those who have not said who they are: a table for each class of port, in which no
//! address can take what another needs.
//!
//! A place is taken by a stream that was accepted and free again when its setup has arrived. When
//! all are taken, the address that has most of them gives up its oldest; but of equals, and of its
//! own, nobody drives out another that came a moment ago, or a crowd would never get in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use distro_core::ids::Str;
use distro_core::time::{Mono, Period};

use crate::carrier::unfinished::Cut;

/// How long a stream is left in its place by others of its own address. Why: a setup arrives within
/// a few round trips.
const SETTLE: Period = Period::from_secs(1);

/// The table.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Mutex<Table>>);

#[derive(Debug)]
struct Table {
    max: usize,
    taken: usize,
    last: u64,
    addresses: BTreeMap<Str, BTreeMap<u64, (Mono, Arc<Cut>)>>,
}

/// A place; free when this goes.
#[derive(Debug)]
pub(super) struct Place {
    table: Places,
    address: Str,
    number: u64,
}

impl Places {
    pub(super) fn new(max: u32) -> Places {
        Places(Arc::new(Mutex::new(Table {
            max: max.max(1) as usize,
            taken: 0,
            last: 0,
            addresses: BTreeMap::new(),
        })))
    }

    /// A place for a stream of this address, if need be that of another, which is cut; `None` when
    /// there is none.
    pub(super) fn take(&self, address: &Str, cut: &Arc<Cut>, now: Mono) -> Option<Place> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.taken >= table.max {
            let (address, number) = table.who_goes(address, now)?;
            if let Some(cut) = table.leave(&address, number) {
                cut.cut();
            }
        }
        table.taken += 1;
        table.last += 1;
        let number = table.last;
        let of = table.addresses.entry(address.clone()).or_default();
        of.insert(number, (now, cut.clone()));
        Some(Place {
            table: self.clone(),
            address: address.clone(),
            number,
        })
    }
}

impl Table {
    /// Who makes room for one of this address.
    fn who_goes(&self, address: &Str, now: Mono) -> Option<(Str, u64)> {
        let mine = self.addresses.get(address).map_or(0, BTreeMap::len);
        let (greedy, of) = self.addresses.iter().max_by_key(|(_, of)| of.len())?;
        let is_fair = of.len() <= mine + 1;
        let (from, of) = match self.addresses.get_key_value(address) {
            Some(own) if is_fair => own,
            Some(_) | None => (greedy, of),
        };
        let (number, (since, _)) = of.first_key_value()?;
        let may_go = !is_fair || now.since(*since) >= SETTLE;
        may_go.then(|| (from.clone(), *number))
    }

    fn leave(&mut self, address: &Str, number: u64) -> Option<Arc<Cut>> {
        let of = self.addresses.get_mut(address)?;
        let (_, cut) = of.remove(&number)?;
        if of.is_empty() {
            self.addresses.remove(address);
        }
        self.taken -= 1;
        Some(cut)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.table.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.leave(&self.address, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono(0) + Period::from_secs(seconds)
    }

    #[test]
    fn silent_ones_of_one_address_make_room_for_everybody_else() {
        let places = Places::new(4);
        let silent: Vec<_> = (0..4)
            .map(|_| {
                let cut: Arc<Cut> = Arc::default();
                let place = places.take(&Str::from("10.0.0.9"), &cut, at(0));
                (place.expect("there is room"), cut)
            })
            .collect();
        let good = Arc::default();
        let one = places.take(&Str::from("10.0.0.1"), &good, at(0));
        assert!(one.is_some() && silent[0].1.is_cut() && !silent[1].1.is_cut());
        let two = places.take(&Str::from("10.0.0.2"), &good, at(0));
        assert!(two.is_some() && silent[1].1.is_cut());
        assert!(!good.is_cut());
    }

    #[test]
    fn of_their_own_address_they_make_room_after_a_while() {
        let places = Places::new(2);
        let address = Str::from("10.0.0.9");
        let (old, new): (Arc<Cut>, Arc<Cut>) = Default::default();
        let _old = places.take(&address, &old, at(0));
        let _other = places.take(&address, &new, at(1));
        assert!(places.take(&address, &new, Mono(999_999)).is_none());
        assert!(!old.is_cut());
        assert!(places.take(&address, &new, at(1)).is_some());
        assert!(old.is_cut() && !new.is_cut());
    }

    #[test]
    fn a_place_that_is_left_is_free() {
        let places = Places::new(1);
        let address = Str::from("10.0.0.9");
        for _ in 0..3 {
            let cut = Arc::default();
            assert!(places.take(&address, &cut, at(0)).is_some());
        }
    }
}
