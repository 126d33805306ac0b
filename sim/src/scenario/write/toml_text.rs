//! Pieces of TOML text.

/// Keys and values, as text, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Table(Vec<(String, String)>);

impl Table {
    /// Adds a key with a value that is TOML already.
    pub(super) fn put(&mut self, key: &str, value: String) {
        self.0.push((key.to_owned(), value));
    }

    /// The table as lines.
    pub(super) fn push_to(&self, out: &mut String) {
        for (key, value) in &self.0 {
            out.push_str(&format!("{key} = {value}\n"));
        }
    }

    /// The table on one line.
    pub(super) fn inline(&self) -> String {
        if self.0.is_empty() {
            return "{}".to_owned();
        }
        let entries: Vec<String> = self
            .0
            .iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        format!("{{ {} }}", entries.join(", "))
    }
}

/// A list of values that are TOML already.
pub(super) fn list(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(", "))
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
        c => out.push(c),
    }
}

/// A text in quotes.
pub(in crate::scenario) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        push_escaped(&mut out, c);
    }
    out.push('"');
    out
}
