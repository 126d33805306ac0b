//! Bytes that were handed to HTTP/2 and are not written yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, Bytes};

/// Counts bytes that wait. Only the connection's own task touches it; it is atomic because that
/// task may move between threads.
#[derive(Debug, Clone, Default)]
pub(super) struct Unsent(Arc<AtomicUsize>);

impl Unsent {
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Bytes that count until HTTP/2 has written them or dropped them with their stream.
    pub(super) fn of(&self, bytes: Bytes) -> Counted {
        let count = bytes.len();
        self.0.fetch_add(count, Ordering::Relaxed);
        Counted {
            bytes,
            count,
            unsent: self.clone(),
        }
    }
}

/// A piece of a body that is counted as long as it exists.
#[derive(Debug)]
pub(super) struct Counted {
    bytes: Bytes,
    count: usize,
    unsent: Unsent,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.unsent.0.fetch_sub(self.count, Ordering::Relaxed);
    }
}

impl Buf for Counted {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}
