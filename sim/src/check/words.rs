//! Causes in words, for what is said of a violation.

use distro_core::event::ChangeCause;
use distro_core::io::{CloseReason, RemoveCause};

/// What changed a record.
pub(crate) const fn change(cause: ChangeCause) -> &'static str {
    match cause {
        ChangeCause::Request => "a request of its client",
        ChangeCause::Sync => "a sync",
        ChangeCause::Snapshot => "a snapshot",
    }
}

/// Why a record was removed.
pub(crate) const fn removal(cause: RemoveCause) -> &'static str {
    match cause {
        RemoveCause::Disconnected => "disconnected",
        RemoveCause::Ejected(reason) => ejection(reason),
        RemoveCause::Deleted => "deleted by a message",
        RemoveCause::Expired => "expired",
        RemoveCause::OwnerRestarted => "its owner has a new life",
    }
}

const fn ejection(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::NotReady => "refused before the node was ready",
        CloseReason::OverLimit => "over a limit of connections",
        CloseReason::Idle => "idle, and its probe unanswered",
        CloseReason::Blocked => "its pushes were blocked for too long",
        CloseReason::Rebalanced => "sent to another node",
        CloseReason::Unresponsive => "unresponsive",
        CloseReason::Obsolete => "its connection was obsolete",
        CloseReason::Superseded => "superseded by a later life",
        CloseReason::NotAMember => "not what it says it is",
    }
}
