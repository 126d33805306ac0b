//! Which clients were deleted lately.

use alloc::collections::{BTreeMap, VecDeque};

use crate::constants::TOMBSTONES_MAX;
use crate::ids::ClientId;
use crate::time::Mono;

/// Remembered deletions: connection ids are never reused, so whatever still arrives about a buried
/// one is late.
#[derive(Debug, Default)]
pub(super) struct Tombstones {
    ends: BTreeMap<ClientId, Mono>,
    order: VecDeque<(Mono, ClientId)>,
}

impl Tombstones {
    /// Remembers a deletion. False when the oldest one had to be forgotten for it.
    pub(super) fn add(&mut self, client: &ClientId, ends: Mono) -> bool {
        if self.ends.insert(client.clone(), ends).is_none() {
            self.order.push_back((ends, client.clone()));
        }
        if self.ends.len() <= TOMBSTONES_MAX {
            return true;
        }
        if let Some((_, oldest)) = self.order.pop_front() {
            self.ends.remove(&oldest);
        }
        false
    }

    pub(super) fn contains(&self, client: &ClientId) -> bool {
        self.ends.contains_key(client)
    }

    pub(super) fn purge(&mut self, now: Mono) {
        while self.order.front().is_some_and(|(ends, _)| *ends <= now) {
            let (_, client) = self.order.pop_front().expect("the front was just seen");
            // A deletion that was heard again lives on under its later end.
            match self.ends.get(&client).copied() {
                Some(ends) if ends > now => self.order.push_back((ends, client)),
                Some(_) | None => {
                    self.ends.remove(&client);
                }
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }
}
