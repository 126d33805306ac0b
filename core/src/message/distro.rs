//! Replication between nodes.
//!
//! A Nacos peer gets plain Nacos: CHANGE, DELETE and one VERIFY per client, no incarnation. Our
//! own nodes, who recognise each other by the `distro` ability, add the owner's incarnation to
//! every record, verify by digest and load snapshots in chunks.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::{ClientId, Incarnation, NodeId, Revision, Str};
use crate::message::MessageKind;
use crate::message::naming::{Instance, Published, ServiceKey};
use crate::time::Period;

/// The owner of a record and the life of it that vouches for the record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The node that the client is, or was, connected to.
    pub node: NodeId,
    /// The life of that node in which it was connected.
    pub incarnation: Incarnation,
}

/// When a claim to a place was made, on the owners' common clock: of two claims to one place the
/// higher word wins (docs/PROTOCOL.md, Places). 0: its owner does not say, as no Java node does.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Word(pub u64);

/// One client's whole record (Nacos `ClientSyncData`). Immutable: a change makes a new one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientSyncData {
    /// Whose record.
    pub client: ClientId,
    /// Who vouches for it; absent on the wire of a Nacos peer.
    pub origin: Option<Origin>,
    /// Version under its owner.
    pub revision: Revision,
    /// Everything the client publishes, in service order.
    pub services: Vec<(ServiceKey, Published)>,
    /// When each of them was said, in the same order; empty in the record of a Nacos peer.
    pub words: Vec<Word>,
}

impl ClientSyncData {
    /// What the client publishes for a service, with the key as this record has it.
    pub fn entry(&self, service: &ServiceKey) -> Option<&(ServiceKey, Published)> {
        let services = &self.services;
        let at = services.binary_search_by(|(key, _)| key.cmp(service));
        Some(&services[at.ok()?])
    }

    /// What the client publishes for a service, and when that was said.
    pub fn claim(&self, service: &ServiceKey) -> Option<(&Published, Word)> {
        let at = self.services.binary_search_by(|(key, _)| key.cmp(service));
        let at = at.ok()?;
        Some((&self.services[at].1, self.word(at)))
    }

    /// When the service at this position was published.
    pub fn word(&self, at: usize) -> Word {
        self.words.get(at).copied().unwrap_or_default()
    }

    /// About how many bytes the record takes on a wire: its texts plus a flat rate for keys and
    /// punctuation. The JSON form is within a factor of three of it.
    pub fn bytes_estimate(&self) -> u64 {
        let of_instance = |instance: &Instance| {
            let metadata: usize = instance
                .metadata
                .iter()
                .map(|(key, value)| key.len() + value.len() + 6)
                .sum();
            let id = instance.instance_id.as_ref().map_or(0, |id| id.len());
            120 + instance.ip.len() + instance.cluster_name.len() + id + metadata
        };
        let of_service = |(key, published): &(ServiceKey, Published)| {
            let names = key.namespace.len() + key.group.len() + key.name.len();
            let instances: usize = published
                .instances()
                .iter()
                .map(|instance| of_instance(instance))
                .sum();
            10 + names + instances
        };
        let services: usize = self.services.iter().map(of_service).sum();
        (150 + self.client.as_str().len() + services) as u64
    }
}

/// Nacos `DistroDataRequest`, one variant per `DataOperation`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DistroDataRequest {
    /// CHANGE: the owner's client changed.
    Change(Arc<ClientSyncData>),
    /// ADD: the receiver's verify failed; same content and effect as a CHANGE. Java applies it
    /// but sends CHANGE in its place, and so do we towards a Java peer.
    Add(Arc<ClientSyncData>),
    /// DELETE: the owner's client is gone. Nothing created earlier may bring it back.
    Delete(ClientId, Option<Origin>),
    /// VERIFY as Nacos has it: one client, equal revisions renew its lease.
    Verify(ClientId, Revision),
    /// VERIFY between our own nodes: see [`DigestVerify`].
    Digest(Box<DigestVerify>),
    /// SNAPSHOT as Nacos has it: everything, in one message.
    Snapshot,
    /// SNAPSHOT between our own nodes, a chunk at a time.
    SnapshotChunk(Box<SnapshotChunkRequest>),
    /// QUERY: one client's record.
    Query(ClientId),
}

/// Nacos `DataOperation`: what a [`DistroDataRequest`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A record, because the receiver's verify failed.
    Add,
    /// A record, because it changed.
    Change,
    /// A record is gone.
    Delete,
    /// What the receiver has is compared.
    Verify,
    /// Everything is asked for.
    Snapshot,
    /// One record is asked for.
    Query,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 6] = [
        Operation::Add,
        Operation::Change,
        Operation::Delete,
        Operation::Verify,
        Operation::Snapshot,
        Operation::Query,
    ];

    /// Nacos's name.
    pub const fn name(self) -> &'static str {
        match self {
            Operation::Add => "ADD",
            Operation::Change => "CHANGE",
            Operation::Delete => "DELETE",
            Operation::Verify => "VERIFY",
            Operation::Snapshot => "SNAPSHOT",
            Operation::Query => "QUERY",
        }
    }

    /// The operation with this name.
    pub fn from_name(name: &str) -> Option<Operation> {
        Operation::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The message kind that faults filter on.
    pub const fn kind(self) -> MessageKind {
        match self {
            Operation::Add => MessageKind::Add,
            Operation::Change => MessageKind::Change,
            Operation::Delete => MessageKind::Delete,
            Operation::Verify => MessageKind::Verify,
            Operation::Snapshot => MessageKind::Snapshot,
            Operation::Query => MessageKind::DistroQuery,
        }
    }
}

