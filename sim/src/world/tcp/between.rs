//! What lies between the hosts of a run: our relay, or links of the kernel.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use distro_core::time::Period;
use tokio::sync::watch;

use super::netns::Links;
use super::plan::{Ground, Plan, RealTime};
use super::relay::{Relay, Way};
use super::stage::MESSAGES;
use crate::scenario::model::{ConnFault, HostId, LinkFault, Path, Scenario};
use crate::world::common::nodes_of;
use crate::world::common::rules::Rules;
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

    /// A fault of links begins.
    pub(super) fn begin(
        &mut self,
        action: u32,
        path: &Path,
        fault: &LinkFault,
    ) -> Result<(), String> {
        match self {
            Between::Relay(doors) => {
                doors.fabric.begin(action, path, fault);
                doors.change();
                Ok(())
            }
            Between::Spaces(links) => links.begin(action, path, fault),
        }
    }

    /// It ends.
    pub(super) fn end(&mut self, action: u32) -> Result<(), String> {
        match self {
            Between::Relay(doors) => {
                doors.fabric.end(action);
                doors.change();
                Ok(())
            }
            Between::Spaces(links) => links.end(action),
        }
    }

    /// Something happens to the connections that exist.
    pub(super) fn cut(&mut self, path: &Path, fault: ConnFault, now: u64) -> Result<(), String> {
        match self {
            Between::Relay(doors) => {
                doors.fabric.cut(path, fault, now);
                Ok(())
            }
            Between::Spaces(links) => links.cut(path, fault),
        }
    }

    /// A host takes this long for each message from now on, or is as fast as any.
    pub(super) fn slow(&mut self, host: u32, per_message: Option<Period>) -> Result<(), String> {
        match self {
            Between::Relay(doors) => {
                doors.fabric.slow(host, per_message);
                Ok(())
            }
            Between::Spaces(_) => Err(MESSAGES.to_owned()),
        }
    }

    /// Faults that have nothing left to do.
    pub(super) fn exhausted(&self) -> Vec<u32> {
        match self {
            Between::Relay(doors) => doors.fabric.rules(Rules::take_exhausted),
            Between::Spaces(_) => Vec::new(),
        }
    }

    /// Something on a host takes connections from now on.
    pub(super) fn up(&mut self, host: u32, now: u64) -> Result<(), String> {
        match self {
            Between::Relay(doors) => {
                let fabric = &doors.fabric;
                if fabric.power(host) == Power::Off {
                    fabric.reset_earlier_life(host, now);
                }
                fabric.set_power(host, Power::Running);
                doors.change();
                Ok(())
            }
            Between::Spaces(links) => links.power(host as usize, true),
        }
    }

    /// What runs on a host is about to end; nobody is told when it is `silent`.
    pub(super) fn down(&mut self, host: u32, silent: bool) -> Result<(), String> {
        match self {
            Between::Relay(doors) => {
                let fabric = &doors.fabric;
                if silent {
                    fabric.vanish(host);
                }
                let off = silent || fabric.power(host) == Power::Off;
                fabric.set_power(host, if off { Power::Off } else { Power::Down });
                doors.change();
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
    /// Who keeps a door looks again.
    fn change(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}
