//! Replication between nodes: Nacos's `DistroData` with its base64 content, and what our own
//! nodes add.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use distro_core::ids::{ClientId, Incarnation, NodeId, Str};
use distro_core::message::MessageKind;
use distro_core::message::distro::{
    ClientSyncData, DistroDataRequest, DistroDataResponse, Operation, Origin,
};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::extension::{AnswerWire, ChunkRequestWire, ChunkWire, DigestWire};
use super::sync::{SyncIn, SyncOut, signed, unsigned};
use super::{Ends, NoHeaders, clipped, from_json, to_json};

/// Nacos's resource type of connection-based naming clients.
const RESOURCE_TYPE: &str = "Nacos:Naming:v2:ClientData";
/// The resource key of a whole snapshot.
const SNAPSHOT_KEY: &str = "SNAPSHOT";

/// Who vouches for a record: absent from everything a Java node sends or gets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct OriginWire {
    node: NodeId,
    incarnation: Incarnation,
}

impl From<&Origin> for OriginWire {
    fn from(origin: &Origin) -> OriginWire {
        OriginWire {
            node: origin.node.clone(),
            incarnation: origin.incarnation,
        }
    }
}

impl From<OriginWire> for Origin {
    fn from(wire: OriginWire) -> Origin {
        Origin {
            node: wire.node,
            incarnation: wire.incarnation,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyWire {
    #[serde(default)]
    resource_key: Option<Str>,
    #[serde(default)]
    resource_type: Option<Str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_server: Option<NodeId>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DataWire {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    distro_key: Option<KeyWire>,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    operation: Option<Str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// Our extension, on a DELETE, which has no content that could carry it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<OriginWire>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestWire {
    #[serde(default, skip_deserializing)]
    headers: NoHeaders,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    distro_data: Option<DataWire>,
    data_operation: Option<Str>,
    #[serde(default, skip_deserializing)]
    module: Module,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<DigestWire>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chunk: Option<ChunkRequestWire>,
}

/// The constant `module` of Distro messages.
#[derive(Default)]
struct Module;

impl Serialize for Module {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("cluster")
    }
}

/// Reads the operation of an encoded request and nothing else.
pub(super) fn operation_kind(body: &[u8]) -> MessageKind {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Peek {
        data_operation: Option<Str>,
    }
    let Ok(peek) = serde_json::from_slice::<Peek>(body) else {
        return MessageKind::Unknown;
    };
    let named = peek.data_operation.as_deref().unwrap_or("");
    Operation::from_name(named).map_or(MessageKind::Unknown, Operation::kind)
}

fn key(resource: &str, target: Option<&NodeId>) -> KeyWire {
    KeyWire {
        resource_key: Some(Str::from(resource)),
        resource_type: Some(Str::from(RESOURCE_TYPE)),
        target_server: target.cloned(),
    }
}

fn content<T: Serialize>(message: &T) -> Option<String> {
    Some(BASE64.encode(to_json(message)))
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VerifyWire {
    client_id: ClientId,
    #[serde(default)]
    revision: i64,
}

/// JSON text of a `DistroDataRequest`.
pub(super) fn encode_request(request: &DistroDataRequest, ends: &Ends) -> Vec<u8> {
    let to_peer = ends.peer.as_ref();
    let operation = request.operation().name();
    let data = |resource: &str, target, content, origin| {
        Some(DataWire {
            distro_key: Some(key(resource, target)),
            operation: Some(Str::from(operation)),
            content,
            origin,
        })
    };
    let wire = |distro_data| RequestWire {
        headers: NoHeaders::new(),
        distro_data,
        data_operation: Some(Str::from(operation)),
        module: Module,
        digest: None,
        chunk: None,
    };
    to_json(&match request {
        DistroDataRequest::Change(record) | DistroDataRequest::Add(record) => {
            let content = content(&SyncOut::from(&**record));
            wire(data(record.client.as_str(), to_peer, content, None))
        }
        DistroDataRequest::Delete(client, origin) => {
            let origin = origin.as_ref().map(OriginWire::from);
            wire(data(client.as_str(), to_peer, None, origin))
        }
        DistroDataRequest::Verify(client, revision) => {
            let verify = VerifyWire {
                client_id: client.clone(),
                revision: signed(*revision),
            };
            wire(data(client.as_str(), None, content(&verify), None))
        }
        DistroDataRequest::Query(client) => wire(data(client.as_str(), to_peer, None, None)),
        DistroDataRequest::Snapshot => wire(None),
        DistroDataRequest::Digest(verify) => RequestWire {
            digest: Some((&**verify).into()),
            ..wire(None)
        },
        DistroDataRequest::SnapshotChunk(chunk) => RequestWire {
            chunk: Some((&**chunk).into()),
            ..wire(None)
        },
    })
}

fn decoded_content(data: &DataWire) -> Result<Vec<u8>, Str> {
    let text = data
        .content
        .as_deref()
        .ok_or_else(|| Str::from("distroData has no content"))?;
    BASE64
        .decode(text)
        .map_err(|error| clipped(&format!("content: {error}")))
}

fn resource(data: &DataWire) -> Result<ClientId, Str> {
    data.distro_key
        .as_ref()
        .and_then(|key| key.resource_key.clone())
        .filter(|key| !key.is_empty())
        .map(ClientId)
        .ok_or_else(|| Str::from("distroKey has no resourceKey"))
}

fn sync_data(data: &DataWire) -> Result<Arc<ClientSyncData>, Str> {
    let wire: SyncIn = from_json(&decoded_content(data)?)?;
    Ok(Arc::new(wire.try_into()?))
}

/// A `DistroDataRequest` from its JSON text.
pub(super) fn decode_request(body: &[u8]) -> Result<DistroDataRequest, Str> {
    let wire: RequestWire = from_json(body)?;
    let data = wire
        .distro_data
        .as_ref()
        .ok_or_else(|| Str::from("no distroData"));
    let named = wire.data_operation.as_deref().unwrap_or("");
    let operation = Operation::from_name(named)
        .ok_or_else(|| clipped(&format!("unknown dataOperation {named}")))?;
    Ok(match operation {
        Operation::Change => DistroDataRequest::Change(sync_data(data?)?),
        Operation::Add => DistroDataRequest::Add(sync_data(data?)?),
        Operation::Delete => {
            let data = data?;
            DistroDataRequest::Delete(resource(data)?, data.origin.clone().map(Origin::from))
        }
        Operation::Verify => match wire.digest {
            Some(digest) => DistroDataRequest::Digest(Box::new(digest.into())),
            None => {
                let verify: VerifyWire = from_json(&decoded_content(data?)?)?;
                DistroDataRequest::Verify(verify.client_id, unsigned(verify.revision))
            }
        },
        Operation::Query => DistroDataRequest::Query(resource(data?)?),
        Operation::Snapshot => match wire.chunk {
            Some(chunk) => DistroDataRequest::SnapshotChunk(Box::new(chunk.into())),
            None => DistroDataRequest::Snapshot,
        },
    })
}

/// The typed part of a `DistroDataResponse`.
#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResponseWire {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    distro_data: Option<DataWire>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<AnswerWire>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chunk: Option<ChunkWire>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SnapshotOut<'a> {
    client_sync_data_list: Vec<SyncOut<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SnapshotIn {
    client_sync_data_list: Vec<SyncIn>,
}

pub(super) fn encode_response(response: &DistroDataResponse, ends: &Ends) -> ResponseWire {
    let data = |distro_key, content| {
        let distro_key = Some(distro_key);
        Some(DataWire {
            distro_key,
            operation: None,
            content,
            origin: None,
        })
    };
    let mut wire = ResponseWire::default();
    match response {
        DistroDataResponse::Done => {}
        DistroDataResponse::Digest(answer) => wire.digest = Some(answer.into()),
        DistroDataResponse::Chunk(chunk) => wire.chunk = Some((&**chunk).into()),
        DistroDataResponse::Snapshot(records) => {
            let list = records
                .iter()
                .map(|record| SyncOut::from(&**record))
                .collect();
            let snapshot = SnapshotOut {
                client_sync_data_list: list,
            };
            wire.distro_data = data(key(SNAPSHOT_KEY, None), content(&snapshot));
        }
        DistroDataResponse::Client(record) => {
            let key = key(record.client.as_str(), ends.me.as_ref());
            wire.distro_data = data(key, content(&SyncOut::from(&**record)));
        }
    }
    wire
}

pub(super) fn decode_response(wire: ResponseWire) -> Result<DistroDataResponse, Str> {
    if let Some(answer) = wire.digest {
        return Ok(DistroDataResponse::Digest(answer.into()));
    }
    if let Some(chunk) = wire.chunk {
        return Ok(DistroDataResponse::Chunk(Box::new(chunk.try_into()?)));
    }
    let Some(data) = wire.distro_data else {
        return Ok(DistroDataResponse::Done);
    };
    if data.content.as_deref().unwrap_or("").is_empty() {
        return Ok(DistroDataResponse::Done);
    }
    if resource(&data)?.as_str() != SNAPSHOT_KEY {
        return Ok(DistroDataResponse::Client(sync_data(&data)?));
    }
    let snapshot: SnapshotIn = from_json(&decoded_content(&data)?)?;
    let records = snapshot.client_sync_data_list.into_iter();
    let records = records.map(|record| Ok(Arc::new(record.try_into()?)));
    Ok(DistroDataResponse::Snapshot(
        records.collect::<Result<_, Str>>()?,
    ))
}
