//! Numbers for names: the one place of the checks where a hash map is worth it.

use std::hash::{BuildHasherDefault, Hash};

use distro_core::hash::StableHasher;

/// A number for each name.
///
/// Why no ordered map: ids and service keys have long common beginnings, so each step of an
/// ordered search compares them almost to their ends, and nearly every check asks for a number at
/// every observation. The hasher is fixed and there is no way to iterate, so nothing depends on
/// the order inside.
#[derive(Debug)]
#[expect(
    clippy::disallowed_types,
    reason = "fixed hasher, no iteration: no order to depend on"
)]
pub(crate) struct Lookup<K>(std::collections::HashMap<K, u32, BuildHasherDefault<StableHasher>>);

impl<K> Default for Lookup<K> {
    fn default() -> Lookup<K> {
        Lookup(Default::default())
    }
}

impl<K: Hash + Eq> Lookup<K> {
    /// The number of a name.
    pub(crate) fn get(&self, name: &K) -> Option<u32> {
        self.0.get(name).copied()
    }

    /// Gives a name its number.
    pub(crate) fn insert(&mut self, name: K, number: u32) {
        self.0.insert(name, number);
    }
}
