//! Whatever clients do and whatever goes wrong: when the faults are over, every check holds.
//!
//! A plan is small numbers, so that a failing one shrinks to few hosts, few operations and few
//! faults; it is then written out as a scenario file that `distro-sim run` reproduces.

use std::path::PathBuf;

use distro_core::config::ConnectionLimits;
use distro_core::constants::MESSAGE_BYTES_MAX;
use distro_core::message::MessageKind;
use distro_core::message::naming::{Instance, ServiceKey};
use distro_core::profile::Profile;
use distro_core::time::Period;
use distro_sim::run::{RunOptions, run};
use distro_sim::scenario::model::{
    Action, ClientOp, ClientSpec, ConnFault, Expect, Fault, HostFault, HostId, LinkFault, LinkSpec,
    NodeFault, NodeSpec, Path, Scenario, Setting, What, WorldKind,
};
use distro_sim::scenario::{address, impossible, write};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// Faults begin and operations happen in this stretch, in tenths of a second.
const BUSY: u64 = 400;
/// After the last fault: time for a client to return, a table to converge, and a lease to end.
const SETTLE: Period = Period::from_secs(260);

#[derive(Debug, Clone)]
struct Plan {
    nodes: usize,
    clients: usize,
    watchers: usize,
    latency_ms: u64,
    ops: Vec<Op>,
    faults: Vec<Trouble>,
    seed: u64,
}

#[derive(Debug, Clone)]
struct Op {
    at: u64,
    client: usize,
    kind: u8,
    service: u8,
}

#[derive(Debug, Clone)]
struct Trouble {
    at: u64,
    lasts: u64,
    kind: u8,
    one: usize,
    two: usize,
    size: u8,
}

fn plan() -> impl Strategy<Value = Plan> {
    let op = (50..BUSY, 0..8usize, 0..5u8, 0..3u8).prop_map(|(at, client, kind, service)| Op {
        at,
        client,
        kind,
        service,
    });
    let trouble = (50..BUSY, 1..300u64, 0..24u8, 0..8usize, 0..8usize, 0..10u8).prop_map(
        |(at, lasts, kind, one, two, size)| Trouble {
            at,
            lasts,
            kind,
            one,
            two,
            size,
        },
    );
    (
        1..5usize,
        1..8usize,
        0..3usize,
        1..40u64,
        proptest::collection::vec(op, 0..12),
        proptest::collection::vec(trouble, 0..6),
        any::<u32>(),
    )
        .prop_map(
            |(nodes, clients, watchers, latency_ms, ops, faults, seed)| Plan {
                nodes,
                clients,
                watchers,
                latency_ms,
                ops,
                faults,
                seed: u64::from(seed),
            },
        )
}

fn tenths(value: u64) -> Period {
    Period::from_millis(value * 100)
}

fn host(index: usize) -> HostId {
    HostId(u32::try_from(index).expect("plans are small"))
}

impl Plan {
    fn node(&self, number: usize) -> HostId {
        host(number % self.nodes)
    }

    fn client(&self, number: usize) -> HostId {
        host(self.nodes + number % (self.clients + self.watchers))
    }

    fn instance(&self, client: HostId) -> Instance {
        let index = client.0 - u32::try_from(self.nodes).expect("plans are small");
        address::client_instance(index)
    }

    fn client_spec(&self, index: usize) -> ClientSpec {
        let name = if index < self.clients {
            "web"
        } else {
            "watcher"
        };
        let orders = ServiceKey::named("s0");
        let servers = (0..self.nodes)
            .map(|step| self.node(index + step))
            .collect();
        let registers = index < self.clients;
        let own = self.instance(host(self.nodes + index));
        ClientSpec {
            name: format!("{name}-{index}"),
            group: format!("{name}-{index}"),
            servers,
            start: tenths(20 + index as u64),
            register: registers
                .then(|| (orders.clone(), own))
                .into_iter()
                .collect(),
            batch: Vec::new(),
            subscribe: if registers { Vec::new() } else { vec![orders] },
            churn: None,
        }
    }

    fn op(&self, op: &Op) -> What {
        let client = self.client(op.client);
        let service = ServiceKey::named(&format!("s{}", op.service));
        let own = self.instance(client);
        let op = match op.kind {
            0 => ClientOp::Register(service, own),
            1 => ClientOp::Deregister(service),
            2 => ClientOp::Batch(service, vec![own.clone(), Instance { port: 9_000, ..own }]),
            3 => ClientOp::Subscribe(service),
            _ => ClientOp::Query(service),
        };
        What::Call { client, op }
    }

