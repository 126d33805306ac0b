//! What is said of a run when it is over.

use std::collections::BTreeMap;

use distro_core::time::{Mono, Period};

/// One broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The property, such as `S4`.
    pub check: &'static str,
    /// What happened, in one sentence that names hosts and records.
    pub text: String,
    /// The first moment at which it was broken.
    pub at: Mono,
    /// Number of the trace entry at that moment.
    pub entry: u64,
    /// The bound that was promised, for properties that have one.
    pub bound: Option<Period>,
    /// What was measured against it.
    pub measured: Option<Period>,
}

/// What became of one check in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// The property, such as `L2`.
    pub check: &'static str,
    /// Its name in words, such as `change visible on peer`.
    pub name: &'static str,
    /// How often it was judged. Zero: this run gave no occasion.
    pub judged: u64,
    /// The largest measured time, for properties with a bound.
    pub worst: Option<Period>,
    /// The bound at that time.
    pub bound: Option<Period>,
    /// How often it was broken.
    pub broken: u64,
}

/// What all checks say of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// The first violation of each property, in time order, but S9 last.
    pub violations: Vec<Violation>,
    /// Every check, in the order S1..S17, L1..L12.
    pub checks: Vec<CheckResult>,
    /// How often each rare path was reached.
    pub marks: BTreeMap<&'static str, u64>,
    /// The history of all tables as one number; see [`wall`](crate::check::wall).
    pub history_hash: u64,
}
