//! `[[timeline]]`: faults, calls and operations.

use std::ops::Range;

use distro_core::time::Period;
use distro_node::text::kind::{Count, Kind, Word};
use distro_node::text::table::{Key, Section};

use super::super::fields::{Fields, Found, Value, key_of};
use super::super::hosts::Only;
use super::super::kinds::{CallKind, Instances, OperationKind, Service, Unnamed};
use super::super::model::{Action, ClientOp, HostId, NodeOp, What};
use super::super::problem::help_for;
use super::super::schema::timeline::Times;
use super::super::schema::{CALLS, FAULTS, OPERATIONS, TIMELINE, names};
use super::super::tables::Limits;
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
    said: Option<&Value<'_>>,
) -> (Vec<Action>, Vec<Range<usize>>) {
    let mut actions = Vec::new();
    if let Some(elements) = said.and_then(|value| value.get_ref().as_array()) {
        for element in elements {
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
    let at = fields.period_required(found, &key_of(&TIMELINE, "at"));
    if let (Some(at), Some(value)) = (at, fields.get("at")) {
        reading.inside(found, "this entry", value.span(), at);
    }
    let named: Vec<_> = KINDS
        .iter()
        .filter_map(|(key, all)| Some((*key, *all, fields.get(key)?)))
        .collect();
    let [(key, all, value)] = named[..] else {
        // Why: with no kind the other keys can't be judged, but a misspelt one is the likely cause.
        let known: Vec<&str> = known_keys(FAULTS.iter().chain(CALLS).chain(OPERATIONS));
        Fields::open(found, "[[timeline]]", element, &known);
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
    let Some(kind) = String::read(found, key, value) else {
        return;
    };
    let kind = kind.as_str();
    let Some(section) = all.iter().find(|section| section.title == kind) else {
        found.add(
            value.span(),
            format!("no {key} `{kind}`"),
            help_for(kind, names(all)),
        );
        return;
    };
    let mut keys = known_keys(std::iter::once(section));
    if key == "call" && kind == "register" {
        keys.extend(Unnamed::keys().iter().map(|key| key.name));
    }
    let what = format!("{key} `{kind}`");
    let Some(fields) = Fields::open(found, &what, element, &keys) else {
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
fn known_keys<'a>(sections: impl Iterator<Item = &'a Section>) -> Vec<&'static str> {
    let mut names = Vec::new();
    for key in std::iter::once(&TIMELINE)
        .chain(sections)
        .flat_map(|section| (section.keys)())
    {
        if !names.contains(&key.name) {
            names.push(key.name);
        }
    }
    names
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
        let times = self
            .fields
            .read::<Times>(found, "times")
            .map_or(1, |times| *times);
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

    pub(super) fn key(&self, name: &str) -> Key {
        key_of(self.section, name)
    }

    pub(super) fn hosts(&self, found: &mut Found, key: &str, only: Only) -> Vec<HostId> {
        let value = self.fields.required(found, &self.key(key));
        value
            .map(|value| self.reading.hosts.read_some(found, key, value, only))
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
        let service = self.fields.required(found, &self.key("service"));
        let service = service.and_then(|value| Service::read(found, "service", value));
        let Some(Service(service)) = service else {
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
        let Some(kind) = found.take(self.fields.span.clone(), CallKind::of(self.section.title))
        else {
            return Vec::new();
        };
        match kind {
            CallKind::Register => {
                let mut said = Unnamed::default();
                self.fields.fill(found, &mut said);
                each(&|client| {
                    let instance = instance::fill(&said.0, hosts.instance(client));
                    ClientOp::Register(service.clone(), instance)
                })
            }
            CallKind::Batch => {
                let value = self.fields.required(found, &self.key("instances"));
                let said = value.and_then(|value| Instances::read(found, "instances", value));
                let list = said.as_ref().map(instance::instances).unwrap_or_default();
                each(&|client| {
                    let own = hosts.instance(client);
                    let list = list.iter().map(|said| instance::fill(said, own.clone()));
                    ClientOp::Batch(service.clone(), list.collect())
                })
            }
            CallKind::Deregister => each(&|_| ClientOp::Deregister(service.clone())),
            CallKind::Subscribe => each(&|_| ClientOp::Subscribe(service.clone())),
            CallKind::Unsubscribe => each(&|_| ClientOp::Unsubscribe(service.clone())),
            CallKind::Query => each(&|_| ClientOp::Query(service.clone())),
        }
    }

    fn operate(&self, found: &mut Found) -> Steps {
        let nodes = self.hosts(found, "node", Only::Nodes);
        let kind = OperationKind::of(self.section.title);
        let Some(kind) = found.take(self.fields.span.clone(), kind) else {
            return Vec::new();
        };
        let op = match kind {
            OperationKind::SetLimits => {
                let value = self.fields.required(found, &self.key("limits"));
                let table = value.and_then(|value| Limits::read(found, "limits", value));
                let table = table.unwrap_or_default();
                NodeOp::SetLimits(limits(self.reading, &table))
            }
            OperationKind::Rebalance => {
                let keep = self.fields.required(found, &self.key("keep"));
                let keep = keep.and_then(|value| Count::read(found, "keep", value));
                NodeOp::Rebalance {
                    keep: keep.map_or(0, |keep| *keep),
                    redirect: self.redirect(found),
                }
            }
            OperationKind::SetMembers => {
                let value = self.fields.required(found, &self.key("members"));
                let members = value.map(|value| {
                    self.reading
                        .hosts
                        .read_list(found, "members", value, Only::Nodes)
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
            .read_some(found, "redirect", value, Only::Nodes);
        if nodes.len() > 1 {
            found.add(value.span(), "more than one node to go to", "name one node");
        }
        nodes.into_iter().next()
    }
}
