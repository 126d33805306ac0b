//! Classes of observations, so that each check is called only for what it asked for.

#![deny(clippy::wildcard_enum_match_arm)]

use distro_core::event::Event;
use distro_core::message::distro::{DistroDataRequest, DistroDataResponse};
use distro_core::message::{Request, Response, ResponseBody};

use crate::observe::Seen;

/// The class of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A process started or stopped.
    Process,
    /// A transport opened or closed.
    Transport,
    /// A CHANGE, ADD or DELETE was sent.
    SyncSent,
    /// A CHANGE, ADD or DELETE arrived.
    SyncReceived,
    /// A VERIFY was sent.
    VerifySent,
    /// A VERIFY arrived.
    VerifyReceived,
    /// A push was sent.
    PushSent,
    /// A push arrived.
    PushReceived,
    /// A register, deregister or batch register arrived.
    RegisterReceived,
    /// Any other request was sent.
    OtherSent,
    /// Any other request arrived.
    OtherReceived,
    /// An answer with a list was sent.
    ListAnswered,
    /// An answer to a register, deregister or batch register was sent.
    RegisterAnswered,
    /// An answer to a sync or verify was sent.
    SyncAnswered,
    /// Any other answer was sent.
    OtherAnswered,
    /// An answer with a list arrived.
    ListReceived,
    /// Any other answer arrived.
    AnswerReceived,
    /// A client connected, as its node says.
    Connected,
    /// A record changed.
    Changed,
    /// A record was removed.
    Removed,
    /// A service's list changed.
    ServiceChanged,
    /// A node began to load or is ready.
    Readiness,
    /// A sync was acknowledged or failed.
    SyncSettled,
    /// A node tells of a member.
    Member,
    /// A node tells anything else.
    OtherEvent,
    /// A client tells something, or its application calls.
    Client,
    /// A fault or operation of the timeline began or ended.
    Timeline,
}

/// How many kinds there are.
pub const KINDS: usize = Kind::Timeline as usize + 1;

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interest(u32);

impl Interest {
    /// These kinds.
    pub const fn of(kinds: &[Kind]) -> Interest {
        let mut mask = 0;
        let mut index = 0;
        while index < kinds.len() {
            mask |= 1 << kinds[index] as u32;
            index += 1;
        }
        Interest(mask)
    }

    /// True when the kind with this number is in the set.
    pub const fn has(self, number: usize) -> bool {
        self.0 & (1 << number) != 0
    }
}

impl Kind {
    /// The class of an observation.
    pub fn of(seen: &Seen<'_>) -> Kind {
        match seen {
            Seen::Started | Seen::Stopped { .. } => Kind::Process,
            Seen::Opened { .. } | Seen::Closed { .. } | Seen::Close { .. } => Kind::Transport,
            Seen::RequestSent { request, .. } => sent(request),
            Seen::RequestReceived { request, .. } => received(request),
            Seen::ResponseSent { response, .. } => answered(response),
            Seen::ResponseReceived { response, .. } => {
                if answered(response) == Kind::ListAnswered {
                    Kind::ListReceived
                } else {
                    Kind::AnswerReceived
                }
            }
            Seen::Node(event) => told(event),
            Seen::Client(_) | Seen::Called { .. } | Seen::Returned { .. } => Kind::Client,
            Seen::Began { .. } | Seen::Ended { .. } => Kind::Timeline,
        }
    }
}

/// Which part of Distro a request belongs to.
enum Part {
    Sync,
    Verify,
    Other,
}

const fn part(data: &DistroDataRequest) -> Part {
    match data {
        DistroDataRequest::Change(_)
        | DistroDataRequest::Add(_)
        | DistroDataRequest::Delete(..) => Part::Sync,
        DistroDataRequest::Verify(..) | DistroDataRequest::Digest(_) => Part::Verify,
        DistroDataRequest::Snapshot
        | DistroDataRequest::SnapshotChunk(_)
        | DistroDataRequest::Query(_) => Part::Other,
    }
}

