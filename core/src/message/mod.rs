//! The one vocabulary that nodes, clients and peers speak: Nacos's messages, plus the few that
//! our own nodes add between themselves.
//!
//! Messages are plain data. How they look on a wire (JSON in a `Payload`, base64 content) is the
//! business of the node's codec; the core and the `event` world pass them as they are. Everything
//! big sits behind an [`Arc`](alloc::sync::Arc) or a `Box`, so that passing one on is cheap.

pub mod ask;
pub mod cluster;
pub mod distro;
mod extent;
pub mod fuzzy;
pub mod internal;
pub mod metadata;
pub mod naming;
mod received;
pub mod selector;
mod table;
pub mod unsupported;
mod vocabulary;

use crate::ids::Str;
pub use received::{Denied, Malformed, Received};
pub use vocabulary::{
    Addressed, AnswerFacts, AnswerType, Request, RequestFacts, RequestType, ResponseBody, Sender,
    ToClient, ToDialer, ToServer,
};

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
