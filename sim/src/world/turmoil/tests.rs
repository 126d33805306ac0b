//! Real clusters on turmoil's sockets, quiet and under every kind of fault.

mod hosts;

use distro_core::config::ConnectionLimits;
use distro_core::message::MessageKind;
use distro_core::message::naming::{Instance, ServiceKey};
use distro_core::profile::Profile;
use distro_node::carrier::Carrier;

use super::*;
use crate::observe::Tables;
use crate::scenario::model::{
    Action, ClientSpec, ConnFault, Expect, Fault, HostFault, LinkFault, LinkSpec, NameAnswer,
    NodeSpec, Path, Setting, What, WorldKind,
};

const N1: HostId = HostId(0);
const N2: HostId = HostId(1);
const N3: HostId = HostId(2);
/// Connected to `n1`.
const A: HostId = HostId(3);
/// Connected to `n2`.
const B: HostId = HostId(4);

fn demo() -> ServiceKey {
    ServiceKey::named("demo")
}

fn client(name: &str, first: HostId) -> ClientSpec {
    let others = [N1, N2, N3].into_iter().filter(|host| *host != first);
    ClientSpec {
        name: name.to_owned(),
        group: name.to_owned(),
        servers: std::iter::once(first).chain(others).collect(),
        start: Period::from_secs(2),
        register: vec![(demo(), Instance::new(name, 80))],
        batch: Vec::new(),
        subscribe: vec![demo()],
        churn: None,
    }
}

/// Three nodes and two clients that publish and subscribe one service, for so many seconds.
fn scenario(seconds: u64, timeline: Vec<(u64, Fault, Period)>) -> Scenario {
    let nodes = ["n1", "n2", "n3"].map(|name| NodeSpec {
        name: name.to_owned(),
        profile: Profile::DISTRO,
        members: vec![N1, N2, N3],
        start: Period::ZERO,
    });
    let timeline = timeline.into_iter().map(|(at, fault, lasts)| Action {
        at: Period::from_secs(at),
        what: What::Fault { fault, lasts },
        line: 1,
    });
    Scenario {
        name: "test".to_owned(),
        about: "A test.".to_owned(),
        seed: 1,
        duration: Period::from_secs(seconds),
        worlds: vec![WorldKind::Turmoil],
        nodes: nodes.to_vec(),
        clients: vec![client("a", N1), client("b", N2)],
        link: LinkSpec {
            latency_min: Period::from_millis(1),
            latency_max: Period::from_millis(5),
            loss_per_million: 0,
        },
        limits: ConnectionLimits::default(),
        carrier: Carrier::default(),
        message_bytes_max: 1024 * 1024,
        timing: Vec::new(),
        timeline: timeline.collect(),
        expect: Expect::default(),
        time_scale: 1,
        setting: Setting::default(),
    }
}

fn path(from: &[HostId], to: &[HostId], both: bool) -> Path {
    Path {
        from: from.to_vec(),
        to: to.to_vec(),
        both,
        kinds: Vec::new(),
        requests: None,
    }
}

fn options(seed: u64) -> RunOptions {
    RunOptions::new(WorldKind::Turmoil, seed)
}

/// A run up to its end, to look at.
struct Ran {
    seen: Vec<(u64, u32, String)>,
    shared: Rc<Shared>,
}

fn ran(scenario: &Scenario) -> Ran {
    let recorder = Recorder::new(scenario, &options(7)).unwrap();
    let mut driver = Driver::new(scenario, 7, recorder).unwrap();
    driver.run().unwrap();
    let recorder = driver.shared.recorder.borrow_mut().take().unwrap();
    Ran {
        seen: recorder.seen,
        shared: driver.shared.clone(),
    }
}

impl Ran {
    /// How many instances of the service a node lists.
    fn listed(&self, node: HostId) -> usize {
        let mut count = 0;
        self.shared.processes.with_node(node, &mut |node| {
            count = node.list(&demo(), "", false).len();
        });
        count
    }

    /// How many instances of the service a client believes in.
    fn believed(&self, client: HostId) -> usize {
        let mut count = 0;
        self.shared.processes.with_sdk(client, &mut |sdk| {
            count = sdk.list(&demo()).map_or(0, |info| info.hosts.len());
        });
        count
    }

    fn server(&self, client: HostId) -> Option<String> {
        let mut server = None;
        self.shared.processes.with_sdk(client, &mut |sdk| {
            server = sdk
                .connected()
                .map(|(server, _)| server.as_str().to_owned());
        });
        server
    }

    /// Observations at a host between two seconds whose text begins so.
    fn count(&self, host: HostId, from: u64, to: u64, text: &str) -> usize {
        let within = from * 1_000_000..to * 1_000_000;
        self.seen
            .iter()
            .filter(|(at, seen_at, what)| {
                *seen_at == host.0 && within.contains(at) && what.starts_with(text)
            })
            .count()
    }

