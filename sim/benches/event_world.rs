//! How fast the world `event` simulates: quiet clusters in which every client registers one service
//! and subscribes to one, with all checks on.
//!
//! Prints the median of several runs and how far apart they were. Criterion would tell more about
//! noise and cost a minute; this answers in seconds.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a benchmark measures real time and prints what it found"
)]

use std::time::Duration;

use distro_core::config::ConnectionLimits;
use distro_core::constants::MESSAGE_BYTES_MAX;
use distro_core::message::naming::{Instance, ServiceKey};
use distro_core::profile::Profile;
use distro_core::time::Period;
use distro_sim::run::{Outcome, RunOptions, run};
use distro_sim::scenario::model::{
    ClientSpec, Expect, HostId, LinkSpec, NodeSpec, Scenario, Setting, WorldKind,
};

/// Simulated time of one run.
const LIFE: Period = Period::from_secs(60);
/// Runs per figure.
const RUNS: u64 = 7;
/// Services in the cluster. Why: one per ten clients is what a small company has.
const CLIENTS_PER_SERVICE: usize = 10;

fn cluster(nodes: u32, clients_per_node: u32) -> Scenario {
    let members: Vec<HostId> = (0..nodes).map(HostId).collect();
    let node = |n: u32| NodeSpec {
        name: format!("n{}", n + 1),
        profile: Profile::DISTRO,
        members: members.clone(),
        start: Period::ZERO,
    };
    let clients = (nodes * clients_per_node) as usize;
    let services = (clients / CLIENTS_PER_SERVICE).max(1);
    let service = |n: usize| ServiceKey::named(&format!("service-{}", n % services));
    let client = |n: usize| ClientSpec {
        name: format!("c{n}"),
        group: "c".into(),
        servers: (0..nodes)
            .map(|turn| HostId((n as u32 + turn) % nodes))
            .collect(),
        start: Period::ZERO,
        register: vec![(
            service(n),
            Instance::new(&format!("10.2.{}.{}", n / 250, n % 250), 80),
        )],
        batch: Vec::new(),
        subscribe: vec![service(n + 1)],
        churn: None,
    };
    Scenario {
        name: "bench".into(),
        about: "A quiet cluster.".into(),
        seed: 1,
        duration: LIFE,
        worlds: vec![WorldKind::Event],
        nodes: (0..nodes).map(node).collect(),
        clients: (0..clients).map(client).collect(),
        link: LinkSpec {
            latency_min: Period::from_millis(1),
            latency_max: Period::from_millis(50),
            loss_per_million: 0,
        },
        limits: ConnectionLimits::default(),
        carrier: distro_node::carrier::Carrier::default(),
        message_bytes_max: MESSAGE_BYTES_MAX,
        timing: Vec::new(),
        timeline: Vec::new(),
        expect: Expect::default(),
        time_scale: 1,
        setting: Setting::default(),
    }
}

fn life(scenario: &Scenario, seed: u64) -> (Duration, Outcome) {
    let options = RunOptions::new(WorldKind::Event, seed);
    let start = std::time::Instant::now();
    let outcome = run(scenario, &options).expect("a quiet cluster runs");
    (start.elapsed(), outcome)
}

fn measure(nodes: u32, clients_per_node: u32) {
    let scenario = cluster(nodes, clients_per_node);
    life(&scenario, 0);
    let mut runs: Vec<(Duration, Outcome)> = (1..=RUNS).map(|seed| life(&scenario, seed)).collect();
    runs.sort_by_key(|(took, _)| *took);
    let violations: usize = runs
        .iter()
        .map(|(_, outcome)| outcome.verdict.violations.len())
        .sum();
    let (median, outcome) = &runs[runs.len() / 2];
    let rate = |took: Duration| LIFE.0 as f64 / 1e6 / took.as_secs_f64();
    let fastest = rate(runs[0].0);
    let slowest = rate(runs[runs.len() - 1].0);
    println!(
        "{nodes} nodes x {clients_per_node:3} clients: {:9.0} simulated s/s ({slowest:.0}..{fastest:.0}), \
         {:9.0} events/s, {:7.3} ms a life, {} events, {violations} violations",
        rate(*median),
        outcome.events as f64 / median.as_secs_f64(),
        median.as_secs_f64() * 1e3,
        outcome.events,
    );
}

fn main() {
    for (nodes, clients_per_node) in [(3, 10), (3, 100), (9, 100)] {
        measure(nodes, clients_per_node);
    }
}
