//! Reads the entries of the timeline, whose keys depend on what kind they are, and notes
//! everything that is wrong on the way. Reading goes on after a problem, with a stand-in value, so
//! that one run of the parser finds them all.

use std::ops::Range;

use distro_core::time::Period;
use distro_node::text::kind::Kind;
use distro_node::text::table::{self, Key, Section, Table};
use toml::de::DeTable;

pub(super) use distro_node::text::found::{Found, Value};

use super::problem::did_you_mean;

/// A table whose keys are known to be right.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    table: &'a DeTable<'a>,
    what: String,
    pub(super) span: Range<usize>,
}

impl<'a> Fields<'a> {
    /// Opens a table and notes every key that it should not have.
    pub(super) fn open(
        found: &mut Found,
        what: &str,
        value: &'a Value<'a>,
        known: &[&str],
    ) -> Option<Fields<'a>> {
        let fields = Fields::free(found, what, value)?;
        for name in fields.table.keys() {
            let text: &str = name.get_ref();
            if known.contains(&text) {
                continue;
            }
            let all = known.join(", ");
            let help = match did_you_mean(text, known.iter().copied()) {
                Some(name) => format!("did you mean `{name}`? {what} has: {all}"),
                None => format!("{what} has: {all}"),
            };
            found.add(name.span(), format!("unknown key `{text}`"), help);
        }
        Some(fields)
    }

    /// A table whose keys are judged later.
    pub(super) fn free(found: &mut Found, what: &str, value: &'a Value<'a>) -> Option<Fields<'a>> {
        let Some(table) = value.get_ref().as_table() else {
            found.wrong_type(what, value, "a table, such as { key = .. }");
            return None;
        };
        Some(Fields {
            table,
            what: what.to_owned(),
            span: value.span(),
        })
    }

    /// Reads those of its keys that another table has.
    pub(super) fn fill(&self, found: &mut Found, into: &mut dyn Table) {
        table::fill(into, found, self.table);
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value<'a>> {
        self.table.get(key)
    }

    /// The value of a key that must be there.
    pub(super) fn required(&self, found: &mut Found, key: &Key) -> Option<&'a Value<'a>> {
        let value = self.get(key.name);
        if value.is_none() {
            found.add(
                self.span.clone(),
                format!("{} has no `{}`", self.what, key.name),
                format!("add `{} = ..`, {}: {}", key.name, (key.takes)(), key.about),
            );
        }
        value
    }

    /// The value of a key, if it is there and right.
    pub(super) fn read<K: Kind>(&self, found: &mut Found, key: &str) -> Option<K> {
        K::read(found, key, self.get(key)?)
    }

    /// A time, if the key is there and right.
    pub(super) fn period(&self, found: &mut Found, key: &str) -> Option<Period> {
        self.read(found, key)
    }

    /// A time that must be there.
    pub(super) fn period_required(&self, found: &mut Found, key: &Key) -> Option<Period> {
        let value = self.required(found, key)?;
        Period::read(found, key.name, value)
    }
}

/// The key with this name of a section that is known to have it.
pub(super) fn key_of(section: &Section, name: &str) -> Key {
    let mut keys = (section.keys)().into_iter();
    keys.find(|key| key.name == name)
        .expect("the schema names every key the parser reads")
}
