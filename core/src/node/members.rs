//! The table of fellow nodes: the connection to each, its state, its life.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::ids::{ConnId, Incarnation, NodeId};
use crate::message::cluster::NodeState;
use crate::message::distro::Origin;
use crate::time::Mono;
use crate::view::PeerProof;

/// The connection to a member. Times are running time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// None; dialled again at this time.
    Down(Mono),
    /// The shell is dialling.
    Dialing,
    /// Server check sent.
    Checking(ConnId),
    /// Setup sent; given up at this time if it is not acknowledged.
    SettingUp(ConnId, Mono),
    /// Usable. Checked at this time if nothing was heard until then.
    Running(ConnId, Mono),
}

impl Link {
    pub(super) const fn conn(self) -> Option<ConnId> {
        match self {
            Link::Down(_) | Link::Dialing => None,
            Link::Checking(conn) | Link::SettingUp(conn, _) | Link::Running(conn, _) => Some(conn),
        }
    }

    pub(super) const fn due(self) -> Option<Mono> {
        match self {
            Link::Down(at) | Link::SettingUp(_, at) | Link::Running(_, at) => Some(at),
            Link::Dialing | Link::Checking(_) => None,
        }
    }
}

/// One fellow node.
#[derive(Debug)]
pub(crate) struct Fellow {
    pub(crate) state: NodeState,
    pub(super) failures: u32,
    /// A report to it has no answer yet.
    pub(super) reporting: bool,
    /// When the last report to it was sent.
    pub(super) reported: Option<Mono>,
    pub(super) link: Link,
    /// Dials since the link last ran; the back-off grows with it.
    pub(super) dials: u64,
    /// When anything was last heard on the link, and health checks unanswered since.
    pub(super) heard: Mono,
    pub(super) unanswered: u32,
    pub(crate) incarnation: Incarnation,
    /// When this node's clients were last verified with it.
    pub(super) verified: Mono,
    /// Up to where it knows of places that were given up, and will with the verify under way.
    pub(super) told: u64,
    pub(super) telling: u64,
    /// It answered the setup with the `distro` ability.
    pub(super) distro: bool,
    /// What verify has found with it so far.
    pub(crate) proof: PeerProof,
}

/// All fellow nodes, in address order.
#[derive(Debug)]
pub(crate) struct Members {
    pub(super) table: BTreeMap<NodeId, Fellow>,
    pub(super) conns: BTreeMap<ConnId, NodeId>,
    /// Whose turn it was for a report.
    pub(super) reported: Option<NodeId>,
    /// The earliest `Link::due`; kept so that no input has to look at all members.
    pub(super) next: Option<Mono>,
}

impl Members {
    pub(crate) fn new(peers: &[NodeId]) -> Members {
        let mut members = Members {
            table: BTreeMap::new(),
            conns: BTreeMap::new(),
            reported: None,
            next: None,
        };
        for peer in peers {
            members.add(peer, Mono(0));
        }
        members
    }

    pub(super) fn add(&mut self, peer: &NodeId, now: Mono) {
        let fellow = Fellow {
            // Nacos: a member is taken for UP until a report to it fails.
            state: NodeState::Up,
            failures: 0,
            reporting: false,
            reported: None,
            link: Link::Down(now),
            dials: 0,
            heard: now,
            unanswered: 0,
            incarnation: Incarnation(0),
            verified: now,
            told: 0,
            telling: 0,
            distro: false,
            proof: PeerProof::default(),
        };
        self.table.entry(peer.clone()).or_insert(fellow);
        self.update_next();
    }

    pub(super) fn update_next(&mut self) {
        self.next = self
            .table
            .values()
            .filter_map(|fellow| fellow.link.due())
            .min();
    }

    pub(super) fn set_link(&mut self, peer: &NodeId, link: Link) {
        let Some(fellow) = self.table.get_mut(peer) else {
            return;
        };
        if let Some(conn) = fellow.link.conn() {
            self.conns.remove(&conn);
        }
        if let Some(conn) = link.conn() {
            self.conns.insert(conn, peer.clone());
        }
        fellow.link = link;
        self.update_next();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(crate) fn contains(&self, peer: &NodeId) -> bool {
        self.table.contains_key(peer)
    }

    pub(crate) fn ids(&self) -> Vec<NodeId> {
        self.table.keys().cloned().collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Fellow)> {
        self.table.iter()
    }

    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        self.next
    }

    /// True when the transport is one that this node opened to a member.
    pub(crate) fn knows(&self, conn: ConnId) -> bool {
        self.conns.contains_key(&conn)
    }

    pub(crate) fn heard(&mut self, conn: ConnId, now: Mono) {
        let Some(peer) = self.conns.get(&conn) else {
            return;
        };
        if let Some(fellow) = self.table.get_mut(peer) {
            fellow.heard = now;
            fellow.unanswered = 0;
        }
    }

    /// The usable connection to a member.
    pub(crate) fn running_conn(&self, peer: &NodeId) -> Option<ConnId> {
        match self.table.get(peer)?.link {
            Link::Running(conn, _) => Some(conn),
            Link::Down(_) | Link::Dialing | Link::Checking(_) | Link::SettingUp(..) => None,
        }
    }

    /// The usable connection to a member that is UP: where syncs and verifies may go.
    pub(crate) fn reachable_conn(&self, peer: &NodeId) -> Option<ConnId> {
        let fellow = self.table.get(peer)?;
        if fellow.state == NodeState::Up {
            self.running_conn(peer)
        } else {
            None
        }
    }

    /// What verify has found with a member, to count on; `None` when it left the list.
    pub(crate) fn proof_mut(&mut self, peer: &NodeId) -> Option<&mut PeerProof> {
        self.table.get_mut(peer).map(|fellow| &mut fellow.proof)
    }

    pub(crate) fn speaks_distro(&self, peer: &NodeId) -> bool {
        self.table.get(peer).is_some_and(|fellow| fellow.distro)
    }

    /// The latest life of a member that was heard of.
    pub(crate) fn incarnation(&self, peer: &NodeId) -> Incarnation {
        self.table
            .get(peer)
            .map_or(Incarnation(0), |fellow| fellow.incarnation)
    }

    /// Notes a member's life. True when it is a later one than known.
    pub(crate) fn note_incarnation(&mut self, origin: &Origin) -> bool {
        let Some(fellow) = self.table.get_mut(&origin.node) else {
            return false;
        };
        let is_later = origin.incarnation > fellow.incarnation;
        if is_later {
            fellow.incarnation = origin.incarnation;
        }
        is_later
    }
}

impl Fellow {
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.link, Link::Running(..))
    }
}
