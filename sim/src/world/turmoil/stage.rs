//! What the hosts of a run share with its driver: the recorder, the machines to look at, the
//! process of each host, and the taps that tell of them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use distro_core::ids::ConnId;
use distro_core::io::{Command, Input, Output};
use distro_core::node::Node;
use distro_core::sdk::Sdk;
use distro_core::sdk::io::{SdkInput, SdkOutput};
use distro_core::time::Mono;
use distro_node::shell::Tap;
use distro_node::shell::sdk::Asked;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use super::clock::true_time;
use super::fabric::Fabric;
use crate::judge::Tables;
use crate::observe::{Observation, Seen};
use crate::scenario::model::{ClientOp, HostId};
use crate::world::event::record::Recorder;

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
pub(crate) struct Stage {
    pub(crate) fabric: Arc<Fabric>,
    pub(crate) processes: Processes,
    /// Taken out when the run is over.
    pub(crate) recorder: RefCell<Option<Recorder>>,
    /// Calls under way to a client's machine, by host and number.
    pub(crate) calls: RefCell<BTreeMap<(u32, u64), ClientOp>>,
    /// True time of the latest observation.
    last: Cell<u64>,
}

impl Stage {
    pub(crate) fn new(fabric: Arc<Fabric>, recorder: Recorder, hosts: usize) -> Stage {
        Stage {
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

    /// Records an observation of the host that runs now.
    pub(crate) fn see(&self, host: u32, what: Seen<'_>) {
        self.see_at(true_time(), host, what);
    }

    /// What went wrong with the trace, if anything.
    pub(crate) fn failure(&self) -> Option<String> {
        self.recorder
            .borrow_mut()
            .as_mut()
            .and_then(Recorder::failure)
    }
}

/// Tells of one machine.
#[derive(Debug)]
pub(crate) struct HostTap {
    stage: Rc<Stage>,
    host: u32,
    peers: BTreeMap<ConnId, HostId>,
}

impl HostTap {
    pub(crate) fn new(stage: Rc<Stage>, host: u32) -> HostTap {
        HostTap {
            stage,
            host,
            peers: BTreeMap::new(),
        }
    }

    fn see(&self, what: Seen<'_>) {
        self.stage.see(self.host, what);
    }

    fn opened(&mut self, conn: ConnId, ip: &str) {
        if let Some(peer) = self.stage.fabric.host_of(ip) {
            let peer = HostId(peer);
            self.peers.insert(conn, peer);
            self.see(Seen::Opened { conn, peer });
        }
    }

    fn closed(&mut self, conn: ConnId) {
        if let Some(peer) = self.peers.remove(&conn) {
            self.see(Seen::Closed { conn, peer });
        }
    }
}

impl Tap<Input, Output> for HostTap {
    fn input(&mut self, input: &Input) {
        match *input {
            Input::ConnOpened {
                conn,
                ref remote_ip,
                ..
            } => self.opened(conn, remote_ip),
            Input::Dialed { ref member, conn } => self.opened(conn, member.ip()),
            Input::ConnClosed { conn } => self.closed(conn),
            Input::Request {
                conn,
                id,
                ref request,
            } => {
                if let Some(peer) = self.peers.get(&conn).copied() {
                    self.see(Seen::RequestReceived {
                        conn,
                        peer,
                        id,
                        request,
                    });
                }
            }
            Input::Response {
                conn,
                id,
                ref response,
            } => {
                if let Some(peer) = self.peers.get(&conn).copied() {
                    self.see(Seen::ResponseReceived {
                        conn,
                        peer,
                        id,
                        response,
                    });
                }
            }
            Input::DialFailed { .. }
            | Input::SendFailed { .. }
            | Input::Wake
            | Input::Command(_) => {}
        }
    }

    fn output(&mut self, output: &Output) {
        match *output {
            Output::Request {
                conn,
                id,
                ref request,
            } => {
                if let Some(peer) = self.peers.get(&conn).copied() {
                    self.see(Seen::RequestSent {
                        conn,
                        peer,
                        id,
                        request,
                    });
                }
            }
            Output::Response {
                conn,
                id,
                ref response,
            } => {
                if let Some(peer) = self.peers.get(&conn).copied() {
                    self.see(Seen::ResponseSent {
                        conn,
                        peer,
                        id,
                        response,
                    });
                }
            }
            Output::Close { conn, reason } => {
                if let Some(peer) = self.peers.remove(&conn) {
                    self.see(Seen::Close {
                        conn,
                        peer,
                        reason: Some(reason),
                    });
                }
            }
            Output::Event(ref event) => self.see(Seen::Node(event)),
            // No scenario has clients without a connection.
            Output::Dial { .. } | Output::Answer { .. } => {}
        }
    }
}

/// A client's tap knows whom it dials, because the machine has one dial at a time.
#[derive(Debug)]
pub(crate) struct ClientTap {
    tap: HostTap,
    dials: Option<distro_core::ids::NodeId>,
}

impl ClientTap {
    pub(crate) fn new(stage: Rc<Stage>, host: u32) -> ClientTap {
        ClientTap {
            tap: HostTap::new(stage, host),
            dials: None,
        }
    }
}

impl Tap<SdkInput, SdkOutput> for ClientTap {
    fn input(&mut self, input: &SdkInput) {
        let tap = &mut self.tap;
        match *input {
            SdkInput::Dialed { conn } => {
                if let Some(server) = self.dials.take() {
                    tap.opened(conn, server.ip());
                }
            }
            SdkInput::DialFailed => self.dials = None,
            SdkInput::ConnClosed { conn } => tap.closed(conn),
            SdkInput::Request {
                conn,
                id,
                ref request,
            } => {
                if let Some(peer) = tap.peers.get(&conn).copied() {
                    tap.see(Seen::RequestReceived {
                        conn,
                        peer,
                        id,
                        request,
                    });
                }
            }
            SdkInput::Response {
                conn,
                id,
                ref response,
            } => {
                if let Some(peer) = tap.peers.get(&conn).copied() {
                    tap.see(Seen::ResponseReceived {
                        conn,
                        peer,
                        id,
                        response,
                    });
                }
            }
            SdkInput::Call { call, .. } => {
                let op = tap.stage.calls.borrow_mut().remove(&(tap.host, call));
                if let Some(op) = op {
                    tap.see(Seen::Called { call, op: &op });
                }
            }
            SdkInput::SendFailed { .. } | SdkInput::Wake => {}
        }
    }

    fn output(&mut self, output: &SdkOutput) {
        let tap = &mut self.tap;
        match *output {
            SdkOutput::Dial { ref server } => self.dials = Some(server.clone()),
            SdkOutput::Request {
                conn,
                id,
                ref request,
            } => {
                if let Some(peer) = tap.peers.get(&conn).copied() {
                    tap.see(Seen::RequestSent {
                        conn,
                        peer,
                        id,
                        request,
                    });
                }
            }
            SdkOutput::Response {
                conn,
                id,
                ref response,
            } => {
                if let Some(peer) = tap.peers.get(&conn).copied() {
                    tap.see(Seen::ResponseSent {
                        conn,
                        peer,
                        id,
                        response,
                    });
                }
            }
            SdkOutput::Close { conn } => {
                if let Some(peer) = tap.peers.remove(&conn) {
                    tap.see(Seen::Close {
                        conn,
                        peer,
                        reason: None,
                    });
                }
            }
            SdkOutput::Done { call, ref result } => tap.see(Seen::Returned { call, result }),
            SdkOutput::Event(ref event) => tap.see(Seen::Client(event)),
        }
    }
}
