//! The timeline: what happens, as an entry of the file says it.

use distro_core::time::Period;
use distro_node::text::kind::Kind;
use distro_node::text::table::written;

use super::super::address::client_instance;
use super::super::kinds::Service;
use super::super::model::{Action, ClientOp, Fault, HostFault, HostId, NodeOp, Path, What};
use super::super::value::period_text;
use super::toml_text::{Table, list, quoted};
use super::{Writer, instance, instances, limits};

impl Writer<'_> {
    pub(super) fn action(&self, action: &Action) -> Table {
        let mut table = Table::default();
        table.put("at", quoted(&period_text(action.at)));
        match &action.what {
            What::Fault { fault, lasts } => {
                self.fault(fault, &mut table);
                if *lasts != Period::MAX
                    && *lasts != Period::ZERO
                    && !matches!(fault, Fault::Hosts(_, HostFault::RollingRestart { .. }))
                {
                    table.put("for", quoted(&period_text(*lasts)));
                }
            }
            What::Call { client, op } => self.call(*client, op, &mut table),
            What::Operate { node, op } => self.operate(*node, op, &mut table),
        }
        table
    }

    fn path(&self, path: &Path, table: &mut Table) {
        if path.both {
            let sides = [self.hosts(&path.from), self.hosts(&path.to)];
            table.put("between", list(sides.into_iter()));
        } else {
            table.put("from", self.hosts(&path.from));
            table.put("to", self.hosts(&path.to));
        }
        if !path.kinds.is_empty() {
            table.put(
                "kinds",
                list(path.kinds.iter().map(|kind| quoted(kind.name()))),
            );
        }
        match path.requests {
            Some(true) => table.put("only", quoted("requests")),
            Some(false) => table.put("only", quoted("responses")),
            None => {}
        }
    }

    fn fault(&self, fault: &Fault, table: &mut Table) {
        let mut name = |name| table.put("fault", quoted(name));
        let values = match fault {
            Fault::Link(path, fault) => {
                name(fault.name());
                self.path(path, table);
                fault.values()
            }
            Fault::Conns(path, fault) => {
                name(fault.name());
                self.path(path, table);
                fault.values()
            }
            Fault::Hosts(hosts, fault) => {
                name(fault.name());
                table.put("hosts", self.hosts(hosts));
                fault.values()
            }
            Fault::Node(node, fault) => {
                name(fault.name());
                table.put("node", quoted(self.scenario.host_name(*node)));
                fault.values()
            }
        };
        for (key, value) in values {
            table.put(key, value.to_string());
        }
    }

    fn call(&self, client: HostId, op: &ClientOp, table: &mut Table) {
        let index = self.scenario.client(client).unwrap_or(0);
        let own = client_instance(u32::try_from(index).unwrap_or(u32::MAX));
        let (kind, key) = match op {
            ClientOp::Register(key, _) => ("register", key),
            ClientOp::Batch(key, _) => ("batch", key),
            ClientOp::Deregister(key) => ("deregister", key),
            ClientOp::Subscribe(key) => ("subscribe", key),
            ClientOp::Unsubscribe(key) => ("unsubscribe", key),
            ClientOp::Query(key) => ("query", key),
        };
        table.put("call", quoted(kind));
        table.put("client", quoted(self.scenario.host_name(client)));
        table.put("service", Service(key.clone()).write().to_string());
        match op {
            ClientOp::Register(_, said) => {
                for (key, value) in written(&instance(said, &own)).iter() {
                    table.put(key, value.to_string().trim().to_owned());
                }
            }
            ClientOp::Batch(_, said) => {
                table.put("instances", instances(said, &own).write().to_string())
            }
            ClientOp::Deregister(_)
            | ClientOp::Subscribe(_)
            | ClientOp::Unsubscribe(_)
            | ClientOp::Query(_) => {}
        }
    }

    fn operate(&self, node: HostId, op: &NodeOp, table: &mut Table) {
        let (kind, key, value) = match op {
            NodeOp::SetLimits(new) => ("set-limits", "limits", limits(new).write().to_string()),
            NodeOp::Rebalance { keep, .. } => ("rebalance", "keep", keep.to_string()),
            NodeOp::SetMembers(members) => ("set-members", "members", self.hosts(members)),
        };
        table.put("operate", quoted(kind));
        table.put("node", quoted(self.scenario.host_name(node)));
        table.put(key, value);
        if let NodeOp::Rebalance {
            redirect: Some(redirect),
            ..
        } = op
        {
            table.put("redirect", quoted(self.scenario.host_name(*redirect)));
        }
    }
}
