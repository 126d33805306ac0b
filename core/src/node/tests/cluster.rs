//! A loop around a few nodes and hand-driven clients: no latency, no loss, virtual time.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::vec::Vec;

use crate::config::Config;
use crate::event::Event;
use crate::ids::{ConnId, Incarnation, NodeId, RequestId, Str};
use crate::io::{Command, Input, Listener, Output};
use crate::message::ask::{Answer, Ask};
use crate::message::internal::{ConnectionSetupRequest, label};
use crate::message::naming::{
    Instance, InstanceOperation, InstanceRequest, ServiceKey, SubscribeServiceRequest,
};
use crate::message::{MessageKind, Received, Request, Response, ResponseBody};
use crate::node::Node;
use crate::profile::Profile;
use crate::time::{Mono, Now, Period, Wall};

/// One end of a transport: a node, or a client that the test plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Node(usize),
    Client(usize),
}

/// Nodes `10.0.0.1:8848`, `10.0.0.2:8848`, ... and clients.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    pub(super) now: Now,
    /// Where each transport's other end is: (end, conn) to (end, conn).
    wires: BTreeMap<(End, ConnId), (End, ConnId)>,
    next_conn: u64,
    pub(super) events: Vec<Vec<Event>>,
    /// What clients got: requests of the server, and answers.
    pub(super) requests: Vec<(usize, Request)>,
    pub(super) answers: Vec<(usize, Response)>,
    /// What clients without a connection were told.
    pub(super) told: Vec<Answer>,
    /// Clients that answer nothing.
    pub(super) silent: Vec<usize>,
    /// Messages from the first node to the second that vanish, by kind.
    pub(super) lost: Vec<(usize, usize, MessageKind)>,
    queue: VecDeque<(usize, Input)>,
    clients: Vec<(usize, ConnId)>,
}

pub(super) fn node_id(index: usize) -> NodeId {
    NodeId::new(&format!("10.0.0.{}:8848", index + 1))
}

impl Cluster {
    pub(super) fn new(nodes: usize, profile: Profile) -> Cluster {
        Cluster::with(nodes, profile, |_| {})
    }

    /// The same with other settings.
    pub(super) fn with(nodes: usize, profile: Profile, set: impl Fn(&mut Config)) -> Cluster {
        let now = Now {
            mono: Mono(0),
            wall: Wall(1_700_000_000_000),
        };
        let members: Vec<NodeId> = (0..nodes).map(node_id).collect();
        let mut cluster = Cluster {
            nodes: Vec::new(),
            now,
            wires: BTreeMap::new(),
            next_conn: 0,
            events: (0..nodes).map(|_| Vec::new()).collect(),
            requests: Vec::new(),
            answers: Vec::new(),
            told: Vec::new(),
            silent: Vec::new(),
            lost: Vec::new(),
            queue: VecDeque::new(),
            clients: Vec::new(),
        };
        for index in 0..nodes {
            let mut config = Config::new(node_id(index), members.clone(), profile);
            set(&mut config);
            cluster
                .nodes
                .push(Node::new(config, now).expect("the test's configuration is good"));
            cluster.queue.push_back((index, Input::Wake));
        }
        cluster.drain();
        cluster.run(Period::from_secs(2));
        cluster
    }

    fn conn(&mut self) -> ConnId {
        self.next_conn += 1;
        ConnId(self.next_conn)
    }

    pub(super) fn feed(&mut self, node: usize, input: Input) {
        self.queue.push_back((node, input));
        self.drain();
    }

