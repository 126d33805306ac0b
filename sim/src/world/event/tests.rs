//! The network and the hosts under scripted machines.
//!
//! The probe client dials its first server and does what its calls say; the probe node answers
//! every request. Service names carry the script: `Query(text)` sends the text as a request,
//! `Subscribe(seconds)` asks for a wake after so long, `Unsubscribe` closes, `Deregister` dials.

mod churn;

use distro_core::config::ConnectionLimits;
use distro_core::ids::{ConnId, NodeId, RequestId, Str};
use distro_core::message::naming::{Instance, InstanceOperation, InstanceRequest, ServiceKey};
use distro_core::message::{Request, Response, ResponseBody};
use distro_core::node::Node;
use distro_core::profile::Profile;
use distro_core::sdk::Sdk;
use distro_core::sdk::io::SdkEvent;
use distro_core::time::Now;
use distro_node::carrier::Carrier;

use super::machine::Effect;
use super::*;
use crate::scenario::model::{
    Action, ClientOp, ClientSpec, Expect, Fault, HostFault, LinkSpec, NodeSpec, Setting, What,
    WorldKind,
};
use crate::world::common::birth::Birth;
use crate::world::common::clock::EPOCH_MILLIS;

/// A machine whose behaviour the tests write.
#[derive(Debug)]
pub(super) struct Probe {
    server: Option<NodeId>,
    conn: Option<ConnId>,
    asked: u64,
    deadline: Option<Mono>,
}

/// A request whose size goes by the name, and that asks for nothing.
fn question(service: ServiceKey) -> Request {
    Request::Instance(Box::new(InstanceRequest {
        service,
        operation: InstanceOperation::Deregister,
        instance: Instance::new("", 0),
    }))
}

impl Probe {
    fn call(&mut self, now: Now, op: ClientOp, out: &mut Vec<Effect>) {
        match op {
            ClientOp::Query(key) => {
                self.asked += 1;
                if let Some(conn) = self.conn {
                    let request = question(key);
                    out.push(Effect::Request(conn, RequestId(self.asked), request));
                }
            }
            ClientOp::Subscribe(key) => {
                let seconds = key.name.parse().expect("the test writes seconds");
                self.deadline = Some(now.mono + Period::from_secs(seconds));
            }
            ClientOp::Unsubscribe(_) => {
                out.extend(self.conn.take().map(|conn| Effect::Close(conn, None)));
            }
            ClientOp::Deregister(_) => out.extend(self.server.clone().map(Effect::Dial)),
            ClientOp::Register(..) | ClientOp::Batch(..) => {}
        }
    }
}

impl Machine for Probe {
    fn start(birth: &Birth<'_>) -> Result<Probe, String> {
        let client = birth.scenario.client(birth.host);
        let server = client.map(|_| address::node_id(0));
        Ok(Probe {
            server,
            conn: None,
            asked: 0,
            deadline: Some(birth.now.mono),
        })
    }

    fn take(&mut self, now: Now, arrival: Arrival, outbox: &mut Outbox) {
        let out = &mut outbox.effects;
        match arrival {
            Arrival::Wake => {
                if self.deadline.is_some_and(|at| at <= now.mono) {
                    self.deadline = None;
                    let service = ServiceKey::named(&now.wall.0.to_string());
                    out.push(Effect::Client(SdkEvent::ListIgnored { service }));
                    out.extend(
                        self.server
                            .clone()
                            .filter(|_| self.conn.is_none())
                            .map(Effect::Dial),
                    );
                }
            }
            Arrival::Dialed { conn, .. } => self.conn = Some(conn),
            Arrival::Closed { conn, .. } => self.conn = self.conn.filter(|own| *own != conn),
            Arrival::Request { conn, id, .. } => {
                let answer = Response::ok(ResponseBody::HealthCheck);
                out.push(Effect::Response(conn, id, answer));
            }
            Arrival::DialFailed { refused, .. } => {
                let service = ServiceKey::named(if refused { "refused" } else { "no answer" });
                out.push(Effect::Client(SdkEvent::ListIgnored { service }));
            }
            Arrival::SendFailed { cause, .. } => {
                let service = ServiceKey::named(&format!("{cause:?}"));
                out.push(Effect::Client(SdkEvent::ListIgnored { service }));
            }
            Arrival::Call { op, .. } => self.call(now, op, out),
            Arrival::Opened { .. } | Arrival::Response { .. } | Arrival::Command(_) => {}
        }
    }