fn sent(request: &Request) -> Kind {
    match request {
        Request::DistroData(data) => match part(data) {
            Part::Sync => Kind::SyncSent,
            Part::Verify => Kind::VerifySent,
            Part::Other => Kind::OtherSent,
        },
        Request::NotifySubscriber(_) => Kind::PushSent,
        Request::ServerCheck
        | Request::ConnectionSetup(_)
        | Request::SetupAck(_)
        | Request::HealthCheck
        | Request::ClientDetection
        | Request::ConnectReset(_)
        | Request::ServerLoaderInfo
        | Request::ServerReload(_)
        | Request::Instance(_)
        | Request::BatchInstance(_)
        | Request::PersistentInstance(_)
        | Request::SubscribeService(_)
        | Request::ServiceQuery(_)
        | Request::ServiceList(_)
        | Request::MemberReport(_)
        | Request::NamingFuzzyWatch(_)
        | Request::NamingFuzzyWatchSync(_)
        | Request::NamingFuzzyWatchChangeNotify(_)
        | Request::Unsupported(_)
        | Request::Unknown(_)
        | Request::Malformed(_) => Kind::OtherSent,
    }
}

fn received(request: &Request) -> Kind {
    match request {
        Request::DistroData(data) => match part(data) {
            Part::Sync => Kind::SyncReceived,
            Part::Verify => Kind::VerifyReceived,
            Part::Other => Kind::OtherReceived,
        },
        Request::NotifySubscriber(_) => Kind::PushReceived,
        Request::Instance(_) | Request::BatchInstance(_) => Kind::RegisterReceived,
        Request::ServerCheck
        | Request::ConnectionSetup(_)
        | Request::SetupAck(_)
        | Request::HealthCheck
        | Request::ClientDetection
        | Request::ConnectReset(_)
        | Request::ServerLoaderInfo
        | Request::ServerReload(_)
        | Request::PersistentInstance(_)
        | Request::SubscribeService(_)
        | Request::ServiceQuery(_)
        | Request::ServiceList(_)
        | Request::MemberReport(_)
        | Request::NamingFuzzyWatch(_)
        | Request::NamingFuzzyWatchSync(_)
        | Request::NamingFuzzyWatchChangeNotify(_)
        | Request::Unsupported(_)
        | Request::Unknown(_)
        | Request::Malformed(_) => Kind::OtherReceived,
    }
}

fn answered(response: &Response) -> Kind {
    match &response.body {
        ResponseBody::SubscribeService(_) | ResponseBody::QueryService(_) => Kind::ListAnswered,
        ResponseBody::Instance(_) | ResponseBody::BatchInstance => Kind::RegisterAnswered,
        ResponseBody::DistroData(DistroDataResponse::Done | DistroDataResponse::Digest(_)) => {
            Kind::SyncAnswered
        }
        ResponseBody::DistroData(
            DistroDataResponse::Snapshot(_)
            | DistroDataResponse::Chunk(_)
            | DistroDataResponse::Client(_),
        )
        | ResponseBody::Error
        | ResponseBody::ServerCheck(_)
        | ResponseBody::HealthCheck
        | ResponseBody::ClientDetection
        | ResponseBody::ConnectReset
        | ResponseBody::ServerLoaderInfo(_)
        | ResponseBody::ServerReload
        | ResponseBody::ServiceList(_)
        | ResponseBody::NotifySubscriber
        | ResponseBody::NamingFuzzyWatch
        | ResponseBody::NamingFuzzyWatchChangeNotify
        | ResponseBody::MemberReport(_)
        | ResponseBody::Unsupported(_) => Kind::OtherAnswered,
    }
}

const fn told(event: &Event) -> Kind {
    match event {
        Event::Starting(_) | Event::Ready(_) => Kind::Readiness,
        Event::ClientConnected { .. } => Kind::Connected,
        Event::ClientChanged { .. } => Kind::Changed,
        Event::ClientDisconnect { .. } => Kind::Removed,
        Event::ServiceChanged { .. } => Kind::ServiceChanged,
        Event::Synced { .. } | Event::SyncFailed { .. } => Kind::SyncSettled,
        Event::MembersChange { .. } | Event::MemberRestarted { .. } => Kind::Member,
        Event::ClientVerifyFailed { .. }
        | Event::Verified { .. }
        | Event::SyncIgnored { .. }
        | Event::Pushed { .. }
        | Event::PushFailed { .. }
        | Event::Detecting(_)
        | Event::ConnectionRefused { .. }
        | Event::Paused(_)
        | Event::SnapshotLoaded { .. }
        | Event::SnapshotFailed { .. }
        | Event::GivenUp(_)
        | Event::BoundReached(_) => Kind::OtherEvent,
    }
}
