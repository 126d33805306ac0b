//! `nodes`: a count, a list of names, or tables.

use std::ops::Range;

use distro_core::profile::Profile;
use distro_core::time::Period;

use super::super::fields::{Fields, Found, key_of};
use super::super::hosts::{Only, RESERVED};
use super::super::model::NodeSpec;
use super::super::schema::{FILE, NODE};
use super::{Reading, profile};

/// Most nodes of a scenario.
const NODES_MAX: u32 = 250;

/// Notes what is wrong with a host's name.
pub(super) fn name_is_fine(found: &mut Found, span: Range<usize>, name: &str) -> bool {
    const NAME_MAX: usize = 64;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if RESERVED.contains(&name) {
        found.add(
            span,
            format!("`{name}` means several hosts"),
            "choose another name",
        );
        return false;
    }
    if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(plain) {
        found.add(
            span,
            format!("`{name}` can't be the name of a host"),
            "use letters, digits, `-`, `_` and `.`; 64 of them at most",
        );
        return false;
    }
    true
}

/// Reads the nodes and adds them to the hosts.
pub(super) fn read(
    found: &mut Found,
    reading: &mut Reading<'_>,
    fields: &Fields<'_>,
    profile: Profile,
) -> Vec<NodeSpec> {
    let Some(value) = fields.required(found, key_of(FILE.keys, "nodes")) else {
        return Vec::new();
    };
    let right = "a count, a list of names, or [[nodes]] tables";
    let mut specs = Vec::new();
    let mut tables = Vec::new();
    let plain = |name: String| NodeSpec {
        name,
        profile,
        members: Vec::new(),
        start: Period::ZERO,
    };
    if value.get_ref().is_integer() {
        let count = found
            .integer("nodes", value, 1, i64::from(NODES_MAX))
            .unwrap_or(0);
        for number in 1..=count {
            let name = format!("n{number}");
            reading.hosts.add_node(&name);
            specs.push(plain(name));
            tables.push(None);
        }
    } else {
        let list = found.list("nodes", value, right);
        if list.len() > NODES_MAX as usize || list.is_empty() && value.get_ref().is_array() {
            found.add(
                value.span(),
                format!("{} nodes", list.len()),
                format!("a scenario has 1 to {NODES_MAX} nodes"),
            );
        }
        for element in list.iter().take(NODES_MAX as usize) {
            let table = match element.get_ref().is_str() {
                true => None,
                false => found.table("[[nodes]]", element, NODE.keys),
            };
            let name = match &table {
                Some(table) => table.required(found, key_of(NODE.keys, "name")),
                None => element.get_ref().is_str().then_some(element),
            };
            let text =
                name.and_then(|name| found.text("name", name).map(|text| (text, name.span())));
            let (text, span) = text.unwrap_or(("", element.span()));
            if name.is_some()
                && name_is_fine(found, span.clone(), text)
                && !reading.hosts.add_node(text)
            {
                found.add(
                    span,
                    format!("there is a host `{text}` already"),
                    "choose another name",
                );
            }
            specs.push(plain(text.to_owned()));
            tables.push(table);
        }
    }
    let everybody = reading.hosts.all_nodes();
    for (spec, table) in specs.iter_mut().zip(&tables) {
        spec.members = everybody.clone();
        if let Some(table) = table {
            node(found, reading, table, spec);
        }
    }
    specs
}

/// What a node's own table says beyond its name.
fn node(found: &mut Found, reading: &Reading<'_>, table: &Fields<'_>, spec: &mut NodeSpec) {
    spec.profile = profile(found, table, spec.profile);
    if let Some(value) = table.get("members") {
        spec.members = reading.hosts.list(found, "members", value, Only::Nodes);
    }
    if let Some(start) = table.period(found, "start") {
        spec.start = start;
        if let Some(value) = table.get("start") {
            reading.inside(found, "the start", value.span(), start);
        }
    }
}
