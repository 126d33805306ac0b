//! The life of a transport that a peer opened: accepted, set up, active, ended.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::connections::{Connection, Setup, Source};
use super::{NamingEvent, Node};
use crate::event::{Event, FailCause};
use crate::ids::{ClientId, ConnId, Incarnation, NodeId, Revision, Str};
use crate::io::{CloseReason, Listener, Output, RemoveCause, Removed};
use crate::message::Request;
use crate::message::distro::{ClientSyncData, Origin};
use crate::message::internal::{ConnectionSetupRequest, SetupAckRequest, ability, label};
use crate::time::Period;

impl Node {
    pub(super) fn conn_opened(
        &mut self,
        conn: ConnId,
        listener: Listener,
        remote_ip: Str,
        remote_port: u16,
    ) {
        self.counters.conns_accepted += 1;
        let connection = Connection {
            listener,
            client: self.connection_id(conn, &remote_ip, remote_port),
            remote_ip,
            active: self.aged(),
            setup: None,
            detecting: false,
            leaving: None,
            blocked: None,
        };
        let fresh = self.connections.open(conn, connection);
        assert!(fresh, "the shell numbers its transports uniquely");
        self.arm_scan();
    }

    /// Nacos makes `<wall ms>_<ip>_<port>`, which two nodes behind one address translation can
    /// both make (part 12.24). Ours begins alike, but it counts lives instead of milliseconds and
    /// ends with what no other node has.
    fn connection_id(&self, conn: ConnId, ip: &str, port: u16) -> ClientId {
        if self.config.profile.speaks_distro() {
            let Origin { node, incarnation } = &self.origin;
            return ClientId::new(&format!("{incarnation}_{ip}_{port}_{node}_{conn}"));
        }
        ClientId::new(&format!("{}_{ip}_{port}", self.now.wall.0))
    }

    /// Handles a setup: registers the connection or closes it.
    pub(super) fn setup(
        &mut self,
        conn: ConnId,
        request: &ConnectionSetupRequest,
        out: &mut Vec<Output>,
    ) {
        let Some(connection) = self.connections.get(conn) else {
            return;
        };
        if connection.setup.is_some() {
            // One setup per transport: a second one is acknowledged and changes nothing.
            self.acknowledge_setup(conn, request, out);
            return;
        }
        let origin = origin_label(request);
        let remote_ip = &connection.remote_ip;
        let believed = self.believes_addresses_of(remote_ip);
        let setup = Setup::read(request, origin, (remote_ip, believed));
        if let Some(why) = self.stranger(connection.listener, &setup, remote_ip) {
            self.refuse(conn, &why, CloseReason::NotAMember, out);
            return;
        }
        if let Source::Distro(origin) = &setup.source {
            // One of an earlier life comes in too: it learns from the answers that it has to take
            // a higher number, or that it is a ghost.
            let origin = origin.clone();
            self.heard_of_life(&origin, out);
            self.make_room_for(&origin.node, out);
        } else if setup.source != Source::Cluster {
            if setup.source == Source::Sdk && !self.serves() {
                self.refuse(conn, "not ready", CloseReason::NotReady, out);
                return;
            }
            if let Some(why) = self.connections.refusal(&setup) {
                self.refuse(conn, &why, CloseReason::OverLimit, out);
                return;
            }
        }
        let naming = setup.naming && self.may_name(&setup.source);
        self.connections.register(conn, setup);
        self.counters.conns_registered += 1;
        self.conn_active(conn);
        if naming {
            self.create_client(conn, out);
        }
        self.acknowledge_setup(conn, request, out);
    }

    /// True for those who may have a naming client; Nacos asks for no more than not to be a node.
    fn may_name(&self, source: &Source) -> bool {
        match source {
            Source::Sdk => true,
            Source::Other | Source::Distro(_) => !self.config.profile.speaks_distro(),
            Source::Cluster => false,
        }
    }

    fn refuse(&mut self, conn: ConnId, why: &str, reason: CloseReason, out: &mut Vec<Output>) {
        self.counters.conns_refused += 1;
        out.push(Output::Event(Event::ConnectionRefused {
            conn,
            why: Str::from(why),
        }));
        self.close(conn, reason, out);
    }

