//! Paths of faults: between whom, in which direction, which messages.

use std::collections::BTreeSet;
use std::ops::Range;

use distro_core::message::MessageKind;

use super::super::fields::{Fields, Found};
use super::super::hosts::Side;
use super::super::model::{HostId, Path};
use super::super::problem::help_for;
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
    let from = from.map_or(Side::Others, |value| {
        reading.hosts.side(found, "from", value)
    });
    let to = to.map_or(Side::Others, |value| reading.hosts.side(found, "to", value));
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
    value: &super::Value<'_>,
    wants: Wants,
) -> Vec<(Vec<HostId>, Vec<HostId>)> {
    /// Groups of one partition; each pair becomes a fault of its own.
    const GROUPS_MAX: usize = 32;
    let before = found.list.len();
    let right = "a list of two or more sides, such as [\"n1\", [\"n2\", \"n3\"]]";
    let list = found.list("between", value, right);
    if found.list.len() == before && !(2..=GROUPS_MAX).contains(&list.len()) {
        found.add(
            value.span(),
            format!("`between` has {} sides", list.len()),
            format!("write {right}; {GROUPS_MAX} at most"),
        );
        return Vec::new();
    }
    let sides: Vec<(Side, Range<usize>)> = list
        .iter()
        .map(|element| {
            (
                reading.hosts.side(found, "between", element),
                element.span(),
            )
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
    let Some(value) = fields.get("kinds") else {
        return kinds;
    };
    let before = found.list.len();
    let names = MessageKind::ALL.iter().map(|(_, name)| *name);
    for element in found.list(
        "kinds",
        value,
        "a list of message kinds, such as [\"change\"]",
    ) {
        let Some(text) = found.text("kinds", element) else {
            continue;
        };
        match MessageKind::from_name(text) {
            Some(kind) if kinds.contains(&kind) => {
                found.add(
                    element.span(),
                    format!("`{text}` is named twice"),
                    "name it once",
                );
            }
            Some(kind) => kinds.push(kind),
            None => found.add(
                element.span(),
                format!("no message kind `{text}`"),
                help_for(text, names.clone()),
            ),
        }
    }
    if kinds.is_empty() && found.list.len() == before {
        found.add(
            value.span(),
            "`kinds` names no kind",
            "leave it out to mean all messages",
        );
    }
    kinds
}

fn only(found: &mut Found, fields: &Fields<'_>) -> Option<bool> {
    let value = fields.get("only")?;
    match found.text("only", value)? {
        "requests" => Some(true),
        "responses" => Some(false),
        other => {
            let message = format!("`only` is `{other}`");
            found.add(value.span(), message, "write \"requests\" or \"responses\"");
            None
        }
    }
}
