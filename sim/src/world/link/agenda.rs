//! What a driver does when, in the worlds whose hosts run by themselves.

use std::collections::BTreeMap;

use distro_core::time::Period;

use crate::scenario::model::{HostId, Scenario};

/// Why a limit on bandwidth is not wholly what it is in the world `event`.
pub(crate) const BANDWIDTH_NOTE: &str = "a full queue holds the sender's writes back here; it is told that the \
     connection is busy only when its own queue is full too";

/// Something the driver does at its time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Due {
    /// A host's process starts for the first time.
    Start(u32),
    /// An action of the timeline begins.
    Begin(u32),
    /// It ends.
    End(u32),
    /// A rolling restart stops one of its hosts.
    RollStop(u32, usize),
    /// It starts that host again.
    RollStart(u32, usize),
    /// A client with churn changes something.
    Churn(usize),
}

/// What is to be done, by time, then in the order in which it was planned.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    due: BTreeMap<(u64, u64), Due>,
    planned: u64,
}

impl Agenda {
    /// All that a scenario fixes in advance.
    pub(crate) fn new(scenario: &Scenario) -> Agenda {
        let mut agenda = Agenda::default();
        let starts = scenario.nodes.iter().map(|node| node.start);
        let starts = starts.chain(scenario.clients.iter().map(|client| client.start));
        for (start, host) in starts.zip(0..) {
            agenda.push(start.0, Due::Start(host));
        }
        for (action, index) in scenario.timeline.iter().zip(0..) {
            agenda.push(action.at.0, Due::Begin(index));
        }
        agenda
    }

    pub(crate) fn push(&mut self, at: u64, due: Due) {
        self.planned += 1;
        self.due.insert((at, self.planned), due);
    }

    /// Plans the steps of a rolling restart that begins now.
    pub(crate) fn roll(
        &mut self,
        action: u32,
        hosts: &[HostId],
        now: u64,
        (every, down): (Period, Period),
    ) {
        for place in 0..hosts.len() {
            let stop = now.saturating_add(every.times(place as u64).0);
            self.push(stop, Due::RollStop(action, place));
            self.push(stop.saturating_add(down.0), Due::RollStart(action, place));
        }
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
