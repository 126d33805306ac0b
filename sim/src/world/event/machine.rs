//! What runs on a simulated host: a core state machine behind one small trait, so that the hosts
//! and the network do not care which it is (and tests bring one of their own).

use distro_core::config::in_one_line;
use distro_core::event::Event as NodeEvent;
use distro_core::ids::{ConnId, NodeId, RequestId, Str};
use distro_core::io::{CloseReason, Command, Input, Listener, Output, SendError};
use distro_core::message::{Received, Request, Response};
use distro_core::node::Node;
use distro_core::sdk::Sdk;
use distro_core::sdk::io::{Answer, CallError, SdkEvent, SdkInput, SdkOutput};
use distro_core::time::{Mono, Now};

use crate::scenario::model::{ClientOp, HostId};
use crate::world::common::birth::{Birth, call_of, node_config, sdk_config};

/// What reaches a process.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// Time has passed.
    Wake,
    /// A transport was accepted.
    Opened {
        conn: ConnId,
        peer: HostId,
        listener: Listener,
        ip: Str,
        port: u16,
    },
    /// A dial succeeded.
    Dialed {
        conn: ConnId,
        peer: HostId,
        member: NodeId,
    },
    /// A dial failed.
    DialFailed { member: NodeId, refused: bool },
    /// A transport ended.
    Closed { conn: ConnId, peer: HostId },
    /// The peer asks.
    Request {
        conn: ConnId,
        peer: HostId,
        id: RequestId,
        received: Received,
    },
    /// The peer answers.
    Response {
        conn: ConnId,
        peer: HostId,
        id: RequestId,
        response: Response,
    },
    /// A request could not be sent.
    SendFailed {
        conn: ConnId,
        id: RequestId,
        cause: SendError,
    },
    /// A client's application calls.
    Call { call: u64, op: ClientOp },
    /// A node's operator acts.
    Command(Command),
}

impl Arrival {
    /// True for what a slow host takes its time for.
    pub(crate) const fn is_message(&self) -> bool {
        matches!(self, Arrival::Request { .. } | Arrival::Response { .. })
    }

    /// The connection that it is about, when there is no point in telling without it.
    pub(crate) const fn conn(&self) -> Option<ConnId> {
        match self {
            Arrival::Opened { conn, .. }
            | Arrival::Dialed { conn, .. }
            | Arrival::Closed { conn, .. }
            | Arrival::Request { conn, .. }
            | Arrival::Response { conn, .. } => Some(*conn),
            Arrival::Wake
            | Arrival::DialFailed { .. }
            | Arrival::SendFailed { .. }
            | Arrival::Call { .. }
            | Arrival::Command(_) => None,
        }
    }
}

/// What a process wants done.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Open a transport.
    Dial(NodeId),
    /// Send a request.
    Request(ConnId, RequestId, Request),
    /// Send an answer.
    Response(ConnId, RequestId, Response),
    /// Close a transport.
    Close(ConnId, Option<CloseReason>),
    /// A node tells.
    Node(NodeEvent),
    /// A client tells.
    Client(SdkEvent),
    /// A call is over.
    Done(u64, Result<Answer, CallError>),
}

/// Reused buffers: what a machine put out.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) effects: Vec<Effect>,
    node: Vec<Output>,
    sdk: Vec<SdkOutput>,
}

/// A state machine on a host.
pub(crate) trait Machine: Sized {
    /// A new life. Its first input is a wake.
    fn start(birth: &Birth<'_>) -> Result<Self, String>;
    /// Takes one input and appends its effects, in order, to `out.effects`.
    fn take(&mut self, now: Now, arrival: Arrival, out: &mut Outbox);
    /// When it wants to be woken, on its host's monotonic clock.
    fn next_deadline(&self) -> Option<Mono>;
    /// The node, when it is one.
    fn node(&self) -> Option<&Node>;
    /// The client, when it is one.
    fn sdk(&self) -> Option<&Sdk>;
}

/// The real machines.
#[derive(Debug)]
pub(crate) enum Process {
    /// A server.
    Node(Box<Node>),
    /// A client.
    Sdk(Box<Sdk>),
}

impl Machine for Process {
    fn start(birth: &Birth<'_>) -> Result<Process, String> {
        match birth.scenario.node(birth.host) {
            Some(index) => start_node(birth, index),
            None => start_sdk(birth),
        }
    }

