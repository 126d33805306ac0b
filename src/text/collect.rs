//! Several values of a kind: lists, and maps whose keys the file chooses.

use std::fmt::Debug;
use std::ops::Deref;

use serde_json::{Value as Json, json};

use super::found::{Found, Value};
use super::kind::{Kind, Shown, TextKind, Toml};
use super::slot::{AnySlot, Slot};
use super::value::{Wrong, wrong};

/// Values one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<Slot<Option<T>>>);

impl<T> Default for List<T> {
    fn default() -> List<T> {
        List(Vec::new())
    }
}

impl<T> List<T> {
    /// The values that were right.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(|slot| slot.value.as_ref())
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> List<T> {
        List(
            values
                .into_iter()
                .map(|value| Slot::said(Some(value)))
                .collect(),
        )
    }
}

/// The words of a text that lists several, separated by commas.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

impl<T: Kind> Kind for List<T> {
    const SECRET: bool = T::SECRET;

    fn takes() -> String {
        let one = T::takes();
        match one.chars().last() {
            Some(']') => one,
            Some(last) if last.is_alphabetic() && last != 's' => format!("list of {one}s"),
            Some(_) | None => format!("list of {one}"),
        }
    }

    fn right() -> String {
        format!("a list, each {}", T::right())
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<List<T>> {
        let Some(elements) = value.get_ref().as_array() else {
            found.wrong_type(what, value, &Self::right());
            return None;
        };
        let read = |element: &Value<'_>| {
            let mut slot = Slot::<Option<T>>::usual(None);
            slot.read(found, what, element);
            slot
        };
        Some(List(elements.iter().map(read).collect()))
    }

    fn parse(text: &str) -> Result<List<T>, Wrong> {
        words(text).map(T::parse).collect()
    }

    fn write(&self) -> Toml {
        self.values().map(T::write).collect()
    }

    fn schema() -> Json {
        json!({ "type": "array", "items": T::schema() })
    }
}

/// Values by names that the file chooses, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map<K, V>(pub Vec<(K, V)>);

impl<K, V> Default for Map<K, V> {
    fn default() -> Map<K, V> {
        Map(Vec::new())
    }
}

impl<K, V> Deref for Map<K, V> {
    type Target = [(K, V)];

    fn deref(&self) -> &[(K, V)] {
        &self.0
    }
}

impl<K, V> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Map<K, V> {
        Map(pairs.into_iter().collect())
    }
}

impl<K: TextKind + PartialEq, V: Kind> Map<K, V> {
    fn add(&mut self, key: K, value: V) -> Result<(), Wrong> {
        if self.iter().any(|(known, _)| *known == key) {
            let message = format!("{} is named twice", key.to_text());
            return wrong(message, "keep one of them");
        }
        self.0.push((key, value));
        Ok(())
    }

    /// A pair of a text: `name=value`.
    fn pair(&mut self, word: &str) -> Result<(), Wrong> {
        let help = format!("write \"{}=..\", {}", K::TAKES, V::right());
        let Some((key, value)) = word.rsplit_once('=').filter(|(key, _)| !key.is_empty()) else {
            // What is wrong may be a secret without its name.
            let word = if V::SECRET { "this" } else { word };
            return wrong(format!("`{word}` is no {} with a value", K::TAKES), help);
        };
        self.add(K::from_text(key.trim())?, V::parse(value.trim())?)
    }
}

impl<K: TextKind + PartialEq, V: Kind> Kind for Map<K, V> {
    const SECRET: bool = V::SECRET;

    fn takes() -> String {
        format!("{{ {} = {} }}", K::TAKES, V::takes())
    }

    fn right() -> String {
        "a table, such as { key = .. }".to_owned()
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Map<K, V>> {
        let Some(table) = value.get_ref().as_table() else {
            found.wrong_type(what, value, &Self::right());
            return None;
        };
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let mut map = Map::default();
        for (name, value) in entries {
            let text: &str = name.get_ref();
            let key = found.take(name.span(), K::from_text(text));
            let read = V::read(found, text, value);
            if let (Some(key), Some(read)) = (key, read) {
                let added = map.add(key, read);
                found.take(name.span().start..value.span().end, added);
            }
        }
        Some(map)
    }

    fn parse(text: &str) -> Result<Map<K, V>, Wrong> {
        let mut map = Map::default();
        for word in words(text) {
            map.pair(word)?;
        }
        Ok(map)
    }

    fn write(&self) -> Toml {
        let pairs = self
            .iter()
            .map(|(key, value)| (key.to_text(), value.write()));
        Toml::InlineTable(pairs.collect())
    }

    fn shown(&self) -> Shown {
        if V::SECRET && !self.is_empty() {
            let names: Vec<String> = self.iter().map(|(key, _)| key.to_text()).collect();
            return Shown::Hidden(format!("(set for {})", names.join(", ")));
        }
        Shown::Value(self.write())
    }

    fn schema() -> Json {
        json!({
            "type": "object",
            "propertyNames": { "pattern": K::PATTERN },
            "additionalProperties": V::schema(),
        })
    }
}
