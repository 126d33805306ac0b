//! What nodes' events tell: who owns what, and the mirrors of their tables.

use std::sync::Arc;

use distro_core::event::Event;
use distro_core::hash::hash_of;
use distro_core::ids::{ClientId, ConnId, NodeId};
use distro_core::io::RemoveCause;
use distro_core::message::distro::ClientSyncData;

use super::{ClientFacts, Facts};
use crate::check::mirror::Record;
use crate::check::sets::NodeSet;
use crate::observe::Seen;

impl Facts {
    pub(super) fn event(&mut self, node: u32, what: &Seen<'_>) {
        let Seen::Node(event) = what else { return };
        match event {
            Event::Starting(incarnation) => {
                self.node[node as usize].incarnation = *incarnation;
            }
            Event::Ready(incarnation) => {
                let facts = &mut self.node[node as usize];
                facts.incarnation = *incarnation;
                facts.ready = Some(self.now);
                self.faults.touch_host(node, self.now.at);
            }
            Event::ClientConnected { client, conn } => self.client_connected(node, client, *conn),
            Event::ClientChanged {
                data,
                owner,
                native,
                ..
            } => {
                self.client_changed(node, data, owner, *native);
            }
            Event::ClientDisconnect {
                removed, native, ..
            } => {
                self.client_removed(node, &removed.client, removed.cause, *native);
            }
            Event::MembersChange { member, state } => {
                if let Some(member) = self.node_of(member) {
                    self.node[node as usize].states.insert(member, *state);
                }
            }
            Event::Synced { client, .. } | Event::SyncFailed { client, .. } => {
                self.client = self.client_of(client);
            }
            Event::GivenUp(given_up) => {
                let (ip, cluster) = (given_up.ip.clone(), given_up.cluster.clone());
                let place = self.known.places.numbered((ip, given_up.port, cluster));
                let service = self.known.services.number(&given_up.service);
                let window = self.bounds.read_window();
                let mirror = &mut self.node[node as usize].mirror;
                mirror.give_up(service, place, self.now.at, window);
            }
            Event::MemberRestarted { member, .. } => {
                if let Some(owner) = self.node_of(member) {
                    let life = self.processes[owner as usize].life;
                    let learned = &mut self.node[node as usize].learned;
                    learned.insert(owner, (self.now.at, life));
                }
            }
            Event::ClientVerifyFailed { .. }
            | Event::Verified { .. }
            | Event::SyncIgnored { .. }
            | Event::ServiceChanged { .. }
            | Event::Pushed { .. }
            | Event::PushFailed { .. }
            | Event::Detecting(_)
            | Event::ConnectionRefused { .. }
            | Event::Paused(_)
            | Event::SnapshotLoaded { .. }
            | Event::SnapshotFailed { .. }
            | Event::BoundReached(_) => {}
        }
    }

    /// The number of a record's id; a new one when it is seen for the first time.
    fn number(&mut self, id: &ClientId, owner: u32) -> u32 {
        if let Some(number) = self.ids.get(id) {
            return number;
        }
        let number = u32::try_from(self.clients.len()).unwrap_or(u32::MAX);
        self.ids.insert(id.clone(), number);
        self.clients.push(ClientFacts {
            id: id.clone(),
            host: None,
            host_life: 0,
            owner,
            owner_life: self.processes[owner as usize].life,
            conn: None,
            connected: self.now,
            gone: None,
            orphaned: None,
            holders: NodeSet::default(),
            last: None,
            changed: self.now,
            number: 0,
            previous: None,
            asked: None,
        });
        self.node[owner as usize].natives.insert(number);
        number
    }

    fn client_connected(&mut self, node: u32, id: &ClientId, conn: ConnId) {
        let known = self.ids.get(id).is_some();
        let client = self.number(id, node);
        self.client = Some(client);
        let Some(facts) = self.conns.get_mut(&(node, conn)) else {
            return;
        };
        facts.client = Some(client);
        let peer = facts.peer;
        if known {
            return;
        }
        self.connections[peer as usize] += 1;
        let facts = &mut self.clients[client as usize];
        facts.host = Some(peer);
        facts.host_life = self.processes[peer as usize].life;
        facts.conn = Some(conn);
        facts.number = self.connections[peer as usize];
        facts.previous = self.latest[peer as usize].replace(client);
        self.hosted[peer as usize].insert(client);
    }

    fn client_changed(
        &mut self,
        node: u32,
        data: &Arc<ClientSyncData>,
        owner: &NodeId,
        native: bool,
    ) {
        let owner = self.node_of(owner).unwrap_or(node);
        let client = self.number(&data.client, owner);
        self.client = Some(client);
        let now = self.now;
        let facts = &mut self.clients[client as usize];
        facts.holders.insert(node);
        let seen = facts
            .last
            .as_ref()
            .is_some_and(|(last, _)| Arc::ptr_eq(last, data));
        if !seen {
            facts.last = Some((data.clone(), hash_of(&data.services)));
        }
        if native && facts.owner == node {
            facts.changed = now;
            self.last_change = now.at;
        }
        let window = self.bounds.read_window();
        let record = Record {
            data: data.clone(),
            native,
        };
        let node = &mut self.node[node as usize];
        node.changed = true;
        node.mirror
            .change((client, record), &mut self.known, now.at, window);
    }

    fn client_removed(&mut self, node: u32, id: &ClientId, cause: RemoveCause, native: bool) {
        let Some(client) = self.ids.get(id) else {
            return;
        };
        self.client = Some(client);
        let now = self.now;
        let facts = &mut self.clients[client as usize];
        facts.holders.remove(node);
        let own = match cause {
            RemoveCause::Disconnected | RemoveCause::Ejected(_) => true,
            RemoveCause::Deleted | RemoveCause::Expired | RemoveCause::OwnerRestarted => native,
        };
        if own && facts.owner == node {
            facts.gone.get_or_insert(now);
            if let Some(whose) = facts.host {
                self.hosted[whose as usize].remove(&client);
            }
            self.node[node as usize].natives.remove(&client);
            self.last_change = now.at;
        }
        let window = self.bounds.read_window();
        let node = &mut self.node[node as usize];
        node.changed = true;
        node.mirror.remove(client, &mut self.known, now.at, window);
    }
}
