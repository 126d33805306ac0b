//! What is due next, for worlds whose hosts run by themselves.

use std::collections::BTreeMap;

use super::Due;

/// What is to be done, by time, then in the order in which it was planned.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    due: BTreeMap<(u64, u64), Due>,
    planned: u64,
}

impl Agenda {
    /// Plans something.
    pub(crate) fn push(&mut self, at: u64, due: Due) {
        self.planned += 1;
        self.due.insert((at, self.planned), due);
    }

    /// Takes the next thing out if it is due.
    pub(crate) fn pop(&mut self, now: u64) -> Option<Due> {
        let first = self
            .due
            .first_entry()
            .filter(|entry| entry.key().0 <= now)?;
        Some(first.remove())
    }

    /// When the next thing is due.
    pub(crate) fn next(&self) -> Option<u64> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }
}
