//! The one vocabulary that nodes, clients and peers speak: Nacos's messages, plus the few that
//! our own nodes add between themselves.
//!
//! Messages are plain data. How they look on a wire (JSON in a `Payload`, base64 content) is the
//! business of the node's codec; the core and the `event` world pass them as they are. Everything
//! big sits behind an [`Arc`](alloc::sync::Arc) or a `Box`, so that passing one on is cheap.

pub mod ask;
pub mod cluster;
pub mod distro;
pub mod fuzzy;
pub mod internal;
pub mod metadata;
pub mod naming;
mod parts;
pub mod selector;
pub mod unsupported;

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::ids::Str;
use cluster::{LoaderMetrics, Member, ServerReloadRequest};
use distro::{DistroDataRequest, DistroDataResponse};
use fuzzy::{
    NamingFuzzyWatchChangeNotifyRequest, NamingFuzzyWatchRequest, NamingFuzzyWatchSyncRequest,
};
use internal::{ConnectResetRequest, ConnectionSetupRequest, ServerCheckResponse, SetupAckRequest};
use naming::{
    BatchInstanceRequest, InstanceRequest, ServiceInfo, ServiceListRequest, ServiceListResponse,
    ServiceQueryRequest, SubscribeServiceRequest,
};
use unsupported::Unsupported;

/// What one end asks of the other. The variant's name plus `Request` is Nacos's type name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Request {
    /// Is a server there, and which connection id would I have? Needs no registration.
    ServerCheck,
    /// First message on a connection. It has **no response**: the server registers the connection
    /// and answers a present ability table with a [`Request::SetupAck`], or it closes.
    ConnectionSetup(Box<ConnectionSetupRequest>),
    /// Server to client after a setup that carried an ability table. It has **no response**.
    SetupAck(SetupAckRequest),
    /// Am I still registered? Also keeps an idle connection alive.
    HealthCheck,
    /// Server to client: are you still there?
    ClientDetection,
    /// Server to client: leave, and connect elsewhere.
    ConnectReset(ConnectResetRequest),
    /// How many connections a node has (between nodes).
    ServerLoaderInfo,
    /// Move connections away until a count is reached (between nodes).
    ServerReload(ServerReloadRequest),
    /// Register or deregister one ephemeral instance.
    Instance(Box<InstanceRequest>),
    /// Replace what this client publishes for a service by a list.
    BatchInstance(Box<BatchInstanceRequest>),
    /// Register or deregister a persistent instance: always refused here.
    PersistentInstance(Box<InstanceRequest>),
    /// Subscribe to a service, or unsubscribe.
    SubscribeService(Box<SubscribeServiceRequest>),
    /// The current instances of a service.
    ServiceQuery(Box<ServiceQueryRequest>),
    /// The names of services, a page at a time.
    ServiceList(Box<ServiceListRequest>),
    /// Server to client: the full current list of a subscribed service.
    NotifySubscriber(Arc<ServiceInfo>),
    /// Watch the names of services by a pattern, or watch them no longer.
    NamingFuzzyWatch(Box<NamingFuzzyWatchRequest>),
    /// Server to client: a batch of the services that a pattern matches.
    NamingFuzzyWatchSync(Box<NamingFuzzyWatchSyncRequest>),
    /// Server to client: a watched service came or went.
    NamingFuzzyWatchChangeNotify(Box<NamingFuzzyWatchChangeNotifyRequest>),
    /// Replication between nodes.
    DistroData(DistroDataRequest),
    /// A node tells another about itself (between nodes).
    MemberReport(Box<Member>),
    /// A type of a module that is not offered here; it is refused and changes nothing.
    Unsupported(Unsupported),
    /// A type nobody here handles; it is refused and changes nothing.
    Unknown(Str),
    /// A known type whose body does not parse; it is refused and changes nothing.
    Malformed(Box<MalformedRequest>),
}

