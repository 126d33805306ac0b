//! Roughly how many bytes a message would have on the wire. Messages pass as structs here, so
//! size limits and bandwidth go by this estimate of their JSON.

use distro_core::message::distro::{
    ClientSyncData, DigestAnswer, DigestRound, DistroDataRequest, DistroDataResponse,
};
use distro_core::message::naming::{Instance, ServiceInfo, ServiceKey};
use distro_core::message::{Request, Response, ResponseBody};

/// Bytes of any message: the payload's frame, type and headers, and a small body.
const BASE: u64 = 200;
/// JSON keys and punctuation of one instance.
const INSTANCE_FRAME: u64 = 180;
/// JSON keys and punctuation of one service key.
const SERVICE_FRAME: u64 = 50;
/// JSON keys and punctuation of one client record.
const RECORD_FRAME: u64 = 120;
/// One digest entry.
const DIGEST_ENTRY: u64 = 40;
/// A message with fewer [parts](Request::parts) than its limit divided by this is never measured:
/// metadata is limited to 1024 UTF-16 units.
const PART_MAX: u64 = 8 * 1024;

const fn len(text: &str) -> u64 {
    text.len() as u64
}

fn instance(instance: &Instance) -> u64 {
    let metadata: u64 = instance
        .metadata
        .iter()
        .map(|(key, value)| len(key) + len(value) + 6)
        .sum();
    let optional = |text: &Option<_>| {
        text.as_ref()
            .map_or(0, |text: &distro_core::ids::Str| len(text))
    };
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

fn record(data: &ClientSyncData) -> u64 {
    let services = data.services.iter().map(|(key, published)| {
        service(key)
            + published
                .instances()
                .iter()
                .map(|one| instance(one))
                .sum::<u64>()
    });
    RECORD_FRAME + len(data.client.as_str()) + services.sum::<u64>()
}

fn info(info: &ServiceInfo) -> u64 {
    service(&info.service) + info.hosts.iter().map(|one| instance(one)).sum::<u64>()
}

/// The estimated size of a request, in bytes.
pub(crate) fn request(request: &Request) -> u64 {
    BASE + match request {
        Request::ServerCheck
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
        | Request::Malformed(_) => 100,
        Request::NamingFuzzyWatch(watch) => {
            len(&watch.pattern) + watch.received.iter().map(service).sum::<u64>()
        }
        Request::NamingFuzzyWatchSync(sync) => {
            let told = sync.contexts.iter();
            len(&sync.pattern) + told.map(|(key, _)| service(key) + 50).sum::<u64>()
        }
        Request::NamingFuzzyWatchChangeNotify(told) => service(&told.service) + 100,
        Request::Unknown(name) => len(name),
        Request::Instance(body) | Request::PersistentInstance(body) => {
            service(&body.service) + instance(&body.instance)
        }
        Request::BatchInstance(body) => {
            service(&body.service) + body.instances.iter().map(instance).sum::<u64>()
        }
        Request::NotifySubscriber(list) => info(list),
        Request::DistroData(data) => distro_request(data),
    }
}

fn distro_request(data: &DistroDataRequest) -> u64 {
    match data {
        DistroDataRequest::Change(data) | DistroDataRequest::Add(data) => record(data),
        DistroDataRequest::Delete(..)
        | DistroDataRequest::Verify(..)
        | DistroDataRequest::Snapshot
        | DistroDataRequest::SnapshotChunk(_)
        | DistroDataRequest::Query(_) => 100,
        DistroDataRequest::Digest(verify) => match &verify.round {
            DigestRound::Whole(_) => 100,
            DigestRound::Leaves(leaves) => 100 + DIGEST_ENTRY * leaves.len() as u64,
        },
    }
}

/// The estimated size of a response, in bytes.
pub(crate) fn response(response: &Response) -> u64 {
    BASE + match &response.body {
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
        | ResponseBody::Unsupported(_) => 50,
        ResponseBody::SubscribeService(list) | ResponseBody::QueryService(list) => {
            list.as_ref().map_or(0, |list| info(list))
        }
        ResponseBody::ServiceList(list) => list
            .service_names
            .iter()
            .map(|name| len(name) + 3)
            .sum::<u64>(),
        ResponseBody::DistroData(data) => distro_response(data),
    }
}

fn distro_response(data: &DistroDataResponse) -> u64 {
    match data {
        DistroDataResponse::Done => 0,
        DistroDataResponse::Digest(answer) => match answer {
            DigestAnswer::Match | DigestAnswer::Superseded(_) => 20,
            DigestAnswer::Branches(branches) => DIGEST_ENTRY * branches.len() as u64,
            DigestAnswer::Entries { leaves, held } => {
                let entries = held
                    .iter()
                    .map(|(client, _)| len(client.as_str()) + DIGEST_ENTRY);
                6 * leaves.len() as u64 + entries.sum::<u64>()
            }
        },
        DistroDataResponse::Snapshot(records) => records.iter().map(|data| record(data)).sum(),
        DistroDataResponse::Chunk(chunk) => {
            RECORD_FRAME
                + chunk
                    .entries
                    .iter()
                    .map(|entry| record(&entry.data) + 20)
                    .sum::<u64>()
        }
        DistroDataResponse::Client(data) => record(data),
    }
}

/// True when a request is over the limit, in bytes. Cheap for all but very long lists.
pub(crate) fn request_over(message: &Request, limit: u64) -> bool {
    message.parts() > limit / PART_MAX && request(message) > limit
}

/// True when a response is over the limit, in bytes. Cheap for all but very long lists.
pub(crate) fn response_over(message: &Response, limit: u64) -> bool {
    message.body.parts() > limit / PART_MAX && response(message) > limit
}

#[cfg(test)]
mod tests;
