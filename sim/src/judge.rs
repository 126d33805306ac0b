//! The checks' common frame: what they see and what they say.

use std::sync::Arc;

use distro_core::message::naming::{Instance, ServiceInfo};
use distro_core::message::{Request, ResponseBody};
use distro_core::time::{Mono, Period};

use crate::check::facts::Facts;
use crate::check::found::{Found, Moment};
use crate::check::kind::{KINDS, Kind};
use crate::check::mirror::{Place, Places};
use crate::check::verdict::Verdict;
use crate::check::wall::History;
use crate::check::{self, Check, Context, Listing};
use crate::observe::{Observation, Seen, Tables};
use crate::scenario::model::Scenario;

/// How often overdue duties are looked for. A duty's deadline is exact whatever this is; only the
/// trace entry at which a miss is noticed depends on it.
const TICK: Period = Period::from_millis(250);
/// How often a node whose tables keep changing is scanned.
const SCAN: Period = Period::from_secs(5);

/// All checks over one run.
#[derive(Debug)]
pub struct Judge {
    facts: Facts,
    found: Found,
    checks: Vec<Box<dyn Check>>,
    /// Which checks asked for each kind, by index into `checks`.
    interested: [Vec<u8>; KINDS],
    history: History,
    taken: Taken,
    next_tick: Mono,
    next_scan: Mono,
    /// By node: it is to be scanned even when nothing changes.
    scan_again: Vec<bool>,
}

impl Judge {
    /// The checks for a scenario that runs as it stands.
    pub fn new(scenario: &Scenario) -> Judge {
        let checks = check::all(scenario);
        let interested = core::array::from_fn(|kind| {
            (0..)
                .zip(&checks)
                .filter(|(_, check)| check.interest().has(kind))
                .map(|(index, _)| index)
                .collect()
        });
        Judge {
            facts: Facts::new(scenario),
            found: Found::default(),
            checks,
            interested,
            history: History::default(),
            taken: Taken::default(),
            next_tick: Mono(0) + TICK,
            next_scan: Mono(0) + SCAN,
            scan_again: vec![false; scenario.nodes.len()],
        }
    }

    /// Looks at one observation, after the machines took it. `entry` is its trace number.
    pub fn see(&mut self, entry: u64, seen: &Observation<'_>, tables: &dyn Tables) {
        if seen.at >= self.next_tick {
            self.tick(Moment { at: seen.at, entry }, tables, false);
        }
        let kind = Kind::of(&seen.what);
        self.facts.see(kind, entry, seen);
        if matches!(kind, Kind::Changed | Kind::Removed) {
            self.history.see(&self.facts, seen);
        }
        if self.interested[kind as usize].is_empty() {
            return;
        }
        let interested = &self.interested[kind as usize];
        let Some(info) = listed(kind, &seen.what) else {
            let cx = Context {
                facts: &self.facts,
                tables,
                listing: None,
                over: false,
            };
            return dispatch(&mut self.checks, interested, &cx, seen, &mut self.found);
        };
        self.taken.take_apart(info, &mut self.facts.known.places);
        let service = self.facts.known.services.number(&info.service);
        let whole = info.clusters.is_empty();
        let listing = Listing {
            info,
            service,
            places: &self.taken.places,
            whole,
        };
        let cx = Context {
            facts: &self.facts,
            tables,
            listing: Some(&listing),
            over: false,
        };
        dispatch(&mut self.checks, interested, &cx, seen, &mut self.found);
    }

    /// The run is over at this moment.
    pub fn finish(mut self, at: Mono, tables: &dyn Tables) -> Verdict {
        let entry = self.facts.now.entry;
        self.tick(Moment { at, entry }, tables, true);
        let cx = Context {
            facts: &self.facts,
            tables,
            listing: None,
            over: true,
        };
        for check in &mut self.checks {
            for node in 0..self.facts.nodes {
                check.scan(node, true, &cx, &mut self.found);
            }
            check.finish(&cx, &mut self.found);
        }
        let (violations, checks, marks) = self.found.into_parts();
        Verdict {
            violations,
            checks,
            marks,
            history_hash: self.history.hash(),
        }
    }

    /// Judges what is overdue, by what was known before the observation that shows the time.
    fn tick(&mut self, now: Moment, tables: &dyn Tables, over: bool) {
        self.next_tick = now.at + TICK;
        self.facts.now = now;
        let cx = Context {
            facts: &self.facts,
            tables,
            listing: None,
            over,
        };
        for check in &mut self.checks {
            check.tick(&cx, &mut self.found);
        }
        if now.at >= self.next_scan && !over {
            self.scan(tables);
        }
    }

    /// Scans every node whose tables changed since the last scan, and once more when they did not
    /// change after it.
    fn scan(&mut self, tables: &dyn Tables) {
        self.next_scan = self.facts.now.at + SCAN;
        for node in 0..self.facts.nodes {
            let changed = core::mem::take(&mut self.facts.node[node as usize].changed);
            let again = core::mem::replace(&mut self.scan_again[node as usize], changed);
            if !changed && !again {
                continue;
            }
            let cx = Context {
                facts: &self.facts,
                tables,
                listing: None,
                over: false,
            };
            for check in &mut self.checks {
                let again = check.scan(node, !changed, &cx, &mut self.found);
                self.scan_again[node as usize] |= again;
            }
        }
    }
}

/// The list that a node sends in an observation.
fn listed<'a>(kind: Kind, seen: &Seen<'a>) -> Option<&'a Arc<ServiceInfo>> {
    if !matches!(kind, Kind::PushSent | Kind::ListAnswered) {
        return None;
    }
    if let Seen::RequestSent {
        request: Request::NotifySubscriber(info),
        ..
    } = seen
    {
        return Some(info);
    }
    let Seen::ResponseSent { response, .. } = seen else {
        return None;
    };
    let (ResponseBody::SubscribeService(info) | ResponseBody::QueryService(info)) = &response.body
    else {
        return None;
    };
    info.as_ref()
}

/// The places in a list, in order, each once.
#[derive(Debug, Default)]
struct Taken {
    places: Vec<Place>,
    /// The list they are of. Why: a node sends one list to many subscribers.
    of: Option<Arc<[Arc<Instance>]>>,
}

impl Taken {
    fn take_apart(&mut self, info: &ServiceInfo, numbers: &mut Places) {
        let same = |of: &Arc<[Arc<Instance>]>| Arc::ptr_eq(of, &info.hosts);
        if self.of.as_ref().is_some_and(same) {
            return;
        }
        self.of = Some(info.hosts.clone());
        self.places.clear();
        let all = info.hosts.iter().map(|instance| numbers.number(instance));
        self.places.extend(all);
        self.places.sort_unstable();
        self.places.dedup();
    }
}

fn dispatch(
    checks: &mut [Box<dyn Check>],
    interested: &[u8],
    cx: &Context<'_>,
    seen: &Observation<'_>,
    found: &mut Found,
) {
    for index in interested {
        checks[*index as usize].see(cx, seen, found);
    }
}
