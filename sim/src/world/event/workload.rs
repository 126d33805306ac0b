//! What applications ask of their clients, and operators of their nodes.

use distro_core::io::Command;
use distro_core::message::naming::Instance;
use distro_core::rng::Rng;

use super::World;
use super::host::nodes_of;
use super::machine::{Arrival, Machine};
use super::queue::Event;
use crate::scenario::address;
use crate::scenario::model::{Churn, ClientOp, ClientSpec, HostId, NodeOp, Scenario};

/// One change in this many withdraws an instance; the next change of it brings it back.
const WITHDRAW_ONE_IN: u64 = 4;

/// A client's application.
#[derive(Debug)]
pub(crate) struct Application {
    /// What it does as soon as it starts.
    pub(crate) start: Vec<ClientOp>,
    /// What its churn changes: entries of `start` that publish something.
    publishes: Vec<usize>,
    /// Entries of `publishes` that are withdrawn.
    pub(crate) withdrawn: Vec<bool>,
    /// Changes so far.
    changes: u64,
    /// Draws its changes and the gaps between them.
    pub(crate) rng: Rng,
}

/// All applications.
#[derive(Debug)]
pub(crate) struct Workload {
    applications: Vec<Application>,
}

impl Application {
    /// The application of a client.
    pub(crate) fn new(spec: &ClientSpec, seed: u64) -> Application {
        let registers = spec
            .register
            .iter()
            .cloned()
            .map(|(key, one)| ClientOp::Register(key, one));
        let batches = spec
            .batch
            .iter()
            .cloned()
            .map(|(key, all)| ClientOp::Batch(key, all));
        let subscribes = spec.subscribe.iter().cloned().map(ClientOp::Subscribe);
        let publishing = spec.register.len() + spec.batch.len();
        Application {
            start: registers.chain(batches).chain(subscribes).collect(),
            publishes: (0..publishing).collect(),
            withdrawn: vec![false; publishing],
            changes: 0,
            rng: Rng::new(seed, &format!("churn {}", spec.name)),
        }
    }

    /// The next change of what it publishes; none when it publishes nothing.
    pub(crate) fn change(&mut self) -> Option<ClientOp> {
        if self.publishes.is_empty() {
            return None;
        }
        let place = usize::try_from(self.rng.below(self.publishes.len() as u64)).ok()?;
        let withdraw = self.rng.below(WITHDRAW_ONE_IN) == 0 && !self.withdrawn[place];
        self.withdrawn[place] = withdraw;
        if withdraw {
            match &self.start[self.publishes[place]] {
                ClientOp::Register(key, _) | ClientOp::Batch(key, _) => {
                    return Some(ClientOp::Deregister(key.clone()));
                }
                ClientOp::Deregister(_)
                | ClientOp::Subscribe(_)
                | ClientOp::Unsubscribe(_)
                | ClientOp::Query(_) => return None,
            }
        }
        self.publish(place)
    }

    /// Brings back everything that is withdrawn.
    pub(crate) fn bring_back(&mut self) -> Vec<ClientOp> {
        let places = (0..self.withdrawn.len()).filter(|place| self.withdrawn[*place]);
        let places: Vec<usize> = places.collect();
        self.withdrawn.fill(false);
        places
            .into_iter()
            .filter_map(|place| self.publish(place))
            .collect()
    }

    /// When it changes something next: a gap after its last change, or after its churn begins.
    /// Churn leaves nothing withdrawn behind it, so there may be one more moment after its end.
    pub(crate) fn next_change(
        &mut self,
        churn: &Churn,
        last: Option<u64>,
        now: u64,
    ) -> Option<u64> {
        let every = churn.every.0;
        let gap = self
            .rng
            .between(every / 2, every.saturating_add(every / 2))
            .max(1);
        let at = last.unwrap_or(churn.from.0).saturating_add(gap);
        let back = || {
            let any = self.withdrawn.contains(&true);
            any.then(|| churn.until.0.max(now + 1))
        };
        if at <= churn.until.0 {
            Some(at)
        } else {
            back()
        }
    }

