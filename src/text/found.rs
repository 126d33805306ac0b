//! What is found wrong while a file is read. Reading goes on after a problem, so that one run finds
//! them all.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::problem::Problem;
use super::value::Wrong;

/// A value of a file with its place.
pub type Value<'a> = Spanned<DeValue<'a>>;

/// The problems found so far, and what reading needs to know.
#[derive(Debug, Default)]
pub struct Found {
    /// The problems.
    pub list: Vec<Problem>,
    /// Places of values that are not to be shown.
    pub secrets: Vec<Range<usize>>,
    /// Which of several texts is read, counted from 0.
    pub text: usize,
    /// Says of a key that its table does not have where it would be right.
    pub elsewhere: Option<fn(&str) -> Option<String>>,
}

impl Found {
    /// Notes a problem.
    pub fn add(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.list.push(Problem {
            span,
            message: message.into(),
            help: help.into(),
        });
    }

    /// The value, or a note of why there is none.
    pub fn take<T>(&mut self, span: Range<usize>, read: Result<T, Wrong>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.add(span, wrong.message, wrong.help);
                None
            }
        }
    }

    /// Notes that a value has the wrong type.
    pub fn wrong_type(&mut self, what: &str, value: &Value<'_>, right: &str) {
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
}

/// A whole number as a file writes it.
pub(super) fn integer(value: &Value<'_>) -> Option<i64> {
    let integer = value.get_ref().as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A number, whole or not, as text.
pub fn number(value: &Value<'_>) -> Option<String> {
    let float = value.get_ref().as_float();
    float.map_or_else(
        || integer(value).map(|number| number.to_string()),
        |float| Some(float.as_str().to_owned()),
    )
}