    /// Messages that a host got from another between two seconds.
    fn received(&self, host: HostId, from: u64, to: u64, peer: HostId) -> usize {
        let within = from * 1_000_000..to * 1_000_000;
        let peer = format!("peer: HostId({})", peer.0);
        self.seen
            .iter()
            .filter(|(at, seen_at, what)| {
                let got = what.starts_with("RequestReceived") || what.starts_with("ResponseRec");
                *seen_at == host.0 && within.contains(at) && got && what.contains(&peer)
            })
            .count()
    }

    fn all_list(&self, count: usize) {
        let lists = [N1, N2, N3].map(|node| self.listed(node));
        let believed = [A, B].map(|client| self.believed(client));
        assert_eq!((lists, believed), ([count; 3], [count; 2]));
    }
}

#[test]
fn a_quiet_cluster_converges() {
    let ran = ran(&scenario(12, Vec::new()));
    ran.all_list(2);
    assert_eq!(ran.server(A).as_deref(), Some("10.0.0.1:8848"));
    assert_eq!(ran.server(B).as_deref(), Some("10.0.0.2:8848"));
    assert_eq!(ran.count(A, 0, 12, "Closed"), 0);
}

#[test]
fn observations_never_go_back_in_time() {
    let ran = ran(&scenario(8, Vec::new()));
    assert!(ran.seen.len() > 100);
    assert!(ran.seen.windows(2).all(|pair| pair[0].0 <= pair[1].0));
}

#[test]
fn one_seed_gives_one_trace() {
    let faults = vec![
        (
            4,
            Fault::Link(path(&[N1], &[N2, N3], true), LinkFault::Partition),
            Period::from_secs(3),
        ),
        (
            5,
            Fault::Hosts(vec![N3], HostFault::Kill),
            Period::from_secs(2),
        ),
        (
            8,
            Fault::Link(
                path(&[N1, N2, N3], &[A, B], true),
                LinkFault::Loss {
                    per_million: 50_000,
                },
            ),
            Period::from_secs(3),
        ),
    ];
    let scenario = scenario(15, faults);
    let mut hashes = std::collections::BTreeSet::new();
    for seed in 1..=8 {
        let first = run(&scenario, &options(seed)).unwrap();
        // Simulator and runtime number tasks over the whole process: a second run meets others.
        assert_eq!(run(&scenario, &options(seed)).unwrap(), first);
        hashes.insert(first.trace_hash);
    }
    assert_eq!(hashes.len(), 8, "seeds matter");
}

#[test]
fn a_partition_is_ridden_out_and_nothing_crosses_meanwhile() {
    let partition = Fault::Link(path(&[N1], &[N2], true), LinkFault::Partition);
    let ran = ran(&scenario(20, vec![(6, partition, Period::from_secs(4))]));
    assert_eq!(ran.received(N1, 7, 10, N2) + ran.received(N2, 7, 10, N1), 0);
    assert!(ran.received(N3, 7, 10, N1) > 0, "the others go on");
    assert!(
        ran.received(N2, 10, 20, N1) > 0,
        "and so do they in the end"
    );
    ran.all_list(2);
}

#[test]
fn a_one_way_partition_stops_one_direction() {
    let partition = Fault::Link(path(&[N1], &[A], false), LinkFault::Partition);
    let ran = ran(&scenario(14, vec![(4, partition, Period::from_secs(5))]));
    assert_eq!(ran.received(A, 5, 9, N1), 0);
    assert!(ran.received(N1, 5, 9, A) > 0);
}

#[test]
fn a_killed_node_says_goodbye_and_its_clients_move() {
    let ran = ran(&scenario(
        20,
        vec![(6, Fault::Hosts(vec![N1], HostFault::Kill), Period::MAX)],
    ));
    assert_eq!(ran.count(A, 6, 7, "Closed"), 1);
    assert_ne!(ran.server(A).as_deref(), Some("10.0.0.1:8848"));
    assert_eq!(ran.count(N1, 7, 20, ""), 0);
}

#[test]
fn a_node_that_is_switched_off_says_nothing() {
    let ran = ran(&scenario(
        20,
        vec![(6, Fault::Hosts(vec![N1], HostFault::PowerOff), Period::MAX)],
    ));
    assert_eq!(ran.count(N1, 6, 7, "Stopped { silent: true }"), 1);
    assert_eq!(ran.count(A, 6, 20, "Closed"), 0);
    assert!(ran.count(A, 6, 20, "Client(Disconnected") >= 1);
}