/// A request whose body the decoder refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MalformedRequest {
    /// Nacos type name as received.
    pub type_name: Str,
    /// What the decoder says is wrong.
    pub message: Str,
}

impl Request {
    /// Nacos's type name, as in `Payload.metadata.type`.
    pub fn type_name(&self) -> &str {
        match self {
            Request::ServerCheck => "ServerCheckRequest",
            Request::ConnectionSetup(_) => "ConnectionSetupRequest",
            Request::SetupAck(_) => "SetupAckRequest",
            Request::HealthCheck => "HealthCheckRequest",
            Request::ClientDetection => "ClientDetectionRequest",
            Request::ConnectReset(_) => "ConnectResetRequest",
            Request::ServerLoaderInfo => "ServerLoaderInfoRequest",
            Request::ServerReload(_) => "ServerReloadRequest",
            Request::Instance(_) => "InstanceRequest",
            Request::BatchInstance(_) => "BatchInstanceRequest",
            Request::PersistentInstance(_) => "PersistentInstanceRequest",
            Request::SubscribeService(_) => "SubscribeServiceRequest",
            Request::ServiceQuery(_) => "ServiceQueryRequest",
            Request::ServiceList(_) => "ServiceListRequest",
            Request::NotifySubscriber(_) => "NotifySubscriberRequest",
            Request::NamingFuzzyWatch(_) => "NamingFuzzyWatchRequest",
            Request::NamingFuzzyWatchSync(_) => "NamingFuzzyWatchSyncRequest",
            Request::NamingFuzzyWatchChangeNotify(_) => "NamingFuzzyWatchChangeNotifyRequest",
            Request::DistroData(_) => "DistroDataRequest",
            Request::MemberReport(_) => "MemberReportRequest",
            Request::Unsupported(which) => which.type_name(),
            Request::Unknown(name) => name,
            Request::Malformed(malformed) => &malformed.type_name,
        }
    }

    /// The message kind that scenario faults filter on and that counters are kept by.
    pub const fn kind(&self) -> MessageKind {
        match self {
            Request::ServerCheck | Request::ConnectionSetup(_) | Request::SetupAck(_) => {
                MessageKind::Setup
            }
            Request::HealthCheck => MessageKind::HealthCheck,
            Request::ClientDetection => MessageKind::Detection,
            Request::ConnectReset(_) | Request::ServerLoaderInfo | Request::ServerReload(_) => {
                MessageKind::Reset
            }
            Request::Instance(_) | Request::BatchInstance(_) | Request::PersistentInstance(_) => {
                MessageKind::Register
            }
            Request::SubscribeService(_) | Request::NamingFuzzyWatch(_) => MessageKind::Subscribe,
            Request::ServiceQuery(_) | Request::ServiceList(_) => MessageKind::Query,
            Request::NotifySubscriber(_)
            | Request::NamingFuzzyWatchSync(_)
            | Request::NamingFuzzyWatchChangeNotify(_) => MessageKind::Push,
            Request::DistroData(data) => data.kind(),
            Request::MemberReport(_) => MessageKind::Report,
            Request::Unsupported(_) | Request::Unknown(_) | Request::Malformed(_) => {
                MessageKind::Unknown
            }
        }
    }

    /// False for the two messages of the connection setup, which are answered by other means.
    pub const fn expects_response(&self) -> bool {
        !matches!(self, Request::ConnectionSetup(_) | Request::SetupAck(_))
    }

    /// True for what only a fellow node may send (Nacos `InvokeSource` cluster, 2.4.3).
    pub const fn cluster_only(&self) -> bool {
        matches!(
            self,
            Request::DistroData(_)
                | Request::MemberReport(_)
                | Request::ServerLoaderInfo
                | Request::ServerReload(_)
        )
    }
}

