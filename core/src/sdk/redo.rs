//! What the application wants of each service, made true on the current connection and kept true
//! (Nacos `NamingGrpcRedoService`).
//!
//! Per service there is one wish, the application's last word: something, or nothing. Every wish
//! has a number. A service's state follows from three facts:
//!
//! | under way | held by the server | wish | state |
//! |---|---|---|---|
//! | yes | any | any | registering or unregistering |
//! | no | this wish | something | registered |
//! | no | nothing | nothing | unregistered: forgotten |
//! | no | else | any | due now, or at the next redo tick after a failure |
//!
//! At most one operation per service is under way. When the wish changes meanwhile, the next
//! operation is sent when that one is answered or timed out, so no late answer and no redo can
//! put an older wish in the place of the last one (incident 27, property S10).

use alloc::collections::{BTreeMap, BTreeSet};

use crate::message::naming::ServiceKey;

use super::calls::CallNo;

/// The number of a wish and of the operations that make it true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Op(u64);

/// The wishes of one kind, by service.
#[derive(Debug)]
pub(super) struct Redo<T> {
    last_op: u64,
    entries: BTreeMap<ServiceKey, Entry<T>>,
    /// To be sent now.
    due: BTreeSet<ServiceKey>,
    /// To be sent at the next redo tick.
    late: BTreeSet<ServiceKey>,
}

#[derive(Debug)]
struct Entry<T> {
    wish: Option<T>,
    op: Op,
    under_way: Option<Op>,
    held: Held,
    /// The call that waits for the wish to come true.
    call: Option<CallNo>,
    /// The last wish for something that a server acknowledged. A refused wish gives way to it,
    /// as if it had never been made.
    accepted: Option<(Op, T)>,
}

/// What the server of the current connection holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// Nothing of this client.
    Nothing,
    /// What this operation asked for.
    Outcome(Op),
    /// An operation failed or was not answered: nobody knows.
    Unsure,
}

/// An operation to send.
#[derive(Debug)]
pub(super) struct Operation<T> {
    /// On which service.
    pub(super) service: ServiceKey,
    /// Its number.
    pub(super) op: Op,
    /// What is wanted; `None` for nothing.
    pub(super) wish: Option<T>,
    /// The last something that a server acknowledged.
    pub(super) accepted: Option<T>,
    /// The call that waits for it.
    pub(super) call: Option<CallNo>,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The server did it.
    Acknowledged,
    /// Not answered, or not now.
    Failed,
    /// The server will never do it; nothing changed there.
    Refused,
}

/// What the end of an operation means for the application.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// Nothing: the operation was not for the current wish, or will be repeated.
    No,
    /// The wish came true.
    Yes {
        /// The call that waited for it; `None`: it was a redo.
        call: Option<CallNo>,
        /// False when nothing was wanted.
        something: bool,
    },
    /// The wish was dropped.
    Dropped {
        /// The call that waited for it.
        call: Option<CallNo>,
    },
}

impl<T> Default for Redo<T> {
    fn default() -> Redo<T> {
        Redo {
            last_op: 0,
            entries: BTreeMap::new(),
            due: BTreeSet::new(),
            late: BTreeSet::new(),
        }
    }
}

impl<T> Entry<T> {
    fn new(op: Op) -> Entry<T> {
        Entry {
            wish: None,
            op,
            under_way: None,
            held: Held::Nothing,
            call: None,
            accepted: None,
        }
    }

    /// The server is known to hold what is wanted.
    fn is_true(&self) -> bool {
        match self.held {
            Held::Nothing => self.wish.is_none(),
            Held::Outcome(op) => op == self.op,
            Held::Unsure => false,
        }
    }

    /// Nothing is wanted, held, under way or waited for.
    fn is_over(&self) -> bool {
        self.wish.is_none()
            && self.held == Held::Nothing
            && self.under_way.is_none()
            && self.call.is_none()
    }
}

impl<T: Clone> Redo<T> {
    /// The application's last word on a service. Gives back the call that waited for the word
    /// before.
    pub(super) fn wish(
        &mut self,
        service: ServiceKey,
        wish: Option<T>,
        call: CallNo,
    ) -> Option<CallNo> {
        let op = self.next_op();
        let entry = self
            .entries
            .entry(service.clone())
            .or_insert_with(|| Entry::new(op));
        entry.wish = wish;
        entry.op = op;
        self.late.remove(&service);
        let before = entry.call.replace(call);
        if entry.under_way.is_none() {
            self.due.insert(service);
        }
        before
    }

    /// What is wanted of a service.
    pub(super) fn wanted_of(&self, service: &ServiceKey) -> Option<&T> {
        self.entries.get(service)?.wish.as_ref()
    }

