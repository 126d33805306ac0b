//! A host's two clocks over true time.

use distro_core::rng::Rng;
use distro_core::time::{Mono, Now, Period, Wall};

/// Every host's wall clock at the start of a run: 2026-01-01T00:00:00Z, in Unix milliseconds.
pub(crate) const EPOCH_MILLIS: i64 = 1_767_225_600_000;

/// The longest time a host may have been up before the run starts: clocks of different hosts are
/// never comparable, and nothing may depend on one that starts at zero.
const BOOT_MAX: Period = Period::from_secs(1_000);
const MILLION: i128 = 1_000_000;

/// A change of a host's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The wall clock jumps, by signed milliseconds.
    Wall(i64),
    /// The monotonic clock jumps forward.
    Mono(Period),
    /// Both run this much faster than they did, in parts per million.
    Rate(i64),
}

/// The clocks of one host. Both run on the same oscillator, so drift moves both; each jumps for
/// itself. They belong to the host and go on while its process is paused or dead.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    /// True time from which the present rate counts, in microseconds.
    since: u64,
    /// What the oscillator had counted then, in microseconds.
    counted: u64,
    /// How much faster than true time it runs, in parts per million. Above -1,000,000.
    ppm: i64,
    /// Monotonic clock less the oscillator's count, in microseconds. Only grows.
    mono_ahead: u64,
    /// Wall clock less (epoch plus count), in milliseconds.
    wall_ahead: i64,
}

impl Clock {
    /// A clock that runs true; its monotonic reading starts at `boot`.
    const fn new(boot: Period) -> Clock {
        Clock {
            since: 0,
            counted: 0,
            ppm: 0,
            mono_ahead: boot.0,
            wall_ahead: 0,
        }
    }

    /// The clock of a host that was up for a while when the run begins.
    pub(crate) fn booted(seed: u64, host: &str) -> Clock {
        let mut rng = Rng::new(seed, &format!("boot {host}"));
        Clock::new(rng.period(Period::ZERO, BOOT_MAX))
    }

    fn count(&self, at: u64) -> u64 {
        let elapsed = at.saturating_sub(self.since);
        if self.ppm == 0 {
            return self.counted.saturating_add(elapsed);
        }
        let scaled = i128::from(elapsed) * (MILLION + i128::from(self.ppm)) / MILLION;
        self.counted
            .saturating_add(u64::try_from(scaled).unwrap_or(u64::MAX))
    }

    /// Both readings at a moment of true time.
    pub(crate) fn read(&self, at: u64) -> Now {
        let count = self.count(at);
        let millis = i64::try_from(count / 1_000).unwrap_or(i64::MAX);
        Now {
            mono: Mono(count.saturating_add(self.mono_ahead)),
            wall: Wall(
                EPOCH_MILLIS
                    .saturating_add(millis)
                    .saturating_add(self.wall_ahead),
            ),
        }
    }

    /// The first moment of true time at which the monotonic clock shows `deadline` or more; the
    /// end of time when it never will.
    pub(crate) fn when(&self, deadline: Mono) -> u64 {
        let wanted = deadline.0.saturating_sub(self.mono_ahead);
        let missing = wanted.saturating_sub(self.counted);
        if self.ppm == 0 {
            return self.since.saturating_add(missing);
        }
        let rate = MILLION + i128::from(self.ppm);
        let true_time = (i128::from(missing) * MILLION + rate - 1) / rate;
        self.since
            .saturating_add(u64::try_from(true_time).unwrap_or(u64::MAX))
    }

    /// Changes at this moment of true time.
    pub(crate) fn turn(&mut self, at: u64, turn: Turn) {
        match turn {
            Turn::Wall(millis) => self.jump_wall(millis),
            Turn::Mono(by) => self.jump_mono(by),
            Turn::Rate(ppm) => self.drift(at, ppm),
        }
    }

    /// From now on the clock runs this much faster than it did, in parts per million.
    fn drift(&mut self, at: u64, ppm: i64) {
        self.counted = self.count(at);
        self.since = at;
        // A clock that stands still or runs back would never reach a deadline.
        self.ppm = self.ppm.saturating_add(ppm).max(-999_999);
    }

    /// The wall clock jumps, by signed milliseconds.
    fn jump_wall(&mut self, millis: i64) {
        self.wall_ahead = self.wall_ahead.saturating_add(millis);
    }

    /// The monotonic clock jumps forward.
    fn jump_mono(&mut self, by: Period) {
        self.mono_ahead = self.mono_ahead.saturating_add(by.0);
    }
}

#[cfg(test)]
mod tests;
