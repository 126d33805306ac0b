//! Which messages a fault meets, and how badly it upsets.

use distro_core::message::MessageKind;

use crate::scenario::model::{HostId, Path};

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
