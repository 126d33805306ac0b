//! Tests of the checks by hand-made observations: each check is made to fail by one sequence and
//! to hold by its neighbour.

mod liveness;
mod removal;
mod safety;
mod tables;
mod upset;

use std::sync::Arc;

use distro_core::config::ConnectionLimits;
use distro_core::event::{ChangeCause, Event};
use distro_core::ids::{ClientId, ConnId, Incarnation, RequestId, Revision};
use distro_core::io::{RemoveCause, Removed};
use distro_core::message::distro::{ClientSyncData, DistroDataRequest, Origin};
use distro_core::message::naming::{Instance, Published, ServiceInfo, ServiceKey};
use distro_core::message::{Request, Response};
use distro_core::node::Node;
use distro_core::profile::Profile;
use distro_core::sdk::Sdk;
use distro_core::sdk::io::SdkEvent;
use distro_core::time::{Mono, Period};
use distro_node::carrier::Carrier;

use crate::check::verdict::Verdict;
use crate::judge::Judge;
use crate::observe::{Observation, Seen, Tables};
use crate::scenario::address::node_id;
use crate::scenario::model::{
    Action, ClientOp, ClientSpec, Expect, Fault, HostId, LinkSpec, NodeOp, NodeSpec, Path,
    Scenario, Setting, What, WorldKind,
};

/// No machines to look at.
struct Nothing;

impl Tables for Nothing {
    fn with_node(&self, _host: HostId, _look: &mut dyn FnMut(&Node)) {}
    fn with_sdk(&self, _host: HostId, _look: &mut dyn FnMut(&Sdk)) {}
}

pub(super) fn service() -> ServiceKey {
    ServiceKey::named("orders")
}

/// A scenario with these hosts and nothing else. The clients subscribe `orders`, and publish it as
/// soon as they are connected by hand.
pub(super) fn scenario(nodes: u32, clients: u32) -> Scenario {
    let all: Vec<HostId> = (0..nodes).map(HostId).collect();
    let node = |index: u32| NodeSpec {
        name: format!("n{}", index + 1),
        profile: Profile::DISTRO,
        members: all.clone(),
        start: Period::ZERO,
    };
    let client = |index: u32| ClientSpec {
        name: format!("web-{}", index + 1),
        group: "web".into(),
        servers: all.clone(),
        start: Period::ZERO,
        register: Vec::new(),
        batch: Vec::new(),
        subscribe: vec![service()],
        churn: None,
    };
    Scenario {
        name: "hand-made".into(),
        about: String::new(),
        seed: 1,
        duration: Period::from_secs(600),
        worlds: vec![WorldKind::Event],
        nodes: (0..nodes).map(node).collect(),
        clients: (0..clients).map(client).collect(),
        link: LinkSpec {
            latency_min: Period::from_millis(1),
            latency_max: Period::from_millis(1),
            loss_per_million: 0,
        },
        limits: ConnectionLimits::default(),
        carrier: Carrier::default(),
        message_bytes_max: 10_000_000,
        timing: Vec::new(),
        timeline: Vec::new(),
        expect: Expect::default(),
        time_scale: 1,
        setting: Setting::default(),
    }
}

pub(super) fn instance(index: u32) -> Instance {
    Instance::new(&format!("10.1.0.{}", index + 1), 8080)
}

/// A record with one instance.
pub(super) fn record(id: &ClientId, revision: u64, instance: Instance) -> Arc<ClientSyncData> {
    Arc::new(ClientSyncData {
        client: id.clone(),
        origin: None,
        revision: Revision(revision),
        services: vec![(service(), Published::Single(Arc::new(instance)))],
        words: Vec::new(),
    })
}

/// A list as nodes send it.
pub(super) fn list(version: u64, hosts: &[&Arc<Instance>]) -> Arc<ServiceInfo> {
    Arc::new(ServiceInfo {
        service: service(),
        clusters: "".into(),
        hosts: hosts.iter().map(|instance| Arc::clone(instance)).collect(),
        reach_protection_threshold: false,
        last_ref_time: 0,
        version,
    })
}

