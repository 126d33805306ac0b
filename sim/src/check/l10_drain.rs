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
    judged: bool,
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
        if facts.now.at <= since + bound {
            return;
        }
        self.judged = true;
        for node in (0..facts.nodes).filter(|node| facts.serves(*node)) {
            let mut left = None;
            let mut looked = false;
            cx.tables.with_node(HostId(node), &mut |machine| {
                looked = true;
                let members = machine
                    .members()
                    .map(|member| (member.state == NodeState::Up, member.pending));
                left = undrained(&machine.sizes(), members);
            });
            if !looked {
                continue;
            }
            let when = Moment {
                at: since + bound,
                entry: facts.now.entry,
            };
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
