//! Requests and responses as fields of a line. Every field that can differ shows, so that equal
//! text means equal messages.

use std::fmt::{self, Display};

use distro_core::message::cluster::{Member, NodeState};
use distro_core::message::distro::{
    ClientSyncData, DigestAnswer, DigestRound, DistroDataRequest, DistroDataResponse, Origin,
    SnapshotScope,
};
use distro_core::message::fuzzy::{
    NamingFuzzyWatchRequest, NamingFuzzyWatchSyncRequest, WatchType,
};
use distro_core::message::internal::{ConnectResetRequest, ConnectionSetupRequest};
use distro_core::message::naming::{
    DEFAULT_CLUSTER, DEFAULT_GROUP, DEFAULT_NAMESPACE, Instance, InstanceOperation, Published,
    ServiceInfo, ServiceKey, Weight,
};
use distro_core::message::{Request, Response, ResponseBody};

use super::line::Line;

/// A service, without the parts that are the default.
pub(super) struct Service<'a>(pub(super) &'a ServiceKey);

impl Display for Service<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.0;
        // Why: a name with `@@` of its own would read like a longer service.
        let plain = !key.name.contains("@@") && !key.group.contains("@@");
        if !plain || &*key.namespace != DEFAULT_NAMESPACE {
            return write!(f, "{key}");
        }
        if &*key.group != DEFAULT_GROUP {
            write!(f, "{}@@", key.group)?;
        }
        f.write_str(&key.name)
    }
}

/// An instance: its address, then what is not as usual.
pub(super) struct Shown<'a>(pub(super) &'a Instance);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let it = self.0;
        write!(f, "{}:{}", it.ip, it.port)?;
        if it.weight != Weight::ONE {
            write!(f, " weight={:?}", it.weight.0)?;
        }
        for (usual, word) in [
            (it.healthy, "unhealthy"),
            (it.enabled, "disabled"),
            (it.ephemeral, "persistent"),
        ] {
            if !usual {
                write!(f, " {word}")?;
            }
        }
        if &*it.cluster_name != DEFAULT_CLUSTER {
            write!(f, " cluster={}", it.cluster_name)?;
        }
        if let Some(id) = &it.instance_id {
            write!(f, " id={id}")?;
        }
        if let Some(service) = &it.service_name {
            write!(f, " service={service}")?;
        }
        for (name, value) in it.metadata.iter() {
            write!(f, " {name}:{value}")?;
        }
        Ok(())
    }
}

/// An owner and its life: `10.0.0.1:8848/3`.
pub(super) struct Owner<'a>(pub(super) &'a Origin);

impl Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.node, self.0.incarnation)
    }
}

pub(super) const fn state(state: NodeState) -> &'static str {
    match state {
        NodeState::Starting => "STARTING",
        NodeState::Up => "UP",
        NodeState::Suspicious => "SUSPICIOUS",
        NodeState::Down => "DOWN",
    }
}

/// A client's record.
pub(super) fn record(line: &mut Line<'_>, data: &ClientSyncData) {
    line.text("client", &data.client);
    line.unsigned("revision", data.revision.0);
    line.maybe("origin", data.origin.as_ref().map(Owner).as_ref());
    line.object("publishes", |inner| {
        for (service, published) in &data.services {
            let key = Service(service).to_string();
            match published {
                Published::Single(instance) => inner.text(&key, &Shown(instance)),
                Published::Batch(list) => inner.list(&key, list.iter().map(|one| Shown(one))),
            }
        }
    });
}

/// A service's list as clients get it.
pub(super) fn service_info(line: &mut Line<'_>, info: &ServiceInfo) {
    line.text("service", &Service(&info.service));
    if !info.clusters.is_empty() {
        line.text("clusters", &info.clusters);
    }
    line.unsigned("version", info.version);
    line.number("refTime", info.last_ref_time);
    if info.reach_protection_threshold {
        line.flag("protected", true);
    }
    line.list("hosts", info.hosts.iter().map(|one| Shown(one)));
}

fn member(line: &mut Line<'_>, member: &Member) {
    line.text("member", &member.node);
    line.text("state", &state(member.state));
    line.unsigned("incarnation", member.incarnation.0);
    line.text("memberVersion", &member.version);
}