    fn next_deadline(&self) -> Option<Mono> {
        self.deadline
    }

    fn node(&self) -> Option<&Node> {
        None
    }

    fn sdk(&self) -> Option<&Sdk> {
        None
    }
}

/// The only node.
pub(super) const NODE: HostId = HostId(0);
/// The first client.
pub(super) const CLIENT: HostId = HostId(1);

pub(super) fn key(text: &str) -> ServiceKey {
    ServiceKey::named(text)
}

/// One node and this many clients of it, 10 ms apart, for 60 s.
pub(super) fn scenario(clients: u32) -> Scenario {
    let client = |n: u32| ClientSpec {
        name: format!("c{n}"),
        group: "c".into(),
        servers: vec![NODE],
        start: Period::ZERO,
        register: Vec::new(),
        batch: Vec::new(),
        subscribe: Vec::new(),
        churn: None,
    };
    let node = NodeSpec {
        name: "n1".into(),
        profile: Profile::DISTRO,
        members: vec![NODE],
        start: Period::ZERO,
    };
    let latency = Period::from_millis(10);
    Scenario {
        name: "probe".into(),
        about: String::new(),
        seed: 1,
        duration: Period::from_secs(60),
        worlds: vec![WorldKind::Event],
        nodes: vec![node],
        clients: (0..clients).map(client).collect(),
        link: LinkSpec {
            latency_min: latency,
            latency_max: latency,
            loss_per_million: 0,
        },
        limits: ConnectionLimits::default(),
        carrier: Carrier::default(),
        message_bytes_max: 10 * 1024 * 1024,
        timing: Vec::new(),
        timeline: Vec::new(),
        expect: Expect::default(),
        time_scale: 1,
        setting: Setting::default(),
    }
}

impl Scenario {
    /// Adds an action.
    pub(super) fn at(mut self, millis: u64, what: What) -> Scenario {
        self.timeline.push(Action {
            at: Period::from_millis(millis),
            what,
            line: 7,
        });
        self.timeline.sort_by_key(|action| action.at);
        self
    }

    /// Adds a call of the first client.
    pub(super) fn call(self, millis: u64, op: ClientOp) -> Scenario {
        self.at(millis, What::Call { client: CLIENT, op })
    }

    /// Adds a request of the first client.
    pub(super) fn ask(self, millis: u64, text: &str) -> Scenario {
        self.call(millis, ClientOp::Query(key(text)))
    }

    /// Adds a fault.
    pub(super) fn fault(self, millis: u64, lasts: u64, fault: Fault) -> Scenario {
        let lasts = Period::from_millis(lasts);
        self.at(millis, What::Fault { fault, lasts })
    }
}

/// What a run of probes showed: (milliseconds, host, what).
pub(super) fn seen(scenario: &Scenario) -> Vec<(u64, u32, String)> {
    let options = RunOptions::new(WorldKind::Event, scenario.seed);
    let mut world: World<'_, Probe> = World::new(scenario, &options).unwrap();
    world.run().unwrap();
    world
        .recorder
        .seen
        .into_iter()
        .map(|(at, host, what)| (at / 1_000, host, what))
        .collect()
}

/// Milliseconds at which a host saw something that contains all of these texts.
pub(super) fn times(seen: &[(u64, u32, String)], host: HostId, texts: &[&str]) -> Vec<u64> {
    let fits = |what: &str| texts.iter().all(|text| what.contains(text));
    seen.iter()
        .filter(|(_, at_host, what)| *at_host == host.0 && fits(what))
        .map(|(at, _, _)| *at)
        .collect()
}

/// The texts of the requests that the node got, in order.
pub(super) fn received(seen: &[(u64, u32, String)]) -> Vec<String> {
    let requests = seen
        .iter()
        .filter(|(_, host, what)| *host == NODE.0 && what.starts_with("RequestReceived"));
    requests
        .filter_map(|(_, _, what)| what.split('"').nth(5).map(str::to_owned))
        .collect()
}

#[test]
fn a_dial_takes_one_round_trip_and_the_acceptor_learns_half_a_trip_later() {
    let seen = seen(&scenario(1));
    assert_eq!(times(&seen, CLIENT, &["Opened"]), [20]);
    assert_eq!(times(&seen, NODE, &["Opened"]), [30]);
}

