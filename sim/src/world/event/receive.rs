//! What reaches a host, and how connections begin and end.

use distro_core::ids::ConnId;
use distro_core::io::Listener;

use super::World;
use super::conn::{EndState, Payload};
use super::machine::{Arrival, Machine};
use super::queue::Event;
use crate::scenario::model::HostId;
use crate::world::common::rules::Fate;

impl<M: Machine> World<'_, M> {
    /// The time for a dial is over.
    pub(super) fn dial_timeout(&mut self, conn: u32) {
        let Some(entry) = self.net.conns.get_mut(conn) else {
            return;
        };
        if entry.ends[0].state == EndState::Dialing {
            entry.ends[0].state = EndState::Closed;
            let (host, member) = (entry.ends[0].host, entry.target.clone());
            self.deliver(
                host,
                Arrival::DialFailed {
                    member,
                    refused: false,
                },
            );
        }
        self.net.release(conn);
    }

    /// A segment reaches its host.
    pub(super) fn arrive(&mut self, segment: u32) {
        let Some((conn, from)) = self
            .net
            .segments
            .get(segment)
            .map(|found| (found.conn, usize::from(found.from)))
        else {
            return;
        };
        if !self.net.rules.is_empty() && self.is_blocked(conn, from) {
            let found = self.net.segments.get(segment);
            if found.is_some_and(|found| !found.payload.is_handshake()) {
                self.net.hold(conn, from, segment);
                return;
            }
            self.net.segments.remove(segment);
        } else if let Some(found) = self.net.segments.remove(segment) {
            self.receive(conn, from, found.payload);
        }
        self.net.release(conn);
    }

    fn is_blocked(&self, conn: u32, from: usize) -> bool {
        let Some(entry) = self.net.conns.get(conn) else {
            return false;
        };
        let (sender, receiver) = entry.pair(from);
        !entry.ways[from].held.is_empty() || self.net.rules.blocked(sender, receiver)
    }

    fn receive(&mut self, conn: u32, from: usize, payload: Payload) {
        let Some(entry) = self.net.conns.get_mut(conn) else {
            return;
        };
        let to = 1 - from;
        if entry.ways[from].dead {
            return;
        }
        let host = entry.ends[to].host;
        if !self.hosts[host].powered {
            entry.ways[from].unacked |= !payload.is_handshake();
            return;
        }
        match payload {
            Payload::Syn => self.knock(conn),
            Payload::SynAck if entry.ends[to].state == EndState::Dialing => {
                self.control(conn, to, Payload::Ack);
                self.connected(conn);
            }
            Payload::SynAck => self.control(conn, to, Payload::Rst),
            Payload::Ack => self.accept(conn),
            Payload::Refused => {
                if entry.ends[to].state == EndState::Dialing {
                    entry.ends[to].state = EndState::Closed;
                    let member = entry.target.clone();
                    self.deliver(
                        host,
                        Arrival::DialFailed {
                            member,
                            refused: true,
                        },
                    );
                }
            }
            Payload::Fin | Payload::Rst => self.ended(conn, to),
            Payload::Request(id, received) => {
                if let Some((conn, peer)) = self.receiver(conn, to) {
                    self.deliver(
                        host,
                        Arrival::Request {
                            conn,
                            peer,
                            id,
                            received,
                        },
                    );
                }
            }
            Payload::Response(id, response) => {
                if let Some((conn, peer)) = self.receiver(conn, to) {
                    self.deliver(
                        host,
                        Arrival::Response {
                            conn,
                            peer,
                            id,
                            response,
                        },
                    );
                }
            }
        }
    }

    /// Somebody dials: the host accepts when a process is there to listen, paused or not.
    fn knock(&mut self, conn: u32) {
        let Some(entry) = self.net.conns.get_mut(conn) else {
            return;
        };
        if self.hosts[entry.ends[1].host].process.is_some() {
            entry.ends[1].state = EndState::Accepting;
            self.control(conn, 1, Payload::SynAck);
        } else {
            self.control(conn, 1, Payload::Refused);
        }
    }

    /// The receiving process's number for a connection; resets a connection that it does not have.
    fn receiver(&mut self, conn: u32, to: usize) -> Option<(ConnId, HostId)> {
        let entry = self.net.conns.get(conn)?;
        let (state, peer) = (entry.ends[to].state, &entry.ends[1 - to]);
        if state == EndState::Open {
            return Some((ConnId(entry.ends[to].id), HostId(peer.host)));
        }
        if state == EndState::Closed && peer.state == EndState::Open {
            self.control(conn, to, Payload::Rst);
        }
        None
    }

    /// The dialler's process learns that it is connected.
    fn connected(&mut self, conn: u32) {
        let Some(entry) = self.net.conns.get_mut(conn) else {
            return;
        };
        let host = entry.ends[0].host;
        let id = self.hosts[host].number(conn, 0);
        entry.ends[0].id = id;
        entry.ends[0].state = EndState::Open;
        entry.refs += 1;
        let (peer, member) = (HostId(entry.ends[1].host), entry.target.clone());
        self.deliver(
            host,
            Arrival::Dialed {
                conn: ConnId(id),
                peer,
                member,
            },
        );
    }

    /// The acceptor's process learns of a new connection.
    fn accept(&mut self, conn: u32) {
        let Some(entry) = self.net.conns.get_mut(conn) else {
            return;
        };
        let (dialer, host) = (entry.ends[0].host, entry.ends[1].host);
        match entry.ends[1].state {
            EndState::Accepting => {}
            EndState::Closed => return self.control(conn, 1, Payload::Rst),
            EndState::Idle | EndState::Dialing | EndState::Open => return,
        }
        let id = self.hosts[host].number(conn, 1);
        entry.ends[1].id = id;
        entry.ends[1].state = EndState::Open;
        entry.refs += 1;
        let is_node = (dialer as usize) < self.scenario.nodes.len();
        let listener = if is_node {
            Listener::Cluster
        } else {
            Listener::Sdk
        };
        let from = &mut self.hosts[dialer];
        let (ip, port) = (from.ip.clone(), from.next_port());
        let (conn, peer) = (ConnId(id), HostId(dialer));
        self.deliver(
            host,
            Arrival::Opened {
                conn,
                peer,
                listener,
                ip,
                port,
            },
        );
    }

    /// A connection is over at one end; its process is told.
    pub(super) fn ended(&mut self, conn: u32, end: usize) {
        let Some(entry) = self.net.conns.get_mut(conn) else {
            return;
        };
        let state = std::mem::replace(&mut entry.ends[end].state, EndState::Closed);
        let (host, id) = (entry.ends[end].host, ConnId(entry.ends[end].id));
        let peer = HostId(entry.ends[1 - end].host);
        let member = entry.target.clone();
        self.net.drop_waiting(conn, end);
        match state {
            EndState::Open => self.deliver(host, Arrival::Closed { conn: id, peer }),
            EndState::Dialing => {
                self.deliver(
                    host,
                    Arrival::DialFailed {
                        member,
                        refused: false,
                    },
                );
            }
            EndState::Idle | EndState::Accepting | EndState::Closed => {}
        }
    }

    /// A host's process is gone. Unless it went in silence, its host closes its connections.
    pub(super) fn abandon(&mut self, host: u32, silent: bool) {
        for conn in self.net.conns.indices() {
            for end in [0, 1] {
                let Some(entry) = self.net.conns.get_mut(conn) else {
                    continue;
                };
                if entry.ends[end].host != host {
                    continue;
                }
                let state = std::mem::replace(&mut entry.ends[end].state, EndState::Closed);
                let tells = matches!(state, EndState::Open | EndState::Accepting);
                self.net.drop_waiting(conn, end);
                if tells && !silent {
                    self.control(conn, end, Payload::Fin);
                }
            }
        }
        for conn in self.hosts[host].forget_all() {
            self.net.release(conn);
        }
    }

    /// A host is back: what peers sent to its earlier life is sent again and draws a reset.
    pub(super) fn reset_earlier_life(&mut self, host: u32) {
        for conn in self.net.conns.indices() {
            for end in [0, 1] {
                let Some(entry) = self.net.conns.get_mut(conn) else {
                    continue;
                };
                let (here, there) = (&entry.ends[end], &entry.ends[1 - end]);
                let lost = here.host == host && here.state == EndState::Closed;
                let waiting = there.state == EndState::Open && entry.ways[1 - end].unacked;
                entry.ways[1 - end].unacked &= !lost;
                if lost && waiting {
                    let delay = self.net.retransmission();
                    self.schedule(
                        conn,
                        end,
                        Payload::Rst,
                        Fate {
                            delay,
                            ..Fate::default()
                        },
                    );
                }
            }
        }
    }

    /// A partition ended: what waited and may cross now is on its way.
    pub(super) fn flush_held(&mut self) {
        for (conn, from) in std::mem::take(&mut self.net.held) {
            let net = &mut self.net;
            let Some(entry) = net.conns.get_mut(conn) else {
                continue;
            };
            let (sender, receiver) = entry.pair(from);
            if net.rules.blocked(sender, receiver) {
                net.held.push((conn, from));
                continue;
            }
            let segments = std::mem::take(&mut entry.ways[from].held);
            if segments.is_empty() {
                continue;
            }
            let again = self.now.saturating_add(net.retransmission());
            let mut at = again.saturating_add(net.latency());
            let Some(entry) = net.conns.get_mut(conn) else {
                continue;
            };
            let way = &mut entry.ways[from];
            at = at.max(way.last).max(way.tail);
            (way.last, way.tail) = (at, at);
            for (_, segment) in segments {
                self.queue.push(at, Event::Arrive(segment));
            }
        }
    }
}
