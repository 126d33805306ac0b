//! The syncs that wait for each target, and which are under way.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::constants::{SYNC_IN_FLIGHT_MAX, SYNC_PENDING_MAX};
use crate::ids::{ClientId, NodeId};
use crate::time::{Mono, Period};

/// Nacos `DataOperation` of an outgoing sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The target's copy differs.
    Add,
    /// The client changed.
    Change,
    /// The client is gone.
    Delete,
}

/// A sync that waits. Times are aging time.
#[derive(Debug)]
struct Task {
    action: Action,
    created: Mono,
    /// Nacos `lastProcessTime`; the task is due `interval` later.
    processed: Mono,
    due: Mono,
    /// False while a sync of the same client is under way: it is queued again afterwards.
    queued: bool,
}

/// All syncs to one target.
#[derive(Debug, Default)]
pub(super) struct Target {
    tasks: BTreeMap<ClientId, Task>,
    queue: BTreeSet<(Mono, ClientId)>,
    in_flight: BTreeSet<ClientId>,
    reachable: bool,
    /// More wanted to wait than may, and not much less does since.
    overflowed: bool,
}

/// All syncs.
#[derive(Debug)]
pub(crate) struct Syncs {
    targets: BTreeMap<NodeId, Target>,
    /// The earliest task of all open targets; kept so that no input has to look at all targets.
    next: Option<Mono>,
    /// Something changed since `next` was found.
    stale: bool,
}

/// How tasks are merged and sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SyncRules {
    pub(super) aged: Mono,
    pub(super) tick: Period,
    /// Quirk `retry-replaces-delete`: Nacos's merge, and no order between syncs of one client.
    pub(super) newest_wins: bool,
}

impl Target {
    /// Adds a task, within [`SYNC_PENDING_MAX`]. Beyond it a target that cannot be reached loses
    /// all that waits, one that can only the newest; verify repairs either. True when that began.
    #[must_use]
    pub(super) fn add(
        &mut self,
        client: &ClientId,
        action: Action,
        delay: Period,
        rules: SyncRules,
    ) -> bool {
        self.merge(client, action, delay, rules);
        if self.tasks.len() <= SYNC_PENDING_MAX {
            self.overflowed &= self.tasks.len() > SYNC_PENDING_MAX / 2;
            return false;
        }
        if !self.reachable {
            self.tasks.clear();
            self.queue.clear();
        } else if let Some(task) = self.tasks.remove(client) {
            self.queue.remove(&(task.due, client.clone()));
        }
        !core::mem::replace(&mut self.overflowed, true)
    }

    fn merge(&mut self, client: &ClientId, action: Action, delay: Period, rules: SyncRules) {
        let fresh = Task {
            action,
            created: rules.aged,
            processed: rules.aged,
            due: (rules.aged + delay).ceil_to(rules.tick),
            queued: true,
        };
        let Some(task) = self.tasks.get_mut(client) else {
            let queued = rules.newest_wins || !self.in_flight.contains(client);
            if queued {
                self.queue.insert((fresh.due, client.clone()));
            }
            self.tasks.insert(client.clone(), Task { queued, ..fresh });
            return;
        };
        let due = if rules.newest_wins {
            // AbstractDelayTask.merge: the newer creation wins, the older processing time stays.
            if fresh.created >= task.created {
                task.action = fresh.action;
                task.created = fresh.created;
            }
            (task.processed + delay).ceil_to(rules.tick)
        } else {
            task.action = match (task.action, action) {
                (Action::Delete, _) | (_, Action::Delete) => Action::Delete,
                (Action::Add, _) | (_, Action::Add) => Action::Add,
                (Action::Change, Action::Change) => Action::Change,
            };
            task.due.min(fresh.due)
        };
        if task.queued && due != task.due {
            self.queue.remove(&(task.due, client.clone()));
            self.queue.insert((due, client.clone()));
        }
        task.due = due;
    }

    fn is_open(&self, rules_newest_wins: bool) -> bool {
        rules_newest_wins || (self.reachable && self.in_flight.len() < SYNC_IN_FLIGHT_MAX)
    }

    /// Takes a task that is due. While a sync of its client is under way it waits for that.
    fn take_due(&mut self, aged: Mono, newest_wins: bool) -> Option<(ClientId, Action)> {
        while self.is_open(newest_wins) && self.queue.first().is_some_and(|(due, _)| *due <= aged) {
            let (_, client) = self.queue.pop_first()?;
            if !newest_wins && self.in_flight.contains(&client) {
                let task = self
                    .tasks
                    .get_mut(&client)
                    .expect("every queued client has its task");
                task.queued = false;
                continue;
            }
            let task = self
                .tasks
                .remove(&client)
                .expect("every queued client has its task");
            return Some((client, task.action));
        }
        None
    }

    /// A sync of the client is under way.
    pub(super) fn began(&mut self, client: ClientId) {
        self.in_flight.insert(client);
    }

    pub(super) fn finished(&mut self, client: &ClientId) {
        self.in_flight.remove(client);
        if let Some(task) = self.tasks.get_mut(client).filter(|task| !task.queued) {
            task.queued = true;
            self.queue.insert((task.due, client.clone()));
        }
    }
}

