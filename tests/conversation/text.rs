//! A trace as lines for people: who said what to whom, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use distro_sim::scenario::address;
use serde_json::{Map, Value};

use super::page::Shown;

/// The fields that a line shows, in this order; the others are the same for everybody, or of the
/// wire.
const ESSENTIAL: [&str; 40] = [
    "op",
    "denied",
    "malformed",
    "client",
    "connectionId",
    "pattern",
    "service",
    "services",
    "subscribe",
    "instance",
    "instances",
    "publishes",
    "hosts",
    "revision",
    "origin",
    "requester",
    "scope",
    "held",
    "after",
    "count",
    "digest",
    "branches",
    "leaves",
    "superseded",
    "settled",
    "seen",
    "records",
    "remaining",
    "keep",
    "redirect",
    "serverIp",
    "serverPort",
    "member",
    "target",
    "from",
    "applied",
    "state",
    "cause",
    "incarnation",
    "unheard",
];

/// One message on its way: requester, who is asked, number, and whether it is the request.
type Way = (String, String, u64, bool);

/// Writes a conversation.
struct Writer<'a> {
    shown: &'a Shown,
    /// Names of hosts by address.
    names: BTreeMap<String, String>,
    width: usize,
    /// In order: when, and the line.
    lines: Vec<(u64, String)>,
    /// Lines of messages that have not arrived.
    under_way: BTreeMap<Way, Vec<usize>>,
    /// Requests that are left out, so that their answers are too.
    hidden: BTreeSet<(String, String, u64)>,
    /// When entries of the timeline began.
    began: BTreeMap<u64, u64>,
}

/// The conversation in a trace.
pub(crate) fn conversation(trace: &str, shown: &Shown) -> String {
    let mut entries = trace
        .lines()
        .map(|line| serde_json::from_str::<Map<String, Value>>(line).unwrap());
    let header = entries.next().unwrap();
    let hosts = header["hosts"].as_array().unwrap();
    let hosts: Vec<&str> = hosts.iter().map(|host| host.as_str().unwrap()).collect();
    let nodes = hosts.iter().filter(|host| host.starts_with('n')).count();
    let ips = (0..).map(address::node_ip).take(nodes);
    let ips = ips.chain((0..).map(address::client_ip));
    let mut writer = Writer {
        shown,
        names: ips
            .zip(&hosts)
            .map(|(ip, host)| (ip.to_string(), (*host).to_owned()))
            .collect(),
        width: hosts.iter().map(|host| host.len()).max().unwrap_or(0),
        lines: Vec::new(),
        under_way: BTreeMap::new(),
        hidden: BTreeSet::new(),
        began: BTreeMap::new(),
    };
    for entry in entries {
        writer.entry(&entry);
    }
    writer.finish()
}

fn text<'a>(entry: &'a Map<String, Value>, key: &str) -> &'a str {
    entry.get(key).and_then(Value::as_str).unwrap_or("")
}

