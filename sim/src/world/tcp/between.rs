//! What lies between the hosts of a run: our relay, or links of the kernel.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;

use super::netns::Links;
use super::plan::{Ground, Plan, RealTime};
use super::relay::{Relay, Way};
use crate::scenario::model::{Fault, HostId, Scenario};
use crate::world::common::nodes_of;
use crate::world::event::fault::hosts_of;
use crate::world::link::fabric::{Fabric, Medium, Power};

/// What went wrong outside the driver's own turns, if anything.
pub(super) type Failure = Rc<RefCell<Option<String>>>;

/// What lies between the hosts.
pub(super) enum Between<'a> {
    /// Doors of the relay, whose faults are the fabric's.
    Relay(Doors),
    /// Links between namespaces, whose faults are the packet filter's.
    Spaces(Links<'a>),
}

/// All doors of a relay.
pub(super) struct Doors {
    fabric: Arc<Fabric>,
    changed: watch::Sender<u64>,
}

impl<'a> Between<'a> {
    /// As the scenario has it, before anything started.
    pub(super) fn new(
        scenario: &Scenario,
        plan: &'a Plan,
        seed: u64,
        time: RealTime,
    ) -> Result<Between<'a>, String> {
        match plan.ground() {
            Ground::Loopback { .. } => {
                let medium = Medium {
                    time: time.true_time(),
                    has_latency: false,
                };
                Ok(Between::Relay(Doors {
                    fabric: Arc::new(Fabric::new(scenario, seed, medium)),
                    changed: watch::Sender::new(0),
                }))
            }
            Ground::Spaces(spaces) => Links::new(spaces, scenario).map(Between::Spaces),
        }
    }

    /// Every pair of hosts that may meet finds each other from now on.
    pub(super) fn open(&self, scenario: &Scenario, plan: &Plan, failure: &Failure) {
        let doors = match self {
            Between::Relay(doors) => doors,
            Between::Spaces(_) => return,
        };
        let nodes = nodes_of(scenario);
        let hosts = u32::try_from(scenario.hosts()).unwrap_or(u32::MAX);
        for (from, to) in (0..hosts).flat_map(|from| (0..nodes).map(move |to| (from, to))) {
            if from == to {
                continue;
            }
            let (dialler, node) = (HostId(from), HostId(to));
            let way = Way {
                from,
                to,
                door: SocketAddr::new(plan.ip(node), plan.door(dialler)),
                target: SocketAddr::new(plan.ip(node), plan.listener(dialler)),
                source: plan.place(dialler),
                plug: plan.plug(),
            };
            let relay = Relay {
                fabric: doors.fabric.clone(),
                changed: doors.changed.subscribe(),
                failure: failure.clone(),
            };
            tokio::task::spawn_local(relay.keep(way));
        }
    }

    /// A fault begins; false when it is none of what lies between hosts.
    pub(super) fn begin(&mut self, action: u32, fault: &Fault, now: u64) -> Result<bool, String> {
        match self {
            Between::Relay(doors) => Ok(doors.begin(action, fault, now)),
            Between::Spaces(links) => links.begin(action, fault),
        }
    }

    /// A fault ends.
    pub(super) fn end(&mut self, action: u32, fault: &Fault) -> Result<(), String> {
        match self {
            Between::Relay(doors) => {
                doors.end(action, fault);
                Ok(())
            }
            Between::Spaces(links) => links.end(action),
        }
    }

    /// Faults that have nothing left to do.
    pub(super) fn exhausted(&self) -> Vec<u32> {
        match self {
            Between::Relay(doors) => doors.fabric.exhausted(),
            Between::Spaces(_) => Vec::new(),
        }
    }

    /// Something on a host takes connections from now on.
    pub(super) fn up(&mut self, host: u32, now: u64) -> Result<(), String> {
        match self {
            Between::Relay(Doors { fabric, changed }) => {
                if fabric.power(host) == Power::Off {
                    fabric.reset_earlier_life(host, now);
                }
                fabric.set_power(host, Power::Running);
                changed.send_modify(|count| *count += 1);
                Ok(())
            }
            Between::Spaces(links) => links.power(host as usize, true),
        }
    }

    /// What runs on a host is about to end; nobody is told when it is `silent`.
    pub(super) fn down(&mut self, host: u32, silent: bool) -> Result<(), String> {
        match self {
            Between::Relay(Doors { fabric, changed }) => {
                if silent {
                    fabric.vanish(host);
                }
                let off = silent || fabric.power(host) == Power::Off;
                fabric.set_power(host, if off { Power::Off } else { Power::Down });
                changed.send_modify(|count| *count += 1);
                Ok(())
            }
            Between::Spaces(links) if silent => links.power(host as usize, false),
            Between::Spaces(_) => Ok(()),
        }
    }

    /// What is to be said of the run, in words.
    pub(super) fn notes(&self) -> Result<Vec<String>, String> {
        match self {
            Between::Relay(_) => Ok(Vec::new()),
            Between::Spaces(links) => {
                let [cut, lost, limited] = links.dropped()?;
                Ok(vec![format!(
                    "packets that the kernel dropped: {cut} by cuts, {lost} by loss, {limited} over \
                     a limit"
                )])
            }
        }
    }
}

impl Doors {
    fn begin(&self, action: u32, fault: &Fault, now: u64) -> bool {
        if self.fabric.begin(action, fault) {
            self.changed.send_modify(|count| *count += 1);
            return true;
        }
        match fault {
            Fault::Reset(path) => self.fabric.reset(path, now),
            Fault::HalfOpen(path) => self.fabric.half_open(path, now),
            Fault::DeadStream(path) => self.fabric.dead_stream(path),
            Fault::Slow { hosts, per_message } => {
                for host in hosts {
                    self.fabric.slow(host.0, action, Some(*per_message));
                }
            }
            // The fabric's rules took the first ones; the others are of hosts.
            Fault::Partition(_)
            | Fault::Loss { .. }
            | Fault::Drop { .. }
            | Fault::Delay { .. }
            | Fault::Duplicate { .. }
            | Fault::Reorder { .. }
            | Fault::Corrupt { .. }
            | Fault::Bandwidth { .. }
            | Fault::Pause(_)
            | Fault::Kill(_)
            | Fault::PowerOff(_)
            | Fault::Restart { .. }
            | Fault::RollingRestart { .. }
            | Fault::WallJump { .. }
            | Fault::MonoJump { .. }
            | Fault::Drift { .. }
            | Fault::FailApply { .. } => return false,
        }
        true
    }

    fn end(&self, action: u32, fault: &Fault) {
        self.fabric.end(action);
        for host in hosts_of(fault) {
            self.fabric.slow(host.0, action, None);
        }
        self.changed.send_modify(|count| *count += 1);
    }
}
