//! What a scenario file says, checked and resolved: hosts are indices that exist, times lie inside
//! the run, combinations make sense.

use std::collections::BTreeMap;

use distro_core::config::{ConnectionLimits, Timing, TimingKey};
use distro_core::message::naming::{Instance, ServiceKey};
use distro_core::profile::Profile;
use distro_core::time::Period;
use distro_node::carrier::Carrier;

use super::address::Addresses;
pub use super::fault::*;
use super::scale;

/// A host of the scenario: an index into [`Scenario::hosts`]. Nodes come first, in file order, then
/// clients in file order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u32);

impl HostId {
    /// As an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One scenario, ready to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// File stem, such as `partition-in-two`.
    pub name: String,
    /// The opening paragraph: what it shows.
    pub about: String,
    /// The seed when the command line gives none.
    pub seed: u64,
    /// How long it runs, in simulated time.
    pub duration: Period,
    /// Where it is meant to run.
    pub worlds: Vec<WorldKind>,
    /// The nodes.
    pub nodes: Vec<NodeSpec>,
    /// The clients, groups expanded.
    pub clients: Vec<ClientSpec>,
    /// The link every pair of hosts has unless a fault changes it.
    pub link: LinkSpec,
    /// Connection limits of every node at start.
    pub limits: ConnectionLimits,
    /// What carries the messages of clients, in the worlds that have bytes.
    pub carrier: Carrier,
    /// Largest message in bytes.
    pub message_bytes_max: u64,
    /// Protocol constants of every node and client, where the file overrides the profile's.
    pub timing: Vec<(TimingKey, Period)>,
    /// Faults and operations, by time, then file order.
    pub timeline: Vec<Action>,
    /// What should come out.
    pub expect: Expect,
    /// By how much the file asks to divide all times where a run takes real time, unless somebody
    /// asks for something else.
    pub time_scale: u32,
    /// How this scenario is run, beyond what its file says.
    pub setting: Setting,
}

/// What a run adds to its scenario; no file says any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// By how much every time of the scenario and every protocol constant is divided.
    pub time_scale: u32,
    /// What the machine adds to each step beyond what a simulated world does: the delay of its
    /// scheduler, as measured.
    pub lag: Period,
    /// The hosts' addresses.
    pub addresses: Addresses,
}

impl Default for Setting {
    fn default() -> Setting {
        Setting {
            time_scale: 1,
            lag: Period::ZERO,
            addresses: Addresses::Simulated,
        }
    }
}

/// The worlds of design section 6 that a scenario may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorldKind {
    /// The bare core on an event queue.
    Event,
    /// The node's shell on turmoil's sockets.
    Turmoil,
    /// Real processes on the real kernel, in real time.
    Tcp,
}

impl WorldKind {
    /// All worlds, with their names.
    pub const ALL: [(WorldKind, &'static str); 3] = [
        (WorldKind::Event, "event"),
        (WorldKind::Turmoil, "turmoil"),
        (WorldKind::Tcp, "tcp"),
    ];

    /// Its name, in files, traces and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            WorldKind::Event => "event",
            WorldKind::Turmoil => "turmoil",
            WorldKind::Tcp => "tcp",
        }
    }

    /// True when a run takes no real time and is the same every time.
    pub const fn is_simulated(self) -> bool {
        match self {
            WorldKind::Event | WorldKind::Turmoil => true,
            WorldKind::Tcp => false,
        }
    }
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSpec {
    /// Name in the file and the trace, such as `n1`.
    pub name: String,
    /// Its behaviours.
    pub profile: Profile,
    /// Whom it believes to be members at start (indices of nodes).
    pub members: Vec<HostId>,
    /// When its process starts.
    pub start: Period,
}

/// One client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSpec {
    /// Name in the file and the trace, such as `web-3`.
    pub name: String,
    /// The group in the file it came from, such as `web`.
    pub group: String,
    /// Servers in the order tried; the first one is tried first.
    pub servers: Vec<HostId>,
    /// When its process starts.
    pub start: Period,
    /// What it registers as soon as it starts.
    pub register: Vec<(ServiceKey, Instance)>,
    /// What it batch-registers as soon as it starts.
    pub batch: Vec<(ServiceKey, Vec<Instance>)>,
    /// What it subscribes as soon as it starts.
    pub subscribe: Vec<ServiceKey>,
    /// Continuous changes.
    pub churn: Option<Churn>,
}

/// A client that keeps changing what it publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Churn {
    /// Mean time between two changes; each gap is drawn between half and one and a half of it.
    pub every: Period,
    /// From when.
    pub from: Period,
    /// Until when.
    pub until: Period,
}