/// A request: its Nacos type, then its fields.
pub(super) fn request(line: &mut Line<'_>, request: &Request) {
    line.text("type", &request.type_name());
    match request {
        Request::ServerCheck
        | Request::HealthCheck
        | Request::ClientDetection
        | Request::ServerLoaderInfo
        | Request::Unsupported(_)
        | Request::Unknown(_) => {}
        Request::ConnectionSetup(setup) => connection_setup(line, setup),
        Request::SetupAck(ack) => line.list("abilities", ack.ability_table.iter().map(pair)),
        Request::ConnectReset(reset) => connect_reset(line, reset),
        Request::ServerReload(reload) => {
            line.unsigned("keep", u64::from(reload.reload_count));
            line.maybe("redirect", reload.reload_server.as_ref());
        }
        Request::Instance(said) | Request::PersistentInstance(said) => {
            line.text("op", &operation(said.operation));
            line.text("service", &Service(&said.service));
            line.text("instance", &Shown(&said.instance));
        }
        Request::BatchInstance(said) => {
            line.text("service", &Service(&said.service));
            line.list("instances", said.instances.iter().map(Shown));
        }
        Request::SubscribeService(said) => {
            line.text("service", &Service(&said.service));
            line.flag("subscribe", said.subscribe);
            line.text("clusters", &said.clusters);
        }
        Request::ServiceQuery(said) => {
            line.text("service", &Service(&said.service));
            line.text("clusters", &said.clusters);
            line.flag("healthyOnly", said.healthy_only);
        }
        Request::ServiceList(said) => {
            line.text("namespace", &said.namespace);
            line.text("group", &said.group);
            line.number("page", i64::from(said.page_no));
            line.number("pageSize", i64::from(said.page_size));
            if !said.selector.is_empty() {
                line.text("selector", &said.selector);
            }
        }
        Request::NotifySubscriber(info) => service_info(line, info),
        Request::NamingFuzzyWatch(said) => fuzzy_watch(line, said),
        Request::NamingFuzzyWatchSync(said) => fuzzy_sync(line, said),
        Request::NamingFuzzyWatchChangeNotify(said) => {
            line.text("service", &Service(&said.service));
            line.text("change", &said.change.name());
        }
        Request::DistroData(data) => distro_request(line, data),
        Request::MemberReport(said) => member(line, said),
        Request::Malformed(said) => line.text("malformed", &said.message),
    }
}

const fn operation(operation: InstanceOperation) -> &'static str {
    match operation {
        InstanceOperation::Register => "register",
        InstanceOperation::Deregister => "deregister",
    }
}

fn pair<A: Display, B: Display>((name, value): (A, B)) -> String {
    format!("{name}={value}")
}

fn connection_setup(line: &mut Line<'_>, setup: &ConnectionSetupRequest) {
    line.maybe("clientVersion", setup.client_version.as_ref());
    line.maybe("tenant", setup.tenant.as_ref());
    line.text("clientIp", &setup.client_ip);
    line.list("labels", setup.labels.iter().map(pair));
    if let Some(table) = &setup.ability_table {
        line.list("abilities", table.iter().map(pair));
    }
}

fn connect_reset(line: &mut Line<'_>, reset: &ConnectResetRequest) {
    line.maybe("serverIp", reset.server_ip.as_ref());
    line.maybe("serverPort", reset.server_port.as_ref());
    line.maybe("connectionId", reset.connection_id.as_ref());
}

fn fuzzy_watch(line: &mut Line<'_>, said: &NamingFuzzyWatchRequest) {
    line.text("pattern", &said.pattern);
    line.flag("watch", said.watch_type == WatchType::Watch);
    line.flag("initializing", said.initializing);
    line.list("received", said.received.iter().map(Service));
}

fn fuzzy_sync(line: &mut Line<'_>, said: &NamingFuzzyWatchSyncRequest) {
    line.text("pattern", &said.pattern);
    line.text("syncType", &said.sync_type.name());
    let told = said.contexts.iter();
    line.list(
        "services",
        told.map(|(service, change)| format!("{} {}", change.name(), Service(service))),
    );
    line.unsigned("batch", u64::from(said.current_batch));
    line.unsigned("batches", u64::from(said.total_batch));
}

