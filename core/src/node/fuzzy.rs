//! Who watches the names of services by a pattern, and what each has to be told (part 4.9).
//!
//! # Why a watcher ends with the right set of names
//!
//! A service is there while somebody publishes it. Each pattern keeps the set of services that
//! match it, changed in the same step as the service index; a service that comes or goes costs one
//! look at the patterns of its namespace.
//!
//! - **The first list and later differences** are sent in batches, one after the other: the next
//!   once the one before is acknowledged, a failed one again. They name what the watcher lacked
//!   when it asked; what is gone when its batch is made is left out. The last batch of a first list
//!   is followed by the word that it is complete.
//! - **A change** is a pair (connection, service) that waits for the next tick. What the watcher is
//!   told is decided when it is *sent*: added if the service is in a set of one of its patterns,
//!   deleted if nobody publishes it. A connection keeps order, so the last word about a service
//!   is true when nothing waits and nothing is under way; a failed one waits again, so none is
//!   lost while the connection lives. Nacos puts the change itself into the queue, and a failed
//!   "added" can overtake and replace a later "deleted" (part 12.39).
//! - **After a loss of the connection** the watcher asks again and says what it has. What it lacks
//!   is sent as above. What it has and should not have is sent as changes. Why not in the batches
//!   like Nacos: Java clients take every name in a batch for added, so a lost "deleted" is never
//!   repaired there (part 12.39).
//! - **After a restart of the node** services are missing whose publishers are on their way back.
//!   A name that a watcher has is not called deleted before they had time to return (incident 40).
//!
//! Bounds: a number of patterns, a number of names per pattern. A pattern at its bound is filled up
//! again some time after one of its services went.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::services::Services;
use crate::config::FuzzyLimits;
use crate::constants::{FUZZY_BATCH_SIZE, FUZZY_MAKE_UP_DELAY};
use crate::ids::{ConnId, Str};
use crate::message::fuzzy::{NamingFuzzyWatchSyncRequest, Pattern, ServiceChange, SyncType};
use crate::message::naming::ServiceKey;
use crate::time::Mono;

/// What waits for its time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// Tell a watcher how it stands with a service.
    Notify(ConnId, ServiceKey),
    /// Send the next batch of a list.
    Sync(ConnId, Pattern),
    /// Look for services that a full pattern had to leave out.
    MakeUp(Pattern),
}

/// A pattern that somebody watches.
#[derive(Debug, Default)]
struct Watched {
    matched: BTreeSet<ServiceKey>,
    /// Some service matches and is not in the set.
    over: bool,
    /// A search for such services is in the queue.
    making_up: bool,
    watchers: BTreeSet<ConnId>,
}

/// A list on its way to one watcher of one pattern.
#[derive(Debug)]
struct Sync {
    /// Tells the answers to an earlier list from those to this one.
    serial: u64,
    initializing: bool,
    left: VecDeque<ServiceKey>,
    /// The first so many of `left` are under way.
    under_way: usize,
    /// The word that the list is complete is under way.
    finishing: bool,
    total: u32,
    current: u32,
    /// When its next batch is due; absent while one is under way.
    due: Option<Mono>,
}

/// All watches.
#[derive(Debug, Default)]
pub(crate) struct FuzzyWatches {
    patterns: BTreeMap<Pattern, Watched>,
    by_namespace: BTreeMap<Str, BTreeSet<Pattern>>,
    watches: BTreeMap<ConnId, BTreeMap<Pattern, Option<Sync>>>,
    queue: BTreeSet<(Mono, Task)>,
    serial: u64,
    /// Nothing that a watcher has is called deleted for being missing here before this time.
    hold: Mono,
}

impl FuzzyWatches {
    /// False when nobody watches: then nothing has to be told about changes.
    pub(crate) fn is_watching(&self) -> bool {
        !self.patterns.is_empty()
    }

    pub(crate) fn pattern_count(&self) -> usize {
        self.patterns.len()
    }

    /// How many one client watches.
    pub(crate) fn patterns_of(&self, conn: ConnId) -> usize {
        self.watches.get(&conn).map_or(0, BTreeMap::len)
    }

    pub(crate) fn watches(&self, conn: ConnId, pattern: &Pattern) -> bool {
        let of = self.watches.get(&conn);
        of.is_some_and(|patterns| patterns.contains_key(pattern))
    }

