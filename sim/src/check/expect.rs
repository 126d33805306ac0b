//! What the scenario file expects to see in the nodes' lists.

use distro_core::time::Mono;

use crate::check::found::{Found, Moment};
use crate::check::kind::Interest;
use crate::check::{Check, Context, Property};
use crate::observe::Observation;
use crate::scenario::model::{ExpectList, Scenario};

/// Judge of the file's expectations.
#[derive(Debug)]
pub(crate) struct Expected {
    /// Latest first, so that the next one is at the end.
    lists: Vec<ExpectList>,
}

impl Expected {
    pub(crate) fn new(scenario: &Scenario) -> Expected {
        let mut lists = scenario.expect.lists.clone();
        lists.sort_by_key(|list| core::cmp::Reverse(list.at));
        Expected { lists }
    }

    /// The time of the next expectation.
    pub(crate) fn next(&self) -> Option<Mono> {
        self.lists.last().map(|list| Mono(list.at.0))
    }
}

impl Check for Expected {
    fn interest(&self) -> Interest {
        Interest::default()
    }

    fn see(&mut self, _cx: &Context<'_>, _seen: &Observation<'_>, _found: &mut Found) {}

    /// Everything up to an expectation's time has been seen when time has passed it.
    fn tick(&mut self, cx: &Context<'_>, found: &mut Found) {
        while self.next().is_some_and(|at| at < cx.facts.now.at) {
            let Some(list) = self.lists.pop() else { return };
            judge(&list, cx, found);
        }
    }

    fn finish(&mut self, cx: &Context<'_>, found: &mut Found) {
        while self.next().is_some_and(|at| at <= cx.facts.now.at) {
            let Some(list) = self.lists.pop() else { return };
            judge(&list, cx, found);
        }
    }
}

fn judge(list: &ExpectList, cx: &Context<'_>, found: &mut Found) {
    let facts = cx.facts;
    let when = Moment {
        at: Mono(list.at.0),
        entry: facts.now.entry,
    };
    for node in &list.nodes {
        let runs = facts.processes[node.index()].alive;
        let known = facts.known.services.known(&list.service);
        let mirror = &facts.node[node.index()].mirror;
        let mirrored = known.and_then(|service| mirror.list(service));
        let (sure, mut seen) = mirrored.map_or((0, 0), |list| (list.sure(), list.count()));
        if sure != seen {
            // Which of several records at one place counts is the node's to say.
            cx.tables.with_node(*node, &mut |machine| {
                let listed = machine.list(&list.service, "", false).len();
                seen = u32::try_from(listed).unwrap_or(u32::MAX).clamp(sure, seen);
            });
        }
        if runs && seen == list.instances {
            found.held(Property::Expect);
            continue;
        }
        found.broken(Property::Expect, when, || {
            let (name, line) = (facts.name(node.0), list.line);
            if runs {
                format!(
                    "line {line}: {name} lists {seen} instances of {}, expected {}",
                    list.service.name, list.instances
                )
            } else {
                format!("line {line}: {name} is not running")
            }
        });
    }
}