    fn create_client(&mut self, conn: ConnId, out: &mut Vec<Output>) {
        let client = self
            .connections
            .get(conn)
            .expect("it was just set up")
            .client
            .clone();
        if self.clients.get(&client).is_some() {
            // Only Nacos's own ids can collide: two transports in one millisecond.
            return;
        }
        let origin = self
            .config
            .profile
            .speaks_distro()
            .then(|| self.origin.clone());
        let data = ClientSyncData {
            client: client.clone(),
            origin,
            revision: Revision(0),
            services: Vec::new(),
            words: Vec::new(),
        };
        self.clients.insert_native(Arc::new(data), Some(conn));
        if self.config.profile.speaks_distro() {
            // Digests cover clients without content too, so the others must learn of them.
            self.publish(NamingEvent::ClientChanged(client.clone()));
        }
        out.push(Output::Event(Event::ClientConnected { client, conn }));
    }

    fn acknowledge_setup(
        &mut self,
        conn: ConnId,
        request: &ConnectionSetupRequest,
        out: &mut Vec<Output>,
    ) {
        if request.ability_table.is_none() {
            return;
        }
        let mut table: BTreeMap<Str, bool> = [
            (ability::PERSISTENT_BY_GRPC, false),
            (ability::FUZZY_WATCH, self.offers_fuzzy_watch()),
            (ability::LOCK, false),
            (ability::MCP, false),
        ]
        .into_iter()
        .map(|(key, value)| (Str::from(key), value))
        .collect();
        if self.config.profile.speaks_distro() {
            table.insert(Str::from(ability::DISTRO), true);
        }
        let id = self.calls.id();
        let request = Request::SetupAck(SetupAckRequest {
            ability_table: table,
        });
        out.push(Output::Request { conn, id, request });
    }

    /// Notes a sign of life on an accepted transport, or on one to a member.
    pub(super) fn conn_active(&mut self, conn: ConnId) {
        let aged = self.aged();
        match self.connections.get_mut(conn) {
            Some(connection) => connection.active = aged,
            None => self.members.heard(conn, self.clock.run()),
        }
    }

    /// Notes that a transport refused a message because its queue is full.
    pub(super) fn conn_blocked(&mut self, conn: ConnId) {
        let aged = self.aged();
        if let Some(connection) = self.connections.get_mut(conn) {
            let first = connection.blocked.map_or(aged, |(first, _)| first);
            connection.blocked = Some((first, aged));
        }
    }

    /// A transport ended without this node's doing.
    pub(super) fn conn_closed(&mut self, conn: ConnId, out: &mut Vec<Output>) {
        self.unregister(conn, RemoveCause::Disconnected, out);
        self.member_conn_closed(conn, out);
        self.settle(out);
    }

    /// Ends a transport from this side.
    pub(super) fn close(&mut self, conn: ConnId, reason: CloseReason, out: &mut Vec<Output>) {
        out.push(Output::Close { conn, reason });
        self.unregister(conn, RemoveCause::Ejected(reason), out);
    }

    /// Forgets a transport, its open requests and its naming client.
    fn unregister(&mut self, conn: ConnId, cause: RemoveCause, out: &mut Vec<Output>) {
        let connection = self.connections.remove(conn);
        if let Some(connection) = connection.filter(|connection| connection.setup.is_some()) {
            let is_its_own = self
                .clients
                .get(&connection.client)
                .and_then(|client| client.native.as_ref())
                .is_some_and(|native| native.conn == Some(conn));
            let was_sent_away = connection.leaving.is_some();
            if is_its_own && !(was_sent_away && self.depart(&connection.client)) {
                self.remove_client(&connection.client, cause, Period::ZERO, out);
            }
        }
        self.fuzzy.forget(conn);
        for purpose in self.calls.take_conn(conn) {
            self.answered(conn, purpose, Err(FailCause::Closed), out);
        }
    }