fn distro_request(line: &mut Line<'_>, data: &DistroDataRequest) {
    let op = match data {
        DistroDataRequest::Change(_) => "CHANGE",
        DistroDataRequest::Add(_) => "ADD",
        DistroDataRequest::Delete(..) => "DELETE",
        DistroDataRequest::Verify(..) => "VERIFY",
        DistroDataRequest::Digest(_) => "VERIFY digest",
        DistroDataRequest::Snapshot => "SNAPSHOT",
        DistroDataRequest::SnapshotChunk(_) => "SNAPSHOT chunk",
        DistroDataRequest::Query(_) => "QUERY",
    };
    line.text("op", &op);
    match data {
        DistroDataRequest::Change(data) | DistroDataRequest::Add(data) => record(line, data),
        DistroDataRequest::Delete(client, origin) => {
            line.text("client", client);
            line.maybe("origin", origin.as_ref().map(Owner).as_ref());
        }
        DistroDataRequest::Verify(client, revision) => {
            line.text("client", client);
            line.unsigned("revision", revision.0);
        }
        DistroDataRequest::Digest(digest) => {
            line.text("origin", &Owner(&digest.origin));
            match &digest.round {
                DigestRound::Whole(digest) => {
                    line.unsigned("count", digest.count);
                    line.text("sum", &format_args!("{:016x}", digest.sum));
                }
                DigestRound::Leaves(leaves) => line.list(
                    "leaves",
                    leaves
                        .iter()
                        .map(|(leaf, d)| format!("{leaf}:{}:{:016x}", d.count, d.sum)),
                ),
            }
        }
        DistroDataRequest::Snapshot => {}
        DistroDataRequest::SnapshotChunk(chunk) => {
            line.text("requester", &Owner(&chunk.requester));
            match &chunk.scope {
                SnapshotScope::Owned => line.text("scope", &"owned"),
                SnapshotScope::Held(owners) => line.list("held", owners),
            }
            line.maybe("after", chunk.after.as_ref());
        }
        DistroDataRequest::Query(client) => line.text("client", client),
    }
}

/// A response: its Nacos type, its codes when it failed, then its fields.
pub(super) fn response(line: &mut Line<'_>, response: &Response) {
    line.text("type", &response.body.type_name());
    line.flag("ok", response.is_ok());
    if !response.is_ok() || response.error_code != 0 {
        line.number("result", i64::from(response.result_code));
        line.number("error", i64::from(response.error_code));
    }
    line.maybe("message", response.message.as_ref());
    match &response.body {
        ResponseBody::Error
        | ResponseBody::HealthCheck
        | ResponseBody::ClientDetection
        | ResponseBody::ConnectReset
        | ResponseBody::ServerReload
        | ResponseBody::BatchInstance
        | ResponseBody::NotifySubscriber
        | ResponseBody::NamingFuzzyWatch
        | ResponseBody::NamingFuzzyWatchChangeNotify
        | ResponseBody::Unsupported(_) => {}
        ResponseBody::ServerCheck(said) => {
            line.text("connectionId", &said.connection_id);
            line.flag("abilities", said.support_ability_negotiation);
        }
        ResponseBody::ServerLoaderInfo(said) => {
            line.unsigned("connections", u64::from(said.connections));
            line.unsigned("sdkConnections", u64::from(said.sdk_connections));
        }
        ResponseBody::Instance(said) => line.text("op", &operation(*said)),
        ResponseBody::SubscribeService(info) | ResponseBody::QueryService(info) => {
            if let Some(info) = info {
                service_info(line, info);
            }
        }
        ResponseBody::ServiceList(said) => {
            line.number("count", i64::from(said.count));
            line.list("services", &said.service_names);
        }
        ResponseBody::DistroData(said) => distro_response(line, said),
        ResponseBody::MemberReport(said) => {
            if let Some(said) = said {
                member(line, said);
            }
        }
    }
}

fn distro_response(line: &mut Line<'_>, said: &DistroDataResponse) {
    match said {
        DistroDataResponse::Done => {}
        DistroDataResponse::Digest(answer) => match answer {
            DigestAnswer::Match => line.text("digest", &"match"),
            DigestAnswer::Branches(branches) => line.list(
                "branches",
                branches
                    .iter()
                    .map(|(at, d)| format!("{at}:{}:{:016x}", d.count, d.sum)),
            ),
            DigestAnswer::Entries { leaves, held } => {
                line.list("leaves", leaves);
                line.list("held", held.iter().map(pair_ref));
            }
            DigestAnswer::Superseded(incarnation) => line.unsigned("superseded", incarnation.0),
        },
        DistroDataResponse::Snapshot(records) => {
            line.objects("records", records, |inner, data| record(inner, data));
        }
        DistroDataResponse::Chunk(chunk) => {
            line.text("origin", &Owner(&chunk.origin));
            line.flag("settled", chunk.settled);
            line.unsigned("seen", chunk.seen.0);
            line.objects("records", &chunk.entries, |inner, entry| {
                record(inner, &entry.data);
                inner.period("remaining", entry.remaining);
            });
            line.maybe("next", chunk.next.as_ref());
        }
        DistroDataResponse::Client(data) => record(line, data),
    }
}

fn pair_ref<A: Display, B: Display>(entry: &(A, B)) -> String {
    pair((&entry.0, &entry.1))
}
