//! Faults of the timeline.

use distro_core::time::Period;

use super::super::fields::Found;
use super::super::hosts::Only;
use super::super::model::{
    ConnFault, Effect, Fault, HostFault, HostId, LinkFault, NodeFault, Path, What,
};
use super::path::{self, Wants};
use super::timeline::{Entry, Steps};

fn step(fault: Fault, lasts: Period) -> (Period, What) {
    (Period::ZERO, What::Fault { fault, lasts })
}

impl Entry<'_, '_> {
    /// What a fault does.
    pub(super) fn fault(&self, found: &mut Found) -> Steps {
        let (name, fields) = (self.section.title, self.fields);
        if let Some(fault) = LinkFault::read(name, fields, found) {
            let wants = if fault == LinkFault::Partition {
                Wants::Apart
            } else {
                Wants::Anything
            };
            let lasts = self.lasts(found);
            let fault = |path| step(Fault::Link(path, fault.clone()), lasts);
            return self.paths(found, wants).map(fault).collect();
        }
        if let Some(fault) = ConnFault::read(name, fields, found) {
            let fault = |path| step(Fault::Conns(path, fault), Period::ZERO);
            return self.paths(found, Wants::Path).map(fault).collect();
        }
        if let Some(fault) = NodeFault::read(name, fields, found) {
            let nodes = self.hosts(found, "node", Only::Nodes).into_iter();
            let fault = |node| step(Fault::Node(node, fault), Period::ZERO);
            return nodes.map(fault).collect();
        }
        match HostFault::read(name, fields, found) {
            Some(fault) => self.host_fault(found, fault),
            None => Steps::new(),
        }
    }

    fn paths(&self, found: &mut Found, wants: Wants) -> impl Iterator<Item = Path> {
        path::read(found, self.reading, self.fields, wants).into_iter()
    }

    /// Faults of hosts rather than of paths.
    fn host_fault(&self, found: &mut Found, fault: HostFault) -> Steps {
        if let HostFault::RollingRestart { every, down } = fault {
            let hosts = self.rolling(found);
            let gaps = u64::try_from(hosts.len()).unwrap_or(u64::MAX);
            let lasts = every.times(gaps.saturating_sub(1)) + down;
            return vec![step(Fault::Hosts(hosts, fault), lasts)];
        }
        let hosts = self.hosts(found, "hosts", Only::Any);
        if let HostFault::Restart { profile: Some(_) } = fault {
            self.builds(found, &hosts);
        }
        let lasts = if (self.section.keys)().iter().any(|key| key.name == "for") {
            self.lasts(found)
        } else {
            Period::ZERO
        };
        match fault.effect() {
            Effect::Nothing | Effect::Late | Effect::Still | Effect::Again => {
                vec![step(Fault::Hosts(hosts, fault), lasts)]
            }
            Effect::Down => down(hosts, fault, lasts),
        }
    }

    fn rolling(&self, found: &mut Found) -> Vec<HostId> {
        match self.fields.get("hosts") {
            Some(value) => self
                .reading
                .hosts
                .read_some(found, "hosts", value, Only::Nodes),
            None => self.reading.hosts.all_nodes(),
        }
    }

    /// Only nodes have a profile.
    fn builds(&self, found: &mut Found, hosts: &[HostId]) {
        let is_node = |host: &HostId| self.reading.hosts.is_node(*host);
        if let (Some(value), false) = (self.fields.get("profile"), hosts.iter().all(is_node)) {
            found.add(
                value.span(),
                "a client has no profile",
                "restart nodes and clients in two entries",
            );
        }
    }
}

/// Processes that end, and start again when the entry says for how long they are down.
fn down(hosts: Vec<HostId>, fault: HostFault, lasts: Period) -> Steps {
    let again = HostFault::Restart { profile: None };
    let again = Fault::Hosts(hosts.clone(), again);
    let mut steps = vec![step(Fault::Hosts(hosts, fault), Period::ZERO)];
    if lasts != Period::MAX {
        let (_, again) = step(again, Period::ZERO);
        steps.push((lasts, again));
    }
    steps
}