#[test]
fn a_node_comes_back_and_loads() {
    let ran = ran(&scenario(
        40,
        vec![(
            6,
            Fault::Hosts(vec![N2], HostFault::Kill),
            Period::from_secs(5),
        )],
    ));
    assert_eq!(ran.count(N2, 0, 40, "Started"), 2);
    ran.all_list(2);
}

#[test]
fn a_node_switched_on_again_resets_its_earlier_connections() {
    let ran = ran(&scenario(
        40,
        vec![(
            6,
            Fault::Hosts(vec![N2], HostFault::PowerOff),
            Period::from_secs(1),
        )],
    ));
    assert_eq!(ran.count(B, 6, 20, "Closed"), 1);
    ran.all_list(2);
}

#[test]
fn a_client_alone_is_killed() {
    let ran = ran(&scenario(
        12,
        vec![(6, Fault::Hosts(vec![A], HostFault::Kill), Period::MAX)],
    ));
    assert_eq!(ran.count(A, 7, 12, ""), 0);
    assert_eq!(ran.listed(N3), 1);
    assert_eq!(ran.believed(B), 1);
}

#[test]
fn a_reset_is_noticed_at_both_ends() {
    let ran = ran(&scenario(
        12,
        vec![(
            6,
            Fault::Conns(path(&[A], &[N1], false), ConnFault::Reset),
            Period::ZERO,
        )],
    ));
    assert_eq!(ran.count(A, 6, 7, "Closed"), 1);
    assert_eq!(ran.count(N1, 6, 7, "Closed"), 1);
    assert_eq!(ran.count(B, 6, 12, "Closed"), 0);
}

#[test]
fn a_half_open_connection_ends_here_and_later_there() {
    let half = Fault::Conns(path(&[A], &[N1], false), ConnFault::HalfOpen);
    let ran = ran(&scenario(14, vec![(6, half, Period::ZERO)]));
    assert_eq!(ran.count(N1, 6, 7, "Closed"), 1);
    let first_send = ran.seen.iter().find(|(at, host, what)| {
        *at >= 6_000_000 && *host == A.0 && what.starts_with("RequestSent")
    });
    let closed = ran
        .seen
        .iter()
        .find(|(at, host, what)| *at >= 6_000_000 && *host == A.0 && what.starts_with("Closed"));
    let (first_send, closed) = (first_send.unwrap().0, closed.unwrap().0);
    assert!(first_send < closed && closed < first_send + 20_000);
}

#[test]
fn a_dead_stream_is_silent_for_good() {
    let dead = Fault::Conns(path(&[N1], &[A], false), ConnFault::DeadStream);
    let ran = ran(&scenario(30, vec![(6, dead, Period::ZERO)]));
    assert_eq!(ran.count(A, 7, 12, "ResponseReceived"), 0);
    assert!(ran.count(A, 7, 30, "Client(Disconnected") >= 1);
    ran.all_list(2);
}

#[test]
fn messages_of_one_kind_are_dropped_and_no_other() {
    let mut only = path(&[N1, N2, N3], &[N1, N2, N3], false);
    only.kinds = vec![MessageKind::Change];
    let ran = ran(&scenario(
        10,
        vec![(
            1,
            Fault::Link(only, LinkFault::Partition),
            Period::from_secs(3),
        )],
    ));
    let received = |text: &str| -> usize {
        [N1, N2, N3]
            .into_iter()
            .map(|node| {
                ran.seen
                    .iter()
                    .filter(|(at, host, what)| {
                        *host == node.0
                            && *at < 4_000_000
                            && what.starts_with("RequestReceived")
                            && what.contains(text)
                    })
                    .count()
            })
            .sum()
    };
    assert_eq!(received("DistroData(Change"), 0);
    assert!(received("DistroData(") > 0);
}

#[test]
fn everything_twice_is_still_one_cluster() {
    let all = [N1, N2, N3, A, B];
    let twice = Fault::Link(
        path(&all, &all, false),
        LinkFault::Duplicate {
            per_million: 1_000_000,
        },
    );
    let ran = ran(&scenario(15, vec![(0, twice, Period::MAX)]));
    let received = ran.count(N1, 5, 15, "RequestReceived");
    assert!(received > 0);
    ran.all_list(2);
}

#[test]
fn unreadable_requests_are_refused_and_nothing_breaks() {
    let corrupt = Fault::Link(
        path(&[A], &[N1], false),
        LinkFault::Corrupt {
            per_million: 1_000_000,
        },
    );
    let ran = ran(&scenario(20, vec![(6, corrupt, Period::from_secs(4))]));
    let malformed = ran.seen.iter().filter(|(_, host, what)| {
        *host == N1.0 && what.starts_with("Unhandled") && what.contains("Malformed")
    });
    assert!(malformed.count() > 0);
    ran.all_list(2);
}
