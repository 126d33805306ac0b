//! Tables of a file: what keys they have, said once.

use std::fmt::Debug;
use std::ops::Range;

use distro_core::time::Period;
use serde_json::{Map, Value as Json, json};
use toml::de::DeTable;

use super::found::{Found, Value};
use super::kind::{Kind, Shown, Toml};
use super::problem::{did_you_mean, help_for};
use super::slot::AnySlot;

/// What a key is when it is left out.
#[derive(Debug, Clone, Copy)]
pub enum Usual {
    /// It may not be.
    Required,
    /// This value, as TOML.
    Value(fn() -> Toml),
    /// This time.
    Time(Period),
    /// What follows from something else, in words.
    Words(&'static str),
    /// A table with what is usual in it.
    Table,
}

/// One key of a table.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it means.
    pub about: &'static str,
    /// What it takes.
    pub takes: fn() -> String,
    /// What it is when left out.
    pub usual: Usual,
    /// Its flag on the command line and what the value is called there, when it has one.
    pub flag: Option<(&'static str, &'static str)>,
    /// What a file may hold, as JSON Schema.
    pub schema: fn() -> Json,
}

impl Usual {
    /// The value that it is, as TOML.
    pub fn value(&self) -> Option<Toml> {
        match self {
            Usual::Value(value) => Some(value()),
            Usual::Time(time) => Some(time.write()),
            Usual::Required | Usual::Words(_) | Usual::Table => None,
        }
    }
}

impl Key {
    /// What it is when left out, for people.
    pub fn usual_text(&self) -> String {
        let empty = |value: &Toml| {
            value.as_array().is_some_and(toml_edit::Array::is_empty)
                || value
                    .as_inline_table()
                    .is_some_and(toml_edit::InlineTable::is_empty)
        };
        let words = match &self.usual {
            Usual::Required => "required",
            Usual::Words(words) => words,
            Usual::Table => "see there",
            Usual::Value(_) | Usual::Time(_) => "none",
        };
        let value = self.usual.value().filter(|value| !empty(value));
        value.map_or_else(|| words.to_owned(), |value| value.to_string())
    }
}

/// A key that takes a kind of values.
pub const fn key<K: Kind>(name: &'static str, usual: Usual, about: &'static str) -> Key {
    Key {
        name,
        about,
        takes: K::takes,
        usual,
        flag: None,
        schema: K::schema,
    }
}

/// A table of a file, with the keys it has.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// As it is written.
    pub title: &'static str,
    /// What messages call it.
    pub what: &'static str,
    /// What it means.
    pub about: &'static str,
    /// What messages call one of its keys, where that says more than `key`.
    pub noun: Option<&'static str>,
    /// Its keys.
    pub keys: fn() -> Vec<Key>,
}

impl Section {
    /// A section that messages call as files do.
    pub const fn new(title: &'static str, about: &'static str, keys: fn() -> Vec<Key>) -> Section {
        Section {
            title,
            what: title,
            about,
            noun: None,
            keys,
        }
    }

    /// Notes a key that it does not have.
    fn unknown(&self, found: &mut Found, what: &str, name: &str, span: Range<usize>) {
        let keys = (self.keys)();
        let known = keys.iter().map(|key| key.name);
        let elsewhere = found.elsewhere.and_then(|says| says(name));
        let (message, help) = match (elsewhere, self.noun) {
            (Some(help), _) => (format!("unknown key `{name}`"), help),
            (None, Some(noun)) => (format!("no {noun} `{name}`"), help_for(name, known)),
            (None, None) => {
                let all = known.clone().collect::<Vec<_>>().join(", ");
                let help = match did_you_mean(name, known) {
                    Some(near) => format!("did you mean `{near}`? {what} has: {all}"),
                    None => format!("{what} has: {all}"),
                };
                (format!("unknown key `{name}`"), help)
            }
        };
        found.add(span, message, help);
    }

