//! Load for a running cluster: what it takes, and how long each operation takes.
//!
//! *Closed loop*: each connection keeps a number of requests under way, so the registry sets the
//! pace. *Open loop*: operations have intended times at a fixed rate and their latency counts from
//! there, so a registry that stalls is charged for everything that waited meanwhile (no
//! coordinated omission).
//!
//! The generator shares the machine with what it measures, so it keeps no machine per connection:
//! it writes and reads messages itself, over tcp many per system call, and looks only at the codes
//! of answers.
//!
//! # Layout
//! - `wire`: one connection · `load`: what is asked on it · `measure`: latencies and errors
//! - `report`: how the result looks

mod load;
mod measure;
mod report;
mod wire;

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::task::{JoinHandle, LocalSet};
use tokio::time::Instant;

pub use measure::{Process, Tally};
pub use report::Report;

use crate::carrier::Carrier;
use load::Shared;

/// What is done to the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// Register instances, and once all are there, again with other content.
    Register,
    /// Deregister and register in turn.
    Churn,
    /// Ask for the lists of services, after all instances were registered.
    Query,
    /// Change an instance at one node and wait until the list is pushed to a subscriber of another.
    Propagate,
    /// Hold connections and do nothing but what keeps them alive.
    Idle,
}

/// A node to load, by its client port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Address or name.
    pub host: String,
    /// Its port for clients.
    pub port: u16,
}

/// A run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The nodes; connections take them in turn.
    pub targets: Vec<Target>,
    /// How nodes are spoken to.
    pub carrier: Carrier,
    /// What is done.
    pub workload: Workload,
    /// How many connections.
    pub connections: u32,
    /// How many instances all connections register together.
    pub instances: u32,
    /// Closed loop: requests under way on each connection.
    pub depth: u32,
    /// Open loop: operations per second of all connections together.
    pub rate: Option<f64>,
    /// How long it is measured.
    pub length: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Processes of this machine whose processor time and memory are told.
    pub processes: Vec<u32>,
}

/// Runs a plan on this thread. `progress` is told every second how many operations are done and
/// how many failed.
///
/// # Errors
/// No connection could be set up or the instances that the workload needs could not be registered:
/// why, in words.
pub async fn run(plan: &Plan, progress: impl Fn(u64, u64)) -> Result<Report, String> {
    let shared = Shared::new(plan);
    LocalSet::new()
        .run_until(async {
            let tasks = load::connect(&shared).await?;
            let before: Vec<_> = plan.processes.iter().map(|id| Process::of(*id)).collect();
            let start = Instant::now();
            let tasks: Vec<JoinHandle<()>> = load::begin(&shared, tasks, start);
            let mut second = tokio::time::interval(Duration::from_secs(1));
            while start.elapsed() < plan.length && !tasks.iter().all(JoinHandle::is_finished) {
                second.tick().await;
                let tally = shared.tally.borrow();
                progress(tally.done(), tally.failed());
            }
            // What is under way may still be answered.
            for task in tasks {
                task.await
                    .map_err(|error| format!("a connection's task: {error}"))?;
            }
            let after: Vec<_> = plan.processes.iter().map(|id| Process::of(*id)).collect();
            let processes = before.into_iter().zip(after).collect();
            let tally = shared.tally.take();
            Ok(Report::new(plan, tally, processes))
        })
        .await
}