impl Syncs {
    pub(crate) fn new(peers: &[NodeId]) -> Syncs {
        Syncs {
            targets: peers
                .iter()
                .map(|peer| (peer.clone(), Target::default()))
                .collect(),
            next: None,
            stale: false,
        }
    }

    pub(crate) fn add_target(&mut self, target: &NodeId) {
        self.stale = true;
        self.targets.entry(target.clone()).or_default();
    }

    /// A target that left the member list: everything that waits for it is done.
    pub(crate) fn remove_target(&mut self, target: &NodeId) {
        self.stale = true;
        self.targets.remove(target);
    }

    /// Notes whether a target can be reached. True when it can and could not before.
    pub(crate) fn set_reachable(&mut self, target: &NodeId, reachable: bool) -> bool {
        self.stale = true;
        let Some(target) = self.targets.get_mut(target) else {
            return false;
        };
        let before = core::mem::replace(&mut target.reachable, reachable);
        reachable && !before
    }

    /// True when something about the client waits for, or is under way to, the target.
    pub(crate) fn is_busy(&self, target: &NodeId, client: &ClientId) -> bool {
        self.targets.get(target).is_some_and(|target| {
            target.tasks.contains_key(client) || target.in_flight.contains(client)
        })
    }

    /// Syncs that wait or are under way to one target.
    pub(crate) fn pending(&self, target: &NodeId) -> u64 {
        self.targets.get(target).map_or(0, |target| {
            (target.tasks.len() + target.in_flight.len()) as u64
        })
    }

    /// When the oldest sync that waits for a target was created.
    pub(crate) fn oldest(&self, target: &NodeId) -> Option<Mono> {
        let tasks = self.targets.get(target)?.tasks.values();
        tasks.map(|task| task.created).min()
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.targets
            .values()
            .map(|target| target.tasks.len() as u64)
            .sum()
    }

    /// All targets, to change.
    pub(super) fn targets_mut(&mut self) -> impl Iterator<Item = &mut Target> {
        self.stale = true;
        self.targets.values_mut()
    }

    /// True when something about the client waits for the target.
    pub(super) fn waits(&self, target: &NodeId, client: &ClientId) -> bool {
        let target = self.targets.get(target);
        target.is_some_and(|target| target.tasks.contains_key(client))
    }

    /// True when something may be due.
    pub(super) fn any_due(&mut self, rules: SyncRules) -> bool {
        // Why always with the quirk: it also sends to targets that are not open.
        if rules.newest_wins {
            return true;
        }
        self.update_next();
        self.next.is_some_and(|due| due <= rules.aged)
    }

    /// Takes what is due to the first target that has such a thing.
    pub(super) fn take_due(&mut self, rules: SyncRules) -> Option<(NodeId, ClientId, Action)> {
        self.stale = true;
        self.targets.iter_mut().find_map(|(node, target)| {
            let (client, action) = target.take_due(rules.aged, rules.newest_wins)?;
            Some((node.clone(), client, action))
        })
    }

    /// One target, to change.
    pub(super) fn target_mut(&mut self, target: &NodeId) -> Option<&mut Target> {
        self.stale = true;
        self.targets.get_mut(target)
    }

    /// Finds the earliest task again if anything changed.
    pub(crate) fn update_next(&mut self) {
        if !core::mem::take(&mut self.stale) {
            return;
        }
        self.next = self
            .targets
            .values()
            .filter(|target| target.is_open(false))
            .filter_map(|target| target.queue.first())
            .map(|(due, _)| *due)
            .min();
    }

    /// When the next sync is due, in aging time. Targets that cannot be reached wait for nothing.
    /// Call [`Syncs::update_next`] first.
    pub(crate) fn next_deadline(&self, aged: Mono) -> Option<Mono> {
        assert!(!self.stale, "the earliest task is looked for after changes");
        self.next.map(|due| due.max(aged))
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    const RULES: SyncRules = SyncRules {
        aged: Mono(0),
        tick: Period::from_millis(100),
        newest_wins: false,
    };

    /// Adds so many more clients than may wait, and returns how often that was told.
    fn overfill(target: &mut Target, more: usize) -> usize {
        let clients = (0..SYNC_PENDING_MAX + more).map(|n| ClientId::new(&format!("c{n}")));
        clients
            .filter(|client| target.add(client, Action::Change, Period::ZERO, RULES))
            .count()
    }

    #[test]
    fn what_waits_for_a_target_is_bounded_whether_it_can_be_reached_or_not() {
        let mut away = Target::default();
        assert_eq!(overfill(&mut away, 10), 1);
        assert_eq!((away.tasks.len(), away.queue.len()), (9, 9));
        let mut busy = Target {
            reachable: true,
            ..Target::default()
        };
        assert_eq!(overfill(&mut busy, 10), 1);
        assert_eq!(busy.tasks.len(), SYNC_PENDING_MAX);
        assert_eq!(busy.queue.len(), SYNC_PENDING_MAX);
        let first = busy.take_due(Mono(0), false);
        assert_eq!(first, Some((ClientId::new("c0"), Action::Change)));
    }
}
