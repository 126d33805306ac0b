//! What keys take: how it is read, how it is written, and how it is described to people and to
//! editors.

use std::fmt::Debug;
use std::net::IpAddr;
use std::ops::Deref;
use std::path::PathBuf;

use distro_core::time::Period;
use serde_json::{Value as Json, json};

pub use toml_edit::Value as Toml;

use super::found::{Found, Value, integer};
use super::problem::help_for;
use super::table::Table;
use super::value::{self, Wrong, wrong};

/// A value for people to see.
#[derive(Debug, Clone)]
pub enum Shown {
    /// As TOML.
    Value(Toml),
    /// It is set, and not to be seen; in words.
    Hidden(String),
}

/// A kind of values.
pub trait Kind: Sized + Clone + Debug {
    /// Its values are not to be shown.
    const SECRET: bool = false;

    /// What it takes, in the words of the reference.
    fn takes() -> String;

    /// What would be right, with an example, to follow "write".
    fn right() -> String {
        Self::takes()
    }

    /// Reads a value of a file, or notes what is wrong with it. `what` is the key.
    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Self>;

    /// Reads a text, as flags and variables give it; unless it says so, a kind has none.
    ///
    /// # Errors
    /// The text is no such value.
    fn parse(_: &str) -> Result<Self, Wrong> {
        let help = format!("write {} in a file", Self::right());
        wrong("this is not a single text", help)
    }

    /// As TOML.
    fn write(&self) -> Toml;

    /// For people to see.
    fn shown(&self) -> Shown {
        Shown::Value(self.write())
    }

    /// What a file may hold, as JSON Schema.
    fn schema() -> Json;

    /// The table that it is.
    fn table(&self) -> Option<&dyn Table> {
        None
    }

    /// The table that it is.
    fn table_mut(&mut self) -> Option<&mut dyn Table> {
        None
    }
}

/// A kind whose values are texts, in files as elsewhere.
pub trait TextKind: Sized + Clone + Debug {
    /// What it takes, in the words of the reference.
    const TAKES: &'static str;
    /// What would be right, to follow "write".
    const RIGHT: &'static str;
    /// A regular expression of all texts that can be right.
    const PATTERN: &'static str;

    /// The value.
    ///
    /// # Errors
    /// The text is none.
    fn from_text(text: &str) -> Result<Self, Wrong>;

    /// Its text.
    fn to_text(&self) -> String;
}

impl<T: TextKind> Kind for T {
    fn takes() -> String {
        T::TAKES.to_owned()
    }

    fn right() -> String {
        T::RIGHT.to_owned()
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<T> {
        match value.get_ref().as_str() {
            Some(text) => found.take(value.span(), T::from_text(text)),
            None => {
                found.wrong_type(what, value, T::RIGHT);
                None
            }
        }
    }

    fn parse(text: &str) -> Result<T, Wrong> {
        T::from_text(text)
    }

    fn write(&self) -> Toml {
        self.to_text().into()
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": T::PATTERN })
    }
}

/// Any text.
impl TextKind for String {
    const TAKES: &'static str = "text";
    const RIGHT: &'static str = "a text in quotes";
    const PATTERN: &'static str = "";

    fn from_text(text: &str) -> Result<String, Wrong> {
        Ok(text.to_owned())
    }

    fn to_text(&self) -> String {
        self.clone()
    }
}

/// A text that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(pub String);

impl TextKind for Words {
    const TAKES: &'static str = "text";
    const RIGHT: &'static str = "a text in quotes";
    const PATTERN: &'static str = r"\S";

