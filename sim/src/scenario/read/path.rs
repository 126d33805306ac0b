//! Paths of faults: between whom, in which direction, which messages.

use std::collections::BTreeSet;
use std::ops::Range;

use distro_core::message::MessageKind;
use distro_node::text::collect::List;
use distro_node::text::kind::{Kind, OneOf, Word};

use super::super::fields::{Fields, Found, Value};
use super::super::hosts::Side;
use super::super::kinds::{Carried, Half, Names, Sides};
use super::super::model::{HostId, Path};
use super::Reading;

/// What a fault wants of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// Everywhere, when the file names no path.
    Anything,
    /// A path in the file.
    Path,
    /// A path in the file whose sides share no host, unless they are the same set.
    Apart,
}

/// The paths of a fault: several when it lists more than two groups.
pub(super) fn read(
    found: &mut Found,
    reading: &Reading<'_>,
    fields: &Fields<'_>,
    wants: Wants,
) -> Vec<Path> {
    let (kinds, requests) = (kinds(found, fields), only(found, fields));
    let path = |from, to, both| Path {
        from,
        to,
        both,
        kinds: kinds.clone(),
        requests,
    };
    let (between, from, to) = (fields.get("between"), fields.get("from"), fields.get("to"));
    if let Some(value) = between {
        if from.is_some() || to.is_some() {
            found.add(
                value.span(),
                "`between` goes both ways, `from` and `to` one way",
                "keep `between`, or `from` and `to`",
            );
            return Vec::new();
        }
        return pairs(found, reading, value, wants)
            .into_iter()
            .map(|(from, to)| path(from, to, true))
            .collect();
    }
    if from.is_none() && to.is_none() {
        if wants != Wants::Anything {
            found.add(
                fields.span.clone(),
                "this fault names no path",
                "add `between = [\"n1\", \"n2\"]` for both directions, or `from` and `to` for one",
            );
        }
        return vec![path(reading.hosts.all(), reading.hosts.all(), true)];
    }
    let span = from.or(to).map_or(0..0, toml::Spanned::span);
    let before = found.list.len();
    let mut side = |what: &str, value: Option<&Value<'_>>| match value {
        Some(value) => Names::read(found, what, value).map_or(Side::Hosts(Vec::new()), |names| {
            reading.hosts.side(found, what, value.span(), &names)
        }),
        None => Side::Others,
    };
    let (from, to) = (side("from", from), side("to", to));
    let (from, to) = match (from, to) {
        (Side::Hosts(from), Side::Hosts(to)) => (from, to),
        (Side::Hosts(from), Side::Others) => {
            let to = reading.hosts.all_but(&from);
            (from, to)
        }
        (Side::Others, Side::Hosts(to)) => (reading.hosts.all_but(&to), to),
        (Side::Others, Side::Others) => {
            found.add(
                span,
                "both sides are the others",
                "name the hosts of one side",
            );
            return Vec::new();
        }
    };
    if found.list.len() == before {
        fits(found, reading, span, wants, &from, &to);
    }
    vec![path(from, to, false)]
}

/// Every pair of the groups that `between` lists.
fn pairs(
    found: &mut Found,
    reading: &Reading<'_>,
    value: &Value<'_>,
    wants: Wants,
) -> Vec<(Vec<HostId>, Vec<HostId>)> {
    /// Groups of one partition; each pair becomes a fault of its own.
    const GROUPS_MAX: usize = 32;
    let before = found.list.len();
    let Some(Sides(list)) = Sides::read(found, "between", value) else {
        return Vec::new();
    };
    if found.list.len() == before && !(2..=GROUPS_MAX).contains(&list.0.len()) {
        found.add(
            value.span(),
            format!("`between` has {} sides", list.0.len()),
            format!("write {}; {GROUPS_MAX} at most", Sides::right()),
        );
        return Vec::new();
    }
    let sides: Vec<(Side, Range<usize>)> = list
        .0
        .iter()
        .filter_map(|slot| {
            let names = slot.value.as_ref()?;
            let side = reading.hosts.side(found, "between", slot.span(), names);
            Some((side, slot.span()))
        })
        .collect();
    if sides
        .iter()
        .filter(|(side, _)| *side == Side::Others)
        .count()
        > 1
    {
        found.add(
            value.span(),
            "two sides are the others",
            "name the hosts of all sides but one",
        );
        return Vec::new();
    }
    let named: Vec<HostId> = sides
        .iter()
        .flat_map(|(side, _)| match side {
            Side::Hosts(hosts) => hosts.clone(),
            Side::Others => Vec::new(),
        })
        .collect();
    let groups: Vec<(Vec<HostId>, Range<usize>)> = sides
        .into_iter()
        .map(|(side, span)| match side {
            Side::Hosts(hosts) => (hosts, span),
            Side::Others => (reading.hosts.all_but(&named), span),
        })
        .collect();
    let mut pairs = Vec::new();
    for (index, (from, _)) in groups.iter().enumerate() {
        for (to, span) in &groups[index + 1..] {
            if found.list.len() == before {
                fits(found, reading, span.clone(), wants, from, to);
            }
            pairs.push((from.clone(), to.clone()));
        }
    }
    pairs
}

/// Notes a path that leads nowhere, or from a host to itself.
fn fits(
    found: &mut Found,
    reading: &Reading<'_>,
    span: Range<usize>,
    wants: Wants,
    from: &[HostId],
    to: &[HostId],
) {
    if from.is_empty() || to.is_empty() {
        found.add(
            span,
            "there are no others",
            "all hosts are named on one side; name fewer",
        );
        return;
    }
    let (from, to): (BTreeSet<_>, BTreeSet<_>) = (from.iter().collect(), to.iter().collect());
    let shared: Vec<_> = from.intersection(&to).collect();
    let Some(first) = shared.first() else { return };
    let name = reading.hosts.name(***first);
    if from.len() == 1 && to.len() == 1 {
        found.add(
            span,
            format!("this path leads from `{name}` to itself"),
            "a host always reaches itself: name two different hosts",
        );
    } else if wants == Wants::Apart && from != to {
        found.add(
            span,
            format!("`{name}` is on both sides"),
            "a host can't be cut off from itself: name it on one side",
        );
    }
}

fn kinds(found: &mut Found, fields: &Fields<'_>) -> Vec<MessageKind> {
    let mut kinds = Vec::new();
    let (Some(value), Some(list)) = (fields.get("kinds"), fields.read(found, "kinds")) else {
        return kinds;
    };
    let list: List<OneOf<Carried>> = list;
    for slot in &list.0 {
        match &slot.value {
            Some(kind) if kinds.contains(&kind.0.0) => {
                let message = format!("`{}` is named twice", kind.word());
                found.add(slot.span(), message, "name it once");
            }
            Some(kind) => kinds.push(kind.0.0),
            None => {}
        }
    }
    if list.0.is_empty() {
        let help = "leave it out to mean all messages";
        found.add(value.span(), "`kinds` names no kind", help);
    }
    kinds
}

fn only(found: &mut Found, fields: &Fields<'_>) -> Option<bool> {
    let half = fields.read::<OneOf<Half>>(found, "only")?;
    Some(*half == Half::Requests)
}
