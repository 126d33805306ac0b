//! What the script wants done here.

use std::collections::BTreeSet;

use distro_core::profile::Profile;
use distro_core::time::Period;

use super::between::Between;
use super::driver::{Driver, Running};
use super::operate::{ask, question};
use super::replay::Told;
use super::support::{CLOCKS, NO_ORDER};
use crate::scenario::model::{Action, ClientOp, ConnFault, HostId, LinkFault, NodeOp, Path, What};
use crate::world::script::Due;
use crate::world::script::stage::{Done, Order, Stage, Turn};

impl<'a> Driver<'a> {
    /// Does something to what lies between hosts. How long the kernel's tools take is a delay of
    /// everything else.
    fn between(&mut self, act: impl FnOnce(&mut Between<'a>, u64) -> Done) -> Done {
        let now = self.time.now();
        act(&mut self.between, now)?;
        self.lag.note(self.time.now().saturating_sub(now));
        Ok(())
    }

    fn operate(&mut self, node: HostId, op: &NodeOp) -> Done {
        if let NodeOp::SetMembers(members) = op {
            let written = self.files.write(self.plan, node, members);
            return written.map_err(|error| format!("a member file: {error}"));
        }
        let Some(question) = question(self.scenario, op) else {
            return Ok(());
        };
        let ((place, at), failure) = (self.plan.operator(node), self.failure.clone());
        tokio::task::spawn_local(async move {
            if let Err(error) = ask((place, at), question).await {
                let text = format!("the operator's port at {at}: {error}");
                failure.borrow_mut().get_or_insert(text);
            }
        });
        Ok(())
    }

    /// The checks learn of the actions that are over. A process takes its time to start, and what
    /// starts it lasts until it has.
    pub(super) fn tell_ends(&mut self) {
        for action in std::mem::take(&mut self.over) {
            let What::Fault { fault, .. } = &self.scenario.timeline[action as usize].what else {
                continue;
            };
            let waits = |host: &&HostId| {
                let running = &self.hosts[host.index()].running;
                matches!(running, Running::Node { up: false, .. })
            };
            let hosts = fault.hosts().iter();
            let waiting: BTreeSet<u32> = hosts.filter(waits).map(|host| host.0).collect();
            if waiting.is_empty() {
                self.tell_end(action, self.time.now());
            } else {
                self.ending.insert(action, waiting);
            }
        }
    }

    /// The checks learn that an action ended.
    pub(super) fn tell_end(&mut self, action: u32, at: u64) {
        self.told.push((at, Told::Ended(action)));
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl Stage for Driver<'_> {
    fn now(&self) -> u64 {
        self.time.now()
    }

    fn plan(&mut self, at: u64, due: Due) {
        self.agenda.push(at, due);
    }

    fn began(&mut self, index: usize, _: &Action) {
        self.told
            .push((self.time.now(), Told::Began(number(index))));
    }

    fn ended(&mut self, index: usize, _: &Action) {
        self.over.push(number(index));
    }

    fn runs(&self, host: u32) -> bool {
        !matches!(self.hosts[host as usize].running, Running::Nothing)
    }

    fn start(&mut self, host: u32, _: Profile) -> Done {
        self.start_process(host)
    }

    fn stop(&mut self, host: u32, silent: bool) -> Done {
        self.stop_process(host, silent)
    }

    fn pause(&mut self, host: u32, pause: bool) -> Done {
        let now = self.time.now();
        let plan = &mut self.hosts[host as usize];
        plan.paused = pause;
        match &plan.running {
            Running::Node {
                process, up: true, ..
            } => process.pause(pause)?,
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

    fn slow(&mut self, host: u32, per_message: Option<Period>) -> Done {
        self.between.slow(host, per_message)
    }

    fn clock(&mut self, _: u32, _: Turn) -> Done {
        Err(CLOCKS.to_owned())
    }

    fn call(&mut self, host: u32, op: ClientOp) -> Done {
        self.call_client(host, op)
    }

    fn order(&mut self, host: u32, order: Order<'_>) -> Done {
        match order {
            Order::Operator(op) => self.operate(HostId(host), op),
            Order::FailApply(_) => Err(NO_ORDER.to_owned()),
        }
    }

    fn link(&mut self, action: u32, path: &Path, fault: &LinkFault) -> Done {
        self.between(|between, _| between.begin(action, path, fault))
    }

    fn unlink(&mut self, action: u32, _: &LinkFault) -> Done {
        self.between(|between, _| between.end(action))
    }

    fn cut(&mut self, path: &Path, fault: ConnFault) -> Done {
        self.between(|between, now| between.cut(path, fault, now))
    }
}
