//! What applications ask of their clients, and operators of their nodes.

use distro_core::io::Command;

use super::World;
use super::machine::{Arrival, Machine};
use super::queue::Event;
use crate::scenario::address;
use crate::scenario::model::{Churn, ClientOp, HostId, NodeOp, Scenario};
use crate::world::common::application::Application;
use crate::world::common::nodes_of;

/// All applications.
#[derive(Debug)]
pub(crate) struct Workload {
    applications: Vec<Application>,
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
