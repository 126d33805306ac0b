//! The world `turmoil`: the node's real shell and tcp carrier on turmoil's simulated sockets.
//!
//! Each node is a turmoil host. All clients are tasks on one more host, because a step of turmoil
//! is cubic in hosts; faults that name a client act on its own network and clock, so nothing is
//! lost by that. Links, connections, clocks and pauses belong to the [fabric](super::link), which
//! gives the faults the meaning they have in every world:
//!
//! - a partition is an outage that TCP rides out: what arrives waits at the receiver and goes on,
//!   in order, some time after the end (turmoil's own `partition` breaks streams for good, and
//!   its `hold` knows no directions);
//! - loss, drops, delay, duplication, reordering and corruption happen to whole frames;
//! - a kill ends the shell's task, whose sockets send FIN, and then clears the turmoil host; a
//!   power-off is the same after the fabric cut all connections of the host;
//! - a pause stops streams, timers and commands of a host; what is under way in its network goes
//!   on.
//!
//! Turmoil counts latency in whole ticks of at least one millisecond. A tick is 1 ms in runs of up
//! to [`FINE_RUN_MAX`] and 10 ms in longer ones.
//!
//! # Layout
//! - [`net`], [`clock`] what the shell runs on · [`host`] the hosts' software · [`shared`]
//!   recording · [`stage`] what the script wants done · [`lives`] how processes start and end

mod clock;
mod host;
mod lives;
mod net;
mod shared;
mod stage;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use distro_core::rng::Rng;
use distro_core::time::{Mono, Period};
use turmoil::Sim;

use crate::outcome::{Outcome, RunOptions};
use crate::scenario::address;
use crate::scenario::model::{HostId, Scenario};
use crate::world::common::clock::EPOCH_MILLIS;
use crate::world::common::record::Recorder;
use crate::world::common::rules::Rules;
use crate::world::common::state::state_hash;
use crate::world::link::fabric::{Fabric, Medium, TrueTime};
use crate::world::script::agenda::Agenda;
use crate::world::script::stage::Stage;
use crate::world::script::{Script, Skipped, possible};

use host::{Cradle, Nursery};
use lives::Waiting;
use shared::Shared;

/// The longest run that is simulated with ticks of 1 ms. Why: a tick costs the same whatever its
/// length, and a run of minutes must not take longer than its reader has patience.
const FINE_RUN_MAX: Period = Period::from_secs(60);
/// Ticks of runs up to [`FINE_RUN_MAX`].
const TICK_FINE: Duration = Duration::from_millis(1);
/// Ticks of longer runs.
const TICK_COARSE: Duration = Duration::from_millis(10);
/// The shortest latency at which turmoil keeps cause before effect.
const LATENCY_MIN: Period = Period::from_millis(1);
/// Segments per direction of a connection, and connections that wait to be accepted. Why: turmoil
/// panics when the second is exceeded; this is above what all clients of a run can cause.
const TCP_CAPACITY: usize = 65_536;
/// Where the clients live; no client or node of a scenario has this address.
const CLIENTS_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 255, 255, 254));

/// What the driver knows of one host.
#[derive(Debug)]
struct HostPlan {
    lives: Rng,
    /// How many lives it has had: the boot counter on its disk.
    births: u64,
    /// Calls its application made, over all lives.
    calls: u64,
    /// What came for its process while it was paused.
    waiting: Vec<Waiting>,
    /// Where a node's next life is laid.
    cradle: Option<(IpAddr, Cradle)>,
}

/// One run.
struct Driver<'a> {
    scenario: &'a Scenario,
    seed: u64,
    sim: Sim<'a>,
    shared: Rc<Shared>,
    nursery: Rc<Nursery>,
    hosts: Vec<HostPlan>,
    agenda: Agenda,
    /// Hosts for which something waits.
    expecting: BTreeSet<u32>,
    /// Nodes that were killed since the last step.
    dying: BTreeSet<u32>,
    skipped: Skipped,
    failure: Option<String>,
}

/// Runs a scenario as it stands.
///
/// # Errors
/// The trace file could not be written, a node's configuration is wrong, or a task of a node or
/// client failed.
pub fn run(scenario: &Scenario, options: &RunOptions) -> Result<Outcome, String> {
    let (scenario, skipped) = possible(scenario, stage::can);
    let recorder = Recorder::new(&scenario, options)?;
    let mut driver = Driver::new(&scenario, options.seed, recorder)?;
    driver.skipped = skipped;
    driver.run()?;
    driver.finish()
}

