//! Requests of this node that have no answer yet, each with its deadline and what it was for.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::ids::{ClientId, ConnId, NodeId, RequestId, Revision};
use crate::message::fuzzy::Pattern;
use crate::message::naming::ServiceKey;
use crate::time::Mono;

/// What a request was for: everything its answer needs, so that no answer depends on what the
/// node has become meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Server check on a fresh connection to a member.
    ServerCheck(NodeId),
    /// Health check of a running connection to a member.
    HealthCheck(NodeId),
    /// Probe of an idle connection.
    Detection,
    /// Reset request of a connection that is to leave.
    Reset,
    /// Push of a service to a subscriber.
    Push(ServiceKey, ClientId),
    /// A change told to who watches names.
    FuzzyNotify(ServiceKey),
    /// A batch of the list with this serial for who watches names.
    FuzzySync(Pattern, u64),
    /// CHANGE or ADD of this revision.
    Sync(NodeId, ClientId, Revision),
    /// DELETE.
    Delete(NodeId, ClientId),
    /// VERIFY of one client, as Nacos does it.
    Verify(NodeId, ClientId),
    /// VERIFY by digest.
    Digest(NodeId),
    /// Snapshot, whole or a chunk.
    Snapshot(NodeId),
    /// Member report.
    Report(NodeId),
}

/// The requests in flight. Ids start at a random number: clients have been seen to answer on
/// another connection than they were asked on (part 12.41), and small equal ids would match.
#[derive(Debug)]
pub(crate) struct Calls {
    open: BTreeMap<(ConnId, RequestId), (Mono, Purpose)>,
    deadlines: BTreeSet<(Mono, ConnId, RequestId)>,
    next: u64,
}

impl Calls {
    pub(crate) fn new(first: u64) -> Calls {
        Calls {
            open: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            next: first & 0x7fff_ffff,
        }
    }

    pub(crate) fn open(&mut self, conn: ConnId, purpose: Purpose, deadline: Mono) -> RequestId {
        let id = self.id();
        self.open.insert((conn, id), (deadline, purpose));
        self.deadlines.insert((deadline, conn, id));
        id
    }

    /// An id for a message that expects no answer.
    pub(crate) fn id(&mut self) -> RequestId {
        self.next += 1;
        RequestId(self.next)
    }

    /// Closes a request because its answer is there. `None`: nobody asked, or it is too late.
    pub(crate) fn close(&mut self, conn: ConnId, id: RequestId) -> Option<Purpose> {
        let (deadline, purpose) = self.open.remove(&(conn, id))?;
        let known = self.deadlines.remove(&(deadline, conn, id));
        assert!(known, "every open request has its deadline");
        Some(purpose)
    }

    /// Takes one request whose time is up.
    pub(crate) fn take_overdue(&mut self, now: Mono) -> Option<(ConnId, Purpose)> {
        let (deadline, conn, id) = self.deadlines.first().copied()?;
        if deadline > now {
            return None;
        }
        self.deadlines.remove(&(deadline, conn, id));
        let (_, purpose) = self
            .open
            .remove(&(conn, id))
            .expect("every deadline has its request");
        Some((conn, purpose))
    }

    /// Takes all requests on a connection that ended, in id order.
    pub(crate) fn take_conn(&mut self, conn: ConnId) -> Vec<Purpose> {
        let ids: Vec<RequestId> = self
            .open
            .range((conn, RequestId(0))..=(conn, RequestId(u64::MAX)))
            .map(|((_, id), _)| *id)
            .collect();
        ids.into_iter()
            .filter_map(|id| self.close(conn, id))
            .collect()
    }

    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        self.deadlines.first().map(|(deadline, _, _)| *deadline)
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
}