#[test]
fn a_dead_process_refuses_and_a_dead_host_gives_no_answer() {
    let redial = ClientOp::Deregister(key(""));
    let killed = seen(
        &scenario(1)
            .fault(100, 0, Fault::Hosts(vec![NODE], HostFault::Kill))
            .call(1_000, redial.clone()),
    );
    assert_eq!(times(&killed, CLIENT, &["refused"]), [1_020]);
    let off = seen(
        &scenario(1)
            .fault(100, 0, Fault::Hosts(vec![NODE], HostFault::PowerOff))
            .call(1_000, redial),
    );
    assert_eq!(times(&off, CLIENT, &["no answer"]), [4_000]);
}

#[test]
fn a_killed_process_tells_its_peers_and_a_power_cut_does_not() {
    let killed = seen(&scenario(1).fault(100, 0, Fault::Hosts(vec![NODE], HostFault::Kill)));
    assert_eq!(times(&killed, CLIENT, &["Closed"]), [110]);
    let off = seen(&scenario(1).fault(100, 0, Fault::Hosts(vec![NODE], HostFault::PowerOff)));
    assert_eq!(times(&off, CLIENT, &["Closed"]), [0; 0]);
}

#[test]
fn what_reaches_a_new_life_on_an_old_connection_draws_a_reset() {
    let restart = Fault::Hosts(vec![NODE], HostFault::Restart { profile: None });
    let cut = scenario(1)
        .fault(100, 0, Fault::Hosts(vec![NODE], HostFault::PowerOff))
        .fault(2_000, 0, restart);
    let quiet = seen(&cut.clone());
    assert_eq!(times(&quiet, CLIENT, &["Closed"]), [0; 0]);
    let late = seen(&cut.clone().ask(5_000, "a"));
    assert_eq!(times(&late, CLIENT, &["Closed"]), [5_020]);
    assert_eq!(received(&late), [""; 0]);
    let early = times(&seen(&cut.ask(1_000, "a")), CLIENT, &["Closed"]);
    assert!((2_010..=2_210).contains(&early[0]), "{early:?}");
}

#[test]
fn a_paused_host_handles_timers_then_arrivals_when_it_resumes() {
    let pause = Fault::Hosts(vec![CLIENT], HostFault::Pause);
    let run = scenario(1)
        .call(900, ClientOp::Subscribe(key("2")))
        .ask(990, "a")
        .fault(1_000, 5_000, pause)
        .ask(1_500, "b");
    let seen = seen(&run);
    let after: Vec<_> = seen
        .iter()
        .filter(|(at, host, _)| *host == 1 && *at > 1_500)
        .collect();
    let first_words: Vec<_> = after
        .iter()
        .map(|(at, _, what)| (*at, what.split([' ', '(']).next().unwrap_or_default()))
        .collect();
    assert_eq!(
        first_words,
        [
            (6_000, "Ended"),
            (6_000, "Client"),
            (6_000, "ResponseReceived"),
            (6_000, "Called"),
            (6_000, "RequestSent"),
            (6_020, "ResponseReceived"),
        ]
    );
}

#[test]
fn overlapping_pauses_end_with_the_last_one() {
    let pause = || Fault::Hosts(vec![NODE], HostFault::Pause);
    let run = scenario(1)
        .fault(1_000, 3_000, pause())
        .fault(2_000, 6_000, pause())
        .ask(1_500, "a");
    assert_eq!(times(&seen(&run), NODE, &["RequestReceived"]), [8_000]);
}

#[test]
fn a_slow_host_takes_its_time_for_each_message() {
    let slow = Fault::Hosts(
        vec![NODE],
        HostFault::Slow {
            per_message: Period::from_millis(100),
        },
    );
    let run = scenario(1)
        .fault(500, 10_000, slow)
        .ask(1_000, "a")
        .ask(1_000, "b")
        .ask(1_001, "c");
    assert_eq!(
        times(&seen(&run), NODE, &["RequestReceived"]),
        [1_110, 1_210, 1_310]
    );
}

