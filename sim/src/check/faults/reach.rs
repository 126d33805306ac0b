//! Which messages a fault meets, and how badly it upsets.

use distro_core::message::MessageKind;
use distro_core::time::Period;

use crate::scenario::model::{HostId, LinkFault, Path};

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

/// Losing service messages is made good by a retry; losing what keeps connections and members
/// alive is not.
pub(super) fn harm(path: &Path) -> Harm {
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

/// A fault of links that lasts and lets something through: some messages, or all of them late.
pub(super) fn lets_through(path: &Path, fault: &LinkFault) -> bool {
    match fault {
        LinkFault::Partition => !path.kinds.is_empty() || path.requests.is_some(),
        LinkFault::Loss { .. }
        | LinkFault::Delay { .. }
        | LinkFault::Duplicate { .. }
        | LinkFault::Reorder { .. }
        | LinkFault::Corrupt { .. }
        | LinkFault::Bandwidth { .. } => true,
        // A dial that finds no address, or a wrong one, fails as one at a dead server does.
        LinkFault::Drop { .. } | LinkFault::DnsFailure { .. } => false,
    }
}

/// For how long after its end a fault still delays messages that met it. The queues of a limited
/// bandwidth are watched until they are empty.
pub(super) fn tail(fault: &LinkFault) -> Period {
    match fault {
        LinkFault::Delay { by } => *by,
        LinkFault::Reorder { within } => *within,
        LinkFault::Partition
        | LinkFault::Loss { .. }
        | LinkFault::Duplicate { .. }
        | LinkFault::Corrupt { .. }
        | LinkFault::Bandwidth { .. }
        | LinkFault::DnsFailure { .. }
        | LinkFault::Drop { .. } => Period::ZERO,
    }
}
