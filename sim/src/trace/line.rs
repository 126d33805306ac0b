//! One line of JSON, written straight into a buffer that is used again for the next.

use std::fmt::{self, Display, Write};

use distro_core::time::{Mono, Period};

/// A line being written: an object with its fields in the order in which they are put.
pub(super) struct Line<'a> {
    out: &'a mut String,
    empty: bool,
}

/// Escapes what passes through for a JSON string.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                c if c < ' ' => write!(self.0, "\\u{:04x}", u32::from(c))?,
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

/// Formats into a text. Why no error: a `String` takes everything, and the `Display`s of the
/// trace fail only when their formatter does.
fn put(out: &mut String, value: fmt::Arguments<'_>) {
    out.write_fmt(value).expect("a String takes everything");
}

fn string(out: &mut String, value: &dyn Display) {
    out.push('"');
    write!(Escaped(out), "{value}").expect("a String takes everything");
    out.push('"');
}

impl<'a> Line<'a> {
    /// A new line in this buffer.
    pub(super) fn start(out: &'a mut String) -> Line<'a> {
        out.push('{');
        Line { out, empty: true }
    }

    /// Ends the line.
    pub(super) fn end(self) {
        self.out.push_str("}\n");
    }

    fn key(&mut self, key: &str) {
        if !self.empty {
            self.out.push(',');
        }
        self.empty = false;
        string(self.out, &key);
        self.out.push(':');
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str, value: &dyn Display) {
        self.key(key);
        string(self.out, value);
    }

    /// A text that may be absent; then the field is.
    pub(super) fn maybe<T: Display>(&mut self, key: &str, value: Option<&T>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A number.
    pub(super) fn number(&mut self, key: &str, value: i64) {
        self.key(key);
        put(self.out, format_args!("{value}"));
    }

    /// A number that is never negative.
    pub(super) fn unsigned(&mut self, key: &str, value: u64) {
        self.key(key);
        put(self.out, format_args!("{value}"));
    }

    /// True or false.
    pub(super) fn flag(&mut self, key: &str, value: bool) {
        self.key(key);
        self.out.push_str(if value { "true" } else { "false" });
    }

    /// Nothing, said.
    pub(super) fn null(&mut self, key: &str) {
        self.key(key);
        self.out.push_str("null");
    }

    fn seconds(&mut self, key: &str, micros: u64) {
        self.key(key);
        put(
            self.out,
            format_args!("{}.{:06}", micros / 1_000_000, micros % 1_000_000),
        );
    }

    /// When: seconds with all six decimals.
    pub(super) fn time(&mut self, at: Mono) {
        self.seconds("t", at.0);
    }

    /// How long, in seconds with all six decimals.
    pub(super) fn period(&mut self, key: &str, period: Period) {
        self.seconds(key, period.0);
    }

    /// A list of texts.
    pub(super) fn list<T: Display>(&mut self, key: &str, values: impl IntoIterator<Item = T>) {
        self.key(key);
        self.out.push('[');
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            string(self.out, &value);
        }
        self.out.push(']');
    }

    /// An object inside the line.
    pub(super) fn object(&mut self, key: &str, fill: impl FnOnce(&mut Line<'_>)) {
        self.key(key);
        self.out.push('{');
        let mut inner = Line {
            out: self.out,
            empty: true,
        };
        fill(&mut inner);
        self.out.push('}');
    }

    /// A list of objects inside the line.
    pub(super) fn objects<T>(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Line<'_>, T),
    ) {
        self.key(key);
        self.out.push('[');
        for (index, value) in values.into_iter().enumerate() {
            self.out.push_str(if index > 0 { ",{" } else { "{" });
            fill(
                &mut Line {
                    out: self.out,
                    empty: true,
                },
                value,
            );
            self.out.push('}');
        }
        self.out.push(']');
    }
}
