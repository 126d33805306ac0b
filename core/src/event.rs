//! What a node says of its own doings: the trace, and what the testbed's checks judge by.
//!
//! An event never influences the protocol. Names follow Nacos's events where Nacos has one.

use alloc::sync::Arc;

use crate::ids::{ClientId, ConnId, Incarnation, NodeId, Revision, Str};
use crate::io::Removed;
use crate::message::cluster::NodeState;
use crate::message::distro::{ClientSyncData, GivenUp, Origin};
use crate::message::naming::ServiceKey;
use crate::time::Period;

/// One event of a node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// The node began to load; its incarnation may still rise before [`Event::Ready`].
    Starting(Incarnation),
    /// The first load is settled: from now on it serves.
    Ready(Incarnation),
    /// A client connection was set up and got a naming client (Nacos ClientConnected).
    ClientConnected {
        /// The new client.
        client: ClientId,
        /// Its transport.
        conn: ConnId,
    },
    /// A record was created or its content or revision changed (Nacos ClientChanged). Carries the
    /// record as it is now.
    ClientChanged {
        /// The record after the change.
        data: Arc<ClientSyncData>,
        /// The node that vouches for it: this node itself for a native client.
        owner: NodeId,
        /// True when this node is the owner.
        native: bool,
        /// True when the record did not exist before.
        created: bool,
        /// What made the change.
        cause: ChangeCause,
    },
    /// A record was removed (Nacos ClientDisconnect).
    ClientDisconnect {
        /// What was removed and why.
        removed: Removed,
        /// The node that vouched for it.
        origin: Origin,
        /// True when this node was the owner.
        native: bool,
    },
    /// A peer's copy of this node's clients differs from the original (Nacos ClientVerifyFailed);
    /// it will be resent or deleted there.
    ClientVerifyFailed {
        /// The client that differs.
        client: ClientId,
        /// The peer.
        target: NodeId,
    },
    /// The owner's view of a peer's copies was confirmed equal.
    Verified {
        /// The peer.
        target: NodeId,
    },
    /// A sync (CHANGE, ADD or DELETE) was acknowledged by its target.
    Synced {
        /// The record.
        client: ClientId,
        /// Its revision, absent for a DELETE.
        revision: Option<Revision>,
        /// The peer.
        target: NodeId,
    },
    /// A sync failed and will be tried again or left to verify.
    SyncFailed {
        /// The record.
        client: ClientId,
        /// The peer.
        target: NodeId,
        /// Why.
        cause: FailCause,
    },
    /// A sync arrived that is older than what this node has, or of an earlier life, or about a
    /// client of this node's own: it was ignored.
    SyncIgnored {
        /// The record.
        client: ClientId,
        /// The revision that arrived, absent for a DELETE.
        revision: Option<Revision>,
    },
    /// A service's list changed (Nacos ServiceChanged).
    ServiceChanged {
        /// Which service.
        service: ServiceKey,
        /// Its version on this node.
        version: u64,
    },
    /// A place was given up while a member was away, and this node learnt of it: what that member's
    /// records claim there is not listed unless it was said later.
    GivenUp(GivenUp),
    /// A push was acknowledged.
    Pushed {
        /// Which service.
        service: ServiceKey,
        /// The subscriber.
        client: ClientId,
    },
    /// A push failed and will be tried again.
    PushFailed {
        /// Which service.
        service: ServiceKey,
        /// The subscriber.
        client: ClientId,
        /// Why.
        cause: FailCause,
    },
    /// A member's state changed in this node's view (Nacos MembersChange).
    MembersChange {
        /// Which member.
        member: NodeId,
        /// Its new state.
        state: NodeState,
    },
    /// A member announced a new life.
    MemberRestarted {
        /// Which member.
        member: NodeId,
        /// Its new incarnation.
        incarnation: Incarnation,
    },
    /// An idle connection was probed.
    Detecting(ConnId),
    /// A connection setup was refused.
    ConnectionRefused {
        /// The transport.
        conn: ConnId,
        /// Which limit, in words.
        why: Str,
    },
    /// This process did not run for a while: leases and timeouts are extended by as much.
    Paused(Period),
    /// One snapshot load attempt ended.
    SnapshotLoaded {
        /// From whom.
        from: NodeId,
        /// How many records were applied.
        applied: u64,
    },
    /// One snapshot load attempt failed.
    SnapshotFailed {
        /// From whom.
        from: NodeId,
        /// Why.
        cause: FailCause,
    },
    /// A bounded queue or table is full; the named bound was reached and something was left to a
    /// slower way of repair.
    BoundReached(&'static str),
}

/// What changed a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeCause {
    /// The client itself, by a request.
    Request,
    /// A CHANGE or ADD from the owner.
    Sync,
    /// A snapshot.
    Snapshot,
}

/// Why something between two ends failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailCause {
    /// No answer in time.
    Timeout,
    /// The connection ended.
    Closed,
    /// The connection's queue is full.
    Busy,
    /// The message is over the size limit.
    TooLarge,
    /// The other end answered with a failure.
    Refused,
    /// The target is not UP or has no running connection.
    Unreachable,
}
