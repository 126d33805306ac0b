//! The network between hosts: connections that behave like TCP, and what faults make of them.

use distro_core::ids::{ConnId, NodeId, RequestId, Str};
use distro_core::io::{CloseReason, SendError};
use distro_core::message::{Malformed, Received, Request, Response, ResponseBody, code};
use distro_core::rng::Rng;

use super::World;
use super::conn::{Conn, EndState, NOWHERE, Payload, Segment};
use super::machine::{Arrival, Machine};
use super::queue::Event;
use super::size;
use super::slab::Slab;
use crate::observe::Seen;
use crate::scenario::model::{HostId, LinkSpec, NameAnswer, Scenario};
use crate::world::common::RETRANSMISSION_MAX;
use crate::world::common::rules::{Fate, LOOK_UP, Rules, Subject};

/// Segments under way or waiting, in all. Why: a cluster of a thousand clients has thousands; a
/// run that comes here has a storm that no bound of the protocol stops.
const SEGMENTS_MAX: usize = 4_000_000;

/// State of all links and connections.
#[derive(Debug)]
pub(crate) struct Network {
    pub(super) conns: Slab<Conn>,
    pub(super) segments: Slab<Segment>,
    /// Segments sent so far.
    sent: u64,
    pub(super) rules: Rules,
    /// Directions in which something waits.
    pub(super) held: Vec<(u32, usize)>,
    latency: Rng,
    loss: Rng,
    faults: Rng,
    link: LinkSpec,
    message_bytes_max: u64,
    /// Some fault of the scenario is about kinds of messages.
    track_kinds: bool,
}

impl Network {
    /// The network of a scenario.
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Network {
        Network {
            conns: Slab::new(),
            segments: Slab::new(),
            sent: 0,
            rules: Rules::default(),
            held: Vec::new(),
            latency: Rng::new(seed, "network latency"),
            loss: Rng::new(seed, "network loss"),
            faults: Rng::new(seed, "network faults"),
            link: scenario.link.clone(),
            message_bytes_max: scenario.message_bytes_max,
            track_kinds: scenario.tells_messages_apart(),
        }
    }

    pub(super) fn latency(&mut self) -> u64 {
        self.latency
            .period(self.link.latency_min, self.link.latency_max)
            .0
    }

    pub(super) fn retransmission(&mut self) -> u64 {
        self.faults.below(RETRANSMISSION_MAX.0)
    }

    /// The base link loses this message.
    fn loses(&mut self) -> bool {
        self.link.loss_per_million > 0 && self.loss.chance(self.link.loss_per_million)
    }

    /// One name less for this connection; the last one frees it.
    pub(super) fn release(&mut self, conn: u32) {
        if let Some(entry) = self.conns.get_mut(conn) {
            entry.refs -= 1;
            if entry.refs == 0 {
                self.conns.remove(conn);
            }
        }
    }

    pub(super) fn hold(&mut self, conn: u32, from: usize, segment: u32) {
        let order = self.segments.get(segment).map_or(0, |found| found.order);
        if let Some(entry) = self.conns.get_mut(conn) {
            let way = &mut entry.ways[from];
            if way.held.is_empty() {
                self.held.push((conn, from));
            }
            way.hold(order, segment);
        }
    }

    /// The sender is gone: what still waits in this direction never leaves.
    pub(super) fn drop_waiting(&mut self, conn: u32, from: usize) {
        let Some(entry) = self.conns.get_mut(conn) else {
            return;
        };
        for (_, segment) in std::mem::take(&mut entry.ways[from].held) {
            self.segments.remove(segment);
            self.release(conn);
        }
    }

    fn insert(&mut self, conn: u32, from: usize, payload: Payload) -> u32 {
        if let Some(entry) = self.conns.get_mut(conn) {
            entry.refs += 1;
        }
        self.sent += 1;
        self.segments.insert(Segment {
            conn,
            from: from as u8,
            order: self.sent,
            payload,
        })
    }
}

