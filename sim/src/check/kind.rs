//! Classes of observations, so that each check is called only for what it asked for.

#![deny(clippy::wildcard_enum_match_arm)]

use distro_core::event::Event;
use distro_core::message::distro::DistroDataResponse;
use distro_core::message::{MessageKind, Request, Response, ResponseBody};

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
            Seen::Unhandled { .. } => Kind::OtherReceived,
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

fn sent(request: &Request) -> Kind {
    match request.kind() {
        MessageKind::Add | MessageKind::Change | MessageKind::Delete => Kind::SyncSent,
        MessageKind::Verify => Kind::VerifySent,
        MessageKind::Push if is_list(request) => Kind::PushSent,
        MessageKind::Setup
        | MessageKind::HealthCheck
        | MessageKind::Detection
        | MessageKind::Reset
        | MessageKind::Register
        | MessageKind::Subscribe
        | MessageKind::Query
        | MessageKind::Push
        | MessageKind::Snapshot
        | MessageKind::DistroQuery
        | MessageKind::Report
        | MessageKind::Unknown => Kind::OtherSent,
    }
}

fn received(request: &Request) -> Kind {
    match request.kind() {
        MessageKind::Add | MessageKind::Change | MessageKind::Delete => Kind::SyncReceived,
        MessageKind::Verify => Kind::VerifyReceived,
        MessageKind::Push if is_list(request) => Kind::PushReceived,
        MessageKind::Register if !is_persistent(request) => Kind::RegisterReceived,
        MessageKind::Setup
        | MessageKind::HealthCheck
        | MessageKind::Detection
        | MessageKind::Reset
        | MessageKind::Register
        | MessageKind::Subscribe
        | MessageKind::Query
        | MessageKind::Push
        | MessageKind::Snapshot
        | MessageKind::DistroQuery
        | MessageKind::Report
        | MessageKind::Unknown => Kind::OtherReceived,
    }
}

/// Pushes of names are no lists.
const fn is_list(push: &Request) -> bool {
    matches!(push, Request::NotifySubscriber(_))
}

/// Persistent instances are refused.
const fn is_persistent(register: &Request) -> bool {
    matches!(register, Request::PersistentInstance(_))
}

/// The checks look at these answers alone.
const fn answered(response: &Response) -> Kind {
    let body = &response.body;
    if matches!(
        body,
        ResponseBody::SubscribeService(_) | ResponseBody::QueryService(_)
    ) {
        return Kind::ListAnswered;
    }
    if matches!(
        body,
        ResponseBody::Instance(_) | ResponseBody::BatchInstance
    ) {
        return Kind::RegisterAnswered;
    }
    if matches!(
        body,
        ResponseBody::DistroData(DistroDataResponse::Done | DistroDataResponse::Digest(_))
    ) {
        return Kind::SyncAnswered;
    }
    Kind::OtherAnswered
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
