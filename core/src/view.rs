//! What can be seen of a node from outside without changing it: for checks, metrics, operators.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;

use crate::ids::{ClientId, Incarnation, NodeId};
use crate::message::cluster::NodeState;
use crate::message::distro::{ClientSyncData, Origin};
use crate::message::naming::{Instance, ServiceKey};
use crate::time::Period;

/// One client record.
#[derive(Debug, Clone, Copy)]
pub struct ClientView<'a> {
    /// The record.
    pub data: &'a Arc<ClientSyncData>,
    /// Who vouches for it: this node itself for a native client. The incarnation is zero when a
    /// Nacos peer did not say; the node is empty when it is not known.
    pub origin: &'a Origin,
    /// True when this node is the owner.
    pub native: bool,
}

/// One service of the index.
#[derive(Debug, Clone, Copy)]
pub struct ServiceView<'a> {
    /// Which.
    pub key: &'a ServiceKey,
    /// Goes up with every change of the list.
    pub version: u64,
    /// Clients that publish it.
    pub publishers: &'a BTreeSet<ClientId>,
    /// Native clients that subscribe to it.
    pub subscribers: &'a BTreeSet<ClientId>,
}

/// What a reader gets of a service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Enabled instances that match, in the order of (ip, port, cluster).
    pub hosts: Arc<[Arc<Instance>]>,
    /// Too few instances are healthy: unhealthy ones are named as healthy.
    pub protected: bool,
}

/// One other member.
#[derive(Debug, Clone, Copy)]
pub struct MemberView<'a> {
    /// Its address.
    pub node: &'a NodeId,
    /// Its state in this node's view.
    pub state: NodeState,
    /// True when this node's connection to it is set up.
    pub connected: bool,
    /// The latest life of it that was heard of; zero when none was or it is a Java node.
    pub incarnation: Incarnation,
    /// Syncs that wait or are under way.
    pub pending: u64,
    /// What verify has found with it.
    pub proof: PeerProof,
}

/// What verify has found with one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PeerProof {
    /// Verify messages sent to it.
    pub sent: u64,
    /// Those that found no difference.
    pub matched: u64,
    /// Records found to differ there.
    pub failed: u64,
    /// Those without an answer.
    pub lost: u64,
    /// Records that its latest differing answer by digest found; 0 once it matched again.
    pub divergent: u64,
}

/// The transport of one native client.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionView<'a> {
    /// Its address as it said, else as the socket shows it.
    pub ip: &'a str,
    /// Its application's name, `-` when it named none.
    pub app: &'a str,
    /// For how long nothing was heard of it, in aging time.
    pub idle: Period,
    /// Services that it subscribes to.
    pub subscriptions: u64,
}

macro_rules! numbers {
    ($(#[$meta:meta])* $name:ident { $( $(#[doc = $doc:literal])+ $field:ident, )+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
        pub struct $name { $( $(#[doc = $doc])+ pub $field: u64, )+ }

        impl $name {
            /// Names and values, in declaration order.
            pub fn fields(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [ $( (stringify!($field), self.$field), )+ ].into_iter()
            }
        }
    };
}

numbers! {
    /// Things a node has counted since it started.
    Counters {
        /// Transports accepted.
        conns_accepted,
        /// Setups registered.
        conns_registered,
        /// Setups refused, by a limit or because the node was not ready.
        conns_refused,
        /// Connections probed because they were idle.
        conns_detected,
        /// Connections dropped because the probe stayed unanswered.
        conns_ejected,
        /// Connections asked to leave by a limit or a rebalance.
        conns_reset,
        /// Requests refused with a typed or generic error.
        requests_refused,
        /// Requests that did not parse.
        requests_malformed,
        /// Responses that matched no request.
        responses_unmatched,
        /// Requests of this node that had no answer in time.
        requests_timed_out,
        /// Registers and batch registers that were applied.
        registers,
        /// Deregisters.
        deregisters,
        /// Syncs sent (CHANGE, ADD, DELETE); Nacos `totalSyncCount`.
        syncs_sent,
        /// Nacos `successfulSyncCount`.
        syncs_succeeded,
        /// Nacos `failedSyncCount`.
        syncs_failed,
        /// Syncs received and applied.
        syncs_applied,
        /// Syncs received that were older than what this node has.
        syncs_ignored,
        /// Syncs received that could not be applied.
        syncs_rejected,
        /// Verify messages sent.
        verifies_sent,
        /// Verify messages that found no difference.
        verifies_matched,
        /// Differences that verify found; Nacos `failedVerifyCount`.
        verifies_failed,
        /// Verify messages without an answer.
        verifies_lost,
        /// Snapshots loaded.
        snapshots_loaded,
        /// Snapshot loads that failed.
        snapshots_failed,
        /// Pushes sent; Nacos `totalPush`.
        pushes_sent,
        /// Pushes acknowledged.
        pushes_acked,
        /// Nacos `failedPush`.
        pushes_failed,
        /// Pushes of an empty list; Nacos `emptyPush`.
        pushes_empty,
        /// Batches and changes sent to who watches names by a pattern.
        watches_sent,
        /// Those that were acknowledged.
        watches_acked,
        /// Those that were not; they are sent again.
        watches_failed,
        /// Synced clients whose lease ended.
        clients_expired,
        /// Pauses of this process that were noticed.
        pauses,
    }
}

numbers! {
    /// Sizes of a node's internal tables, all bounded (invariant S13).
    Sizes {
        /// Transports.
        connections,
        /// Native clients.
        native_clients,
        /// Synced clients.
        synced_clients,
        /// Instances, a batch counted as its size.
        instances,
        /// Services in the index.
        services,
        /// Entries of the publisher index.
        publishers,
        /// Entries of the subscriber index.
        subscribers,
        /// Remembered deletions.
        tombstones,
        /// Syncs that wait.
        syncs_pending,
        /// Requests without an answer yet.
        requests_in_flight,
        /// Services with a push that waits.
        pushes_pending,
        /// Patterns by which names are watched.
        fuzzy_patterns,
        /// Batches and changes that wait for those who watch.
        watches_pending,
    }
}
