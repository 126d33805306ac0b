//! What a machine takes and puts out, told as observations: the same words in every world whose
//! hosts run the shell.

use std::collections::BTreeMap;
use std::rc::Rc;

use distro_core::ids::{ConnId, NodeId};
use distro_core::io::{Input, Output};
use distro_core::sdk::io::{SdkInput, SdkOutput};
use distro_node::shell::Tap;

use crate::observe::Seen;
use crate::scenario::model::{ClientOp, HostId};

/// Whoever is told.
pub(crate) trait Sees: 'static {
    /// Something happened at a host, now.
    fn see(&self, host: u32, what: Seen<'_>);
    /// The host with this address.
    fn host_of(&self, ip: &str) -> Option<u32>;
    /// What a client's application wanted with this call; asked once.
    fn called(&self, host: u32, call: u64) -> Option<ClientOp>;
}

/// Tells of one machine.
#[derive(Debug)]
pub(crate) struct HostTap<S> {
    sees: Rc<S>,
    host: u32,
    peers: BTreeMap<ConnId, HostId>,
}

impl<S: Sees> HostTap<S> {
    pub(crate) fn new(sees: Rc<S>, host: u32) -> HostTap<S> {
        HostTap {
            sees,
            host,
            peers: BTreeMap::new(),
        }
    }

    fn see(&self, what: Seen<'_>) {
        self.sees.see(self.host, what);
    }

    fn opened(&mut self, conn: ConnId, ip: &str) {
        if let Some(peer) = self.sees.host_of(ip) {
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

impl<S: Sees> Tap<Input, Output> for HostTap<S> {
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
                ref received,
            } => {
                if let Some(peer) = self.peers.get(&conn).copied() {
                    self.see(Seen::received(conn, peer, id, received));
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
pub(crate) struct ClientTap<S> {
    tap: HostTap<S>,
    dials: Option<NodeId>,
}

impl<S: Sees> ClientTap<S> {
    pub(crate) fn new(sees: Rc<S>, host: u32) -> ClientTap<S> {
        ClientTap {
            tap: HostTap::new(sees, host),
            dials: None,
        }
    }
}

impl<S: Sees> Tap<SdkInput, SdkOutput> for ClientTap<S> {
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
                ref received,
            } => {
                if let Some(peer) = tap.peers.get(&conn).copied() {
                    tap.see(Seen::received(conn, peer, id, received));
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
                if let Some(op) = tap.sees.called(tap.host, call) {
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
