//! L11: a member that died is DOWN in the others' view in time, and one that is well is UP.

use std::collections::BTreeMap;

use distro_core::message::cluster::NodeState;
use distro_core::time::Mono;

use crate::check::duty::{self, Outcome};
use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::{Check, Context, Property};
use crate::observe::{Observation, Seen};
use crate::scenario::model::HostId;

/// Judge of L11.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// Members that died, by (observer, member).
    dead: BTreeMap<(u32, u32), Moment>,
    /// Pairs that are to be found UP, by (observer, member), in order.
    well: Vec<(u32, u32)>,
}

impl Check for Members {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::Process, Kind::Readiness, Kind::Timeline])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, _found: &mut Found) {
        let (host, facts) = (seen.host.0, cx.facts);
        self.well.clear();
        self.well
            .extend(pairs(cx).filter(|pair| is_mutual(*pair, cx)));
        self.well.sort_unstable();
        self.well.dedup();
        if !facts.is_node(host) {
            return;
        }
        match seen.what {
            Seen::Stopped { .. } => {
                self.dead.retain(|(observer, _), _| *observer != host);
                for (observer, member) in pairs(cx).filter(|(_, member)| *member == host) {
                    self.dead.insert((observer, member), facts.now);
                }
            }
            Seen::Started => self
                .dead
                .retain(|(observer, member), _| *observer != host && *member != host),
            _ => {}
        }
    }

    fn tick(&mut self, cx: &Context<'_>, found: &mut Found) {
        let facts = cx.facts;
        self.dead.retain(|(observer, member), since| {
            let Some(due) = down_due(*observer, *member, *since, cx) else {
                return true;
            };
            if facts.now.at <= due {
                return true;
            }
            let state = state(*observer, *member, cx);
            if state == Some(NodeState::Down) {
                found.held(Property::L11);
                return false;
            }
            let times = (since.at, facts.now);
            let outcome = duty::open(found, Property::L11, times, Some(due), || {
                let (node, dead) = (facts.name(*observer), facts.name(*member));
                format!("{node} has {dead} as {state:?}, which died at {}", since.at)
            });
            outcome == Outcome::Open
        });
        self.well.retain(|(observer, member)| {
            let Some(calm) = facts.calm(*observer, *member) else {
                return true;
            };
            let since = calm.severe.max(calm.mild);
            let due = since + facts.bounds.settle();
            if facts.now.at <= due {
                return true;
            }
            let state = state(*observer, *member, cx).unwrap_or(NodeState::Up);
            if state == NodeState::Up {
                found.held(Property::L11);
                return false;
            }
            let outcome = duty::open(found, Property::L11, (since, facts.now), Some(due), || {
                let (node, well) = (facts.name(*observer), facts.name(*member));
                format!("{node} has {well} as {state:?}, which has been well since {since}")
            });
            outcome == Outcome::Open
        });
    }

    fn finish(&mut self, cx: &Context<'_>, found: &mut Found) {
        self.tick(cx, found);
    }
}

/// All (observer, member) pairs by the nodes' own lists.
fn pairs<'a>(cx: &Context<'a>) -> impl Iterator<Item = (u32, u32)> + use<'a> {
    let facts = cx.facts;
    (0..facts.nodes).flat_map(move |node| {
        facts.node[node as usize]
            .members
            .iter()
            .map(move |member| (node, *member))
    })
}

/// A node refuses whom it does not have on its own list, and so is out of reach for it.
fn is_mutual((observer, member): (u32, u32), cx: &Context<'_>) -> bool {
    let lists = &cx.facts.node[member as usize].members;
    lists.contains(&observer)
}

/// When a dead member must be DOWN: the clock starts again when its observer is upset.
fn down_due(observer: u32, member: u32, since: Moment, cx: &Context<'_>) -> Option<Mono> {
    let facts = cx.facts;
    if !facts.serves(observer) {
        return None;
    }
    let own = facts.faults.host_calm(observer)?;
    let path = facts.faults.path_calm(observer, member)?;
    let start = since.at.max(own.severe).max(path.severe).max(path.mild);
    let noticed = !facts.processes[member as usize].silent && path.severe == Mono(0);
    Some(start + facts.bounds.down(noticed))
}

/// A member's state in an observer's view: its table's, or its last word when it cannot be asked.
fn state(observer: u32, member: u32, cx: &Context<'_>) -> Option<NodeState> {
    let facts = cx.facts;
    let mut state = facts.node[observer as usize].states.get(&member).copied();
    let id = facts.node[member as usize].id.as_ref();
    cx.tables.with_node(HostId(observer), &mut |machine| {
        let found = machine.members().find(|view| Some(view.node) == id);
        state = found.map(|view| view.state).or(state);
    });
    state
}
