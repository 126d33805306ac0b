//! What checks ask of the facts.

use distro_core::ids::{ClientId, NodeId};
use distro_core::time::{Mono, Period};

use super::Facts;
use crate::check::faults::Calm;

impl Facts {
    /// A host's name in the scenario.
    pub fn name(&self, host: u32) -> &str {
        self.names.get(host as usize).map_or("?", |name| name)
    }

    /// A client record in words: its id and its host.
    pub fn client_name(&self, client: u32) -> String {
        let facts = &self.clients[client as usize];
        match facts.host {
            Some(host) => format!("{} ({})", facts.id, self.name(host)),
            None => facts.id.to_string(),
        }
    }

    /// True for a node.
    pub fn is_node(&self, host: u32) -> bool {
        host < self.nodes
    }

    /// True for two nodes.
    pub fn are_nodes(&self, one: u32, two: u32) -> bool {
        self.is_node(one) && self.is_node(two)
    }

    /// The node with an address.
    pub fn node_of(&self, id: &NodeId) -> Option<u32> {
        self.node_ids.get(id)
    }

    /// The client record with an id, when it was seen.
    pub fn client_of(&self, id: &ClientId) -> Option<u32> {
        self.ids.get(id)
    }

    /// A node runs and is ready.
    pub fn serves(&self, node: u32) -> bool {
        self.processes[node as usize].alive && self.node[node as usize].ready.is_some()
    }

    /// How long a node's process has run in this life, stops left out.
    pub fn running(&self, node: u32) -> Period {
        let (process, facts) = (&self.processes[node as usize], &self.node[node as usize]);
        let now = facts.paused_since.unwrap_or(self.now.at);
        now.since(process.started.at).saturating_sub(facts.paused)
    }

    /// A client's process is the one of this record, and it runs.
    pub fn process_lives(&self, client: u32) -> bool {
        let facts = &self.clients[client as usize];
        facts.host.is_some_and(|host| {
            let process = &self.processes[host as usize];
            process.alive && process.life == facts.host_life
        })
    }

    /// A client's owner runs and holds it for connected.
    pub fn connected(&self, client: u32) -> bool {
        let facts = &self.clients[client as usize];
        facts.gone.is_none() && self.processes[facts.owner as usize].alive
    }

    /// The node that a client is connected to, as that node says.
    pub fn present_owner(&self, host: u32) -> Option<u32> {
        let latest = self.latest[host as usize]?;
        self.connected(latest)
            .then(|| self.clients[latest as usize].owner)
    }

    /// How long a node has heard nothing from an owner, in its own running time.
    pub fn unheard(&self, node: u32, owner: u32) -> Period {
        let heard = self.node[node as usize].heard[owner as usize];
        let since = if heard.ever {
            heard.running
        } else {
            Period::ZERO
        };
        self.running(node).saturating_sub(since)
    }

    /// A node had a reason to drop an owner's live records: nothing heard for a whole lease.
    pub fn may_drop(&self, node: u32, owner: u32) -> bool {
        let lease = self.bounds.lease_min();
        if self.unheard(node, owner) >= lease {
            return true;
        }
        let heard = self.node[node as usize].heard[owner as usize];
        let slack = self.bounds.lease_slack();
        if heard
            .after_lease
            .is_some_and(|at| self.now.at <= at + slack)
        {
            return true;
        }
        // A lease that was handed on with a snapshot: that of whoever gave it.
        !heard.ever
            && (0..self.nodes)
                .filter(|other| ![node, owner].contains(other))
                .any(|other| {
                    let heard = self.node[other as usize].heard[owner as usize];
                    !heard.ever || self.now.at >= heard.at + lease
                })
    }

    /// The lease of what one life of an owner vouched for is over at a node: nothing was heard of
    /// that life for as long. What another node handed on ends when it does there.
    pub fn lease_over(&self, node: u32, owner: u32, life: u32) -> bool {
        let lease = self.bounds.lease_min();
        let heard = |at: u32| self.node[at as usize].heard[owner as usize].of(life);
        match heard(node) {
            Some((running, _)) => self.running(node).saturating_sub(running) >= lease,
            None => (0..self.nodes)
                .filter(|other| ![node, owner].contains(other))
                .any(|other| heard(other).is_none_or(|(_, at)| self.now.at >= at + lease)),
        }
    }

    /// A node tells another of its clients, which listens: only members are told, and only members
    /// are listened to.
    pub fn tells(&self, node: u32, other: u32) -> bool {
        self.knows(node, other) && self.knows(other, node)
    }

    /// A node holds another for a member.
    pub fn knows(&self, node: u32, other: u32) -> bool {
        self.node[node as usize].members.contains(&other)
    }

    /// Calm of two hosts and the way between them; none unless both run and nodes are ready.
    pub fn calm(&self, a: u32, b: u32) -> Option<Calm> {
        for host in [a, b] {
            if !self.processes[host as usize].alive || (self.is_node(host) && !self.serves(host)) {
                return None;
            }
        }
        self.faults.calm(a, b)
    }

    /// The deadline of something that two hosts do together and that takes `tight` when nothing is
    /// wrong; none while something is.
    pub fn due(&self, a: u32, b: u32, since: Mono, tight: Period) -> Option<Mono> {
        Some(self.deadline(self.calm(a, b)?, since, tight))
    }

    /// The deadline under a calm: the tight bound, or later when something was wrong lately.
    pub fn deadline(&self, calm: Calm, since: Mono, tight: Period) -> Mono {
        let mut due = since + tight;
        if calm.mild > Mono(0) {
            due = due.max(calm.mild + self.bounds.repair());
        }
        if calm.severe > Mono(0) {
            due = due.max(calm.severe + self.bounds.settle());
        }
        due
    }

    /// Calm of all live, ready nodes and the ways between them; none while something is wrong or a
    /// node that runs is not ready.
    pub fn cluster_calm(&self) -> Option<Calm> {
        let mut all = Calm {
            mild: Mono(0),
            severe: Mono(0),
        };
        let alive = |node: &u32| self.processes[*node as usize].alive;
        for a in (0..self.nodes).filter(alive) {
            for b in (a..self.nodes).filter(alive) {
                let calm = self.calm(a, b)?;
                all.mild = all.mild.max(calm.mild);
                all.severe = all.severe.max(calm.severe);
            }
        }
        Some(all)
    }

    /// True when the life of the owner that vouched for the client is over: what is left of its
    /// record ends with a lease, on each node for itself.
    pub fn owner_ended(&self, client: u32) -> bool {
        let record = &self.clients[client as usize];
        let owner = &self.processes[record.owner as usize];
        !owner.alive || owner.life != record.owner_life
    }
}
