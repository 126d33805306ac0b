//! How long something that could run had to wait for its turn.

/// The longest wait so far, in microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lag(u64);

impl Lag {
    /// The longest wait.
    pub(super) const fn longest(self) -> u64 {
        self.0
    }

    /// Something had to wait this long.
    pub(super) fn note(&mut self, micros: u64) {
        self.0 = self.0.max(micros);
    }
}
