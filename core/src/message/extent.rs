//! How big a message is: how much of it repeats, and about how many bytes it takes on a wire.
//! Messages pass as structs between the core and the `event` world, so limits and bandwidth go by
//! this estimate of their JSON.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::cluster::{LoaderMetrics, Member, ServerReloadRequest};
use super::distro::{
    ClientSyncData, DigestAnswer, DigestRound, DistroDataRequest, DistroDataResponse,
};
use super::fuzzy::{
    NamingFuzzyWatchChangeNotifyRequest, NamingFuzzyWatchRequest, NamingFuzzyWatchSyncRequest,
};
use super::internal::{
    ConnectResetRequest, ConnectionSetupRequest, ServerCheckResponse, SetupAckRequest,
};
use super::naming::{
    BatchInstanceRequest, Instance, InstanceOperation, InstanceRequest, ServiceInfo, ServiceKey,
    ServiceListRequest, ServiceListResponse, ServiceQueryRequest, SubscribeServiceRequest,
};
use crate::ids::Str;

/// Bytes of a request that is always small.
pub(super) const SMALL_REQUEST: u64 = 100;
/// Bytes of an answer that is always small.
pub(super) const SMALL_ANSWER: u64 = 50;
/// JSON keys and punctuation of one instance.
const INSTANCE_FRAME: u64 = 180;
/// JSON keys and punctuation of one service key.
const SERVICE_FRAME: u64 = 50;
/// JSON keys and punctuation of one client record.
const RECORD_FRAME: u64 = 120;
/// One digest entry.
const DIGEST_ENTRY: u64 = 40;

/// The size of a message's content.
pub(super) trait Extent {
    /// How many instances, names, records and digest entries it has. Zero for what is always small.
    fn parts(&self) -> u64 {
        0
    }

    /// About how many bytes it takes; `small` for what is always small.
    fn bytes(&self, small: u64) -> u64 {
        small
    }
}

const fn count(parts: usize) -> u64 {
    parts as u64
}

const fn len(text: &str) -> u64 {
    text.len() as u64
}

fn instance(instance: &Instance) -> u64 {
    let metadata: u64 = instance
        .metadata
        .iter()
        .map(|(key, value)| len(key) + len(value) + 6)
        .sum();
    let optional = |text: &Option<Str>| text.as_ref().map_or(0, |text| len(text));
    INSTANCE_FRAME
        + len(&instance.ip)
        + len(&instance.cluster_name)
        + optional(&instance.instance_id)
        + optional(&instance.service_name)
        + metadata
}

fn service(key: &ServiceKey) -> u64 {
    SERVICE_FRAME + len(&key.namespace) + len(&key.group) + len(&key.name)
}

impl<T: Extent> Extent for Box<T> {
    fn parts(&self) -> u64 {
        (**self).parts()
    }
    fn bytes(&self, small: u64) -> u64 {
        (**self).bytes(small)
    }
}

impl<T: Extent> Extent for Arc<T> {
    fn parts(&self) -> u64 {
        (**self).parts()
    }
    fn bytes(&self, small: u64) -> u64 {
        (**self).bytes(small)
    }
}

/// What is absent has no size.
impl<T: Extent> Extent for Option<T> {
    fn parts(&self) -> u64 {
        self.as_ref().map_or(0, T::parts)
    }
    fn bytes(&self, small: u64) -> u64 {
        self.as_ref().map_or(0, |content| content.bytes(small))
    }
}

impl Extent for ConnectionSetupRequest {}
impl Extent for SetupAckRequest {}
impl Extent for ConnectResetRequest {}
impl Extent for ServerReloadRequest {}
impl Extent for SubscribeServiceRequest {}
impl Extent for ServiceQueryRequest {}
impl Extent for ServiceListRequest {}
impl Extent for Member {}
impl Extent for ServerCheckResponse {}
impl Extent for LoaderMetrics {}
impl Extent for InstanceOperation {}

impl Extent for InstanceRequest {
    fn parts(&self) -> u64 {
        1
    }
    fn bytes(&self, _: u64) -> u64 {
        service(&self.service) + instance(&self.instance)
    }
}

impl Extent for BatchInstanceRequest {
    fn parts(&self) -> u64 {
        count(self.instances.len())
    }
    fn bytes(&self, _: u64) -> u64 {
        service(&self.service) + self.instances.iter().map(instance).sum::<u64>()
    }
}

impl Extent for ServiceInfo {
    fn parts(&self) -> u64 {
        count(self.hosts.len())
    }
    fn bytes(&self, _: u64) -> u64 {
        service(&self.service) + self.hosts.iter().map(|one| instance(one)).sum::<u64>()
    }
}

impl Extent for ServiceListResponse {
    fn parts(&self) -> u64 {
        count(self.service_names.len())
    }
    fn bytes(&self, _: u64) -> u64 {
        self.service_names.iter().map(|name| len(name) + 3).sum()
    }
}