/// Classes of messages, as scenario faults name them (kebab case).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageKind {
    /// Server check, connection setup and its acknowledgement.
    Setup,
    /// Client health checks.
    HealthCheck,
    /// The server's probe of an idle connection.
    Detection,
    /// Connection reset and load moves.
    Reset,
    /// Register, deregister, batch register.
    Register,
    /// Subscribe, unsubscribe; watch names by a pattern.
    Subscribe,
    /// Query and list.
    Query,
    /// A push to a subscriber, or to who watches names by a pattern.
    Push,
    /// Distro ADD: a resend after a failed verify.
    Add,
    /// Distro CHANGE.
    Change,
    /// Distro DELETE.
    Delete,
    /// Distro VERIFY, per client or as a digest.
    Verify,
    /// Distro SNAPSHOT.
    Snapshot,
    /// Distro QUERY.
    DistroQuery,
    /// Member reports.
    Report,
    /// Anything else.
    Unknown,
}

impl MessageKind {
    /// All kinds with the names that scenario files and traces use.
    pub const ALL: [(MessageKind, &'static str); 16] = [
        (MessageKind::Setup, "setup"),
        (MessageKind::HealthCheck, "health-check"),
        (MessageKind::Detection, "detection"),
        (MessageKind::Reset, "reset"),
        (MessageKind::Register, "register"),
        (MessageKind::Subscribe, "subscribe"),
        (MessageKind::Query, "query"),
        (MessageKind::Push, "push"),
        (MessageKind::Add, "add"),
        (MessageKind::Change, "change"),
        (MessageKind::Delete, "delete"),
        (MessageKind::Verify, "verify"),
        (MessageKind::Snapshot, "snapshot"),
        (MessageKind::DistroQuery, "distro-query"),
        (MessageKind::Report, "report"),
        (MessageKind::Unknown, "unknown"),
    ];

    /// The kebab-case name.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("unknown", |(_, name)| name)
    }

    /// The kind with this kebab-case name.
    pub fn from_name(name: &str) -> Option<MessageKind> {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(kind, _)| *kind)
    }
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Response {
    /// 200 on success; see [`code`].
    pub result_code: i32,
    /// 0 on success; see [`code`].
    pub error_code: i32,
    /// Why it failed; absent on success, except where Nacos sends `"success"`.
    pub message: Option<Str>,
    /// The typed part. [`ResponseBody::Error`] is Nacos's generic `ErrorResponse`, which Java
    /// clients retry; a typed body with a failing code is delivered to the caller at once.
    pub body: ResponseBody,
}

/// The typed part of a [`Response`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ResponseBody {
    /// Nacos `ErrorResponse`: the request was not handled at all.
    Error,
    /// To [`Request::ServerCheck`].
    ServerCheck(Box<ServerCheckResponse>),
    /// To [`Request::HealthCheck`].
    HealthCheck,
    /// To [`Request::ClientDetection`].
    ClientDetection,
    /// To [`Request::ConnectReset`].
    ConnectReset,
    /// To [`Request::ServerLoaderInfo`].
    ServerLoaderInfo(LoaderMetrics),
    /// To [`Request::ServerReload`].
    ServerReload,
    /// To [`Request::Instance`] and [`Request::PersistentInstance`].
    Instance(naming::InstanceOperation),
    /// To [`Request::BatchInstance`].
    BatchInstance,
    /// To [`Request::SubscribeService`]: the list as it is now. Absent on a failure.
    SubscribeService(Option<Arc<ServiceInfo>>),
    /// To [`Request::ServiceQuery`]. Absent on a failure.
    QueryService(Option<Arc<ServiceInfo>>),
    /// To [`Request::ServiceList`].
    ServiceList(Box<ServiceListResponse>),
    /// To [`Request::NotifySubscriber`].
    NotifySubscriber,
    /// To [`Request::NamingFuzzyWatch`].
    NamingFuzzyWatch,
    /// To [`Request::NamingFuzzyWatchSync`] and [`Request::NamingFuzzyWatchChangeNotify`].
    NamingFuzzyWatchChangeNotify,
    /// To [`Request::DistroData`].
    DistroData(DistroDataResponse),
    /// To [`Request::MemberReport`]: the answering node itself.
    MemberReport(Option<Box<Member>>),
    /// To [`Request::Unsupported`]: always a failure.
    Unsupported(Unsupported),
}

