//! A simulated TCP connection: two ends, two directions, each in order.

use std::collections::VecDeque;

use distro_core::ids::{NodeId, RequestId};
use distro_core::message::{MessageKind, Received, Response};

/// Requests whose kind is remembered per direction, so that a fault on a kind also finds the
/// response. Why: far more than any machine has under way; beyond it the oldest is forgotten.
const KINDS_TRACKED_MAX: usize = 4096;

/// The host index of an address that no host has.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// What travels.
#[derive(Debug, Clone)]
pub(crate) enum Payload {
    /// May I connect?
    Syn,
    /// Yes.
    SynAck,
    /// Then we are connected.
    Ack,
    /// Nobody listens.
    Refused,
    /// The sender is done.
    Fin,
    /// The sender does not know this connection.
    Rst,
    /// A request.
    Request(RequestId, Received),
    /// A response.
    Response(RequestId, Response),
}

impl Payload {
    /// True for what is simply lost where a later segment would be sent again.
    pub(crate) const fn is_handshake(&self) -> bool {
        match self {
            Payload::Syn | Payload::SynAck | Payload::Refused => true,
            Payload::Ack
            | Payload::Fin
            | Payload::Rst
            | Payload::Request(..)
            | Payload::Response(..) => false,
        }
    }
}

/// A payload under way.
#[derive(Debug)]
pub(crate) struct Segment {
    /// On which connection.
    pub(crate) conn: u32,
    /// From which of its ends.
    pub(crate) from: u8,
    /// Goes up with every segment that is sent.
    pub(crate) order: u64,
    /// What.
    pub(crate) payload: Payload,
}

/// What an end is up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndState {
    /// Not there yet: the acceptor before a SYN.
    Idle,
    /// The dialler, waiting for an answer.
    Dialing,
    /// The acceptor, waiting for the dialler's confirmation.
    Accepting,
    /// Usable.
    Open,
    /// Over at this end.
    Closed,
}

/// One end.
#[derive(Debug)]
pub(crate) struct End {
    /// Its host, or [`NOWHERE`].
    pub(crate) host: u32,
    /// The process's number for the connection, once there is one.
    pub(crate) id: u64,
    /// Its state.
    pub(crate) state: EndState,
}

/// What one end sends to the other.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    /// When the latest segment that keeps its order arrives.
    pub(crate) last: u64,
    /// When the latest segment of all arrives.
    pub(crate) tail: u64,
    /// Segments that wait for a partition to heal, with their order.
    pub(crate) held: VecDeque<(u64, u32)>,
    /// Nothing arrives any more, for good.
    pub(crate) dead: bool,
    /// Something was sent to a host without power and will be sent again.
    pub(crate) unacked: bool,
    kinds: VecDeque<(RequestId, MessageKind)>,
}

impl Direction {
    /// Lets a segment wait. What was under way when a partition began comes in after what was
    /// sent into it, so each goes to its own place.
    pub(crate) fn hold(&mut self, order: u64, segment: u32) {
        let later = self
            .held
            .iter()
            .rev()
            .take_while(|(other, _)| *other > order)
            .count();
        self.held.insert(self.held.len() - later, (order, segment));
    }

    /// Remembers a request's kind.
    pub(crate) fn note_kind(&mut self, id: RequestId, kind: MessageKind) {
        if self.kinds.len() >= KINDS_TRACKED_MAX {
            self.kinds.pop_front();
        }
        self.kinds.push_back((id, kind));
    }

    /// The kind of the request with this number, once.
    pub(crate) fn take_kind(&mut self, id: RequestId) -> MessageKind {
        let place = self.kinds.iter().position(|(known, _)| *known == id);
        place
            .and_then(|place| self.kinds.remove(place))
            .map_or(MessageKind::Unknown, |(_, kind)| kind)
    }
}

/// One connection. End 0 dialled; direction `n` is what end `n` sends.
#[derive(Debug)]
pub(crate) struct Conn {
    /// Both ends.
    pub(crate) ends: [End; 2],
    /// Both directions.
    pub(crate) ways: [Direction; 2],
    /// The address that was dialled.
    pub(crate) target: NodeId,
    /// Who still names this connection: segments, its dial timer, processes.
    pub(crate) refs: u32,
}

impl Conn {
    /// A connection that is being dialled.
    pub(crate) fn dialing(from: u32, to: u32, target: NodeId) -> Conn {
        Conn {
            ends: [
                End {
                    host: from,
                    id: 0,
                    state: EndState::Dialing,
                },
                End {
                    host: to,
                    id: 0,
                    state: EndState::Idle,
                },
            ],
            ways: [Direction::default(), Direction::default()],
            target,
            refs: 0,
        }
    }

    /// Sender and receiver of the direction that starts at this end.
    pub(crate) const fn pair(&self, from: usize) -> (u32, u32) {
        (self.ends[from].host, self.ends[1 - from].host)
    }
}
