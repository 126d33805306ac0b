//! What all checks know of a run: computed once per observation.

mod ask;
mod events;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use distro_core::event::Event;
use distro_core::ids::{ClientId, ConnId, Incarnation, NodeId};
use distro_core::message::Request;
use distro_core::message::cluster::NodeState;
use distro_core::message::distro::ClientSyncData;
use distro_core::time::{Mono, Period};

use crate::check::bounds::Bounds;
use crate::check::faults::Faults;
use crate::check::found::Moment;
use crate::check::intents::Intents;
use crate::check::kind::Kind;
use crate::check::lookup::Lookup;
use crate::check::mirror::{Mirror, Names};
use crate::check::sets::{NodeSet, take_range};
use crate::observe::{Observation, Seen};
use crate::scenario::model::{Action, Fault, HostFault, HostId, NodeOp, Scenario, What};

/// A host's process.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// It runs (a paused one does).
    pub alive: bool,
    /// Which life it is, counted from one.
    pub life: u32,
    /// When this life began.
    pub started: Moment,
    /// When the last life ended.
    pub stopped: Moment,
    /// The last life ended without a word.
    pub silent: bool,
}

/// What one node last heard of an owner.
#[derive(Debug, Clone, Copy, Default)]
pub struct Heard {
    /// In this life of the listening node.
    pub ever: bool,
    /// Which life of the owner it was.
    pub life: u32,
    /// The listening node's running time at that moment.
    pub running: Period,
    /// True time at that moment.
    pub at: Mono,
    /// When it was heard again after a whole lease of silence.
    pub after_lease: Option<Mono>,
    /// The life before that was heard of, with the same two times.
    pub earlier: Option<(u32, Period, Mono)>,
}

impl Heard {
    /// The last word of one life of the owner: the listener's running time then, and true time.
    fn of(&self, life: u32) -> Option<(Period, Mono)> {
        if self.ever && self.life == life {
            return Some((self.running, self.at));
        }
        let (_, running, at) = self.earlier.filter(|(earlier, ..)| *earlier == life)?;
        Some((running, at))
    }
}

/// A node's process and what it told.
#[derive(Debug, Default)]
pub struct NodeFacts {
    /// Its address.
    pub id: Option<NodeId>,
    /// When this life became ready.
    pub ready: Option<Moment>,
    /// Whom it holds for members, itself left out.
    pub members: Vec<u32>,
    /// Its last word on each member's state.
    pub states: BTreeMap<u32, NodeState>,
    /// By owner: when a verify or sync came directly from it.
    pub heard: Vec<Heard>,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Its table as its events tell it.
    pub mirror: Mirror,
    /// When it learned of a new life of a member, with that life's number.
    pub learned: BTreeMap<u32, (Mono, u32)>,
    /// Clients that are connected to this life of it.
    pub natives: BTreeSet<u32>,
    /// Its tables changed since the last scan.
    pub changed: bool,
    paused_since: Option<Mono>,
    paused: Period,
}

/// A client record's life, over all nodes.
#[derive(Debug)]
pub struct ClientFacts {
    /// Its id.
    pub id: ClientId,
    /// The client's host, when its connection was seen.
    pub host: Option<u32>,
    /// Which life of that host.
    pub host_life: u32,
    /// The node it is connected to.
    pub owner: u32,
    /// Which life of that node.
    pub owner_life: u32,
    /// Number of the connection at its owner.
    pub conn: Option<ConnId>,
    /// When it connected.
    pub connected: Moment,
    /// When its owner removed it or died.
    pub gone: Option<Moment>,
    /// When its owner's process ended, for records that nobody vouches for any more.
    pub orphaned: Option<Moment>,
    /// Which nodes hold a record of it.
    pub holders: NodeSet,
    /// The content that was seen last and its hash, so that equal records are hashed once.
    pub last: Option<(Arc<ClientSyncData>, u64)>,
    /// When its owner last changed it.
    pub changed: Moment,
    /// Its number among its host's connections.
    pub number: u32,
    /// The record that the same life of its host had before.
    pub previous: Option<u32>,
    /// When its owner asked it to leave: then its record may outlast its connection.
    pub asked: Option<Moment>,
}

/// A transport at a node.
#[derive(Debug, Clone, Copy)]
pub struct ConnFacts {
    /// The other end.
    pub peer: u32,
    /// The client it belongs to.
    pub client: Option<u32>,
}

