//! What a world tells about a run: the trace, and what the checks judge by. Every world tells the
//! same, so one set of checks judges all.

use distro_core::event::Event;
use distro_core::ids::{ConnId, RequestId};
use distro_core::io::CloseReason;
use distro_core::message::{Received, Request, Response};
use distro_core::node::Node;
use distro_core::sdk::Sdk;
use distro_core::sdk::io::{Answer, CallError, SdkEvent};
use distro_core::time::Mono;

use crate::scenario::model::{Action, ClientOp, HostId};

/// Something that happened at a host, at a moment of true simulated time.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// True time since the start of the run; no host's clock.
    pub at: Mono,
    /// Where.
    pub host: HostId,
    /// What.
    pub what: Seen<'a>,
}

/// What was seen. Requests and responses appear twice: when sent and when handed to the receiver.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// The host's process started: a node's or client's new life.
    Started,
    /// The host's process ended. `silent`: nobody was told (power off).
    Stopped {
        /// Power off rather than kill.
        silent: bool,
    },
    /// A transport was established; seen once at each end.
    Opened {
        /// This end's number for it.
        conn: ConnId,
        /// The other end.
        peer: HostId,
    },
    /// A transport ended at this end, by the other end or the network.
    Closed {
        /// This end's number for it.
        conn: ConnId,
        /// The other end.
        peer: HostId,
    },
    /// This end closed a transport.
    Close {
        /// This end's number for it.
        conn: ConnId,
        /// The other end.
        peer: HostId,
        /// Why; absent for a client.
        reason: Option<CloseReason>,
    },
    /// The host sent a request.
    RequestSent {
        /// This end's number of the transport.
        conn: ConnId,
        /// The receiver.
        peer: HostId,
        /// The sender's number for it.
        id: RequestId,
        /// The request.
        request: &'a Request,
    },
    /// The host got a request.
    RequestReceived {
        /// This end's number of the transport.
        conn: ConnId,
        /// The sender.
        peer: HostId,
        /// The sender's number for it.
        id: RequestId,
        /// The request.
        request: &'a Request,
    },
    /// The host got what came as a request and is none that it may handle.
    Unhandled {
        /// This end's number of the transport.
        conn: ConnId,
        /// The sender.
        peer: HostId,
        /// The sender's number for it.
        id: RequestId,
        /// What it is.
        received: &'a Received,
    },
    /// The host answered a request.
    ResponseSent {
        /// This end's number of the transport.
        conn: ConnId,
        /// The receiver.
        peer: HostId,
        /// The requester's number.
        id: RequestId,
        /// The answer.
        response: &'a Response,
    },
    /// The host got an answer.
    ResponseReceived {
        /// This end's number of the transport.
        conn: ConnId,
        /// The sender.
        peer: HostId,
        /// The requester's number.
        id: RequestId,
        /// The answer.
        response: &'a Response,
    },
    /// A node tells of its doings.
    Node(&'a Event),
    /// A client tells of its doings.
    Client(&'a SdkEvent),
    /// A client's application called its SDK.
    Called {
        /// Number of the call.
        call: u64,
        /// What it wants.
        op: &'a ClientOp,
    },
    /// A call ended.
    Returned {
        /// Number of the call.
        call: u64,
        /// How.
        result: &'a Result<Answer, CallError>,
    },
    /// A fault or operation of the timeline began. The host is the first one it names.
    Began {
        /// Index into the scenario's timeline.
        index: usize,
        /// The action.
        action: &'a Action,
    },
    /// A fault of the timeline ended.
    Ended {
        /// Index into the scenario's timeline.
        index: usize,
        /// The action.
        action: &'a Action,
    },
}

/// The machines of a run, to look at.
pub trait Tables {
    /// Looks at a node; does nothing when its process is not running.
    fn with_node(&self, host: HostId, look: &mut dyn FnMut(&Node));
    /// Looks at a client; does nothing when its process is not running.
    fn with_sdk(&self, host: HostId, look: &mut dyn FnMut(&Sdk));
}

impl<'a> Seen<'a> {
    /// The host got this as a request.
    pub const fn received(
        conn: ConnId,
        peer: HostId,
        id: RequestId,
        received: &'a Received,
    ) -> Seen<'a> {
        match received {
            Received::Request(request) => Seen::RequestReceived {
                conn,
                peer,
                id,
                request,
            },
            Received::Denied(_)
            | Received::Unsupported(_)
            | Received::Unknown(_)
            | Received::Malformed(_) => Seen::Unhandled {
                conn,
                peer,
                id,
                received,
            },
        }
    }
}
