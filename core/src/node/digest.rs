//! A digest of one owner's records that costs constant work per change and narrows down to what
//! differs: 64 branches of 64 leaves by the top twelve bits of the client id's hash.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::hash::{hash_of, mix};
use crate::ids::{ClientId, Revision, Str};
use crate::message::distro::Digest;

const LEAF_BITS: u32 = 12;
const BRANCH_BITS: u32 = 6;

/// Which leaves a branch has.
pub(crate) fn leaves_of(branch: u8) -> core::ops::RangeInclusive<u16> {
    let first = u16::from(branch) << (LEAF_BITS - BRANCH_BITS);
    first..=first + ((1 << (LEAF_BITS - BRANCH_BITS)) - 1)
}

/// The branch that a leaf is on. Leaves out of range (a peer may send any number) fall on the last.
pub(crate) fn branch_of(leaf: u16) -> u8 {
    u8::try_from(leaf >> (LEAF_BITS - BRANCH_BITS)).unwrap_or(u8::MAX)
}

fn leaf_of(id_hash: u64) -> u16 {
    u16::try_from(id_hash >> (64 - LEAF_BITS)).expect("twelve bits fit into sixteen")
}

fn record_hash(id_hash: u64, revision: Revision) -> u64 {
    mix(id_hash ^ mix(revision.0.wrapping_add(0x9e37_79b9_7f4a_7c15)))
}

fn add(digest: &mut Digest, hash: u64) {
    digest.sum = digest.sum.wrapping_add(hash);
    digest.count += 1;
}

fn subtract(digest: &mut Digest, hash: u64) {
    assert!(digest.count > 0, "only what was added is taken away");
    digest.sum = digest.sum.wrapping_sub(hash);
    digest.count -= 1;
}

/// The digest tree over one owner's records.
#[derive(Debug, Default)]
pub(crate) struct DigestTree {
    whole: Digest,
    leaves: BTreeMap<u16, Digest>,
    members: BTreeSet<(u16, ClientId)>,
}

impl DigestTree {
    /// Adds a record, or replaces its earlier revision.
    pub(crate) fn set(&mut self, client: &ClientId, old: Option<Revision>, new: Revision) {
        let id_hash = hash_of(client.as_str());
        let leaf = leaf_of(id_hash);
        let digest = self.leaves.entry(leaf).or_default();
        match old {
            Some(old) => {
                subtract(digest, record_hash(id_hash, old));
                subtract(&mut self.whole, record_hash(id_hash, old));
            }
            None => {
                let fresh = self.members.insert((leaf, client.clone()));
                assert!(fresh, "a record is added once");
            }
        }
        add(digest, record_hash(id_hash, new));
        add(&mut self.whole, record_hash(id_hash, new));
    }

    /// Takes a record away.
    pub(crate) fn remove(&mut self, client: &ClientId, revision: Revision) {
        let id_hash = hash_of(client.as_str());
        let leaf = leaf_of(id_hash);
        let known = self.members.remove(&(leaf, client.clone()));
        assert!(known, "only what was added is taken away");
        subtract(&mut self.whole, record_hash(id_hash, revision));
        let digest = self
            .leaves
            .get_mut(&leaf)
            .expect("a member's leaf has a digest");
        subtract(digest, record_hash(id_hash, revision));
        if digest.count == 0 {
            self.leaves.remove(&leaf);
        }
    }

    pub(crate) fn whole(&self) -> Digest {
        self.whole
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.whole.count == 0
    }

    pub(crate) fn leaf(&self, leaf: u16) -> Digest {
        self.leaves.get(&leaf).copied().unwrap_or_default()
    }

    /// The leaves of a branch that hold anything.
    pub(crate) fn branch_leaves(&self, branch: u8) -> impl Iterator<Item = (u16, Digest)> {
        self.leaves
            .range(leaves_of(branch))
            .map(|(leaf, digest)| (*leaf, *digest))
    }

    /// The digests of all branches that hold anything.
    pub(crate) fn branches(&self) -> Vec<(u8, Digest)> {
        let mut branches: Vec<(u8, Digest)> = Vec::new();
        for (leaf, digest) in &self.leaves {
            let branch = branch_of(*leaf);
            match branches.last_mut() {
                Some((last, sum)) if *last == branch => {
                    sum.sum = sum.sum.wrapping_add(digest.sum);
                    sum.count += digest.count;
                }
                Some(_) | None => branches.push((branch, *digest)),
            }
        }
        branches
    }

    /// The clients of a leaf, in id order.
    pub(crate) fn clients(&self, leaf: u16) -> impl Iterator<Item = &ClientId> {
        let first = (leaf, ClientId(Str::from("")));
        self.members
            .range(first..)
            .take_while(move |(at, _)| *at == leaf)
            .map(|(_, id)| id)
    }

    /// All clients, in leaf order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &ClientId> {
        self.members.iter().map(|(_, id)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn id(number: u32) -> ClientId {
        ClientId::new(&format!("17000_10.0.0.{number}_40000"))
    }

    #[test]
    fn the_digest_does_not_depend_on_order_or_history() {
        let (mut one, mut two) = (DigestTree::default(), DigestTree::default());
        for number in 0..300 {
            one.set(&id(number), None, Revision(1));
            two.set(&id(299 - number), None, Revision(7));
        }
        for number in 0..300 {
            two.set(&id(number), Some(Revision(7)), Revision(1));
        }
        two.set(&id(999), None, Revision(3));
        two.remove(&id(999), Revision(3));
        assert_eq!(one.whole(), two.whole());
        assert_eq!(one.branches(), two.branches());
    }

    #[test]
    fn one_different_revision_shows_in_one_leaf_only() {
        let (mut one, mut two) = (DigestTree::default(), DigestTree::default());
        for number in 0..300 {
            one.set(&id(number), None, Revision(1));
            two.set(
                &id(number),
                None,
                Revision(if number == 42 { 2 } else { 1 }),
            );
        }
        assert_ne!(one.whole(), two.whole());
        let leaf = leaf_of(hash_of(id(42).as_str()));
        let differing: Vec<u16> = (0..4096)
            .filter(|leaf| one.leaf(*leaf) != two.leaf(*leaf))
            .collect();
        assert_eq!(differing, [leaf]);
        assert!(one.clients(leaf).any(|client| *client == id(42)));
        assert!(leaves_of(branch_of(leaf)).contains(&leaf));
    }
}