    /// Both directions, or one, between two nodes or a client and a node.
    fn path(&self, trouble: &Trouble, kinds: Vec<MessageKind>) -> Path {
        let from = self.node(trouble.one);
        let to = if trouble.size.is_multiple_of(3) || self.nodes == 1 {
            self.client(trouble.two)
        } else {
            self.node(trouble.one + 1 + trouble.two % (self.nodes - 1))
        };
        let both = trouble.size.is_multiple_of(2);
        Path {
            from: vec![from],
            to: vec![to],
            both,
            kinds,
            requests: None,
        }
    }

    /// What a trouble's number stands for, and how long it lasts.
    fn fault(&self, trouble: &Trouble) -> (Fault, Period) {
        let lasts = tenths(trouble.lasts);
        match trouble.kind {
            0..10 => (self.fault_of_messages(trouble), lasts),
            10 => (
                Fault::Conns(self.path(trouble, Vec::new()), ConnFault::Reset),
                Period::ZERO,
            ),
            11 => (
                Fault::Conns(self.path(trouble, Vec::new()), ConnFault::HalfOpen),
                Period::ZERO,
            ),
            12 => (
                Fault::Conns(self.path(trouble, Vec::new()), ConnFault::DeadStream),
                Period::ZERO,
            ),
            kind => self.fault_of_hosts(kind, trouble),
        }
    }

    fn fault_of_messages(&self, trouble: &Trouble) -> Fault {
        let per_million = 50_000 * (u32::from(trouble.size) + 1);
        let replication = || {
            vec![
                MessageKind::Change,
                MessageKind::Add,
                MessageKind::Delete,
                MessageKind::Verify,
            ]
        };
        let path = |kinds| self.path(trouble, kinds);
        match trouble.kind {
            0 | 1 => Fault::Link(path(Vec::new()), LinkFault::Partition),
            2 => Fault::Link(path(replication()), LinkFault::Partition),
            3 => Fault::Link(path(vec![MessageKind::Delete]), LinkFault::Partition),
            4 => Fault::Link(
                path(Vec::new()),
                LinkFault::Loss {
                    per_million: per_million / 4,
                },
            ),
            5 => Fault::Link(
                path(Vec::new()),
                LinkFault::Drop {
                    count: u32::from(trouble.size) + 1,
                },
            ),
            6 => {
                let by = Period::from_millis(u64::from(trouble.size) * 150 + 1);
                Fault::Link(path(Vec::new()), LinkFault::Delay { by })
            }
            7 => Fault::Link(path(replication()), LinkFault::Duplicate { per_million }),
            8 => Fault::Link(
                path(replication()),
                LinkFault::Reorder {
                    within: Period::from_secs(3),
                },
            ),
            _ => Fault::Link(path(replication()), LinkFault::Corrupt { per_million }),
        }
    }

    fn fault_of_hosts(&self, kind: u8, trouble: &Trouble) -> (Fault, Period) {
        let lasts = tenths(trouble.lasts);
        let size = i32::from(trouble.size);
        let node = vec![self.node(trouble.one)];
        let client = vec![self.client(trouble.one)];
        let fault = match kind {
            13 => {
                let per_message = Period::from_millis(u64::from(trouble.size) + 1);
                Fault::Hosts(node, HostFault::Slow { per_message })
            }
            14 => Fault::Hosts(node, HostFault::Pause),
            15 => Fault::Hosts(client, HostFault::Pause),
            16 => Fault::Hosts(node, HostFault::Kill),
            17 => Fault::Hosts(node, HostFault::PowerOff),
            18 => Fault::Hosts(client, HostFault::Kill),
            19 => Fault::Hosts(client, HostFault::PowerOff),
            20 => Fault::Hosts(
                node,
                HostFault::WallJump {
                    by_millis: i64::from(size - 5) * 100_000,
                },
            ),
            21 => {
                return (
                    Fault::Hosts(node, HostFault::MonoJump { by: lasts }),
                    Period::ZERO,
                );
            }
            22 => Fault::Hosts(
                node,
                HostFault::Drift {
                    ppm: (size - 5) * 2_000,
                },
            ),
            _ => {
                let (node, count) = (node[0], u32::from(trouble.size) + 1);
                return (
                    Fault::Node(node, NodeFault::FailApply { count }),
                    Period::ZERO,
                );
            }
        };
        (fault, lasts)
    }

