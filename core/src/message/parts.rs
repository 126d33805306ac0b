//! How much of a message repeats: what its size depends on, without looking at any text.

use super::distro::{
    ClientSyncData, DigestAnswer, DigestRound, DistroDataRequest, DistroDataResponse,
};
use super::{Request, ResponseBody};

const fn count(parts: usize) -> u64 {
    parts as u64
}

fn record(data: &ClientSyncData) -> u64 {
    let published = data.services.iter();
    let instances = published.map(|(_, published)| count(published.instances().len()));
    1 + instances.sum::<u64>()
}

impl Request {
    /// How many instances, names, records and digest entries it has. Zero for what is always small.
    pub fn parts(&self) -> u64 {
        match self {
            Request::BatchInstance(body) => count(body.instances.len()),
            Request::NamingFuzzyWatch(watch) => count(watch.received.len()),
            Request::NamingFuzzyWatchSync(sync) => count(sync.contexts.len()),
            Request::NotifySubscriber(list) => count(list.hosts.len()),
            Request::DistroData(DistroDataRequest::Change(data) | DistroDataRequest::Add(data)) => {
                record(data)
            }
            Request::DistroData(DistroDataRequest::Digest(verify)) => match &verify.round {
                DigestRound::Whole(_) => 1,
                DigestRound::Leaves(leaves) => count(leaves.len()),
            },
            Request::Instance(_)
            | Request::PersistentInstance(_)
            | Request::NamingFuzzyWatchChangeNotify(_)
            | Request::Unknown(_) => 1,
            Request::DistroData(
                DistroDataRequest::Delete(..)
                | DistroDataRequest::Verify(..)
                | DistroDataRequest::Snapshot
                | DistroDataRequest::SnapshotChunk(_)
                | DistroDataRequest::Query(_),
            )
            | Request::ServerCheck
            | Request::ConnectionSetup(_)
            | Request::SetupAck(_)
            | Request::HealthCheck
            | Request::ClientDetection
            | Request::ConnectReset(_)
            | Request::ServerLoaderInfo
            | Request::ServerReload(_)
            | Request::SubscribeService(_)
            | Request::ServiceQuery(_)
            | Request::ServiceList(_)
            | Request::MemberReport(_)
            | Request::Unsupported(_)
            | Request::Malformed(_) => 0,
        }
    }
}

impl ResponseBody {
    /// How many instances, names, records and digest entries it has. Zero for what is always small.
    pub fn parts(&self) -> u64 {
        match self {
            ResponseBody::SubscribeService(list) | ResponseBody::QueryService(list) => {
                list.as_ref().map_or(0, |list| count(list.hosts.len()))
            }
            ResponseBody::ServiceList(list) => count(list.service_names.len()),
            ResponseBody::DistroData(data) => match data {
                DistroDataResponse::Done => 0,
                DistroDataResponse::Digest(answer) => match answer {
                    DigestAnswer::Match | DigestAnswer::Superseded(_) => 0,
                    DigestAnswer::Branches(branches) => count(branches.len()),
                    DigestAnswer::Entries { leaves, held } => count(leaves.len() + held.len()),
                },
                DistroDataResponse::Snapshot(records) => {
                    records.iter().map(|data| record(data)).sum()
                }
                DistroDataResponse::Chunk(chunk) => {
                    let entries = chunk.entries.iter();
                    entries.map(|entry| record(&entry.data)).sum()
                }
                DistroDataResponse::Client(data) => record(data),
            },
            ResponseBody::Error
            | ResponseBody::ServerCheck(_)
            | ResponseBody::HealthCheck
            | ResponseBody::ClientDetection
            | ResponseBody::ConnectReset
            | ResponseBody::ServerLoaderInfo(_)
            | ResponseBody::ServerReload
            | ResponseBody::Instance(_)
            | ResponseBody::BatchInstance
            | ResponseBody::NotifySubscriber
            | ResponseBody::NamingFuzzyWatch
            | ResponseBody::NamingFuzzyWatchChangeNotify
            | ResponseBody::MemberReport(_)
            | ResponseBody::Unsupported(_) => 0,
        }
    }
}
