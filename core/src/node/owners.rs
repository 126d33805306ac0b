//! Who owns a client without a connection: the member that a hash names is responsible
//! for it, takes it over and lets it go. Its records are ordered by their revision, whoever owns
//! them.

use alloc::vec::Vec;

use super::sync_queue::Action;
use super::{NamingEvent, Node};
use crate::hash::java_string_hash;
use crate::ids::{ClientId, NodeId};
use crate::io::Output;
use crate::message::cluster::NodeState;
use crate::message::distro::{ClientSyncData, Origin};

/// Who is responsible for `tag` among these nodes, sorted by address (Nacos `DistroMapper`).
fn responsible<'a>(tag: &str, nodes: &[&'a NodeId]) -> Option<&'a NodeId> {
    let count = i64::try_from(nodes.len()).ok().filter(|count| *count > 0)?;
    let hash = (i64::from(java_string_hash(tag)) % i64::from(i32::MAX)).abs();
    let index = usize::try_from(hash % count).ok()?;
    nodes.get(index).copied()
}

impl Node {
    /// The node that is responsible for a place, `ip:port`: this node or a healthy fellow.
    pub fn responsible(&self, tag: &str) -> &NodeId {
        let me = &self.config.node;
        let mut nodes: Vec<&NodeId> = self
            .members
            .iter()
            .filter(|(_, fellow)| matches!(fellow.state, NodeState::Up | NodeState::Suspicious))
            .map(|(node, _)| node)
            .chain([me])
            .collect();
        nodes.sort();
        responsible(tag, &nodes).unwrap_or(me)
    }

    pub(super) fn is_responsible(&self, client: &ClientId) -> bool {
        let tag = client.as_str();
        let tag = tag.split_once('#').map_or(tag, |(tag, _)| tag);
        self.responsible(tag) == &self.config.node
    }

    /// True when this node is responsible for a client that no living node owns any more.
    pub(super) fn is_orphan(&self, client: &ClientId, data: &ClientSyncData) -> bool {
        let owned = data.origin.as_ref().is_some_and(|origin| {
            let state = self.members.iter().find(|(node, _)| **node == origin.node);
            let is_healthy = state.is_some_and(|(_, fellow)| {
                matches!(fellow.state, NodeState::Up | NodeState::Suspicious)
            });
            is_healthy && !self.clients.is_orphan(data)
        });
        !owned && self.is_responsible(client)
    }

    /// Whether a record of a client without a connection takes the place of the one that is held.
    pub(super) fn succeeds(
        &self,
        new: &ClientSyncData,
        old: &ClientSyncData,
        native: bool,
    ) -> bool {
        match (&new.origin, &old.origin) {
            (Some(by), Some(held)) if by.node == held.node => {
                (by.incarnation, new.revision) > (held.incarnation, old.revision)
            }
            (Some(by), Some(held)) => (new.revision, &by.node) > (old.revision, &held.node),
            (Some(_), None) => true,
            // A Nacos peer's revision is a hash: different is all that it says.
            (None, Some(_)) => !native || !self.is_responsible(&new.client),
            (None, None) => {
                (new.revision != old.revision) && (!native || !self.is_responsible(&new.client))
            }
        }
    }

    /// Another node's record succeeds this node's own: it is held as a copy from now on. False
    /// when the client has a connection, which nobody else can own.
    pub(super) fn yield_ownership(&mut self, client: &ClientId) -> bool {
        let has_moved = client.is_ip_port() && self.config.profile.speaks_distro();
        if has_moved {
            self.clients.remove(client);
            self.beats.forget(client);
        }
        has_moved
    }

    /// Another node's record did not succeed this node's own, so that node has to learn better.
    pub(super) fn assert_ownership(&mut self, refused: &ClientSyncData, out: &mut Vec<Output>) {
        let client = &refused.client;
        let by_other = |origin: &Origin| origin.node != self.config.node;
        let is_mine = self
            .clients
            .get(client)
            .is_some_and(|entry| entry.native.is_some());
        if !client.is_ip_port()
            || !refused.origin.as_ref().is_some_and(by_other)
            || !is_mine
            || !self.is_responsible(client)
        {
            return;
        }
        let revision = self.beats.next();
        self.clients.raise(client, revision);
        self.publish(NamingEvent::ClientChanged(client.clone()));
        self.settle(out);
    }

    /// True when a client of this node lives on at another owner, so that no DELETE is due.
    pub(super) fn has_moved(&self, client: &ClientId) -> bool {
        client.is_ip_port()
            && self
                .clients
                .get(client)
                .is_some_and(|entry| entry.native.is_none())
    }

    /// What a sync that was planned earlier has to say now. Ids of places are used again, so for
    /// those only the table knows; `None`: nothing.
    pub(super) fn action_now(&self, client: &ClientId, planned: Action) -> Option<Action> {
        if !client.is_ip_port() {
            return Some(planned);
        }
        match (self.clients.get(client), planned) {
            (Some(entry), _) if entry.native.is_none() => None,
            (Some(_), Action::Add | Action::Change) => Some(planned),
            (Some(_), Action::Delete) => Some(Action::Change),
            (None, _) => Some(Action::Delete),
        }
    }

    /// True when a client without a connection is owned by another than who wants it deleted.
    pub(super) fn belongs_elsewhere(&self, client: &ClientId, by: Option<&Origin>) -> bool {
        let Some(entry) = self.clients.get(client).filter(|_| client.is_ip_port()) else {
            return false;
        };
        match (&entry.data.origin, by) {
            (Some(held), Some(by)) => entry.native.is_some() || held.node != by.node,
            (Some(_), None) => true,
            (None, _) => entry.native.is_some(),
        }
    }
}
