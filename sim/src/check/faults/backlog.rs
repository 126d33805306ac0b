//! What still waits in the queues of a link of limited bandwidth when the limit has ended: until it
//! has arrived, what is sent after it on the same connections is late, and nobody can help it.

use std::collections::BTreeMap;

use distro_core::ids::{ConnId, RequestId};

use crate::observe::{Observation, Seen};
use crate::scenario::model::{HostId, Path};

use super::reach::takes;

/// A message by its sender's number for it, and whether it is a request.
type Message = (RequestId, bool);

/// The messages under way on a path.
#[derive(Debug)]
pub(super) struct Backlog {
    /// Index of the fault in the timeline.
    pub(super) index: usize,
    pub(super) path: Path,
    /// The limit has ended: what is sent from now on is not waited for.
    ended: bool,
    /// By sender, its number of the connection, and receiver: what has not arrived, with true for
    /// what was sent after the end.
    under_way: BTreeMap<(HostId, ConnId, HostId), BTreeMap<Message, bool>>,
}

impl Backlog {
    pub(super) fn new(index: usize, path: Path) -> Backlog {
        Backlog {
            index,
            path,
            ended: false,
            under_way: BTreeMap::new(),
        }
    }

    /// The limit ends. True when nothing waits.
    pub(super) fn end(&mut self) -> bool {
        self.ended = true;
        self.under_way.retain(|_, waiting| !waiting.is_empty());
        self.under_way.is_empty()
    }

    /// Takes notice of an observation. True when the limit has ended and nothing waits any more.
    pub(super) fn see(&mut self, seen: &Observation<'_>) -> bool {
        let host = seen.host;
        match seen.what {
            Seen::RequestSent { conn, peer, id, .. } => self.sent(host, conn, peer, (id, true)),
            Seen::ResponseSent { conn, peer, id, .. } => self.sent(host, conn, peer, (id, false)),
            Seen::RequestReceived { peer, id, .. } | Seen::Unhandled { peer, id, .. } => {
                self.arrived(peer, host, (id, true))
            }
            Seen::ResponseReceived { peer, id, .. } => self.arrived(peer, host, (id, false)),
            // Nothing more arrives on a connection that ended.
            Seen::Closed { conn, peer } | Seen::Close { conn, peer, .. } => {
                self.under_way.remove(&(host, conn, peer));
            }
            Seen::Stopped { .. } => self.under_way.retain(|(from, ..), _| *from != host),
            Seen::Started
            | Seen::Opened { .. }
            | Seen::Node(_)
            | Seen::Client(_)
            | Seen::Called { .. }
            | Seen::Returned { .. }
            | Seen::Began { .. }
            | Seen::Ended { .. } => {}
        }
        self.ended && self.under_way.is_empty()
    }

    fn sent(&mut self, from: HostId, conn: ConnId, to: HostId, message: Message) {
        let way = (from, conn, to);
        if self.ended {
            if let Some(waiting) = self.under_way.get_mut(&way) {
                waiting.insert(message, true);
            }
        } else if takes(&self.path, from, to, None, message.1) {
            self.under_way
                .entry(way)
                .or_default()
                .insert(message, false);
        }
    }

    /// A message arrived. One that was sent after the end shows that all before it have arrived,
    /// or never will.
    fn arrived(&mut self, from: HostId, to: HostId, message: Message) {
        let ways = (from, ConnId(0), HostId(0))..=(from, ConnId(u64::MAX), HostId(u32::MAX));
        let mut over = None;
        for (way, waiting) in self.under_way.range_mut(ways) {
            if way.2 != to {
                continue;
            }
            let Some(late) = waiting.remove(&message) else {
                continue;
            };
            let drained = late || waiting.values().all(|late| *late);
            if self.ended && drained {
                over = Some(*way);
            }
            break;
        }
        if let Some(way) = over {
            self.under_way.remove(&way);
        }
    }
}
