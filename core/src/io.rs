//! What goes into a node and what comes out: plain data, so that a node's trace *is* its inputs
//! and outputs.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::config::ConnectionLimits;
use crate::event::Event;
use crate::ids::{ClientId, ConnId, NodeId, RequestId, Str};
use crate::message::ask::{Answer, Ask};
use crate::message::{Received, Request, Response};
use crate::time::Period;

/// Which listener a transport came in on. Fellow nodes use the cluster listener, SDKs the other;
/// cluster-only requests are refused on the SDK listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Listener {
    /// For clients (Nacos main port + 1000).
    Sdk,
    /// For fellow nodes (Nacos main port + 1001).
    Cluster,
}

/// Everything that can happen to a node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// A transport was accepted. `conn` is new.
    ConnOpened {
        /// The shell's number for it.
        conn: ConnId,
        /// Where it was accepted.
        listener: Listener,
        /// The peer's address as the socket shows it.
        remote_ip: Str,
        /// The peer's port.
        remote_port: u16,
    },
    /// An [`Output::Dial`] succeeded. `conn` is new.
    Dialed {
        /// The member that was dialled.
        member: NodeId,
        /// The shell's number for the new transport.
        conn: ConnId,
    },
    /// An [`Output::Dial`] failed: refused, unreachable or timed out.
    DialFailed {
        /// The member that was dialled.
        member: NodeId,
        /// True when the other host answered that nobody listens ("connection refused").
        refused: bool,
    },
    /// A transport ended (FIN, reset, or broken by the shell). Not sent for what the node closed
    /// itself. Unknown connections are ignored.
    ConnClosed {
        /// Which.
        conn: ConnId,
    },
    /// The peer sent a request.
    Request {
        /// On which transport.
        conn: ConnId,
        /// The peer's number for it.
        id: RequestId,
        /// The request, or why it is none.
        received: Received,
    },
    /// The peer answered one of our requests. Answers to nothing are counted and dropped.
    Response {
        /// On which transport.
        conn: ConnId,
        /// Our number for the request.
        id: RequestId,
        /// The answer.
        response: Response,
    },
    /// One of our requests could not be sent at all.
    SendFailed {
        /// On which transport.
        conn: ConnId,
        /// Our number for the request.
        id: RequestId,
        /// Why.
        cause: SendError,
    },
    /// Time has passed. A spurious wake is harmless.
    Wake,
    /// An operator acts.
    Command(Command),
}

/// Why a request could not be sent. Nothing of it reached the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SendError {
    /// The peer reads too slowly: its queue is full (Nacos "connection busy").
    Busy,
    /// The transport is closed.
    Closed,
    /// The message is over the size limit.
    TooLarge,
}

/// Operator commands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// Replace the connection limits; what is over the new ones is ejected at the next scan.
    SetLimits(ConnectionLimits),
    /// Rebalance: keep this many client connections, send the others to `redirect` with a reset
    /// request (Nacos loader API `reloadCurrent`).
    Rebalance {
        /// How many client connections may stay.
        keep: u32,
        /// Where the others are sent; absent means the next server in their own lists.
        redirect: Option<NodeId>,
    },
    /// Replace the member list. This node itself may be in it or not.
    SetMembers(Vec<NodeId>),
    /// Fault for the testbed: the next `count` syncs fail to apply.
    FailApply {
        /// How many.
        count: u32,
    },
    /// A client without a connection asks, as over HTTP. Answered with [`Output::Answer`] at once.
    Ask {
        /// The shell's number for it.
        id: RequestId,
        /// What it asks.
        ask: Box<Ask>,
    },
}

/// What a node asks its shell to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Output {
    /// Open a transport to a member's cluster listener, then report `Dialed` or `DialFailed`. The
    /// node never has two dials to one member under way.
    Dial {
        /// Whom.
        member: NodeId,
    },
    /// Send a request. The node itself watches the time: the shell only delivers.
    Request {
        /// On which transport.
        conn: ConnId,
        /// Our number for it, unique on this connection.
        id: RequestId,
        /// The request.
        request: Request,
    },
    /// Answer a request.
    Response {
        /// On which transport.
        conn: ConnId,
        /// The peer's number for the request.
        id: RequestId,
        /// The answer.
        response: Response,
    },
    /// Send what is queued, then close the transport. No `ConnClosed` follows.
    Close {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// The answer to a [`Command::Ask`].
    Answer {
        /// The shell's number for it.
        id: RequestId,
        /// The answer.
        answer: Answer,
    },
    /// Something worth knowing happened. Nothing to do: for traces, checks, logs and metrics.
    Event(Event),
}

/// Why a node closed a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    /// A setup while the node is not ready.
    NotReady,
    /// A setup over a connection limit.
    OverLimit,
    /// Idle, and the detection request stayed unanswered.
    Idle,
    /// Its push queue was blocked for too long.
    Blocked,
    /// It did not leave after a reset request.
    Rebalanced,
    /// A cluster connection that stopped answering; it is dialled again.
    Unresponsive,
    /// The member left the list, or the connection was replaced by a newer one.
    Obsolete,
    /// The peer speaks for an earlier life of a member.
    Superseded,
    /// A setup of somebody who is not what it says.
    NotAMember,
}

/// Why a client record left a node's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RemoveCause {
    /// Native: its transport ended.
    Disconnected,
    /// Native: this node closed the connection.
    Ejected(CloseReason),
    /// Synced: its owner said so.
    Deleted,
    /// Synced: nothing was heard of it for a whole lease. Without a connection: no beat.
    Expired,
    /// Synced: its owner has a new life and the client had time to return.
    OwnerRestarted,
}

/// What is left of a record after it was removed, for events.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Removed {
    /// Which client.
    pub client: ClientId,
    /// Why.
    pub cause: RemoveCause,
    /// How long nothing had been heard of it, in this node's running time.
    pub unheard: Period,
}