    /// The timeline in time order, and when the last fault is over.
    fn timeline(&self) -> (Vec<Action>, Period) {
        let mut timeline: Vec<Action> = self
            .ops
            .iter()
            .map(|op| Action {
                at: tenths(op.at),
                what: self.op(op),
                line: 0,
            })
            .collect();
        let mut end = tenths(BUSY);
        for trouble in &self.faults {
            let (fault, lasts) = self.fault(trouble);
            let at = tenths(trouble.at);
            end = end.max(at + lasts);
            let mut add = |at, fault, lasts| {
                timeline.push(Action {
                    at,
                    what: What::Fault { fault, lasts },
                    line: 0,
                });
            };
            // As in a file: a host that goes down for a while is two entries.
            if let Fault::Hosts(hosts, HostFault::Kill | HostFault::PowerOff) = &fault {
                let again = Fault::Hosts(hosts.clone(), HostFault::Restart { profile: None });
                add(at + lasts, again, Period::ZERO);
                add(at, fault, Period::ZERO);
            } else {
                add(at, fault, lasts);
            }
        }
        timeline.sort_by_key(|action| action.at);
        (timeline, end)
    }

    fn scenario(&self) -> Scenario {
        let members: Vec<HostId> = (0..self.nodes).map(host).collect();
        let node = |index: usize| NodeSpec {
            name: format!("n{}", index + 1),
            profile: Profile::DISTRO,
            members: members.clone(),
            start: Period::ZERO,
        };
        let (timeline, end) = self.timeline();
        Scenario {
            name: String::from("found-by-convergence"),
            about: String::from("A random life that the convergence property found and shrank."),
            seed: self.seed,
            duration: end + SETTLE,
            worlds: vec![WorldKind::Event],
            nodes: (0..self.nodes).map(node).collect(),
            clients: (0..self.clients + self.watchers)
                .map(|at| self.client_spec(at))
                .collect(),
            link: LinkSpec {
                latency_min: Period::from_millis(1),
                latency_max: Period::from_millis(self.latency_ms),
                loss_per_million: 0,
            },
            limits: ConnectionLimits::default(),
            carrier: distro_node::carrier::Carrier::default(),
            message_bytes_max: MESSAGE_BYTES_MAX,
            timing: Vec::new(),
            timeline,
            expect: Expect::default(),
            time_scale: 1,
            setting: Setting::default(),
        }
    }
}

fn options(seed: u64) -> RunOptions {
    RunOptions::new(WorldKind::Event, seed)
}

/// What is broken in this life, in words; `None` when everything holds.
fn broken(scenario: &Scenario) -> Option<String> {
    match run(scenario, &options(scenario.seed)) {
        Err(error) => Some(format!("the run failed: {error}")),
        Ok(outcome) if outcome.verdict.violations.is_empty() => None,
        Ok(outcome) => Some(
            outcome
                .verdict
                .violations
                .iter()
                .map(|violation| {
                    format!(
                        "{} at {}: {}",
                        violation.check, violation.at, violation.text
                    )
                })
                .collect::<Vec<_>>()
                .join("\n"),
        ),
    }
}

fn write_out(scenario: &Scenario) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("{}.toml", scenario.name));
    std::fs::write(&path, write(scenario)).expect("the target folder can be written");
    path
}

/// Without `PROPTEST_CASES` always the same lives, so that a change is judged by what it changed;
/// with it that many new ones, to explore.
fn runner() -> TestRunner {
    let explore = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok());
    let cases = explore.unwrap_or(500);
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    if explore.is_some() {
        TestRunner::new(config)
    } else {
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        TestRunner::new_with_rng(config, rng)
    }
}

#[test]
fn every_check_holds_when_the_faults_are_over() {
    let mut runner = runner();
    let result = runner.run(&plan(), |plan| {
        let scenario = plan.scenario();
        if !impossible(&scenario).is_empty() {
            return Err(TestCaseError::reject("a fault on a host that is down"));
        }
        broken(&scenario).map_or(Ok(()), |text| Err(TestCaseError::fail(text)))
    });
    if let Err(proptest::test_runner::TestError::Fail(reason, plan)) = &result {
        let path = write_out(&plan.scenario());
        panic!(
            "{reason}\n\nagain: cargo run --release -p distro-sim -- run {} --world event",
            path.display()
        );
    }
    result.expect("enough plans are possible");
}

#[test]
fn a_plan_written_out_reads_back_as_the_same_life() {
    let mut runner = TestRunner::deterministic();
    let mut compared = 0;
    for _ in 0..60 {
        let tree = plan()
            .new_tree(&mut runner)
            .expect("plans are unconditional");
        let scenario = proptest::strategy::ValueTree::current(&tree).scenario();
        if !impossible(&scenario).is_empty() {
            continue;
        }
        let text = write(&scenario);
        let read = distro_sim::scenario::parse(&scenario.name, &text)
            .unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        let one = run(&scenario, &options(scenario.seed)).expect("the run ends");
        let two = run(&read, &options(scenario.seed)).expect("the run ends");
        assert_eq!(one.trace_hash, two.trace_hash, "{text}");
        compared += 1;
    }
    assert!(compared > 20, "only {compared} plans were possible");
}