impl ResponseBody {
    /// Nacos's type name, as in `Payload.metadata.type`.
    pub const fn type_name(&self) -> &'static str {
        match self {
            ResponseBody::Error => "ErrorResponse",
            ResponseBody::ServerCheck(_) => "ServerCheckResponse",
            ResponseBody::HealthCheck => "HealthCheckResponse",
            ResponseBody::ClientDetection => "ClientDetectionResponse",
            ResponseBody::ConnectReset => "ConnectResetResponse",
            ResponseBody::ServerLoaderInfo(_) => "ServerLoaderInfoResponse",
            ResponseBody::ServerReload => "ServerReloadResponse",
            ResponseBody::Instance(_) => "InstanceResponse",
            ResponseBody::BatchInstance => "BatchInstanceResponse",
            ResponseBody::SubscribeService(_) => "SubscribeServiceResponse",
            ResponseBody::QueryService(_) => "QueryServiceResponse",
            ResponseBody::ServiceList(_) => "ServiceListResponse",
            ResponseBody::NotifySubscriber => "NotifySubscriberResponse",
            ResponseBody::NamingFuzzyWatch => "NamingFuzzyWatchResponse",
            ResponseBody::NamingFuzzyWatchChangeNotify => "NamingFuzzyWatchChangeNotifyResponse",
            ResponseBody::DistroData(_) => "DistroDataResponse",
            ResponseBody::MemberReport(_) => "MemberReportResponse",
            ResponseBody::Unsupported(which) => which.response_name(),
        }
    }
}

/// Nacos's result and error codes.
pub mod code {
    /// Result of every success.
    pub const SUCCESS: i32 = 200;
    /// Result of every failure; also the error code of an internal fault.
    pub const FAIL: i32 = 500;
    /// A parameter breaks its rule.
    pub const INVALID_PARAM: i32 = 400;
    /// The caller may not do this.
    pub const NO_RIGHT: i32 = 403;
    /// The server is starting: not loaded yet.
    pub const INVALID_SERVER_STATUS: i32 = 300;
    /// The connection is not registered.
    pub const UN_REGISTER: i32 = 301;
    /// No handler for this type.
    pub const NO_HANDLER: i32 = 302;
    /// Known request that this server does not offer.
    pub const SERVER_NOT_IMPLEMENTED: i32 = 501;
    /// Malformed body, or a type that this listener refuses.
    pub const BAD_GATEWAY: i32 = 502;
    /// A limit is reached.
    pub const OVER_THRESHOLD: i32 = 503;
    /// The connection's client is gone.
    pub const CLIENT_DISCONNECT: i32 = -401;
}

impl Response {
    /// A success with a typed body.
    pub const fn ok(body: ResponseBody) -> Response {
        Response {
            result_code: code::SUCCESS,
            error_code: 0,
            message: None,
            body,
        }
    }

    /// A typed failure: delivered to the caller at once, never retried by an SDK.
    pub fn fail(error_code: i32, message: &str, body: ResponseBody) -> Response {
        Response {
            result_code: code::FAIL,
            error_code,
            message: Some(Str::from(message)),
            body,
        }
    }

    /// Nacos's `ErrorResponse`: SDKs retry it and then doubt the connection.
    pub fn error(error_code: i32, message: &str) -> Response {
        Response::fail(error_code, message, ResponseBody::Error)
    }

    /// True when the result code says so; Nacos judges by nothing else.
    pub const fn is_ok(&self) -> bool {
        self.result_code == code::SUCCESS
    }
}
