//! Who may pass for a member, and which lives of members are believed.
//!
//! Only the port of members makes members (the shell lets nobody through there who does not prove
//! the secret, if there is one), and only those on the list. A profile that imitates Nacos believes
//! everybody, as Nacos does.

use alloc::format;
use alloc::vec::Vec;

use super::Node;
use super::connections::{Setup, Source};
use crate::constants::{LIFE_AHEAD_MAX, LIFE_FLOOR, MEMBER_CONNS_MAX};
use crate::ids::{ConnId, Incarnation, NodeId, Str};
use crate::io::{CloseReason, Listener, Output};
use crate::message::distro::{ClientSyncData, Origin, Word};
use crate::time::{Mono, Now};

/// The latest moment that this node has seen: what the numbers of lives are measured with.
///
/// It follows the wall clock forward, and at least the monotonic one, so it never stands still. Why
/// it never goes back: then a wall clock that jumps back parts nobody. Why a life that was told
/// does not move it: each could lead to a later one, and so to the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Horizon {
    /// Microseconds since the epoch.
    micros: u64,
    mono: Mono,
}

impl Horizon {
    /// Of a node that begins this life.
    pub(super) fn new(life: Incarnation, now: Now) -> Horizon {
        let mut horizon = Horizon {
            micros: life.0.max(LIFE_FLOOR.0).saturating_mul(1_000),
            mono: now.mono,
        };
        horizon.see(now);
        horizon
    }

    pub(super) fn see(&mut self, now: Now) {
        let passed = now.mono.since(self.mono).micros();
        let wall = u64::try_from(now.wall.0).unwrap_or(0).saturating_mul(1_000);
        self.micros = self.micros.saturating_add(passed).max(wall);
        self.mono = now.mono;
    }

    /// The highest number that a life can have at this moment.
    fn life_max(self) -> Incarnation {
        Incarnation(self.micros.saturating_add(LIFE_AHEAD_MAX.micros()) / 1_000)
    }
}

impl Node {
    /// True when a life can have this number. A life that is told by a member lies at most
    /// [`LIFE_AHEAD_MAX`] ahead, so whatever number was taken, a moment later there is a higher
    /// one.
    pub(super) fn is_plausible(&self, life: Incarnation) -> bool {
        !self.config.profile.speaks_distro() || life <= self.horizon.life_max()
    }

    /// True when a word can be said at this moment, by the same measure.
    pub(super) fn can_be_said(&self, word: Word) -> bool {
        self.is_plausible(Incarnation(word.0))
    }

    /// True when a record can be: of a member or this node itself, and with numbers that others can
    /// still go beyond. The words of a record and the revision of a client without a connection
    /// order it among those of all owners, so they are measured like lives, which are no smaller.
    pub(super) fn is_credible(&self, data: &ClientSyncData) -> bool {
        let Some(origin) = &data.origin else {
            return true;
        };
        if !self.config.profile.speaks_distro() {
            return true;
        }
        let is_of_cluster = origin.node == self.config.node || self.members.contains(&origin.node);
        let revision = data.client.is_ip_port().then_some(data.revision.0);
        let words = data.words.iter().map(|word| word.0);
        let mut numbers = words.chain(revision).chain([origin.incarnation.0]);
        is_of_cluster && numbers.all(|number| self.is_plausible(Incarnation(number)))
    }

    /// True when clients may be sent to this node: they go where they are told.
    pub(super) fn may_redirect(&self, to: &NodeId) -> bool {
        !self.config.profile.speaks_distro() || self.members.contains(to)
    }

    /// True when the address that a client claims counts: behind a proxy all have the same one.
    pub(super) fn believes_addresses_of(&self, remote_ip: &Str) -> bool {
        !self.config.profile.speaks_distro() || self.config.trusted_proxies.contains(remote_ip)
    }

    /// Why a setup on this listener is not let in; `None` when it says nothing that is not so.
    pub(super) fn stranger(
        &self,
        listener: Listener,
        setup: &Setup,
        remote_ip: &str,
    ) -> Option<Str> {
        if !self.config.profile.speaks_distro() {
            return None;
        }
        let why = match (listener, &setup.source) {
            (Listener::Sdk, Source::Sdk | Source::Other) => return None,
            (Listener::Sdk, Source::Cluster | Source::Distro(_)) => {
                format!("{remote_ip} says on the port of clients that it is a member")
            }
            (Listener::Cluster, Source::Sdk | Source::Other) => {
                format!("{remote_ip} is no member: this is the port of members")
            }
            (Listener::Cluster, Source::Distro(origin)) => return self.impostor(origin),
            // It says no name that is on a list, so its address has to be.
            (Listener::Cluster, Source::Cluster) => {
                let is_its_host = |node: &NodeId| node.ip() == remote_ip;
                if self.members.iter().any(|(node, _)| is_its_host(node)) {
                    return None;
                }
                format!("no member has the address {remote_ip}")
            }
        };
        Some(Str::from(why))
    }

    /// The transports that a member opened, the oldest first.
    fn conns_of(&self, node: &NodeId) -> Vec<ConnId> {
        let is_of = |setup: &Setup| match &setup.source {
            Source::Distro(origin) => origin.node == *node,
            Source::Sdk | Source::Cluster | Source::Other => false,
        };
        let conns = self.connections.iter();
        let of = conns.filter(|(_, connection)| connection.setup.as_ref().is_some_and(is_of));
        of.map(|(conn, _)| conn).collect()
    }

    /// Ends the transports of a node that is no member any more.
    pub(super) fn close_conns_of(&mut self, node: &NodeId, out: &mut Vec<Output>) {
        for conn in self.conns_of(node) {
            self.close(conn, CloseReason::Obsolete, out);
        }
    }

    /// A member needs one transport to this node; the oldest of too many are dead, or it is none.
    pub(super) fn make_room_for(&mut self, node: &NodeId, out: &mut Vec<Output>) {
        let conns = self.conns_of(node);
        let surplus = (conns.len() + 1).saturating_sub(MEMBER_CONNS_MAX);
        for conn in conns.into_iter().take(surplus) {
            self.close(conn, CloseReason::Obsolete, out);
        }
    }

    fn impostor(&self, origin: &Origin) -> Option<Str> {
        let Origin { node, incarnation } = origin;
        if !self.members.contains(node) {
            return Some(Str::from(format!(
                "{node} is not on this node's member list"
            )));
        }
        if self.is_plausible(*incarnation) {
            return None;
        }
        Some(Str::from(format!(
            "{node} says that it is its life {incarnation}, which lies more than ten years ahead: \
             its clock is wrong, or this node's"
        )))
    }
}
