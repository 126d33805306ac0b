//! What the hosts of a run share with its driver: the recorder, the machines to look at, the
//! process of each host.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use distro_core::io::Command;
use distro_core::node::Node;
use distro_core::sdk::Sdk;
use distro_core::time::Mono;
use distro_node::shell::sdk::Asked;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use super::clock::true_time;
use crate::observe::Tables;
use crate::observe::{Observation, Seen};
use crate::scenario::model::{ClientOp, HostId};
use crate::world::common::record::Recorder;
use crate::world::link::fabric::Fabric;
use crate::world::link::tell::Sees;

/// The process of a host.
#[derive(Debug)]
pub(crate) enum Process {
    /// A server, its operator's line, and its kill switch.
    Node {
        node: Rc<RefCell<Node>>,
        commands: mpsc::Sender<Command>,
        kill: Rc<Notify>,
    },
    /// A client, its application's line, and the way to kill it alone.
    Client {
        sdk: Rc<RefCell<Sdk>>,
        calls: mpsc::Sender<Asked>,
        kill: Option<AbortHandle>,
    },
}

/// All machines that run.
#[derive(Debug)]
pub(crate) struct Processes(RefCell<Vec<Option<Process>>>);

impl Processes {
    /// Replaces the process of a host.
    pub(crate) fn set(&self, host: u32, process: Option<Process>) -> Option<Process> {
        std::mem::replace(&mut self.0.borrow_mut()[host as usize], process)
    }

    /// Looks at the process of a host.
    pub(crate) fn with<T>(&self, host: u32, look: impl FnOnce(&Process) -> T) -> Option<T> {
        self.0.borrow().get(host as usize)?.as_ref().map(look)
    }
}

impl Tables for Processes {
    fn with_node(&self, host: HostId, look: &mut dyn FnMut(&Node)) {
        self.with(host.0, |process| match process {
            Process::Node { node, .. } => look(&node.borrow()),
            Process::Client { .. } => {}
        });
    }

    fn with_sdk(&self, host: HostId, look: &mut dyn FnMut(&Sdk)) {
        self.with(host.0, |process| match process {
            Process::Node { .. } => {}
            Process::Client { sdk, .. } => look(&sdk.borrow()),
        });
    }
}

/// What the hosts share with the driver.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) fabric: Arc<Fabric>,
    pub(crate) processes: Processes,
    /// Taken out when the run is over.
    pub(crate) recorder: RefCell<Option<Recorder>>,
    /// Calls under way to a client's machine, by host and number.
    pub(crate) calls: RefCell<BTreeMap<(u32, u64), ClientOp>>,
    /// True time of the latest observation.
    last: Cell<u64>,
}

impl Shared {
    pub(crate) fn new(fabric: Arc<Fabric>, recorder: Recorder, hosts: usize) -> Shared {
        Shared {
            fabric,
            processes: Processes(RefCell::new((0..hosts).map(|_| None).collect())),
            recorder: RefCell::new(Some(recorder)),
            calls: RefCell::new(BTreeMap::new()),
            last: Cell::new(0),
        }
    }

    /// Records an observation of the driver at this moment.
    pub(crate) fn see_at(&self, at: u64, host: u32, what: Seen<'_>) {
        // Hosts run one after the other for a whole tick, so one that runs later may be at an
        // earlier moment of the same tick. What is told follows what caused it, which is the order
        // of running; the time may be late by less than a tick.
        let at = at.max(self.last.get());
        self.last.set(at);
        let seen = Observation {
            at: Mono(at),
            host: HostId(host),
            what,
        };
        if let Some(recorder) = &mut *self.recorder.borrow_mut() {
            recorder.see(&seen, &self.processes);
        }
    }

    /// What went wrong with the trace, if anything.
    pub(crate) fn failure(&self) -> Option<String> {
        self.recorder
            .borrow_mut()
            .as_mut()
            .and_then(Recorder::failure)
    }
}

impl Sees for Shared {
    fn see(&self, host: u32, what: Seen<'_>) {
        self.see_at(true_time(), host, what);
    }

    fn host_of(&self, ip: &str) -> Option<u32> {
        self.fabric.host_of(ip)
    }

    fn called(&self, host: u32, call: u64) -> Option<ClientOp> {
        self.calls.borrow_mut().remove(&(host, call))
    }
}
