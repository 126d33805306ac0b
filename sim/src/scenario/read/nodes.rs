//! `nodes`: a count, a list of names, or tables.

use std::ops::Range;

use distro_core::profile::Profile;
use distro_core::time::Period;
use distro_node::text::slot::Slot;

use super::super::fields::Found;
use super::super::hosts::{Only, RESERVED};
use super::super::kinds::{NODES_MAX, Node, Nodes};
use super::super::model::NodeSpec;
use super::super::tables::NodeTable;
use super::Reading;

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
    said: &Slot<Option<Nodes>>,
    profile: Profile,
) -> Vec<NodeSpec> {
    let plain = |name: String| NodeSpec {
        name,
        profile,
        members: Vec::new(),
        start: Period::ZERO,
    };
    let mut specs = Vec::new();
    let mut tables: Vec<Option<&NodeTable>> = Vec::new();
    match &**said {
        None => {}
        Some(Nodes::Count(count)) => {
            for number in 1..=*count {
                let name = format!("n{number}");
                reading.hosts.add_node(&name);
                specs.push(plain(name));
                tables.push(None);
            }
        }
        Some(Nodes::Each(list)) => {
            if list.0.len() > NODES_MAX as usize || list.0.is_empty() {
                found.add(
                    said.span(),
                    format!("{} nodes", list.0.len()),
                    format!("a scenario has 1 to {NODES_MAX} nodes"),
                );
            }
            for element in list.0.iter().take(NODES_MAX as usize) {
                let (name, span, table) = match &element.value {
                    None => (None, element.span(), None),
                    Some(Node::Name(name)) => (Some(name), element.span(), None),
                    Some(Node::Table(table)) => {
                        (table.name.as_ref(), table.name.span(), Some(table))
                    }
                };
                if let Some(name) = name {
                    add(found, reading, name, span);
                }
                specs.push(plain(name.cloned().unwrap_or_default()));
                tables.push(table);
            }
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

fn add(found: &mut Found, reading: &mut Reading<'_>, name: &str, span: Range<usize>) {
    if name_is_fine(found, span.clone(), name) && !reading.hosts.add_node(name) {
        found.add(
            span,
            format!("there is a host `{name}` already"),
            "choose another name",
        );
    }
}

/// What a node's own table says beyond its name.
fn node(found: &mut Found, reading: &Reading<'_>, table: &NodeTable, spec: &mut NodeSpec) {
    if let Some(build) = *table.profile {
        spec.profile = build.0;
    }
    spec.members = reading
        .hosts
        .named(found, "members", &table.members, Only::Nodes);
    spec.start = *table.start;
    reading.inside(found, "the start", table.start.span(), spec.start);
}