impl Extent for NamingFuzzyWatchRequest {
    fn parts(&self) -> u64 {
        count(self.received.len())
    }
    fn bytes(&self, _: u64) -> u64 {
        len(&self.pattern) + self.received.iter().map(service).sum::<u64>()
    }
}

impl Extent for NamingFuzzyWatchSyncRequest {
    fn parts(&self) -> u64 {
        count(self.contexts.len())
    }
    fn bytes(&self, _: u64) -> u64 {
        let told = self.contexts.iter();
        len(&self.pattern) + told.map(|(key, _)| service(key) + 50).sum::<u64>()
    }
}

impl Extent for NamingFuzzyWatchChangeNotifyRequest {
    fn parts(&self) -> u64 {
        1
    }
    fn bytes(&self, small: u64) -> u64 {
        service(&self.service) + small
    }
}

impl Extent for ClientSyncData {
    fn parts(&self) -> u64 {
        let published = self.services.iter();
        let instances = published.map(|(_, published)| count(published.instances().len()));
        1 + instances.sum::<u64>()
    }
    fn bytes(&self, _: u64) -> u64 {
        let services = self.services.iter().map(|(key, published)| {
            let instances = published.instances().iter();
            service(key) + instances.map(|one| instance(one)).sum::<u64>()
        });
        RECORD_FRAME + len(self.client.as_str()) + services.sum::<u64>()
    }
}

impl Extent for DistroDataRequest {
    fn parts(&self) -> u64 {
        match self {
            DistroDataRequest::Change(data) | DistroDataRequest::Add(data) => data.parts(),
            DistroDataRequest::Digest(verify) => match &verify.round {
                DigestRound::Whole(_) => 1,
                DigestRound::Leaves(leaves) => count(leaves.len()),
            },
            DistroDataRequest::Delete(..)
            | DistroDataRequest::Verify(..)
            | DistroDataRequest::Snapshot
            | DistroDataRequest::SnapshotChunk(_)
            | DistroDataRequest::Query(_) => 0,
        }
    }
    fn bytes(&self, small: u64) -> u64 {
        match self {
            DistroDataRequest::Change(data) | DistroDataRequest::Add(data) => data.bytes(small),
            DistroDataRequest::Digest(verify) => match &verify.round {
                DigestRound::Whole(_) => small,
                DigestRound::Leaves(leaves) => small + DIGEST_ENTRY * count(leaves.len()),
            },
            DistroDataRequest::Delete(..)
            | DistroDataRequest::Verify(..)
            | DistroDataRequest::Snapshot
            | DistroDataRequest::SnapshotChunk(_)
            | DistroDataRequest::Query(_) => small,
        }
    }
}

impl Extent for DistroDataResponse {
    fn parts(&self) -> u64 {
        match self {
            DistroDataResponse::Done => 0,
            DistroDataResponse::Digest(answer) => match answer {
                DigestAnswer::Match | DigestAnswer::Superseded(_) => 0,
                DigestAnswer::Branches(branches) => count(branches.len()),
                DigestAnswer::Entries { leaves, held } => count(leaves.len() + held.len()),
            },
            DistroDataResponse::Snapshot(records) => records.iter().map(Extent::parts).sum(),
            DistroDataResponse::Chunk(chunk) => {
                chunk.entries.iter().map(|entry| entry.data.parts()).sum()
            }
            DistroDataResponse::Client(data) => data.parts(),
        }
    }
    fn bytes(&self, small: u64) -> u64 {
        match self {
            DistroDataResponse::Done => 0,
            DistroDataResponse::Digest(answer) => match answer {
                DigestAnswer::Match | DigestAnswer::Superseded(_) => 20,
                DigestAnswer::Branches(branches) => DIGEST_ENTRY * count(branches.len()),
                DigestAnswer::Entries { leaves, held } => {
                    let entries = held
                        .iter()
                        .map(|(client, _)| len(client.as_str()) + DIGEST_ENTRY);
                    6 * count(leaves.len()) + entries.sum::<u64>()
                }
            },
            DistroDataResponse::Snapshot(records) => {
                records.iter().map(|data| data.bytes(small)).sum()
            }
            DistroDataResponse::Chunk(chunk) => {
                let entries = chunk.entries.iter();
                RECORD_FRAME + entries.map(|e| e.data.bytes(small) + 20).sum::<u64>()
            }
            DistroDataResponse::Client(data) => data.bytes(small),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_counts() {
        let mut rich = Instance::new("10.1.0.1", 8080);
        let plain = instance(&rich);
        let value = Str::from("v".repeat(1_000));
        rich.metadata.insert(Str::from("k"), value);
        assert!(instance(&rich) > plain + 1_000);
    }
}
