//! Settings as people and programs see them: every key, its value, and where that came from.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::keys::Keys;
use super::{Settings, Source, Text};
use crate::text::kind::Shown;
use crate::text::problem::line_of;
use crate::text::reference;
use crate::text::slot::{AnySlot, Place};
use crate::text::table::{Key, Section, Table, Usual};

/// One key with its value.
pub(super) struct Leaf<'a> {
    /// Its name with its table, `timing.verify-interval`.
    pub(super) path: String,
    /// Its table; empty for the first keys of the file.
    pub(super) table: &'static str,
    pub(super) key: Key,
    pub(super) slot: &'a dyn AnySlot,
}

/// The environment variable of a key.
pub(super) fn variable(path: &str) -> String {
    format!("DISTRO_{}", path.replace(['.', '-'], "_").to_uppercase())
}

/// All keys: those above the first table, then those of each table.
pub(super) fn leaves(keys: &Keys) -> Vec<Leaf<'_>> {
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for (key, slot) in (Keys::SECTION.keys)().into_iter().zip(keys.slots()) {
        let Some(table) = slot.table() else {
            let (path, table) = (key.name.to_owned(), "");
            first.push(Leaf {
                path,
                table,
                key,
                slot,
            });
            continue;
        };
        let inner = (table.section().keys)().into_iter().zip(table.slots());
        rest.extend(inner.map(|(inner, slot)| Leaf {
            path: format!("{}.{}", key.name, inner.name),
            table: key.name,
            key: inner,
            slot,
        }));
    }
    first.append(&mut rest);
    first
}

/// The value of the key that an operator names.
pub(super) fn named<'a>(keys: &'a mut Keys, path: &str) -> Option<&'a mut dyn AnySlot> {
    let (first, inner) = path.split_once('.').unwrap_or((path, ""));
    let slot = in_table(keys, first)?;
    match (slot.table().is_some(), inner.is_empty()) {
        (true, false) => in_table(slot.table_mut()?, inner),
        (false, true) => Some(slot),
        (true, true) | (false, false) => None,
    }
}

fn in_table<'a>(table: &'a mut dyn Table, name: &str) -> Option<&'a mut dyn AnySlot> {
    let index = (table.section().keys)()
        .iter()
        .position(|key| key.name == name)?;
    table.slots_mut().into_iter().nth(index)
}

impl Text {
    /// What it is called, and the text.
    pub(super) fn named(&self) -> (&str, &str) {
        let name = match &self.source {
            Source::File(name) => name.as_str(),
            Source::Environment => "environment",
            Source::Flags => "command line",
        };
        (name, &self.text)
    }

    /// A place in it, in words.
    fn origin(&self, place: &Place) -> String {
        let start = place.span.start;
        let line = self.text.get(..start).and_then(|text| text.lines().last());
        let line = line.unwrap_or("");
        match &self.source {
            Source::File(name) => format!("{name}:{}", line_of(&self.text, start)),
            Source::Environment => format!("environment {}", line.trim_end_matches('=')),
            Source::Flags => format!("flag {}", line.split(' ').next().unwrap_or("")),
        }
    }
}

impl Settings {
    fn origin(&self, slot: &dyn AnySlot) -> String {
        let text = slot
            .place()
            .and_then(|place| Some((place, self.texts.get(place.text)?)));
        text.map_or("default".to_owned(), |(place, text)| text.origin(place))
    }

    /// The value of every key that has one, as TOML, and where it came from.
    pub fn effective(&self) -> Vec<(String, String, String)> {
        let seen = |leaf: Leaf<'_>| match value(&leaf)? {
            Shown::Value(value) => Some((leaf.path, value.to_string(), self.origin(leaf.slot))),
            Shown::Hidden(_) => None,
        };
        leaves(&self.keys).into_iter().filter_map(seen).collect()
    }

    /// All keys as TOML, each line with where its value came from.
    pub fn print(&self) -> String {
        let mut out =
            String::from("# The effective settings of this node, and where each came from.\n");
        let mut table = "";
        for leaf in leaves(&self.keys) {
            if leaf.table != table {
                table = leaf.table;
                out.push_str(&format!("\n[{table}]\n"));
            }
            let name = leaf.key.name;
            let (line, origin) = match (value(&leaf), &leaf.key.usual) {
                (Some(Shown::Value(value)), _) => (format!("{name} = {value}"), None),
                (Some(Shown::Hidden(words)), _) => (format!("# {name} = {words}"), None),
                (None, Usual::Words(words)) => (format!("# {name} ="), Some((*words).to_owned())),
                (None, Usual::Required | Usual::Value(_) | Usual::Time(_) | Usual::Table) => {
                    continue;
                }
            };
            let origin = origin.unwrap_or_else(|| self.origin(leaf.slot));
            // Writing to a string cannot fail.
            writeln!(out, "{line:<44} # {origin}").unwrap_or_default();
        }
        out
    }
}

/// What holds: what is set, or what is usual.
fn value(leaf: &Leaf<'_>) -> Option<Shown> {
    let usual = || leaf.key.usual.value().map(Shown::Value);
    leaf.slot.shown().or_else(usual)
}

/// The tables of the file, the keys above the first one before them.
pub fn sections() -> Vec<Section> {
    let keys = Keys::default();
    let tables = keys.slots().into_iter();
    let tables = tables.filter_map(|slot| Some(slot.table()?.section()));
    std::iter::once(Keys::SECTION).chain(tables).collect()
}

/// The keys that have a flag of their own on the command line, with their paths.
pub fn flagged() -> Vec<(String, Key)> {
    let keys = Keys::default();
    let flagged = leaves(&keys)
        .into_iter()
        .filter(|leaf| leaf.key.flag.is_some());
    flagged.map(|leaf| (leaf.path, leaf.key)).collect()
}

/// The JSON Schema of a file of settings.
pub fn json_schema() -> Json {
    reference::json_schema("Settings of a node of distro", &Keys::SECTION)
}
