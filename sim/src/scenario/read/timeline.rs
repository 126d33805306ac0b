//! `[[timeline]]`: faults, calls and operations.

use std::ops::Range;

use distro_core::time::Period;

use super::super::fields::{Fields, Found, Value, key_of};
use super::super::hosts::Only;
use super::super::model::{Action, ClientOp, HostId, NodeOp, What};
use super::super::problem::help_for;
use super::super::schema::{CALLS, FAULTS, INSTANCE, Key, OPERATIONS, Section, TIMELINE, names};
use super::super::value;
use super::{Reading, instance, limits};

/// Most actions of a timeline, repetitions counted.
const ACTIONS_MAX: usize = 10_000;

/// What one entry does: moments after its own, and what happens then.
pub(super) type Steps = Vec<(Period, What)>;

/// Reads the timeline: the actions by time, and the place in the file of each.
pub(super) fn read(
    found: &mut Found,
    reading: &Reading<'_>,
    fields: &Fields<'_>,
) -> (Vec<Action>, Vec<Range<usize>>) {
    let mut actions = Vec::new();
    if let Some(value) = fields.get("timeline") {
        for element in found.list("timeline", value, "[[timeline]] tables") {
            entry(found, reading, element, &mut actions);
            if actions.len() > ACTIONS_MAX {
                found.add(
                    element.span(),
                    format!("more than {ACTIONS_MAX} actions"),
                    "a timeline is bounded: repeat less often",
                );
                break;
            }
        }
    }
    actions.sort_by_key(|(action, _): &(Action, Range<usize>)| action.at);
    actions.into_iter().unzip()
}

/// The three kinds of entries.
const KINDS: [(&str, &[Section]); 3] =
    [("fault", FAULTS), ("call", CALLS), ("operate", OPERATIONS)];

fn entry(
    found: &mut Found,
    reading: &Reading<'_>,
    element: &Value<'_>,
    actions: &mut Vec<(Action, Range<usize>)>,
) {
    let Some(fields) = Fields::free(found, "[[timeline]]", element) else {
        return;
    };
    let at = fields.period_required(found, key_of(TIMELINE.keys, "at"));
    if let (Some(at), Some(value)) = (at, fields.get("at")) {
        reading.inside(found, "this entry", value.span(), at);
    }
    let named: Vec<_> = KINDS
        .iter()
        .filter_map(|(key, all)| Some((*key, *all, fields.get(key)?)))
        .collect();
    let [(key, all, value)] = named[..] else {
        // Why: with no kind the other keys can't be judged, but a misspelt one is the likely cause.
        let known: Vec<Key> =
            known_keys(TIMELINE.keys, FAULTS.iter().chain(CALLS).chain(OPERATIONS));
        found.table("[[timeline]]", element, &known);
        let message = if named.is_empty() {
            "this entry does nothing"
        } else {
            "this entry does two things"
        };
        found.add(
            element.span(),
            message,
            "write exactly one of `fault`, `call` and `operate`",
        );
        return;
    };
    let Some(kind) = found.text(key, value) else {
        return;
    };
    let Some(section) = all.iter().find(|section| section.name == kind) else {
        found.add(
            value.span(),
            format!("no {key} `{kind}`"),
            help_for(kind, names(all)),
        );
        return;
    };
    let mut keys = known_keys(TIMELINE.keys, std::iter::once(section));
    if key == "call" && kind == "register" {
        keys.extend(INSTANCE.keys);
    }
    let what = format!("{key} `{kind}`");
    let Some(fields) = found.table(&what, element, &keys) else {
        return;
    };
    let before = found.list.len();
    let entry = Entry {
        reading,
        fields: &fields,
        section,
    };
    let steps = match key {
        "fault" => entry.fault(found),
        "call" => entry.call(found),
        _ => entry.operate(found),
    };
    let (Some(at), true) = (at, found.list.len() == before) else {
        return;
    };
    entry.place(found, at, &steps, element, actions);
}

/// The keys of the timeline and of these sections, each once.
fn known_keys<'a>(common: &[Key], sections: impl Iterator<Item = &'a Section>) -> Vec<Key> {
    let mut keys: Vec<Key> = common.to_vec();
    for key in sections.flat_map(|section| section.keys) {
        if !keys.iter().any(|known| known.name == key.name) {
            keys.push(*key);
        }
    }
    keys
}

/// One entry while it is read.
pub(super) struct Entry<'a, 'r> {
    pub(super) reading: &'a Reading<'r>,
    pub(super) fields: &'a Fields<'a>,
    pub(super) section: &'static Section,
}

impl Entry<'_, '_> {
    /// Puts the steps at their moments, as often as the entry says.
    fn place(
        &self,
        found: &mut Found,
        at: Period,
        steps: &Steps,
        element: &Value<'_>,
        actions: &mut Vec<(Action, Range<usize>)>,
    ) {
        let (every, times) = self.repeats(found, at);
        let line = self.reading.line(&element.span());
        for round in 0..times {
            let start = at + every.times(u64::from(round));
            for (after, what) in steps {
                let action = Action {
                    at: start + *after,
                    what: what.clone(),
                    line,
                };
                actions.push((action, element.span()));
                if actions.len() > ACTIONS_MAX {
                    return;
                }
            }
        }
        let end = steps.iter().map(|(after, what)| match what {
            What::Fault { lasts, .. } if *lasts != Period::MAX => *after + *lasts,
            What::Fault { .. } | What::Call { .. } | What::Operate { .. } => *after,
        });
        let last = at + every.times(u64::from(times.saturating_sub(1)));
        let end = last + end.max().unwrap_or_default();
        if end > self.reading.duration && at <= self.reading.duration {
            let place = ["for", "times", "step"]
                .iter()
                .find_map(|key| self.fields.get(key));
            let span = place.map_or(element.span(), toml::Spanned::span);
            self.reading.inside(found, "its end", span, end);
        }
    }

