//! The world `event`: core machines on simulated hosts, driven by one event queue. Idle time is
//! skipped and messages pass as structs, so a run costs what its messages cost.
//!
//! # Layout
//! - `queue` what is due next · `host` hosts · `machine` what runs on them
//! - `process` how they run · `conn` connections · `network` sending · `receive` receiving
//! - `size` sizes of messages
//! - `stage` what the script wants done

mod conn;
mod host;
mod machine;
mod network;
mod process;
mod queue;
mod receive;
mod size;
mod slab;
mod stage;

use std::collections::{BTreeMap, VecDeque};

use distro_core::ids::NodeId;
use distro_core::time::{Mono, Period};

use crate::observe::{Observation, Seen};
use crate::outcome::{Outcome, RunOptions};
use crate::scenario::address;
use crate::scenario::model::{HostId, Scenario};
use crate::world::common::nodes_of;
use crate::world::common::record::Recorder;
use crate::world::common::state::state_hash;
use crate::world::script::stage::Done;
use crate::world::script::{Script, Skipped};
use host::Hosts;
use machine::{Arrival, Machine, Outbox, Process};
use network::Network;
use queue::{Event, Queue};

/// Events in one run. Why: a day of a big cluster has less; a run that comes here never ends.
const EVENTS_MAX: u64 = 10_000_000_000;
/// One run.
#[derive(Debug)]
pub(crate) struct World<'a, M> {
    scenario: &'a Scenario,
    seed: u64,
    /// True time, in microseconds.
    now: u64,
    queue: Queue,
    hosts: Hosts<M>,
    net: Network,
    recorder: Recorder,
    outbox: Outbox,
    /// What a host tells its own process about what it just tried.
    local: VecDeque<(u32, Arrival)>,
    addresses: BTreeMap<NodeId, u32>,
    skipped: Skipped,
    failure: Option<String>,
    /// Inputs handled at this moment.
    instant: u64,
}

/// Runs a scenario as it stands.
///
/// # Errors
/// The trace file could not be written, a node's configuration is wrong, or a bound of the
/// testbed was hit.
pub fn run(scenario: &Scenario, options: &RunOptions) -> Result<Outcome, String> {
    let mut world: World<'_, Process> = World::new(scenario, options)?;
    world.run()?;
    world.finish()
}

impl<'a, M: Machine> World<'a, M> {
    fn new(scenario: &'a Scenario, options: &RunOptions) -> Result<World<'a, M>, String> {
        let seed = options.seed;
        let nodes = (0..nodes_of(scenario)).map(|node| (address::node_id(node), node));
        Ok(World {
            scenario,
            seed,
            now: 0,
            queue: Queue::default(),
            hosts: Hosts::new(scenario, seed),
            net: Network::new(scenario, seed),
            recorder: Recorder::new(scenario, options)?,
            outbox: Outbox::default(),
            local: VecDeque::new(),
            addresses: nodes.collect(),
            skipped: Skipped::new(),
            failure: None,
            instant: 0,
        })
    }

    fn run(&mut self) -> Result<(), String> {
        let end = self.scenario.duration.0;
        let mut script = Script::new(self.scenario, self.seed, self);
        let mut events = 0;
        while let Some((at, event)) = self.queue.pop() {
            if at > end {
                break;
            }
            events += 1;
            if events > EVENTS_MAX {
                self.fail(format!("more than {EVENTS_MAX} events"));
            }
            if at != self.now {
                self.now = at;
                self.instant = 0;
            }
            self.dispatch(&mut script, event)?;
            while let Some((host, arrival)) = self.local.pop_front() {
                self.deliver(host, arrival);
                if self.failure.is_some() {
                    break;
                }
            }
            while let Some(action) = self.net.rules.exhausted.pop() {
                script.end(self, action)?;
            }
            if let Some(failure) = self.failure.take().or_else(|| self.recorder.failure()) {
                return Err(failure);
            }
        }
        self.now = end;
        self.skipped = script.into_skipped();
        Ok(())
    }

    fn finish(self) -> Result<Outcome, String> {
        let state_hash = state_hash(self.scenario, &self.hosts);
        let recorded = self.recorder.finish(Mono(self.now), &self.hosts)?;
        Ok(Outcome {
            notes: Vec::new(),
            verdict: recorded.verdict,
            skipped: self.skipped,
            simulated: Period(self.now),
            events: recorded.entries,
            trace_hash: recorded.hash,
            state_hash,
            lag: None,
        })
    }

    fn dispatch(&mut self, script: &mut Script<'_>, event: Event) -> Done {
        match event {
            Event::Wake(host) => self.wake(host),
            Event::Arrive(segment) => self.arrive(segment),
            Event::Serve(host) => self.serve(host),
            Event::DialTimeout(conn) => self.dial_timeout(conn),
            Event::Script(due) => return script.due(self, due),
        }
        Ok(())
    }

    /// The run cannot go on; the first reason counts.
    fn fail(&mut self, why: String) {
        let at = Mono(self.now);
        self.failure
            .get_or_insert_with(|| format!("at {at}: {why}"));
    }

    /// Records an observation at a host.
    fn see(&mut self, host: u32, what: Seen<'_>) {
        let seen = Observation {
            at: Mono(self.now),
            host: HostId(host),
            what,
        };
        self.recorder.see(&seen, &self.hosts);
    }
}

#[cfg(test)]
mod tests;
