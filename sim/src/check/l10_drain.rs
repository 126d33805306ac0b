//! L10: queues are empty again when nothing has happened for a while.

use distro_core::message::cluster::NodeState;
use distro_core::view::Sizes;

use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property};
use crate::observe::Observation;
use crate::scenario::model::HostId;

/// Judge of L10.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    /// The present quiet stretch was judged.
    judged: bool,
    /// The first look in this stretch found something waiting.
    doubted: bool,
}

impl Check for Drain {
    fn interest(&self) -> Interest {
        Interest::of(&[
            Kind::Changed,
            Kind::Removed,
            Kind::Process,
            Kind::Readiness,
            Kind::Timeline,
        ])
    }

    fn see(&mut self, _cx: &Context<'_>, _seen: &Observation<'_>, _found: &mut Found) {
        self.judged = false;
        self.doubted = false;
    }

    fn tick(&mut self, cx: &Context<'_>, found: &mut Found) {
        if self.judged {
            return;
        }
        let facts = cx.facts;
        let Some(calm) = facts.cluster_calm() else {
            return;
        };
        let since = facts.last_change.max(calm.severe).max(calm.mild);
        let bound = facts.bounds.drained();
        // What a node does by itself later, such as an expiry, has its own short while.
        let own = facts.last_touched + facts.bounds.repair();
        if facts.now.at <= own.max(since + bound) {
            return;
        }
        self.judged = true;
        let looks: Vec<(u32, Option<String>)> = (0..facts.nodes)
            .filter(|node| facts.serves(*node))
            .filter_map(|node| Some((node, waiting(node, cx)?)))
            .collect();
        let some = looks.iter().any(|(_, left)| left.is_some());
        if some && !cx.over && !core::mem::replace(&mut self.doubted, true) {
            self.judged = false;
            return;
        }
        let when = Moment {
            at: since + bound,
            entry: facts.now.entry,
        };
        for (node, left) in looks {
            match left {
                None => found.held(Property::L10),
                Some(text) => {
                    let times = (bound, facts.now.at.since(since));
                    found.late(Property::L10, when, times, || {
                        format!("{} still has {text}", facts.name(node))
                    });
                }
            }
        }
    }

    fn finish(&mut self, cx: &Context<'_>, found: &mut Found) {
        self.tick(cx, found);
    }
}

/// What waits still at a node; none when it cannot be asked.
fn waiting(node: u32, cx: &Context<'_>) -> Option<Option<String>> {
    let mut left = None;
    cx.tables.with_node(HostId(node), &mut |machine| {
        let members = machine
            .members()
            .map(|member| (member.state == NodeState::Up, member.pending));
        left = Some(undrained(&machine.sizes(), members));
    });
    left
}

/// What waits still. Syncs for a member that is not UP may wait for its return.
fn undrained(sizes: &Sizes, members: impl Iterator<Item = (bool, u64)>) -> Option<String> {
    let (mut up, mut all_up) = (0, true);
    for (is_up, pending) in members {
        all_up &= is_up;
        up += if is_up { pending } else { 0 };
    }
    if up > 0 {
        return Some(format!("{up} syncs waiting for members that are UP"));
    }
    if all_up && sizes.syncs_pending > 0 {
        return Some(format!("{} syncs waiting", sizes.syncs_pending));
    }
    (sizes.pushes_pending > 0).then(|| format!("{} pushes waiting", sizes.pushes_pending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syncs_wait_only_for_members_that_are_not_up() {
        let none = Sizes::default();
        assert_eq!(undrained(&none, [(true, 0), (false, 7)].into_iter()), None);
        assert!(undrained(&none, [(true, 1), (false, 0)].into_iter()).is_some());
    }

    #[test]
    fn pushes_and_syncs_that_stay_are_told() {
        let pushes = Sizes {
            pushes_pending: 1,
            ..Sizes::default()
        };
        assert!(undrained(&pushes, [(true, 0)].into_iter()).is_some());
        let syncs = Sizes {
            syncs_pending: 1,
            ..Sizes::default()
        };
        assert!(undrained(&syncs, [(true, 0)].into_iter()).is_some());
        assert_eq!(undrained(&syncs, [(false, 1)].into_iter()), None);
    }
}