    fn repeats(&self, found: &mut Found, at: Period) -> (Period, u32) {
        let every = self.fields.get("every");
        let times = self.fields.get("times");
        let (Some(every), Some(_)) = (every, times) else {
            if let Some(value) = every.or(times) {
                found.add(
                    value.span(),
                    "a repetition needs both `every` and `times`",
                    "write `every = \"10s\"` and `times = 3`, or neither",
                );
            }
            return (Period::ZERO, 1);
        };
        let times = self.fields.count(found, "times", 1, 10_000).unwrap_or(1);
        let gap = self.fields.period(found, "every").unwrap_or_default();
        if gap == Period::ZERO && times > 1 {
            let message = format!(
                "`every` is no time at all, {times} times at {}",
                value::period_text(at)
            );
            found.add(
                every.span(),
                message,
                "write how long between two repetitions",
            );
        }
        (gap, times)
    }

    pub(super) fn key(&self, name: &str) -> &'static Key {
        key_of(self.section.keys, name)
    }

    pub(super) fn hosts(&self, found: &mut Found, key: &str, only: Only) -> Vec<HostId> {
        let value = self.fields.required(found, self.key(key));
        value
            .map(|value| self.reading.hosts.some(found, key, value, only))
            .unwrap_or_default()
    }

    pub(super) fn lasts(&self, found: &mut Found) -> Period {
        let lasts = self.fields.period(found, "for");
        if lasts == Some(Period::ZERO)
            && let Some(value) = self.fields.get("for")
        {
            found.add(
                value.span(),
                "this lasts no time",
                "leave `for` out to last until the end",
            );
        }
        lasts.unwrap_or(Period::MAX)
    }

    fn call(&self, found: &mut Found) -> Steps {
        let clients = self.hosts(found, "client", Only::Clients);
        let Some(service) = instance::service_of(found, self.fields, self.key("service")) else {
            return Vec::new();
        };
        let hosts = &self.reading.hosts;
        let each = |op: &dyn Fn(HostId) -> ClientOp| -> Steps {
            let call = |client| {
                (
                    Period::ZERO,
                    What::Call {
                        client,
                        op: op(client),
                    },
                )
            };
            clients.iter().copied().map(call).collect()
        };
        match self.section.name {
            "register" => {
                let said = instance::template(found, self.fields);
                each(&|client| {
                    ClientOp::Register(service.clone(), said.fill(hosts.instance(client)))
                })
            }
            "batch" => {
                let value = self.fields.required(found, self.key("instances"));
                let list = value
                    .map(|value| instance::instances(found, value))
                    .unwrap_or_default();
                each(&|client| {
                    let list = list.iter().map(|said| said.fill(hosts.instance(client)));
                    ClientOp::Batch(service.clone(), list.collect())
                })
            }
            "deregister" => each(&|_| ClientOp::Deregister(service.clone())),
            "subscribe" => each(&|_| ClientOp::Subscribe(service.clone())),
            "unsubscribe" => each(&|_| ClientOp::Unsubscribe(service.clone())),
            _ => each(&|_| ClientOp::Query(service.clone())),
        }
    }

    fn operate(&self, found: &mut Found) -> Steps {
        let nodes = self.hosts(found, "node", Only::Nodes);
        let op = match self.section.name {
            "set-limits" => {
                let value = self.fields.required(found, self.key("limits"));
                let read = value.map(|value| limits(found, self.reading, value));
                NodeOp::SetLimits(read.unwrap_or_default())
            }
            "rebalance" => {
                let keep = self.fields.required(found, self.key("keep"));
                let keep = keep.and_then(|_| self.fields.count(found, "keep", 0, u32::MAX));
                NodeOp::Rebalance {
                    keep: keep.unwrap_or(0),
                    redirect: self.redirect(found),
                }
            }
            _ => {
                let value = self.fields.required(found, self.key("members"));
                let members = value.map(|value| {
                    self.reading
                        .hosts
                        .list(found, "members", value, Only::Nodes)
                });
                NodeOp::SetMembers(members.unwrap_or_default())
            }
        };
        let step = |node| {
            (
                Period::ZERO,
                What::Operate {
                    node,
                    op: op.clone(),
                },
            )
        };
        nodes.into_iter().map(step).collect()
    }

    fn redirect(&self, found: &mut Found) -> Option<HostId> {
        let value = self.fields.get("redirect")?;
        let nodes = self
            .reading
            .hosts
            .some(found, "redirect", value, Only::Nodes);
        if nodes.len() > 1 {
            found.add(value.span(), "more than one node to go to", "name one node");
        }
        nodes.into_iter().next()
    }
}
