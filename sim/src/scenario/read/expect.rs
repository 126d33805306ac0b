//! `[[expect]]`, `[expect-fails]` and `expect-reached`: what should come out.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::fields::{Fields, Found, Value, key_of};
use super::super::hosts::Only;
use super::super::model::{Expect, ExpectList};
use super::super::problem::help_for;
use super::super::schema::{self, EXPECT};
use super::super::value;
use super::{Reading, instance};

/// Where in the file an expected list is.
pub(super) fn span(fields: &Fields<'_>, index: usize) -> Range<usize> {
    let list = fields
        .get("expect")
        .and_then(|value| value.get_ref().as_array());
    list.and_then(|list| list.get(index))
        .map_or(0..0, toml::Spanned::span)
}

/// Reads all expectations.
pub(super) fn read(found: &mut Found, reading: &Reading<'_>, fields: &Fields<'_>) -> Expect {
    let mut expect = Expect::default();
    if let Some(value) = fields.get("expect") {
        for element in found.list("expect", value, "[[expect]] tables") {
            if let Some(list) = expect_list(found, reading, element) {
                expect.lists.push(list);
            }
        }
    }
    if let Some(value) = fields.get("expect-fails") {
        expect.fails = expect_fails(found, value);
    }
    if let Some(value) = fields.get("expect-reached") {
        for element in found.list("expect-reached", value, "a list of marks in quotes") {
            if let Some(mark) = found.text("expect-reached", element) {
                expect.reached.push(mark.to_owned());
            }
        }
    }
    expect
}

fn expect_list(
    found: &mut Found,
    reading: &Reading<'_>,
    element: &Value<'_>,
) -> Option<ExpectList> {
    let table = found.table("[[expect]]", element, EXPECT.keys)?;
    let at = table.period_required(found, key_of(EXPECT.keys, "at"));
    if let (Some(at), Some(value)) = (at, table.get("at")) {
        reading.inside(found, "the expectation", value.span(), at);
    }
    let nodes = match table.get("nodes") {
        Some(value) => reading.hosts.some(found, "nodes", value, Only::Nodes),
        None => reading.hosts.all_nodes(),
    };
    let service = instance::service_of(found, &table, key_of(EXPECT.keys, "service"));
    let instances = table.required(found, key_of(EXPECT.keys, "instances"));
    let instances = instances.and_then(|_| table.count(found, "instances", 0, u32::MAX));
    let line = reading.line(&element.span());
    Some(ExpectList {
        at: at?,
        nodes,
        service: service?,
        instances: instances?,
        line,
    })
}

fn expect_fails(found: &mut Found, value: &Value<'_>) -> BTreeMap<String, Vec<String>> {
    let mut fails = BTreeMap::new();
    let table = Fields::free(found, "[expect-fails]", value);
    for (name, span, value) in table.iter().flat_map(Fields::entries) {
        found.take(span, value::profile(name));
        let several = value.get_ref().is_array();
        let named = match several {
            true => found.list(name, value, "a check or a list of checks, in quotes"),
            false => core::slice::from_ref(value),
        };
        if several && named.is_empty() {
            found.add(
                value.span(),
                "no check is named".to_owned(),
                "name at least one, or leave the profile out",
            );
        }
        let checks = named
            .iter()
            .filter_map(|check| known_check(found, name, check));
        fails.insert(name.to_owned(), checks.collect());
    }
    fails
}

/// The name of a check; what is wrong with it is noted.
fn known_check(found: &mut Found, name: &str, value: &Value<'_>) -> Option<String> {
    let check = found.text(name, value)?;
    if !schema::CHECKS.iter().any(|(known, _)| *known == check) {
        let known = schema::CHECKS.iter().map(|(known, _)| *known);
        found.add(
            value.span(),
            format!("no check `{check}`"),
            help_for(check, known),
        );
    }
    Some(check.to_owned())
}
