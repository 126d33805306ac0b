//! What a node says of its own doings, as log events.

use std::collections::BTreeSet;

use distro_core::event::Event;
use distro_core::ids::NodeId;
use distro_core::io::{CloseReason, Input, Output};
use distro_core::message::cluster::NodeState;
use tracing::{debug, info, trace, warn};

use crate::shell::{Directory, Ports, Tap};

/// Logs.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) ports: Ports,
    pub(super) directory: Directory,
    /// Members that were told to be unreachable.
    pub(super) unreachable: BTreeSet<NodeId>,
}

impl Tap<Input, Output> for Log {
    const ACTIVE: bool = false;

    fn wants(&self, input: &Input) -> bool {
        matches!(input, Input::DialFailed { .. } | Input::Dialed { .. })
    }

    fn input(&mut self, input: &Input) {
        if let Input::Dialed { member, .. } = input {
            self.unreachable.remove(member);
            info!(%member, "connected to member");
        }
        if let Input::DialFailed { member, refused } = input
            && self.unreachable.insert(member.clone())
        {
            let port = self
                .directory
                .ports(member)
                .map_or(0, |ports| ports.cluster);
            let why = if *refused {
                "nobody listens"
            } else {
                "no answer"
            };
            warn!(%member, port, why, "member unreachable, trying again until it answers");
        }
    }

    fn output(&mut self, output: &Output) {
        match output {
            Output::Event(event) => self.event(event),
            Output::Close { conn, reason } => match reason {
                CloseReason::NotReady | CloseReason::OverLimit | CloseReason::NotAMember => {}
                CloseReason::Idle | CloseReason::Blocked | CloseReason::Unresponsive => {
                    info!(conn = conn.0, ?reason, "connection given up");
                }
                CloseReason::Rebalanced | CloseReason::Obsolete | CloseReason::Superseded => {
                    debug!(conn = conn.0, ?reason, "connection closed");
                }
            },
            Output::Dial { member } => debug!(%member, "dial"),
            Output::Request { .. } | Output::Response { .. } | Output::Answer { .. } => {}
        }
    }
}

impl Log {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Starting(incarnation) => info!(incarnation = incarnation.0, "loading"),
            Event::Ready(incarnation) => info!(
                incarnation = incarnation.0,
                sdk_port = self.ports.sdk,
                cluster_port = self.ports.cluster,
                "ready"
            ),
            Event::MembersChange { member, state } => match state {
                NodeState::Up => info!(%member, "member up"),
                NodeState::Starting => info!(%member, "member starting"),
                NodeState::Suspicious => info!(%member, "member suspicious"),
                NodeState::Down => warn!(%member, "member down"),
            },
            Event::MemberRestarted {
                member,
                incarnation,
            } => info!(%member, incarnation = incarnation.0, "member has a new life"),
            Event::ConnectionRefused { conn, why } => {
                warn!(conn = conn.0, why = &**why, "connection refused");
            }
            Event::Paused(length) => warn!(%length, "this process did not run for a while"),
            Event::BoundReached(bound) => warn!(bound, "a bound was reached"),
            Event::SnapshotLoaded { from, applied } => info!(%from, applied, "snapshot loaded"),
            Event::SnapshotFailed { from, cause } => warn!(%from, ?cause, "snapshot failed"),
            Event::ClientConnected { client, conn } => {
                debug!(%client, conn = conn.0, "client connected");
            }
            Event::ClientDisconnect {
                removed, native, ..
            } => {
                debug!(client = %removed.client, cause = ?removed.cause, native, "client gone");
            }
            Event::ClientVerifyFailed { client, target } => {
                info!(%client, %target, "a member's copy differs, repairing");
            }
            Event::SyncFailed {
                client,
                target,
                cause,
            } => debug!(%client, %target, ?cause, "sync failed"),
            Event::PushFailed {
                service,
                client,
                cause,
            } => debug!(%service, %client, ?cause, "push failed"),
            Event::Detecting(conn) => debug!(conn = conn.0, "idle connection probed"),
            Event::ServiceChanged { service, version } => {
                debug!(%service, version, "service changed");
            }
            Event::ClientChanged { data, cause, .. } => {
                trace!(client = %data.client, ?cause, "record changed");
            }
            Event::GivenUp(place) => debug!(
                service = %place.service,
                ip = &*place.ip,
                port = place.port,
                "a place was given up while a member is away"
            ),
            Event::Verified { target } => trace!(%target, "verified"),
            Event::Synced { client, target, .. } => trace!(%client, %target, "synced"),
            Event::SyncIgnored { client, .. } => trace!(%client, "sync ignored"),
            Event::Pushed { service, client } => trace!(%service, %client, "pushed"),
        }
    }
}
