//! What nodes and clients tell of their doings, as fields of a line.

use distro_core::event::{ChangeCause, Event, FailCause};
use distro_core::io::{CloseReason, RemoveCause};
use distro_core::sdk::io::{Answer, CallError, SdkEvent};

use crate::scenario::model::ClientOp;

use super::line::Line;
use super::message::{Owner, Service, Shown, record, service_info, state};

pub(super) const fn close_reason(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::NotReady => "not-ready",
        CloseReason::OverLimit => "over-limit",
        CloseReason::Idle => "idle",
        CloseReason::Blocked => "blocked",
        CloseReason::Rebalanced => "rebalanced",
        CloseReason::Unresponsive => "unresponsive",
        CloseReason::Obsolete => "obsolete",
        CloseReason::Superseded => "superseded",
        CloseReason::NotAMember => "not-a-member",
    }
}

const fn remove_cause(cause: RemoveCause) -> &'static str {
    match cause {
        RemoveCause::Disconnected => "disconnected",
        RemoveCause::Ejected(_) => "ejected",
        RemoveCause::Deleted => "deleted",
        RemoveCause::Expired => "expired",
        RemoveCause::OwnerRestarted => "owner-restarted",
    }
}

const fn change_cause(cause: ChangeCause) -> &'static str {
    match cause {
        ChangeCause::Request => "request",
        ChangeCause::Sync => "sync",
        ChangeCause::Snapshot => "snapshot",
    }
}

const fn fail_cause(cause: FailCause) -> &'static str {
    match cause {
        FailCause::Timeout => "timeout",
        FailCause::Closed => "closed",
        FailCause::Busy => "busy",
        FailCause::TooLarge => "too-large",
        FailCause::Refused => "refused",
        FailCause::Unreachable => "unreachable",
    }
}

/// The name of a node's event, after Nacos.
const fn event_name(event: &Event) -> &'static str {
    match event {
        Event::Starting(_) => "Starting",
        Event::Ready(_) => "Ready",
        Event::ClientConnected { .. } => "ClientConnected",
        Event::ClientChanged { .. } => "ClientChanged",
        Event::ClientDisconnect { .. } => "ClientDisconnect",
        Event::ClientVerifyFailed { .. } => "ClientVerifyFailed",
        Event::Verified { .. } => "Verified",
        Event::Synced { .. } => "Synced",
        Event::SyncFailed { .. } => "SyncFailed",
        Event::SyncIgnored { .. } => "SyncIgnored",
        Event::ServiceChanged { .. } => "ServiceChanged",
        Event::Pushed { .. } => "Pushed",
        Event::PushFailed { .. } => "PushFailed",
        Event::MembersChange { .. } => "MembersChange",
        Event::MemberRestarted { .. } => "MemberRestarted",
        Event::Detecting(_) => "Detecting",
        Event::ConnectionRefused { .. } => "ConnectionRefused",
        Event::Paused(_) => "Paused",
        Event::SnapshotLoaded { .. } => "SnapshotLoaded",
        Event::SnapshotFailed { .. } => "SnapshotFailed",
        Event::GivenUp(_) => "GivenUp",
        Event::BoundReached(_) => "BoundReached",
    }
}

/// A node's event.
pub(super) fn node(line: &mut Line<'_>, event: &Event) {
    line.text("event", &event_name(event));
    match event {
        Event::Starting(incarnation) | Event::Ready(incarnation) => {
            line.unsigned("incarnation", incarnation.0);
        }
        Event::ClientConnected { client, conn } => {
            line.text("client", client);
            line.unsigned("conn", conn.0);
        }
        Event::ClientChanged { .. } | Event::ClientDisconnect { .. } => client_event(line, event),
        Event::ClientVerifyFailed { .. }
        | Event::Verified { .. }
        | Event::Synced { .. }
        | Event::SyncFailed { .. }
        | Event::SyncIgnored { .. }
        | Event::SnapshotLoaded { .. }
        | Event::SnapshotFailed { .. } => replication_event(line, event),
        Event::ServiceChanged { service, version } => {
            line.text("service", &Service(service));
            line.unsigned("version", *version);
        }
        Event::Pushed { service, client } => {
            line.text("service", &Service(service));
            line.text("client", client);
        }
        Event::PushFailed {
            service,
            client,
            cause,
        } => {
            line.text("service", &Service(service));
            line.text("client", client);
            line.text("cause", &fail_cause(*cause));
        }
        Event::MembersChange { member, state: new } => {
            line.text("member", member);
            line.text("state", &state(*new));
        }
        Event::MemberRestarted {
            member,
            incarnation,
        } => {
            line.text("member", member);
            line.unsigned("incarnation", incarnation.0);
        }
        Event::GivenUp(given_up) => {
            line.text("service", &Service(&given_up.service));
            line.text(
                "place",
                &format_args!("{}:{}#{}", given_up.ip, given_up.port, given_up.cluster),
            );
            line.unsigned("word", given_up.word.0);
        }
        Event::Detecting(conn) => line.unsigned("conn", conn.0),
        Event::ConnectionRefused { conn, why } => {
            line.unsigned("conn", conn.0);
            line.text("why", why);
        }
        Event::Paused(period) => line.period("for", *period),
        Event::BoundReached(bound) => line.text("bound", bound),
    }
}

