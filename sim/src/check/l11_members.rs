//! L11: a member that died is DOWN in the others' view in time, and one that is well is UP.

use std::collections::BTreeMap;

use distro_core::event::Event;
use distro_core::message::cluster::NodeState;
use distro_core::time::Mono;

use crate::check::duty::{self, Outcome};
use crate::check::found::{Found, Moment};
use crate::check::kind::{Interest, Kind};
use crate::check::sets::take_range;
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
    /// Members that are not UP in an observer's view, by (observer, member): since when.
    away: BTreeMap<(u32, u32), Moment>,
}

impl Check for Members {
    fn interest(&self) -> Interest {
        Interest::of(&[Kind::Process, Kind::Readiness, Kind::Timeline, Kind::Member])
    }

    fn see(&mut self, cx: &Context<'_>, seen: &Observation<'_>, _found: &mut Found) {
        let (host, facts) = (seen.host.0, cx.facts);
        if let Seen::Node(Event::MembersChange { member, state }) = seen.what {
            let Some(member) = facts.node_of(member) else {
                return;
            };
            if *state == NodeState::Up {
                self.away.remove(&(host, member));
            } else if is_mutual((host, member), cx) {
                self.away.entry((host, member)).or_insert(facts.now);
            }
            return;
        }
        let timeline = matches!(seen.what, Seen::Began { .. } | Seen::Ended { .. });
        if !timeline && !facts.is_node(host) {
            return;
        }
        self.well.clear();
        self.well
            .extend(pairs(cx).filter(|pair| is_mutual(*pair, cx)));
        self.well.sort_unstable();
        self.well.dedup();
        match seen.what {
            Seen::Stopped { .. } => {
                let all = (host, 0)..=(host, u32::MAX);
                take_range(&mut self.dead, all.clone());
                take_range(&mut self.away, all);
                for (observer, member) in pairs(cx).filter(|(_, member)| *member == host) {
                    self.dead.insert((observer, member), facts.now);
                }
            }
            Seen::Started => {
                let all = (host, 0)..=(host, u32::MAX);
                take_range(&mut self.away, all);
                self.dead
                    .retain(|(observer, member), _| *observer != host && *member != host);
            }
            // Of whom a node does not hold for a member any more it has no view.
            _ if timeline => {
                self.dead
                    .retain(|(observer, member), _| facts.knows(*observer, *member));
                self.away.retain(|pair, _| is_mutual(*pair, cx));
                // Two that list each other from now on may have given each other up before.
                for (observer, member) in self.well.iter().copied() {
                    let told = facts.node[observer as usize].states.get(&member);
                    if told.is_some_and(|state| *state != NodeState::Up) {
                        self.away.entry((observer, member)).or_insert(facts.now);
                    }
                }
            }
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
            let state = state(*observer, *member, cx).unwrap_or(NodeState::Up);
            if state == NodeState::Down {
                found.held(Property::L11);
                return false;
            }
            let times = (since.at, facts.now);
            let outcome = duty::open(found, Property::L11, times, Some(due), || {
                let (node, dead) = (facts.name(*observer), facts.name(*member));
                format!(
                    "{node} has {dead} as {}, which died at {}",
                    word(state),
                    since.at
                )
            });
            outcome == Outcome::Open
        });
        self.well.retain(|(observer, member)| {
            let Some(calm) = facts.calm(*observer, *member) else {
                return true;
            };
            let due = calm.severe.max(calm.mild) + facts.bounds.settle();
            if facts.now.at <= due {
                return true;
            }
            if !self.away.contains_key(&(*observer, *member)) {
                found.held(Property::L11);
            }
            false
        });
        let away: Vec<(u32, u32)> = self.away.keys().copied().collect();
        for (observer, member) in away {
            if self.overdue(observer, member, cx, found) {
                self.away.remove(&(observer, member));
            }
        }
    }

    fn finish(&mut self, cx: &Context<'_>, found: &mut Found) {
        self.tick(cx, found);
    }
}

impl Members {
    /// A member that is well may be away in an observer's view for as long as a lost report is
    /// made good, and after trouble for as long as everything takes to settle. True when there is
    /// nothing to wait for any more: it was too long, or it is UP without a word, as one is that
    /// was taken into the list anew.
    fn overdue(&self, observer: u32, member: u32, cx: &Context<'_>, found: &mut Found) -> bool {
        let facts = cx.facts;
        let Some(since) = self.away.get(&(observer, member)) else {
            return false;
        };
        let Some(calm) = facts.calm(observer, member) else {
            return false;
        };
        let well = calm.severe.max(calm.mild);
        let due = (well + facts.bounds.settle()).max(since.at + facts.bounds.suspected_in_vain());
        if facts.now.at <= due {
            return false;
        }
        let state = state(observer, member, cx).unwrap_or(NodeState::Up);
        if state == NodeState::Up {
            return true;
        }
        let times = (well, facts.now);
        let outcome = duty::open(found, Property::L11, times, Some(due), || {
            let (node, well_one) = (facts.name(observer), facts.name(member));
            format!(
                "{node} has {well_one} as {} since {}, which has been well since {well}",
                word(state),
                since.at
            )
        });
        outcome == Outcome::Missed
    }
}

/// A member's state as reports name it.
const fn word(state: NodeState) -> &'static str {
    match state {
        NodeState::Starting => "STARTING",
        NodeState::Up => "UP",
        NodeState::Suspicious => "SUSPICIOUS",
        NodeState::Down => "DOWN",
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
    cx.facts.knows(observer, member) && cx.facts.knows(member, observer)
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