/// A judge that is shown a run by hand.
pub(super) struct Run {
    pub(super) judge: Judge,
    nodes: u32,
    at: Mono,
    entry: u64,
}

/// A cluster in which all nodes are ready and all clients started, at 1 s.
pub(super) fn cluster(nodes: u32, clients: u32) -> Run {
    start(&scenario(nodes, clients))
}

pub(super) fn start(scenario: &Scenario) -> Run {
    let nodes = u32::try_from(scenario.nodes.len()).unwrap();
    let judge = Judge::new(scenario);
    let mut run = Run {
        judge,
        nodes,
        at: Mono(0),
        entry: 0,
    };
    for host in 0..u32::try_from(scenario.hosts()).unwrap() {
        run.see(host, Seen::Started);
    }
    for node in 0..nodes {
        run.node(node, &Event::Ready(Incarnation(1)));
    }
    run.at(1_000);
    run
}

impl Run {
    pub(super) fn at(&mut self, millis: u64) {
        let at = Mono(millis * 1_000);
        assert!(at >= self.at, "a hand-made run goes forward");
        self.at = at;
    }

    pub(super) fn see(&mut self, host: u32, what: Seen<'_>) {
        self.entry += 1;
        let seen = Observation {
            at: self.at,
            host: HostId(host),
            what,
        };
        self.judge.see(self.entry, &seen, &Nothing);
    }

    pub(super) fn node(&mut self, node: u32, event: &Event) {
        self.see(node, Seen::Node(event));
    }

    /// A client opens a transport to a node, gets an id there and registers its instance.
    pub(super) fn connect(&mut self, client: u32, node: u32, id: &str) -> ClientId {
        let host = self.nodes + client;
        self.call(client, &ClientOp::Register(service(), instance(client)));
        let (id, conn) = (ClientId::new(id), ConnId(self.entry));
        self.see(
            node,
            Seen::Opened {
                conn,
                peer: HostId(host),
            },
        );
        self.node(
            node,
            &Event::ClientConnected {
                client: id.clone(),
                conn,
            },
        );
        let connected = SdkEvent::Connected {
            server: node_id(node),
            client: id.clone(),
        };
        self.see(host, Seen::Client(&connected));
        self.change(node, node, &record(&id, 1, instance(client)), true);
        let registered = SdkEvent::Registered {
            service: service(),
            redo: false,
        };
        self.see(host, Seen::Client(&registered));
        id
    }

    /// A node's event that a record was created or changed.
    pub(super) fn change(
        &mut self,
        node: u32,
        owner: u32,
        data: &Arc<ClientSyncData>,
        created: bool,
    ) {
        let cause = if node == owner {
            ChangeCause::Request
        } else {
            ChangeCause::Sync
        };
        self.change_by(node, owner, data, created, cause);
    }

    pub(super) fn change_by(
        &mut self,
        node: u32,
        owner: u32,
        data: &Arc<ClientSyncData>,
        created: bool,
        cause: ChangeCause,
    ) {
        let event = Event::ClientChanged {
            data: data.clone(),
            owner: node_id(owner),
            native: node == owner,
            created,
            cause,
        };
        self.node(node, &event);
    }

    /// A node's event that a record was removed.
    pub(super) fn remove(&mut self, node: u32, owner: u32, id: &ClientId, cause: RemoveCause) {
        let event = Event::ClientDisconnect {
            removed: Removed {
                client: id.clone(),
                cause,
                unheard: Period::ZERO,
            },
            origin: Origin {
                node: node_id(owner),
                incarnation: Incarnation(1),
            },
            native: node == owner,
        };
        self.node(node, &event);
    }

    /// A node sends another one a request of Distro; it arrives at once.
    pub(super) fn distro(&mut self, from: u32, to: u32, data: DistroDataRequest) {
        let request = Request::DistroData(data);
        let (conn, id) = (ConnId(90), RequestId(self.entry));
        self.see(
            from,
            Seen::RequestSent {
                conn,
                peer: HostId(to),
                id,
                request: &request,
            },
        );
        let peer = HostId(from);
        self.see(
            to,
            Seen::RequestReceived {
                conn,
                peer,
                id,
                request: &request,
            },
        );
    }