/// Events between two nodes. Each field of theirs has one name and place.
fn replication_event(line: &mut Line<'_>, event: &Event) {
    if let Event::ClientVerifyFailed { client, target } = event {
        line.text("client", client);
        line.text("target", target);
    }
    if let Event::Verified { target } = event {
        line.text("target", target);
    }
    if let Event::Synced {
        client,
        revision,
        target,
    } = event
    {
        line.text("client", client);
        line.maybe("revision", revision.as_ref());
        line.text("target", target);
    }
    if let Event::SyncFailed {
        client,
        target,
        cause,
    } = event
    {
        line.text("client", client);
        line.text("target", target);
        line.text("cause", &fail_cause(*cause));
    }
    if let Event::SyncIgnored { client, revision } = event {
        line.text("client", client);
        line.maybe("revision", revision.as_ref());
    }
    if let Event::SnapshotLoaded { from, applied } = event {
        line.text("from", from);
        line.unsigned("applied", *applied);
    }
    if let Event::SnapshotFailed { from, cause } = event {
        line.text("from", from);
        line.text("cause", &fail_cause(*cause));
    }
}

fn client_event(line: &mut Line<'_>, event: &Event) {
    if let Event::ClientChanged {
        data,
        owner,
        native,
        created,
        cause,
    } = event
    {
        line.text("owner", owner);
        line.flag("native", *native);
        line.flag("created", *created);
        line.text("cause", &change_cause(*cause));
        record(line, data);
    }
    if let Event::ClientDisconnect {
        removed,
        origin,
        native,
    } = event
    {
        line.text("client", &removed.client);
        line.text("cause", &remove_cause(removed.cause));
        if let RemoveCause::Ejected(reason) = removed.cause {
            line.text("reason", &close_reason(reason));
        }
        line.period("unheard", removed.unheard);
        line.text("origin", &Owner(origin));
        line.flag("native", *native);
    }
}

/// A client's event.
pub(super) fn client(line: &mut Line<'_>, event: &SdkEvent) {
    let name = match event {
        SdkEvent::Connected { .. } => "Connected",
        SdkEvent::Disconnected { .. } => "Disconnected",
        SdkEvent::Registered { .. } => "Registered",
        SdkEvent::ListChanged { .. } => "ListChanged",
        SdkEvent::ListIgnored { .. } => "ListIgnored",
    };
    line.text("event", &name);
    match event {
        SdkEvent::Connected { server, client } => {
            line.text("server", server);
            line.text("client", client);
        }
        SdkEvent::Disconnected { server } => line.text("server", server),
        SdkEvent::Registered { service, redo } => {
            line.text("service", &Service(service));
            line.flag("redo", *redo);
        }
        SdkEvent::ListChanged { info } => service_info(line, info),
        SdkEvent::ListIgnored { service } => line.text("service", &Service(service)),
    }
}

/// A call of an application.
pub(super) fn op(line: &mut Line<'_>, op: &ClientOp) {
    let (name, service) = match op {
        ClientOp::Register(service, _) => ("register", service),
        ClientOp::Batch(service, _) => ("batch", service),
        ClientOp::Deregister(service) => ("deregister", service),
        ClientOp::Subscribe(service) => ("subscribe", service),
        ClientOp::Unsubscribe(service) => ("unsubscribe", service),
        ClientOp::Query(service) => ("query", service),
    };
    line.text("op", &name);
    line.text("service", &Service(service));
    match op {
        ClientOp::Register(_, instance) => line.text("instance", &Shown(instance)),
        ClientOp::Batch(_, list) => line.list("instances", list.iter().map(Shown)),
        ClientOp::Deregister(_)
        | ClientOp::Subscribe(_)
        | ClientOp::Unsubscribe(_)
        | ClientOp::Query(_) => {}
    }
}

/// How a call ended.
pub(super) fn returned(line: &mut Line<'_>, result: &Result<Answer, CallError>) {
    let name = match result {
        Ok(Answer::Done | Answer::Service(_) | Answer::Services(_)) => "done",
        Err(CallError::NotConnected) => "not-connected",
        Err(CallError::Timeout) => "timeout",
        Err(CallError::Refused { .. }) => "refused",
        Err(CallError::Superseded) => "superseded",
    };
    line.text("result", &name);
    match result {
        Ok(Answer::Service(info)) => service_info(line, info),
        Ok(Answer::Services(list)) => {
            line.number("count", i64::from(list.count));
            line.list("services", &list.service_names);
        }
        Err(CallError::Refused { code, message }) => {
            line.number("error", i64::from(*code));
            line.text("message", message);
        }
        Ok(Answer::Done)
        | Err(CallError::NotConnected | CallError::Timeout | CallError::Superseded) => {}
    }
}
