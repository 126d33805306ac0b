//! What happens when: processes start, applications call, faults begin and end.

use std::collections::BTreeSet;

use distro_core::time::Period;

use super::driver::{Driver, Running};
use super::operate::{ask, question};
use super::replay::Told;
use crate::scenario::model::{Fault, HostId, NodeOp, What};
use crate::world::common::nodes_of;
use crate::world::event::fault::{End, end_of, hosts_of, rolled};
use crate::world::link::agenda::Due;

type Done = Result<(), String>;

impl Driver<'_> {
    /// Plans the first change of every client that has churn.
    pub(super) fn plan_churns(&mut self) {
        for client in 0..self.scenario.clients.len() {
            self.plan_churn(client, None);
        }
    }

    pub(super) fn dispatch(&mut self, due: Due) -> Done {
        match due {
            Due::Start(host) if self.hosts[host as usize].started => Ok(()),
            Due::Start(host) => self.start(host),
            Due::Begin(action) => self.begin(action),
            Due::End(action) => self.end(action),
            Due::RollStop(action, place) => match rolled(self.scenario, action, place) {
                Some((host, _)) => self.stop(host, false),
                None => Ok(()),
            },
            Due::RollStart(action, place) => self.roll_start(action, place),
            Due::Churn(client) => self.churn(client),
        }
    }

    fn begin(&mut self, action: u32) -> Done {
        let scenario = self.scenario;
        let planned = &scenario.timeline[action as usize];
        self.told.push((self.time.now(), Told::Began(action)));
        match &planned.what {
            What::Call { client, op } => self.call(client.0, op.clone()),
            What::Operate { node, op } => self.operate(*node, op),
            What::Fault { fault, lasts } => {
                self.lasting[action as usize] = true;
                self.begin_fault(action, fault)?;
                self.plan_end(action, fault, *lasts)
            }
        }
    }

    fn operate(&mut self, node: HostId, op: &NodeOp) -> Done {
        if let NodeOp::SetMembers(members) = op {
            let written = self.files.write(self.plan, node, members);
            return written.map_err(|error| format!("a member file: {error}"));
        }
        let Some(question) = question(self.scenario, op) else {
            return Ok(());
        };
        if !self.runs(node.0) {
            return Ok(());
        }
        let ((place, at), failure) = (self.plan.operator(node), self.failure.clone());
        tokio::task::spawn_local(async move {
            if let Err(error) = ask((place, at), question).await {
                let text = format!("the operator's port at {at}: {error}");
                failure.borrow_mut().get_or_insert(text);
            }
        });
        Ok(())
    }

    fn plan_end(&mut self, action: u32, fault: &Fault, lasts: Period) -> Done {
        match end_of(fault, lasts) {
            End::ByItself => Ok(()),
            End::AtOnce => self.end(action),
            End::After(lasts) => {
                let at = self.scenario.timeline[action as usize].at + lasts;
                self.agenda
                    .push(at.0.max(self.time.now()), Due::End(action));
                Ok(())
            }
        }
    }

    fn begin_fault(&mut self, action: u32, fault: &Fault) -> Done {
        let now = self.time.now();
        if self.between.begin(action, fault, now)? {
            // How long the kernel's tools take is a delay of everything else.
            self.lag.note(self.time.now().saturating_sub(now));
            return Ok(());
        }
        match fault {
            Fault::RollingRestart { hosts, every, down } => {
                self.agenda.roll(action, hosts, now, (*every, *down));
            }
            Fault::Pause(hosts) => {
                for host in hosts {
                    self.pause(host.0, true)?;
                }
            }
            Fault::Kill(hosts) => self.stop_all(hosts, false)?,
            Fault::PowerOff(hosts) => self.stop_all(hosts, true)?,
            Fault::Restart { hosts, .. } => {
                self.stop_all(hosts, false)?;
                for host in hosts {
                    self.start(host.0)?;
                }
            }
            // What lies between hosts took these.
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
            | Fault::Slow { .. }
            // These were taken out of the timeline.
            | Fault::WallJump { .. }
            | Fault::MonoJump { .. }
            | Fault::Drift { .. }
            | Fault::FailApply { .. } => {}
        }
        Ok(())
    }

    fn stop_all(&mut self, hosts: &[HostId], silent: bool) -> Done {
        hosts.iter().try_for_each(|host| self.stop(host.0, silent))
    }

    /// A pause begins, or ends.
    fn pause(&mut self, host: u32, pause: bool) -> Done {
        let now = self.time.now();
        let plan = &mut self.hosts[host as usize];
        let before = plan.pauses;
        plan.pauses = before.saturating_add_signed(if pause { 1 } else { -1 });
        match &plan.running {
            Running::Node {
                process, up: true, ..
            } => {
                if (before == 0) != (plan.pauses == 0) {
                    process.pause(pause)?;
                }
            }
            Running::Client(client) => client.gate.pause(pause),
            Running::Node { .. } | Running::Nothing => {}
        }
        let told = if pause {
            Told::Paused(host)
        } else {
            Told::Resumed(host)
        };
        self.told.push((now, told));
        Ok(())
    }

    /// An action of the timeline ends, unless it has.
    pub(super) fn end(&mut self, action: u32) -> Done {
        let scenario = self.scenario;
        let planned = &scenario.timeline[action as usize];
        if !std::mem::replace(&mut self.lasting[action as usize], false) {
            return Ok(());
        }
        let What::Fault { fault, lasts } = &planned.what else {
            return Ok(());
        };
        let now = self.time.now();
        self.between.end(action, fault)?;
        self.lag.note(self.time.now().saturating_sub(now));
        for host in hosts_of(fault) {
            self.end_at(host.0, fault, *lasts)?;
        }
        let waits = |host: &&HostId| {
            let running = &self.hosts[host.index()].running;
            matches!(running, Running::Node { up: false, .. })
        };
        let waiting: BTreeSet<u32> = hosts_of(fault).iter().filter(waits).map(|h| h.0).collect();
        if waiting.is_empty() {
            self.tell_end(action, self.time.now());
        } else {
            // A process takes its time to start, and the fault lasts until it has.
            self.ending.insert(action, waiting);
        }
        Ok(())
    }

    /// The checks learn that an action ended.
    pub(super) fn tell_end(&mut self, action: u32, at: u64) {
        self.told.push((at, Told::Ended(action)));
    }

    fn end_at(&mut self, host: u32, fault: &Fault, lasts: Period) -> Done {
        match fault {
            Fault::Pause(_) => return self.pause(host, false),
            Fault::Kill(_) | Fault::PowerOff(_) => {
                if lasts > Period::ZERO && !self.runs(host) {
                    return self.start(host);
                }
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
            | Fault::Slow { .. }
            | Fault::Restart { .. }
            | Fault::RollingRestart { .. }
            | Fault::WallJump { .. }
            | Fault::MonoJump { .. }
            | Fault::Drift { .. }
            | Fault::FailApply { .. } => {}
        }
        Ok(())
    }

    fn roll_start(&mut self, action: u32, place: usize) -> Done {
        let Some((host, last)) = rolled(self.scenario, action, place) else {
            return Ok(());
        };
        if !self.runs(host) {
            self.start(host)?;
        }
        if last { self.end(action) } else { Ok(()) }
    }

    /// Plans a client's next change.
    fn plan_churn(&mut self, client: usize, last: Option<u64>) {
        let Some(churn) = &self.scenario.clients[client].churn else {
            return;
        };
        let now = self.time.now();
        if let Some(at) = self.applications[client].next_change(churn, last, now) {
            self.agenda.push(at, Due::Churn(client));
        }
    }

    /// A client with churn changes something, if it runs.
    fn churn(&mut self, client: usize) -> Done {
        let number = u32::try_from(client).unwrap_or(u32::MAX);
        let host = nodes_of(self.scenario).saturating_add(number);
        let churn = self.scenario.clients[client].churn.as_ref();
        let over = churn.is_some_and(|churn| self.time.now() >= churn.until.0);
        if self.runs(host) {
            let application = &mut self.applications[client];
            let ops = if over {
                application.bring_back()
            } else {
                application.change().into_iter().collect()
            };
            for op in ops {
                self.call(host, op)?;
            }
        }
        if !over {
            self.plan_churn(client, Some(self.time.now()));
        }
        Ok(())
    }
}
