//! The first difference of two traces, with what led to it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::{self, BufRead};

/// Where two traces part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Number of the first entry that differs; 0 when the headers do.
    pub entry: u64,
    /// The first trace's line; absent when it ended before.
    pub left: Option<String>,
    /// The second trace's line; absent when it ended before.
    pub right: Option<String>,
    /// The fields that differ between the two lines.
    pub fields: Vec<String>,
    /// The last common lines of every host that the two lines name.
    pub led: BTreeMap<String, Vec<String>>,
}

/// Compares two traces line by line, up to the first difference. `context`: how many of the lines
/// that led to it are kept for each host.
///
/// # Errors
/// A trace could not be read.
pub fn diff(
    left: impl BufRead,
    right: impl BufRead,
    context: usize,
) -> io::Result<Option<Difference>> {
    let (mut left, mut right) = (left.lines(), right.lines());
    let mut recent: BTreeMap<String, VecDeque<String>> = BTreeMap::new();
    for entry in 0.. {
        let (a, b) = (left.next().transpose()?, right.next().transpose()?);
        match (a, b) {
            (None, None) => return Ok(None),
            (Some(a), Some(b)) if a == b => {
                let Some(host) = field(&a, "host") else {
                    continue;
                };
                let lines = recent.entry(host).or_default();
                lines.push_back(a);
                if lines.len() > context {
                    lines.pop_front();
                }
            }
            (a, b) => return Ok(Some(difference(entry, a, b, &recent))),
        }
    }
    Ok(None)
}

fn difference(
    entry: u64,
    left: Option<String>,
    right: Option<String>,
    recent: &BTreeMap<String, VecDeque<String>>,
) -> Difference {
    let mut led = BTreeMap::new();
    for line in [&left, &right].into_iter().flatten() {
        for host in ["host", "peer"]
            .into_iter()
            .filter_map(|key| field(line, key))
        {
            if let Some(lines) = recent.get(&host) {
                led.insert(host, lines.iter().cloned().collect());
            }
        }
    }
    let fields = match (&left, &right) {
        (Some(left), Some(right)) => fields_that_differ(left, right),
        (Some(_), None) | (None, Some(_)) | (None, None) => Vec::new(),
    };
    Difference {
        entry,
        left,
        right,
        fields,
        led,
    }
}

fn object(line: &str) -> Option<serde_json::Map<String, serde_json::Value>> {
    serde_json::from_str(line).ok()
}

/// A text field of a line, found without reading all of it: this runs on every line.
fn field(line: &str, key: &str) -> Option<String> {
    let marker = format!("\"{key}\":\"");
    let rest = &line[line.find(&marker)? + marker.len()..];
    Some(rest[..rest.find('"')?].to_owned())
}

fn fields_that_differ(left: &str, right: &str) -> Vec<String> {
    let (Some(left), Some(right)) = (object(left), object(right)) else {
        return Vec::new();
    };
    let mut names: Vec<String> = left.keys().chain(right.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names.retain(|name| left.get(name) != right.get(name));
    names
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entry == 0 {
            writeln!(f, "the headers differ: these are not two runs of the same")?;
        } else {
            writeln!(f, "the traces part at entry {}", self.entry)?;
        }
        if !self.fields.is_empty() {
            writeln!(f, "fields that differ: {}", self.fields.join(", "))?;
        }
        for (host, lines) in &self.led {
            writeln!(f, "\nwhat led to it at {host}:")?;
            for line in lines {
                writeln!(f, "    {line}")?;
            }
        }
        let ended = "(the trace ends here)";
        writeln!(f, "\n  - {}", self.left.as_deref().unwrap_or(ended))?;
        writeln!(f, "  + {}", self.right.as_deref().unwrap_or(ended))
    }
}