    pub(crate) fn pending(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn knows(&self, pattern: &Pattern) -> bool {
        self.patterns.contains_key(pattern)
    }

    pub(crate) fn hold_until(&mut self, time: Mono) {
        self.hold = time;
    }

    /// True when the pattern names as many services as it may.
    pub(crate) fn is_full(&self, pattern: &Pattern, limits: &FuzzyLimits) -> bool {
        let watched = self.patterns.get(pattern);
        watched.is_some_and(|watched| watched.matched.len() >= limits.matches_max as usize)
    }

    /// Enters a watcher, and its pattern if that is new. What it has to be told is due at `sync`,
    /// what it has to forget at `tick` or when the hold ends.
    pub(crate) fn watch(
        &mut self,
        services: &Services,
        (conn, pattern): (ConnId, &Pattern),
        (received, initializing): (&[ServiceKey], bool),
        (tick, sync): (Mono, Mono),
        limits: &FuzzyLimits,
    ) {
        if !self.patterns.contains_key(pattern) {
            self.patterns.insert(pattern.clone(), Watched::default());
            let namespace = Str::from(pattern.namespace());
            let of = self.by_namespace.entry(namespace).or_default();
            of.insert(pattern.clone());
            self.fill(services, pattern, limits);
        }
        let watched = self.patterns.get_mut(pattern).expect("it was just entered");
        watched.watchers.insert(conn);
        let received: BTreeSet<&ServiceKey> = received.iter().collect();
        let lacks = watched.matched.iter().filter(|key| !received.contains(key));
        let left: VecDeque<ServiceKey> = lacks.cloned().collect();
        let strays = received
            .into_iter()
            .filter(|key| pattern.matches(key) && !watched.matched.contains(key));
        // The rest comes with the next difference.
        for stray in strays.take(limits.matches_max as usize) {
            let task = Task::Notify(conn, stray.clone());
            self.queue.insert((tick.max(self.hold), task));
        }
        self.serial += 1;
        let task = Sync {
            serial: self.serial,
            initializing,
            total: batches(left.len()),
            left,
            under_way: 0,
            finishing: false,
            current: 1,
            due: Some(sync),
        };
        self.queue.insert((sync, Task::Sync(conn, pattern.clone())));
        let of_conn = self.watches.entry(conn).or_default();
        of_conn.insert(pattern.clone(), Some(task));
    }

    /// Takes a watcher out, and its pattern with the last one.
    pub(crate) fn cancel(&mut self, conn: ConnId, pattern: &Pattern) {
        let Some(of_conn) = self.watches.get_mut(&conn) else {
            return;
        };
        if of_conn.remove(pattern).is_none() {
            return;
        }
        if of_conn.is_empty() {
            self.watches.remove(&conn);
        }
        self.leave(conn, pattern);
    }

    /// Takes out a connection that ended.
    pub(crate) fn forget(&mut self, conn: ConnId) {
        let Some(of_conn) = self.watches.remove(&conn) else {
            return;
        };
        for pattern in of_conn.keys() {
            self.leave(conn, pattern);
        }
    }

    fn leave(&mut self, conn: ConnId, pattern: &Pattern) {
        let watched = self.patterns.get_mut(pattern);
        let watched = watched.expect("whatever is watched is entered");
        watched.watchers.remove(&conn);
        if !watched.watchers.is_empty() {
            return;
        }
        self.patterns.remove(pattern);
        if let Some(of) = self.by_namespace.get_mut(pattern.namespace()) {
            of.remove(pattern);
            if of.is_empty() {
                self.by_namespace.remove(pattern.namespace());
            }
        }
    }

    /// A service came or went.
    pub(crate) fn changed(
        &mut self,
        service: &ServiceKey,
        is_published: bool,
        (run, tick): (Mono, Mono),
        limits: &FuzzyLimits,
    ) {
        let Some(candidates) = self.by_namespace.get(&service.namespace) else {
            return;
        };
        for pattern in candidates.iter().filter(|one| one.matches(service)) {
            let watched = self.patterns.get_mut(pattern);
            let watched = watched.expect("whatever is indexed is entered");
            let has_changed = if !is_published {
                watched.matched.remove(service)
            } else if watched.matched.len() < limits.matches_max as usize {
                watched.matched.insert(service.clone())
            } else {
                watched.over |= !watched.matched.contains(service);
                false
            };
            if !has_changed {
                continue;
            }
            if watched.over && !is_published && !watched.making_up {
                watched.making_up = true;
                let due = run + FUZZY_MAKE_UP_DELAY;
                self.queue.insert((due, Task::MakeUp(pattern.clone())));
            }
            for conn in &watched.watchers {
                self.queue
                    .insert((tick, Task::Notify(*conn, service.clone())));
            }
        }
    }

    /// Fills a pattern up with services that are there. Watchers are told at `tick`.
    pub(crate) fn make_up(
        &mut self,
        services: &Services,
        pattern: &Pattern,
        tick: Mono,
        limits: &FuzzyLimits,
    ) {
        for service in self.fill(services, pattern, limits) {
            let watchers = self.patterns.get(pattern).into_iter();
            for conn in watchers.flat_map(|watched| &watched.watchers) {
                self.queue
                    .insert((tick, Task::Notify(*conn, service.clone())));
            }
        }
    }

    fn fill(
        &mut self,
        services: &Services,
        pattern: &Pattern,
        limits: &FuzzyLimits,
    ) -> Vec<ServiceKey> {
        let Some(watched) = self.patterns.get_mut(pattern) else {
            return Vec::new();
        };
        (watched.over, watched.making_up) = (false, false);
        let mut added = Vec::new();
        for key in services.published_in(pattern.namespace()) {
            if !pattern.matches(key) || watched.matched.contains(key) {
                continue;
            }
            if watched.matched.len() >= limits.matches_max as usize {
                watched.over = true;
                break;
            }
            watched.matched.insert(key.clone());
            added.push(key.clone());
        }
        added
    }

    /// What a watcher has to be told about a service; nothing when it does not watch it, or when
    /// its patterns have no room for it.
    pub(crate) fn change_for(
        &self,
        conn: ConnId,
        service: &ServiceKey,
        is_published: bool,
    ) -> Option<ServiceChange> {
        let mut watching = false;
        for pattern in self.watches.get(&conn)?.keys() {
            if pattern.matches(service) {
                watching = true;
                let watched = self.patterns.get(pattern);
                if watched.is_some_and(|watched| watched.matched.contains(service)) {
                    return Some(ServiceChange::Added);
                }
            }
        }
        (watching && !is_published).then_some(ServiceChange::Deleted)
    }

    /// Lets a change wait (again).
    pub(crate) fn notify(&mut self, conn: ConnId, service: ServiceKey, due: Mono) {
        if self.watches.contains_key(&conn) {
            self.queue.insert((due, Task::Notify(conn, service)));
        }
    }

    pub(crate) fn take_due(&mut self, now: Mono) -> Option<(Mono, Task)> {
        if self.queue.first()?.0 > now {
            return None;
        }
        self.queue.pop_first()
    }

    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// The batch that was due at that time and the serial of its list; `None` when nothing of it is
    /// left to say.
    pub(crate) fn batch(
        &mut self,
        conn: ConnId,
        pattern: &Pattern,
        due: Mono,
    ) -> Option<(NamingFuzzyWatchSyncRequest, u64)> {
        let matched = &self.patterns.get(pattern)?.matched;
        let slot = self.watches.get_mut(&conn)?.get_mut(pattern)?;
        let sync = slot.as_mut().filter(|sync| sync.due == Some(due))?;
        sync.due = None;
        let mut contexts = Vec::new();
        while contexts.is_empty() && !sync.left.is_empty() {
            sync.under_way = sync.left.len().min(FUZZY_BATCH_SIZE);
            let there = sync.left.iter().take(sync.under_way);
            let there = there.filter(|key| matched.contains(*key)).cloned();
            contexts.extend(there.map(|key| (key, ServiceChange::Added)));
            if contexts.is_empty() {
                sync.left.drain(..sync.under_way);
                sync.current += 1;
            }
        }
        let (sync_type, total, current) = match (contexts.is_empty(), sync.initializing) {
            (false, true) => (SyncType::Init, sync.total, sync.current),
            (false, false) => (SyncType::Diff, sync.total, sync.current),
            (true, true) => {
                sync.finishing = true;
                (SyncType::Finish, 1, 1)
            }
            (true, false) => {
                *slot = None;
                return None;
            }
        };
        let request = NamingFuzzyWatchSyncRequest {
            pattern: Str::from(alloc::format!("{pattern}")),
            sync_type,
            contexts,
            total_batch: total,
            current_batch: current,
        };
        Some((request, sync.serial))
    }

    /// A batch was acknowledged, or has to be sent again. What is next is due at `next`, at
    /// `finish` if that is the word that all was sent, at `retry` if it is the same.
    pub(crate) fn answered(
        &mut self,
        conn: ConnId,
        (pattern, serial): (&Pattern, u64),
        is_acknowledged: bool,
        [next, finish, retry]: [Mono; 3],
    ) {
        let of_conn = self.watches.get_mut(&conn);
        let Some(slot) = of_conn.and_then(|of_conn| of_conn.get_mut(pattern)) else {
            return;
        };
        let Some(sync) = slot.as_mut().filter(|sync| sync.serial == serial) else {
            return;
        };
        let due = if !is_acknowledged {
            retry
        } else if sync.finishing {
            *slot = None;
            return;
        } else {
            sync.left.drain(..sync.under_way);
            sync.current += 1;
            match (sync.left.is_empty(), sync.initializing) {
                (false, _) => next,
                (true, true) => finish,
                (true, false) => {
                    *slot = None;
                    return;
                }
            }
        };
        sync.under_way = 0;
        sync.due = Some(due);
        self.queue.insert((due, Task::Sync(conn, pattern.clone())));
    }
}

fn batches(keys: usize) -> u32 {
    u32::try_from(keys.div_ceil(FUZZY_BATCH_SIZE)).unwrap_or(u32::MAX)
}
