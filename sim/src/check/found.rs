//! Where checks put what they find.

use std::collections::BTreeMap;

use distro_core::time::{Mono, Period};

use crate::check::property::{ALL, Property};
use crate::check::verdict::{CheckResult, Violation};

/// A moment of a run: the time and the trace entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment {
    /// True simulated time.
    pub at: Mono,
    /// Number of the trace entry.
    pub entry: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    judged: u64,
    broken: u64,
    worst: Option<(Period, Period)>,
}

/// Everything that was found in a run so far.
#[derive(Debug)]
pub struct Found {
    tallies: [Tally; ALL.len()],
    violations: Vec<Violation>,
    marks: BTreeMap<&'static str, u64>,
}

impl Default for Found {
    fn default() -> Found {
        Found {
            tallies: [Tally::default(); ALL.len()],
            violations: Vec::new(),
            marks: BTreeMap::new(),
        }
    }
}

impl Found {
    /// The property was judged and held.
    #[inline]
    pub fn held(&mut self, property: Property) {
        self.tallies[property as usize].judged += 1;
    }

    /// The property was judged and held, with a measured time against its bound.
    pub fn held_within(&mut self, property: Property, measured: Period, bound: Period) {
        let tally = &mut self.tallies[property as usize];
        tally.judged += 1;
        if tally.worst.is_none_or(|(worst, _)| measured > worst) {
            tally.worst = Some((measured, bound));
        }
    }

    /// The property was broken. Only the first time is told in words.
    pub fn broken(&mut self, property: Property, when: Moment, text: impl FnOnce() -> String) {
        self.add(property, when, None, text);
    }

    /// The property was broken: something took longer than its bound. `measured` is the time that
    /// had passed when it was noticed or when it came.
    pub fn late(
        &mut self,
        property: Property,
        when: Moment,
        (bound, measured): (Period, Period),
        text: impl FnOnce() -> String,
    ) {
        self.add(property, when, Some((bound, measured)), text);
    }

    fn add(
        &mut self,
        property: Property,
        when: Moment,
        times: Option<(Period, Period)>,
        text: impl FnOnce() -> String,
    ) {
        let tally = &mut self.tallies[property as usize];
        tally.judged += 1;
        tally.broken += 1;
        if let Some((bound, measured)) = times
            && tally.worst.is_none_or(|(worst, _)| measured > worst)
        {
            tally.worst = Some((measured, bound));
        }
        if tally.broken > 1 {
            return;
        }
        self.violations.push(Violation {
            check: property.about().code,
            text: text(),
            at: when.at,
            entry: when.entry,
            bound: times.map(|(bound, _)| bound),
            measured: times.map(|(_, measured)| measured),
        });
    }

    /// A rare path was reached.
    #[inline]
    pub fn mark(&mut self, name: &'static str) {
        *self.marks.entry(name).or_default() += 1;
    }

    /// How often a property was broken so far.
    pub fn count(&self, property: Property) -> u64 {
        self.tallies[property as usize].broken
    }

    /// How often a property was judged so far.
    pub fn judged(&self, property: Property) -> u64 {
        self.tallies[property as usize].judged
    }

    /// How often a rare path was reached.
    pub fn marked(&self, name: &str) -> u64 {
        self.marks.get(name).copied().unwrap_or_default()
    }

    /// Violations in time order, but S9 last, results of all properties, and marks.
    pub fn into_parts(
        mut self,
    ) -> (
        Vec<Violation>,
        Vec<CheckResult>,
        BTreeMap<&'static str, u64>,
    ) {
        // Why S9 comes last: the releases of Nacos serve while they load, and a reader wants to
        // know what else they do.
        let last = Property::S9.about().code;
        self.violations.sort_by_key(|violation| {
            let is_last = violation.check == last;
            (is_last, violation.at, violation.entry)
        });
        let results = ALL
            .iter()
            .zip(self.tallies)
            .map(|(about, tally)| CheckResult {
                check: about.code,
                name: about.name,
                judged: tally.judged,
                worst: tally.worst.map(|(worst, _)| worst),
                bound: tally.worst.map(|(_, bound)| bound),
                broken: tally.broken,
            })
            .collect();
        (self.violations, results, self.marks)
    }
}