    /// Everything wanted, and whether the current server acknowledged it.
    pub(super) fn wanted(&self) -> impl Iterator<Item = (&ServiceKey, &T, bool)> {
        self.entries.iter().filter_map(|(service, entry)| {
            entry
                .wish
                .as_ref()
                .map(|wish| (service, wish, entry.is_true()))
        })
    }

    /// The next operation to send; from now on it is under way.
    pub(super) fn next_due(&mut self) -> Option<Operation<T>> {
        while let Some(service) = self.due.pop_first() {
            let Some(entry) = self.entries.get_mut(&service) else {
                continue;
            };
            if entry.under_way.is_some() || (entry.is_true() && entry.call.is_none()) {
                continue;
            }
            entry.under_way = Some(entry.op);
            return Some(Operation {
                op: entry.op,
                wish: entry.wish.clone(),
                accepted: entry
                    .accepted
                    .as_ref()
                    .map(|(_, accepted)| accepted.clone()),
                call: entry.call,
                service,
            });
        }
        None
    }

    /// An operation that was under way on the current connection ended.
    pub(super) fn ended(&mut self, service: &ServiceKey, op: Op, how: Ended) -> Settled {
        let Some(entry) = self.entries.get_mut(service) else {
            return Settled::No;
        };
        if entry.under_way != Some(op) {
            return Settled::No;
        }
        entry.under_way = None;
        let is_last_word = entry.op == op;
        match how {
            Ended::Acknowledged => entry.held = Held::Outcome(op),
            Ended::Failed => entry.held = Held::Unsure,
            Ended::Refused => {}
        }
        if !is_last_word {
            self.due.insert(service.clone());
            return Settled::No;
        }
        match how {
            Ended::Acknowledged => self.came_true(service),
            Ended::Failed => {
                self.late.insert(service.clone());
                Settled::No
            }
            Ended::Refused => self.was_refused(service),
        }
    }

    fn came_true(&mut self, service: &ServiceKey) -> Settled {
        let Some(entry) = self.entries.get_mut(service) else {
            return Settled::No;
        };
        let call = entry.call.take();
        match &entry.wish {
            Some(wish) => {
                entry.accepted = Some((entry.op, wish.clone()));
                Settled::Yes {
                    call,
                    something: true,
                }
            }
            None => {
                self.entries.remove(service);
                Settled::Yes {
                    call,
                    something: false,
                }
            }
        }
    }

    fn was_refused(&mut self, service: &ServiceKey) -> Settled {
        let fresh = self.next_op();
        let Some(entry) = self.entries.get_mut(service) else {
            return Settled::No;
        };
        let call = entry.call.take();
        let refused = entry.op;
        match entry.accepted.take().filter(|(op, _)| *op != refused) {
            Some((op, accepted)) => {
                entry.wish = Some(accepted.clone());
                entry.op = op;
                entry.accepted = Some((op, accepted));
                if !entry.is_true() {
                    self.late.insert(service.clone());
                }
            }
            // Something was refused and nothing takes its place: what an earlier operation may
            // have left there is withdrawn.
            None if entry.wish.is_some() && entry.held != Held::Nothing => {
                entry.wish = None;
                entry.op = fresh;
                self.late.insert(service.clone());
            }
            None => {
                self.entries.remove(service);
            }
        }
        Settled::Dropped { call }
    }

    /// The call's time is over; the wish stays.
    pub(super) fn call_over(&mut self, service: &ServiceKey, call: CallNo) {
        let Some(entry) = self.entries.get_mut(service) else {
            return;
        };
        if entry.call == Some(call) {
            entry.call = None;
            if entry.is_over() {
                self.forget(service);
            }
        }
    }

    /// The connection is gone, and with it everything the server held for it.
    pub(super) fn lost(&mut self) {
        self.due.clear();
        self.late.clear();
        for entry in self.entries.values_mut() {
            entry.under_way = None;
            entry.held = Held::Nothing;
        }
        self.entries.retain(|_, entry| !entry.is_over());
    }

    /// A new connection is set up: everything wanted is due.
    pub(super) fn connected(&mut self) {
        self.lost();
        self.due.extend(self.entries.keys().cloned());
    }

    /// True when something waits for the redo tick.
    pub(super) fn has_late(&self) -> bool {
        !self.late.is_empty()
    }

    /// The redo tick.
    pub(super) fn tick(&mut self) {
        self.due.append(&mut self.late);
    }

    fn forget(&mut self, service: &ServiceKey) {
        self.entries.remove(service);
        self.due.remove(service);
        self.late.remove(service);
    }

    fn next_op(&mut self) -> Op {
        self.last_op += 1;
        Op(self.last_op)
    }
}