    /// What a file may hold, as JSON Schema.
    pub fn schema(&self) -> Json {
        let keys = (self.keys)();
        let required = keys
            .iter()
            .filter(|key| matches!(key.usual, Usual::Required));
        let required: Vec<&str> = required.map(|key| key.name).collect();
        let properties: Map<String, Json> = keys.iter().map(Key::property).collect();
        json!({
            "type": "object",
            "description": self.about,
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }
}

impl Key {
    /// Its name, and what it takes as JSON Schema.
    pub fn property(&self) -> (String, Json) {
        let mut schema = (self.schema)();
        if let Json::Object(schema) = &mut schema {
            let about = format!("{} Left out: {}.", self.about, self.usual_text());
            schema.insert("description".to_owned(), about.into());
            if let Some(value) = self.usual.value() {
                schema.insert("default".to_owned(), json_of(&value));
            }
        }
        (self.name.to_owned(), schema)
    }
}

/// A value as JSON.
fn json_of(value: &Toml) -> Json {
    match value {
        Toml::String(text) => json!(text.value()),
        Toml::Integer(number) => json!(number.value()),
        Toml::Float(number) => json!(number.value()),
        Toml::Boolean(flag) => json!(flag.value()),
        Toml::Datetime(date) => json!(date.value().to_string()),
        Toml::Array(values) => values.iter().map(json_of).collect(),
        Toml::InlineTable(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(key, value)| (key.to_owned(), json_of(value)));
            Json::Object(pairs.collect())
        }
    }
}

/// A table of a file with the values of its keys; [`table!`](crate::table) makes them.
pub trait Table: Debug {
    /// What it is.
    fn section(&self) -> Section;
    /// The values, in the order of the section's keys.
    fn slots(&self) -> Vec<&dyn AnySlot>;
    /// The values, in the order of the section's keys.
    fn slots_mut(&mut self) -> Vec<&mut dyn AnySlot>;
}

/// Reads a table and notes every key that it should not have, or should have and has not.
pub fn read(
    table: &mut dyn Table,
    found: &mut Found,
    what: &str,
    span: Range<usize>,
    entries: &DeTable<'_>,
) {
    let section = table.section();
    let keys = (section.keys)();
    for name in entries.keys() {
        let text: &str = name.get_ref();
        if keys.iter().all(|key| key.name != text) {
            section.unknown(found, what, text, name.span());
        }
    }
    fill(table, found, entries);
    for key in keys {
        if matches!(key.usual, Usual::Required) && !entries.contains_key(key.name) {
            found.add(
                span.clone(),
                format!("{what} has no `{}`", key.name),
                format!("add `{} = ..`, {}: {}", key.name, (key.takes)(), key.about),
            );
        }
    }
}

/// Reads the keys that the table has, and says nothing of others.
pub fn fill(table: &mut dyn Table, found: &mut Found, entries: &DeTable<'_>) {
    let keys = (table.section().keys)();
    for (key, slot) in keys.iter().zip(table.slots_mut()) {
        if let Some(value) = entries.get(key.name) {
            slot.read(found, key.name, value);
        }
    }
}

/// Reads a value that has to be a table.
pub fn read_value<T: Table + Default>(found: &mut Found, value: &Value<'_>) -> Option<T> {
    let mut table = T::default();
    let what = table.section().what;
    let Some(entries) = value.get_ref().as_table() else {
        found.wrong_type(what, value, "a table");
        return None;
    };
    read(&mut table, found, what, value.span(), entries);
    Some(table)
}

/// The keys that were written, with their values.
pub fn written(table: &dyn Table) -> toml_edit::InlineTable {
    let mut out = toml_edit::InlineTable::new();
    for (key, slot) in (table.section().keys)().iter().zip(table.slots()) {
        if let (Some(_), Some(Shown::Value(value))) = (slot.place(), slot.shown()) {
            out.insert(key.name, value);
        }
    }
    out
}

/// The keys that were written, as a file: those that are tables, or lists of tables, come last.
pub fn file_text(table: &dyn Table) -> String {
    let lines = |table: &toml_edit::InlineTable| -> String {
        let line = |(key, value): (&str, &Toml)| format!("{key} = {value}\n");
        table.iter().map(line).collect()
    };
    let (mut first, mut rest) = (String::new(), String::new());
    let names: Vec<&str> = (table.section().keys)()
        .iter()
        .map(|key| key.name)
        .collect();
    let slots: Vec<(&str, &dyn AnySlot)> = names.into_iter().zip(table.slots()).collect();
    for (key, slot) in slots {
        let (Some(_), Some(Shown::Value(value))) = (slot.place(), slot.shown()) else {
            continue;
        };
        match (&value, slot.table()) {
            (_, Some(inner)) => rest.push_str(&format!("\n[{key}]\n{}", lines(&written(inner)))),
            (Toml::Array(list), None) if list.iter().any(Toml::is_inline_table) => {
                for inner in list.iter().filter_map(Toml::as_inline_table) {
                    rest.push_str(&format!("\n[[{key}]]\n{}", lines(inner)));
                }
            }
            (_, None) => first.push_str(&format!("{key} = {value}\n")),
        }
    }
    first + &rest
}

/// Makes the struct of a table, and a [`Table`] and a [`Kind`](crate::text::kind::Kind) of it, from
/// one list of its keys:
///
/// ```
/// use distro_core::time::Period;
/// use distro_node::text::kind::Count;
///
/// distro_node::table! {
///     /// A pump.
///     pub struct Pump ("[pump]", "the pump") {
///         /// How many strokes.
///         strokes: Count = required,
///         /// How long each takes.
///         stroke_time: Period = usual(Period::from_secs(1)),
///         /// When it stops.
///         until ["stop"]: Period = absent("never"),
///     }
/// }
/// assert_eq!(Pump::default().stroke_time.value, Period::from_secs(1));
/// ```
///
/// A key has its field's name in kebab case, or the one in brackets. `usual` gives what it is when
/// left out, `absent` says it in words, a `table` has what is usual in it. `@("stop", "TIME")` after
/// the name gives it a flag on the command line, `--stop TIME`.
#[macro_export]
macro_rules! table {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $Table:ident ($title:literal, $what:literal) {
            $(
                $(#[doc = $doc:literal])+
                $field:ident $([$name:literal])? $(@ $flag:tt)? :
                $kind:ty = $usual:ident $(($arg:expr))?,
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        $vis struct $Table {
            $(
                $(#[doc = $doc])+
                pub $field: $crate::text::slot::Slot<$crate::table_part!(type $usual $kind)>,
            )+
        }

        impl Default for $Table {
            fn default() -> $Table {
                $Table {
                    $( $field: $crate::text::slot::Slot::usual(
                        $crate::table_part!(value $usual $($arg)?)
                    ), )+
                }
            }
        }

        impl $Table {
            /// What the table is.
            pub const SECTION: $crate::text::table::Section = $crate::text::table::Section {
                title: $title,
                what: $what,
                about: $crate::text::table::trimmed(concat!($($about),+)),
                noun: None,
                keys: $Table::keys,
            };

            fn keys() -> Vec<$crate::text::table::Key> {
                vec![ $( $crate::text::table::Key {
                    name: $crate::table_part!(name $field $($name)?),
                    about: concat!($($doc),+).trim(),
                    takes: <$kind as $crate::text::kind::Kind>::takes,
                    usual: $crate::table_part!(usual $usual $kind; $($arg)?),
                    flag: [$(Some($flag),)? None][0],
                    schema: <$kind as $crate::text::kind::Kind>::schema,
                }, )+ ]
            }
        }

        impl $crate::text::table::Table for $Table {
            fn section(&self) -> $crate::text::table::Section {
                $Table::SECTION
            }

            fn slots(&self) -> Vec<&dyn $crate::text::slot::AnySlot> {
                vec![ $( &self.$field, )+ ]
            }

            fn slots_mut(&mut self) -> Vec<&mut dyn $crate::text::slot::AnySlot> {
                vec![ $( &mut self.$field, )+ ]
            }
        }

        $crate::table_kind!($Table);
    };
}

/// Makes what keys take of a [`Table`].
#[macro_export]
macro_rules! table_kind {
    ($Table:ident) => {
        impl $crate::text::kind::Kind for $Table {
            fn takes() -> String {
                $Table::SECTION.title.to_owned()
            }

            fn read(
                found: &mut $crate::text::found::Found,
                _: &str,
                value: &$crate::text::found::Value<'_>,
            ) -> Option<$Table> {
                $crate::text::table::read_value(found, value)
            }

            fn write(&self) -> $crate::text::kind::Toml {
                $crate::text::kind::Toml::InlineTable($crate::text::table::written(self))
            }

            fn schema() -> serde_json::Value {
                $Table::SECTION.schema()
            }

            fn table(&self) -> Option<&dyn $crate::text::table::Table> {
                Some(self)
            }

            fn table_mut(&mut self) -> Option<&mut dyn $crate::text::table::Table> {
                Some(self)
            }
        }
    };
}

/// What [`table!`](crate::table) makes of the parts of a line.
#[doc(hidden)]
#[macro_export]
macro_rules! table_part {
    (type required $kind:ty) => { Option<$kind> };
    (type absent $kind:ty) => { Option<$kind> };
    (type usual $kind:ty) => { $kind };
    (type table $kind:ty) => { $kind };
    (value required) => { None };
    (value absent $words:expr) => { None };
    (value usual $value:expr) => { $value };
    (value table) => { Default::default() };
    (usual required $kind:ty;) => { $crate::text::table::Usual::Required };
    (usual absent $kind:ty; $words:expr) => { $crate::text::table::Usual::Words($words) };
    (usual usual $kind:ty; $value:expr) => {
        $crate::text::table::Usual::Value(|| <$kind as $crate::text::kind::Kind>::write(&$value))
    };
    (usual table $kind:ty;) => { $crate::text::table::Usual::Table };
    (name $field:ident $name:literal) => { $name };
    (name $field:ident) => { distro_core::kebab!($field) };
}

/// The text without the blank with which a doc comment begins.
#[doc(hidden)]
pub const fn trimmed(text: &'static str) -> &'static str {
    text.trim_ascii()
}
