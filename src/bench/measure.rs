//! Latencies, errors, and what a process took.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// Latencies up to here are told apart; longer ones count as this.
const LATENCY_MAX: Duration = Duration::from_secs(600);

/// What a run has counted.
#[derive(Debug)]
pub struct Tally {
    /// Microseconds, three significant digits.
    pub(super) latency: Histogram<u64>,
    errors: BTreeMap<String, u64>,
    /// From the start to the last operation that was done.
    pub(super) span: Duration,
}

impl Default for Tally {
    fn default() -> Tally {
        let max = u64::try_from(LATENCY_MAX.as_micros()).unwrap_or(u64::MAX);
        let latency = Histogram::new_with_bounds(1, max, 3);
        Tally {
            latency: latency.expect("bounds and digits are in range"),
            errors: BTreeMap::new(),
            span: Duration::ZERO,
        }
    }
}

impl Tally {
    /// An operation was done, so long after its start and after that of the run.
    pub fn record(&mut self, latency: Duration, since_start: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency.saturating_record(micros.max(1));
        self.span = self.span.max(since_start);
    }

    /// Operations failed.
    pub fn fail(&mut self, kind: &str, count: u64) {
        if count > 0 {
            *self.errors.entry(kind.to_owned()).or_default() += count;
        }
    }

    /// Operations that were done.
    pub fn done(&self) -> u64 {
        self.latency.len()
    }

    /// Operations that failed.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Failures by kind.
    pub fn errors(&self) -> &BTreeMap<String, u64> {
        &self.errors
    }
}

/// What a process of this machine has taken so far, as `/proc` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Which.
    pub id: u32,
    /// Processor time in user and system mode.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub memory: u64,
}

/// Linux counts processor time for people in hundredths of a second, on every machine.
const TICK: Duration = Duration::from_millis(10);

impl Process {
    /// `None` when there is no such process to read of.
    pub fn of(id: u32) -> Option<Process> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name before it may hold blanks and parentheses.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut ticks = fields.split_whitespace().skip(11);
        let user: u32 = ticks.next()?.parse().ok()?;
        let system: u32 = ticks.next()?.parse().ok()?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(Process {
            id,
            cpu: TICK * user.saturating_add(system),
            memory: kib * 1024,
        })
    }
}
