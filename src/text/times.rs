//! The table of the protocol's times.

use std::collections::BTreeMap;

use distro_core::config::{Timing, TimingKey};
use distro_core::time::Period;

use super::slot::{AnySlot, Slot};
use super::table::{Key, Section, Table, Usual, key};

/// The protocol's times, as far as somebody sets them.
#[derive(Debug, Clone)]
pub struct Times(BTreeMap<TimingKey, Slot<Option<Period>>>);

impl Default for Times {
    fn default() -> Times {
        let all = TimingKey::ALL.iter();
        Times(all.map(|key| (*key, Slot::usual(None))).collect())
    }
}

impl FromIterator<(TimingKey, Period)> for Times {
    fn from_iter<I: IntoIterator<Item = (TimingKey, Period)>>(set: I) -> Times {
        let mut times = Times::default();
        let set = set.into_iter();
        times
            .0
            .extend(set.map(|(key, time)| (key, Slot::said(Some(time)))));
        times
    }
}

impl Times {
    /// What the table is.
    pub const SECTION: Section = Section {
        title: "[timing]",
        what: "[timing]",
        about: "Times of the protocol; left out, those of the profile, which are these of `distro`.",
        noun: Some("timing"),
        keys: Times::keys,
    };

    fn keys() -> Vec<Key> {
        let usual = Timing::default();
        let key = |time: &TimingKey| {
            let usual = Usual::Time(usual[*time]);
            key::<Period>(time.name(), usual, time.about())
        };
        TimingKey::ALL.iter().map(key).collect()
    }

    /// One of them, as it was written.
    pub fn slot(&self, key: TimingKey) -> Option<&Slot<Option<Period>>> {
        self.0.get(&key)
    }

    /// Those that somebody set.
    pub fn set(&self) -> impl Iterator<Item = (TimingKey, Period)> {
        self.0
            .iter()
            .filter_map(|(key, slot)| Some((*key, slot.value?)))
    }
}

impl Table for Times {
    fn section(&self) -> Section {
        Times::SECTION
    }

    fn slots(&self) -> Vec<&dyn AnySlot> {
        self.0.values().map(|slot| slot as &dyn AnySlot).collect()
    }

    fn slots_mut(&mut self) -> Vec<&mut dyn AnySlot> {
        self.0
            .values_mut()
            .map(|slot| slot as &mut dyn AnySlot)
            .collect()
    }
}

crate::table_kind!(Times);
