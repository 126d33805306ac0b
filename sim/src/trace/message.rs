//! Requests and responses as fields of a line. Every field that can differ shows, so that equal
//! text means equal messages.

use std::fmt::{self, Display};
use std::sync::Arc;

use distro_core::message::cluster::{LoaderMetrics, Member, NodeState, ServerReloadRequest};
use distro_core::message::distro::{
    ClientSyncData, DigestAnswer, DigestRound, DistroDataRequest, DistroDataResponse, Origin,
    SnapshotScope,
};
use distro_core::message::fuzzy::{
    NamingFuzzyWatchChangeNotifyRequest, NamingFuzzyWatchRequest, NamingFuzzyWatchSyncRequest,
    WatchType,
};
use distro_core::message::internal::{
    ConnectResetRequest, ConnectionSetupRequest, ServerCheckResponse, SetupAckRequest,
};
use distro_core::message::naming::{
    BatchInstanceRequest, DEFAULT_CLUSTER, DEFAULT_GROUP, DEFAULT_NAMESPACE, Instance,
    InstanceOperation, InstanceRequest, Published, ServiceInfo, ServiceKey, ServiceListRequest,
    ServiceListResponse, ServiceQueryRequest, SubscribeServiceRequest, Weight,
};
use distro_core::message::{Received, Request, Response, ResponseBody};
use distro_core::{messages, named};

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