fn tick(duration: Period) -> Duration {
    if duration <= FINE_RUN_MAX {
        TICK_FINE
    } else {
        TICK_COARSE
    }
}

fn simulation(scenario: &Scenario, seed: u64) -> Sim<'static> {
    let (low, high) = (scenario.link.latency_min, scenario.link.latency_max);
    let low = low.max(LATENCY_MIN);
    let epoch = UNIX_EPOCH + Duration::from_millis(EPOCH_MILLIS.unsigned_abs());
    turmoil::Builder::new()
        .epoch(epoch)
        .rng_seed(Rng::new(seed, "turmoil").next_u64())
        .tick_duration(tick(scenario.duration))
        .simulation_duration(Duration::from_micros(scenario.duration.0) + TICK_COARSE)
        .min_message_latency(Duration::from_micros(low.0))
        .max_message_latency(Duration::from_micros(high.max(low).0))
        .tcp_capacity(TCP_CAPACITY)
        .build()
}

impl<'a> Driver<'a> {
    fn new(scenario: &'a Scenario, seed: u64, recorder: Recorder) -> Result<Driver<'a>, String> {
        let medium = Medium {
            time: TrueTime(Arc::new(clock::true_time)),
            has_latency: true,
        };
        let fabric = Arc::new(Fabric::new(scenario, seed, medium));
        let shared = Rc::new(Shared::new(fabric, recorder, scenario.hosts()));
        let nursery = Rc::new(Nursery::default());
        let mut sim: Sim<'a> = simulation(scenario, seed);
        let mut hosts = Vec::with_capacity(scenario.hosts());
        for id in (0..).map(HostId).take(scenario.hosts()) {
            let number = id.0;
            let cradle = match scenario.node(id) {
                None => None,
                Some(_) => {
                    let ip = address::node_id(number);
                    let ip = ip.ip().parse().map_err(|error| format!("{ip}: {error}"))?;
                    let cradle = Cradle::default();
                    let (shared, inside) = (shared.clone(), cradle.clone());
                    sim.host(ip, move || {
                        host::node(shared.clone(), number, inside.clone())
                    });
                    Some((ip, cradle))
                }
            };
            hosts.push(HostPlan {
                births: 0,
                lives: Rng::new(seed, &format!("lives {}", scenario.host_name(id))),
                calls: 0,
                waiting: Vec::new(),
                cradle,
            });
        }
        let (with_clients, births) = (shared.clone(), nursery.clone());
        sim.host(CLIENTS_IP, move || {
            host::clients(with_clients.clone(), births.clone())
        });
        Ok(Driver {
            scenario,
            seed,
            sim,
            shared,
            nursery,
            hosts,
            agenda: Agenda::default(),
            expecting: BTreeSet::new(),
            dying: BTreeSet::new(),
            skipped: Skipped::new(),
            failure: None,
        })
    }

    fn run(&mut self) -> Result<(), String> {
        let end = self.scenario.duration.0;
        let mut script = Script::new(self.scenario, self.seed, self);
        loop {
            for action in self.shared.fabric.rules(Rules::take_exhausted) {
                script.end(self, action)?;
            }
            let now = self.now();
            while let Some(due) = self.agenda.pop(now) {
                script.due(self, due)?;
            }
            for host in std::mem::take(&mut self.expecting) {
                self.deliver_waiting(host);
            }
            if let Some(failure) = self.failure.take().or_else(|| self.shared.failure()) {
                return Err(failure);
            }
            if now >= end {
                self.skipped.extend(script.into_skipped());
                return Ok(());
            }
            let at = Mono(now);
            self.sim
                .step()
                .map_err(|error| format!("at {at}: {error}"))?;
            self.bury();
        }
    }

    fn finish(self) -> Result<Outcome, String> {
        let state_hash = state_hash(self.scenario, &self.shared.processes);
        let recorder = self.shared.recorder.borrow_mut().take();
        let recorder = recorder.ok_or("the recorder is gone")?;
        let end = Mono(self.scenario.duration.0.max(self.now()));
        let recorded = recorder.finish(end, &self.shared.processes)?;
        Ok(Outcome {
            notes: Vec::new(),
            verdict: recorded.verdict,
            skipped: self.skipped,
            simulated: Period(end.0),
            events: recorded.entries,
            trace_hash: recorded.hash,
            state_hash,
            lag: None,
        })
    }
}
