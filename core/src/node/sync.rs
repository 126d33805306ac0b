//! Replication out: CHANGE, DELETE and ADD to fellow nodes (Nacos `DistroProtocol` with its delay
//! and execute engines).
//!
//! Per target and client there is at most one task that waits and one sync under way. A task says
//! what the target *should have*, present or absent; what is sent is the record as it is at that
//! moment. Absent is final, because a connection id is never reused.
//!
//! Why: Nacos lets a retried CHANGE replace a waiting DELETE (hazard H1) and sends two syncs of one
//! client at once, whose order nothing guards (part 12.4 to 12.6).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Node;
use super::calls::Purpose;
use crate::constants::{SYNC_IN_FLIGHT_MAX, SYNC_PENDING_MAX};
use crate::event::{Event, FailCause};
use crate::ids::{ClientId, NodeId, Revision};
use crate::io::Output;
use crate::message::distro::DistroDataRequest;
use crate::message::{Request, Response};
use crate::profile::Quirk;
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
struct Target {
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
    aged: Mono,
    tick: Period,
    /// Quirk `retry-replaces-delete`: Nacos's merge, and no order between syncs of one client.
    newest_wins: bool,
}

/// How [`Event::BoundReached`] names [`SYNC_PENDING_MAX`].
const PENDING: &str = "sync-pending";

