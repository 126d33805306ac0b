//! What happens when: processes start, applications call, faults begin and end. As in the world
//! `event`, at the granularity of a tick.

use distro_core::io::Command;
use distro_core::time::Period;

use super::Driver;
use super::lives::Waiting;
use crate::observe::Seen;
use crate::scenario::address;
use crate::scenario::model::{Fault, HostId, NodeOp, What};
use crate::world::common::nodes_of;
use crate::world::event::fault::{End, end_of, first_host, hosts_of, rolled};
use crate::world::link::agenda::{BANDWIDTH_NOTE, Due};

impl Driver<'_> {
    /// Plans the first change of every client that has churn.
    pub(super) fn plan_churns(&mut self) {
        for client in 0..self.scenario.clients.len() {
            self.plan_churn(client, None);
        }
    }

    pub(super) fn dispatch(&mut self, due: Due) {
        match due {
            Due::Start(host) => {
                if !self.hosts[host as usize].started {
                    self.start(host);
                }
            }
            Due::Begin(action) => self.begin(action),
            Due::End(action) => self.end(action),
            Due::RollStop(action, place) => {
                if let Some((host, _)) = rolled(self.scenario, action, place) {
                    self.stop(host, false);
                }
            }
            Due::RollStart(action, place) => self.roll_start(action, place),
            Due::Churn(client) => self.churn(client),
        }
    }

    fn begin(&mut self, action: u32) {
        let scenario = self.scenario;
        let index = action as usize;
        let planned = &scenario.timeline[index];
        let seen = Seen::Began {
            index,
            action: planned,
        };
        self.shared.see_at(self.now(), first_host(planned).0, seen);
        match &planned.what {
            What::Call { client, op } => {
                if self.runs(client.0) {
                    self.deliver(client.0, Waiting::Call(op.clone()));
                } else {
                    self.skip(planned.line, *client, "is not running and cannot be called");
                }
            }
            What::Operate { node, op } => {
                if self.runs(node.0) {
                    self.deliver(node.0, Waiting::Command(command_of(op)));
                } else {
                    self.skip(planned.line, *node, "is not running and cannot be operated");
                }
            }
            What::Fault { fault, lasts } => {
                self.lasting[index] = true;
                self.begin_fault(action, fault, planned.line);
                self.plan_end(action, fault, *lasts);
            }
        }
    }

    fn skip(&mut self, line: u32, host: HostId, why: &str) {
        self.skipped
            .push((line, format!("{} {why}", self.scenario.host_name(host))));
    }

    fn plan_end(&mut self, action: u32, fault: &Fault, lasts: Period) {
        match end_of(fault, lasts) {
            End::ByItself => {}
            End::AtOnce => self.end(action),
            End::After(lasts) => {
                let at = self.now().saturating_add(lasts.0);
                self.agenda.push(at, Due::End(action));
            }
        }
    }

    fn begin_fault(&mut self, action: u32, fault: &Fault, line: u32) {
        let fabric = self.shared.fabric.clone();
        if let Fault::Bandwidth { .. } = fault {
            self.skipped.push((line, BANDWIDTH_NOTE.to_owned()));
        }
        if fabric.begin(action, fault) {
            return;
        }
        let now = self.now();
        match fault {
            Fault::Reset(path) => fabric.reset(path, now),
            Fault::HalfOpen(path) => fabric.half_open(path, now),
            Fault::DeadStream(path) => fabric.dead_stream(path),
            Fault::RollingRestart { hosts, every, down } => {
                self.agenda.roll(action, hosts, now, (*every, *down));
            }
            Fault::FailApply { node, count } => {
                if self.runs(node.0) {
                    let command = Command::FailApply { count: *count };
                    self.deliver(node.0, Waiting::Command(command));
                } else {
                    self.skip(line, *node, "is not running and applies nothing");
                }
            }
            Fault::Slow { .. }
            | Fault::Pause(_)
            | Fault::Kill(_)
            | Fault::PowerOff(_)
            | Fault::Restart { .. }
            | Fault::WallJump { .. }
            | Fault::MonoJump { .. }
            | Fault::Drift { .. } => {
                for host in hosts_of(fault) {
                    self.begin_at(host.0, action, fault);
                }
            }
            // The fabric's rules took these.
            Fault::Partition(_)
            | Fault::Loss { .. }
            | Fault::Drop { .. }
            | Fault::Delay { .. }
            | Fault::Duplicate { .. }
            | Fault::Reorder { .. }
            | Fault::Corrupt { .. }
            | Fault::Bandwidth { .. } => {}
        }
    }

    /// What a fault does to one host.
    fn begin_at(&mut self, host: u32, action: u32, fault: &Fault) {
        let fabric = self.shared.fabric.clone();
        let now = self.now();
        match fault {
            Fault::Slow { per_message, .. } => fabric.slow(host, action, Some(*per_message)),
            Fault::Pause(_) => {
                fabric.pause(host, 1);
            }
            Fault::Kill(_) => self.stop(host, false),
            Fault::PowerOff(_) => self.stop(host, true),
            Fault::Restart { profile, .. } => {
                let plan = &mut self.hosts[host as usize];
                plan.profile = profile.unwrap_or(plan.profile);
                self.stop(host, false);
                self.start(host);
            }
            Fault::WallJump { by_millis, .. } => {
                fabric.change_clock(host, |clock| clock.jump_wall(*by_millis));
            }
            Fault::MonoJump { by, .. } => fabric.change_clock(host, |clock| clock.jump_mono(*by)),
            Fault::Drift { ppm, .. } => {
                fabric.change_clock(host, |clock| clock.drift(now, i64::from(*ppm)));
            }
            Fault::Partition(_)
            | Fault::Loss { .. }
            | Fault::Drop { .. }
            | Fault::Delay { .. }
            | Fault::Duplicate { .. }
            | Fault::Reorder { .. }
            | Fault::Corrupt { .. }
            | Fault::Reset(_)
            | Fault::HalfOpen(_)
            | Fault::DeadStream(_)
            | Fault::Bandwidth { .. }
            | Fault::RollingRestart { .. }
            | Fault::FailApply { .. } => {}
        }
    }

    /// An action of the timeline ends, unless it has.
    pub(super) fn end(&mut self, action: u32) {
        let scenario = self.scenario;
        let index = action as usize;
        let planned = &scenario.timeline[index];
        if !std::mem::replace(&mut self.lasting[index], false) {
            return;
        }
        let seen = Seen::Ended {
            index,
            action: planned,
        };
        self.shared.see_at(self.now(), first_host(planned).0, seen);
        if let What::Fault { fault, lasts } = &planned.what {
            self.shared.fabric.end(action);
            for host in hosts_of(fault) {
                self.end_at(host.0, action, fault, *lasts);
            }
        }
    }

    fn end_at(&mut self, host: u32, action: u32, fault: &Fault, lasts: Period) {
        let fabric = self.shared.fabric.clone();
        let now = self.now();
        match fault {
            Fault::Slow { .. } => fabric.slow(host, action, None),
            Fault::Pause(_) => {
                if fabric.pause(host, -1) {
                    self.deliver_waiting(host);
                }
            }
            Fault::Kill(_) | Fault::PowerOff(_) => {
                if lasts > Period::ZERO && !self.runs(host) {
                    self.start(host);
                }
            }
            Fault::WallJump { by_millis, .. } => {
                if lasts > Period::ZERO {
                    let back = by_millis.saturating_neg();
                    fabric.change_clock(host, |clock| clock.jump_wall(back));
                }
            }
            Fault::Drift { ppm, .. } => {
                fabric.change_clock(host, |clock| clock.drift(now, -i64::from(*ppm)));
            }
            Fault::Partition(_)
            | Fault::Loss { .. }
            | Fault::Drop { .. }
            | Fault::Delay { .. }
            | Fault::Duplicate { .. }
            | Fault::Reorder { .. }
            | Fault::Corrupt { .. }
            | Fault::Reset(_)
            | Fault::HalfOpen(_)
            | Fault::DeadStream(_)
            | Fault::Bandwidth { .. }
            | Fault::Restart { .. }
            | Fault::RollingRestart { .. }
            | Fault::MonoJump { .. }
            | Fault::FailApply { .. } => {}
        }
    }

    fn roll_start(&mut self, action: u32, place: usize) {
        let Some((host, last)) = rolled(self.scenario, action, place) else {
            return;
        };
        if !self.runs(host) {
            self.start(host);
        }
        if last {
            self.end(action);
        }
    }

    /// Plans a client's next change, one gap after the last one or after its churn begins.
    fn plan_churn(&mut self, client: usize, last: Option<u64>) {
        let Some(churn) = &self.scenario.clients[client].churn else {
            return;
        };
        let now = self.now();
        if let Some(at) = self.applications[client].next_change(churn, last, now) {
            self.agenda.push(at, Due::Churn(client));
        }
    }

    /// A client with churn changes something, if it runs.
    fn churn(&mut self, client: usize) {
        let client_number = u32::try_from(client).unwrap_or(u32::MAX);
        let host = nodes_of(self.scenario).saturating_add(client_number);
        let churn = self.scenario.clients[client].churn.as_ref();
        let over = churn.is_some_and(|churn| self.now() >= churn.until.0);
        if self.runs(host) && over {
            for op in self.applications[client].bring_back() {
                self.deliver(host, Waiting::Call(op));
            }
        } else if self.runs(host)
            && let Some(op) = self.applications[client].change()
        {
            self.deliver(host, Waiting::Call(op));
        }
        if !over {
            self.plan_churn(client, Some(self.now()));
        }
    }
}

fn command_of(op: &NodeOp) -> Command {
    match op {
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
    }
}
