//! Rare paths, counted: a sweep reports those that no run reached.

use distro_core::event::{ChangeCause, Event};
use distro_core::io::{CloseReason, RemoveCause};
use distro_core::message::Request;
use distro_core::message::distro::DistroDataRequest;
use distro_core::sdk::io::SdkEvent;

use crate::check::found::Found;
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context};
use crate::observe::{Observation, Seen};

/// Counts rare paths.
#[derive(Debug)]
pub(crate) struct Marks;

impl Check for Marks {
    fn interest(&self) -> Interest {
        Interest::of(&[
            Kind::OtherEvent,
            Kind::Member,
            Kind::Removed,
            Kind::Changed,
            Kind::SyncSettled,
            Kind::SyncSent,
            Kind::OtherReceived,
            Kind::Client,
            Kind::Transport,
        ])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        match seen.what {
            Seen::Node(event) => event_mark(event, found),
            Seen::Client(SdkEvent::Registered { redo: true, .. }) => found.mark("redo"),
            Seen::Client(SdkEvent::Disconnected { .. }) => found.mark("failover"),
            Seen::Client(SdkEvent::ListIgnored { .. }) => found.mark("list-ignored"),
            Seen::Close {
                reason: Some(CloseReason::OverLimit),
                ..
            } => found.mark("limit-refused"),
            Seen::Close {
                reason: Some(CloseReason::NotReady),
                ..
            } => found.mark("not-ready-refused"),
            Seen::Close {
                reason: Some(CloseReason::Superseded),
                ..
            } => found.mark("superseded"),
            Seen::RequestSent {
                request: Request::DistroData(DistroDataRequest::Add(_)),
                ..
            } => {
                found.mark("resend");
            }
            Seen::RequestSent { peer, .. } if !cx.facts.serves(peer.0) => found.mark("dead-target"),
            Seen::RequestReceived {
                request: Request::DistroData(DistroDataRequest::SnapshotChunk(chunk)),
                ..
            } if chunk.after.is_some() => {
                found.mark("snapshot-chunks");
            }
            Seen::RequestReceived {
                request: Request::ConnectReset(_),
                ..
            } => {
                found.mark("connection-reset");
            }
            _ => {}
        }
    }
}

fn event_mark(event: &Event, found: &mut Found) {
    match event {
        Event::Detecting(_) => found.mark("detection"),
        Event::ClientDisconnect { removed, .. } => match removed.cause {
            RemoveCause::Ejected(_) => found.mark("ejection"),
            RemoveCause::Expired => found.mark("expiry"),
            RemoveCause::OwnerRestarted => found.mark("owner-restarted"),
            RemoveCause::Disconnected | RemoveCause::Deleted => {}
        },
        Event::ClientVerifyFailed { .. } => found.mark("verify-mismatch"),
        Event::SyncIgnored { revision, .. } => {
            found.mark("sync-ignored");
            if revision.is_some() {
                found.mark("tombstone-ignored");
            }
        }
        Event::SyncFailed { .. } => found.mark("sync-failed"),
        Event::Paused(_) => found.mark("pause-noticed"),
        Event::ConnectionRefused { .. } => found.mark("connection-refused"),
        Event::MemberRestarted { .. } => found.mark("member-restarted"),
        Event::MembersChange { .. } => found.mark("member-change"),
        Event::PushFailed { .. } => found.mark("push-failed"),
        Event::SnapshotLoaded { .. } => found.mark("snapshot-loaded"),
        Event::SnapshotFailed { .. } => found.mark("snapshot-failed"),
        Event::GivenUp(_) => found.mark("place-given-up"),
        Event::BoundReached(_) => found.mark("bound-reached"),
        Event::ClientChanged {
            cause: ChangeCause::Snapshot,
            ..
        } => found.mark("snapshot-applied"),
        Event::ClientChanged { .. }
        | Event::Starting(_)
        | Event::Ready(_)
        | Event::ClientConnected { .. }
        | Event::Verified { .. }
        | Event::Synced { .. }
        | Event::ServiceChanged { .. }
        | Event::Pushed { .. } => {}
    }
}