/// A link's behaviour, each direction for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSpec {
    /// Shortest one-way delay.
    pub latency_min: Period,
    /// Longest one-way delay; each message draws uniformly, order on a connection is kept.
    pub latency_max: Period,
    /// Requests and responses that vanish, per million.
    pub loss_per_million: u32,
}

/// Something that happens at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// When.
    pub at: Period,
    /// What.
    pub what: What,
    /// Line in the scenario file, for messages.
    pub line: u32,
}

impl Action {
    /// The first host that it names.
    pub fn first_host(&self) -> HostId {
        let named = match &self.what {
            What::Call { client, .. } => Some(*client),
            What::Operate { node, .. } => Some(*node),
            What::Fault { fault, .. } => match fault.path() {
                Some(path) => path.from.first().or(path.to.first()).copied(),
                None => fault.hosts().first().copied(),
            },
        };
        named.unwrap_or(HostId(0))
    }
}

/// What an [`Action`] does. Faults with a `lasts` end by themselves; [`Period::MAX`] means never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A fault begins.
    Fault {
        /// Which.
        fault: Fault,
        /// For how long; instantaneous faults have [`Period::ZERO`].
        lasts: Period,
    },
    /// A client's application calls its SDK.
    Call {
        /// Whose.
        client: HostId,
        /// What.
        op: ClientOp,
    },
    /// An operator acts on a node.
    Operate {
        /// Which node.
        node: HostId,
        /// What.
        op: NodeOp,
    },
}

/// What an application asks of its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientOp {
    /// Register one instance.
    Register(ServiceKey, Instance),
    /// Register a list.
    Batch(ServiceKey, Vec<Instance>),
    /// Withdraw.
    Deregister(ServiceKey),
    /// Subscribe.
    Subscribe(ServiceKey),
    /// Unsubscribe.
    Unsubscribe(ServiceKey),
    /// Query once.
    Query(ServiceKey),
}

/// What an operator does to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeOp {
    /// Replace the connection limits.
    SetLimits(ConnectionLimits),
    /// Keep this many client connections and send the others away.
    Rebalance {
        /// How many may stay.
        keep: u32,
        /// Where the others go.
        redirect: Option<HostId>,
    },
    /// Replace the member list.
    SetMembers(Vec<HostId>),
}

/// What should come out of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expect {
    /// Lists that must be seen at a time.
    pub lists: Vec<ExpectList>,
    /// Profiles under which the scenario must fail, each with the check that must name it.
    pub fails: BTreeMap<String, String>,
    /// Marks that must have been reached, such as `detection`.
    pub reached: Vec<String>,
}

/// A list that a node must give at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectList {
    /// When.
    pub at: Period,
    /// Which nodes.
    pub nodes: Vec<HostId>,
    /// Of which service.
    pub service: ServiceKey,
    /// How many instances.
    pub instances: u32,
    /// Line in the scenario file.
    pub line: u32,
}

impl Scenario {
    /// How many hosts there are.
    pub fn hosts(&self) -> usize {
        self.nodes.len() + self.clients.len()
    }

    /// The node's index when the host is a node.
    pub fn node(&self, host: HostId) -> Option<usize> {
        (host.index() < self.nodes.len()).then(|| host.index())
    }

    /// The client's index when the host is a client.
    pub fn client(&self, host: HostId) -> Option<usize> {
        host.index()
            .checked_sub(self.nodes.len())
            .filter(|index| *index < self.clients.len())
    }

    /// True when some fault is about some messages rather than connections as a whole.
    pub fn tells_messages_apart(&self) -> bool {
        self.timeline.iter().any(|action| match &action.what {
            What::Fault { fault, .. } => fault.path().is_some_and(|path| !path.is_whole()),
            What::Call { .. } | What::Operate { .. } => false,
        })
    }

    /// The host's name in files and traces.
    pub fn host_name(&self, host: HostId) -> &str {
        match (self.node(host), self.client(host)) {
            (Some(node), _) => &self.nodes[node].name,
            (None, Some(client)) => &self.clients[client].name,
            (None, None) => "?",
        }
    }

    /// The times of a host with this profile: the profile's, then the file's overrides.
    pub fn timing(&self, profile: Profile) -> Timing {
        let mut timing = Timing::of(profile);
        for (key, period) in &self.timing {
            timing[*key] = *period;
        }
        let scale = self.setting.time_scale;
        for key in TimingKey::ALL.iter().filter(|_| scale > 1) {
            timing[*key] = scale::divided(timing[*key], scale);
        }
        timing
    }
}
