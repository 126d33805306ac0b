//! Reads typed values out of TOML tables and notes everything that is wrong on the way. Reading
//! goes on after a problem, with a stand-in value, so that one run of the parser finds them all.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use distro_core::time::Period;

use super::problem::{Problem, did_you_mean};
use super::schema::Key;
use super::value::{self, Wrong};

/// A value with its place.
pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) list: Vec<Problem>,
}

impl Found {
    /// Notes a problem.
    pub(super) fn add(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.list.push(Problem {
            span,
            message: message.into(),
            help: help.into(),
        });
    }

    /// The value, or a note of why there is none.
    pub(super) fn take<T>(&mut self, span: Range<usize>, read: Result<T, Wrong>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.add(span, wrong.message, wrong.help);
                None
            }
        }
    }

    /// Notes that a value has the wrong type.
    pub(super) fn wrong_type(&mut self, what: &str, value: &Value<'_>, right: &str) {
        let is = match value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.add(
            value.span(),
            format!("`{what}` is {is}"),
            format!("write {right}"),
        );
    }

    /// A text.
    pub(super) fn text<'a>(&mut self, what: &str, value: &'a Value<'_>) -> Option<&'a str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(what, value, "a text in quotes");
        }
        text
    }

    /// A whole number from `low` to `high`.
    pub(super) fn integer(
        &mut self,
        what: &str,
        value: &Value<'_>,
        low: i64,
        high: i64,
    ) -> Option<i64> {
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(what, value, "a whole number");
            return None;
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let inside = number.filter(|number| (low..=high).contains(number));
        if inside.is_none() {
            self.add(
                value.span(),
                format!("`{what}` is {integer}"),
                format!("it must be from {low} to {high}"),
            );
        }
        inside
    }

    /// Something that is written as text and read by `read`.
    pub(super) fn read<T>(
        &mut self,
        what: &str,
        value: &Value<'_>,
        right: &str,
        read: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(what, value, right);
            return None;
        };
        self.take(value.span(), read(text))
    }

    /// The elements of a list.
    pub(super) fn list<'a>(
        &mut self,
        what: &str,
        value: &'a Value<'a>,
        right: &str,
    ) -> &'a [Value<'a>] {
        match value.get_ref().as_array() {
            Some(array) => array,
            None => {
                self.wrong_type(what, value, right);
                &[]
            }
        }
    }

    /// The elements of an array of tables, or one inline table.
    pub(super) fn table<'a>(
        &mut self,
        what: &str,
        value: &'a Value<'a>,
        keys: &[Key],
    ) -> Option<Fields<'a>> {
        match value.get_ref().as_table() {
            Some(table) => Some(Fields::open(self, what, table, value.span(), keys)),
            None => {
                self.wrong_type(what, value, "a table");
                None
            }
        }
    }
}

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
        table: &'a DeTable<'a>,
        span: Range<usize>,
        keys: &[Key],
    ) -> Fields<'a> {
        for name in table.keys() {
            let text: &str = name.get_ref();
            if keys.iter().any(|key| key.name == text) {
                continue;
            }
            let known = keys.iter().map(|key| key.name);
            let all = known.clone().collect::<Vec<_>>().join(", ");
            let help = match did_you_mean(text, known) {
                Some(name) => format!("did you mean `{name}`? {what} has: {all}"),
                None => format!("{what} has: {all}"),
            };
            found.add(name.span(), format!("unknown key `{text}`"), help);
        }
        Fields {
            table,
            what: what.to_owned(),
            span,
        }
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
                format!("add `{} = ..`, {}: {}", key.name, key.takes, key.about),
            );
        }
        value
    }

    /// A time, if the key is there and right.
    pub(super) fn period(&self, found: &mut Found, key: &str) -> Option<Period> {
        let value = self.get(key)?;
        found.read(
            key,
            value,
            "a time in quotes, such as \"30s\"",
            value::period,
        )
    }

    /// A time that must be there.
    pub(super) fn period_required(&self, found: &mut Found, key: &Key) -> Option<Period> {
        let value = self.required(found, key)?;
        found.read(
            key.name,
            value,
            "a time in quotes, such as \"30s\"",
            value::period,
        )
    }

    /// A range of times.
    pub(super) fn period_range(&self, found: &mut Found, key: &str) -> Option<(Period, Period)> {
        let value = self.get(key)?;
        found.read(
            key,
            value,
            "a time or a range, such as \"1ms..5ms\"",
            value::period_range,
        )
    }

    /// A count from `low` to `high`.
    pub(super) fn count(&self, found: &mut Found, key: &str, low: u32, high: u32) -> Option<u32> {
        let value = self.get(key)?;
        let number = found.integer(key, value, i64::from(low), i64::from(high))?;
        u32::try_from(number).ok()
    }

    /// A text.
    pub(super) fn text(&self, found: &mut Found, key: &str) -> Option<&'a str> {
        found.text(key, self.get(key)?)
    }

    /// True or false.
    pub(super) fn flag(&self, found: &mut Found, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            found.wrong_type(key, value, "true or false, without quotes");
        }
        flag
    }

    /// A size in bytes, as a number or as text.
    pub(super) fn bytes(&self, found: &mut Found, key: &str) -> Option<u64> {
        let value = self.get(key)?;
        if value.get_ref().is_integer() {
            let number = found.integer(key, value, 0, i64::MAX)?;
            return u64::try_from(number).ok();
        }
        found.read(
            key,
            value,
            "a size, such as \"64KiB\" or \"1MiB\"",
            value::bytes,
        )
    }

    /// Keys and values in the order of the file.
    pub(super) fn entries(&self) -> Vec<(&'a str, Range<usize>, &'a Value<'a>)> {
        let mut entries: Vec<_> = self
            .table
            .iter()
            .map(|(name, value)| (&**name.get_ref(), name.span(), value))
            .collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        entries
    }

    /// A table whose keys the file chooses.
    pub(super) fn free(found: &mut Found, what: &str, value: &'a Value<'a>) -> Option<Fields<'a>> {
        match value.get_ref().as_table() {
            Some(table) => Some(Fields {
                table,
                what: what.to_owned(),
                span: value.span(),
            }),
            None => {
                found.wrong_type(what, value, "a table, such as { key = .. }");
                None
            }
        }
    }
}

/// The key with this name in a list that is known to hold it.
pub(super) fn key_of(keys: &'static [Key], name: &str) -> &'static Key {
    keys.iter()
        .find(|key| key.name == name)
        .expect("the schema names every key the parser reads")
}