    fn drain(&mut self) {
        while let Some((node, input)) = self.queue.pop_front() {
            let mut out = Vec::new();
            self.nodes[node].handle(self.now, input, &mut out);
            for output in out {
                self.carry_out(node, output);
            }
        }
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::Dial { member } => {
                let peer = (0..self.nodes.len()).find(|index| node_id(*index) == member);
                let peer = peer.expect("only members are dialled");
                let (mine, theirs) = (self.conn(), self.conn());
                self.wires
                    .insert((End::Node(node), mine), (End::Node(peer), theirs));
                self.wires
                    .insert((End::Node(peer), theirs), (End::Node(node), mine));
                self.queue
                    .push_back((peer, opened(theirs, Listener::Cluster, node)));
                self.queue
                    .push_back((node, Input::Dialed { member, conn: mine }));
            }
            Output::Request { conn, id, request } => self.carry_request(node, conn, id, request),
            Output::Response { conn, id, response } => {
                match self.wires.get(&(End::Node(node), conn)) {
                    Some((End::Node(peer), conn)) => {
                        let input = Input::Response {
                            conn: *conn,
                            id,
                            response,
                        };
                        self.queue.push_back((*peer, input));
                    }
                    Some((End::Client(client), _)) => self.answers.push((*client, response)),
                    None => {}
                }
            }
            Output::Close { conn, reason: _ } => {
                if let Some(other) = self.wires.remove(&(End::Node(node), conn)) {
                    self.wires.remove(&other);
                    if let (End::Node(peer), conn) = other {
                        self.queue.push_back((peer, Input::ConnClosed { conn }));
                    }
                }
            }
            Output::Event(event) => self.events[node].push(event),
            Output::Answer { answer, .. } => self.told.push(answer),
        }
    }

    fn carry_request(&mut self, node: usize, conn: ConnId, id: RequestId, request: Request) {
        match self.wires.get(&(End::Node(node), conn)) {
            Some((End::Node(peer), conn)) => {
                let is_lost = self.lost.contains(&(node, *peer, request.kind()));
                if !is_lost {
                    self.queue.push_back((
                        *peer,
                        Input::Request {
                            conn: *conn,
                            id,
                            received: request.into(),
                        },
                    ));
                }
            }
            Some((End::Client(client), _)) => {
                let client = *client;
                if request.expects_response() && !self.silent.contains(&client) {
                    let body = if matches!(request, Request::NotifySubscriber(_)) {
                        ResponseBody::NotifySubscriber
                    } else if request.kind() == MessageKind::Push {
                        ResponseBody::NamingFuzzyWatchChangeNotify
                    } else {
                        ResponseBody::ClientDetection
                    };
                    let response = Response::ok(body);
                    self.queue
                        .push_back((node, Input::Response { conn, id, response }));
                }
                self.requests.push((client, request));
            }
            None => {}
        }
    }

    /// Lets time pass, waking every node when it wants to be woken.
    pub(super) fn run(&mut self, period: Period) {
        let end = self.now.mono + period;
        loop {
            let next = self.nodes.iter().filter_map(Node::next_deadline).min();
            let next = next.filter(|next| *next <= end);
            let at = next.unwrap_or(end).max(self.now.mono);
            self.now.wall.0 += i64::try_from(at.since(self.now.mono).millis()).expect("short");
            self.now.mono = at;
            if next.is_none() {
                return;
            }
            for node in 0..self.nodes.len() {
                if self.nodes[node]
                    .next_deadline()
                    .is_some_and(|due| due <= at)
                {
                    self.feed(node, Input::Wake);
                }
            }
        }
    }

    /// Opens a client's connection to a node and does not set it up. Returns its number.
    pub(super) fn open(&mut self, node: usize) -> usize {
        let client = self.clients.len();
        let conn = self.conn();
        self.wires
            .insert((End::Node(node), conn), (End::Client(client), conn));
        self.clients.push((node, conn));
        self.feed(node, opened(conn, Listener::Sdk, client));
        client
    }

    /// Connects a naming client to a node. Returns its number.
    pub(super) fn connect(&mut self, node: usize) -> usize {
        let client = self.open(node);
        let mut setup = ConnectionSetupRequest::default();
        setup
            .labels
            .insert(Str::from(label::SOURCE), Str::from(label::SOURCE_SDK));
        setup
            .labels
            .insert(Str::from(label::MODULE), Str::from(label::MODULE_NAMING));
        setup.client_ip = Str::from(format!("10.1.0.{client}"));
        self.ask(client, Request::ConnectionSetup(Box::new(setup)));
        client
    }

    /// Sends a client's request; its answer, if any, is the last of `answers`.
    pub(super) fn ask(&mut self, client: usize, received: impl Into<Received>) {
        let (node, conn) = self.clients[client];
        self.feed(
            node,
            Input::Request {
                conn,
                id: RequestId(self.answers.len() as u64),
                received: received.into(),
            },
        );
    }

    /// A client without a connection asks a node. Returns the answer.
    pub(super) fn tell(&mut self, node: usize, ask: Ask) -> Answer {
        let (id, ask) = (RequestId(0), Box::new(ask));
        self.feed(node, Input::Command(Command::Ask { id, ask }));
        self.told.pop().expect("every question is answered at once")
    }

    pub(super) fn register(&mut self, client: usize, service: &str, port: u16) {
        let instance = Instance::new(&format!("10.1.0.{client}"), port);
        self.publish(client, ServiceKey::named(service), instance);
    }

    pub(super) fn publish(&mut self, client: usize, service: ServiceKey, instance: Instance) {
        self.ask(
            client,
            Request::Instance(Box::new(InstanceRequest {
                service,
                operation: InstanceOperation::Register,
                instance,
            })),
        );
        assert!(
            self.answers
                .last()
                .is_some_and(|(_, answer)| answer.is_ok()),
            "{:?}",
            self.answers
        );
    }

    pub(super) fn subscribe(&mut self, client: usize, service: &str) {
        self.ask(
            client,
            Request::SubscribeService(Box::new(SubscribeServiceRequest {
                service: ServiceKey::named(service),
                subscribe: true,
                clusters: Str::from(""),
            })),
        );
    }

    pub(super) fn disconnect(&mut self, client: usize) {
        let (node, conn) = self.clients[client];
        self.wires.remove(&(End::Node(node), conn));
        self.feed(node, Input::ConnClosed { conn });
    }

    /// Starts a node anew as another life; all its transports are reset.
    pub(super) fn restart(&mut self, node: usize, incarnation: u64) {
        let ends: Vec<(End, ConnId)> = self
            .wires
            .keys()
            .filter(|(end, _)| *end == End::Node(node))
            .copied()
            .collect();
        let members: Vec<NodeId> = (0..self.nodes.len()).map(node_id).collect();
        let mut config = Config::new(node_id(node), members, Profile::DISTRO);
        config.incarnation = Incarnation(incarnation);
        self.nodes[node] = Node::new(config, self.now).expect("the test's configuration is good");
        self.events[node].clear();
        for end in ends {
            if let Some(other) = self.wires.remove(&end) {
                self.wires.remove(&other);
                if let (End::Node(peer), conn) = other {
                    self.feed(peer, Input::ConnClosed { conn });
                }
            }
        }
        self.feed(node, Input::Wake);
    }

    pub(super) fn listed(&self, node: usize, service: &str) -> usize {
        self.nodes[node]
            .list(&ServiceKey::named(service), "", false)
            .len()
    }
}

fn opened(conn: ConnId, listener: Listener, from: usize) -> Input {
    let remote_ip = Str::from(match listener {
        Listener::Sdk => format!("10.1.0.{from}"),
        Listener::Cluster => format!("10.0.0.{}", from + 1),
    });
    Input::ConnOpened {
        conn,
        listener,
        remote_ip,
        remote_port: 40_000,
    }
}
