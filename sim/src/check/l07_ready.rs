//! L7: a started node becomes ready: within its wait for peers when they answer or nobody does,
//! and within a load more when a way to them is bad.

use std::collections::BTreeMap;

use distro_core::event::Event;
use distro_core::time::Mono;

use crate::check::duty::{self, Outcome};
use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};

/// Judge of L7.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    starting: BTreeMap<u32, Moment>,
}

impl Check for Ready {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::Process, Kind::Readiness])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, found: &mut Found) {
        let (node, facts) = (seen.host.0, cx.facts);
        match seen.what {
            Seen::Started if facts.is_node(node) => {
                self.starting.insert(node, facts.now);
            }
            Seen::Stopped { .. } => {
                self.starting.remove(&node);
            }
            Seen::Node(Event::Ready(_)) => {
                let Some(since) = self.starting.remove(&node) else {
                    return;
                };
                // The node's own word counts as the end of its start, not as a disturbance; a stop
                // of its process does.
                let own = since.at.max(facts.faults.last_pause(node));
                let due = Some(deadline(node, since, own, cx));
                duty::done(found, Property::L7, (since.at, facts.now), due, || {
                    late(node, cx)
                });
            }
            _ => {}
        }
    }

    fn tick(&mut self, cx: &Context<'_>, found: &mut Found) {
        let facts = cx.facts;
        self.starting.retain(|node, since| {
            let own = facts.faults.host_calm(*node);
            let due = own.map(|own| deadline(*node, *since, own.severe, cx));
            let outcome = duty::open(found, Property::L7, (since.at, facts.now), due, || {
                late(*node, cx)
            });
            outcome == Outcome::Open
        });
    }

    fn finish(&mut self, cx: &Context<'_>, found: &mut Found) {
        self.tick(cx, found);
    }
}

fn deadline(node: u32, since: Moment, own: Mono, cx: &Context<'_>) -> Mono {
    let facts = cx.facts;
    let ways = (0..facts.nodes)
        .filter(|other| *other != node)
        .all(|other| {
            let calm = facts.faults.path_calm(node, other);
            calm.is_some_and(|calm| calm.severe.max(calm.mild) <= since.at)
                && facts.faults.host_calm(other).is_some()
        });
    let bound = if ways {
        facts.bounds.ready()
    } else {
        facts.bounds.ready_anyway()
    };
    since.at.max(own) + bound
}

fn late(node: u32, cx: &Context<'_>) -> String {
    format!("{} was not ready in time", cx.facts.name(node))
}
