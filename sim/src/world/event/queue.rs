//! The event queue: what happens next, by time and then by the order in which it was planned.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::world::script::Due;

/// What is due at a moment. Small: whatever is big lies in a table and is named by its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A host's process may have something to do.
    Wake(u32),
    /// A segment reaches its host.
    Arrive(u32),
    /// A slow host is done with the message at the head of its inbox.
    Serve(u32),
    /// A dial has had no answer for the whole connect timeout.
    DialTimeout(u32),
    /// The script goes on.
    Script(Due),
}

#[derive(Debug)]
struct Entry {
    at: u64,
    order: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// Reversed, because the standard heap gives the greatest first.
    fn cmp(&self, other: &Entry) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// Events in order of their time; those of one moment in the order in which they were pushed.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Entry>,
    pushed: u64,
}

impl Queue {
    /// Plans an event for a moment of true time, in microseconds.
    pub(crate) fn push(&mut self, at: u64, event: Event) {
        self.pushed += 1;
        self.heap.push(Entry {
            at,
            order: self.pushed,
            event,
        });
    }

    /// The next event and its time.
    pub(crate) fn pop(&mut self) -> Option<(u64, Event)> {
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }
}

#[cfg(test)]
mod tests;
