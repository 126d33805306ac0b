//! Ordered sets and maps as the checks need them.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

/// A set of nodes, however many there are. Most scenarios have few: those take no memory of their
/// own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeSet {
    first: u64,
    more: Vec<u64>,
}

impl NodeSet {
    const fn place(node: u32) -> (usize, u64) {
        (node as usize / 64, 1 << (node % 64))
    }

    /// Puts a node in.
    pub fn insert(&mut self, node: u32) {
        let (word, bit) = NodeSet::place(node);
        match word.checked_sub(1) {
            None => self.first |= bit,
            Some(word) => {
                if word >= self.more.len() {
                    self.more.resize(word + 1, 0);
                }
                self.more[word] |= bit;
            }
        }
    }

    /// Takes a node out.
    pub fn remove(&mut self, node: u32) {
        let (word, bit) = NodeSet::place(node);
        match word.checked_sub(1) {
            None => self.first &= !bit,
            Some(word) => {
                if let Some(word) = self.more.get_mut(word) {
                    *word &= !bit;
                }
            }
        }
    }

    /// True when a node is in it.
    pub fn contains(&self, node: u32) -> bool {
        let (word, bit) = NodeSet::place(node);
        let word = match word.checked_sub(1) {
            None => Some(&self.first),
            Some(word) => self.more.get(word),
        };
        word.is_some_and(|word| word & bit != 0)
    }

    /// True when no node is in it.
    pub fn is_empty(&self) -> bool {
        self.first == 0 && self.more.iter().all(|word| *word == 0)
    }
}

/// Takes everything in a range of keys out of a map, at a cost that depends on what is taken and
/// not on what stays.
pub(crate) fn take_range<K: Ord + Clone, V>(map: &mut BTreeMap<K, V>, range: impl RangeBounds<K>) {
    let keys: Vec<K> = map.range(range).map(|(key, _)| key.clone()).collect();
    for key in keys {
        map.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_tells_nodes_apart_however_many_there_are() {
        let mut set = NodeSet::default();
        let nodes = [0, 1, 8, 31, 62, 63, 64, 65, 127, 128, 249];
        for node in nodes {
            assert!(set.is_empty());
            set.insert(node);
            let inside: Vec<u32> = (0..250).filter(|node| set.contains(*node)).collect();
            assert_eq!(inside, [node]);
            set.remove(node);
        }
        for node in nodes {
            set.insert(node);
        }
        let inside: Vec<u32> = (0..250).filter(|node| set.contains(*node)).collect();
        assert_eq!(inside, nodes);
    }

    #[test]
    fn a_range_is_taken_out_and_the_rest_stays() {
        let mut map: BTreeMap<(u32, u32), ()> = BTreeMap::new();
        for place in [(1, 0), (1, 7), (2, 3), (3, 0)] {
            map.insert(place, ());
        }
        take_range(&mut map, (1, 0)..=(1, u32::MAX));
        assert_eq!(map.into_keys().collect::<Vec<_>>(), [(2, 3), (3, 0)]);
    }
}