    /// Publishes one entry with a new stamp.
    fn publish(&mut self, place: usize) -> Option<ClientOp> {
        self.changes += 1;
        let version = self.changes;
        let stamped = |mut instance: Instance| {
            instance
                .metadata
                .insert("v".into(), version.to_string().into());
            instance
        };
        match self.start[self.publishes[place]].clone() {
            ClientOp::Register(key, one) => Some(ClientOp::Register(key, stamped(one))),
            ClientOp::Batch(key, all) => {
                Some(ClientOp::Batch(key, all.into_iter().map(stamped).collect()))
            }
            ClientOp::Deregister(_)
            | ClientOp::Subscribe(_)
            | ClientOp::Unsubscribe(_)
            | ClientOp::Query(_) => None,
        }
    }
}

impl Workload {
    /// The applications of a scenario's clients.
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Workload {
        let clients = scenario.clients.iter();
        Workload {
            applications: clients.map(|spec| Application::new(spec, seed)).collect(),
        }
    }
}

impl<M: Machine> World<'_, M> {
    /// An application calls its client.
    fn call(&mut self, host: u32, op: ClientOp) {
        self.hosts[host].calls += 1;
        let call = self.hosts[host].calls;
        self.deliver(host, Arrival::Call { call, op });
    }

    /// The application of a client that just started does what it always does first.
    pub(super) fn start_workload(&mut self, host: u32) {
        let Some(client) = self.scenario.client(HostId(host)) else {
            return;
        };
        let application = &mut self.workload.applications[client];
        application.withdrawn.fill(false);
        for op in application.start.clone() {
            self.call(host, op);
        }
    }

    /// A call of the timeline.
    pub(super) fn call_planned(&mut self, client: HostId, op: &ClientOp, line: u32) {
        if self.hosts[client.0].process.is_none() {
            let name = self.scenario.host_name(client);
            self.skipped
                .push((line, format!("{name} is not running and cannot be called")));
            return;
        }
        self.call(client.0, op.clone());
    }

    /// An operation of the timeline.
    pub(super) fn operate(&mut self, node: HostId, op: &NodeOp, line: u32) {
        if self.hosts[node.0].process.is_none() {
            let name = self.scenario.host_name(node);
            self.skipped.push((
                line,
                format!("{name} is not running and cannot be operated"),
            ));
            return;
        }
        let command = match op {
            NodeOp::SetLimits(limits) => Command::SetLimits(limits.clone()),
            NodeOp::Rebalance { keep, redirect } => Command::Rebalance {
                keep: *keep,
                redirect: redirect.map(|host| address::node_id(host.0)),
            },
            NodeOp::SetMembers(members) => Command::SetMembers(
                members
                    .iter()
                    .map(|host| address::node_id(host.0))
                    .collect(),
            ),
        };
        self.deliver(node.0, Arrival::Command(command));
    }

    /// Plans a client's next change, one gap after the last one or after its churn begins.
    pub(super) fn plan_churn(&mut self, client: u32, last: Option<u64>) {
        let index = client as usize;
        let Some(Churn { every, from, until }) = &self.scenario.clients[index].churn else {
            return;
        };
        let rng = &mut self.workload.applications[index].rng;
        let gap = rng
            .between(every.0 / 2, every.0.saturating_add(every.0 / 2))
            .max(1);
        let at = last.unwrap_or(from.0).saturating_add(gap);
        let application = &self.workload.applications[index];
        if at <= until.0 {
            self.queue.push(at, Event::Churn(client));
        } else if application.withdrawn.contains(&true) {
            // Churn leaves nothing withdrawn behind it: what a scenario expects afterwards is
            // what the file says that the client publishes.
            self.queue
                .push(until.0.max(self.now + 1), Event::Churn(client));
        }
    }

    /// A client with churn changes something, if it runs.
    pub(super) fn churn(&mut self, client: u32) {
        let index = client as usize;
        let host = nodes_of(self.scenario).saturating_add(client);
        let churn = self.scenario.clients[index].churn.as_ref();
        let over = churn.is_some_and(|churn| self.now >= churn.until.0);
        if self.hosts[host].process.is_some() && over {
            for op in self.workload.applications[index].bring_back() {
                self.call(host, op);
            }
        } else if self.hosts[host].process.is_some()
            && let Some(op) = self.workload.applications[index].change()
        {
            self.call(host, op);
        }
        if !over {
            self.plan_churn(client, Some(self.now));
        }
    }
}
