//! S15: the history of the tables is the same whatever the wall clocks do. Judged by two runs: the
//! scenario as it stands, and its [`twin`] without the wall faults, with the same seed.

use core::hash::{Hash, Hasher};

use distro_core::event::Event;
use distro_core::hash::{StableHasher, hash_of};

use crate::check::facts::Facts;
use crate::check::property::Property;
use crate::check::verdict::{Verdict, Violation};
use crate::observe::{Observation, Seen};
use crate::scenario::model::{Fault, HostFault, Scenario, What};

/// The history of all tables as one number: every creation, change and removal of a record on
/// any node, in order, with the client named by its host and the number of its connection, and
/// without any time, id or incarnation, which may hold wall time.
#[derive(Debug, Default)]
pub struct History {
    hasher: StableHasher,
    changes: u64,
}

impl History {
    /// Takes in a change of a table; anything else is not history.
    pub(crate) fn see(&mut self, facts: &Facts, seen: &Observation<'_>) {
        let Some(client) = facts.client else { return };
        let record = &facts.clients[client as usize];
        let name = (seen.host.0, record.host, record.number);
        match seen.what {
            Seen::Node(Event::ClientChanged {
                data,
                native,
                created,
                ..
            }) => {
                let content = match &record.last {
                    Some((last, hash)) if std::sync::Arc::ptr_eq(last, data) => *hash,
                    Some(_) | None => hash_of(&data.services),
                };
                (name, data.revision, content, *native, *created).hash(&mut self.hasher);
            }
            Seen::Node(Event::ClientDisconnect {
                removed, native, ..
            }) => {
                (name, removed.cause, *native).hash(&mut self.hasher);
            }
            _ => return,
        }
        self.changes += 1;
    }

    /// The number.
    pub fn hash(&self) -> u64 {
        hash_of(&(self.hasher.finish(), self.changes))
    }
}

/// The scenario with wall clocks that jump by nothing; none when they don't jump, so that there is
/// nothing to compare.
///
/// Why the jumps stay in the timeline: one wakes its host, and a host that wakes at another moment
/// sends at another place among all others, for which a world draws other delays. That would be
/// another history, and not the clock's doing.
pub fn twin(scenario: &Scenario) -> Option<Scenario> {
    let mut twin = scenario.clone();
    let mut jumps = false;
    for action in &mut twin.timeline {
        if let What::Fault {
            fault: Fault::Hosts(_, HostFault::WallJump { by_millis }),
            ..
        } = &mut action.what
        {
            jumps |= *by_millis != 0;
            *by_millis = 0;
        }
    }
    jumps.then_some(twin)
}

/// Puts S15 into a run's verdict by comparing it with its twin's.
pub fn compare(verdict: &mut Verdict, twin: &Verdict) {
    let same = verdict.history_hash == twin.history_hash;
    let about = Property::S15.about();
    if let Some(result) = verdict
        .checks
        .iter_mut()
        .find(|result| result.check == about.code)
    {
        result.judged += 1;
        result.broken += u64::from(!same);
    }
    if !same {
        let moments = verdict.violations.iter();
        let earliest = moments.map(|first| (first.at, first.entry)).min();
        let (at, entry) = earliest.unwrap_or_default();
        verdict.violations.push(Violation {
            check: about.code,
            text: "the history of the tables is another one without the wall clocks' jumps".into(),
            at,
            entry,
            bound: None,
            measured: None,
        });
    }
}