impl Writer<'_> {
    fn entry(&mut self, entry: &Map<String, Value>) {
        let seconds = entry["t"].as_f64().unwrap();
        let at = (seconds * 1e6).round() as u64;
        let host = text(entry, "host");
        match text(entry, "kind") {
            "request-sent" | "response-sent" => self.sent(at, entry),
            "request-received" | "response-received" => self.arrived(at, entry),
            kind @ ("started" | "stopped") => self.alone(at, host, kind, ""),
            kind @ ("closed" | "close") => {
                let words = format!("{kind} {} {}", text(entry, "peer"), text(entry, "reason"));
                self.alone(at, host, kind, words.trim_start_matches(kind).trim());
            }
            "node" | "client" => {
                let event = text(entry, "event").to_owned();
                let fields = self.fields(entry);
                self.alone(at, host, &event, &fields);
            }
            "called" => {
                let fields = self.fields(entry);
                self.alone(at, host, "calls", &fields);
            }
            "began" => {
                self.began.insert(entry["index"].as_u64().unwrap(), at);
                self.alone(at, "", "began", text(entry, "action"));
            }
            "ended" => {
                let began = self.began.get(&entry["index"].as_u64().unwrap());
                // What lasts no time is over when it begins.
                if began != Some(&at) {
                    self.alone(at, "", "ended", text(entry, "action"));
                }
            }
            "opened" | "returned" => {}
            other => panic!("a kind of entry that no page tells of: {other}"),
        }
    }

    fn hides(&self, entry: &Map<String, Value>) -> bool {
        let is_of = |name: &str| self.shown.without.iter().any(|word| name.starts_with(word));
        is_of(text(entry, "type")) || (entry.contains_key("op") && is_of(text(entry, "op")))
    }

    fn way(host: &str, entry: &Map<String, Value>, is_sender: bool) -> Way {
        let peer = text(entry, "peer");
        let is_request = text(entry, "kind").starts_with("request");
        let id = entry["id"].as_u64().unwrap();
        // The requester is who sent the request, or gets the answer.
        let (requester, asked) = if is_request == is_sender {
            (host, peer)
        } else {
            (peer, host)
        };
        (requester.to_owned(), asked.to_owned(), id, is_request)
    }

    fn sent(&mut self, at: u64, entry: &Map<String, Value>) {
        let host = text(entry, "host");
        let way = Writer::way(host, entry, true);
        let asked = (way.0.clone(), way.1.clone(), way.2);
        let hides = self.hides(entry);
        if way.3 && hides {
            self.hidden.insert(asked);
            return;
        }
        if hides || (!way.3 && self.hidden.contains(&asked)) {
            return;
        }
        if way.3 {
            self.hidden.remove(&asked);
        }
        let line = self.message(host, text(entry, "peer"), entry);
        self.under_way
            .entry(way)
            .or_default()
            .push(self.lines.len());
        self.lines.push((at, line));
    }

    fn arrived(&mut self, at: u64, entry: &Map<String, Value>) {
        let host = text(entry, "host");
        let way = Writer::way(host, entry, false);
        let asked = (way.0.clone(), way.1.clone(), way.2);
        if self.hides(entry) || (!way.3 && self.hidden.contains(&asked)) {
            return;
        }
        match self.under_way.get_mut(&way) {
            Some(lines) if !lines.is_empty() => drop(lines.remove(0)),
            // It arrives once more, or nobody saw it leave.
            Some(_) | None => {
                let line = self.message(text(entry, "peer"), host, entry);
                self.lines.push((at, line));
            }
        }
    }

    fn message(&self, from: &str, to: &str, entry: &Map<String, Value>) -> String {
        let width = self.width;
        let name = text(entry, "type");
        let mut line = format!("{from:>width$} -> {to:<width$}  {name}");
        if entry.get("ok") == Some(&Value::Bool(false)) {
            write!(
                line,
                " refused {}: {}",
                entry["error"],
                text(entry, "message")
            )
            .unwrap();
        }
        let fields = self.fields(entry);
        if !fields.is_empty() {
            write!(line, " {fields}").unwrap();
        }
        line
    }

    /// What concerns one host alone.
    fn alone(&mut self, at: u64, host: &str, what: &str, more: &str) {
        if self
            .shown
            .without
            .iter()
            .any(|word| what.starts_with(word.as_str()))
        {
            return;
        }
        let width = self.width;
        let host = if host.is_empty() { "*" } else { host };
        let line = format!("{host:>width$}    {:<width$}  ({what} {more}", "");
        let line = format!("{})", line.trim_end());
        self.lines.push((at, line));
    }

    fn fields(&self, entry: &Map<String, Value>) -> String {
        let known = ESSENTIAL
            .iter()
            .filter_map(|key| Some((*key, entry.get(*key)?)));
        let fields = known.map(|(key, value)| {
            let value = self.value(key, value);
            if matches!(key, "op" | "service") {
                value
            } else {
                format!("{key}={value}")
            }
        });
        let fields: Vec<String> = fields.collect();
        fields.join(" ")
    }

    fn value(&self, key: &str, value: &Value) -> String {
        match value {
            Value::String(text) => self.named(key, text),
            Value::Array(values) => {
                let values: Vec<String> = values.iter().map(|one| self.value(key, one)).collect();
                format!("[{}]", values.join(", "))
            }
            Value::Object(inner) if key == "publishes" => {
                let inner: Vec<String> = inner
                    .iter()
                    .map(|(service, value)| format!("{service}: {}", self.value(key, value)))
                    .collect();
                format!("{{{}}}", inner.join(", "))
            }
            Value::Object(inner) => format!("{{{}}}", self.fields(inner)),
            Value::Number(seconds) if matches!(key, "remaining" | "unheard") => {
                format!("{seconds}s")
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        }
    }

    /// A text with names in the place of addresses, and without what a server adds to an instance.
    fn named(&self, key: &str, text: &str) -> String {
        if matches!(key, "branches" | "leaves") {
            // Number and count; the sum is of the wire.
            return text
                .rsplit_once(':')
                .map_or(text, |(kept, _)| kept)
                .to_owned();
        }
        let words = text.split(' ').filter(|word| {
            let added = word.starts_with("id=") || word.starts_with("service=");
            !added || matches!(key, "cause")
        });
        let words: Vec<String> = words.map(|word| self.word(word)).collect();
        words.join(" ")
    }

    fn word(&self, word: &str) -> String {
        for split in ['=', '/'] {
            if let Some((left, right)) = word.split_once(split) {
                return format!("{}{split}{}", self.word(left), self.word(right));
            }
        }
        let node = word.strip_suffix(":8848").unwrap_or(word);
        if let Some(name) = self.names.get(node).filter(|name| name.starts_with('n')) {
            return name.clone();
        }
        // `3_10.1.0.1_40000_..` is the client that connected from that port.
        let parts: Vec<&str> = word.split('_').collect();
        match parts[..] {
            [_, ip, port, ..] => match self.names.get(ip) {
                Some(name) => format!("{name}:{port}"),
                None => word.to_owned(),
            },
            _ => word.to_owned(),
        }
    }

    fn finish(mut self) -> String {
        for lost in self.under_way.values().flatten() {
            self.lines[*lost].1.push_str("  (never arrives)");
        }
        let mut text = String::new();
        for (at, line) in &self.lines {
            if (self.shown.from..=self.shown.to).contains(at) {
                let (seconds, millis) = (at / 1_000_000, at % 1_000_000 / 1_000);
                writeln!(text, "{seconds:>4}.{millis:03}  {line}").unwrap();
            }
        }
        text
    }
}