impl DistroDataRequest {
    /// What it does.
    pub const fn operation(&self) -> Operation {
        match self {
            DistroDataRequest::Change(_) => Operation::Change,
            DistroDataRequest::Add(_) => Operation::Add,
            DistroDataRequest::Delete(..) => Operation::Delete,
            DistroDataRequest::Verify(..) | DistroDataRequest::Digest(_) => Operation::Verify,
            DistroDataRequest::Snapshot | DistroDataRequest::SnapshotChunk(_) => {
                Operation::Snapshot
            }
            DistroDataRequest::Query(_) => Operation::Query,
        }
    }
}

/// A digest of all records of one owner: constant size however many there are.
///
/// It is the sum and the count of the records' hashes, so it is independent of order and each
/// change updates it in constant time. A record's hash covers client id and revision; the
/// incarnation is compared on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Digest {
    /// Wrapping sum of the records' hashes.
    pub sum: u64,
    /// How many records.
    pub count: u64,
}

/// VERIFY by digest. Round one compares the whole; each further round narrows down to the leaves
/// that differ, so bytes are proportional to the difference.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DigestVerify {
    /// The sender, who owns the records.
    pub origin: Origin,
    /// Which round.
    pub round: DigestRound,
    /// The sender's clock of words.
    pub clock: Word,
    /// Places that were given up while a member was away, and that the receiver may not know of.
    pub given_up: Vec<GivenUp>,
}

/// A place that an application gave up while a member was away: what that member's records claim
/// there is not listed any more, unless it was said later.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GivenUp {
    /// The service.
    pub service: ServiceKey,
    /// The instance's ip.
    pub ip: Str,
    /// The instance's port.
    pub port: i32,
    /// The instance's cluster.
    pub cluster: Str,
    /// The claim that was given up was said then.
    pub word: Word,
    /// How long it has to be remembered from now on.
    pub remaining: Period,
}

/// The rounds of a [`DigestVerify`]. Records fall into 64 branches of 64 leaves by the top 12
/// bits of their client id's hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DigestRound {
    /// The digest of all records. Answered with [`DigestAnswer::Match`] or the branches' digests.
    Whole(Digest),
    /// The owner's leaf digests inside the branches that differ. Answered with the entries that
    /// the receiver holds in every leaf that differs.
    Leaves(Vec<(u16, Digest)>),
}

/// The answer to a [`DigestVerify`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DigestAnswer {
    /// Everything is equal.
    Match,
    /// The receiver's digest of each non-empty branch, in branch order.
    Branches(Vec<(u8, Digest)>),
    /// The receiver's records in the leaves that differ, and which leaves those are. What the
    /// owner has there and the receiver lacks is sent as ADD, what it no longer has as DELETE.
    Entries {
        /// The leaves that differ.
        leaves: Vec<u16>,
        /// The receiver's records in them.
        held: Vec<(ClientId, Revision)>,
    },
    /// The receiver knows a later life of this owner: the sender is a ghost and must stop.
    Superseded(Incarnation),
}

/// Asks for one chunk of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SnapshotChunkRequest {
    /// The node that is loading.
    pub requester: Origin,
    /// What is wanted.
    pub scope: SnapshotScope,
    /// Continue after this client; absent for the first chunk.
    pub after: Option<ClientId>,
}

/// What a snapshot covers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SnapshotScope {
    /// The records that the answering node owns.
    Owned,
    /// The records it holds for owners that the requester could not reach, and those of the
    /// requester's own earlier lives.
    Held(Vec<NodeId>),
}

/// One chunk of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SnapshotChunk {
    /// The answering node.
    pub origin: Origin,
    /// False while the answering node itself is still loading: what it owns is complete (nothing),
    /// what it holds is not.
    pub settled: bool,
    /// The highest incarnation of the requester that the answering node has seen. A requester
    /// whose wall clock went back takes a higher one before it becomes ready.
    pub seen: Incarnation,
    /// Records with what remains of their lease.
    pub entries: Vec<SnapshotEntry>,
    /// Ask again after this client; absent when this was the last chunk.
    pub next: Option<ClientId>,
}

/// One record of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SnapshotEntry {
    /// The record.
    pub data: Arc<ClientSyncData>,
    /// How long it may still live unheard of; the full lease for what the sender owns.
    pub remaining: Period,
}

/// Nacos `DistroDataResponse`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum DistroDataResponse {
    /// No content: to CHANGE, ADD, DELETE, VERIFY, and to a QUERY for an unknown client.
    #[default]
    Done,
    /// To [`DistroDataRequest::Digest`].
    Digest(DigestAnswer),
    /// To [`DistroDataRequest::Snapshot`].
    Snapshot(Vec<Arc<ClientSyncData>>),
    /// To [`DistroDataRequest::SnapshotChunk`].
    Chunk(Box<SnapshotChunk>),
    /// To [`DistroDataRequest::Query`].
    Client(Arc<ClientSyncData>),
}
