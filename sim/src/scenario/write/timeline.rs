//! The timeline: what happens, as an entry of the file says it.

use distro_core::time::Period;

use super::super::address::client_instance;
use super::super::model::{Action, ClientOp, Fault, HostId, NodeOp, Path, What};
use super::super::value::{period_text, profile_text, rate_text, signed_millis_text};
use super::toml_text::{Table, list, quoted};
use super::{Writer, instance, instances, limits, service};

impl Writer<'_> {
    pub(super) fn action(&self, action: &Action) -> Table {
        let mut table = Table::default();
        table.put("at", quoted(&period_text(action.at)));
        match &action.what {
            What::Fault { fault, lasts } => {
                self.fault(fault, &mut table);
                if *lasts != Period::MAX
                    && *lasts != Period::ZERO
                    && !matches!(fault, Fault::RollingRestart { .. })
                {
                    table.put("for", quoted(&period_text(*lasts)));
                }
            }
            What::Call { client, op } => self.call(*client, op, &mut table),
            What::Operate { node, op } => self.operate(*node, op, &mut table),
        }
        table
    }

    fn path(&self, kind: &str, path: &Path, table: &mut Table) {
        table.put("fault", quoted(kind));
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

    fn affects(&self, kind: &str, hosts: &[HostId], table: &mut Table) {
        table.put("fault", quoted(kind));
        table.put("hosts", self.hosts(hosts));
    }

    fn fault(&self, fault: &Fault, table: &mut Table) {
        let time = |period: &Period| quoted(&period_text(*period));
        let rate = |per_million: &u32| quoted(&rate_text(*per_million));
        match fault {
            Fault::Partition(path) => self.path("partition", path, table),
            Fault::Reset(path) => self.path("reset", path, table),
            Fault::HalfOpen(path) => self.path("half-open", path, table),
            Fault::DeadStream(path) => self.path("dead-stream", path, table),
            Fault::Loss { path, per_million } => {
                self.path("loss", path, table);
                table.put("rate", rate(per_million));
            }
            Fault::Duplicate { path, per_million } => {
                self.path("duplicate", path, table);
                table.put("rate", rate(per_million));
            }
            Fault::Corrupt { path, per_million } => {
                self.path("corrupt", path, table);
                table.put("rate", rate(per_million));
            }
            Fault::Drop { path, count } => {
                self.path("drop", path, table);
                table.put("count", count.to_string());
            }
            Fault::Delay { path, by } => {
                self.path("delay", path, table);
                table.put("by", time(by));
            }
            Fault::Reorder { path, within } => {
                self.path("reorder", path, table);
                table.put("within", time(within));
            }
            Fault::Bandwidth {
                path,
                bytes_per_second,
                queue_bytes,
            } => {
                self.path("bandwidth", path, table);
                table.put("bytes-per-second", bytes_per_second.to_string());
                table.put("queue-bytes", queue_bytes.to_string());
            }
            Fault::Slow { .. }
            | Fault::Pause(_)
            | Fault::Kill(_)
            | Fault::PowerOff(_)
            | Fault::Restart { .. }
            | Fault::RollingRestart { .. }
            | Fault::WallJump { .. }
            | Fault::MonoJump { .. }
            | Fault::Drift { .. }
            | Fault::FailApply { .. } => self.host_fault(fault, table),
        }
    }

    /// Faults of hosts rather than of paths.
    fn host_fault(&self, fault: &Fault, table: &mut Table) {
        let time = |period: &Period| quoted(&period_text(*period));
        match fault {
            Fault::Partition(_)
            | Fault::Reset(_)
            | Fault::HalfOpen(_)
            | Fault::DeadStream(_)
            | Fault::Loss { .. }
            | Fault::Duplicate { .. }
            | Fault::Corrupt { .. }
            | Fault::Drop { .. }
            | Fault::Delay { .. }
            | Fault::Reorder { .. }
            | Fault::Bandwidth { .. } => {}
            Fault::Slow { hosts, per_message } => {
                self.affects("slow", hosts, table);
                table.put("per-message", time(per_message));
            }
            Fault::Pause(hosts) => self.affects("pause", hosts, table),
            Fault::Kill(hosts) => self.affects("kill", hosts, table),
            Fault::PowerOff(hosts) => self.affects("power-off", hosts, table),
            Fault::Restart { hosts, profile } => {
                self.affects("restart", hosts, table);
                if let Some(profile) = profile {
                    table.put("profile", quoted(&profile_text(*profile)));
                }
            }
            Fault::RollingRestart { hosts, every, down } => {
                self.affects("rolling-restart", hosts, table);
                table.put("step", time(every));
                table.put("down", time(down));
            }
            Fault::WallJump { hosts, by_millis } => {
                self.affects("wall-jump", hosts, table);
                table.put("by", quoted(&signed_millis_text(*by_millis)));
            }
            Fault::MonoJump { hosts, by } => {
                self.affects("mono-jump", hosts, table);
                table.put("by", time(by));
            }
            Fault::Drift { hosts, ppm } => {
                self.affects("drift", hosts, table);
                table.put("ppm", ppm.to_string());
            }
            Fault::FailApply { node, count } => {
                table.put("fault", quoted("fail-apply"));
                table.put("node", quoted(self.scenario.host_name(*node)));
                table.put("count", count.to_string());
            }
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
        table.put("service", service(key));
        match op {
            ClientOp::Register(_, said) => instance(said, &own, table),
            ClientOp::Batch(_, said) => table.put("instances", instances(said, &own)),
            ClientOp::Deregister(_)
            | ClientOp::Subscribe(_)
            | ClientOp::Unsubscribe(_)
            | ClientOp::Query(_) => {}
        }
    }

    fn operate(&self, node: HostId, op: &NodeOp, table: &mut Table) {
        let (kind, key, value) = match op {
            NodeOp::SetLimits(new) => ("set-limits", "limits", limits(new).inline()),
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