/// Everything.
#[derive(Debug)]
pub struct Facts {
    /// How many nodes there are; they are the first hosts.
    pub nodes: u32,
    /// Times that are promised.
    pub bounds: Bounds,
    /// Faults.
    pub faults: Faults,
    /// Hosts' processes.
    pub processes: Vec<Process>,
    /// Nodes.
    pub node: Vec<NodeFacts>,
    /// Client records by number.
    pub clients: Vec<ClientFacts>,
    /// Numbers of services and places.
    pub known: Names,
    /// Transports at nodes.
    pub conns: BTreeMap<(u32, ConnId), ConnFacts>,
    /// What applications want.
    pub intents: Intents,
    /// This observation.
    pub now: Moment,
    /// The client record that this observation is about.
    pub client: Option<u32>,
    /// Records whose owner's process began or ended with this observation.
    pub orphaned: Vec<u32>,
    /// By host: records of its present life that are connected.
    pub hosted: Vec<BTreeSet<u32>>,
    /// By host: the record that its present life got last.
    pub latest: Vec<Option<u32>>,
    /// The last change at any owner.
    pub last_change: Mono,
    /// The last change of any table of any node.
    pub last_touched: Mono,
    /// Some connection limit is or was set.
    pub limited: bool,
    /// The last time that any node probed a connection.
    pub detecting: Vec<Mono>,
    names: Vec<String>,
    ids: Lookup<ClientId>,
    node_ids: Lookup<NodeId>,
    connections: Vec<u32>,
}

impl Facts {
    /// At the start of a scenario.
    pub fn new(scenario: &Scenario) -> Facts {
        let (nodes, hosts) = (scenario.nodes.len(), scenario.hosts());
        let bounds = Bounds::of(scenario);
        let mut node_ids = Lookup::default();
        let mut node = Vec::new();
        for (index, spec) in (0_u32..).zip(&scenario.nodes) {
            let id = scenario.setting.addresses.node_id(index);
            node_ids.insert(id.clone(), index);
            node.push(NodeFacts {
                id: Some(id),
                members: others(&spec.members, index),
                heard: vec![Heard::default(); nodes],
                ..NodeFacts::default()
            });
        }
        let names = (0_u32..)
            .take(hosts)
            .map(|host| scenario.host_name(HostId(host)).into());
        Facts {
            nodes: u32::try_from(nodes).unwrap_or(u32::MAX),
            faults: Faults::new(nodes, hosts, bounds.silence_noticed()),
            bounds,
            processes: vec![Process::default(); hosts],
            node,
            clients: Vec::new(),
            known: Names::default(),
            conns: BTreeMap::new(),
            intents: Intents::new(scenario),
            now: Moment::default(),
            client: None,
            orphaned: Vec::new(),
            hosted: vec![BTreeSet::new(); hosts],
            latest: vec![None; hosts],
            last_change: Mono(0),
            last_touched: Mono(0),
            limited: scenario.limits != distro_core::config::ConnectionLimits::default(),
            detecting: vec![Mono(0); nodes],
            names: names.collect(),
            ids: Lookup::default(),
            node_ids,
            connections: vec![0; hosts],
        }
    }

    /// Takes notice of an observation.
    pub fn see(&mut self, kind: Kind, entry: u64, seen: &Observation<'_>) {
        self.now = Moment { at: seen.at, entry };
        self.client = None;
        self.orphaned.clear();
        // A client that connects is a record without content, which the peers get too; one that
        // subscribes gets a push.
        let quietly = matches!(
            seen.what,
            Seen::Node(Event::ClientConnected { .. })
                | Seen::RequestReceived {
                    request: Request::SubscribeService(_),
                    ..
                }
        );
        if quietly || matches!(kind, Kind::Changed | Kind::Removed | Kind::ServiceChanged) {
            self.last_touched = seen.at;
        }
        self.faults.see(seen);
        let host = seen.host.0;
        match kind {
            Kind::Process => self.process(host, &seen.what),
            Kind::Transport => self.transport(host, &seen.what),
            Kind::SyncReceived | Kind::VerifyReceived => self.hear(host, &seen.what),
            Kind::Connected
            | Kind::Changed
            | Kind::Removed
            | Kind::Readiness
            | Kind::Member
            | Kind::SyncSettled => self.event(host, &seen.what),
            Kind::OtherEvent => {
                if let Seen::Node(Event::Detecting(_)) = seen.what {
                    self.detecting[host as usize] = seen.at;
                }
                self.event(host, &seen.what);
            }
            Kind::Client => self
                .intents
                .see(host, &seen.what, &mut self.known.services, seen.at),
            Kind::Timeline => self.timeline(&seen.what),
            Kind::OtherSent => self.asked_to_leave(host, &seen.what),
            Kind::SyncSent
            | Kind::VerifySent
            | Kind::PushSent
            | Kind::PushReceived
            | Kind::RegisterReceived
            | Kind::OtherReceived
            | Kind::ListAnswered
            | Kind::RegisterAnswered
            | Kind::SyncAnswered
            | Kind::OtherAnswered
            | Kind::ListReceived
            | Kind::AnswerReceived
            | Kind::ServiceChanged => {}
        }
    }