impl Target {
    /// Adds a task, within [`SYNC_PENDING_MAX`]. Beyond it a target that cannot be reached loses all
    /// that waits, one that can only the newest; verify repairs either. True when that began.
    #[must_use]
    fn add(&mut self, client: &ClientId, action: Action, delay: Period, rules: SyncRules) -> bool {
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

    fn finished(&mut self, client: &ClientId) {
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

    /// One target, to change.
    fn target_mut(&mut self, target: &NodeId) -> Option<&mut Target> {
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

impl Node {
    fn sync_rules(&self) -> SyncRules {
        SyncRules {
            aged: self.aged(),
            tick: self.config.timing.delay_tick,
            newest_wins: self.config.profile.has(Quirk::RetryReplacesDelete),
        }
    }

    /// ClientChanged: every other member gets a CHANGE.
    pub(super) fn client_changed(&mut self, client: &ClientId, out: &mut Vec<Output>) {
        self.sync_to_all(client, Action::Change, out);
    }

    /// ClientDisconnect: every other member gets a DELETE.
    pub(super) fn client_gone(&mut self, client: &ClientId, out: &mut Vec<Output>) {
        self.sync_to_all(client, Action::Delete, out);
    }

    fn sync_to_all(&mut self, client: &ClientId, action: Action, out: &mut Vec<Output>) {
        let rules = self.sync_rules();
        let delay = self.config.timing.sync_delay;
        self.syncs.stale = true;
        for target in self.syncs.targets.values_mut() {
            if target.add(client, action, delay, rules) {
                out.push(Output::Event(Event::BoundReached(PENDING)));
            }
        }
    }

    /// ClientVerifyFailed: the member gets what it lacks, or a DELETE of what is no more.
    pub(super) fn verify_failed(
        &mut self,
        client: &ClientId,
        target: &NodeId,
        out: &mut Vec<Output>,
    ) {
        self.counters.verifies_failed += 1;
        if let Some(proof) = self.members.proof_mut(target) {
            proof.failed += 1;
        }
        out.push(Output::Event(Event::ClientVerifyFailed {
            client: client.clone(),
            target: target.clone(),
        }));
        let is_native = self
            .clients
            .get(client)
            .is_some_and(|client| client.native.is_some());
        let action = if is_native {
            Action::Add
        } else {
            Action::Delete
        };
        if self.has_moved(client) {
            return;
        }
        if !is_native && !self.config.profile.speaks_distro() {
            // Nacos: "if the client still exists and is mine".
            return;
        }
        self.sync_to_one(client, target, action, Period::ZERO, out);
    }

    fn sync_to_one(
        &mut self,
        client: &ClientId,
        target: &NodeId,
        action: Action,
        delay: Period,
        out: &mut Vec<Output>,
    ) {
        let rules = self.sync_rules();
        let Some(entry) = self.syncs.target_mut(target) else {
            return;
        };
        if entry.add(client, action, delay, rules) {
            out.push(Output::Event(Event::BoundReached(PENDING)));
        }
    }

    /// Sends every sync that is due to a target that can be reached.
    pub(super) fn send_due_syncs(&mut self, out: &mut Vec<Output>) {
        let rules = self.sync_rules();
        // Why not with the quirk: it also sends to targets that are not open.
        if !rules.newest_wins {
            self.syncs.update_next();
            if self.syncs.next.is_none_or(|due| due > rules.aged) {
                return;
            }
        }
        self.syncs.stale = true;
        loop {
            let due = self.syncs.targets.iter_mut().find_map(|(node, target)| {
                let (client, action) = target.take_due(rules.aged, rules.newest_wins)?;
                Some((node.clone(), client, action))
            });
            let Some((target, client, action)) = due else {
                return;
            };
            self.send_sync(&target, client, action, out);
        }
    }

    fn send_sync(
        &mut self,
        target: &NodeId,
        client: ClientId,
        action: Action,
        out: &mut Vec<Output>,
    ) {
        let Some(action) = self.action_now(&client, action) else {
            return;
        };
        let record = self
            .clients
            .get(&client)
            .filter(|entry| entry.native.is_some());
        let (request, purpose) = match (action, record) {
            (Action::Delete, _) => {
                let origin = self
                    .config
                    .profile
                    .speaks_distro()
                    .then(|| self.origin.clone());
                let purpose = Purpose::Delete(target.clone(), client.clone());
                (DistroDataRequest::Delete(client.clone(), origin), purpose)
            }
            (Action::Change | Action::Add, Some(record)) => {
                let data = record.data.clone();
                let purpose = Purpose::Sync(target.clone(), client.clone(), data.revision);
                let request = if action == Action::Add && self.config.profile.speaks_distro() {
                    DistroDataRequest::Add(data)
                } else {
                    DistroDataRequest::Change(data)
                };
                (request, purpose)
            }
            // Only the quirk loses the DELETE that should stand here.
            (Action::Change | Action::Add, None) => return,
        };
        let Some(conn) = self.members.reachable_conn(target) else {
            return self.answered_unreachable(target, &client, action, out);
        };
        self.counters.syncs_sent += 1;
        if let Some(entry) = self.syncs.target_mut(target) {
            entry.in_flight.insert(client);
        }
        let timeout = self.config.timing.sync_timeout;
        self.call(conn, Request::DistroData(request), purpose, timeout, out);
    }

    fn answered_unreachable(
        &mut self,
        target: &NodeId,
        client: &ClientId,
        action: Action,
        out: &mut Vec<Output>,
    ) {
        let revision = match action {
            Action::Delete => None,
            Action::Add | Action::Change => self.clients.revision(client),
        };
        self.synced(
            target,
            client.clone(),
            revision,
            &Err(FailCause::Unreachable),
            out,
        );
    }

    /// The outcome of a sync; `revision` is absent for a DELETE. A failed one is tried again.
    pub(super) fn synced(
        &mut self,
        target: &NodeId,
        client: ClientId,
        revision: Option<Revision>,
        outcome: &Result<Response, FailCause>,
        out: &mut Vec<Output>,
    ) {
        let Some(entry) = self.syncs.target_mut(target) else {
            return;
        };
        entry.finished(&client);
        let cause = match outcome {
            Ok(response) if response.is_ok() => {
                self.counters.syncs_succeeded += 1;
                let target = target.clone();
                out.push(Output::Event(Event::Synced {
                    client,
                    revision,
                    target,
                }));
                return;
            }
            Ok(_) => FailCause::Refused,
            Err(cause) => *cause,
        };
        self.counters.syncs_failed += 1;
        out.push(Output::Event(Event::SyncFailed {
            client: client.clone(),
            target: target.clone(),
            cause,
        }));
        let newest_wins = self.config.profile.has(Quirk::RetryReplacesDelete);
        let is_native = self
            .clients
            .get(&client)
            .is_some_and(|client| client.native.is_some());
        let action = match revision {
            None => Action::Delete,
            Some(_) if newest_wins || is_native => Action::Change,
            Some(_) => Action::Delete,
        };
        if self.has_moved(&client) {
            return;
        }
        let has_newer_task = entry_has_task(&self.syncs, target, &client);
        if newest_wins || !has_newer_task {
            let delay = self.config.timing.sync_retry_delay;
            self.sync_to_one(&client, target, action, delay, out);
        }
    }
}

fn entry_has_task(syncs: &Syncs, target: &NodeId, client: &ClientId) -> bool {
    syncs
        .targets
        .get(target)
        .is_some_and(|target| target.tasks.contains_key(client))
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