fn corrupted(payload: Payload) -> Payload {
    let message = Str::from("unreadable");
    match payload {
        Payload::Request(id, received) => {
            let type_name = Str::from(received.type_name());
            let malformed = Malformed { type_name, message };
            Payload::Request(id, Received::Malformed(Box::new(malformed)))
        }
        Payload::Response(id, _) => {
            Payload::Response(id, Response::error(code::BAD_GATEWAY, &message))
        }
        Payload::Syn
        | Payload::SynAck
        | Payload::Ack
        | Payload::Refused
        | Payload::Fin
        | Payload::Rst => payload,
    }
}

impl<M: Machine> World<'_, M> {
    /// A process opens a connection.
    pub(super) fn dial(&mut self, host: u32, member: NodeId) {
        let named = self.addresses.get(&member).copied().unwrap_or(NOWHERE);
        let patience = self.hosts[host].connect_timeout;
        let (to, patience) = match self.net.rules.look_up(host, named) {
            None => (named, patience),
            Some(NameAnswer::Nothing) => (NOWHERE, LOOK_UP),
            Some(NameAnswer::OldAddress) => (NOWHERE, patience),
        };
        let mut conn = Conn::dialing(host, to, member);
        conn.refs = 1;
        let conn = self.net.conns.insert(conn);
        let timeout = self.now.saturating_add(patience.0);
        self.queue.push(timeout, Event::DialTimeout(conn));
        if to != NOWHERE {
            self.control(conn, 0, Payload::Syn);
        }
    }

    /// The connection behind a process's number, when data can be sent on it.
    fn usable(&self, host: u32, conn: ConnId) -> Option<(u32, usize, u32)> {
        let (index, end) = self.hosts[host].conn(conn)?;
        let entry = self.net.conns.get(index)?;
        let open = entry.ends[end].state == EndState::Open;
        open.then_some((index, end, entry.ends[1 - end].host))
    }

    /// A process sends a request.
    pub(super) fn send_request(
        &mut self,
        host: u32,
        conn: ConnId,
        id: RequestId,
        request: Request,
    ) {
        let fail = |cause| Arrival::SendFailed { conn, id, cause };
        let Some((index, end, peer)) = self.usable(host, conn) else {
            return self.local.push_back((host, fail(SendError::Closed)));
        };
        if size::request_over(&request, self.net.message_bytes_max) {
            return self.local.push_back((host, fail(SendError::TooLarge)));
        }
        let mut fate = Fate::default();
        if self.net.track_kinds || !self.net.rules.is_empty() {
            let kind = request.kind();
            let net = &mut self.net;
            let bytes = || size::request(&request);
            let subject = Subject::Request(kind);
            fate = net
                .rules
                .fate(&mut net.faults, self.now, (host, peer), subject, &bytes);
            if fate.busy {
                return self.local.push_back((host, fail(SendError::Busy)));
            }
            if net.track_kinds
                && let Some(entry) = net.conns.get_mut(index)
            {
                entry.ways[end].note_kind(id, kind);
            }
        }
        let peer = HostId(peer);
        self.see(
            host,
            Seen::RequestSent {
                conn,
                peer,
                id,
                request: &request,
            },
        );
        self.transmit(index, end, Payload::Request(id, request.into()), fate);
    }

    /// A process sends a response.
    pub(super) fn send_response(
        &mut self,
        host: u32,
        conn: ConnId,
        id: RequestId,
        mut response: Response,
    ) {
        let Some((index, end, peer)) = self.usable(host, conn) else {
            return;
        };
        let mut fate = Fate::default();
        if self.net.track_kinds || !self.net.rules.is_empty() {
            let net = &mut self.net;
            let entry = net.conns.get_mut(index).filter(|_| net.track_kinds);
            let kind = entry.map(|entry| entry.ways[1 - end].take_kind(id));
            let subject =
                Subject::Response(kind.unwrap_or(distro_core::message::MessageKind::Unknown));
            let bytes = || size::response(&response);
            fate = net
                .rules
                .fate(&mut net.faults, self.now, (host, peer), subject, &bytes);
        }
        self.see(
            host,
            Seen::ResponseSent {
                conn,
                peer: HostId(peer),
                id,
                response: &response,
            },
        );
        if size::response_over(&response, self.net.message_bytes_max) {
            response = Response::error(code::FAIL, "RESOURCE_EXHAUSTED: message is too large");
            debug_assert!(matches!(response.body, ResponseBody::Error));
        }
        self.transmit(index, end, Payload::Response(id, response), fate);
    }

    /// A process closes a connection.
    pub(super) fn close(&mut self, host: u32, conn: ConnId, reason: Option<CloseReason>) {
        let Some((index, end)) = self.hosts[host].conn(conn) else {
            return;
        };
        let Some(entry) = self.net.conns.get_mut(index) else {
            return;
        };
        let peer = HostId(entry.ends[1 - end].host);
        let open = entry.ends[end].state == EndState::Open;
        entry.ends[end].state = EndState::Closed;
        self.see(host, Seen::Close { conn, peer, reason });
        if open {
            self.net.drop_waiting(index, end);
            self.control(index, end, Payload::Fin);
        }
        self.forget(host, conn);
    }

    /// Sends a message that has this fate.
    fn transmit(&mut self, conn: u32, from: usize, payload: Payload, fate: Fate) {
        if fate.vanish || self.net.loses() {
            return;
        }
        let payload = if fate.corrupt {
            corrupted(payload)
        } else {
            payload
        };
        if fate.duplicate {
            self.schedule(conn, from, payload.clone(), fate);
            let once_more = self.net.latency();
            let late = Fate {
                within: fate.within.max(once_more),
                ..fate
            };
            self.schedule(conn, from, payload, late);
        } else {
            self.schedule(conn, from, payload, fate);
        }
    }

    /// Sends a segment of the transport itself.
    pub(super) fn control(&mut self, conn: u32, from: usize, payload: Payload) {
        let mut fate = Fate::default();
        if !self.net.rules.is_empty() {
            let Some(entry) = self.net.conns.get(conn) else {
                return;
            };
            let pair = entry.pair(from);
            let net = &mut self.net;
            fate = net
                .rules
                .fate(&mut net.faults, self.now, pair, Subject::Transport, &|| 0);
            if payload.is_handshake() {
                if fate.hold || fate.vanish {
                    return;
                }
            } else if fate.vanish {
                fate.delay = fate.delay.saturating_add(net.retransmission());
            }
        }
        self.schedule(conn, from, payload, fate);
    }

    /// Plans a segment's arrival, or lets it wait.
    pub(super) fn schedule(&mut self, conn: u32, from: usize, payload: Payload, fate: Fate) {
        let net = &mut self.net;
        let delay = net.latency().saturating_add(fate.delay);
        let Some(entry) = net.conns.get(conn) else {
            return;
        };
        let way = &entry.ways[from];
        if way.dead {
            return;
        }
        let waits = fate.hold || !way.held.is_empty();
        let last_of_all = matches!(payload, Payload::Fin | Payload::Rst);
        let segment = net.insert(conn, from, payload);
        if net.segments.len() > SEGMENTS_MAX {
            self.fail(format!("more than {SEGMENTS_MAX} messages are under way"));
            return;
        }
        if waits {
            net.hold(conn, from, segment);
            return;
        }
        let Some(entry) = net.conns.get_mut(conn) else {
            return;
        };
        let way = &mut entry.ways[from];
        let mut at = self.now.saturating_add(delay).max(way.last);
        if last_of_all {
            at = at.max(way.tail);
        }
        way.last = at;
        if fate.within > 0 {
            at = at.saturating_add(net.faults.below(fate.within));
        }
        way.tail = way.tail.max(at);
        self.queue.push(at, Event::Arrive(segment));
    }
}

#[cfg(test)]
mod tests;