    fn process(&mut self, host: u32, what: &Seen<'_>) {
        let now = self.now;
        let index = host as usize;
        if let Seen::Stopped { silent } = what {
            self.processes[index].alive = false;
            self.processes[index].stopped = now;
            self.processes[index].silent = *silent;
        } else {
            let process = &mut self.processes[index];
            process.alive = true;
            process.life += 1;
            process.started = now;
            self.faults.touch_host(host, now.at);
            self.intents.restart(host, &mut self.known.services);
            self.hosted[index].clear();
            self.latest[index] = None;
        }
        if !self.is_node(host) {
            return;
        }
        let nodes = self.nodes as usize;
        let node = &mut self.node[index];
        node.ready = None;
        node.heard = vec![Heard::default(); nodes];
        node.states.clear();
        node.learned.clear();
        for client in node.mirror.records.keys() {
            self.clients[*client as usize].holders.remove(host);
        }
        node.mirror.clear();
        node.changed = true;
        node.paused = Period::ZERO;
        node.paused_since = node.paused_since.map(|_| now.at);
        for number in core::mem::take(&mut node.natives) {
            let client = &mut self.clients[number as usize];
            client.orphaned = Some(now);
            client.gone = Some(now);
            if let Some(whose) = client.host {
                self.hosted[whose as usize].remove(&number);
            }
            self.orphaned.push(number);
        }
        let all = (host, ConnId(0))..=(host, ConnId(u64::MAX));
        take_range(&mut self.conns, all);
        self.last_change = now.at;
    }

    fn transport(&mut self, host: u32, what: &Seen<'_>) {
        if !self.is_node(host) {
            return;
        }
        if let Seen::Opened { conn, peer } = what {
            self.conns.insert(
                (host, *conn),
                ConnFacts {
                    peer: peer.0,
                    client: None,
                },
            );
        } else if let Seen::Closed { conn, .. } | Seen::Close { conn, .. } = what {
            self.conns.remove(&(host, *conn));
        }
    }

    fn asked_to_leave(&mut self, node: u32, what: &Seen<'_>) {
        let Seen::RequestSent {
            conn,
            request: Request::ConnectReset(_),
            ..
        } = what
        else {
            return;
        };
        let conn = self.conns.get(&(node, *conn));
        if let Some(client) = conn.and_then(|conn| conn.client) {
            self.clients[client as usize].asked = Some(self.now);
        }
    }

    fn hear(&mut self, node: u32, what: &Seen<'_>) {
        let Seen::RequestReceived { peer, .. } = what else {
            return;
        };
        if !self.is_node(node) || !self.is_node(peer.0) {
            return;
        }
        let running = self.running(node);
        let silent = self.unheard(node, peer.0) >= self.bounds.lease_min();
        let life = self.processes[peer.index()].life;
        let heard = &mut self.node[node as usize].heard[peer.index()];
        if heard.ever && heard.life != life {
            heard.earlier = Some((heard.life, heard.running, heard.at));
        }
        heard.ever = true;
        heard.life = life;
        heard.running = running;
        heard.at = self.now.at;
        if silent {
            heard.after_lease = Some(self.now.at);
        }
    }

    fn timeline(&mut self, what: &Seen<'_>) {
        let (action, begins) = match what {
            Seen::Began { action, .. } => (*action, true),
            Seen::Ended { action, .. } => (*action, false),
            _ => return,
        };
        self.pauses(action, begins);
        let What::Operate { node, op } = &action.what else {
            return;
        };
        match op {
            NodeOp::SetLimits(_) => self.limited = true,
            NodeOp::SetMembers(members) => {
                self.node[node.index()].members = others(members, node.0);
                self.faults.touch_host(node.0, self.now.at);
                self.last_change = self.now.at;
            }
            NodeOp::Rebalance { .. } => {}
        }
    }

    fn pauses(&mut self, action: &Action, begins: bool) {
        let What::Fault {
            fault: Fault::Hosts(hosts, HostFault::Pause),
            ..
        } = &action.what
        else {
            return;
        };
        let now = self.now.at;
        for host in hosts.iter().filter(|host| host.0 < self.nodes) {
            let node = &mut self.node[host.index()];
            if begins {
                node.paused_since.get_or_insert(now);
            } else if let Some(since) = node.paused_since.take() {
                node.paused = node.paused + now.since(since);
            }
        }
    }
}

fn others(members: &[HostId], own: u32) -> Vec<u32> {
    members
        .iter()
        .map(|member| member.0)
        .filter(|member| *member != own)
        .collect()
}