    /// Removes a client record from the table and everything that is derived from it.
    pub(super) fn remove_client(
        &mut self,
        client: &ClientId,
        cause: RemoveCause,
        unheard: Period,
        out: &mut Vec<Output>,
    ) {
        let Some(entry) = self.clients.remove(client) else {
            return;
        };
        let native = entry.native.is_some();
        self.beats.forget(client);
        self.departures.forget(client);
        // Who was sent away has not given anything up.
        let moved = cause == RemoveCause::Ejected(CloseReason::Rebalanced);
        if native && !moved {
            for (at, (service, published)) in entry.data.services.iter().enumerate() {
                self.gave_up(service, published, entry.data.word(at), None, out);
            }
        }
        if let Some(native) = &entry.native {
            for service in native.subscriptions.keys() {
                let (service, client) = (service.clone(), client.clone());
                self.publish(NamingEvent::ClientUnsubscribeService(service, client));
            }
        }
        for (service, _) in &entry.data.services {
            let (service, client) = (service.clone(), client.clone());
            self.publish(NamingEvent::ClientDeregisterService(service, client));
        }
        if native {
            self.publish(NamingEvent::ClientDisconnect(client.clone()));
        }
        let origin = if native {
            self.origin.clone()
        } else {
            self.clients.origin_of(&entry.data).clone()
        };
        let removed = Removed {
            client: client.clone(),
            cause,
            unheard,
        };
        out.push(Output::Event(Event::ClientDisconnect {
            removed,
            origin,
            native,
        }));
        // Before anything reads a list again, the index must no longer know the client.
        self.settle(out);
    }

    /// Takes note of a member's life; a later one than known ends the records of earlier ones.
    pub(super) fn heard_of_life(&mut self, origin: &Origin, out: &mut Vec<Output>) {
        if !self.is_plausible(origin.incarnation) || !self.members.note_incarnation(origin) {
            return;
        }
        let ends = self.aged() + self.config.timing.return_grace;
        self.clients.end_earlier_lives(origin, ends);
        let is_earlier = |source: &Source| match source {
            Source::Distro(other) => {
                other.node == origin.node && other.incarnation < origin.incarnation
            }
            Source::Sdk | Source::Cluster | Source::Other => false,
        };
        let ghosts: Vec<ConnId> = self
            .connections
            .iter()
            .filter(|(_, connection)| {
                connection
                    .setup
                    .as_ref()
                    .is_some_and(|s| is_earlier(&s.source))
            })
            .map(|(conn, _)| conn)
            .collect();
        for conn in ghosts {
            self.close(conn, CloseReason::Superseded, out);
        }
        out.push(Output::Event(Event::MemberRestarted {
            member: origin.node.clone(),
            incarnation: origin.incarnation,
        }));
    }
}

/// What the labels of a setup say about a fellow node of our kind.
fn origin_label(request: &ConnectionSetupRequest) -> Option<Origin> {
    let node = request.labels.get(label::NODE)?;
    let incarnation = request.labels.get(label::INCARNATION)?.parse().ok()?;
    Some(Origin {
        node: NodeId(node.clone()),
        incarnation: Incarnation(incarnation),
    })
}

/// The setup that a node sends to a fellow node.
pub(super) fn cluster_setup(origin: &Origin, distro: bool, version: &str) -> Request {
    let mut labels: BTreeMap<Str, Str> = BTreeMap::new();
    let mut label = |key: &str, value: &str| labels.insert(Str::from(key), Str::from(value));
    label(label::SOURCE, label::SOURCE_CLUSTER);
    if distro {
        label(label::NODE, origin.node.as_str());
        label(label::INCARNATION, &format!("{}", origin.incarnation));
    }
    let mut abilities = BTreeMap::new();
    if distro {
        abilities.insert(Str::from(ability::DISTRO), true);
    }
    Request::ConnectionSetup(Box::new(ConnectionSetupRequest {
        client_version: Some(Str::from(format!("Nacos-Server:v{version}"))),
        tenant: None,
        labels,
        ability_table: Some(abilities),
        client_ip: Str::from(origin.node.ip()),
    }))
}
