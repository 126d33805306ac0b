//! What a fault touches, and how badly.

use distro_core::message::MessageKind;
use distro_core::time::Period;

use crate::scenario::model::{Fault, HostId, Path};

/// How much a fault upsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Single messages of services: a retry or the next verify makes it good.
    Mild,
    /// Connections or processes: all has to be set up again.
    Severe,
}

/// True when a path's fault meets this message.
pub(super) fn takes(
    path: &Path,
    from: HostId,
    to: HostId,
    kind: Option<MessageKind>,
    request: bool,
) -> bool {
    let there = path.from.contains(&from) && path.to.contains(&to);
    let back = path.both && path.from.contains(&to) && path.to.contains(&from);
    let kinds = path.kinds.is_empty() || kind.is_none_or(|kind| path.kinds.contains(&kind));
    (there || back) && kinds && path.requests.is_none_or(|wanted| wanted == request)
}

/// The path of a fault that lasts until it is ended.
pub(super) fn lasting_path(fault: &Fault) -> Option<&Path> {
    match fault {
        Fault::Partition(path)
        | Fault::Loss { path, .. }
        | Fault::Delay { path, .. }
        | Fault::Duplicate { path, .. }
        | Fault::Reorder { path, .. }
        | Fault::Corrupt { path, .. }
        | Fault::Bandwidth { path, .. } => Some(path),
        Fault::Drop { .. }
        | Fault::Reset(_)
        | Fault::HalfOpen(_)
        | Fault::DeadStream(_)
        | Fault::Slow { .. }
        | Fault::Pause(_)
        | Fault::Kill(_)
        | Fault::PowerOff(_)
        | Fault::Restart { .. }
        | Fault::RollingRestart { .. }
        | Fault::WallJump { .. }
        | Fault::MonoJump { .. }
        | Fault::Drift { .. }
        | Fault::FailApply { .. } => None,
    }
}

/// The hosts of a fault that lasts until it is ended.
pub(super) fn lasting_hosts(fault: &Fault) -> &[HostId] {
    match fault {
        Fault::Slow { hosts, .. } | Fault::Pause(hosts) => hosts,
        Fault::Partition(_)
        | Fault::Loss { .. }
        | Fault::Drop { .. }
        | Fault::Delay { .. }
        | Fault::Duplicate { .. }
        | Fault::Reorder { .. }
        | Fault::Corrupt { .. }
        | Fault::Reset(_)
        | Fault::HalfOpen(_)
        | Fault::DeadStream(_)
        | Fault::Bandwidth { .. }
        | Fault::Kill(_)
        | Fault::PowerOff(_)
        | Fault::Restart { .. }
        | Fault::RollingRestart { .. }
        | Fault::WallJump { .. }
        | Fault::MonoJump { .. }
        | Fault::Drift { .. }
        | Fault::FailApply { .. } => &[],
    }
}

/// A fault that lasts and lets something through: a message, or all of them late.
pub(super) fn lets_through(fault: &Fault) -> bool {
    match fault {
        Fault::Partition(path) => !path.kinds.is_empty() || path.requests.is_some(),
        Fault::Loss { .. }
        | Fault::Delay { .. }
        | Fault::Duplicate { .. }
        | Fault::Reorder { .. }
        | Fault::Corrupt { .. }
        | Fault::Bandwidth { .. }
        | Fault::Slow { .. } => true,
        Fault::Drop { .. }
        | Fault::Reset(_)
        | Fault::HalfOpen(_)
        | Fault::DeadStream(_)
        | Fault::Pause(_)
        | Fault::Kill(_)
        | Fault::PowerOff(_)
        | Fault::Restart { .. }
        | Fault::RollingRestart { .. }
        | Fault::WallJump { .. }
        | Fault::MonoJump { .. }
        | Fault::Drift { .. }
        | Fault::FailApply { .. } => false,
    }
}

/// For how long after its end a fault still delays messages that met it.
pub(super) fn tail(fault: &Fault) -> Period {
    match fault {
        Fault::Delay { by, .. } => *by,
        Fault::Reorder { within, .. } => *within,
        // The queues of a limited bandwidth are watched until they are empty.
        Fault::Bandwidth { .. }
        | Fault::Partition(_)
        | Fault::Loss { .. }
        | Fault::Drop { .. }
        | Fault::Duplicate { .. }
        | Fault::Corrupt { .. }
        | Fault::Reset(_)
        | Fault::HalfOpen(_)
        | Fault::DeadStream(_)
        | Fault::Slow { .. }
        | Fault::Pause(_)
        | Fault::Kill(_)
        | Fault::PowerOff(_)
        | Fault::Restart { .. }
        | Fault::RollingRestart { .. }
        | Fault::WallJump { .. }
        | Fault::MonoJump { .. }
        | Fault::Drift { .. }
        | Fault::FailApply { .. } => Period::ZERO,
    }
}

pub(super) fn harm(path: &Path, fault: &Fault) -> Harm {
    if matches!(fault, Fault::Bandwidth { .. }) {
        Harm::Severe
    } else {
        kinds_harm(path)
    }
}

/// Losing service messages is made good by a retry; losing what keeps connections and members
/// alive is not.
pub(super) fn kinds_harm(path: &Path) -> Harm {
    let service = |kind: &MessageKind| {
        matches!(
            kind,
            MessageKind::Register
                | MessageKind::Subscribe
                | MessageKind::Query
                | MessageKind::Push
                | MessageKind::Add
                | MessageKind::Change
                | MessageKind::Delete
                | MessageKind::Verify
                | MessageKind::Snapshot
                | MessageKind::DistroQuery
        )
    };
    if !path.kinds.is_empty() && path.kinds.iter().all(service) {
        Harm::Mild
    } else {
        Harm::Severe
    }
}