#[test]
fn a_deadline_follows_the_hosts_own_clock() {
    let wake = |scenario: Scenario| {
        let seen = seen(&scenario.call(1_000, ClientOp::Subscribe(key("10"))));
        times(&seen, CLIENT, &["ListIgnored"])[1]
    };
    assert_eq!(wake(scenario(1)), 11_000);
    let fast = Fault::Hosts(vec![CLIENT], HostFault::Drift { ppm: 1_000_000 });
    assert_eq!(wake(scenario(1).fault(6_000, 60_000, fast)), 8_500);
    let jump = Fault::Hosts(
        vec![CLIENT],
        HostFault::MonoJump {
            by: Period::from_secs(4),
        },
    );
    assert_eq!(wake(scenario(1).fault(6_000, 0, jump)), 7_000);
    let wall = Fault::Hosts(
        vec![CLIENT],
        HostFault::WallJump {
            by_millis: 3_600_000,
        },
    );
    assert_eq!(wake(scenario(1).fault(6_000, 0, wall)), 11_000);
}

#[test]
fn a_wall_jump_that_lasts_jumps_back() {
    let jump = Fault::Hosts(vec![CLIENT], HostFault::WallJump { by_millis: 500_000 });
    let run = scenario(1)
        .fault(1_000, 4_000, jump)
        .call(1_000, ClientOp::Subscribe(key("1")))
        .call(5_000, ClientOp::Subscribe(key("1")));
    let stamps: Vec<i64> = seen(&run)
        .iter()
        .filter(|(_, host, what)| *host == 1 && what.contains("ListIgnored"))
        .filter_map(|(_, _, what)| what.split('"').nth(5)?.parse().ok())
        .collect();
    let from_epoch: Vec<i64> = stamps.iter().map(|at| at - EPOCH_MILLIS).collect();
    assert_eq!(from_epoch, [0, 502_000, 6_000]);
}

#[test]
fn a_rolling_restart_takes_one_host_after_the_other() {
    let hosts = vec![HostId(1), HostId(2)];
    let (every, down) = (Period::from_secs(10), Period::from_secs(3));
    let seen = seen(&scenario(2).fault(
        5_000,
        0,
        Fault::Hosts(hosts, HostFault::RollingRestart { every, down }),
    ));
    for (host, stop) in [(HostId(1), 5_000), (HostId(2), 15_000)] {
        assert_eq!(times(&seen, host, &["Stopped"]), [stop]);
        assert_eq!(times(&seen, host, &["Started"]), [0, stop + 3_000]);
    }
    assert_eq!(times(&seen, CLIENT, &["Ended"]), [18_000]);
}

#[test]
fn a_call_to_a_dead_client_is_reported_as_skipped() {
    let run = scenario(1)
        .fault(100, 0, Fault::Hosts(vec![CLIENT], HostFault::Kill))
        .ask(1_000, "a");
    let options = RunOptions::new(WorldKind::Event, 1);
    let mut world: World<'_, Probe> = World::new(&run, &options).unwrap();
    world.run().unwrap();
    let outcome = world.finish().unwrap();
    assert_eq!(
        outcome.skipped,
        [(7, "c0 is not running and cannot be called".to_owned())]
    );
}

#[test]
fn a_machine_that_makes_no_progress_ends_the_run() {
    #[derive(Debug)]
    struct Restless;
    impl Machine for Restless {
        fn start(_: &Birth<'_>) -> Result<Restless, String> {
            Ok(Restless)
        }
        fn take(&mut self, _: Now, _: Arrival, _: &mut Outbox) {}
        fn next_deadline(&self) -> Option<Mono> {
            Some(Mono(0))
        }
        fn node(&self) -> Option<&Node> {
            None
        }
        fn sdk(&self) -> Option<&Sdk> {
            None
        }
    }
    let run = scenario(0);
    let options = RunOptions::new(WorldKind::Event, 1);
    let mut world: World<'_, Restless> = World::new(&run, &options).unwrap();
    let problem = world.run().unwrap_err();
    assert_eq!(
        problem,
        "at 0s: n1 asked 1000 times for a wake at this moment"
    );
}

#[test]
fn a_seed_repeats_its_run_and_another_seed_differs() {
    let mut run = scenario(3).ask(1_000, "a").ask(1_001, "b");
    run.link.latency_min = Period::from_millis(1);
    let hash = |seed| {
        let options = RunOptions::new(WorldKind::Event, seed);
        let mut world: World<'_, Probe> = World::new(&run, &options).unwrap();
        world.run().unwrap();
        world.finish().unwrap().trace_hash
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}
