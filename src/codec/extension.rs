//! What only our own nodes say to each other: digest verify and snapshot chunks. The keys lie
//! beside Nacos's own, where a Java node ignores them.

use std::sync::Arc;

use distro_core::ids::{ClientId, Incarnation, NodeId, Str};
use distro_core::message::distro::{
    Digest, DigestAnswer, DigestRound, DigestVerify, GivenUp, SnapshotChunk, SnapshotChunkRequest,
    SnapshotEntry, SnapshotScope, Word,
};
use distro_core::message::naming::ServiceKey;
use distro_core::time::Period;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::distro::OriginWire;
use super::from_json;
use super::sync::{SyncIn, SyncOut, signed, unsigned};

/// Sum and count, as a pair.
type DigestPair = (u64, u64);

const fn pair(digest: Digest) -> DigestPair {
    (digest.sum, digest.count)
}

const fn digest((sum, count): DigestPair) -> Digest {
    Digest { sum, count }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DigestWire {
    origin: OriginWire,
    #[serde(flatten)]
    round: RoundWire,
    #[serde(default)]
    clock: Word,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    given_up: Vec<GivenUpWire>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GivenUpWire {
    #[serde(flatten)]
    service: ServiceKey,
    ip: Str,
    port: i32,
    cluster: Str,
    word: Word,
    /// Microseconds.
    remaining: Period,
}

impl From<&GivenUp> for GivenUpWire {
    fn from(given_up: &GivenUp) -> GivenUpWire {
        let GivenUp {
            service,
            ip,
            port,
            cluster,
            word,
            remaining,
        } = given_up.clone();
        GivenUpWire {
            service,
            ip,
            port,
            cluster,
            word,
            remaining,
        }
    }
}

impl From<GivenUpWire> for GivenUp {
    fn from(wire: GivenUpWire) -> GivenUp {
        GivenUp {
            service: wire.service,
            ip: wire.ip,
            port: wire.port,
            cluster: wire.cluster,
            word: wire.word,
            remaining: wire.remaining,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum RoundWire {
    Whole(DigestPair),
    Leaves(Vec<(u16, DigestPair)>),
}

impl From<&DigestVerify> for DigestWire {
    fn from(verify: &DigestVerify) -> DigestWire {
        let round = match &verify.round {
            DigestRound::Whole(whole) => RoundWire::Whole(pair(*whole)),
            DigestRound::Leaves(leaves) => RoundWire::Leaves(
                leaves
                    .iter()
                    .map(|(leaf, sum)| (*leaf, pair(*sum)))
                    .collect(),
            ),
        };
        DigestWire {
            origin: (&verify.origin).into(),
            round,
            clock: verify.clock,
            given_up: verify.given_up.iter().map(GivenUpWire::from).collect(),
        }
    }
}

impl From<DigestWire> for DigestVerify {
    fn from(wire: DigestWire) -> DigestVerify {
        let round = match wire.round {
            RoundWire::Whole(whole) => DigestRound::Whole(digest(whole)),
            RoundWire::Leaves(leaves) => DigestRound::Leaves(
                leaves
                    .into_iter()
                    .map(|(leaf, sum)| (leaf, digest(sum)))
                    .collect(),
            ),
        };
        DigestVerify {
            origin: wire.origin.into(),
            round,
            clock: wire.clock,
            given_up: wire.given_up.into_iter().map(GivenUp::from).collect(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum AnswerWire {
    Match,
    Branches(Vec<(u8, DigestPair)>),
    Entries {
        leaves: Vec<u16>,
        held: Vec<(ClientId, i64)>,
    },
    Superseded(Incarnation),
}

impl From<&DigestAnswer> for AnswerWire {
    fn from(answer: &DigestAnswer) -> AnswerWire {
        match answer {
            DigestAnswer::Match => AnswerWire::Match,
            DigestAnswer::Branches(branches) => AnswerWire::Branches(
                branches
                    .iter()
                    .map(|(branch, sum)| (*branch, pair(*sum)))
                    .collect(),
            ),
            DigestAnswer::Entries { leaves, held } => AnswerWire::Entries {
                leaves: leaves.clone(),
                held: held
                    .iter()
                    .map(|(client, revision)| (client.clone(), signed(*revision)))
                    .collect(),
            },
            DigestAnswer::Superseded(incarnation) => AnswerWire::Superseded(*incarnation),
        }
    }
}

impl From<AnswerWire> for DigestAnswer {
    fn from(wire: AnswerWire) -> DigestAnswer {
        match wire {
            AnswerWire::Match => DigestAnswer::Match,
            AnswerWire::Branches(branches) => DigestAnswer::Branches(
                branches
                    .into_iter()
                    .map(|(branch, sum)| (branch, digest(sum)))
                    .collect(),
            ),
            AnswerWire::Entries { leaves, held } => DigestAnswer::Entries {
                leaves,
                held: held
                    .into_iter()
                    .map(|(client, revision)| (client, unsigned(revision)))
                    .collect(),
            },
            AnswerWire::Superseded(incarnation) => DigestAnswer::Superseded(incarnation),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChunkRequestWire {
    requester: OriginWire,
    scope: ScopeWire,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<ClientId>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum ScopeWire {
    Owned,
    Held(Vec<NodeId>),
}

impl From<&SnapshotChunkRequest> for ChunkRequestWire {
    fn from(request: &SnapshotChunkRequest) -> ChunkRequestWire {
        let scope = match &request.scope {
            SnapshotScope::Owned => ScopeWire::Owned,
            SnapshotScope::Held(owners) => ScopeWire::Held(owners.clone()),
        };
        let requester = (&request.requester).into();
        ChunkRequestWire {
            requester,
            scope,
            after: request.after.clone(),
        }
    }
}

impl From<ChunkRequestWire> for SnapshotChunkRequest {
    fn from(wire: ChunkRequestWire) -> SnapshotChunkRequest {
        let scope = match wire.scope {
            ScopeWire::Owned => SnapshotScope::Owned,
            ScopeWire::Held(owners) => SnapshotScope::Held(owners),
        };
        SnapshotChunkRequest {
            requester: wire.requester.into(),
            scope,
            after: wire.after,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChunkWire {
    origin: OriginWire,
    settled: bool,
    seen: Incarnation,
    entries: Vec<EntryWire>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<ClientId>,
}

/// A record's JSON, passed through as text so that one type serves both ways, and what remains
/// of its lease in microseconds.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryWire {
    data: Box<RawValue>,
    remaining_micros: u64,
}

impl From<&SnapshotChunk> for ChunkWire {
    fn from(chunk: &SnapshotChunk) -> ChunkWire {
        let entries = chunk.entries.iter().map(|entry| EntryWire {
            data: serde_json::value::to_raw_value(&SyncOut::from(&*entry.data))
                .expect("messages have text keys and plain values"),
            remaining_micros: entry.remaining.micros(),
        });
        ChunkWire {
            origin: (&chunk.origin).into(),
            settled: chunk.settled,
            seen: chunk.seen,
            entries: entries.collect(),
            next: chunk.next.clone(),
        }
    }
}

impl TryFrom<ChunkWire> for SnapshotChunk {
    type Error = Str;
    fn try_from(wire: ChunkWire) -> Result<SnapshotChunk, Str> {
        let entries = wire.entries.into_iter().map(|entry| {
            let data: SyncIn = from_json(entry.data.get().as_bytes())?;
            let remaining = Period(entry.remaining_micros);
            Ok(SnapshotEntry {
                data: Arc::new(data.try_into()?),
                remaining,
            })
        });
        Ok(SnapshotChunk {
            origin: wire.origin.into(),
            settled: wire.settled,
            seen: wire.seen,
            entries: entries.collect::<Result<_, Str>>()?,
            next: wire.next,
        })
    }
}