    fn from_text(text: &str) -> Result<Words, Wrong> {
        if text.trim().is_empty() {
            return wrong(
                "there is nothing in this text",
                format!("write {}", Words::RIGHT),
            );
        }
        Ok(Words(text.to_owned()))
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

impl TextKind for PathBuf {
    const TAKES: &'static str = "path";
    const RIGHT: &'static str = "a path in quotes";
    const PATTERN: &'static str = r"\S";

    fn from_text(text: &str) -> Result<PathBuf, Wrong> {
        Words::from_text(text).map(|words| PathBuf::from(words.0))
    }

    fn to_text(&self) -> String {
        self.display().to_string()
    }
}

impl TextKind for IpAddr {
    const TAKES: &'static str = "IP address";
    const RIGHT: &'static str = "an IP address in quotes, such as \"127.0.0.1\"";
    const PATTERN: &'static str = "^[0-9a-fA-F:.]+$";

    fn from_text(text: &str) -> Result<IpAddr, Wrong> {
        let ip = text.parse();
        ip.or_else(|_| {
            wrong(
                format!("`{text}` is no IP address"),
                format!("write {}", Self::RIGHT),
            )
        })
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl TextKind for Period {
    const TAKES: &'static str = "time";
    const RIGHT: &'static str = "a time in quotes, such as \"30s\"";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]+)?(us|ms|s|m|h)$";

    fn from_text(text: &str) -> Result<Period, Wrong> {
        value::period(text)
    }

    fn to_text(&self) -> String {
        value::period_text(*self)
    }
}

/// One of a few words.
pub trait Word: Copy + PartialEq + Debug + 'static {
    /// What the words are for, such as `world`.
    const NOUN: &'static str;

    /// All of them.
    fn all() -> Vec<(Self, &'static str)>;

    /// The word.
    fn word(self) -> &'static str {
        let all = Self::all().into_iter();
        let mut found = all.filter(|(one, _)| *one == self);
        found.next().map_or("", |(_, word)| word)
    }

    /// The one that this word is for.
    ///
    /// # Errors
    /// There is no such word.
    fn of(text: &str) -> Result<Self, Wrong> {
        let all = Self::all();
        match all.iter().find(|(_, word)| *word == text) {
            Some((one, _)) => Ok(*one),
            None => {
                let help = help_for(text, all.iter().map(|(_, word)| *word));
                wrong(format!("no {} `{text}`", Self::NOUN), help)
            }
        }
    }
}

/// One of a few words, as what a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneOf<W>(pub W);

impl<W> Deref for OneOf<W> {
    type Target = W;

    fn deref(&self) -> &W {
        &self.0
    }
}

impl<W: Word> Kind for OneOf<W> {
    fn takes() -> String {
        let all = W::all();
        match all.len() {
            0..=4 => {
                let words: Vec<String> =
                    all.iter().map(|(_, word)| format!("\"{word}\"")).collect();
                words.join(", ")
            }
            _ => W::NOUN.to_owned(),
        }
    }

    fn right() -> String {
        let words: Vec<&str> = W::all().into_iter().map(|(_, word)| word).collect();
        format!("one of \"{}\"", words.join("\", \""))
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<OneOf<W>> {
        let Some(text) = value.get_ref().as_str() else {
            found.wrong_type(what, value, "a text in quotes");
            return None;
        };
        found.take(value.span(), W::of(text)).map(OneOf)
    }

    fn parse(text: &str) -> Result<OneOf<W>, Wrong> {
        W::of(text).map(OneOf)
    }

    fn write(&self) -> Toml {
        self.0.word().into()
    }

    fn schema() -> Json {
        let words: Vec<&str> = W::all().into_iter().map(|(_, word)| word).collect();
        json!({ "enum": words })
    }
}

impl Kind for bool {
    fn takes() -> String {
        "true or false".to_owned()
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<bool> {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            found.wrong_type(what, value, "true or false, without quotes");
        }
        flag
    }

    fn parse(text: &str) -> Result<bool, Wrong> {
        let flag = text.parse();
        flag.or_else(|_| wrong(format!("`{text}` is neither"), "write true or false"))
    }

    fn write(&self) -> Toml {
        (*self).into()
    }

    fn schema() -> Json {
        json!({ "type": "boolean" })
    }
}

/// A whole number from `LOW` to `HIGH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Whole<T, const LOW: i64, const HIGH: i64>(pub T);

/// A number of things.
pub type Count = Whole<u32, 0, 0xffff_ffff>;
/// A number of things, of which there is at least one.
pub type AtLeastOne = Whole<u32, 1, 0xffff_ffff>;
/// A port.
pub type Port = Whole<u16, 1, 65_535>;

impl<T, const LOW: i64, const HIGH: i64> Deref for Whole<T, LOW, HIGH> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T, const LOW: i64, const HIGH: i64> Whole<T, LOW, HIGH>
where
    T: TryFrom<i64>,
{
    fn of(number: i64) -> Option<Self> {
        let inside = (LOW..=HIGH).contains(&number).then_some(number)?;
        T::try_from(inside).ok().map(Whole)
    }
}

impl<T, const LOW: i64, const HIGH: i64> Kind for Whole<T, LOW, HIGH>
where
    T: TryFrom<i64> + TryInto<i64> + Copy + Debug,
{
    fn takes() -> String {
        let words = if LOW < 0 { "whole number" } else { "count" };
        words.to_owned()
    }

    fn right() -> String {
        format!("a whole number from {LOW} to {HIGH}")
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Self> {
        let Some(written) = value.get_ref().as_integer() else {
            found.wrong_type(what, value, "a whole number");
            return None;
        };
        let whole = integer(value).and_then(Self::of);
        if whole.is_none() {
            found.add(
                value.span(),
                format!("`{what}` is {written}"),
                format!("it must be from {LOW} to {HIGH}"),
            );
        }
        whole
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let whole = text.parse().ok().and_then(Self::of);
        whole.map_or_else(
            || {
                let help = format!("write {}", Self::right());
                wrong(format!("`{text}` is not right here"), help)
            },
            Ok,
        )
    }

    fn write(&self) -> Toml {
        // Every number of its range is an `i64`.
        self.0.try_into().unwrap_or(HIGH).into()
    }

    fn schema() -> Json {
        json!({ "type": "integer", "minimum": LOW, "maximum": HIGH })
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Kind for Size {
    fn takes() -> String {
        "size".to_owned()
    }

    fn right() -> String {
        "a size, such as \"64KiB\" or \"1MiB\"".to_owned()
    }

    fn read(found: &mut Found, what: &str, value: &Value<'_>) -> Option<Size> {
        if value.get_ref().is_integer() {
            return Whole::<u64, 0, { i64::MAX }>::read(found, what, value)
                .map(|whole| Size(whole.0));
        }
        let Some(text) = value.get_ref().as_str() else {
            found.wrong_type(what, value, &Size::right());
            return None;
        };
        found.take(value.span(), value::bytes(text)).map(Size)
    }

    fn parse(text: &str) -> Result<Size, Wrong> {
        let number = text.parse().ok();
        number.map_or_else(|| value::bytes(text), Ok).map(Size)
    }

    fn write(&self) -> Toml {
        value::bytes_text(self.0).into()
    }

    fn schema() -> Json {
        json!({ "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB|kB|MB|GB)$" },
        ] })
    }
}
