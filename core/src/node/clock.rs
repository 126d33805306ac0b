//! The time during which this process was running: what leases and timeouts are measured in.

use crate::constants::PAUSE_SLACK;
use crate::time::{Mono, Period};

/// Turns readings of the monotonic clock into running time.
///
/// A process that was stopped (a long garbage collection, a suspended machine) finds on its return
/// that its own deadlines are long past. The time it missed is not the silence of others, so it
/// does not count: the running clock stands still from the deadline that was missed until the
/// process is back. Everything that waits, every lease and every timeout, moves along by itself.
///
/// Why: N#8090, a stop of two minutes after which the server removed everybody (incident 13).
#[derive(Debug)]
pub(crate) struct RunClock {
    mono: Mono,
    run: Mono,
    /// Quirk `pause-counts-as-silence`.
    counts_pauses: bool,
}

impl RunClock {
    pub(crate) fn new(mono: Mono, counts_pauses: bool) -> RunClock {
        RunClock {
            mono,
            run: Mono(0),
            counts_pauses,
        }
    }

    /// Takes a reading. `deadline` is the running time at which the process should have been woken
    /// at the latest. Returns for how long it did not run, if it was noticeably late.
    pub(crate) fn advance(&mut self, mono: Mono, deadline: Option<Mono>) -> Option<Period> {
        let elapsed = mono.since(self.mono);
        self.mono = self.mono.max(mono);
        let Some(deadline) = deadline.filter(|_| !self.counts_pauses) else {
            self.run = self.run + elapsed;
            return None;
        };
        let until_deadline = deadline.since(self.run);
        if elapsed <= until_deadline + PAUSE_SLACK {
            self.run = self.run + elapsed;
            return None;
        }
        self.run = self.run + until_deadline;
        Some(elapsed.saturating_sub(until_deadline))
    }

    /// Running time now.
    pub(crate) fn run(&self) -> Mono {
        self.run
    }

    /// When the monotonic clock will show this running time, if the process keeps running.
    pub(crate) fn mono_at(&self, run: Mono) -> Mono {
        self.mono + run.since(self.run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_stop_does_not_count_as_running_time() {
        let mut clock = RunClock::new(Mono(0), false);
        assert_eq!(
            clock.advance(Mono(2 * SECOND), Some(Mono(3 * SECOND))),
            None
        );
        let paused = clock.advance(Mono(203 * SECOND), Some(Mono(3 * SECOND)));
        assert_eq!(paused, Some(Period::from_secs(200)));
        assert_eq!(clock.run(), Mono(3 * SECOND));
        assert_eq!(clock.mono_at(Mono(5 * SECOND)), Mono(205 * SECOND));
    }

    #[test]
    fn small_delays_and_idle_processes_count_in_full() {
        let mut clock = RunClock::new(Mono(0), false);
        assert_eq!(
            clock.advance(Mono(SECOND + 900_000), Some(Mono(SECOND))),
            None
        );
        assert_eq!(clock.run(), Mono(SECOND + 900_000));
        assert_eq!(clock.advance(Mono(500 * SECOND), None), None);
        assert_eq!(clock.run(), Mono(500 * SECOND));
    }

    #[test]
    fn the_quirk_counts_a_stop_as_silence() {
        let mut clock = RunClock::new(Mono(0), true);
        assert_eq!(clock.advance(Mono(200 * SECOND), Some(Mono(SECOND))), None);
        assert_eq!(clock.run(), Mono(200 * SECOND));
    }
}