    /// The owner sends a record to another node, which takes it.
    pub(super) fn sync(
        &mut self,
        owner: u32,
        node: u32,
        data: &Arc<ClientSyncData>,
        created: bool,
    ) {
        self.distro(owner, node, DistroDataRequest::Change(data.clone()));
        self.change(node, owner, data, created);
    }

    /// An owner's verify arrives.
    pub(super) fn verify(&mut self, owner: u32, node: u32, id: &ClientId) {
        self.distro(
            owner,
            node,
            DistroDataRequest::Verify(id.clone(), Revision(1)),
        );
    }

    /// A node sends a push on a transport.
    pub(super) fn push(&mut self, node: u32, conn: u64, host: u32, info: &Arc<ServiceInfo>) {
        let request = Request::NotifySubscriber(info.clone());
        let (conn, id) = (ConnId(conn), RequestId(self.entry));
        self.see(
            node,
            Seen::RequestSent {
                conn,
                peer: HostId(host),
                id,
                request: &request,
            },
        );
    }

    /// A node answers a request on a transport.
    pub(super) fn answer(&mut self, node: u32, host: u32, response: &Response) {
        let (conn, id) = (ConnId(7), RequestId(self.entry));
        self.see(
            node,
            Seen::ResponseSent {
                conn,
                peer: HostId(host),
                id,
                response,
            },
        );
    }

    /// A fault begins or ends.
    pub(super) fn fault(&mut self, fault: Fault, lasts_secs: u64, begins: bool) {
        let lasts = Period::from_secs(lasts_secs);
        let action = Action {
            at: Period(self.at.0),
            what: What::Fault { fault, lasts },
            line: 1,
        };
        let seen = if begins {
            Seen::Began {
                index: 0,
                action: &action,
            }
        } else {
            Seen::Ended {
                index: 0,
                action: &action,
            }
        };
        self.see(0, seen);
    }

    /// An operator replaces a node's list of members.
    pub(super) fn set_members(&mut self, node: u32, members: &[u32]) {
        let members = members.iter().map(|member| HostId(*member)).collect();
        let action = Action {
            at: Period(self.at.0),
            what: What::Operate {
                node: HostId(node),
                op: NodeOp::SetMembers(members),
            },
            line: 1,
        };
        let index = 0;
        self.see(
            node,
            Seen::Began {
                index,
                action: &action,
            },
        );
    }

    /// An application calls its client.
    pub(super) fn call(&mut self, client: u32, op: &ClientOp) {
        let call = self.entry;
        self.see(self.nodes + client, Seen::Called { call, op });
    }

    /// Ends the run and gives the codes of all properties that were broken.
    pub(super) fn end(mut self, secs: u64) -> Vec<&'static str> {
        self.at(secs * 1_000);
        codes(&self.judge.finish(self.at, &Nothing))
    }

    /// Ends the run and gives the whole verdict.
    pub(super) fn verdict(mut self, secs: u64) -> Verdict {
        self.at(secs * 1_000);
        self.judge.finish(self.at, &Nothing)
    }
}

pub(super) fn codes(verdict: &Verdict) -> Vec<&'static str> {
    verdict
        .violations
        .iter()
        .map(|violation| violation.check)
        .collect()
}

/// How often a property was judged.
pub(super) fn judged(verdict: &Verdict, code: &str) -> u64 {
    verdict
        .checks
        .iter()
        .find(|result| result.check == code)
        .map_or(0, |result| result.judged)
}

/// The way between two hosts, both directions, all kinds.
pub(super) fn path(a: u32, b: u32) -> Path {
    Path {
        from: vec![HostId(a)],
        to: vec![HostId(b)],
        both: true,
        kinds: Vec::new(),
        requests: None,
    }
}
