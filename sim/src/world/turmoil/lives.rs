//! Lives of processes: how they start and end, and how what somebody wants of them reaches them.

use distro_core::io::Command;
use distro_core::profile::Profile;
use distro_node::shell::sdk::Asked;

use super::Driver;
use super::host::ClientBirth;
use super::shared::Process;
use crate::observe::Seen;
use crate::scenario::model::{ClientOp, HostId};
use crate::world::common::birth::{Birth, call_of, node_config, sdk_config};
use crate::world::link::fabric::Power;
use crate::world::script::stage::Stage;

/// What came for a paused process.
#[derive(Debug)]
pub(super) enum Waiting {
    Command(Command),
    Call(ClientOp),
}

impl Driver<'_> {
    /// Starts a process; none may run there.
    pub(super) fn start_process(&mut self, host: u32, profile: Profile) {
        let fabric = self.shared.fabric.clone();
        let now = self.now();
        if fabric.power(host) == Power::Off {
            fabric.reset_earlier_life(host, now);
        }
        fabric.set_power(host, Power::Running);
        let plan = &mut self.hosts[host as usize];
        plan.births += 1;
        let birth = Birth {
            scenario: self.scenario,
            host: HostId(host),
            profile,
            life: plan.births,
            seed: plan.lives.next_u64(),
            now: fabric.read_clock(host, now),
        };
        match (
            &plan.cradle,
            self.scenario.node(HostId(host)),
            self.scenario.client(HostId(host)),
        ) {
            (Some((ip, cradle)), Some(index), _) => {
                *cradle.borrow_mut() = Some(node_config(&birth, index));
                if !self.dying.contains(&host) {
                    self.sim.bounce(*ip);
                }
            }
            (_, _, Some(index)) => {
                let config = sdk_config(&birth, index);
                let message_bytes_max = self.scenario.message_bytes_max;
                let birth = ClientBirth {
                    host,
                    config,
                    message_bytes_max,
                    carrier: self.scenario.carrier,
                };
                self.nursery.waiting.borrow_mut().push_back(birth);
                self.nursery.told.notify_one();
                self.expecting.insert(host);
            }
            (_, _, None) => {}
        }
    }

    /// Ends a process, if one runs there.
    pub(super) fn stop_process(&mut self, host: u32, silent: bool) {
        let fabric = self.shared.fabric.clone();
        let ran = self.runs(host);
        let plan = &mut self.hosts[host as usize];
        plan.waiting.clear();
        if silent {
            fabric.vanish(host);
        }
        let was_off = fabric.power(host) == Power::Off;
        fabric.set_power(
            host,
            if silent || was_off {
                Power::Off
            } else {
                Power::Down
            },
        );
        if !ran {
            return;
        }
        self.nursery
            .waiting
            .borrow_mut()
            .retain(|birth| birth.host != host);
        if let Some((_, cradle)) = &plan.cradle {
            cradle.borrow_mut().take();
        }
        match self.shared.processes.set(host, None) {
            Some(Process::Client {
                kill: Some(kill), ..
            }) => kill.abort(),
            Some(Process::Node { kill, .. }) => {
                kill.notify_one();
                self.dying.insert(host);
            }
            Some(Process::Client { kill: None, .. }) | None => {}
        }
        self.shared
            .calls
            .borrow_mut()
            .retain(|(owner, _), _| *owner != host);
        self.shared
            .see_at(self.now(), host, Seen::Stopped { silent });
    }

    /// The nodes that were killed before the last step are gone: turmoil clears their hosts, and
    /// what is to start there starts.
    pub(super) fn bury(&mut self) {
        for host in std::mem::take(&mut self.dying) {
            if let Some((ip, cradle)) = &self.hosts[host as usize].cradle {
                self.sim.crash(*ip);
                if cradle.borrow().is_some() {
                    self.sim.bounce(*ip);
                }
            }
        }
    }

    /// Hands something to a process, or keeps it until the process runs.
    pub(super) fn deliver(&mut self, host: u32, what: Waiting) {
        self.hosts[host as usize].waiting.push(what);
        self.deliver_waiting(host);
    }

    /// Hands on what waits for a process that runs.
    pub(super) fn deliver_waiting(&mut self, host: u32) {
        if self.hosts[host as usize].waiting.is_empty() {
            return;
        }
        let is_there = self.shared.processes.with(host, |_| ()).is_some();
        if self.shared.fabric.is_paused(host) || !is_there {
            self.expecting.insert(host);
            return;
        }
        for what in std::mem::take(&mut self.hosts[host as usize].waiting) {
            let sent = match what {
                Waiting::Command(command) => self.command(host, command),
                Waiting::Call(op) => self.call(host, op),
            };
            if !sent {
                let name = self.scenario.host_name(HostId(host));
                self.failure
                    .get_or_insert_with(|| format!("{name} takes no more commands"));
            }
        }
    }

    fn command(&self, host: u32, command: Command) -> bool {
        let sent = self.shared.processes.with(host, |process| match process {
            Process::Node { commands, .. } => commands.try_send(command).is_ok(),
            Process::Client { .. } => false,
        });
        sent.unwrap_or(true)
    }

    fn call(&mut self, host: u32, op: ClientOp) -> bool {
        let plan = &mut self.hosts[host as usize];
        plan.calls += 1;
        let call = plan.calls;
        self.shared
            .calls
            .borrow_mut()
            .insert((host, call), op.clone());
        let asked = Asked {
            call,
            what: call_of(op),
            reply: None,
        };
        let sent = self.shared.processes.with(host, |process| match process {
            Process::Client { calls, .. } => calls.try_send(asked).is_ok(),
            Process::Node { .. } => false,
        });
        sent.unwrap_or(true)
    }
}
