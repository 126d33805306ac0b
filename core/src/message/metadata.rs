//! Free text pairs of an instance.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::Str;

/// Text pairs by key, each key once (Nacos `Instance.metadata`).
///
/// A slice in key order. Why no tree: most instances have none or a few, and a tree makes room for
/// eleven with the first, more than all the rest of an instance.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Metadata(Box<[(Str, Str)]>);

impl Metadata {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Str> {
        Some(&self.0[self.position(key).ok()?].1)
    }

    /// True when the key has a value.
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_ok()
    }

    /// Gives a key its value. Costs the length: tables of many pairs are collected instead.
    pub fn insert(&mut self, key: Str, value: Str) {
        match self.position(&key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => {
                let mut pairs = core::mem::take(&mut self.0).into_vec();
                pairs.insert(at, (key, value));
                self.0 = pairs.into();
            }
        }
    }

    /// The pairs in key order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Str, &Str)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The keys in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Str> {
        self.0.iter().map(|(key, _)| key)
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn position(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(at, _)| (**at).cmp(key))
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Of a key that comes twice the last value counts.
impl FromIterator<(Str, Str)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (Str, Str)>>(pairs: I) -> Metadata {
        let mut sorted: Vec<(Str, Str)> = pairs.into_iter().collect();
        // Stable, so that the last of equal keys stays the last.
        sorted.sort_by(|(one, _), (two, _)| one.cmp(two));
        sorted.dedup_by(|(key, value), (kept, earlier)| {
            let same = key == kept;
            if same {
                core::mem::swap(value, earlier);
            }
            same
        });
        Metadata(sorted.into())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Metadata {
    fn from(pairs: [(&str, &str); N]) -> Metadata {
        pairs
            .into_iter()
            .map(|(key, value)| (Str::from(key), Str::from(value)))
            .collect()
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Metadata, D::Error> {
        Ok(BTreeMap::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn pairs_are_kept_by_key_and_the_last_of_a_key_counts() {
        let mut pairs = Metadata::from([("b", "1"), ("a", "2"), ("b", "3"), ("b", "4")]);
        assert_eq!(format!("{pairs:?}"), r#"{"a": "2", "b": "4"}"#);
        pairs.insert(Str::from("aa"), Str::from("5"));
        pairs.insert(Str::from("b"), Str::from("6"));
        assert_eq!(pairs.get("b").map(|value| &**value), Some("6"));
        assert_eq!((pairs.len(), pairs.get("c")), (3, None));
        assert!(pairs.keys().is_sorted() && pairs.contains_key("aa"));
    }
}