/// The content of a message as fields of a line.
trait Show {
    fn show(&self, line: &mut Line<'_>);
}

impl<T: Show> Show for Box<T> {
    fn show(&self, line: &mut Line<'_>) {
        (**self).show(line);
    }
}

impl<T: Show> Show for Arc<T> {
    fn show(&self, line: &mut Line<'_>) {
        (**self).show(line);
    }
}

impl<T: Show> Show for Option<T> {
    fn show(&self, line: &mut Line<'_>) {
        if let Some(content) = self {
            content.show(line);
        }
    }
}

macro_rules! show {
    (
        to_server { $($(#[$sd:meta])* $s:ident $(($sc:ty))? { $($sf:tt)* })* }
        to_dialer { $($(#[$dd:meta])* $d:ident $(($dc:ty))? { $($df:tt)* })* }
        to_client { $($(#[$cd:meta])* $c:ident $(($cc:ty))? { $($cf:tt)* })* }
        answers { $($(#[$ad:meta])* $a:ident $(($ac:ty))? { $($af:tt)* })* }
    ) => {
        fn show_request(request: &Request, line: &mut Line<'_>) {
            match request {
                $( Request::$s $((named!($sc, it)))? => { $(<$sc as Show>::show(it, line))? } )*
                $( Request::$d $((named!($dc, it)))? => { $(<$dc as Show>::show(it, line))? } )*
                $( Request::$c $((named!($cc, it)))? => { $(<$cc as Show>::show(it, line))? } )*
            }
        }

        fn show_answer(body: &ResponseBody, line: &mut Line<'_>) {
            match body {
                $( ResponseBody::$a $((named!($ac, it)))? => { $(<$ac as Show>::show(it, line))? } )*
                ResponseBody::Unsupported(_) => {}
            }
        }
    };
}

messages!(show);

/// A request: its Nacos type, then its fields.
pub(super) fn request(line: &mut Line<'_>, request: &Request) {
    line.text("type", &request.type_name());
    show_request(request, line);
}

/// What came as a request and is none that the receiver may handle.
pub(super) fn unhandled(line: &mut Line<'_>, received: &Received) {
    line.text("type", &received.type_name());
    match received {
        Received::Request(request) => show_request(request, line),
        Received::Denied(denied) => {
            show_request(&denied.request, line);
            line.maybe("denied", denied.refusal.message.as_ref());
        }
        Received::Malformed(malformed) => line.text("malformed", &malformed.message),
        Received::Unsupported(_) | Received::Unknown(_) => {}
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

impl Show for ConnectionSetupRequest {
    fn show(&self, line: &mut Line<'_>) {
        line.maybe("clientVersion", self.client_version.as_ref());
        line.maybe("tenant", self.tenant.as_ref());
        line.text("clientIp", &self.client_ip);
        line.list("labels", self.labels.iter().map(pair));
        if let Some(table) = &self.ability_table {
            line.list("abilities", table.iter().map(pair));
        }
    }
}

impl Show for SetupAckRequest {
    fn show(&self, line: &mut Line<'_>) {
        line.list("abilities", self.ability_table.iter().map(pair));
    }
}

impl Show for ConnectResetRequest {
    fn show(&self, line: &mut Line<'_>) {
        line.maybe("serverIp", self.server_ip.as_ref());
        line.maybe("serverPort", self.server_port.as_ref());
        line.maybe("connectionId", self.connection_id.as_ref());
    }
}

impl Show for ServerReloadRequest {
    fn show(&self, line: &mut Line<'_>) {
        line.unsigned("keep", u64::from(self.reload_count));
        line.maybe("redirect", self.reload_server.as_ref());
    }
}

impl Show for InstanceRequest {
    fn show(&self, line: &mut Line<'_>) {
        line.text("op", &operation(self.operation));
        line.text("service", &Service(&self.service));
        line.text("instance", &Shown(&self.instance));
    }
}

impl Show for BatchInstanceRequest {
    fn show(&self, line: &mut Line<'_>) {
        line.text("service", &Service(&self.service));
        line.list("instances", self.instances.iter().map(Shown));
    }
}

impl Show for SubscribeServiceRequest {
    fn show(&self, line: &mut Line<'_>) {
        line.text("service", &Service(&self.service));
        line.flag("subscribe", self.subscribe);
        line.text("clusters", &self.clusters);
    }
}

impl Show for ServiceQueryRequest {
    fn show(&self, line: &mut Line<'_>) {
        line.text("service", &Service(&self.service));
        line.text("clusters", &self.clusters);
        line.flag("healthyOnly", self.healthy_only);
    }
}

impl Show for ServiceListRequest {
    fn show(&self, line: &mut Line<'_>) {
        line.text("namespace", &self.namespace);
        line.text("group", &self.group);
        line.number("page", i64::from(self.page_no));
        line.number("pageSize", i64::from(self.page_size));
        if !self.selector.is_empty() {
            line.text("selector", &self.selector);
        }
    }
}

impl Show for ServiceInfo {
    fn show(&self, line: &mut Line<'_>) {
        service_info(line, self);
    }
}

impl Show for NamingFuzzyWatchRequest {
    fn show(&self, line: &mut Line<'_>) {
        line.text("pattern", &self.pattern);
        line.flag("watch", self.watch_type == WatchType::Watch);
        line.flag("initializing", self.initializing);
        line.list("received", self.received.iter().map(Service));
    }
}

impl Show for NamingFuzzyWatchSyncRequest {
    fn show(&self, line: &mut Line<'_>) {
        line.text("pattern", &self.pattern);
        line.text("syncType", &self.sync_type.name());
        let told = self.contexts.iter();
        line.list(
            "services",
            told.map(|(service, change)| format!("{} {}", change.name(), Service(service))),
        );
        line.unsigned("batch", u64::from(self.current_batch));
        line.unsigned("batches", u64::from(self.total_batch));
    }
}

impl Show for NamingFuzzyWatchChangeNotifyRequest {
    fn show(&self, line: &mut Line<'_>) {
        line.text("service", &Service(&self.service));
        line.text("change", &self.change.name());
    }
}

impl Show for Member {
    fn show(&self, line: &mut Line<'_>) {
        line.text("member", &self.node);
        line.text("state", &state(self.state));
        line.unsigned("incarnation", self.incarnation.0);
        line.text("memberVersion", &self.version);
    }
}

impl Show for ServerCheckResponse {
    fn show(&self, line: &mut Line<'_>) {
        line.text("connectionId", &self.connection_id);
        line.flag("abilities", self.support_ability_negotiation);
    }
}

impl Show for LoaderMetrics {
    fn show(&self, line: &mut Line<'_>) {
        line.unsigned("connections", u64::from(self.connections));
        line.unsigned("sdkConnections", u64::from(self.sdk_connections));
    }
}

impl Show for InstanceOperation {
    fn show(&self, line: &mut Line<'_>) {
        line.text("op", &operation(*self));
    }
}

impl Show for ServiceListResponse {
    fn show(&self, line: &mut Line<'_>) {
        line.number("count", i64::from(self.count));
        line.list("services", &self.service_names);
    }
}

impl Show for DistroDataRequest {
    fn show(&self, line: &mut Line<'_>) {
        distro_request(line, self);
    }
}

impl Show for DistroDataResponse {
    fn show(&self, line: &mut Line<'_>) {
        distro_response(line, self);
    }
}

fn distro_request(line: &mut Line<'_>, data: &DistroDataRequest) {
    let op = match data {
        DistroDataRequest::Digest(_) => "VERIFY digest",
        DistroDataRequest::SnapshotChunk(_) => "SNAPSHOT chunk",
        DistroDataRequest::Change(_)
        | DistroDataRequest::Add(_)
        | DistroDataRequest::Delete(..)
        | DistroDataRequest::Verify(..)
        | DistroDataRequest::Snapshot
        | DistroDataRequest::Query(_) => data.operation().name(),
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
    show_answer(&response.body, line);
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
