//! Seeded randomness, split by purpose: a draw added for one purpose never shifts another's.

use crate::hash::{hash_of, mix};
use crate::time::Period;

/// SplitMix64 (Steele, Lea, Flood 2014): tiny, seedable, and its algorithm is ours to keep, so
/// a seed stays valid when a dependency changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rng(u64);

impl Rng {
    /// A generator for one purpose. Equal (seed, label) give equal draws for ever.
    pub fn new(seed: u64, label: &str) -> Rng {
        Rng(mix(seed ^ hash_of(label)))
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`, 0 when the bound is 0. The modulo bias is below 2^-32 for every
    /// bound under 2^32.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            0
        } else {
            self.next_u64() % bound
        }
    }

    /// A number from `low` to `high`, both included; `low` when the range is empty.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True with a probability of `per_million` in a million.
    pub fn chance(&mut self, per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(per_million)
    }

    /// A period from `low` to `high`, both included.
    pub fn period(&mut self, low: Period, high: Period) -> Period {
        Period(self.between(low.0, high.0))
    }
}