    fn take(&mut self, now: Now, arrival: Arrival, out: &mut Outbox) {
        match self {
            Process::Node(node) => {
                if let Some(input) = node_input(arrival) {
                    node.handle(now, input, &mut out.node);
                }
                out.effects
                    .extend(out.node.drain(..).filter_map(node_effect));
            }
            Process::Sdk(sdk) => {
                if let Some(input) = sdk_input(arrival) {
                    sdk.handle(now, input, &mut out.sdk);
                }
                out.effects.extend(out.sdk.drain(..).map(sdk_effect));
            }
        }
    }

    fn next_deadline(&self) -> Option<Mono> {
        match self {
            Process::Node(node) => node.next_deadline(),
            Process::Sdk(sdk) => sdk.next_deadline(),
        }
    }

    fn node(&self) -> Option<&Node> {
        match self {
            Process::Node(node) => Some(node),
            Process::Sdk(_) => None,
        }
    }

    fn sdk(&self) -> Option<&Sdk> {
        match self {
            Process::Node(_) => None,
            Process::Sdk(sdk) => Some(sdk),
        }
    }
}

fn start_node(birth: &Birth<'_>, index: usize) -> Result<Process, String> {
    let name = &birth.scenario.nodes[index].name;
    Node::new(node_config(birth, index), birth.now)
        .map(|node| Process::Node(Box::new(node)))
        .map_err(|problems| format!("{name} does not start: {}", in_one_line(&problems)))
}

fn start_sdk(birth: &Birth<'_>) -> Result<Process, String> {
    let host = birth.host;
    let index = birth
        .scenario
        .client(host)
        .ok_or_else(|| format!("host {} does not exist", host.0))?;
    let config = sdk_config(birth, index);
    Ok(Process::Sdk(Box::new(Sdk::new(config, birth.now))))
}

/// The node's input; none for what only clients get.
fn node_input(arrival: Arrival) -> Option<Input> {
    Some(match arrival {
        Arrival::Wake => Input::Wake,
        Arrival::Opened {
            conn,
            listener,
            ip,
            port,
            ..
        } => Input::ConnOpened {
            conn,
            listener,
            remote_ip: ip,
            remote_port: port,
        },
        Arrival::Dialed { conn, member, .. } => Input::Dialed { member, conn },
        Arrival::DialFailed { member, refused } => Input::DialFailed { member, refused },
        Arrival::Closed { conn, .. } => Input::ConnClosed { conn },
        Arrival::Request {
            conn, id, received, ..
        } => Input::Request { conn, id, received },
        Arrival::Response {
            conn, id, response, ..
        } => Input::Response { conn, id, response },
        Arrival::SendFailed { conn, id, cause } => Input::SendFailed { conn, id, cause },
        Arrival::Command(command) => Input::Command(command),
        Arrival::Call { .. } => return None,
    })
}

/// The client's input; none for what only nodes get.
fn sdk_input(arrival: Arrival) -> Option<SdkInput> {
    Some(match arrival {
        Arrival::Wake => SdkInput::Wake,
        Arrival::Dialed { conn, .. } => SdkInput::Dialed { conn },
        Arrival::DialFailed { .. } => SdkInput::DialFailed,
        Arrival::Closed { conn, .. } => SdkInput::ConnClosed { conn },
        Arrival::Request {
            conn, id, received, ..
        } => SdkInput::Request { conn, id, received },
        Arrival::Response {
            conn, id, response, ..
        } => SdkInput::Response { conn, id, response },
        Arrival::SendFailed { conn, id, cause } => SdkInput::SendFailed { conn, id, cause },
        Arrival::Call { call, op } => SdkInput::Call {
            call,
            what: call_of(op),
        },
        Arrival::Opened { .. } | Arrival::Command(_) => return None,
    })
}

fn node_effect(output: Output) -> Option<Effect> {
    Some(match output {
        Output::Dial { member } => Effect::Dial(member),
        Output::Request { conn, id, request } => Effect::Request(conn, id, request),
        Output::Response { conn, id, response } => Effect::Response(conn, id, response),
        Output::Close { conn, reason } => Effect::Close(conn, Some(reason)),
        Output::Event(event) => Effect::Node(event),
        // No scenario has clients without a connection.
        Output::Answer { .. } => return None,
    })
}

fn sdk_effect(output: SdkOutput) -> Effect {
    match output {
        SdkOutput::Dial { server } => Effect::Dial(server),
        SdkOutput::Request { conn, id, request } => Effect::Request(conn, id, request),
        SdkOutput::Response { conn, id, response } => Effect::Response(conn, id, response),
        SdkOutput::Close { conn } => Effect::Close(conn, None),
        SdkOutput::Done { call, result } => Effect::Done(call, result),
        SdkOutput::Event(event) => Effect::Client(event),
    }
}
