//! How a result looks.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Plan, Process, Tally, Workload};

/// The shares of operations whose latency is told.
const SHARES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// What a run has shown.
#[derive(Debug)]
pub struct Report {
    plan: Plan,
    tally: Tally,
    processes: Vec<(Option<Process>, Option<Process>)>,
}

/// What one process took for the run.
struct Taken {
    id: u32,
    cpu: Duration,
    memory: u64,
    grown: i64,
}

impl Report {
    pub(super) fn new(
        plan: &Plan,
        tally: Tally,
        processes: Vec<(Option<Process>, Option<Process>)>,
    ) -> Report {
        Report {
            plan: plan.clone(),
            tally,
            processes,
        }
    }

    /// What was counted.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Operations per second, over the time in which they were done.
    pub fn per_second(&self) -> f64 {
        let span = self.tally.span.as_secs_f64();
        if span > 0.0 {
            self.tally.done() as f64 / span
        } else {
            0.0
        }
    }

    fn taken(&self) -> impl Iterator<Item = Taken> {
        self.processes.iter().filter_map(|(before, after)| {
            let (before, after) = (before.as_ref()?, after.as_ref()?);
            let bytes = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            Some(Taken {
                id: after.id,
                cpu: after.cpu.saturating_sub(before.cpu),
                memory: after.memory,
                grown: bytes(after.memory) - bytes(before.memory),
            })
        })
    }

    fn latencies(&self) -> Vec<(&'static str, u64)> {
        let latency = &self.tally.latency;
        let shares = SHARES.iter();
        let mut all: Vec<_> = shares
            .map(|(name, share)| (*name, latency.value_at_quantile(*share)))
            .collect();
        all.push(("max", latency.max()));
        all
    }

    /// For people.
    pub fn text(&self) -> String {
        let (plan, tally) = (&self.plan, &self.tally);
        let pace = match plan.rate {
            Some(rate) => format!("open loop, {rate} per second"),
            None if plan.workload == Workload::Idle => "idle".to_owned(),
            None => format!("closed loop, {} under way on each", plan.depth),
        };
        let mut text = format!(
            "{} connections over {}, {pace}\n{} done in {:.1} s: {:.0} per second\n",
            plan.connections,
            plan.carrier,
            tally.done(),
            tally.span.as_secs_f64(),
            self.per_second()
        );
        if tally.done() > 0 {
            text.push_str("latency");
            for (name, micros) in self.latencies() {
                // Writing to a text cannot fail.
                write!(text, "  {name} {:.2} ms", micros as f64 / 1_000.0).unwrap_or_default();
            }
            text.push('\n');
        }
        for taken in self.taken() {
            let per = taken.cpu.as_secs_f64() * 1e6 / tally.done().max(1) as f64;
            let share = taken.cpu.as_secs_f64() * 100.0 / plan.length.as_secs_f64();
            writeln!(
                text,
                "process {}: {per:.1} us of processor time per operation ({share:.1} % of a core), {} KiB, \
                 grown by {} KiB",
                taken.id,
                taken.memory / 1024,
                taken.grown / 1024,
            )
            .unwrap_or_default();
        }
        for (kind, count) in tally.errors() {
            writeln!(text, "failed: {count} times {kind}").unwrap_or_default();
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// For machines; times in microseconds, sizes in bytes.
    pub fn json(&self) -> Value {
        let latencies = self.latencies().into_iter();
        let latency: serde_json::Map<_, _> = latencies
            .map(|(name, micros)| (name.to_owned(), json!(micros)))
            .collect();
        let processes: Vec<Value> = self
            .taken()
            .map(|taken| {
                let cpu = u64::try_from(taken.cpu.as_micros()).unwrap_or(u64::MAX);
                json!({
                    "id": taken.id, "cpuMicros": cpu, "memory": taken.memory, "grown": taken.grown,
                })
            })
            .collect();
        json!({
            "carrier": self.plan.carrier.name(), "connections": self.plan.connections, "instances": self.plan.instances,
            "rate": self.plan.rate, "done": self.tally.done(), "perSecond": self.per_second(),
            "seconds": self.tally.span.as_secs_f64(), "latencyMicros": latency,
            "failed": self.tally.failed(), "errors": self.tally.errors(), "processes": processes,
        })
    }
}
