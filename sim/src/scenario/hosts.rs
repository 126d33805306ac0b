//! The hosts of a file by name, and how lists of hosts are read and written.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use distro_core::message::naming::Instance;
use distro_node::text::kind::Kind;

use super::address;
use super::fields::{Found, Value};
use super::kinds::Names;
use super::model::HostId;
use super::problem::help_for;

/// Names that mean several hosts, so no host may have them.
pub(super) const RESERVED: [&str; 5] = ["nodes", "clients", "all", "others", "spread"];

/// Which hosts a list may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Only {
    /// Nodes and clients.
    Any,
    /// Nodes.
    Nodes,
    /// Clients.
    Clients,
}

/// One side of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Side {
    /// These hosts.
    Hosts(Vec<HostId>),
    /// All that the other side does not name.
    Others,
}

/// The hosts of a file.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    names: Vec<String>,
    by_name: BTreeMap<String, HostId>,
    groups: BTreeMap<String, Vec<HostId>>,
    nodes: u32,
    /// What each client publishes when only a service is named.
    instances: Vec<Instance>,
}

impl Hosts {
    /// Adds a node. False when the name is taken.
    pub(super) fn add_node(&mut self, name: &str) -> bool {
        let host = HostId(self.nodes);
        self.nodes += 1;
        self.add(name, host)
    }

    /// Adds a client, after all nodes. False when the name is taken.
    pub(super) fn add_client(&mut self, name: &str, group: &str, instance: Instance) -> bool {
        let host = HostId(self.nodes + self.clients());
        self.instances.push(instance);
        self.groups.entry(group.to_owned()).or_default().push(host);
        self.add(name, host)
    }

    fn add(&mut self, name: &str, host: HostId) -> bool {
        self.names.push(name.to_owned());
        let free = !self.by_name.contains_key(name);
        if free {
            self.by_name.insert(name.to_owned(), host);
        }
        free
    }

    /// How many clients there are so far.
    pub(super) fn clients(&self) -> u32 {
        u32::try_from(self.instances.len()).expect("CLIENTS_MAX fits")
    }

    /// A client group that has the name of a host which is not its only member.
    pub(super) fn ambiguous_group(&self) -> Option<&str> {
        self.groups.iter().find_map(|(group, members)| {
            let host = self.by_name.get(group)?;
            (members[..] != [*host]).then_some(group.as_str())
        })
    }

    /// The client with this name.
    pub(super) fn client(&self, name: &str) -> Option<u32> {
        self.by_name.get(name)?.0.checked_sub(self.nodes)
    }

    /// A host's name.
    pub(super) fn name(&self, host: HostId) -> &str {
        self.names.get(host.index()).map_or("?", String::as_str)
    }

    /// What a client publishes when only a service is named.
    pub(super) fn instance(&self, client: HostId) -> Instance {
        let index = client.0.saturating_sub(self.nodes);
        self.instances
            .get(index as usize)
            .cloned()
            .unwrap_or_else(|| address::client_instance(index))
    }

    /// True for a node.
    pub(super) fn is_node(&self, host: HostId) -> bool {
        host.0 < self.nodes
    }

    /// All nodes.
    pub(super) fn all_nodes(&self) -> Vec<HostId> {
        (0..self.nodes).map(HostId).collect()
    }

    /// All clients.
    pub(super) fn all_clients(&self) -> Vec<HostId> {
        (self.nodes..self.nodes + self.clients())
            .map(HostId)
            .collect()
    }

    /// All hosts.
    pub(super) fn all(&self) -> Vec<HostId> {
        (0..self.nodes + self.clients()).map(HostId).collect()
    }

    /// All hosts but these.
    pub(super) fn all_but(&self, named: &[HostId]) -> Vec<HostId> {
        let named: BTreeSet<HostId> = named.iter().copied().collect();
        self.all()
            .into_iter()
            .filter(|host| !named.contains(host))
            .collect()
    }

    fn by_name(&self, name: &str) -> Option<Vec<HostId>> {
        match name {
            "nodes" => Some(self.all_nodes()),
            "clients" => Some(self.all_clients()),
            "all" => Some(self.all()),
            _ => match self.by_name.get(name) {
                Some(host) => Some(vec![*host]),
                None => self.groups.get(name).cloned(),
            },
        }
    }

    /// Adds the hosts that one text names to `into`.
    fn collect(
        &self,
        found: &mut Found,
        what: &str,
        (name, span): (&str, Range<usize>),
        only: Only,
        into: &mut Vec<HostId>,
    ) {
        let Some(hosts) = self.by_name(name) else {
            let known = self
                .by_name
                .keys()
                .chain(
                    self.groups
                        .keys()
                        .filter(|group| !self.by_name.contains_key(*group)),
                )
                .map(String::as_str)
                .chain(["nodes", "clients", "all"]);
            found.add(span, format!("no host `{name}`"), help_for(name, known));
            return;
        };
        let wrong = hosts.iter().any(|host| match only {
            Only::Any => false,
            Only::Nodes => !self.is_node(*host),
            Only::Clients => self.is_node(*host),
        });
        if wrong {
            let (is, right) = match only {
                Only::Any | Only::Clients => ("not a client", "clients"),
                Only::Nodes => ("not a node", "nodes"),
            };
            found.add(
                span,
                format!("`{name}` is {is}"),
                format!("`{what}` takes {right}"),
            );
            return;
        }
        let seen: BTreeSet<HostId> = into.iter().copied().collect();
        if hosts.iter().any(|host| seen.contains(host)) {
            found.add(
                span,
                format!("`{name}` names a host for the second time"),
                "name each host once",
            );
            return;
        }
        into.extend(hosts);
    }

    /// The hosts of a list, which may be empty.
    pub(super) fn named(
        &self,
        found: &mut Found,
        what: &str,
        names: &Names,
        only: Only,
    ) -> Vec<HostId> {
        let mut hosts = Vec::new();
        for slot in &names.0.0 {
            if let Some(name) = &slot.value {
                self.collect(found, what, (name, slot.span()), only, &mut hosts);
            }
        }
        hosts
    }

    /// The hosts of a list that must name at least one. `span`: where the list is.
    pub(super) fn some(
        &self,
        found: &mut Found,
        what: &str,
        span: Range<usize>,
        names: &Names,
        only: Only,
    ) -> Vec<HostId> {
        let before = found.list.len();
        let hosts = self.named(found, what, names, only);
        if names.0.0.is_empty() && found.list.len() == before {
            found.add(
                span,
                format!("`{what}` names no host"),
                "name at least one host",
            );
        }
        hosts
    }

    /// The hosts that a value lists, which may be none.
    pub(super) fn read_list(
        &self,
        found: &mut Found,
        what: &str,
        value: &Value<'_>,
        only: Only,
    ) -> Vec<HostId> {
        let names = Names::read(found, what, value);
        names.map_or_else(Vec::new, |names| self.named(found, what, &names, only))
    }

    /// The hosts that a value lists, at least one.
    pub(super) fn read_some(
        &self,
        found: &mut Found,
        what: &str,
        value: &Value<'_>,
        only: Only,
    ) -> Vec<HostId> {
        let names = Names::read(found, what, value);
        let span = value.span();
        names.map_or_else(Vec::new, |names| self.some(found, what, span, &names, only))
    }

    /// One side of a path. `span`: where it is.
    pub(super) fn side(
        &self,
        found: &mut Found,
        what: &str,
        span: Range<usize>,
        names: &Names,
    ) -> Side {
        if names.is("others") {
            return Side::Others;
        }
        Side::Hosts(self.some(found, what, span, names, Only::Any))
    }
}
